"""What a pod checks before it takes an invoice, and what it fills in (Oracle Fusion: 3.1).

Message names that the vendor's page does not list (a duplicate number, a closed period, distributions) are this twin's
own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sandbox.fusion.answers import RestError
from sandbox.fusion.receivables.document import (
    LINE_DFF,
    LINE_TRANSACTION_DFF,
    LINES,
    TAX_LINES,
    Read,
)
from sandbox.fusion.receivables.invoice import InvoiceLine, TaxLine
from sandbox.fusion.receivables.refusals import ONLY_COMPLETE, refuse
from sandbox.fusion.receivables.setup import (
    Customer,
    CustomerSite,
    PaymentTerms,
    ReceivablesSetup,
    TransactionClass,
    TransactionSource,
    TransactionType,
)
from sandbox.fusion.receivables.taxes import final_tax_lines, manual_tax_lines, rounded
from sandbox.fusion.world import RECEIVABLES, BusinessUnit, Ledger, World

_USER = "User"


@dataclass(frozen=True)
class Conversion:
    type: str | None
    day: date | None
    rate: Decimal | None


@dataclass(frozen=True)
class Header:
    """Everything above the lines, found and checked."""

    unit: BusinessUnit
    ledger: Ledger
    source: TransactionSource
    type: TransactionType
    number: str | None
    """None: the source counts."""
    customer: Customer
    site: CustomerSite
    terms: PaymentTerms
    currency: str
    digits: int
    conversion: Conversion
    transaction_date: date
    accounting_date: date


class Rules:
    """The rules over one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._setup: ReceivablesSetup = world.receivables

    def header(self, read: Read, today: date, transaction_class: TransactionClass = "invoice") -> Header:
        """Raises `RestError` 400 for the first thing that is wrong."""
        status = read.get("InvoiceStatus", "Complete")
        if status != "Complete":
            word = transaction_class.replace("_", " ")
            detail = f"You can only create a complete {word}. You can't create an incomplete or frozen {word}."
            raise refuse(self._setup, ONLY_COMPLETE, detail, "/InvoiceStatus")
        unit = self._unit(read)
        ledger = self._world.ledger(unit.ledger_id)
        source = self._source(read, unit)
        customer = self._customer(read, "BillTo", "AR_BILL_TO_CUST_NOT_FOUND", "bill-to ")
        site = self._bill_to_site(read, customer, unit)
        self._ship_to(read, unit)
        transaction_date = read.get("TransactionDate", today)
        currency = self._currency(read)
        return Header(
            unit=unit,
            ledger=ledger,
            source=source,
            type=self._type(read, unit, transaction_class),
            number=self._number(read, source),
            customer=customer,
            site=site,
            terms=self.terms(read.get("PaymentTerms", customer.terms)),
            currency=currency,
            digits=self._world.currencies[currency],
            conversion=self._conversion(read, currency, ledger, transaction_date),
            transaction_date=transaction_date,
            accounting_date=self._accounting_date(read, ledger, transaction_date),
        )

    def _unit(self, read: Read) -> BusinessUnit:
        name = read.get("BusinessUnit")
        unit = next((each for each in self._world.business_units if each.name == name), None)
        if unit is None:
            detail = "The business unit you entered doesn't exist."
            raise refuse(self._setup, "AR_BU_NOT_FOUND", detail, "/BusinessUnit")
        return unit

    def _source(self, read: Read, unit: BusinessUnit) -> TransactionSource:
        source = self._setup.source(read.get("TransactionSource", ""), unit.name)
        if source is None:
            detail = "The transaction source you entered doesn't exist."
            raise refuse(self._setup, "AR_BATCH_SOURCE_NOT_FOUND", detail, "/TransactionSource")
        return source

    def _type(self, read: Read, unit: BusinessUnit, transaction_class: TransactionClass) -> TransactionType:
        kind = self._setup.type(read.get("TransactionType", ""), unit.name, transaction_class)
        if kind is None:
            detail = "The transaction type you entered doesn't exist."
            raise refuse(self._setup, "AR_TRX_TYPE_NOT_FOUND", detail, "/TransactionType")
        return kind

    def _number(self, read: Read, source: TransactionSource) -> str | None:
        number: str | None = read.get("TransactionNumber") or None
        if source.numbering == "manual":
            if number is None:
                detail = "You must provide a transaction number for the transaction source you entered."
                raise refuse(self._setup, "AR_TRX_NUMBER_REQ", detail, "/TransactionNumber")
            return number
        if number is not None and self._setup.habits.given_number == "refused":
            detail = "You can't provide a transaction number: the transaction source numbers automatically."
            raise refuse(self._setup, "AR_TRX_NUMBER_NOT_ALLOWED", detail, "/TransactionNumber")
        return None

    def _customer(self, read: Read, role: str, message: str, word: str) -> Customer:
        number, name = read.get(f"{role}CustomerNumber"), read.get(f"{role}CustomerName")
        found = [
            each
            for each in self._setup.customers
            if each.enabled and number in (None, each.number) and name in (None, each.name)
        ]
        if len(found) != 1 or (number is None and name is None):
            detail = (
                f"The criteria you entered didn't return a {word}customer. "
                "Ensure that you entered the correct customer name and account number."
            )
            raise refuse(self._setup, message, detail, f"/{role}CustomerNumber")
        return found[0]

    def _bill_to_site(self, read: Read, customer: Customer, unit: BusinessUnit) -> CustomerSite:
        sites = _sites(customer, unit, "bill_to")
        if "BillToSite" in read:
            sites = [each for each in sites if each.name == read["BillToSite"]]
        elif len(sites) > 1:
            sites = [each for each in sites if each.primary] or sites
        if not sites:
            detail = "The customer bill-to site you entered doesn't exist."
            raise refuse(self._setup, "AR_BILL_TO_SITE_NOT_FOUND", detail, "/BillToSite")
        if len(sites) > 1:
            detail = "The criteria you entered returned duplicate customer bill-to sites."
            raise refuse(self._setup, "AR_BILL_TO_SITE_DUPLICATE", detail, "/BillToSite")
        return sites[0]

    def _ship_to(self, read: Read, unit: BusinessUnit) -> None:
        if not any(f"ShipTo{each}" in read for each in ("CustomerNumber", "CustomerName", "Site")):
            return
        if "ShipToCustomerNumber" not in read:
            detail = "Enter the ship-to customer account number."
            raise refuse(self._setup, "AR_SHIP_TO_CUST_NUM_REQ", detail, "/ShipToCustomerNumber")
        customer = self._customer(read, "ShipTo", "AR_SHIP_TO_CUST_NOT_FOUND", "ship-to ")
        sites = [each.name for each in _sites(customer, unit, "ship_to")]
        if "ShipToSite" in read and read["ShipToSite"] not in sites:
            detail = "The customer ship-to site you entered doesn't exist."
            raise refuse(self._setup, "AR_SHIP_TO_SITE_NOT_FOUND", detail, "/ShipToSite")

    def terms(self, name: str) -> PaymentTerms:
        """Payment terms by name. Raises `RestError` 400."""
        terms = self._setup.payment_terms(name)
        if terms is None:
            detail = "The payment terms you entered don't exist."
            raise refuse(self._setup, "AR_TERMS_NOT_FOUND", detail, "/PaymentTerms")
        return terms

    def _currency(self, read: Read) -> str:
        currency = str(read.get("InvoiceCurrencyCode", ""))
        if currency not in self._world.currencies:
            detail = "The currency you entered is invalid."
            raise refuse(self._setup, "AR_FUNC_CURRENCY_REQ", detail, "/InvoiceCurrencyCode")
        return currency

    def _conversion(self, read: Read, currency: str, ledger: Ledger, day: date) -> Conversion:
        if currency == ledger.currency:
            return Conversion(None, None, None)
        kind = read.get("ConversionRateType")
        day = read.get("ConversionDate", day)
        if kind is None or kind not in self._world.conversion_types:
            detail = f"A valid conversion rate type is required for an invoice in {currency}."
            raise refuse(self._setup, "AR_CONVERSION_TYPE_REQ", detail, "/ConversionRateType")
        if kind == _USER:
            rate = read.get("ConversionRate")
            if rate is None or rate <= 0:
                detail = "A conversion rate is required for the conversion rate type User."
                raise refuse(self._setup, "AR_CONVERSION_RATE_REQ", detail, "/ConversionRate")
            return Conversion(kind, day, rate)
        rate = self._world.rate(currency, ledger.currency, kind, day)
        if rate is None:
            detail = f"There is no {kind} conversion rate from {currency} to {ledger.currency} for {day}."
            raise refuse(self._setup, "AR_CONVERSION_RATE_NOT_FOUND", detail, "/ConversionDate")
        return Conversion(kind, day, rate)

    def _accounting_date(self, read: Read, ledger: Ledger, transaction_date: date) -> date:
        day: date = read.get("AccountingDate", transaction_date)
        period = ledger.period_of(day)
        if period is None or period.status.get(RECEIVABLES) not in ("O", "F"):
            detail = f"The accounting date {day} isn't in an open or future-enterable Receivables period."
            raise refuse(self._setup, "AR_ACCOUNTING_DATE_INVALID", detail, "/AccountingDate")
        return day

    def lines(self, read: Read, header: Header, next_id: Any) -> tuple[list[InvoiceLine], dict[int, list[TaxLine]]]:
        """The lines with their final tax lines, and the tax lines that were sent, by line. Raises `RestError` 400."""
        if not read[LINES]:
            raise refuse(self._setup, "AR_LINES_REQ", "An invoice needs at least one line.", f"/{LINES}")
        lines: list[InvoiceLine] = []
        sent: dict[int, list[TaxLine]] = {}
        for index, each in enumerate(read[LINES]):
            where = f"/{LINES}/{index}"
            number = each.pop("LineNumber", max(sent, default=0) + 1)
            if number < 1 or number in sent:
                detail = f"The line number {number} isn't valid or was used before."
                raise refuse(self._setup, "AR_LINE_NUMBER_INVALID", detail, f"{where}/LineNumber")
            line = self._line(each, number, header.digits, where, next_id())
            sent[number] = manual_tax_lines(
                each[TAX_LINES], line.amount, header.digits, self._setup, f"{where}/{TAX_LINES}"
            )
            line.taxes = final_tax_lines(sent[number], line.amount, header.digits, self._setup)
            lines.append(line)
        return lines, sent

    def _line(self, each: Read, number: int, digits: int, where: str, line_id: int) -> InvoiceLine:
        description = self._description(each, number, where)
        for name in ("Quantity", "UnitSellingPrice"):
            if name not in each:
                raise RestError(400, f"Attribute {name} in {LINES} is required.", "JBO-27014", f"{where}/{name}")
        if each.get("UnitOfMeasure", self._setup.units[0]) not in self._setup.units:
            detail = f"The unit of measure you entered for line {number} doesn't exist."
            raise refuse(self._setup, "AR_UOM_NOT_FOUND", detail, f"{where}/UnitOfMeasure")
        quantity, price = each["Quantity"], each["UnitSellingPrice"]
        taken = ("Description", "Quantity", "UnitSellingPrice", TAX_LINES, LINE_DFF, LINE_TRANSACTION_DFF)
        return InvoiceLine(
            id=line_id,
            number=number,
            description=description,
            quantity=quantity,
            price=price,
            amount=rounded(quantity * price, digits),
            freight=rounded(each.get("AllocatedFreightAmount", Decimal(0)), digits),
            given={name: value for name, value in each.items() if name not in taken},
            flexfields={name: each[name] for name in (LINE_DFF, LINE_TRANSACTION_DFF) if name in each},
        )

    def _description(self, each: Read, number: int, where: str) -> str:
        item, memo, warehouse = each.get("ItemNumber"), each.get("MemoLine"), each.get("Warehouse")
        if warehouse is not None and warehouse not in self._setup.warehouses:
            detail = f"The warehouse {warehouse} you entered on line {number} doesn't exist."
            raise refuse(self._setup, "AR_WH_NOT_FOUND", detail, f"{where}/Warehouse")
        if warehouse is not None and item is None:
            detail = f"You must provide an item for line {number} with a warehouse."
            raise refuse(self._setup, "AR_NO_ITEM_NO_WH", detail, f"{where}/ItemNumber")
        if item is not None and item not in self._setup.items:
            detail = f"The item you entered for line {number} doesn't exist."
            raise refuse(self._setup, "AR_ITEM_NOT_FOUND", detail, f"{where}/ItemNumber")
        if memo is not None and memo not in self._setup.memo_lines:
            detail = f"The memo line you entered for line {number} doesn't exist."
            raise refuse(self._setup, "AR_MEMO_LINE_NOT_FOUND", detail, f"{where}/MemoLine")
        description = str(each.get("Description") or (self._setup.items[item] if item else memo) or "")
        if not description:
            detail = f"Enter a value for item, memo line, or description for line {number}."
            raise refuse(self._setup, "AR_LINE_ATTR_OPT_REQ", detail, where)
        return description


def _sites(customer: Customer, unit: BusinessUnit, purpose: str) -> list[CustomerSite]:
    return [
        each for each in customer.sites if each.active and each.business_unit == unit.name and each.purpose == purpose
    ]
