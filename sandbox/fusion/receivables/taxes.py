"""Manual tax lines, and what a tax engine makes of them."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sandbox.fusion.receivables.invoice import TaxLine
from sandbox.fusion.receivables.refusals import refuse
from sandbox.fusion.receivables.setup import ReceivablesSetup, TaxRate


def rounded(amount: Decimal, digits: int) -> Decimal:
    """To the minor unit of a currency, halves away from zero."""
    return amount.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


def manual_tax_lines(
    rows: list[dict[str, Any]], amount: Decimal, digits: int, setup: ReceivablesSetup, where: str
) -> list[TaxLine]:
    """Tax lines as they were sent with a line of `amount`. Raises `RestError` 400 for an unknown rate or regime."""
    lines = []
    for index, row in enumerate(rows):
        at = f"{where}/{index}"
        rate = setup.tax_rate(row.get("TaxRateCode", ""))
        if rate is None:
            raise refuse(
                setup, "AR_TAX_RATE_NOT_FOUND", "The tax rate code you entered isn't valid.", f"{at}/TaxRateCode"
            )
        if row.get("TaxRegimeCode", rate.regime) != rate.regime:
            detail = "The tax regime code you entered doesn't belong to the tax rate code."
            raise refuse(setup, "AR_TAX_REGIME_NOT_FOUND", detail, f"{at}/TaxRegimeCode")
        if row.get("TaxInclusiveIndicator", "N") != "N":
            detail = "Tax that is included in the line amount isn't set up."
            raise refuse(setup, "AR_TAX_INCLUSIVE_NOT_ALLOWED", detail, f"{at}/TaxInclusiveIndicator")
        percent = row.get("TaxRate", rate.percent)
        tax = rounded(row["TaxAmount"] if "TaxAmount" in row else amount * percent / 100, digits)
        status = row.get("TaxStatusCode", rate.status)
        name = row.get("Tax", rate.tax)
        lines.append(TaxLine(index + 1, rate.regime, rate.code, name, status, percent, tax, amount, manual=True))
    return lines


def final_tax_lines(sent: list[TaxLine], amount: Decimal, digits: int, setup: ReceivablesSetup) -> list[TaxLine]:
    """What the pod's tax engine leaves of the tax lines that were sent, and adds to them."""
    engine = setup.habits.tax_engine
    kept = sent if engine in ("manual", "adds") else []
    if engine in ("manual", "ignores"):
        return list(kept)
    return [*kept, _calculated(len(kept) + 1, amount, digits, _engine_rate(setup))]


def _engine_rate(setup: ReceivablesSetup) -> TaxRate:
    rate = setup.tax_rate(setup.habits.engine_rate)
    if rate is None:
        raise refuse(setup, "AR_TAX_ENGINE_ERROR", "The tax couldn't be calculated: its rate isn't valid.")
    return rate


def _calculated(number: int, amount: Decimal, digits: int, rate: TaxRate) -> TaxLine:
    tax = rounded(amount * rate.percent / 100, digits)
    return TaxLine(number, rate.regime, rate.code, rate.tax, rate.status, rate.percent, tax, amount, manual=False)
