"""Items that become products: found by the poll, made in the shop once, and taken for agreed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Final

from crash.books import Books, Document, Entry
from crash.posting import Posting
from crash.scene import Scene
from crash.settings import Setting
from crash.strikes import Call
from support.items import item_flow
from support.stack import Stack

from contracts import names
from sandbox.bigcommerce import Truth
from sandbox.fusion.masters.setup import ITEM_MASTER

SHOP, PIECE = "bc-us", "USD"
ITEMS: Final = 'items = { enabled = true, cron = "0 4 1 1 *", sweep_cron = "0 5 1 1 *" }\n'
KEPT_EQUAL: Final = Setting(
    "items kept equal",
    amended=(
        ('id = "fusion"\n', f'id = "fusion"\nitems = {{ organization = "{ITEM_MASTER}" }}\n'),
        ('id = "shop-us"\n', f'id = "shop-us"\n{ITEMS}'),
    ),
)
MAKE: Final = Call("making the draft", "shops", "POST", r"/v3/catalog/products$", paused_at=("committed",))


@dataclass(eq=False)
class ItemDocument(Document):
    """An item of Fusion, of which one product is to be made."""

    sku: str = ""

    @property
    def workflow_id(self) -> str:
        return item_flow(self.sku)

    def due(self, books: Books, truths: Callable[[str], Mapping[int, Truth]]) -> tuple[str, Decimal]:
        """One piece."""
        return PIECE, Decimal(1)

    def __str__(self) -> str:
        return f"item {self.sku} ({self.connection})"


class Drafts:
    """The catalog of the shop's twin: of each item one product, which has its name and which nobody can buy."""

    def entries(self, stack: Stack, document: Document) -> Sequence[Entry]:
        if not isinstance(document, ItemDocument):
            raise TypeError(f"{document} is no item")
        catalog = stack.shops.stores["us1abc"].catalog
        (item,) = stack.fusion.items.numbered(document.sku)
        found = [one.fields for one in catalog.products.values() if one.fields.get("sku") == document.sku]
        return [
            Entry(PIECE, Decimal(1), one["name"] == item.values["ItemDescription"] and not one["is_visible"])
            for one in found
        ]

    def expected(self, truth: Truth) -> Decimal:
        raise NotImplementedError

    def leftovers(self, stack: Stack) -> int:
        return 0


async def new_items_morning(scene: Scene) -> None:
    """Somebody makes items in Fusion, and it is time to look."""
    for _ in range(1 if scene.plain else scene.chance.randint(1, 4)):
        number = scene.chance.randrange(10**9)
        sku = f"ITEM-{number}"
        items = scene.lane.stack.fusion.items
        made = items.add(ItemNumber=sku, ItemDescription=f"Thing {number}", OrganizationCode=ITEM_MASTER)
        # A window ends with the last whole second; what is younger is in the next.
        made.values[items.stamp] -= timedelta(seconds=2)
        scene.documents.append(ItemDocument(SHOP, number, sku=sku))
    await scene.trigger(names.poll_records_id("shop-us", names.ITEM, "fusion"))


MADE: Final = Posting(
    "an item to its draft",
    new_items_morning,
    way=("poll_records", "read_record", "compare_record", "write_record", "agree_record"),
    calls=(MAKE,),
    books=Drafts(),
    setting=KEPT_EQUAL,
    decisions=0,
)

ITEM_POSTINGS: Final = (MADE,)
