"""Everything an operator looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.leaks.canaries import COMPANY
from support.leaks.changes import SKU

if TYPE_CHECKING:
    from support.leaks.story import Teller


async def everything(teller: Teller) -> None:
    """`audit show --payload` is left out: showing the original is its purpose."""
    for arguments in (
        ("check",),
        ("connections", "test"),
        ("connections", "list"),
        ("secrets", "list"),
        ("status",),
        ("status", "--json"),
        ("audit", "show", str(teller.refused)),
        ("audit", "show", str(teller.refused), "--json"),
        ("review", "list"),
        ("reconcile",),
        ("reconcile", "--json"),
        ("hooks", "status", "bc-us"),
        ("hooks", "status", "bc-us", "--json"),
        ("alignment", "shop-us"),
        ("alignment", "shop-us", "--json"),
        ("audit", "counts", "shop-us"),
        ("audit", "counts", "shop-us", "--lost"),
        ("audit", "counts", "shop-us", "--json"),
        ("items", "links", "shop-us", "--json"),
        ("fusion", "lookup", "item", SKU, "--json"),
        ("fusion", "get", "itemsV2", "--q", f"ItemNumber = '{SKU}'", "--json"),
    ):
        await teller.command(*arguments, fails=None)
    document = f"bc-us/{teller.refused}"
    await teller.command("review", "resolve", document, "skip", "--who", "dana", "--why", "told so")
    own = f"PartyNumber = '{teller.party.values['PartyNumber']}'"
    for form in ((), ("--json",), ("--csv",)):
        look = ("fusion", "get", "hubOrganizations", "--q", own, "--expand", "all", *form)
        await teller.command(*look, kept=teller.story.looks)
    await teller.command("fusion", "lookup", "customer", COMPANY, fails=None, kept=teller.story.looks)
