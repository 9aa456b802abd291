"""What a configuration may say of the console, and where a mistake is shown."""

from collections.abc import Callable
from pathlib import Path

import pytest

from runtime.configuring.configuration import load
from runtime.configuring.mistakes import ConfigurationErrors, Mistake

Write = Callable[..., Path]
PRODUCTION = ('environment = "test"\n', 'environment = "production"\n')


def mistakes(path: Path) -> tuple[Mistake, ...]:
    with pytest.raises(ConfigurationErrors) as refused:
        load(path, {})
    return refused.value.mistakes


@pytest.mark.parametrize(
    "console",
    [
        "",
        '[console]\nport = 9081\nui_origins = ["https://temporal.example.com"]\n',
        '[console]\nhost = "0.0.0.0"\nurl = "https://console.example.com"\n',
        '[console]\nhost = "0.0.0.0"\nurl = "http://127.0.0.1:8081"\n',
        '[console]\nhost = "0.0.0.0"\nurl = "http://localhost:8081"\n',
    ],
)
def test_a_console_that_is_reached_safely_is_accepted_in_production(written: Write, console: str) -> None:
    assert load(written(PRODUCTION, more=console), {}).environment == "production"


@pytest.mark.parametrize(
    ("console", "line", "sentence"),
    [
        ('[console]\nhost = "0.0.0.0"\n', 'host = "0.0.0.0"', "it is not said how people reach it"),
        ('[console]\nurl = "http://console.example.com"\n', "url = ", "unencrypted"),
    ],
)
def test_in_production_nobody_signs_in_unencrypted(written: Write, console: str, line: str, sentence: str) -> None:
    path = written(PRODUCTION, more=console)
    [mistake] = mistakes(path)
    assert sentence in mistake.sentence
    assert line in path.read_text().splitlines()[mistake.line - 1]
    assert load(written(more=console), {}).environment == "test"


def test_the_address_of_the_ui_is_one(written: Write) -> None:
    [mistake] = mistakes(written(more='[temporal]\nui_url = "temporal.example.com"\n'))
    assert "is not the address of a web page" in mistake.sentence


@pytest.mark.parametrize("origin", ["*", "https://temporal.example.com/ui", "temporal.example.com"])
def test_an_origin_that_is_none_is_shown_with_its_line(written: Write, origin: str) -> None:
    path = written(more=f'[console]\nui_origins = ["{origin}"]\n')
    [mistake] = mistakes(path)
    assert "origin" in mistake.sentence
    assert path.read_text().splitlines()[mistake.line - 1].startswith("ui_origins")
