"""The Fusion client of one connection: one per process, for its whole life."""

from decimal import Decimal

import httpx

from clients.accounts import Account, account, short_name
from clients.authentication import Secret
from clients.http import UNWATCHED, Watch
from clients.limiter import ALONE, Share
from clients.oracle_fusion.journal_import import JournalImports
from clients.oracle_fusion.journals import PostedJournals
from clients.oracle_fusion.models import Description, Pod
from clients.oracle_fusion.receivables import ReceivablesInvoices
from clients.oracle_fusion.receivables_setup import ReceivablesSetup
from clients.oracle_fusion.reference_data import ReferenceData
from clients.oracle_fusion.rest import RESOURCES, SCHEDULER, FusionRest, described_children
from contracts.configuration import FusionConnection


class FusionClient(ReferenceData, JournalImports, PostedJournals, ReceivablesInvoices, ReceivablesSetup):
    """All that flows ask of a pod. `secret` gives the newest client secret; it is read for each sign-in only."""

    def __init__(
        self,
        connection: FusionConnection,
        secret: Secret,
        *,
        watch: Watch = UNWATCHED,
        share: Share = ALONE,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.connection = connection
        rest = FusionRest(connection, secret, transport, watch, share)
        ReferenceData.__init__(self, rest)
        JournalImports.__init__(self, rest)
        PostedJournals.__init__(self, rest)
        ReceivablesInvoices.__init__(self, rest)
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
        """What a resource says of itself: slow and large, for `connections test` only.

        Raises `NotFound` or `Forbidden` when the path or the privilege is missing.
        """
        subject = f"the description of {resource}"
        body = await self._rest.http.read(f"{RESOURCES}/{resource}/describe", subject=subject)
        resources = body.get("Resources") if isinstance(body, dict) else None
        described = resources.get(resource) if isinstance(resources, dict) else None
        if not isinstance(described, dict):
            raise self._rest.http.bad_answer(subject, "it describes something else")
        attributes = [one for one in described.get("attributes") or [] if isinstance(one, dict) and one.get("name")]
        return Description(
            resource=resource,
            attributes=tuple(str(one["name"]) for one in attributes),
            queryable=frozenset(str(one["name"]) for one in attributes if one.get("queryable", True)),
            children=dict(described_children(described)),
        )

    async def probe(self, resource: str) -> None:
        """One row of a resource, to prove that the path answers for this user. Raises the error if not."""
        await self._rest.page(f"{RESOURCES}/{resource}", subject=resource, params={"limit": 1, "onlyData": True})

    async def probe_scheduler(self) -> None:
        """As `probe`, for the scheduler's own address."""
        await self._rest.page(SCHEDULER, subject="the scheduler's requests", params={"fields": "requestId"})
