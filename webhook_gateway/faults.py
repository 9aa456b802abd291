"""What may be said of an error in a log line or a record."""

from contracts.starting import StartError
from store.database import StoreError


def reason(error: BaseException) -> str:
    """Our own sentences; of others the type alone, because their messages may carry anything."""
    return str(error) if isinstance(error, (StartError, StoreError)) else type(error).__name__
