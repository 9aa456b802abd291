"""What a refund takes back of its order: its total and tax, divided over the order's lines, charges and taxes.

The refund's total and tax are the truth. What is known of its parts is held against them:

    pieces           the line's net by pieces, counted over all refunds, so that the last piece takes what is left; of
                     some pieces only, give or take a minor unit, which way the shop rounds nobody says
    stated amounts   as asked for, or less the tax in them: whichever the refund's total says
    free amounts     lower what was sold and no tax: they fall on the lines in proportion to what is left of them
    overrides        the merchant typed the totals: the parts only say in which proportion
    tax              by the rates of what was given back, else in proportion to the order's tax

What is left over is the refund's rounding. The refund that gives back all that is left of an order takes exactly that,
line by line, so all refunds of an order together are its reversal.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from contracts.journal import Problem
from contracts.refund import Refund, RefundItem, RefundSale
from contracts.sale import Sale, SaleCharge, SaleLine, SaleTax, SaleTender
from mapping.money import allocate, quantize

ZERO = Decimal(0)

Target = SaleLine | SaleCharge
_WORDS: Final[Mapping[str, str]] = {
    "product": "line",
    "wrapping": "the gift wrapping of line",
    "shipping": "the shipping of delivery",
    "handling": "the handling of delivery",
    "other": "an item of unknown kind,",
}
_SHOP_METHODS: Final[Mapping[str, str]] = {"store_credit": "Store Credit", "gift_certificate": "Gift Certificate"}


def take_back(
    refund: Refund, sale: Sale, earlier: Sequence[RefundSale] = (), later: Sequence[RefundSale] = ()
) -> RefundSale | tuple[Problem, ...]:
    """The refund as a sale with amounts of the other sign, or why it is none: `over_refund`, `unknown_refund_item`.

    `sale` is the order as it stands; `earlier` is what its refunds before this one took back, as they were booked;
    `later` what refunds that were made after it took back already, when it was not booked in its turn.
    Payments that were declined are not in the tenders, so a refund with some does not add up.
    """
    taken = _taken((*earlier, *later))
    problems = [*_over(refund, sale, taken), *_unknown(refund, sale)]
    if problems:
        return tuple(problems)
    whole = taken.total + refund.total == sale.total and taken.tax + refund.tax == sale.total_tax and not taken.unread
    if whole:
        sale = _with_what_is_gone(sale, (*earlier, *later))
        division = _rest(sale, taken)
    else:
        division = _divide(refund, sale, _taken(earlier))
        if later and _overdraws(division, sale, taken):
            # Those after it did not reckon with it: its payment had been declined.
            division = _divide(refund, sale, taken)
    lines = tuple(
        line.model_copy(
            update={
                "quantity": -division.pieces.get(line.key, ZERO),
                "list_net": -division.amount(line),
                "discount": ZERO,
                "net": -division.amount(line),
            }
        )
        for line in sale.lines
        if division.amount(line) or division.pieces.get(line.key)
    )
    charges = tuple(
        charge.model_copy(update={"net": -division.amount(charge)})
        for charge in sale.charges
        if division.amount(charge)
    )
    taxes = tuple(tax.model_copy(update={"amount": -amount}) for tax, amount in division.taxes if amount)
    total = -refund.total
    known = {name: getattr(sale, name) for name in Sale.model_fields}
    changed = {
        "refund_id": refund.refund_id,
        "placed_at": refund.created_at,
        "paid_at": refund.created_at,
        "shipped_at": refund.created_at,
        "lines": lines,
        "charges": charges,
        "taxes": taxes,
        "tenders": _tenders(refund, sale),
        "total": total,
        "total_tax": -refund.tax,
        "rounding": total
        - sum((line.net for line in lines), start=ZERO)
        - sum((charge.net for charge in charges), start=ZERO)
        - sum((tax.amount for tax in taxes), start=ZERO),
    }
    return RefundSale(**(known | changed))


def earlier_refunds(
    refund: Refund, known: Iterable[Refund], sale: Sale, booked: Mapping[str, RefundSale]
) -> tuple[RefundSale, ...]:
    """What the order's older refunds took back, whether they have been booked or not: `earlier` of `take_back`.

    `known` are all refunds of the order; `booked` is by id what has been posted, which later edits do not change. With
    this, each refund takes the same back in whatever order they arrive. Declined ones have taken nothing. One that is
    not booked and that nobody can read counts all the same, with its total and tax.
    """
    found: list[RefundSale] = []
    for one in sorted(known, key=_age):
        if _age(one) < _age(refund) and not one.declined:
            taken = booked.get(one.refund_id) or take_back(one, sale, found)
            found.append(taken if isinstance(taken, RefundSale) else _unread(one, sale))
    return tuple(found)


def later_refunds(refund: Refund, booked: Mapping[str, RefundSale]) -> tuple[RefundSale, ...]:
    """What younger refunds of the order took back before this one was booked: `later` of `take_back`."""
    return tuple(booked[one] for one in sorted(booked, key=_age_of) if _age_of(one) > _age(refund))


def without_parts(refund: Refund, sale: Sale) -> RefundSale:
    """A refund that nobody can read: how much went back, and how."""
    return _unread(refund, sale).model_copy(update={"tenders": _tenders(refund, sale)})


def _unread(refund: Refund, sale: Sale) -> RefundSale:
    known = {name: getattr(sale, name) for name in Sale.model_fields}
    parts: dict[str, Any] = {"lines": (), "charges": (), "taxes": (), "tenders": ()}
    amounts = {"total": -refund.total, "total_tax": -refund.tax, "rounding": ZERO}
    return RefundSale(**(known | parts | amounts), refund_id=refund.refund_id, unread=True)


def _age(refund: Refund) -> tuple[int, str]:
    return _age_of(refund.refund_id)


def _age_of(refund_id: str) -> tuple[int, str]:
    """Ids ascend, as numbers."""
    return len(refund_id), refund_id


@dataclass
class _Taken:
    """What earlier refunds of the order took, positive."""

    total: Decimal = ZERO
    tax: Decimal = ZERO
    amounts: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    pieces: dict[str, Decimal] = field(default_factory=dict)
    taxes: dict[tuple[str, str, Decimal | None], Decimal] = field(default_factory=dict)
    unread: bool = False
    """Of some of it nobody knows which parts it was."""

    def left(self, target: Target) -> Decimal:
        return target.net - self.amounts.get(_place(target), ZERO)

    def tax_left(self, tax: SaleTax) -> Decimal:
        return tax.amount - self.taxes.get(_title(tax), ZERO)


@dataclass
class _Division:
    """What this refund takes of each part, positive."""

    amounts: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    pieces: dict[str, Decimal] = field(default_factory=dict)
    taxes: list[tuple[SaleTax, Decimal]] = field(default_factory=list)

    def amount(self, target: Target) -> Decimal:
        return self.amounts.get(_place(target), ZERO)

    def add(self, target: Target, amount: Decimal) -> None:
        self.amounts[_place(target)] = self.amount(target) + amount


@dataclass
class _Share:
    """What one item takes of one line or charge. It may lie between `least` and `most`, if the total says so."""

    target: Target
    amount: Decimal
    least: Decimal
    most: Decimal
    taxes: tuple[SaleTax, ...] = ()
    pieces: bool = False
    """Follows from a number of pieces, not from an amount that was stated."""


def _place(target: Target) -> tuple[str, str]:
    return ("line" if isinstance(target, SaleLine) else target.kind, target.key)


def _parts(sale: Sale) -> list[Target]:
    return [*sale.lines, *sale.charges]


def _title(tax: SaleTax) -> tuple[str, str, Decimal | None]:
    return tax.title, tax.tax_class, tax.rate


def _taken(earlier: Iterable[RefundSale]) -> _Taken:
    taken = _Taken()
    for one in earlier:
        taken.total -= one.total
        taken.tax -= one.total_tax
        taken.unread = taken.unread or one.unread
        for part in _parts(one):
            taken.amounts[_place(part)] = taken.amounts.get(_place(part), ZERO) - part.net
        for line in one.lines:
            taken.pieces[line.key] = taken.pieces.get(line.key, ZERO) - line.quantity
        for tax in one.taxes:
            taken.taxes[_title(tax)] = taken.taxes.get(_title(tax), ZERO) - tax.amount
    return taken


def _with_what_is_gone(sale: Sale, others: Iterable[RefundSale]) -> Sale:
    """The order with parts over nothing for what other refunds took and an edit has removed since.

    The edit has lowered those by all that was sold; so what was given back of them is to come back.
    """
    places, titles = {_place(part) for part in _parts(sale)}, {_title(tax) for tax in sale.taxes}
    lines, charges, taxes = list(sale.lines), list(sale.charges), list(sale.taxes)
    nothing = {"quantity": ZERO, "list_net": ZERO, "discount": ZERO, "net": ZERO}
    for one in others:
        for line in one.lines:
            if _place(line) not in places:
                places.add(_place(line))
                lines.append(line.model_copy(update=nothing))
        for charge in one.charges:
            if _place(charge) not in places:
                places.add(_place(charge))
                charges.append(charge.model_copy(update={"net": ZERO}))
        for tax in one.taxes:
            if _title(tax) not in titles:
                titles.add(_title(tax))
                taxes.append(tax.model_copy(update={"amount": ZERO}))
    return sale.model_copy(update={"lines": tuple(lines), "charges": tuple(charges), "taxes": tuple(taxes)})


def _overdraws(division: _Division, sale: Sale, taken: _Taken) -> bool:
    """Whether it would take more of some part than there is left of it."""
    return any(division.amount(part) > max(taken.left(part), ZERO) for part in _parts(sale) if part.net > 0)


def _rest(sale: Sale, taken: _Taken) -> _Division:
    """Everything that earlier refunds left of the order."""
    return _Division(
        amounts={_place(part): taken.left(part) for part in _parts(sale)},
        pieces={line.key: line.quantity - taken.pieces.get(line.key, ZERO) for line in sale.lines},
        taxes=[(tax, taken.tax_left(tax)) for tax in sale.taxes],
    )


def _divide(refund: Refund, sale: Sale, taken: _Taken) -> _Division:
    units, net = sale.minor_units, refund.total - refund.tax
    division = _Division()
    shares = [share for item in refund.items for share in _shares(item, refund, sale, taken, division)]
    free = quantize(sum((one.amount or ZERO for one in refund.items if one.kind == "order"), start=ZERO), units)
    if refund.override:
        weights = [*(max(share.amount, ZERO) for share in shares), max(free, ZERO)]
        if not any(weights):
            weights[-1] = Decimal(1)
        *scaled, free = allocate(net, weights, units)
        for share, amount in zip(shares, scaled, strict=True):
            share.amount = amount
    else:
        _settle(shares, net - free, units)
    for share in shares:
        division.add(share.target, share.amount)
    _spread(free, sale, taken, division)
    division.taxes = _taxes(refund, sale, taken, shares)
    return division


def _shares(item: RefundItem, refund: Refund, sale: Sale, taken: _Taken, division: _Division) -> list[_Share]:
    """What the item says of itself; its pieces are counted in `division`."""
    if item.kind in ("order", "tax"):
        return []
    targets = _targets(item, sale)
    if item.kind == "product" and isinstance(line := targets[0], SaleLine) and item.amount is None:
        before = taken.pieces.get(line.key, ZERO) + division.pieces.get(line.key, ZERO)
        division.pieces[line.key] = division.pieces.get(line.key, ZERO) + item.quantity
        price = _by_pieces(line, before + item.quantity, sale) - _by_pieces(line, before, sale)
        slack = Decimal(1).scaleb(-sale.minor_units) if 0 < price < line.net else ZERO
        found = [_Share(line, price, price - slack, price + slack, item.taxes, pieces=True)]
        if item.adjustment:
            deduction = _stated(item.adjustment, sale)
            found.append(_Share(line, deduction, quantize(item.adjustment, sale.minor_units), ZERO, item.taxes))
        return found
    left = [max(taken.left(target), ZERO) for target in targets]
    if item.amount is None:
        return [_Share(target, most, ZERO, most, item.taxes) for target, most in zip(targets, left, strict=True)]
    weights = left if any(left) else [max(target.net, ZERO) for target in targets]
    asked = allocate(quantize(item.amount + item.adjustment, sale.minor_units), weights, sale.minor_units)
    tax = max(refund.tax, ZERO)
    return [
        _Share(target, _stated(amount, sale), min(amount, max(ZERO, amount - tax)), amount, item.taxes)
        for target, amount in zip(targets, asked, strict=True)
    ]


def _targets(item: RefundItem, sale: Sale) -> list[Target]:
    """The parts of the order that the item is about. Deliveries are one charge; a fee without a name is any fee."""
    if item.kind == "product":
        return [line for line in sale.lines if line.key == item.key]
    charges: list[Target] = [charge for charge in sale.charges if charge.kind == item.kind]
    if item.kind == "fee":
        return [charge for charge in charges if charge.key in (item.key, f"fee:{item.key}")] or charges
    return charges


def _by_pieces(line: SaleLine, pieces: Decimal, sale: Sale) -> Decimal:
    if line.quantity <= 0 or pieces >= line.quantity:
        return line.net
    return quantize(line.net * pieces / line.quantity, sale.minor_units)


def _stated(amount: Decimal, sale: Sale) -> Decimal:
    """An amount that a person typed, without the tax that an order with tax-inclusive prices has in it on average."""
    if sale.tax_inclusive and sale.total:
        amount -= amount * sale.total_tax / sale.total
    return quantize(amount, sale.minor_units)


def _settle(shares: Sequence[_Share], wanted: Decimal, units: int) -> None:
    """Move the shares, each between its least and its most, so that they add up to `wanted` as nearly as they can.

    What the rounding of pieces explains is theirs; else it is the stated amounts that had tax in them.
    """
    pieces = [share for share in shares if share.pieces]
    stated = [share for share in shares if not share.pieces]
    difference = wanted - sum((share.amount for share in shares), start=ZERO)
    within = abs(difference) <= sum((share.most - share.amount for share in pieces), start=ZERO)
    for group in (pieces, stated) if within else (stated, pieces):
        ends = [share.most if difference > 0 else share.least for share in group]
        room = [abs(end - share.amount) for end, share in zip(ends, group, strict=True)]
        moved = min(abs(difference), sum(room, start=ZERO)).copy_sign(difference)
        if moved:
            for share, step in zip(group, allocate(moved, room, units), strict=True):
                share.amount += step
        difference -= moved


def _spread(amount: Decimal, sale: Sale, taken: _Taken, division: _Division) -> None:
    """A free amount: on what is left of the lines, then of the charges, then of certificates sold.

    What exceeds all of them (a free amount never lowers the tax that was charged) falls on the lines once more.
    """
    articles: list[Target] = [line for line in sale.lines if line.kind != "gift_certificate"]
    charges: list[Target] = list(sale.charges)
    certificates: list[Target] = [line for line in sale.lines if line.kind == "gift_certificate"]
    for pool in (articles, charges, certificates):
        room = [max(taken.left(target) - division.amount(target), ZERO) for target in pool]
        part = min(amount, sum(room, start=ZERO))
        if part > 0:
            for target, share in zip(pool, allocate(part, room, sale.minor_units), strict=True):
                division.add(target, share)
            amount -= part
    for pool in (articles, charges, certificates):
        weights = [max(target.net, ZERO) for target in pool]
        if amount and any(weights):
            for target, share in zip(pool, allocate(amount, weights, sale.minor_units), strict=True):
                division.add(target, share)
            return


def _taxes(refund: Refund, sale: Sale, taken: _Taken, shares: Sequence[_Share]) -> list[tuple[SaleTax, Decimal]]:
    """The refund's tax by title: by the rates of what it gives back, else by what is left of each title."""
    if not refund.tax:
        return []
    if not sale.taxes:
        return [(SaleTax(title="", amount=ZERO), refund.tax)]
    by_title: dict[tuple[str, str, Decimal | None], Decimal] = {}
    for share in shares:
        for tax in share.taxes:
            by_title[_title(tax)] = by_title.get(_title(tax), ZERO) + share.amount * (tax.rate or ZERO)
    for weights in (
        [max(by_title.get(_title(tax), ZERO), ZERO) for tax in sale.taxes],
        [max(taken.tax_left(tax), ZERO) for tax in sale.taxes],
        [max(tax.amount, ZERO) for tax in sale.taxes],
    ):
        if any(weights):
            break
    return list(zip(sale.taxes, allocate(refund.tax, weights, sale.minor_units), strict=True))


def _tenders(refund: Refund, sale: Sale) -> tuple[SaleTender, ...]:
    """How it was paid back, each tender by the name it has in the order, where it is the order's."""
    found: dict[tuple[str, str], SaleTender] = {}
    for tender in refund.tenders:
        if tender.declined or not tender.amount:
            continue
        known = {one.method.casefold(): one.method for one in sale.tenders if one.kind == tender.kind}
        method = known.get(tender.method.casefold(), tender.method)
        if not tender.method or tender.kind != "payment":
            alone = next(iter(known.values())) if len(known) == 1 else ""
            method = alone or _SHOP_METHODS.get(tender.kind) or tender.provider
        before = found.get((tender.kind, method))
        amount = (before.amount if before else ZERO) - tender.amount
        found[tender.kind, method] = SaleTender(kind=tender.kind, method=method, amount=amount)
    return tuple(found.values())


def _over(refund: Refund, sale: Sale, taken: _Taken) -> list[Problem]:
    found = []
    for what, before, now, sold in (
        ("", taken.total, refund.total, sale.total),
        (" of tax", taken.tax, refund.tax, sale.total_tax),
    ):
        if now > 0 and before + now > sold:
            found.append(
                Problem(
                    code="over_refund",
                    sentence=(
                        f"{_name(refund)}: with it {before + now:f} {sale.currency}{what} were given back,"
                        f" and the order was charged {sold:f}{what}."
                    ),
                    remedy=(
                        "Compare the order's refunds with its payments. Correct the order in the shop and retry, or"
                        " book the refund by hand in Fusion and skip it with a reason."
                    ),
                )
            )
    return found


def _unknown(refund: Refund, sale: Sale) -> list[Problem]:
    """Items of which the order has nothing: what they cost cannot be told, and no account was booked for them."""
    return [
        Problem(
            code="unknown_refund_item",
            sentence=(
                f"{_name(refund)} gives back {_WORDS.get(item.kind, item.kind)} {item.key},"
                " and the order has none such."
            ),
            remedy="Book it by hand in Fusion and skip it with a reason, or restore the order's line and retry.",
        )
        for item in refund.items
        if item.kind not in ("order", "tax") and not _targets(item, sale)
    ]


def _name(refund: Refund) -> str:
    return f"Refund {refund.refund_id} of order {refund.order_id} ({refund.connection})"
