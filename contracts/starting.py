"""How a document's workflow is started, by the gateway, the polls, the sweeps and the command line alike."""

from typing import Annotated, Protocol

from pydantic import Field

from contracts import names
from contracts.configuration import Identifier
from contracts.model import Frozen, Instant

DocumentId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")]
"""A source document's own id as it appears in workflow ids: never a separator, at most 80 characters."""


class StartRequest(Frozen):
    """One wish that a document be looked at. Says which document, never what is in it."""

    flow: str = names.ORDER_TO_JOURNAL
    connection: Identifier
    """The source connection."""
    integration: Identifier
    document_id: DocumentId
    parent_id: DocumentId | None = None
    """What the document belongs to, where the sender knows it: the order of a refund. Saves a look in the shop."""
    job: str = Field(default="", max_length=200)
    """The poll, backfill or delivery that asks, e.g. `delivery:msg_2h...`."""
    received_at: Instant
    fresh: bool = False
    """The sender has not heard of this document lately: a run is probably not there, and needs no signal then."""
    quiet: float = Field(default=0.0, ge=0)
    """Seconds a new run waits before it begins: a shop seldom says things once. Changes until then are free."""

    @property
    def workflow_id(self) -> str:
        """`{flow}:{connection}:{document id}`; also the key of the document's wake-ups in the store."""
        return names.flow_id(self.flow, self.connection, self.document_id)


class StartError(Exception):
    """The start was not confirmed. It may still have happened, which is harmless: starting again is idempotent."""

    def __init__(self, sentence: str, *, outage: bool = False) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        """For people; carries no payload and no address."""
        self.outage = outage
        """Temporal could not be reached or has too much to do: any other start would have failed, too."""


class Starter(Protocol):
    """Starts the document's workflow, or signals `changed` to the running one.

    Idempotent: any number of equal requests lead to one run at a time that sees the newest state of the source.
    """

    async def start(self, request: StartRequest) -> None:
        """Returns once Temporal has stored the start. Raises `StartError`. Has no deadline of its own."""
        ...
