"""Whether what is said of items fits together: shops, pods, and who may make what."""

from collections.abc import Iterator

from contracts.configuration import Configuration, FusionConnection
from runtime.configuring.disagreement import Disagreement
from runtime.configuring.positions import Path


def items_agree(configuration: Configuration) -> Iterator[Disagreement]:
    kept: dict[str, str] = {}
    owned: dict[tuple[str, str], str] = {}
    connections = {one.id: one for one in configuration.connections}
    for index, integration in enumerate(configuration.integrations):
        policy = integration.items
        here: Path = ("integrations", index, "items")
        if not policy.enabled:
            continue
        first = kept.setdefault(integration.source, integration.id)
        if first != integration.id:
            yield Disagreement(
                path=(*here, "enabled"),
                sentence=f"Products of {integration.source} are kept equal by {first} already.",
                remedy="Enable items in one integration of a shop.",
            )
        for field in sorted(field for field, side in policy.owner_of().items() if side == "shop"):
            owner = owned.setdefault((integration.fusion, field), integration.source)
            if owner != integration.source:
                yield Disagreement(
                    path=(*here, "owners"),
                    sentence=f"{owner} and {integration.source} both own {field} of the items of {integration.fusion}:"
                    " each would overwrite what the other one says.",
                    remedy=f'Let one shop own it; in the other one set owners.{field} = "fusion", or leave it out.',
                )
        pod = connections.get(integration.fusion)
        if not isinstance(pod, FusionConnection):
            continue
        if not pod.items.organization:
            yield Disagreement(
                path=here,
                sentence=f"Items are to be kept equal, but {pod.id} does not say of which organization.",
                remedy="Set items.organization of the connection, usually the item master's code.",
            )
        if policy.new_products == "create" and not pod.items.create:
            yield Disagreement(
                path=(*here, "new_products"),
                sentence=f"New products are to become items, but {pod.id} may not make any.",
                remedy='Set items.create of the connection, or new_products = "ignore".',
            )
