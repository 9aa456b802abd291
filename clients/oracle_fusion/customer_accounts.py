"""Customer accounts with their sites and purposes, by SOAP: no REST resource creates them (Oracle Fusion: 6.3).

The service's operations and objects are Oracle's documentation of `CustomerAccountService`; the order of elements is
that of its schema.
"""

import datetime as dt
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Final

from clients.errors import InDoubt
from clients.oracle_fusion.rest import FusionRest
from clients.oracle_fusion.soap import Soap
from clients.oracle_fusion.soap_document import Element, child, children, given, make, tag, told
from contracts.master_data import CustomerAccount, CustomerSite, SiteUse

ACCOUNTS: Final = "http://xmlns.oracle.com/apps/cdm/foundation/parties/customerAccountService/"
OPERATIONS: Final = f"{ACCOUNTS}applicationModule/types/"
REFERENCES: Final = "http://xmlns.oracle.com/apps/cdm/foundation/parties/partyService/"
CRITERIA: Final = "http://xmlns.oracle.com/adf/svc/types/"

_WANTED: Final = (
    "CustomerAccountId",
    "PartyId",
    "LastUpdateDate",
    "AccountNumber",
    "AccountName",
    "OrigSystem",
    "OrigSystemReference",
    "Status",
    "CustomerAccountSite",
    "OriginalSystemReference",
)
"""What a question asks for: without it, children may be left out."""
_OWNER: Final = "HZ_CUST_ACCOUNTS"
_PAGE: Final = 100


class SiteDocument:
    """A site to create, or one that is there (`site_id`) and lacks purposes."""

    def __init__(
        self, party_site_id: int, set_id: int | None, purposes: Mapping[str, str], site_id: int | None = None
    ) -> None:
        self.party_site_id = party_site_id
        self.set_id = set_id
        self.purposes = purposes
        """Names of the site by purpose, empty for the vendor's own."""
        self.site_id = site_id


class CustomerAccounts:
    """Looks, creates and completes. Nothing here changes or ends what exists."""

    def __init__(self, rest: FusionRest) -> None:
        self._rest = rest
        self._settings = rest.connection.customers
        self._soap = Soap(rest, self._settings.service, ACCOUNTS)

    async def find(self, attribute: str, value: str | int, *, subject: str) -> tuple[CustomerAccount, ...]:
        """Every account whose attribute equals the value; the caller compares what else matters."""
        found = [one async for one in self.all(subject=subject, where=(attribute, "=", str(value)))]
        return tuple(found)

    async def all(
        self, *, subject: str = "the customer accounts", where: tuple[str, str, str] | None = None
    ) -> AsyncIterator[CustomerAccount]:
        """Accounts page by page, each once; with `where`, those that fit (attribute, operator, value)."""
        begin, seen = 0, set[int]()
        while True:
            rows = await self._page(begin, _PAGE, where, subject)
            for row in rows:
                account = self._account(row, subject)
                if account.account_id not in seen:
                    seen.add(account.account_id)
                    yield account
            if len(rows) < _PAGE:
                return
            begin += len(rows)

    async def changed(self, since: dt.datetime) -> AsyncIterator[CustomerAccount]:
        """Accounts changed at or after a moment; changes of their sites need not show in it."""
        literal = since.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.000+00:00")
        async for account in self.all(where=("LastUpdateDate", ">=", literal)):
            yield account

    async def seen(self) -> bool:
        """Whether the integration user sees any account at all."""
        return bool(await self._page(0, 1, None, "a customer account"))

    async def create(
        self,
        reference: str,
        party_id: int,
        name: str,
        sites: Iterable[SiteDocument],
        *,
        number: str = "",
        subject: str,
        ends: float | None = None,
    ) -> CustomerAccount:
        """Create an account with sites. A lost answer is `InDoubt`: look before anything is sent again."""
        how = self._settings
        document = make(
            tag(OPERATIONS, "customerAccount"),
            [
                _of("PartyId", party_id),
                given(tag(ACCOUNTS, "AccountNumber"), number),
                _of("OrigSystemReference", reference),
                _of("CustomerType", how.account_type),
                _of("AccountName", name[:240]),
                _of("CreatedByModule", how.created_by),
                *(self._site(site) for site in sites),
                self._reference(reference),
            ],
        )
        return await self._written("createCustomerAccount", document, subject, ends)

    async def complete(
        self, account: CustomerAccount, sites: Iterable[SiteDocument], *, subject: str, ends: float | None = None
    ) -> CustomerAccount:
        """Add sites, and purposes to sites, of an account that is there."""
        document = make(
            tag(OPERATIONS, "customerAccount"),
            [_of("CustomerAccountId", account.account_id), *(self._site(site) for site in sites)],
        )
        return await self._written("mergeCustomerAccount", document, subject, ends)

    async def _page(self, begin: int, size: int, where: tuple[str, str, str] | None, subject: str) -> list[Element]:
        answer = await self._soap.call(
            make(
                tag(OPERATIONS, "findCustomerAccount"),
                [
                    make(tag(OPERATIONS, "findCriteria"), _criteria(begin, size, where)),
                    make(tag(OPERATIONS, "findControl"), [make(tag(CRITERIA, "retrieveAllTranslations"), False)]),
                ],
            ),
            subject=subject,
        )
        return _values(answer)

    async def _written(self, operation: str, document: Element, subject: str, ends: float | None) -> CustomerAccount:
        answer = await self._soap.call(
            make(tag(OPERATIONS, operation), [document]), subject=subject, write=True, ends=ends
        )
        row = next(iter(_values(answer)), None)
        if row is None:
            raise InDoubt(
                self._rest.connection.id,
                f"Oracle Fusion ({self._rest.connection.id}) accepted {subject}, but its answer holds no account.",
            )
        return self._account(row, subject)

    def _site(self, site: SiteDocument) -> Element:
        created = _of("CreatedByModule", self._settings.created_by)
        uses = [
            make(
                tag(ACCOUNTS, "CustomerAccountSiteUse"),
                [
                    _of("SiteUseCode", purpose),
                    given(tag(ACCOUNTS, "Location"), name),
                    _of("CreatedByModule", self._settings.created_by),
                ],
            )
            for purpose, name in site.purposes.items()
        ]
        return make(
            tag(ACCOUNTS, "CustomerAccountSite"),
            [
                given(tag(ACCOUNTS, "CustomerAccountSiteId"), site.site_id),
                _of("PartySiteId", site.party_site_id) if site.site_id is None else None,
                created,
                given(tag(ACCOUNTS, "SetId"), site.set_id),
                *uses,
            ],
        )

    def _reference(self, reference: str) -> Element:
        return make(
            tag(ACCOUNTS, "OriginalSystemReference"),
            [
                make(tag(REFERENCES, "OrigSystem"), self._settings.source_system),
                make(tag(REFERENCES, "OrigSystemReference"), reference),
                make(tag(REFERENCES, "OwnerTableName"), _OWNER),
                make(tag(REFERENCES, "CreatedByModule"), self._settings.created_by),
            ],
        )

    def _account(self, row: Element, subject: str) -> CustomerAccount:
        account_id, party_id = _whole(row, "CustomerAccountId"), _whole(row, "PartyId")
        if account_id is None or party_id is None:
            raise self._rest.http.bad_answer(subject, "a customer account has no id or no party")
        references = [
            (told(one, "OrigSystem"), told(one, "OrigSystemReference"))
            for one in children(row, "OriginalSystemReference")
            if told(one, "Status") in ("", "A")
        ]
        own = (told(row, "OrigSystem"), told(row, "OrigSystemReference"))
        return CustomerAccount(
            account_id=account_id,
            account_number=told(row, "AccountNumber"),
            party_id=party_id,
            name=told(row, "AccountName"),
            active=told(row, "Status") in ("", "A"),
            references=tuple(dict.fromkeys([*references, *([own] if own[1] else [])])),
            sites=tuple(_read_site(one) for one in children(row, "CustomerAccountSite") if _whole(one, "PartySiteId")),
            changed_at=_moment(told(row, "LastUpdateDate")),
        )


def _criteria(begin: int, size: int, where: tuple[str, str, str] | None) -> list[Element]:
    asked = [make(tag(CRITERIA, "fetchStart"), begin), make(tag(CRITERIA, "fetchSize"), size)]
    if where is not None:
        attribute, operator, value = where
        item = make(
            tag(CRITERIA, "item"),
            [
                make(tag(CRITERIA, "conjunction"), "And"),
                make(tag(CRITERIA, "upperCaseCompare"), False),
                make(tag(CRITERIA, "attribute"), attribute),
                make(tag(CRITERIA, "operator"), operator),
                make(tag(CRITERIA, "value"), value),
            ],
        )
        group = make(
            tag(CRITERIA, "group"),
            [make(tag(CRITERIA, "conjunction"), "And"), make(tag(CRITERIA, "upperCaseCompare"), False), item],
        )
        asked.append(make(tag(CRITERIA, "filter"), [make(tag(CRITERIA, "conjunction"), "And"), group]))
    sort = make(
        tag(CRITERIA, "sortOrder"),
        [
            make(
                tag(CRITERIA, "sortAttribute"),
                [make(tag(CRITERIA, "name"), "CustomerAccountId"), make(tag(CRITERIA, "descending"), False)],
            )
        ],
    )
    wanted = [make(tag(CRITERIA, "findAttribute"), name) for name in _WANTED]
    return [*asked, sort, *wanted, make(tag(CRITERIA, "excludeAttribute"), False)]


def _read_site(row: Element) -> CustomerSite:
    return CustomerSite(
        site_id=_whole(row, "CustomerAccountSiteId") or 0,
        party_site_id=_whole(row, "PartySiteId") or 0,
        set_id=_whole(row, "SetId"),
        active=told(row, "Status") in ("", "A"),
        uses=tuple(
            SiteUse(
                purpose=told(one, "SiteUseCode"),
                site_use_id=_whole(one, "SiteUseId"),
                location=told(one, "Location"),
                primary=told(one, "PrimaryFlag").lower() in ("true", "y"),
                active=told(one, "Status") in ("", "A"),
            )
            for one in children(row, "CustomerAccountSiteUse")
        ),
    )


def _values(answer: Element) -> list[Element]:
    """The objects of an answer: `result` holds each as a `Value`, and warnings besides."""
    result = child(answer, "result")
    return list(children(result, "Value")) if result is not None else []


def _of(name: str, content: str | int) -> Element:
    return make(tag(ACCOUNTS, name), content)


def _whole(row: Element, name: str) -> int | None:
    text = told(row, name)
    return int(text) if text.isdigit() else None


def _moment(text: str) -> dt.datetime | None:
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
