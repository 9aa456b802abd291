"""What objects and exceptions say of themselves: they end up in logs, tracebacks and debuggers."""

import traceback
from collections.abc import Callable
from dataclasses import replace

import pytest
from support.leaks.canaries import FUSION_WRONG_SECRET, SHOP_WRONG_TOKEN, Canaries, credentials
from support.stack import Stack

from clients.errors import VendorError
from contracts.secret_names import ACCESS_TOKEN, CLIENT_SECRET
from runtime.observing.redaction import redactor
from runtime.temporal.plugin import MlConnectorPlugin
from sandbox.bigcommerce import Shape, draft
from store import KeyRing, Vault

WRONG = Canaries({"Fusion secret": FUSION_WRONG_SECRET, "shop token": SHOP_WRONG_TOKEN})


def texts_of(error: BaseException) -> dict[str, bytes]:
    return {
        "str": str(error).encode(),
        "repr": repr(error).encode(),
        "fields": repr(vars(error)).encode(),
        "traceback": "".join(traceback.format_exception(error)).encode(),
    }


async def test_refused_credentials_are_not_in_the_error(stack: Stack) -> None:
    store = stack.parts.store
    await store.secrets.put("acme", "fusion", CLIENT_SECRET, FUSION_WRONG_SECRET)
    await store.secrets.put("acme", "bc-us", ACCESS_TOKEN, SHOP_WRONG_TOKEN)
    with pytest.raises(VendorError) as of_fusion:
        await stack.parts.fusions["fusion"].ledgers()
    with pytest.raises(VendorError) as of_the_shop:
        await stack.parts.shops["bc-us"].order("1001")
    for raised in (of_fusion, of_the_shop):
        assert WRONG.leaks(texts_of(raised.value)) == []


async def test_an_answer_that_is_not_understood_is_not_quoted(stack: Stack) -> None:
    person = "Zubilla Quaxmontan"
    order = stack.shop().place(draft(Shape.ORDINARY, stack.shop().profile))
    order.profile = replace(order.profile, channel_id=person)
    with pytest.raises(VendorError) as raised:
        await stack.parts.shops["bc-us"].order(str(order.id))
    assert Canaries({"shopper": person}).leaks(texts_of(raised.value)) == []


async def test_nothing_that_holds_a_secret_shows_it(stack: Stack) -> None:
    await stack.parts.fusions["fusion"].ledgers()
    keys = stack.keys
    canaries = Canaries({**credentials(keys.to_text()), "twin": "twin-secret", "token": "access-token"})
    holders: list[object] = [
        keys,
        Vault(keys),
        MlConnectorPlugin(keys),
        redactor,
        stack.parts,
        stack.parts.store,
        stack.temporal,
        stack.temporal.config(),
        *stack.parts.fusions.values(),
        *stack.parts.shops.values(),
        stack.configuration,
    ]
    say: tuple[Callable[[object], str], ...] = (repr, str)
    for holder in holders:
        for form in say:
            assert canaries.leaks({type(holder).__name__: form(holder).encode()}) == []


def test_a_key_that_does_not_fit_is_not_quoted() -> None:
    keys = KeyRing.generate()
    text = keys.to_text()
    with pytest.raises(Exception, match="bytes") as raised:
        KeyRing.from_text(text[:-8])
    assert Canaries({"key": text.split(":")[1][:-8]}).leaks(texts_of(raised.value)) == []
