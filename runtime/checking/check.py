"""`ml-connector check`: the configuration is right, and the systems have what it names."""

import asyncio
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from contracts.configuration import FusionConnection
from runtime.checking.check_fusion import LedgerProbe, prove_fusion
from runtime.checking.check_rules import poller_finding, rule_findings
from runtime.checking.check_shop import ShopProbe, prove_shop
from runtime.checking.findings import Finding, Level
from runtime.configuring.configuration import ConfigurationFile


@dataclass(frozen=True)
class Probes:
    """Signed-in clients by connection id. A connection without one is not asked."""

    fusions: Mapping[str, LedgerProbe] = field(default_factory=dict)
    shops: Mapping[str, ShopProbe] = field(default_factory=dict)


async def check(
    file: ConfigurationFile, probes: Probes, *, today: dt.date, workers: int | None = None
) -> tuple[Finding, ...]:
    """Findings of a configuration that loads, grouped by subject.

    `workers`: processes planned for every worker group; by default what the file says.
    """
    counts = ", ".join(
        f"{len(rows)} {name}"
        for name, rows in (
            ("connections", file.configuration.connections),
            ("integrations", file.configuration.integrations),
            ("mapping sets", file.configuration.mapping_sets),
        )
    )
    found = [
        Finding(level=Level.OK, subject=str(file.path), sentence=f"It is complete and agrees with itself: {counts}.")
    ]
    found += rule_findings(file)
    found.append(poller_finding(file, workers))
    proofs = []
    for connection in file.configuration.connections:
        if isinstance(connection, FusionConnection):
            if (pod := probes.fusions.get(connection.id)) is not None:
                proofs.append(prove_fusion(file, connection, pod, today))
        elif (shop := probes.shops.get(connection.id)) is not None:
            proofs.append(prove_shop(file, connection, shop))
    for proved in await asyncio.gather(*proofs):
        found += proved
    return tuple(found)
