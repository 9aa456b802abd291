"""`ml-connector fusion`: look at a pod as the integration user sees it. Reads only."""

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn, TypeVar

import typer
from rich.markup import escape
from rich.table import Table

from clients.errors import Forbidden, NotFound, Resolution, Unauthorized, VendorError
from clients.oracle_fusion import FusionClient, ResourceFacts
from clients.oracle_fusion.names import Found
from clients.oracle_fusion.reference_data import GENERAL_LEDGER, RECEIVABLES
from contracts.configuration import Configuration, FusionConnection
from contracts.secret_names import CLIENT_SECRET
from runtime.checking.connections_test import FUSION_PATHS, RECEIVABLES_PATH
from runtime.checking.probes import open_probes
from runtime.commands.common import (
    DEFAULT_CONFIG,
    ConfigOption,
    configured,
    connection_named,
    errors,
    fail,
    output,
    run,
)
from runtime.observing.redaction import redactor
from runtime.operations.fusion_answers import as_csv, as_json, cell, cleaned, few_columns
from runtime.operations.fusion_resources import near_names
from runtime.parts import SecretMissingError

T = TypeVar("T")

UNANSWERED: Final = frozenset({Resolution.RETRY, Resolution.WAIT, Resolution.IN_DOUBT})
APPLICATIONS: Final = {"gl": GENERAL_LEDGER, "ar": RECEIVABLES}


class Kind(StrEnum):
    LEDGER = "ledger"
    ACCOUNT = "account"
    PERIOD = "period"
    SOURCE = "source"
    CATEGORY = "category"
    CUSTOMER = "customer"
    ITEM = "item"
    BUSINESS_UNIT = "business-unit"
    VALUE = "value"


ConnectionOption = Annotated[
    str | None, typer.Option("--connection", help="Id of the pod's connection; needed when there are several.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="For machines.")]
CsvOption = Annotated[bool, typer.Option("--csv", help="For spreadsheets.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Look at an Oracle Fusion pod as the integration user sees it.", no_args_is_help=True)
    group.command("get")(get)
    group.command("describe")(describe)
    group.command("lookup")(lookup)
    app.add_typer(group, name="fusion")


def get(
    resource: Annotated[str, typer.Argument(help="A resource, or a path: receivablesInvoices/3001/child/...")],
    key: Annotated[str | None, typer.Argument(help="The key of one item, as its address has it.")] = None,
    q: Annotated[str, typer.Option("--q", help="Question, e.g. \"Name like 'US*' and Status = 'P'\".")] = "",
    finder: Annotated[str, typer.Option(help="Finder;variable=value,variable=value")] = "",
    fields: Annotated[str, typer.Option(help="Attributes, separated by commas.")] = "",
    expand: Annotated[str, typer.Option(help="Children to bring along, separated by commas, or all.")] = "",
    order_by: Annotated[str, typer.Option(help="A:asc,B:desc; name unique attributes when asking for many.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Rows at most.")] = 25,
    to_json: JsonOption = False,
    to_csv: CsvOption = False,
    connection: ConnectionOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Read rows of a resource, or one item by its key. Personal data is hidden in every form of output.

    Exit code 0: answered. 1: refused, or not there. 3: the pod did not answer.
    """
    _one_form(to_json, to_csv)
    path = _path(resource, key)
    given = {"q": q, "finder": finder, "fields": fields, "expand": expand, "orderBy": order_by}
    params: dict[str, str | int | bool] = {name: value for name, value in given.items() if value}
    single = len(path.split("/")) % 3 == 2

    async def read(pod: FusionClient) -> tuple[Sequence[Mapping[str, Any]], bool, str]:
        if single:
            return [await pod.shown(path, params)], False, ""
        rows, more = await pod.listed(path, {**params, "onlyData": True}, limit)
        why = await pod.why_empty(path) if not rows and "/" not in path else None
        return rows, more, f"{why.sentence} {why.remedy}".strip() if why else ""

    found, more, why = _ask(config, connection, resource, read)
    rows, hidden = cleaned(found)
    wanted = [name for name in fields.split(",") if name and ":" not in name]
    if to_json:
        typer.echo(as_json(rows[0] if single else rows))
    elif to_csv:
        typer.echo(as_csv(rows, wanted), nl=False)
    elif single:
        _print_item(rows[0])
    elif rows:
        _print_rows(rows, wanted)
    _notes(
        why if not rows else "",
        f"There are more than these {len(rows)} rows; --limit asks for more." if more else "",
        f"Hidden, because it may tell of a person: {', '.join(hidden)}." if hidden else "",
    )


def describe(
    resource: Annotated[str, typer.Argument(help="A resource, e.g. receivablesInvoices.")],
    child: Annotated[str, typer.Option(help="Children of it, nested ones with dots.")] = "",
    to_json: JsonOption = False,
    to_csv: CsvOption = False,
    connection: ConnectionOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Show what a resource says of itself: attributes, children, finders and actions. Takes a minute at some pods.

    Exit code 0: described. 1: refused, or not there. 3: the pod did not answer.
    """
    _one_form(to_json, to_csv)
    path = _path(resource, None)

    async def read(pod: FusionClient) -> ResourceFacts:
        return await pod.descriptions.ask(path)

    described = _ask(config, connection, resource, read)
    facts = described.at(child)
    if facts is None:
        known = ", ".join(name for name, _ in described.below()) or "none"
        fail(f"{resource} has no children {child}. Children are: {known}.")
    attributes = [
        {
            "name": one.name,
            "type": one.type,
            "length": one.max_length or one.precision,
            "mandatory": one.mandatory,
            "updatable": one.changeable,
            "queryable": one.queryable,
            "title": one.title,
        }
        for one in facts.attributes.values()
    ]
    if to_json:
        document = {
            "resource": facts.resource,
            "attributes": attributes,
            "children": [name for name, _ in facts.below()],
            "finders": {one.name: list(one.variables) for one in facts.finders},
            "actions": list(facts.actions),
            "item_actions": list(facts.item_actions),
        }
        typer.echo(as_json(document))
    elif to_csv:
        typer.echo(as_csv(attributes), nl=False)
    else:
        _print_description(facts, attributes)


def lookup(
    kind: Annotated[Kind, typer.Argument(help="What is looked for.")],
    name: Annotated[str, typer.Argument(help="Its name; left out: all there are, of short lists.")] = "",
    ledger: Annotated[str, typer.Option(help="Name of the ledger, for accounts and periods.")] = "",
    value_set: Annotated[str, typer.Option("--set", help="Code of the value set, for values.")] = "",
    on: Annotated[
        dt.datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Day, for accounts and periods; else today.")
    ] = None,
    application: Annotated[str, typer.Option(help="Whose periods: gl or ar.")] = "gl",
    separator: Annotated[str, typer.Option(help="Between the segments of an account.")] = "-",
    to_json: JsonOption = False,
    to_csv: CsvOption = False,
    connection: ConnectionOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Look up a name that the books or the rules use, and see what is near when it is wrong.

    Exit code 0: found. 1: not found, or refused. 3: the pod did not answer.
    """
    _one_form(to_json, to_csv)
    if kind in (Kind.ACCOUNT, Kind.PERIOD) and not ledger:
        fail(f"Say of which ledger: --ledger NAME. `ml-connector fusion lookup {Kind.LEDGER}` lists them.", code=2)
    if kind is Kind.VALUE and not value_set:
        fail("Say of which value set: --set CODE.", code=2)
    if kind in (Kind.ACCOUNT, Kind.CUSTOMER, Kind.ITEM) and not name:
        fail(f"Say which {kind}.", code=2)
    if application not in APPLICATIONS:
        fail(f"Use --application {' or '.join(APPLICATIONS)}.", code=2)
    day = on.date() if on else None

    async def read(pod: FusionClient) -> Found:
        if kind is Kind.ACCOUNT:
            return await pod.names.account(name, ledger, day or dt.datetime.now(dt.UTC).date(), separator)
        if kind is Kind.PERIOD:
            return await pod.names.period(ledger, name, day, APPLICATIONS[application])
        if kind is Kind.CUSTOMER:
            return await pod.names.customer(name)
        if kind is Kind.ITEM:
            return await _item(pod, name)
        if kind is Kind.VALUE:
            return await pod.names.value(value_set, name)
        return await pod.names.listed(kind.value.replace("-", " "), name)

    found = _ask(config, connection, "", read)
    rows, hidden = cleaned(found.rows)
    if to_json:
        typer.echo(as_json(rows))
    elif to_csv:
        typer.echo(as_csv(rows), nl=False)
    elif len(rows) == 1:
        _print_item(rows[0])
    elif rows:
        _print_rows(rows, ())
    _notes(
        found.sentence,
        f"Hidden, because it may tell of a person: {', '.join(hidden)}." if hidden else "",
    )
    if not rows:
        like = f" There is: {', '.join(found.near)}." if found.near else ""
        nothing = f'There is no {found.kind} "{found.name}".{like}' if found.name and not found.sentence else ""
        fail(" ".join(filter(None, (nothing, found.why_empty))) or "Nothing was found.")


async def _item(pod: FusionClient, number: str) -> Found:
    item = await pod.items.find(number, categories=True)
    if item is not None:
        return Found(kind="item", name=number, rows=(item.model_dump(mode="json", exclude={"path", "changed_by"}),))
    why = await pod.items.why_empty()
    return Found(kind="item", name=number, why_empty=f"{why.sentence} {why.remedy}".strip())


# Asking


def _ask(config: Path, wanted: str | None, resource: str, read: Callable[[FusionClient], Awaitable[T]]) -> T:
    configuration = configured(config).configuration
    pod = _pod(configuration, wanted)
    return run(_asked(configuration, pod, resource, read))


async def _asked(
    configuration: Configuration, pod: str, resource: str, read: Callable[[FusionClient], Awaitable[T]]
) -> T:
    async with open_probes(configuration, only=pod) as opened:
        if opened.outdated:
            fail(opened.outdated)
        if pod not in opened.fusions:
            fail(str(SecretMissingError(pod, CLIENT_SECRET)))
        client = opened.fusions[pod]
        try:
            return await read(client)
        except VendorError as error:
            await _refused(client, resource, error)


async def _refused(pod: FusionClient, resource: str, error: VendorError) -> NoReturn:
    """Ends the command with what went wrong and what to do about it."""
    name = resource.strip("/").split("/")[0]
    remedy = error.remedy
    if isinstance(error, Unauthorized):
        remedy += f" Then: ml-connector connections test {pod.connection.id}"
    elif isinstance(error, Forbidden):
        paths = {path.resource: path.privilege for path in (*FUSION_PATHS, RECEIVABLES_PATH)}
        needed = paths.get(name, "a job role with the privilege of this resource")
        remedy = f"The role is missing: give the integration user {needed}."
    elif isinstance(error, NotFound) and name and not await _exists(pod, name):
        near = await near_names(pod, name)
        meant = f" Is one of these meant: {', '.join(near)}?" if near else ""
        fail(redactor(f"{pod.connection.id} has no resource {name}, or not for this user.{meant}"))
    elif isinstance(error, NotFound) and name:
        remedy = "Keys may be opaque: find the item with --q and take the key from its address."
    fail(redactor(f"{error.sentence} {remedy}".strip()), code=3 if error.resolution in UNANSWERED else 1)


async def _exists(pod: FusionClient, name: str) -> bool:
    try:
        await pod.probe(name)
    except NotFound:
        return False
    except VendorError:
        return True
    return True


def _pod(configuration: Configuration, wanted: str | None) -> str:
    if wanted is not None:
        if not isinstance(connection_named(configuration, wanted), FusionConnection):
            fail(f"{wanted} is not an Oracle Fusion pod.", code=2)
        return wanted
    pods = [one.id for one in configuration.connections if isinstance(one, FusionConnection)]
    if len(pods) != 1:
        fail(f"Say which pod: --connection {' or --connection '.join(pods) or 'ID'}.", code=2)
    return pods[0]


def _path(resource: str, key: str | None) -> str:
    """Resource and key as a path. Nothing that would leave the version, or carry a question, is let through."""
    path = "/".join(filter(None, (resource.strip("/"), key)))
    if any(part in ("", ".", "..") for part in path.split("/")) or any(one in path for one in "?#%\\ "):
        fail(f"{path} is not a resource or a path below one.", code=2)
    return path


def _one_form(to_json: bool, to_csv: bool) -> None:
    if to_json and to_csv:
        fail("Choose --json or --csv.", code=2)


# Showing


def _print_rows(rows: Sequence[Mapping[str, Any]], wanted: Sequence[str]) -> None:
    names = few_columns(rows, wanted)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in names:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(escape(cell(row.get(name))) for name in names))
    output.print(table)
    left = len({name for row in rows for name in row}) - len(names)
    if left and not wanted:
        output.print(f"{left} more attributes: --fields A,B or --json", highlight=False, style="dim")


def _print_item(row: Mapping[str, Any]) -> None:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in row.items():
        if cell(value):
            table.add_row(escape(name), escape(cell(value)))
    output.print(table)
    for name, value in row.items():
        children = value.get("items") if isinstance(value, Mapping) else value
        if isinstance(children, list) and children and all(isinstance(one, Mapping) for one in children):
            output.print(f"\n[bold]{escape(name)}[/]", highlight=False)
            _print_rows(children, ())


def _print_description(facts: ResourceFacts, attributes: Sequence[Mapping[str, Any]]) -> None:
    table = Table("attribute", "type", "length", "mandatory", "updatable", "queryable", box=None, header_style="bold")
    for one in attributes:
        flags = ("yes" if one[name] else "" for name in ("mandatory", "updatable", "queryable"))
        table.add_row(escape(str(one["name"])), str(one["type"]), cell(one["length"]), *flags)
    output.print(table)
    told = {
        "children": [name for name, _ in facts.below()],
        "finders": [f"{one.name}({', '.join(one.variables)})" if one.variables else one.name for one in facts.finders],
        "actions": facts.actions,
        "actions of an item": facts.item_actions,
    }
    for title, names in told.items():
        if names:
            output.print(f"[bold]{title}[/] {escape(', '.join(names))}", highlight=False, soft_wrap=True)


def _notes(*sentences: str) -> None:
    """Beside the answer, not in it: files stay what they are."""
    for sentence in filter(None, sentences):
        errors.print(redactor(sentence), markup=False, highlight=False, soft_wrap=True)
