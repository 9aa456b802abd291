"""Whether the parts of a configuration agree with each other: what can be proved without asking any system."""

from collections.abc import Callable, Iterator, Sequence
from string import Formatter
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from pydantic import HttpUrl

from contracts.configuration import BigCommerceConnection, Configuration, FusionConnection, Integration
from mapping.books import billed_in_receivables
from mapping.rules import FROM_BOOKS, parse_account
from runtime.configuring.alignment_agreement import compared_segments_exist
from runtime.configuring.console_agreement import console_is_encrypted, ui_is_an_address
from runtime.configuring.customer_agreement import customers_agree
from runtime.configuring.disagreement import Disagreement
from runtime.configuring.item_agreement import items_agree
from runtime.configuring.positions import Path
from runtime.configuring.receivable_agreement import channels_and_books_agree, references_have_a_home, taxes_are_named
from runtime.configuring.worker_agreement import worker_groups_agree

_TEMPLATE_FIELDS: Final = frozenset({"data_access_set_id", "source_id", "ledger_id", "group_id"})
_TEMPLATES: Final = ("parameters", "purge_parameters", "posting_parameters")
_CRONS: Final = ("cron", "sweep_cron")


class _Named(Protocol):
    @property
    def id(self) -> str: ...


Rule = Callable[[Configuration], Iterator[Disagreement]]


def disagreements(configuration: Configuration) -> tuple[Disagreement, ...]:
    """Every contradiction found. Nothing here needs the network."""
    return tuple(finding for rule in RULES for finding in rule(configuration))


def _ids_are_unique(configuration: Configuration) -> Iterator[Disagreement]:
    tables: tuple[tuple[str, Sequence[_Named]], ...] = (
        ("tenants", configuration.tenants),
        ("connections", configuration.connections),
        ("integrations", configuration.integrations),
        ("mapping_sets", configuration.mapping_sets),
    )
    for table, rows in tables:
        seen: set[str] = set()
        for index, row in enumerate(rows):
            if row.id in seen:
                yield Disagreement(
                    path=(table, index, "id"),
                    sentence=f'The id "{row.id}" is used twice in {table}.',
                    remedy="Ids name things for good: give the newer one another.",
                )
            seen.add(row.id)


def _references_exist(configuration: Configuration) -> Iterator[Disagreement]:
    tenants = {tenant.id for tenant in configuration.tenants}
    fusions = {one.id for one in configuration.connections if isinstance(one, FusionConnection)}
    shops = {one.id for one in configuration.connections} - fusions
    mapping_sets = {one.id for one in configuration.mapping_sets}
    for index, connection in enumerate(configuration.connections):
        yield from _known(connection.tenant, tenants, ("connections", index, "tenant"), "tenant")
    for index, integration in enumerate(configuration.integrations):
        here: Path = ("integrations", index)
        yield from _known(integration.tenant, tenants, (*here, "tenant"), "tenant")
        yield from _known(integration.fusion, fusions, (*here, "fusion"), "Oracle Fusion connection")
        yield from _known(integration.source, shops, (*here, "source"), "shop connection")
        yield from _known(integration.mapping_set, mapping_sets, (*here, "mapping_set"), "mapping set")


def _known(name: str, names: set[str], path: Path, kind: str) -> Iterator[Disagreement]:
    if name not in names:
        listed = ", ".join(sorted(names)) or "none is configured"
        yield Disagreement(path=path, sentence=f'There is no {kind} "{name}".', remedy=f"Use one of: {listed}.")


def _tenants_stay_apart(configuration: Configuration) -> Iterator[Disagreement]:
    for index, integration in enumerate(configuration.integrations):
        for role in ("fusion", "source"):
            connection = _connection(configuration, getattr(integration, role))
            if connection is not None and connection.tenant != integration.tenant:
                yield Disagreement(
                    path=("integrations", index, role),
                    sentence=(
                        f"Integration {integration.id} of tenant {integration.tenant} uses connection {connection.id} "
                        f"of tenant {connection.tenant}."
                    ),
                    remedy="Both must belong to one tenant.",
                )


def _environments_match(configuration: Configuration) -> Iterator[Disagreement]:
    for index, integration in enumerate(configuration.integrations):
        shop = _connection(configuration, integration.source)
        pod = _connection(configuration, integration.fusion)
        if shop is None or pod is None or shop.environment == pod.environment:
            continue
        here: Path = ("integrations", index)
        if shop.environment == "test":
            yield Disagreement(
                path=here,
                sentence=f"Integration {integration.id} would post the test shop {shop.id} to production pod {pod.id}.",
                remedy="Point it to a test pod. There is no setting that allows this.",
            )
        elif not integration.allow_cross_environment:
            yield Disagreement(
                path=here,
                sentence=f"Integration {integration.id} would post production shop {shop.id} to the test pod {pod.id}.",
                remedy="For a dress rehearsal set allow_cross_environment = true; otherwise correct the connection.",
            )
    for index, connection in enumerate(configuration.connections):
        if configuration.environment == connection.environment or isinstance(connection, BigCommerceConnection):
            continue
        if connection.environment == "production":
            yield Disagreement(
                path=("connections", index, "environment"),
                sentence=f"This is a test installation, but connection {connection.id} is a production pod.",
                remedy='Set environment = "production" at the top of the file, or use a test pod.',
            )


def _production_is_encrypted(configuration: Configuration) -> Iterator[Disagreement]:
    for index, connection in enumerate(configuration.connections):
        if connection.environment != "production":
            continue
        urls: list[tuple[tuple[str, ...], HttpUrl]] = [(("base_url",), connection.base_url)]
        if isinstance(connection, FusionConnection):
            urls.append((("oauth", "token_url"), connection.oauth.token_url))
        for names, url in urls:
            if url.scheme != "https":
                yield Disagreement(
                    path=("connections", index, *names),
                    sentence=f"Connection {connection.id} would send its credentials unencrypted over {url.scheme}.",
                    remedy="Use the https address.",
                )


def _one_revenue_owner(configuration: Configuration) -> Iterator[Disagreement]:
    """Design rule 6: each channel is billed by one flow of one integration."""
    by_source: dict[str, Integration] = {}
    for index, integration in enumerate(configuration.integrations):
        other = by_source.setdefault(integration.source, integration)
        if other is not integration:
            yield Disagreement(
                path=("integrations", index, "source"),
                sentence=(
                    f"Integrations {other.id} and {integration.id} both bill connection {integration.source}: "
                    f"each sale would have two revenue owners."
                ),
                remedy="Put all channels of a shop, with their books, into one integration.",
            )
        seen: set[str] = set()
        for number, channel in enumerate(integration.channels):
            if channel.id in seen:
                yield Disagreement(
                    path=("integrations", index, "channels", number),
                    sentence=f"Channel {channel.id} of integration {integration.id} names two revenue owners.",
                    remedy="Keep one of the two entries.",
                )
            seen.add(channel.id)
    shops: dict[tuple[str, str], BigCommerceConnection] = {}
    for index, connection in enumerate(configuration.connections):
        if isinstance(connection, BigCommerceConnection):
            twin = shops.setdefault((str(connection.base_url), connection.store_hash), connection)
            if twin is not connection:
                yield Disagreement(
                    path=("connections", index, "store_hash"),
                    sentence=f"Connections {twin.id} and {connection.id} are the same store: its sales would be "
                    f"billed twice.",
                    remedy="Keep one connection per store.",
                )


def _books_are_complete(configuration: Configuration) -> Iterator[Disagreement]:
    for index, integration in enumerate(configuration.integrations):
        channels = {channel.id for channel in integration.channels}
        seen: set[tuple[str, str]] = set()
        for number, books in enumerate(integration.books):
            here: Path = ("integrations", index, "books", number)
            if books.channel not in channels:
                yield Disagreement(
                    path=(*here, "channel"),
                    sentence=f"These books are for channel {books.channel}, which integration {integration.id} "
                    f"does not have.",
                    remedy=f"Add the channel with its revenue owner, or use one of: {', '.join(sorted(channels))}.",
                )
            if (books.channel, books.currency) in seen:
                yield Disagreement(
                    path=here,
                    sentence=f"Channel {books.channel} has two books for {books.currency}.",
                    remedy="Keep one of them: a sale has one ledger and one legal entity.",
                )
            seen.add((books.channel, books.currency))
        for number, channel in enumerate(integration.channels):
            if all(books.channel != channel.id for books in integration.books):
                yield Disagreement(
                    path=("integrations", index, "channels", number),
                    sentence=f"Channel {channel.id} of integration {integration.id} has no books.",
                    remedy="Add [[integrations.books]] for each currency it sells in.",
                )
        if not integration.channels:
            yield Disagreement(
                path=("integrations", index),
                sentence=f"Integration {integration.id} has no channel, so nothing would be posted.",
                remedy="Add [[integrations.channels]] with the shop's channel id.",
            )


def _imports_agree(configuration: Configuration) -> Iterator[Disagreement]:
    """Journals of one pod, ledger and source are imported together, so they need the same access set and timing."""
    first: dict[tuple[str, str, str], tuple[str, Integration]] = {}
    for index, integration in enumerate(configuration.integrations):
        for number, books in enumerate(integration.books):
            if billed_in_receivables(books.channel, integration):
                continue
            key = (integration.fusion, books.ledger, books.journal_source)
            access_set, other = first.setdefault(key, (books.data_access_set, integration))
            where = f'ledger "{books.ledger}" and journal source "{books.journal_source}"'
            if access_set != books.data_access_set:
                yield Disagreement(
                    path=("integrations", index, "books", number, "data_access_set"),
                    sentence=f'Journals of {where} are imported together, but the books name "{access_set}" '
                    f'and "{books.data_access_set}".',
                    remedy="Use one data access set for both, or another journal source.",
                )
            if other.imports != integration.imports:
                yield Disagreement(
                    path=("integrations", index, "imports"),
                    sentence=f"Journals of {where} are imported together, but integrations {other.id} and "
                    f"{integration.id} have different import policies.",
                    remedy="Give both the same [integrations.imports], or another journal source.",
                )


def _rules_can_be_used(configuration: Configuration) -> Iterator[Disagreement]:
    for index, mapping_set in enumerate(configuration.mapping_sets):
        here: Path = ("mapping_sets", index)
        for name in sorted({name for name in mapping_set.segments if mapping_set.segments.count(name) > 1}):
            yield Disagreement(
                path=(*here, "segments"),
                sentence=f"Segment {name} of mapping set {mapping_set.id} is named twice.",
                remedy="Name each segment of the chart once.",
            )
        accounts = [
            ((*here, "rules", number, "account"), rule.account, f"Rule {rule.id}")
            for number, rule in enumerate(mapping_set.rules)
        ]
        if mapping_set.suspense is not None:
            accounts.append(((*here, "suspense"), mapping_set.suspense, f"Suspense of mapping set {mapping_set.id}"))
        for path, account, subject in accounts:
            try:
                parse_account(account, mapping_set)
            except ValueError as wrong:
                remedy = "Write every segment, in the chart's order."
                yield Disagreement(path=path, sentence=f"{subject}: {wrong}", remedy=remedy)
        seen: set[str] = set()
        for number, rule in enumerate(mapping_set.rules):
            if rule.id in seen:
                yield Disagreement(
                    path=(*here, "rules", number, "id"),
                    sentence=f"Rule {rule.id} of mapping set {mapping_set.id} appears twice.",
                    remedy="Posted lines name their rule: give each its own id.",
                )
            seen.add(rule.id)


def _legal_entities_fit(configuration: Configuration) -> Iterator[Disagreement]:
    """A rule that names a legal entity of its own must name one that some books post to."""
    for index, mapping_set in enumerate(configuration.mapping_sets):
        entities = {
            books.balancing_segment
            for integration in configuration.integrations
            if integration.mapping_set == mapping_set.id
            for books in integration.books
        }
        place = mapping_set.segments.index(mapping_set.balancing_segment)
        for number, rule in enumerate(mapping_set.rules):
            values = rule.account.split(mapping_set.separator)
            if not entities or len(values) != len(mapping_set.segments):
                continue
            value = values[place].strip()
            if value not in (FROM_BOOKS, *entities):
                yield Disagreement(
                    path=("mapping_sets", index, "rules", number, "account"),
                    sentence=f"Rule {rule.id} books to {mapping_set.balancing_segment} {value}, which no books name.",
                    remedy=f'Write "{FROM_BOOKS}" there to take it from the books ({", ".join(sorted(entities))}).',
                )


def _schedules_can_run(configuration: Configuration) -> Iterator[Disagreement]:
    for index, integration in enumerate(configuration.integrations):
        here: Path = ("integrations", index, "poll")
        try:
            ZoneInfo(integration.poll.timezone)
        except (ValueError, OSError, KeyError):
            yield Disagreement(
                path=(*here, "timezone"),
                sentence=f'"{integration.poll.timezone}" is not a time zone.',
                remedy="Use an IANA name, e.g. Europe/Berlin.",
            )
        for name in _CRONS:
            yield from _can_run(getattr(integration.poll, name), (*here, name))
        yield from _can_run(integration.loss_count.cron, ("integrations", index, "loss_count", "cron"))
        yield from _can_run(integration.alignment.cron, ("integrations", index, "alignment", "cron"))
        for name in ("cron", "sweep_cron"):
            yield from _can_run(getattr(integration.items, name), ("integrations", index, "items", name))
            yield from _can_run(getattr(integration.customers, name), ("integrations", index, "customers", name))
    for index, connection in enumerate(configuration.connections):
        if isinstance(connection, BigCommerceConnection):
            yield from _can_run(connection.hooks.check_cron, ("connections", index, "hooks", "check_cron"))


def _can_run(cron: str, path: Path) -> Iterator[Disagreement]:
    if not cron.startswith("@") and len(cron.split()) not in (5, 6, 7):
        yield Disagreement(
            path=path,
            sentence=f'"{cron}" is not a cron schedule.',
            remedy="Write minute, hour, day, month and weekday, e.g. */5 * * * *.",
        )


def _templates_fit(configuration: Configuration) -> Iterator[Disagreement]:
    for index, connection in enumerate(configuration.connections):
        if not isinstance(connection, FusionConnection):
            continue
        for name in _TEMPLATES:
            template = getattr(connection.journal_import, name)
            try:
                used = {field for _, field, _, _ in Formatter().parse(template) if field is not None}
            except ValueError:
                used = {"{"}
            if unknown := used - _TEMPLATE_FIELDS:
                yield Disagreement(
                    path=("connections", index, "journal_import", name),
                    sentence=f"{name} has a placeholder that is not known: {', '.join(sorted(unknown))}.",
                    remedy=f"Use {', '.join('{' + field + '}' for field in sorted(_TEMPLATE_FIELDS))}.",
                )


def _connection(configuration: Configuration, wanted: str) -> FusionConnection | BigCommerceConnection | None:
    return next((one for one in configuration.connections if one.id == wanted), None)


RULES: Final[tuple[Rule, ...]] = (
    _ids_are_unique,
    _references_exist,
    _tenants_stay_apart,
    _environments_match,
    _production_is_encrypted,
    _one_revenue_owner,
    _books_are_complete,
    _imports_agree,
    channels_and_books_agree,
    references_have_a_home,
    taxes_are_named,
    items_agree,
    customers_agree,
    _rules_can_be_used,
    _legal_entities_fit,
    _schedules_can_run,
    compared_segments_exist,
    _templates_fit,
    worker_groups_agree,
    console_is_encrypted,
    ui_is_an_address,
)
"""A new rule is one function more."""
