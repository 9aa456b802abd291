"""Connecting to Temporal: the same environment variables and profiles as Temporal's own tools, plus our plugin."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, Final, TypeVar

import structlog
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client, Plugin
from temporalio.envconfig import ClientConfig
from temporalio.runtime import Runtime
from temporalio.service import RPCError, RPCStatusCode

from contracts.configuration import TemporalSettings
from contracts.names import SEARCH_ATTRIBUTES
from runtime.temporal.plugin import MlConnectorPlugin
from store.keys.keyring import KeyRing

_WORDS: Final = (
    ("connection refused", "connection refused"),
    ("dns error", "there is no host of this name"),
    ("failed to lookup", "there is no host of this name"),
    ("timed out", "no answer in time"),
    ("deadline", "no answer in time"),
    ("unreachable", "its network cannot be reached"),
    ("certificate", "its certificate is not accepted"),
    ("invalidmessage", "TLS is expected on one side only"),
    ("http2", "it does not speak gRPC, or expects TLS"),
    ("unauthenticated", "the credentials are refused"),
    ("permissiondenied", "the credentials are refused"),
)
"""What the SDK's text holds, in lower case -> what a person reads."""

DEFAULT_ADDRESS: Final = "localhost:7233"

_PASSING: Final = frozenset(
    {
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.RESOURCE_EXHAUSTED,
        RPCStatusCode.ABORTED,
        RPCStatusCode.INTERNAL,
        RPCStatusCode.UNKNOWN,
        RPCStatusCode.CANCELLED,
    }
)
"""What a server answers that is starting, or busy; the SDK calls a request that it gave up cancelled."""
_UNHEARD: Final = frozenset({RPCStatusCode.CANCELLED, RPCStatusCode.DEADLINE_EXCEEDED})
ONE_REQUEST: Final = 10.0
"""Seconds after which a request without an answer is given up, and made again while there is patience."""

T = TypeVar("T")

_log = structlog.stdlib.get_logger(__name__)


class TemporalUnreachableError(Exception):
    """Temporal did not answer within the patience given. The sentence names the address and what to look at."""


class SearchAttributesError(Exception):
    """A search attribute has another type, or may not be added by us. The sentence holds the command for a person."""


def connect_options(settings: TemporalSettings) -> dict[str, Any]:
    """Arguments of `Client.connect` from `TEMPORAL_*` and the profile, overridden by the configuration file.

    Returns at least `target_host` and `namespace`; may hold an API key and TLS material: never log it.
    """
    options: dict[str, Any] = dict(ClientConfig.load_client_connect_config(settings.profile))
    if settings.address:
        options["target_host"] = settings.address
    if settings.namespace:
        options["namespace"] = settings.namespace
    options.setdefault("target_host", DEFAULT_ADDRESS)
    options.setdefault("namespace", "default")
    return options


async def connect(
    settings: TemporalSettings,
    keys: KeyRing,
    *,
    patience: float = 60.0,
    lazy: bool = False,
    announce: bool = False,
    runtime: Runtime | None = None,
    plugins: Sequence[Plugin] = (),
) -> Client:
    """A client with our plugin.

    Waits up to `patience` seconds for a server that is still starting: containers come up in any order. `lazy` returns
    at once and connects with the first call (for the gateway, which must answer while Temporal is down). `announce`
    logs that it waits, for processes whose log somebody reads; a command tells how it ended. Raises
    `TemporalUnreachableError`.
    """
    options = connect_options(settings)
    address = options["target_host"]
    gives_up_at = time.monotonic() + patience
    pause = 0.2
    while True:
        try:
            return await Client.connect(
                **options, lazy=lazy, runtime=runtime, plugins=[MlConnectorPlugin(keys), *plugins]
            )
        except RuntimeError as error:
            # The SDK reports a failed first connection as a plain RuntimeError.
            if time.monotonic() + pause > gives_up_at:
                raise TemporalUnreachableError(
                    f"Temporal at {address} does not answer after {patience:.0f} s ({_reason(error)}). "
                    f"Start it, or set TEMPORAL_ADDRESS (or [temporal] address) to where it runs."
                ) from error
            _log.debug("no connection to Temporal", address=address, error=str(error))
            (_log.info if announce else _log.debug)("waiting for Temporal", address=address, why=_reason(error))
        await asyncio.sleep(pause)
        pause = min(pause * 2, 5.0)


async def register_search_attributes(client: Client, *, patience: float = 30.0) -> tuple[str, ...]:
    """Adds those of `contracts.names.SEARCH_ATTRIBUTES` that the namespace lacks and waits until it accepts them.

    A production server lists an attribute seconds before requests may carry it: its services take note of a changed
    namespace by and by. A server that is away for a moment is waited for, up to `patience` seconds in all. Safe to
    call from every process at every start. Returns the names it added. Raises `SearchAttributesError`.
    """
    gives_up_at = time.monotonic() + patience
    known = await _registered(client, patience, gives_up_at)
    for name in SEARCH_ATTRIBUTES:
        kind = known.get(name, IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD)
        if kind != IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD:
            raise SearchAttributesError(
                f"Search attribute {name} of namespace {client.namespace} is not a Keyword. Another program owns the "
                f"name: use a namespace of its own for ml-connector."
            )
    missing = tuple(name for name in SEARCH_ATTRIBUTES if name not in known)
    if missing:
        await _add(client, missing, gives_up_at)
    while not await _accepted(client, gives_up_at):
        if time.monotonic() > gives_up_at:
            raise SearchAttributesError(
                f"Temporal accepted {', '.join(missing or SEARCH_ATTRIBUTES)} but takes no request with them after "
                f"{patience:.0f} s. {_by_hand(client, missing or SEARCH_ATTRIBUTES)}"
            )
        await asyncio.sleep(0.2)
    if missing:
        _log.info("search attributes registered", names=list(missing), namespace=client.namespace)
    return missing


async def _patiently(ask: Callable[[timedelta], Awaitable[T]], gives_up_at: float) -> T:
    """The answer of a server that may be starting, or busy. Raises `RPCError`: what else it says, or what it said last
    when patience was at an end."""
    while True:
        try:
            return await ask(_time_for_one(gives_up_at))
        except RPCError as error:
            if error.status not in _PASSING or time.monotonic() >= gives_up_at:
                raise
        await asyncio.sleep(0.5)


def _time_for_one(gives_up_at: float) -> timedelta:
    return timedelta(seconds=min(max(gives_up_at - time.monotonic(), 1.0), ONE_REQUEST))


async def _registered(client: Client, patience: float, gives_up_at: float) -> dict[str, int]:
    wanted = ListSearchAttributesRequest(namespace=client.namespace)
    try:
        answer = await _patiently(
            lambda timeout: client.operator_service.list_search_attributes(wanted, timeout=timeout), gives_up_at
        )
    except RPCError as error:
        if error.status in _PASSING:
            raise SearchAttributesError(
                f"Temporal was asked for the search attributes of namespace {client.namespace} for {patience:.0f} "
                f"s and answers: {error.status.name.lower()}. See whether it is well, then start this again."
            ) from error
        raise SearchAttributesError(
            f"Temporal does not list the search attributes of namespace {client.namespace} "
            f"({error.status.name.lower()}). {_by_hand(client, SEARCH_ATTRIBUTES)}"
        ) from error
    return dict(answer.custom_attributes)


async def _accepted(client: Client, gives_up_at: float) -> bool:
    """Whether a request may carry them, by a question that does."""
    question = " AND ".join(f"{name} = 'none'" for name in SEARCH_ATTRIBUTES)
    try:
        await client.count_workflows(question, rpc_timeout=_time_for_one(gives_up_at))
    except RPCError as error:
        # Every other refusal is about the question, and says nothing about starts.
        return error.status != RPCStatusCode.INVALID_ARGUMENT and error.status not in _UNHEARD
    return True


async def _add(client: Client, missing: Sequence[str], gives_up_at: float) -> None:
    kinds = dict.fromkeys(missing, IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD)
    wanted = AddSearchAttributesRequest(namespace=client.namespace, search_attributes=kinds)
    try:
        await _patiently(
            lambda timeout: client.operator_service.add_search_attributes(wanted, timeout=timeout), gives_up_at
        )
    except RPCError as error:
        if error.status == RPCStatusCode.ALREADY_EXISTS:
            return  # another process of ours was faster, or an answer of ours was lost
        raise SearchAttributesError(
            f"Temporal refuses new search attributes in namespace {client.namespace} ({error.status.name.lower()}). "
            f"{_by_hand(client, missing)}"
        ) from error


def _by_hand(client: Client, missing: Sequence[str]) -> str:
    flags = " ".join(f"--name {name} --type Keyword" for name in missing)
    return f"Ask its administrator to run: temporal operator search-attribute create -n {client.namespace} {flags}"


def _reason(error: BaseException) -> str:
    text = str(error).lower()
    return next((words for known, words in _WORDS if known in text), "the connection failed")
