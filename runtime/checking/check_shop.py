"""Proves the shop side of a configuration: time zone, currencies and channels."""

from collections.abc import Awaitable
from typing import Protocol
from zoneinfo import ZoneInfo

from clients.errors import VendorError
from contracts.bigcommerce import StoreCurrency, StoreInformation
from contracts.configuration import BigCommerceConnection
from runtime.checking.findings import Finding, Level, refused
from runtime.configuring.configuration import ConfigurationFile
from runtime.configuring.positions import Path


class ShopProbe(Protocol):
    """The part of `clients.bigcommerce.BigCommerceClient` that a check needs."""

    def store(self, *, fresh: bool = False) -> Awaitable[StoreInformation]: ...
    def currencies(self) -> Awaitable[tuple[StoreCurrency, ...]]: ...


async def prove_shop(file: ConfigurationFile, connection: BigCommerceConnection, shop: ShopProbe) -> list[Finding]:
    """Whether every sale of the shop has books, and its days are known."""
    configuration = file.configuration
    place: Path = ("connections", [one.id for one in configuration.connections].index(connection.id))
    found: list[Finding] = []

    def note(level: Level, path: Path, sentence: str, remedy: str = "") -> None:
        name, line = ("", 0) if level is Level.OK else file.place(*path)
        found.append(
            Finding(level=level, subject=connection.id, sentence=sentence, remedy=remedy, file=name, line=line)
        )

    try:
        store = await shop.store(fresh=True)
        currencies = await shop.currencies()
    except VendorError as error:
        name, line = file.place(*place)
        return [refused(error, connection.id, file=name, line=line)]
    zone = store.timezone.name
    if _is_zone(zone):
        note(
            Level.OK, place, f"Store {store.name or connection.store_hash}: days in {zone}, prices in {store.currency}."
        )
    else:
        note(
            Level.MISTAKE,
            place,
            f'The store\'s time zone "{zone}" is not known here, so accounting dates cannot be told.',
            "Choose a city's time zone in the store's settings.",
        )
    integrations = [
        (number, one) for number, one in enumerate(configuration.integrations) if one.source == connection.id
    ]
    if not integrations:
        note(Level.WARNING, place, "No integration posts this shop.", "Add one with source = its id, or remove it.")
        return found
    sold = {one.currency_code for one in currencies if one.enabled and one.is_transactional} | {store.currency} - {""}
    for number, integration in integrations:
        here: Path = ("integrations", number)
        channels = {channel.id for channel in integration.channels}
        if store.default_channel_id and str(store.default_channel_id) not in channels:
            note(
                Level.WARNING,
                here,
                f"The store's default channel {store.default_channel_id} is not a channel of integration "
                f"{integration.id}: its orders go to review.",
                "Add it with its revenue owner and books.",
            )
        for channel in integration.channels:
            booked = {books.currency for books in integration.books if books.channel == channel.id}
            if missing := sorted(sold - booked):
                note(
                    Level.WARNING,
                    here,
                    f"Channel {channel.id} has no books for {', '.join(missing)}, in which the store sells: such "
                    f"orders go to review.",
                    "Add books, or ignore this if the channel does not offer that currency.",
                )
        for count, books in enumerate(integration.books):
            if books.currency not in sold:
                note(
                    Level.WARNING,
                    (*here, "books", count, "currency"),
                    f"The store does not sell in {books.currency}, for which channel {books.channel} has books.",
                    f"It sells in {', '.join(sorted(sold))}.",
                )
    return found


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return False
    return bool(name)
