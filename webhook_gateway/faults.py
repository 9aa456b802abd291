"""What may be said of an error in a log line or a record."""

from contracts.starting import StartError
from store import KeyRingError, StoreError, Unsealable


def reason(error: BaseException) -> str:
    """Our own sentences; of others the type alone, because their messages may carry anything."""
    ours = (StartError, StoreError, KeyRingError, Unsealable)
    return str(error) if isinstance(error, ours) else type(error).__name__


def is_outage(error: BaseException) -> bool:
    """Temporal as a whole is at fault, not the one start: only this opens the breaker."""
    return isinstance(error, TimeoutError) or (isinstance(error, StartError) and error.outage)
