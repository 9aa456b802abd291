"""Whether what is said of customers fits together: groups, business units and the reference sets of their sites."""

from collections.abc import Iterator

from contracts.configuration import Configuration, FusionConnection
from mapping.customers import business_units
from runtime.configuring.disagreement import Disagreement
from runtime.configuring.positions import Path


def customers_agree(configuration: Configuration) -> Iterator[Disagreement]:
    kept: dict[str, str] = {}
    pods = {one.id: one for one in configuration.connections}
    for index, integration in enumerate(configuration.integrations):
        policy = integration.customers
        here: Path = ("integrations", index, "customers")
        if not policy.enabled:
            continue
        first = kept.setdefault(integration.source, integration.id)
        if first != integration.id:
            yield Disagreement(
                path=(*here, "enabled"),
                sentence=f"Customers of {integration.source} are kept equal by {first} already.",
                remedy="Enable customers in one integration of a shop.",
            )
        if not policy.groups:
            yield Disagreement(
                path=here,
                sentence=f"Customers of {integration.source} are to get accounts, but no customer group is named.",
                remedy='Name the shop\'s groups whose members get one: groups = ["2"].',
            )
        pod = pods.get(integration.fusion)
        known = pod.customers.reference_sets if isinstance(pod, FusionConnection) else {}
        for unit in business_units(integration):
            if known and unit not in known:
                yield Disagreement(
                    path=here,
                    sentence=f'Accounts are to have sites in business unit "{unit}", whose reference data set '
                    f"{integration.fusion} does not name.",
                    remedy="Add its id to customers.reference_sets of the connection.",
                )
