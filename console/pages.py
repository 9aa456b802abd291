"""What all pages share: templates, headers that keep other sites out, and the check that a form came from us."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

HERE: Final = Path(__file__).parent
STATIC: Final = HERE / "static"
MAX_FORM: Final = 16 * 1024
"""Bytes of a form."""

HEADERS: Final[Mapping[str, str]] = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "cache-control": "no-store",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}

_templates: Final = Environment(
    loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)


def page(template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """An HTML page from `templates/`, every value escaped."""
    return HTMLResponse(_templates.get_template(template).render(values), status_code=status, headers=dict(HEADERS))


def from_our_page(request: Request, url: str) -> bool:
    """Whether a form was sent by a page of ours; tools, which send no origin, may pass."""
    origin = request.headers.get("origin")
    if origin is None:
        return True
    return urlsplit(origin).netloc in (request.headers.get("host", ""), urlsplit(url).netloc)


async def form_of(request: Request) -> dict[str, str]:
    """The fields of an ordinary form; the first value of each. Bounded by the route."""
    fields = parse_qs((await request.body()).decode("utf-8", errors="replace"), max_num_fields=50)
    return {name: values[0] for name, values in fields.items()}
