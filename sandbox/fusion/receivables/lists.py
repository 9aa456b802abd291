"""Lists of values of Receivables: what is in use, by name. None of them shows how a source is numbered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sandbox.fusion.resources import Entity, Resource
from sandbox.fusion.world import World

_FIRST_ID = 300000047500001


def receivables_lists(world: World) -> list[Resource]:
    """The resources, over a setup that may change while they are read."""

    def resource(name: str, key: str, attributes: str, rows: Any) -> Resource:
        def entities(_: Any) -> list[Entity]:
            return [Entity({key: _FIRST_ID + place} | row, row) for place, row in enumerate(rows(world))]

        return Resource(name, (key, *attributes.split()), entities, key)

    named = "Name Description SetName"
    return [
        resource("transactionSourcesLOV", "TransactionSourceId", named, _sources),
        resource("transactionTypesLOV", "TransactionTypeId", named, _types),
        resource("paymentTermsLOV", "PaymentTermsId", named, _terms),
        resource(
            "customerAccountSitesLOV",
            "SiteUseId",
            "CustomerName AccountNumber AccountDescription CustomerAccountId PartyNumber SiteName PrimarySite SetName "
            "TaxpayerIdentificationNumber TaxRegistrationNumber",
            _sites,
        ),
    ]


def _sources(world: World) -> Iterator[dict[str, Any]]:
    for each in world.receivables.sources:
        if each.active:
            yield {"Name": each.name, "Description": None, "SetName": each.business_unit}


def _types(world: World) -> Iterator[dict[str, Any]]:
    for each in world.receivables.types:
        if each.active:
            yield {"Name": each.name, "Description": None, "SetName": each.business_unit}


def _terms(world: World) -> Iterator[dict[str, Any]]:
    for each in world.receivables.terms:
        yield {"Name": each.name, "Description": None, "SetName": "COMMON"}


def _sites(world: World) -> Iterator[dict[str, Any]]:
    """Bill-to sites that are active, of accounts that are."""
    for customer in world.receivables.customers:
        for site in customer.sites:
            if customer.enabled and site.active and site.purpose == "bill_to":
                yield {
                    "CustomerName": customer.name,
                    "AccountNumber": customer.number,
                    "AccountDescription": customer.name,
                    "CustomerAccountId": customer.account_id or customer.party_id + 1,
                    "PartyNumber": str(customer.party_id),
                    "SiteName": site.name,
                    "PrimarySite": "Y" if site.primary else "N",
                    "SetName": site.business_unit,
                    "TaxpayerIdentificationNumber": None,
                    "TaxRegistrationNumber": None,
                }
