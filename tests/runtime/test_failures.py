from temporalio.api.failure.v1 import Failure
from temporalio.exceptions import ApplicationError

from runtime.temporal.failures import LONGEST_TRACE
from runtime.temporal.plugin import data_converter
from store import KeyRing

KEPT_WHOLE = 4096
"""Bytes of a pending step's last failure that the server keeps (`limit.mutableStateActivityFailureSize`)."""


def fall(depth: int) -> None:
    """Python shortens the trace of a function that calls itself; these two call each other."""
    stumble(depth)


def stumble(depth: int) -> None:
    if depth:
        fall(depth - 1)
    else:
        raise LookupError("canary-4711")


async def failure_of(depth: int) -> Failure:
    failure = Failure()
    try:
        try:
            fall(depth)
        except LookupError as error:
            raise ApplicationError("Order 1024: " + "x" * 1000, type="Waiting") from error
    except ApplicationError as error:
        await data_converter(KeyRing.generate()).encode_failure(error, failure)
    return failure


async def test_a_failure_from_deep_inside_is_sealed_and_small_enough_for_the_server_to_keep() -> None:
    failure = await failure_of(depth=40)
    assert failure.ByteSize() < KEPT_WHOLE
    assert b"canary" not in failure.SerializeToString()
    assert (failure.message, failure.stack_trace, failure.cause.stack_trace) == ("Encoded failure", "", "")
    assert failure.application_failure_info.type == "Waiting"


async def test_message_cause_and_innermost_frames_are_read_with_the_key() -> None:
    converter = data_converter(KeyRing.generate())
    failure = Failure()
    try:
        fall(40)
    except LookupError as error:
        await converter.encode_failure(error, failure)
    [readable] = await converter.decode([failure.encoded_attributes])
    assert readable["message"] == "canary-4711"
    assert readable["stack_trace"].startswith("...\n  File ")
    assert 'raise LookupError("canary-4711")' in readable["stack_trace"]
    assert len(readable["stack_trace"]) <= LONGEST_TRACE + 4
    restored = await converter.decode_failure(failure)
    assert isinstance(restored, ApplicationError)
    assert (restored.message, restored.type) == ("canary-4711", "LookupError")
