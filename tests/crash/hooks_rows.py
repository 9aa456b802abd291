"""Orders of which nobody hears, because their shop has switched its webhooks off: found once these are healed."""

from functools import partial
from typing import Final

from crash.books import Document
from crash.journal_rows import WAY
from crash.mornings import morning
from crash.posting import Posting
from crash.scene import Scene
from crash.settings import Setting
from crash.settling import settle
from crash.strikes import Call
from support.stack import eventually

from contracts import names
from contracts.hooks import ORDER_SCOPES

GATEWAY: Final = "https://hooks.example.com"
"""Nobody delivers there: what the shop announces is not what this is about."""
HOOKS: Final = (
    f'hooks = {{ destination = "{GATEWAY}", exceptions = false, activation = 0.2, check_cron = "0 4 1 1 *" }}\n'
)
HOOKED: Final = Setting(
    "webhooks that are looked after",
    amended=tuple((f'store_hash = "{one}"\n', f'store_hash = "{one}"\n{HOOKS}') for one in ("us1abc", "eu2def")),
)
SWITCH_ON: Final = Call(
    "switching a webhook on", "shops", "PUT", r"/v3/hooks/\d+$", paused_at=("received", "committed", "answering")
)


async def unheard_morning(scene: Scene) -> None:
    await morning(scene, partial(_switch_off, scene))


async def _switch_off(scene: Scene, document: Document) -> None:
    """The shop's webhooks are off, and it is time to look after them."""
    store = scene.lane.store(document.connection)
    known = {one.scope for one in store.subscriptions.every()}
    for scope in ORDER_SCOPES:
        if scope not in known:
            destination = f"{GATEWAY}/webhooks/acme/{document.connection}"
            store.subscriptions.create(store.accounts[0], {"scope": scope, "destination": destination})
    store.subscriptions.deactivate("store/order/updated")
    await scene.trigger(names.hooks_health_id(document.connection))


async def settle_unheard(scene: Scene) -> None:
    """A look that is asked for while another one is under way is left out; the schedule comes again."""
    if scene.eventful:
        await scene.all_happened()
        for connection, document in {one.connection: one for one in scene.documents}.items():
            await eventually(lambda: _nobody_looks(scene), f"the webhooks of {connection} were looked after")
            await _switch_off(scene, document)
    await settle(scene)
    for document in scene.documents:
        if not all(one.is_active for one in scene.lane.store(document.connection).subscriptions.every()):
            raise AssertionError(f"a webhook of {document.connection} is still off")


async def _nobody_looks(scene: Scene) -> bool:
    return not await scene.running(f"WorkflowType='{names.HOOKS_HEALTH}'")


UNHEARD: Final = Posting(
    "an order whose webhook was switched off",
    unheard_morning,
    way=("ensure_hooks", "poll_orders", "close_gap", *WAY),
    calls=(SWITCH_ON,),
    steps=("store/hooks/before", "store/hooks/after"),
    setting=HOOKED,
    settle=settle_unheard,
    decisions=0,
)

HOOKS_POSTINGS: Final = (UNHEARD,)
