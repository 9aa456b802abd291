"""How failures are written into histories: sealed like everything else, and short enough to be kept whole."""

from typing import Final

from temporalio.api.failure.v1 import Failure
from temporalio.converter import DefaultFailureConverter, PayloadConverter

LONGEST_TRACE: Final = 1000
"""Characters of a stack trace, from its end; the log has all of it. The server drops the last failure of a pending
step that exceeds 4 KB (`limit.mutableStateActivityFailureSize`), and what is sealed it cannot shorten."""


class SealedFailureConverter(DefaultFailureConverter):
    """Moves message and stack trace, also those of causes, to where the codec seals them."""

    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
        super().to_failure(exception, payload_converter, failure)
        readable = {"message": failure.message, "stack_trace": _shortened(failure.stack_trace)}
        failure.encoded_attributes.CopyFrom(payload_converter.to_payload(readable))
        failure.message = "Encoded failure"
        failure.stack_trace = ""


def _shortened(trace: str) -> str:
    """The innermost frames, each whole."""
    if len(trace) <= LONGEST_TRACE:
        return trace
    end = trace[-LONGEST_TRACE:]
    return "...\n" + end[end.find("\n  File ") + 1 :]
