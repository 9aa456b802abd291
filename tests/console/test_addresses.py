from typing import Any

import pytest
from pydantic import ValidationError

from console.addresses import public_url, ui_origins


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({}, "http://127.0.0.1:8081"),
        ({"host": "0.0.0.0", "port": 9000}, "http://127.0.0.1:9000"),  # noqa: S104
        ({"host": "::1"}, "http://[::1]:8081"),
        ({"url": "https://console.example.com/"}, "https://console.example.com"),
    ],
)
def test_the_console_is_found_where_it_listens_unless_it_says_otherwise(
    kit: Any, settings: dict[str, Any], url: str
) -> None:
    assert public_url(kit.configuration(**settings).console) == url


def test_the_ui_is_the_configured_one(kit: Any) -> None:
    assert ui_origins(kit.configuration()) == ("http://127.0.0.1:8233",)
    assert ui_origins(kit.configuration(ui_origins=["HTTPS://Temporal.Example.com:443/"])) == (
        "https://temporal.example.com",
    )
    bare = kit.configuration()
    assert ui_origins(bare.model_copy(update={"temporal": bare.temporal.model_copy(update={"ui_url": None})})) == ()


@pytest.mark.parametrize(
    "origin", ["*", "null", "temporal.example.com", "https://x.example.com/ui", "ftp://x", "https://me@x", "https://"]
)
def test_an_origin_is_scheme_host_and_port(kit: Any, origin: str) -> None:
    with pytest.raises(ValidationError, match="origin"):
        kit.configuration(ui_origins=[origin])
