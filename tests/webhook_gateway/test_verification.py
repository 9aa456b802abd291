import datetime as dt

import pytest
from starlette.datastructures import Headers

from webhook_gateway.verdicts import Refusal, Verdict
from webhook_gateway.verification import verify_header, verify_signature

SECRET = "0123456789abcdefclientsecret"
BODY = (
    b'{"scope":"store/order/updated","store_id":"1025646","data":{"type":"order","id":250},'
    b'"hash":"dd70c0976e06b67aaf671e73f49dcb79230ebf9d","created_at":1561479335,"producer":"stores/abc123"}'
)
SIGNED = {
    "webhook-id": "msg_test_1",
    "webhook-timestamp": "1561479336",
    "webhook-signature": "v1,4UmQcH2qjKzYM7gijMM3F/gh9Yx1trMht4JxBy4JGXw=",
}
SENT = dt.datetime.fromtimestamp(1561479336, tz=dt.UTC)


def verdict(
    body: bytes = BODY,
    *,
    secrets: tuple[str, ...] = (SECRET,),
    tolerance: int = 300,
    late: float = 0,
    **changes: str,
) -> Verdict | None:
    headers = SIGNED | {name.replace("_", "-"): value for name, value in changes.items()}
    try:
        verify_signature(
            body, Headers(headers), secrets=secrets, tolerance=tolerance, now=SENT + dt.timedelta(seconds=late)
        )
    except Refusal as refusal:
        return refusal.verdict
    return None


def test_a_delivery_signed_with_the_raw_client_secret_is_genuine() -> None:
    assert verdict() is None


def test_every_byte_of_the_body_is_signed() -> None:
    assert verdict(BODY.replace(b"250", b"251")) is Verdict.BAD_SIGNATURE
    assert verdict(BODY + b" ") is Verdict.BAD_SIGNATURE
    assert verdict(b"\xff" + BODY) is Verdict.BAD_SIGNATURE


def test_id_and_timestamp_are_signed_too() -> None:
    assert verdict(webhook_id="msg_test_2") is Verdict.BAD_SIGNATURE
    assert verdict(webhook_timestamp="1561479337") is Verdict.BAD_SIGNATURE


def test_old_and_new_secret_are_both_valid_during_a_rotation() -> None:
    assert verdict(secrets=("the-new-secret", SECRET)) is None
    assert verdict(secrets=("the-new-secret",)) is Verdict.BAD_SIGNATURE


def test_one_of_several_signatures_is_enough() -> None:
    assert verdict(webhook_signature=f"v1a,AAAA v1,AAAA= {SIGNED['webhook-signature']}") is None


def test_a_flood_of_signatures_is_not_searched() -> None:
    assert verdict(webhook_signature="v1,AAAA= " * 500 + SIGNED["webhook-signature"]) is Verdict.BAD_SIGNATURE


def test_a_genuine_delivery_outside_the_tolerance_is_stale() -> None:
    assert verdict(late=301) is Verdict.STALE
    assert verdict(late=-301) is Verdict.STALE
    assert verdict(late=299) is None


def test_a_shop_that_does_not_sign_its_retries_anew_can_be_given_two_days() -> None:
    assert verdict(late=173_000, tolerance=180_000) is None


def test_a_forgery_is_not_told_that_it_is_stale() -> None:
    assert verdict(late=9999, webhook_id="msg_test_2") is Verdict.BAD_SIGNATURE


@pytest.mark.parametrize(
    "headers",
    [
        {"webhook_id": ""},
        {"webhook_id": "m" * 201},
        {"webhook_id": "two words"},
        {"webhook_timestamp": ""},
        {"webhook_timestamp": "yesterday"},
        {"webhook_timestamp": "1561479336.0"},
        {"webhook_timestamp": "-1561479336"},
        {"webhook_timestamp": "01561479336"},
        {"webhook_timestamp": "9" * 5000},
        {"webhook_timestamp": "99999999999"},
        {"webhook_timestamp": "١٥٦١٤٧٩٣٣٦".encode().decode("latin-1")},
        {"webhook_signature": ""},
        {"webhook_signature": "v1"},
        {"webhook_signature": "v1,"},
        {"webhook_signature": "v1,not base64 !"},
        {"webhook_signature": "v2,4UmQcH2qjKzYM7gijMM3F/gh9Yx1trMht4JxBy4JGXw="},
        {"webhook_signature": "v1,\xe9\xe9\xe9"},
    ],
)
def test_broken_headers_are_a_bad_signature_and_no_error(headers: dict[str, str]) -> None:
    assert verdict(**headers) is Verdict.BAD_SIGNATURE


def test_the_base64_of_the_secret_is_not_the_key() -> None:
    assert verdict(secrets=("MDEyMzQ1Njc4OWFiY2RlZmNsaWVudHNlY3JldA==",)) is Verdict.BAD_SIGNATURE


def test_the_secret_header_must_be_there_once_and_match() -> None:
    def accepts(*values: str, secrets: tuple[str, ...] = ("old", "new")) -> bool:
        headers = Headers(raw=[(b"x-connector-secret", value.encode("latin-1")) for value in values])
        try:
            verify_header(headers, name="X-Connector-Secret", secrets=secrets)
        except Refusal:
            return False
        return True

    assert accepts("old")
    assert accepts("new")
    assert not accepts("newer")
    assert not accepts("\xe9")
    assert not accepts()
    assert not accepts("old", "new")
    assert not accepts("old", secrets=())
