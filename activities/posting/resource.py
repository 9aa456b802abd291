"""What a resource of an ERP tells of itself, so that its documents can be created with the discipline of `posting`."""

from collections.abc import Sequence
from datetime import date
from typing import Protocol, TypeVar

from clients.errors import VendorError
from contracts.model import Amount, Frozen


class Home(Frozen):
    """Where a document carries our reference."""

    name: str
    length: int
    """Characters that the home holds; what is longer is shortened (`contracts.names.short_reference`)."""
    reference: str
    """As it stands there: what a look searches for."""
    place: str = ""
    """What the reference is unique within, e.g. business unit and source."""
    refuses_duplicates: bool
    """Whether the vendor itself refuses a second document with this reference in this home and place. Only then may
    something be sent again while the outcome of an earlier request is open."""


class Facts(Frozen):
    """What is kept of a document in the clear."""

    reference: str
    """The full business key."""
    currency: str
    total: Amount
    accounting_date: date | None = None
    date_moved: bool = False
    """To another period than the sale's."""
    suspense: bool = False


class Seen(Frozen):
    """A document as the ERP shows it."""

    target_id: str
    """The ERP's own key."""
    target_number: str
    """The number people see."""
    currency: str
    total: Amount
    sentence: str
    """One clause for people: "invoice 1007 over 19.95 USD"."""


Document = TypeVar("Document")
Hit = TypeVar("Hit")


class Resource(Protocol[Document, Hit]):
    """One kind of document that one call creates. Vendor calls raise `clients.errors.VendorError`."""

    @property
    def name(self) -> str:
        """The vendor's name of it, e.g. `receivablesInvoices`."""
        ...

    def home(self, document: Document) -> Home: ...

    def facts(self, document: Document) -> Facts: ...

    def dump(self, document: Document) -> str:
        """The whole document as JSON."""
        ...

    def load(self, text: str) -> Document:
        """From `dump`. Raises `ValueError`."""
        ...

    async def look(self, document: Document, *, thorough: bool) -> Sequence[Hit]:
        """Everything that carries the document's reference in its home, exactly, whatever else it says.

        `thorough`: it may be there already, perhaps not quite as it was sent. Wherever else it carries the reference
        counts, too.
        """
        ...

    async def check(self, document: Document) -> None:
        """Whether the vendor would take it, as far as the vendor's own description says. Nothing is sent.

        Raises a `VendorError` with everything that does not fit, `ValueError` when the resource cannot carry it.
        """
        ...

    async def create(self, document: Document, *, ends: float) -> Hit:
        """Send it once. Nothing may go out after `ends`, a moment of the event loop's clock.

        A success that cannot be read is `InDoubt`. Raises `ValueError` when the resource cannot carry the document;
        nothing was sent then.
        """
        ...

    async def read(self, target_id: str, *, whole: bool = False) -> Hit:
        """By the ERP's own key; `whole` with everything that `another_sale` compares. Raises `NotFound`."""
        ...

    def seen(self, hit: Hit) -> Seen: ...

    def is_ours(self, hit: Hit, document: Document) -> bool:
        """Whether the hit itself proves that we created it. False proves nothing."""
        ...

    def difference(self, hit: Hit, document: Document) -> str:
        """What is not as we meant it, one clause; empty when amount, currency and content agree."""
        ...

    def another_sale(self, hit: Hit, document: Document) -> str:
        """What of the sale itself is not the same, one clause: amounts and accounts, not how and when it was booked.

        The hit was read whole.
        """
        ...

    def ended(self, error: VendorError) -> bool:
        """Whether this error, an answer to a create in doubt, was the vendor's own: nothing of it is in flight."""
        ...

    def taken(self, error: VendorError) -> bool:
        """Whether a refused create says that the reference exists already."""
        ...
