"""What can be said about a configuration without asking any system, beyond what makes it invalid: warnings."""

from collections.abc import Iterator
from typing import Final

from contracts.configuration import Configuration, MappingSet
from contracts.journal import Purpose
from mapping.rule_coverage import unreachable
from runtime import pollers
from runtime.checking.findings import Finding, Level
from runtime.configuring.configuration import ConfigurationFile

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


def poller_finding(file: ConfigurationFile, workers: int | None = None) -> Finding:
    """Whether the namespace has room for the workers that are planned (design rule 10)."""
    count = workers or file.configuration.workers_expected
    planned = pollers.planned(file.configuration, count)
    groups = pollers.groups(file.configuration)
    who = f"{count} {'worker' if count == 1 else 'workers'}"
    if len(groups) > 1:
        who += f" in each of {len(groups)} groups"
    if planned > pollers.LIMIT:
        name, line = file.place("workers_expected")
        queues = len(pollers.active_connections(file.configuration))
        return Finding(
            level=Level.MISTAKE,
            subject="Temporal",
            sentence=f"{who} would open {planned} pollers for {queues} connections; a namespace serves "
            f"{pollers.LIMIT}, and refuses the others.",
            remedy="Plan fewer workers, or split the connections: worker groups ([[worker_groups]], `worker --group`) "
            "open a connection's pollers in the workers of its group only; beyond that, another namespace.",
            file=name,
            line=line,
        )
    return Finding(
        level=Level.OK,
        subject="Temporal",
        sentence=f"{who} {'opens' if count == 1 and len(groups) == 1 else 'open'} {planned} pollers; "
        f"a namespace serves {pollers.LIMIT}.",
    )
