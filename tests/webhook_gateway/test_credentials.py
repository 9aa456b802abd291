import asyncio

import pytest

from webhook_gateway.credentials import FRESH, RETRY, USABLE, CredentialCache


class Vault:
    """A store of one secret that counts its readings."""

    def __init__(self, *values: str) -> None:
        self.values = list(values)
        self.readings = 0
        self.down = False
        self.now = 0.0

    async def read(self, tenant: str, connection: str, name: str) -> list[str]:
        self.readings += 1
        await asyncio.sleep(0)
        if self.down:
            raise ConnectionError
        return list(self.values)

    def cache(self) -> CredentialCache:
        return CredentialCache(self.read, clock=lambda: self.now)


KEY = ("acme", "bc-us", "client_secret")


async def test_a_secret_is_read_once_for_many_deliveries() -> None:
    vault = Vault("one")
    cache = vault.cache()
    assert set(await asyncio.gather(*(cache.secrets(*KEY) for _ in range(50)))) == {("one",)}
    assert vault.readings == 1


async def test_a_removed_secret_is_forgotten_soon() -> None:
    vault = Vault("new", "old")
    cache = vault.cache()
    await cache.secrets(*KEY)
    vault.values = ["new"]
    vault.now = FRESH
    assert await cache.secrets(*KEY) == ("new",)


async def test_a_new_secret_works_at_once_but_strangers_cannot_hammer_the_store() -> None:
    vault = Vault("old")
    cache = vault.cache()
    await cache.secrets(*KEY)
    vault.values, vault.now = ["new", "old"], RETRY
    for _ in range(100):
        assert await cache.secrets(*KEY, newer=True) == ("new", "old")
    assert vault.readings == 2


async def test_known_secrets_outlive_an_outage_of_the_store_but_not_for_ever() -> None:
    vault = Vault("one")
    cache = vault.cache()
    await cache.secrets(*KEY)
    vault.down, vault.now = True, USABLE - 1
    for _ in range(100):
        assert await cache.secrets(*KEY) == ("one",)
    assert vault.readings == 2
    vault.now = USABLE + 1
    with pytest.raises(ConnectionError):
        await cache.secrets(*KEY)


async def test_secrets_do_not_show_in_representations() -> None:
    vault = Vault("canary-secret")
    cache = vault.cache()
    await cache.secrets(*KEY)
    assert "canary" not in repr(vars(cache))
