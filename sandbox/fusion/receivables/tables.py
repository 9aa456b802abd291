"""`receivablesInvoices` with its children, as they are read, and what can be sent to them (Oracle Fusion: 3.1)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sandbox.fusion.query import QueryError
from sandbox.fusion.receivables.changes import CHANGEABLE, CHANGEABLE_INSTALLMENT, Changes
from sandbox.fusion.receivables.document import (
    CONTEXT,
    DISTRIBUTION,
    DISTRIBUTIONS,
    HEADER,
    HEADER_DFF,
    HEADER_TRANSACTION_DFF,
    INSTALLMENT,
    INSTALLMENTS,
    INVOICES,
    LINE,
    LINE_DFF,
    LINE_TRANSACTION_DFF,
    LINES,
    TAX_LINE,
    TAX_LINES,
    Attribute,
)
from sandbox.fusion.receivables.invoice import Distribution, Installment, Invoice, InvoiceLine, TaxLine
from sandbox.fusion.receivables.setup import Flexfield
from sandbox.fusion.receivables.subledger import Subledger
from sandbox.fusion.receivables.taxes import rounded
from sandbox.fusion.resources import Entity, Resource

_SEARCH = (
    "TransactionSource", "TransactionType", "TransactionNumber", "BusinessUnit", "BillToCustomerNumber",
    "BillToCustomerName", "InvoiceStatus",
)  # fmt: skip


class ReceivablesInvoices:
    """The resource over the subledger. Rows are made once per state of an invoice: lists of thousands stay quick."""

    def __init__(self, books: Subledger, now: Any) -> None:
        self._books = books
        self._changes = Changes(books, now)
        self._rows: dict[int, tuple[datetime, Entity]] = {}

    def resource(self) -> Resource:
        """The collection, with its children, finders and writes."""
        setup = self._books.world.receivables
        lines = Resource(
            LINES,
            tuple(LINE),
            lambda invoice: [self.line(invoice, each) for each in invoice.lines],
            "CustomerTransactionLineId",
            described=described(LINE),
            children=(
                Resource(
                    TAX_LINES,
                    tuple(TAX_LINE),
                    lambda line: [tax_line_row(line, each) for each in line.taxes],
                    hash_of=("CustomerTransactionLineId", "TaxLineNumber"),
                    described=described(TAX_LINE),
                ),
                self.flexfield(LINE_DFF, "CustomerTrxLineId", setup.line_flexfield),
                self.flexfield(LINE_TRANSACTION_DFF, "CustomerTrxLineId", setup.transaction_flexfield),
            ),
        )
        distributions = Resource(
            DISTRIBUTIONS,
            tuple(DISTRIBUTION),
            lambda invoice: [self.distribution(invoice, each) for each in invoice.distributions],
            "DistributionId",
            described=described(DISTRIBUTION),
        )
        installments = Resource(
            INSTALLMENTS,
            tuple(INSTALLMENT),
            lambda invoice: [self._installment(invoice, each) for each in invoice.installments],
            "InstallmentId",
            described=described(INSTALLMENT, CHANGEABLE_INSTALLMENT),
            update=self._update_installment,
        )
        return Resource(
            INVOICES,
            tuple(HEADER),
            lambda _: [self.row(each) for each in self._books.visible()],
            "CustomerTransactionId",
            may_query=self.may_query,
            nested=self._nested_names(),
            finders={"invoiceSearch": self._search},
            described=described(HEADER, CHANGEABLE),
            children=(
                lines,
                distributions,
                installments,
                self.flexfield(HEADER_DFF, "CustomerTrxId", setup.header_flexfield),
                self.flexfield(HEADER_TRANSACTION_DFF, "CustomerTrxId", setup.transaction_flexfield),
            ),
            find=self._find,
            narrow=self._narrow,
            create=self._create,
            update=self._update,
            delete=lambda _, entity: self._changes.delete(entity.subject),
        )

    def _find(self, _: Any, key: str) -> Entity | None:
        invoice = self._books.by_key(key)
        return None if invoice is None else self.row(invoice)

    def _narrow(self, equals: Mapping[str, str]) -> list[Entity] | None:
        """By key, number, cross-reference or a flexfield's attribute; what else is asked is for the query to see."""
        for attribute, value in equals.items():
            if attribute == "CustomerTransactionId" and value.isdigit():
                found = self._books.by_key(value)
                return [self.row(each) for each in self._books.visible([found] if found else [])]
            kept = "." in attribute and not attribute.endswith(CONTEXT)
            if value and (kept or attribute in ("TransactionNumber", "CrossReference")):
                return [self.row(each) for each in self._books.visible(self._books.having(value))]
        return None

    def _create(self, _: Any, body: Mapping[str, Any], path: str) -> Entity:
        return self.row(self._books.create(body, path))

    def _update(self, _: Any, entity: Entity, body: Mapping[str, Any]) -> Entity:
        self._changes.update(entity.subject, body)
        return self.row(entity.subject)

    def _update_installment(self, invoice: Invoice, entity: Entity, body: Mapping[str, Any]) -> Entity:
        self._changes.update_installment(invoice, entity.subject, body)
        number = entity.subject.number
        return self._installment(invoice, next(each for each in invoice.installments if each.number == number))

    def _search(self, variables: Mapping[str, str]) -> list[Entity]:
        unknown = sorted(set(variables) - set(_SEARCH))
        if unknown:
            raise QueryError(f"The finder invoiceSearch has no variable {unknown[0]}.")
        rows = [self.row(each) for each in self._books.visible()]
        return [row for row in rows if all(str(row.values[name]) == value for name, value in variables.items())]

    def may_query(self, attribute: str) -> bool:
        habits = self._books.world.receivables.habits
        if "." in attribute:
            return habits.flexfields_queryable
        return habits.queryable.get(attribute, True)

    def _nested_names(self) -> tuple[str, ...]:
        setup = self._books.world.receivables
        fields = {
            HEADER_DFF: setup.header_flexfield,
            HEADER_TRANSACTION_DFF: setup.transaction_flexfield,
            f"{LINES}.{LINE_DFF}": setup.line_flexfield,
            f"{LINES}.{LINE_TRANSACTION_DFF}": setup.transaction_flexfield,
        }
        return tuple(f"{path}.{name}" for path, field in fields.items() for name in (CONTEXT, *field.attributes()))

    def flexfield(self, name: str, key: str, flexfield: Flexfield, kept: str = "") -> Resource:
        """A flexfield's one row, there only where something was entered, and `kept` under this name."""

        def rows(owner: Invoice | InvoiceLine) -> list[Entity]:
            values = owner.flexfields.get(kept or name)
            if values is None:
                return []
            empty = dict.fromkeys(flexfield.attributes())
            shown = {key: owner.id, **empty, **values, f"{CONTEXT}_DisplayValue": values.get(CONTEXT)}
            return [Entity(shown, values)]

        attributes = (key, CONTEXT, f"{CONTEXT}_DisplayValue", *flexfield.attributes())
        return Resource(
            name,
            attributes,
            rows,
            key,
            may_query=lambda _: self._books.world.receivables.habits.flexfields_queryable,
            described={each: {"type": "string", "updatable": False} for each in attributes[1:]},
        )

    # Rows

    def row(self, invoice: Invoice) -> Entity:
        """The invoice's own attributes; flexfields can be asked for although they are shown by children only."""
        stamp, row = self._rows.get(invoice.id, (None, None))
        if row is None or stamp != invoice.updated:
            row = Entity(self.header(invoice), invoice, nested=nested_values(invoice))
            self._rows[invoice.id] = (invoice.updated, row)
        if invoice.status == "Complete":
            row.values["InvoiceBalanceAmount"] = self._books.applications.balance(invoice, shown=True)
        return row

    def _who(self, invoice: Invoice) -> dict[str, Any]:
        user = self._books.world.credentials.user
        return {
            "CreatedBy": user,
            "CreationDate": invoice.created,
            "LastUpdatedBy": user,
            "LastUpdateDate": invoice.updated,
        }

    def header(self, invoice: Invoice) -> dict[str, Any]:
        complete = invoice.status == "Complete"
        return {
            **{name: invoice.given.get(name) for name in HEADER},
            "CustomerTransactionId": invoice.id,
            "TransactionNumber": invoice.number,
            "TransactionDate": invoice.transaction_date,
            "AccountingDate": invoice.accounting_date,
            "BillingDate": invoice.given.get("BillingDate", invoice.transaction_date),
            "DueDate": invoice.due,
            "LegalEntityIdentifier": invoice.legal_entity,
            "ConversionRateType": invoice.conversion_type,
            "ConversionDate": invoice.conversion_date,
            "ConversionRate": invoice.conversion_rate,
            "BillToCustomerName": invoice.customer_name,
            "BillToCustomerNumber": invoice.customer,
            "BillToSite": invoice.site,
            "BillToPartyId": invoice.party_id,
            "PaymentTerms": invoice.terms,
            "FreightAmount": invoice.freight or None,
            "InvoicePrinted": invoice.given.get("InvoicePrinted", "N"),
            "Prepayment": invoice.given.get("Prepayment", "N"),
            "Intercompany": invoice.given.get("Intercompany", "N"),
            "AllowCompletion": "Y",
            "InvoiceStatus": invoice.status,
            "EnteredAmount": invoice.amount,
            "InvoiceBalanceAmount": invoice.amount if complete else None,
            **self._who(invoice),
        }

    def line(self, invoice: Invoice, line: InvoiceLine) -> Entity:
        values = {
            **{name: line.given.get(name) for name in LINE},
            "CustomerTransactionLineId": line.id,
            "LineNumber": line.number,
            "Description": line.description,
            "Quantity": line.quantity,
            "UnitSellingPrice": line.price,
            "LineAmount": line.amount,
            **self._who(invoice),
        }
        return Entity(values, line)

    def distribution(self, invoice: Invoice, row: Distribution) -> Entity:
        values = {
            "DistributionId": row.id,
            "InvoiceLineNumber": row.line_number,
            "DetailedTaxLineNumber": row.tax_line_number,
            "AccountClass": row.account_class,
            "AccountCombination": row.account,
            "Amount": row.amount,
            "AccountedAmount": row.accounted,
            "Percent": row.percent,
            "Comments": row.comments,
            **self._who(invoice),
        }
        return Entity(values, row)

    def _installment(self, invoice: Invoice, installment: Installment) -> Entity:
        world = self._books.world
        digits = world.currencies[world.ledger(invoice.ledger).currency]
        rate = invoice.conversion_rate or 1
        balance = self._books.applications.installment_balance(
            invoice, installment.number, installment.amount, shown=True
        )
        values = {
            **dict.fromkeys(INSTALLMENT),
            "InstallmentId": installment.id,
            "InstallmentSequenceNumber": installment.number,
            "InstallmentDueDate": installment.due,
            "OriginalAmount": installment.amount,
            "InstallmentBalanceDue": balance,
            "AccountedBalanceDue": rounded(balance * rate, digits),
            "InstallmentAmountCredited": balance - installment.amount or None,
            "InstallmentStatus": "Open" if balance else "Closed",
            **self._who(invoice),
        }
        return Entity(values, installment)


def tax_line_row(line: InvoiceLine, tax: TaxLine) -> Entity:
    values = {
        **dict.fromkeys(TAX_LINE),
        "CustomerTransactionLineId": line.id,
        "TaxLineNumber": tax.number,
        "TaxRegimeCode": tax.regime,
        "Tax": tax.tax,
        "TaxStatusCode": tax.status,
        "TaxRateCode": tax.rate_code,
        "TaxRate": tax.percent,
        "TaxAmount": tax.amount,
        "TaxableAmount": tax.taxable,
        "TaxInclusiveIndicator": "N",
    }
    return Entity(values, tax)


def nested_values(invoice: Invoice) -> dict[str, tuple[Any, ...]]:
    """Flexfield values by their dotted names; several lines may each have one."""
    found: dict[str, tuple[Any, ...]] = {}
    owners: list[tuple[str, Invoice | InvoiceLine]] = [("", invoice), *((f"{LINES}.", line) for line in invoice.lines)]
    for prefix, owner in owners:
        for name, values in owner.flexfields.items():
            for attribute, value in values.items():
                path = f"{prefix}{name}.{attribute}"
                found[path] = (*found.get(path, ()), value)
    return found


def described(attributes: Mapping[str, Attribute], updatable: tuple[str, ...] = ()) -> dict[str, dict[str, Any]]:
    described: dict[str, dict[str, Any]] = {}
    for name, attribute in attributes.items():
        facts: dict[str, Any] = {"type": attribute.kind, "updatable": name in updatable}
        if attribute.length is not None:
            facts["maxLength"] = attribute.length
        described[name] = {**facts, "allowChanges": _allow(name, attribute, updatable)}
    return described


def _allow(name: str, attribute: Attribute, updatable: tuple[str, ...]) -> str:
    if name in updatable:
        return "always"
    return "uponCreation" if attribute.writable else "never"
