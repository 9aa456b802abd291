"""What vendors say of a person's record, made fit to be told: nothing of the person is left in it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from clients.errors import VendorError
from mapping.customers import masked


@contextmanager
def unnamed(private: Iterable[str]) -> Iterator[None]:
    """A vendor's refusal may quote what was sent: these texts are hidden in whatever it says."""
    hidden = tuple(private)
    try:
        yield
    except VendorError as error:
        error.sentence = masked(error.sentence, hidden)
        error.remedy = masked(error.remedy, hidden)
        error.messages = tuple(masked(said, hidden) for said in error.messages)
        error.args = (error.sentence,)
        raise
