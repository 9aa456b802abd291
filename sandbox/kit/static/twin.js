"use strict";

// Keeps the regions of a page that are marked data-live as the twin has them, and sends its buttons without leaving it.
// Everything works without this script too: then buttons load the page anew.
(() => {
  const EVERY = 1500; // milliseconds between two looks
  const shown = new Map(); // region id -> what the server last sent for it
  const live = document.getElementById("live");
  const word = document.getElementById("live-word");
  const pause = document.getElementById("pause");
  const regions = () => document.querySelectorAll("[data-live]");
  let paused = false;
  let looking = false;
  let sent = 0; // buttons pressed so far: a look that began before one tells old news

  for (const region of regions()) shown.set(region.id, region.innerHTML);

  function tell(state, text) {
    if (live.dataset.state === state) return;
    live.dataset.state = state;
    word.textContent = text;
  }

  // A person who is typing must not lose what was typed.
  function inUse(region) {
    for (const field of region.querySelectorAll("input:not([type=hidden]), select, textarea")) {
      if (field === document.activeElement) return true;
      if (field.tagName === "SELECT") {
        if ([...field.options].some((option) => option.selected !== option.defaultSelected)) return true;
      } else if (field.value !== field.defaultValue || field.checked !== field.defaultChecked) return true;
    }
    return false;
  }

  function replace(region, fresh) {
    const focused = region.contains(document.activeElement) ? document.activeElement.id : null;
    const open = [...region.querySelectorAll("details[open][id]")].map((details) => details.id);
    const before = new Map([...region.querySelectorAll("tr[id]")].map((row) => [row.id, row.textContent]));
    region.replaceChildren(...[...fresh.childNodes].map((node) => document.importNode(node, true)));
    for (const id of open) region.querySelector("#" + CSS.escape(id))?.setAttribute("open", "");
    if (before.size) {
      for (const row of region.querySelectorAll("tr[id]")) {
        if (before.get(row.id) !== row.textContent) row.classList.add("news");
      }
    }
    if (focused !== null) {
      const again = focused && document.getElementById(focused);
      if (again) again.focus({ preventScroll: true });
      else document.getElementById("content").focus({ preventScroll: true });
    }
  }

  function take(text, pressed) {
    const page = new DOMParser().parseFromString(text, "text/html");
    if (!page.getElementById("content")) return;
    for (const region of regions()) {
      const fresh = page.getElementById(region.id);
      if (!fresh || shown.get(region.id) === fresh.innerHTML) continue;
      if (!pressed?.has(region) && inUse(region)) continue;
      shown.set(region.id, fresh.innerHTML);
      replace(region, fresh);
    }
  }

  async function look() {
    if (looking || paused || document.hidden) return;
    looking = true;
    const before = sent;
    try {
      const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(10000) });
      const text = await answer.text();
      if (before === sent && !paused) take(text);
      tell("on", "live");
    } catch {
      tell("lost", "no answer, trying again");
    } finally {
      looking = false;
    }
  }

  async function press(form, button) {
    if (form.getAttribute("aria-busy") === "true") return;
    form.setAttribute("aria-busy", "true");
    sent += 1;
    try {
      const fields = new URLSearchParams(new FormData(form, button));
      const answer = await fetch(location.href, { method: "POST", body: fields, signal: AbortSignal.timeout(15000) });
      const text = await answer.text();
      const region = form.closest("[data-live]");
      take(text, answer.ok && region ? new Set([region]) : null);
      tell(paused ? "paused" : "on", paused ? "paused" : "live");
    } catch {
      tell("lost", "no answer, trying again");
    } finally {
      form.removeAttribute("aria-busy");
    }
  }

  document.addEventListener("submit", (event) => {
    if (event.target.getAttribute("method") !== "post") return; // .method may be one of its fields
    event.preventDefault();
    press(event.target, event.submitter);
  });

  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    tell(paused ? "paused" : "on", paused ? "paused" : "live");
    if (!paused) look();
  });
  document.addEventListener("visibilitychange", look);
  tell("on", "live");
  setInterval(look, EVERY);
})();
