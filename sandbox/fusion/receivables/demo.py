"""What the demo's two business units bill with: a customer account per web store, sources of either numbering."""

from __future__ import annotations

from decimal import Decimal

from sandbox.fusion.receivables.setup import (
    Customer,
    CustomerSite,
    Flexfield,
    PaymentTerms,
    ReceivablesSetup,
    TaxRate,
    TransactionClass,
    TransactionSource,
    TransactionType,
)

US_UNIT, EU_UNIT = "US Web Sales", "EU Web Sales"
MANUAL_SOURCE, AUTOMATIC_SOURCE = "ML Connector", "ML Connector Auto"
INVOICE_TYPE, CREDIT_MEMO_TYPE = "Web Invoice", "Web Credit Memo"
US_CUSTOMER, EU_CUSTOMER = "1006", "2006"
"""Accounts of the two web stores."""
SECOND_CUSTOMER = "1007"
"""Another account in the US, with two bill-to sites of which neither is primary."""
US_TERMS, EU_TERMS, SPLIT_TERMS = "IMMEDIATE", "30 Net", "50 50 Split"
ENGINE_TAX, SALES_TAX, VAT = "ENGINE TAX", "US SALES TAX", "VAT 19"
TAX_REGIMES = {SALES_TAX: "US SALES AND USE TAX", VAT: "DE VAT", ENGINE_TAX: "ENGINE"}
CONTEXT, REFERENCE_ATTRIBUTE = "ML_CONNECTOR", "connectorReference"
"""Flexfield context and attribute in which a reference may be kept."""

_REFERENCE = {CONTEXT: {REFERENCE_ATTRIBUTE: 150, "orderNumber": 60}}
_WHOLE = Decimal(100)


def demo_receivables() -> ReceivablesSetup:
    """A fresh setup for the business units of the demo world."""
    setup = ReceivablesSetup(
        terms=[
            PaymentTerms(US_TERMS, ((_WHOLE, 0),)),
            PaymentTerms(EU_TERMS, ((_WHOLE, 30),)),
            PaymentTerms("60 Net", ((_WHOLE, 60),)),
            PaymentTerms(SPLIT_TERMS, ((Decimal(50), 30), (Decimal(50), 60))),
        ],
        customers=[
            _customer(US_CUSTOMER, "Web Store US", US_UNIT, US_TERMS),
            _customer(EU_CUSTOMER, "Web Store EU", EU_UNIT, EU_TERMS),
            Customer(
                SECOND_CUSTOMER,
                "Outlet Store US",
                300000047414999,
                US_TERMS,
                [CustomerSite(name, US_UNIT, primary=False) for name in ("Outlet North", "Outlet South")],
            ),
        ],
        tax_rates=[
            TaxRate(SALES_TAX, TAX_REGIMES[SALES_TAX], "STATE", "STANDARD", Decimal("8.25")),
            TaxRate(VAT, TAX_REGIMES[VAT], "VAT", "STANDARD", Decimal(19)),
            TaxRate(ENGINE_TAX, TAX_REGIMES[ENGINE_TAX], "ENGINE", "STANDARD", Decimal("1.5")),
        ],
        items={"SKU-1": "Cotton shirt", "SKU-2": "Table lamp"},
        memo_lines={"Web sale": None, "Shipping": None},
        warehouses=("WEB",),
        header_flexfield=Flexfield({name: dict(attributes) for name, attributes in _REFERENCE.items()}),
        line_flexfield=Flexfield({name: dict(attributes) for name, attributes in _REFERENCE.items()}),
        transaction_flexfield=Flexfield({name: dict(attributes) for name, attributes in _REFERENCE.items()}),
    )
    for unit, entity, tax in ((US_UNIT, "101", "22100"), (EU_UNIT, "201", "22200")):
        setup.sources += [
            TransactionSource(MANUAL_SOURCE, unit),
            TransactionSource(AUTOMATIC_SOURCE, unit, "automatic"),
        ]
        classes: tuple[tuple[str, TransactionClass], ...] = (
            (INVOICE_TYPE, "invoice"),
            (CREDIT_MEMO_TYPE, "credit_memo"),
        )
        setup.types += [
            TransactionType(
                name,
                unit,
                receivable_account=f"{entity}-000-12100-0000",
                revenue_account=f"{entity}-000-41900-0000",
                tax_account=f"{entity}-000-{tax}-0000",
                freight_account=f"{entity}-000-42100-0000",
                transaction_class=transaction_class,
            )
            for name, transaction_class in classes
        ]
    return setup


def _customer(number: str, name: str, unit: str, terms: str) -> Customer:
    sites = [
        CustomerSite(f"{name} Billing", unit),
        CustomerSite(f"{name} Shipping", unit, "ship_to"),
    ]
    return Customer(number, name, 300000047410000 + int(number), terms, sites)
