"""The Fusion client of one connection: one per process, for its whole life."""

from collections.abc import Mapping
from decimal import Decimal

import httpx

from clients.accounts import Account, account, short_name
from clients.authentication import Secret
from clients.http import UNWATCHED, Watch
from clients.limiter import ALONE, Share
from clients.oracle_fusion.collection import Collection
from clients.oracle_fusion.credit_applications import CreditApplications
from clients.oracle_fusion.credit_memos import ReceivablesCreditMemos
from clients.oracle_fusion.customers import Customers
from clients.oracle_fusion.described import Descriptions, Keeper
from clients.oracle_fusion.items import Items
from clients.oracle_fusion.journal_import import JournalImports
from clients.oracle_fusion.journals import PostedJournals
from clients.oracle_fusion.models import Description, Pod
from clients.oracle_fusion.names import Names
from clients.oracle_fusion.receivables import ReceivablesInvoices
from clients.oracle_fusion.receivables_setup import ReceivablesSetup
from clients.oracle_fusion.reference_data import ReferenceData
from clients.oracle_fusion.rest import PAGE, SCHEDULER, FusionRest, Row, address
from clients.oracle_fusion.segment_values import SegmentValues
from clients.oracle_fusion.visibility import NEVER_EMPTY, Emptiness, Visibility
from clients.oracle_fusion.windows import Feed
from contracts.configuration import FusionConnection


class FusionClient(ReferenceData, JournalImports, PostedJournals, ReceivablesInvoices, ReceivablesSetup):
    """All that flows ask of a pod. `secret` gives the newest client secret; it is read for each sign-in only.

    `keeper` keeps what resources say of themselves between processes; without it each asks once.
    """

    def __init__(
        self,
        connection: FusionConnection,
        secret: Secret,
        *,
        watch: Watch = UNWATCHED,
        share: Share = ALONE,
        keeper: Keeper | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.connection = connection
        rest = FusionRest(connection, secret, transport, watch, share)
        self.descriptions = Descriptions(rest, keeper)
        self.names = Names(rest, self)
        self.items = Items(rest, self.descriptions)
        self.customers = Customers(rest, self.descriptions)
        self.segment_values = SegmentValues(rest, self.descriptions)
        self.credit_memos = ReceivablesCreditMemos(rest, self.descriptions)
        self.credit_applications = CreditApplications(rest)
        ReferenceData.__init__(self, rest)
        JournalImports.__init__(self, rest)
        PostedJournals.__init__(self, rest)
        ReceivablesInvoices.__init__(self, rest, self.descriptions)
        ReceivablesSetup.__init__(self, rest)

    async def aclose(self) -> None:
        await self._rest.aclose()

    @property
    def clock_skew(self) -> float | None:
        """Our clock minus the pod's, seconds, by its last `Date` header; `None` before the first answer."""
        return self._rest.http.skew

    async def account(self) -> Account:
        """Sign in anew; which pod and account this is, by the addresses and by what the access token says.

        Oracle Fusion: the token is a JWT (1.1); which claims name the account is not documented, so they are a setting.
        """
        oauth = self.connection.oauth
        pod, domain = self.connection.base_url, oauth.token_url
        claims = await self._rest.claims()
        told = {name: claims[name] for name in oauth.identity_claims if name in claims}
        return account(
            f"pod {pod.host}, identity domain {domain.host}, client {oauth.client_id}, account {short_name(told)}",
            {
                "pod": f"{pod.host}:{pod.port}",
                "identity domain": f"{domain.host}:{domain.port}",
                "client": oauth.client_id,
                "claims": told,
            },
        )

    async def root(self) -> Pod:
        """Sign in and read the API root: which versions the pod offers, and how far our clocks are apart."""
        body = await self._rest.http.read("fscmRestApi/resources", subject="the API root")
        items = body.get("items") if isinstance(body, dict) else None
        skew = self.clock_skew
        return Pod(
            versions=tuple(str(item.get("version", "")) for item in items or [] if isinstance(item, dict)),
            clock_skew=None if skew is None else round(Decimal(skew), 1),
        )

    async def describe(self, resource: str) -> Description:
        """What a resource says of itself, asked anew, for `connections test`; flows use `descriptions`.

        Raises `NotFound` or `Forbidden` when the path or the privilege is missing.
        """
        facts = await self.descriptions.ask(resource)
        return Description(
            resource=resource,
            attributes=tuple(facts.attributes),
            queryable=frozenset(name for name, one in facts.attributes.items() if one.queryable),
            children={path: tuple(child.attributes) for path, child in facts.below()},
        )

    def collection(self, resource: str, *, key: str = "", stamp: str = "LastUpdateDate") -> Collection:
        """A resource with all that the framework offers: `key` is unique per row, `stamp` the time of its change."""
        return Collection(self._rest, self.descriptions, Feed(resource=resource, key=key, stamp=stamp))

    async def listed(
        self, path: str, params: Mapping[str, str | int | bool], limit: int
    ) -> tuple[tuple[Row, ...], bool]:
        """At most `limit` rows of a collection below the version, for people, and whether there are more."""
        rows: list[Row] = []
        while True:
            size = min(PAGE, limit - len(rows))
            asked = {**params, "limit": size, "offset": len(rows)}
            body = await self._rest.page(address(path), subject=path, params=asked)
            rows += body["items"]
            more = bool(body.get("hasMore")) and bool(body["items"])
            if not more or len(rows) >= limit:
                return tuple(rows[:limit]), more

    async def shown(self, path: str, params: Mapping[str, str | int | bool]) -> Row:
        """One item below the version, for people. Raises `NotFound`."""
        body = await self._rest.http.read(address(path), subject=path, params=params)
        if not isinstance(body, dict) or isinstance(body.get("items"), list):
            raise self._rest.http.bad_answer(path, "the answer is not an item")
        return body

    async def why_empty(self, resource: str) -> Emptiness:
        """Why a question had no rows, as far as the pod lets it be known."""
        return await Visibility(self._rest).why_empty(resource, never_empty=resource in NEVER_EMPTY)

    async def probe(self, resource: str) -> None:
        """One row of a resource, to prove that the path answers for this user. Raises the error if not."""
        await self._rest.page(address(resource), subject=resource, params={"limit": 1, "onlyData": True})

    async def probe_scheduler(self) -> None:
        """As `probe`, for the scheduler's own address."""
        await self._rest.page(SCHEDULER, subject="the scheduler's requests", params={"fields": "requestId"})
