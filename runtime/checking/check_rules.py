"""What can be said about a configuration without asking any system, beyond what makes it invalid: warnings."""

from collections.abc import Iterator
from typing import Final

from contracts.configuration import Configuration, MappingSet
from contracts.journal import Purpose
from contracts.names import WORKFLOW_QUEUE, vendor_queue
from mapping.rule_coverage import unreachable
from runtime.checking.findings import Finding, Level
from runtime.configuring.configuration import ConfigurationFile

POLLERS_PER_QUEUE: Final = 5
"""The SDK's default, for workflow and for activity tasks each."""

POLLER_LIMIT: Final = 1000
"""Of a namespace: above it the server answers polls with errors (ran)."""

EXPECTED: Final = (
    Purpose.REVENUE,
    Purpose.SHIPPING,
    Purpose.TAX,
    Purpose.CLEARING,
    Purpose.ROUNDING,
)
"""What nearly every shop needs an account for."""


def expected(configuration: Configuration, mapping_set: MappingSet) -> tuple[Purpose, ...]:
    """What the channels that use a mapping set need: for an invoice its receivable stands for the clearing account."""
    targets = {
        channel.target
        for integration in configuration.integrations
        if integration.mapping_set == mapping_set.id
        for channel in integration.channels
    }
    return tuple(one for one in EXPECTED if one is not Purpose.CLEARING or targets != {"receivable"})


def rule_findings(file: ConfigurationFile) -> Iterator[Finding]:
    """Rules that can never be chosen, and purposes that no rule covers at all."""
    for index, mapping_set in enumerate(file.configuration.mapping_sets):
        subject = f"mapping set {mapping_set.id} version {mapping_set.version}"
        numbers = {rule.id: number for number, rule in enumerate(mapping_set.rules)}
        hidden = unreachable(mapping_set)
        for one in hidden:
            name, line = file.place("mapping_sets", index, "rules", numbers[one.rule])
            yield Finding(level=Level.WARNING, subject=subject, sentence=one.sentence, file=name, line=line)
        covered = {rule.purpose for rule in mapping_set.rules}
        missing = [purpose.value for purpose in expected(file.configuration, mapping_set) if purpose not in covered]
        if missing and mapping_set.suspense is None:
            name, line = file.place("mapping_sets", index)
            yield Finding(
                level=Level.WARNING,
                subject=subject,
                sentence=f"No rule covers {', '.join(missing)}: orders with it go to review.",
                remedy="Add a rule without conditions as the last of its purpose, or configure a suspense account.",
                file=name,
                line=line,
            )
        if not hidden and not missing:
            count = len(mapping_set.rules)
            yield Finding(level=Level.OK, subject=subject, sentence=f"{count} rules, all of them reachable.")


def pollers(file: ConfigurationFile, workers: int) -> int:
    """Pollers that `workers` processes open in the namespace when each serves every queue (design rule 10)."""
    integrations = file.configuration.integrations
    queues = {vendor_queue(one.fusion) for one in integrations} | {vendor_queue(one.source) for one in integrations}
    return workers * POLLERS_PER_QUEUE * (2 + len(queues))


def poller_finding(file: ConfigurationFile, workers: int) -> Finding:
    planned = pollers(file, workers)
    if planned > POLLER_LIMIT:
        return Finding(
            level=Level.MISTAKE,
            subject="Temporal",
            sentence=f"{workers} workers would open {planned} pollers; a namespace serves {POLLER_LIMIT}.",
            remedy=f"Give workers groups of connections instead of all, so that {WORKFLOW_QUEUE} and the connections' "
            f"queues are polled by fewer, or split tenants over namespaces.",
        )
    return Finding(
        level=Level.OK,
        subject="Temporal",
        sentence=f"{workers} {'worker opens' if workers == 1 else 'workers open'} {planned} pollers; "
        f"a namespace serves {POLLER_LIMIT}.",
    )
