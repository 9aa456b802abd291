"""`crmService/CustomerAccountService`: finds, creates and merges customer accounts (Oracle Fusion: 6.3)."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree as ET

from starlette.requests import Request
from starlette.responses import Response

from sandbox.fusion.masters import soap
from sandbox.fusion.masters.customer_accounts import (
    ACCOUNT,
    Account,
    AccountDocument,
    CustomerBook,
    SiteDocument,
)
from sandbox.fusion.masters.setup import Masters
from sandbox.fusion.masters.soap import SoapFaultError, Tree, one
from sandbox.kit import Faults

PATH = "/crmService/CustomerAccountService"
ACCOUNTS = "http://xmlns.oracle.com/apps/cdm/foundation/parties/customerAccountService/"
OPERATIONS = f"{ACCOUNTS}applicationModule/types/"
REFERENCES = "http://xmlns.oracle.com/apps/cdm/foundation/parties/partyService/"
CRITERIA = "http://xmlns.oracle.com/adf/svc/types/"
_ATTRIBUTES = ("CustomerAccountId", "PartyId", "AccountNumber", "AccountName", "OrigSystemReference", "LastUpdateDate")
_COMPARISONS = ("=", ">", ">=", "<", "<=")


class CustomerAccountService:
    """One address, an operation in each body. A `soap_fault` fault answers with what its options say instead."""

    def __init__(self, book: CustomerBook, masters: Masters, faults: Faults, disorder: random.Random) -> None:
        self._book = book
        self._masters = masters
        self._faults = faults
        self._random = disorder

    async def answer(self, request: Request) -> Response:
        """The answer to a POST; faults have their own status."""
        try:
            self._injected(request)
            if "text/xml" not in request.headers.get("content-type", ""):
                raise SoapFaultError("The content type must be text/xml.", fault_code="env:Client", service=False)
            name, parameters = soap.read(await request.body())
            if not name.startswith(f"{{{OPERATIONS}}}"):
                raise SoapFaultError("The operation is not known.", fault_code="env:Client", service=False)
            operation = name.rpartition("}")[2]
            rows = self._rows(operation, parameters)
            envelope, status = soap.answer(f"{ACCOUNTS}{operation}Response", OPERATIONS, operation, rows), 200
        except SoapFaultError as error:
            envelope, status = soap.fault(error), self._masters.habits.fault_status
        body, kind = envelope, "text/xml; charset=utf-8"
        if self._masters.habits.soap_answers == "mtom":
            body, kind = soap.mime(envelope)
        return Response(body, status_code=status, headers={"Content-Type": kind})

    def _injected(self, request: Request) -> None:
        struck = self._faults.take("soap_fault", "POST", request.url.path)
        if struck is not None:
            told = struck.options
            raise SoapFaultError(
                str(told.get("message", "An unexpected error occurred.")),
                str(told.get("code", "")),
                fault_code=str(told.get("fault_code", "env:Server")),
                service=bool(told.get("service", True)),
            )

    def _rows(self, operation: str, parameters: Tree) -> list[ET.Element]:
        if operation == "findCustomerAccount":
            criteria = one(parameters, f"{{{OPERATIONS}}}findCriteria")
            return self._found(criteria if isinstance(criteria, Mapping) else {})
        late = self._faults.take("late_account", "POST", operation)
        seconds = late.seconds if late else 0.0
        document = one(parameters, f"{{{OPERATIONS}}}customerAccount")
        if not isinstance(document, Mapping):
            raise SoapFaultError("The request holds no customer account.", fault_code="env:Client", service=False)
        if operation == "createCustomerAccount":
            return [_value(self._book.create(_document(document), seconds))]
        if operation == "mergeCustomerAccount":
            return [_value(self._book.merge(_document(document), seconds))]
        raise SoapFaultError("The operation is not known.", fault_code="env:Client", service=False)

    def _found(self, criteria: Tree) -> list[ET.Element]:
        if self._faults.take("no_data", "POST", PATH):
            return []
        found = self._book.visible()
        for condition in _conditions(criteria):
            found = [each for each in found if _holds(each, *condition)]
        if f"{{{CRITERIA}}}sortOrder" in criteria:
            found.sort(key=lambda each: each.id)
        elif self._faults.take("unstable_order", "POST", PATH):
            self._random.shuffle(found)
        begin = int(one(criteria, f"{{{CRITERIA}}}fetchStart") or 0)
        size = int(one(criteria, f"{{{CRITERIA}}}fetchSize") or -1)
        wanted = {str(name) for name in criteria.get(f"{{{CRITERIA}}}findAttribute", [])}
        return [_value(each, wanted) for each in found[begin : begin + size if size >= 0 else None]]


def _conditions(criteria: Tree) -> list[tuple[str, str, str]]:
    conditions = []
    for found in criteria.get(f"{{{CRITERIA}}}filter", []):
        for group in found.get(f"{{{CRITERIA}}}group", []):
            for item in group.get(f"{{{CRITERIA}}}item", []):
                attribute, operator, value = (
                    str(one(item, f"{{{CRITERIA}}}{name}")) for name in ("attribute", "operator", "value")
                )
                if attribute not in _ATTRIBUTES or operator not in _COMPARISONS:
                    raise SoapFaultError(f"The attribute {attribute} can't be searched with {operator}.", "25058")
                conditions.append((attribute, operator, value))
    return conditions


def _holds(account: Account, attribute: str, operator: str, literal: str) -> bool:
    value: Any = {
        "CustomerAccountId": account.id,
        "PartyId": account.party_id,
        "AccountNumber": account.number,
        "AccountName": account.name,
        "OrigSystemReference": account.reference,
        "LastUpdateDate": account.changed,
    }[attribute]
    wanted: Any = literal
    try:
        if isinstance(value, int):
            wanted = int(literal)
        elif isinstance(value, datetime):
            wanted = datetime.fromisoformat(literal)
            wanted = wanted if wanted.tzinfo else wanted.replace(tzinfo=UTC)
    except ValueError as wrong:
        raise SoapFaultError(f"The value of {attribute} isn't valid.", "25009") from wrong
    outcomes = {
        "=": value == wanted,
        ">": value > wanted,
        ">=": value >= wanted,
        "<": value < wanted,
        "<=": value <= wanted,
    }
    return bool(outcomes[operator])


def _document(row: Tree) -> AccountDocument:
    def text(name: str, of: Tree = row, namespace: str = ACCOUNTS) -> str:
        return str(one(of, f"{{{namespace}}}{name}"))

    def number(name: str, of: Tree = row) -> int | None:
        found = text(name, of)
        return int(found) if found.isdigit() else None

    return AccountDocument(
        account_id=number("CustomerAccountId"),
        party_id=number("PartyId"),
        number=text("AccountNumber"),
        name=text("AccountName"),
        kind=text("CustomerType"),
        module=text("CreatedByModule"),
        reference=text("OrigSystemReference"),
        references=[
            (text("OrigSystem", each, REFERENCES), text("OrigSystemReference", each, REFERENCES))
            for each in row.get(f"{{{ACCOUNTS}}}OriginalSystemReference", [])
        ],
        sites=[
            SiteDocument(
                number("CustomerAccountSiteId", site),
                number("PartySiteId", site),
                number("SetId", site),
                [
                    (text("SiteUseCode", use), text("Location", use))
                    for use in site.get(f"{{{ACCOUNTS}}}CustomerAccountSiteUse", [])
                ],
            )
            for site in row.get(f"{{{ACCOUNTS}}}CustomerAccountSite", [])
        ],
    )


def _value(account: Account, wanted: set[str] | None = None) -> ET.Element:
    """An account as the service writes it. Children come only when they are asked for by name."""
    shown: dict[str, Any] = {
        "CustomerAccountId": account.id,
        "PartyId": account.party_id,
        "LastUpdateDate": account.changed.isoformat(timespec="milliseconds"),
        "AccountNumber": account.number,
        "OrigSystem": None,
        "OrigSystemReference": account.reference,
        "Status": "A" if account.active else "I",
        "CustomerType": account.kind,
        "AccountName": account.name,
        "CreatedByModule": "HZ_WS",
    }
    below: dict[str, Any] = {
        "CustomerAccountSite": [_site(site, account) for site in account.sites],
        "OriginalSystemReference": [
            {
                "OrigSystem": system,
                "OrigSystemReference": value,
                "OwnerTableName": ACCOUNT,
                "OwnerTableId": account.id,
                "Status": "A",
            }
            for system, value in account.references
        ],
    }
    if wanted is not None:
        shown = {name: value for name, value in shown.items() if not wanted or name in wanted}
        below = {name: value for name, value in below.items() if name in wanted}
    return soap.build("Value", shown | below, {"OriginalSystemReference": REFERENCES}, ACCOUNTS)


def _site(site: Any, account: Account) -> dict[str, Any]:
    return {
        "CustomerAccountSiteId": site.id,
        "CustomerAccountId": account.id,
        "PartySiteId": site.party_site_id,
        "Status": "A" if site.active else "I",
        "SetId": site.set_id,
        "CustomerAccountSiteUse": [
            {
                "SiteUseId": use.id,
                "CustomerAccountSiteId": site.id,
                "SiteUseCode": use.purpose,
                "PrimaryFlag": use.primary,
                "Status": "A",
                "Location": use.location,
            }
            for use in site.uses
        ],
    }
