"""What the gateway decided about one delivery, and the HTTP status that says so."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Verdict(StrEnum):
    STARTED = "started"
    """Temporal has stored the start, or the signal to the running workflow."""
    COALESCED = "coalesced"
    """A stored signal that the document's workflow has not consumed yet covers this change too."""
    INBOX = "inbox"
    """Temporal did not confirm in time; the start is stored in the inbox and made from there."""
    IGNORED = "ignored"
    """Genuine, but about nothing that a flow follows."""
    UNKNOWN_ROUTE = "unknown_route"
    TOO_SLOW = "too_slow"
    OVERSIZE = "oversize"
    CUT_OFF = "cut_off"
    BAD_SIGNATURE = "bad_signature"
    STALE = "stale"
    """Genuine signature, but its timestamp lies outside the tolerance: perhaps a replay."""
    NOT_JSON = "not_json"
    MALFORMED = "malformed"
    """JSON, but not the shape the vendor documents."""
    WRONG_STORE = "wrong_store"
    """Genuine, but announced by another shop than the connection's."""
    UNAVAILABLE = "unavailable"
    """Nothing durable could be done; the sender is asked to come again."""


STATUS: Final[Mapping[Verdict, int]] = {
    Verdict.STARTED: 202,
    Verdict.COALESCED: 202,
    Verdict.INBOX: 202,
    Verdict.IGNORED: 202,
    Verdict.UNKNOWN_ROUTE: 404,
    Verdict.TOO_SLOW: 408,
    Verdict.OVERSIZE: 413,
    Verdict.CUT_OFF: 400,
    Verdict.BAD_SIGNATURE: 401,
    Verdict.STALE: 401,
    Verdict.NOT_JSON: 400,
    Verdict.MALFORMED: 400,
    Verdict.WRONG_STORE: 400,
    Verdict.UNAVAILABLE: 503,
}


class Refusal(Exception):  # noqa: N818 -- it is an answer, not a fault
    """Ends the handling of a delivery. `sentence` goes to the delivery record, never to the sender."""

    def __init__(self, verdict: Verdict, sentence: str) -> None:
        super().__init__(sentence)
        self.verdict = verdict
        self.sentence = sentence
