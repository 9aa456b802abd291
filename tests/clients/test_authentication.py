import asyncio
import json
from base64 import b64decode, b64encode
from urllib.parse import parse_qs

import httpx
import pytest

from clients.authentication import ClientCredentials, HeaderToken
from clients.errors import NotSent, SignInRefused, Unauthorized, VendorError
from clients.http import VendorHttp
from clients.limiter import Limiter

SCOPE = "urn:opc:resource:fa:instanceid=1urn:opc:resource:consumer::all"


class Pod:
    """A token endpoint and an API behind one transport."""

    def __init__(self, lifetime: int = 3600) -> None:
        self.tokens = 0
        self.forms: list[dict[str, list[str]]] = []
        self.basics: list[str] = []
        self.refused: set[str] = set()
        self.lifetime = lifetime
        self.token_status = 200
        self.calls: list[str] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)
        if request.url.path == "/oauth2/v1/token":
            self.forms.append(parse_qs(request.content.decode()))
            self.basics.append(request.headers.get("authorization", ""))
            if self.token_status != 200:
                return httpx.Response(
                    self.token_status, json={"error": "invalid_client", "error_description": "Client is unknown."}
                )
            self.tokens += 1
            return httpx.Response(200, json={"access_token": f"token-{self.tokens}", "expires_in": self.lifetime})
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        self.calls.append(token)
        if token in self.refused:
            return httpx.Response(401, headers={"WWW-Authenticate": 'Basic realm="owsm"'}, text="<html>no</html>")
        return httpx.Response(200, json={})


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def connect(pod: Pod, *, client_auth: str = "basic", clock: Clock | None = None, secret: str = "s+cret") -> VendorHttp:  # noqa: S107
    async def read_secret() -> str:
        return secret

    transport = httpx.MockTransport(pod)
    auth = ClientCredentials(
        connection="fusion-test",
        token_url="https://idcs.example/oauth2/v1/token",
        client_id="client id",
        scope=SCOPE,
        secret=read_secret,
        client_auth="form" if client_auth == "form" else "basic",
        transport=transport,
        clock=clock or Clock(),
    )
    return VendorHttp(
        vendor="Oracle Fusion",
        connection="fusion-test",
        base_url="https://pod.example",
        timeout=600,
        limiter=Limiter(calls=1000, window=1),
        auth=auth,
        transport=transport,
    )


async def test_one_token_serves_all_calls_and_the_scope_is_sent_as_configured() -> None:
    pod = Pod()
    http = connect(pod)
    await asyncio.gather(*(http.read("x", subject="x") for _ in range(20)))
    assert pod.tokens == 1
    assert pod.forms[0] == {"grant_type": ["client_credentials"], "scope": [SCOPE]}
    assert b64decode(pod.basics[0].removeprefix("Basic ")) == b"client+id:s%2Bcret"


async def test_the_form_style_sends_id_and_secret_in_the_body() -> None:
    pod = Pod()
    await connect(pod, client_auth="form").read("x", subject="x")
    assert pod.forms[0]["client_secret"] == ["s+cret"]
    assert pod.basics == [""]


async def test_a_token_is_renewed_before_it_expires_by_one_task() -> None:
    pod, clock = Pod(lifetime=600), Clock()
    http = connect(pod, clock=clock)
    await http.read("x", subject="x")
    clock.now = 500.0
    await asyncio.gather(*(http.read("x", subject="x") for _ in range(10)))
    assert pod.tokens == 2
    assert "token-2" in pod.calls


async def test_a_short_outage_of_the_token_endpoint_is_survived_with_the_old_token() -> None:
    pod, clock = Pod(lifetime=600), Clock()
    http = connect(pod, clock=clock)
    await http.read("x", subject="x")
    clock.now, pod.token_status = 500.0, 503
    await http.read("x", subject="x")
    assert pod.calls == ["token-1", "token-1"]
    clock.now = 601.0
    with pytest.raises(NotSent):
        await http.send("POST", "x", subject="x", body={}, write=True)


async def test_a_refused_token_is_renewed_once_and_the_request_repeated() -> None:
    pod = Pod()
    pod.refused = {"token-1"}
    http = connect(pod)
    await http.send("POST", "x", subject="a journal", body={"a": 1}, write=True)
    assert pod.calls == ["token-1", "token-2"]


async def test_a_second_refusal_is_a_configuration_error() -> None:
    pod = Pod()
    pod.refused = {"token-1", "token-2"}
    with pytest.raises(Unauthorized) as told:
        await connect(pod).read("x", subject="the ledgers")
    assert pod.tokens == 2
    assert told.value.status == 401


async def test_a_refused_client_says_so_and_nothing_was_sent() -> None:
    pod = Pod()
    pod.token_status = 401
    with pytest.raises(Unauthorized, match="Client is unknown") as told:
        await connect(pod, secret="canary-4711").read("x", subject="x")
    assert "client_id" in told.value.remedy
    assert told.value.code == "invalid_client"
    assert "canary-4711" not in repr(told.value) + str(told.value)
    assert pod.calls == []


async def test_secrets_and_tokens_are_in_no_representation() -> None:
    pod = Pod()
    http = connect(pod, secret="canary-4711")
    await http.read("x", subject="x")
    pod.refused = {"token-1", "token-2"}
    with pytest.raises(VendorError) as told:
        await http.read("x", subject="x")
    shown = f"{http!r}{http._auth!r}{told.value!r}{told.value}"
    assert "canary-4711" not in shown
    assert "token-" not in shown


async def test_a_rotated_static_token_is_read_again_once() -> None:
    tokens = iter(["old", "new"])
    seen: list[str] = []

    async def secret() -> str:
        return next(tokens)

    def shop(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["x-auth-token"])
        return httpx.Response(200 if seen[-1] == "new" else 401, json={})

    http = VendorHttp(
        vendor="BigCommerce",
        connection="bc-us",
        base_url="https://shop.example",
        timeout=600,
        limiter=Limiter(calls=1000, window=1),
        auth=HeaderToken("X-Auth-Token", secret),
        transport=httpx.MockTransport(shop),
    )
    await http.read("x", subject="x")
    await http.read("x", subject="x")
    assert seen == ["old", "new", "new"]


async def test_a_crowd_that_waits_for_a_refused_sign_in_asks_once() -> None:
    pod = Pod()
    pod.token_status = 401
    http = connect(pod)
    ends = await asyncio.gather(*(http.read("x", subject="x") for _ in range(20)), return_exceptions=True)
    assert {type(end) for end in ends} == {SignInRefused}
    assert len(pod.forms) == 1
    with pytest.raises(SignInRefused):
        await http.read("x", subject="x")
    assert len(pod.forms) == 2


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(401, json={"error": "invalid_client"}), SignInRefused),
        (httpx.Response(400, json={"error": "invalid_scope"}), SignInRefused),
        (httpx.Response(403, html="<html>The firewall says no.</html>"), Unauthorized),
        (httpx.Response(302, headers={"Location": "/maintenance"}), Unauthorized),
        (httpx.Response(503), NotSent),
        (httpx.Response(429, headers={"Retry-After": "30"}), NotSent),
    ],
    ids=["client", "scope", "a firewall", "redirect", "503", "429"],
)
async def test_only_the_endpoint_itself_can_refuse_who_we_are(answer: httpx.Response, kind: type[VendorError]) -> None:
    """Somebody else's no may be gone the next time; the endpoint's own is final for this secret."""

    async def secret() -> str:
        return "s"

    auth = ClientCredentials(
        connection="fusion-test",
        token_url="https://idcs.example/oauth2/v1/token",
        client_id="c",
        scope="s",
        secret=secret,
        transport=httpx.MockTransport(lambda _: answer),
    )
    with pytest.raises(kind) as told:
        await auth.claims()
    assert type(told.value) is kind


async def test_the_claims_of_a_token_are_those_of_a_new_sign_in() -> None:
    content = b64encode(json.dumps({"sub": "ML_CONNECTOR"}).encode()).decode().rstrip("=")
    tokens = iter((f"h.{content}.s", "opaque", "a.b.c"))

    async def secret() -> str:
        return "s"

    auth = ClientCredentials(
        connection="fusion-test",
        token_url="https://idcs.example/oauth2/v1/token",
        client_id="c",
        scope="s",
        secret=secret,
        transport=httpx.MockTransport(lambda _: httpx.Response(200, json={"access_token": next(tokens)})),
    )
    assert await auth.claims() == {"sub": "ML_CONNECTOR"}
    assert await auth.claims() == {}, "a token need not be a JWT"
    assert await auth.claims() == {}, "nor one that can be read"
