import pytest

from clients.redaction import plain


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer canary-secret-value-123 was refused",
        "token eyJhbGciOi.canary-secret-value-123.x is expired",
        '{"access_token":"canary-secret-value-123"}',
        "client_secret=canary-secret-value-123&x=1",
        "X-Auth-Token: canary-secret-value-123",
        "see https://vendor.example/path?key=canary-secret-value-123",
        "<p data-x='canary-secret-value-123'>Denied</p>",
    ],
)
def test_a_secret_echoed_by_a_vendor_does_not_reach_a_sentence(text: str) -> None:
    assert "canary-secret-value-123" not in plain(text)


def test_html_becomes_words_and_long_text_is_cut() -> None:
    assert plain("<html><style>p{}</style><h1>Not&nbsp;Found</h1>\n<p>The  page</p></html>") == "Not Found The page"
    assert len(plain("word " * 1000)) <= 300
