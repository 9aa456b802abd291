"""Whether worker groups fit together: each connection is in one, and each group serves something."""

from collections.abc import Iterator

from contracts.configuration import Configuration
from contracts.worker_groups import DEFAULT_GROUP
from runtime.configuring.disagreement import Disagreement
from runtime.configuring.positions import Path


def worker_groups_agree(configuration: Configuration) -> Iterator[Disagreement]:
    tenants = {one.id for one in configuration.tenants}
    connections = {one.id: one.tenant for one in configuration.connections}
    names: set[str] = set()
    owner: dict[str, str] = {}
    for index, group in enumerate(configuration.worker_groups):
        here: Path = ("worker_groups", index)
        if group.name == DEFAULT_GROUP or group.name in names:
            yield Disagreement(
                path=(*here, "name"),
                sentence=f'The worker group "{group.name}" is there already'
                + (": it holds what no group names." if group.name == DEFAULT_GROUP else "."),
                remedy="Give this one another name.",
            )
        names.add(group.name)
        for kind, wanted, known in (
            ("tenant", group.tenants, tenants),
            ("connection", group.connections, connections),
        ):
            for number, one in enumerate(wanted):
                if one not in known:
                    yield Disagreement(
                        path=(*here, f"{kind}s", number),
                        sentence=f'There is no {kind} "{one}" for worker group "{group.name}".',
                        remedy=f"Use one of: {', '.join(sorted(known))}.",
                    )
        held = [one for one, tenant in connections.items() if group.holds(one, tenant)]
        if not held:
            yield Disagreement(
                path=here,
                sentence=f'Worker group "{group.name}" holds no connection: its workers would have nothing to do.',
                remedy="Name tenants or connections, or remove the group.",
            )
        for one in held:
            if (other := owner.setdefault(one, group.name)) != group.name:
                yield Disagreement(
                    path=here,
                    sentence=f'Connection {one} is in worker groups "{other}" and "{group.name}".',
                    remedy="A connection belongs to one group, whose workers share what its account allows.",
                )
