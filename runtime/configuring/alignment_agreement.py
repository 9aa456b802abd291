"""Whether the comparison of shops and pods with books and rules can be made as it is asked for."""

from collections.abc import Iterator

from contracts.configuration import Configuration, FusionConnection
from runtime.configuring.disagreement import Disagreement
from runtime.configuring.positions import Path


def compared_segments_exist(configuration: Configuration) -> Iterator[Disagreement]:
    pods = {one.id: one for one in configuration.connections}
    rules = {one.id: one for one in configuration.mapping_sets}
    for index, integration in enumerate(configuration.integrations):
        mapping_set, pod = rules.get(integration.mapping_set), pods.get(integration.fusion)
        for segment, value_set in integration.alignment.segments.items():
            here: Path = ("integrations", index, "alignment", "segments", segment)
            if mapping_set is not None and segment not in mapping_set.segments:
                yield Disagreement(
                    path=here,
                    sentence=f"Mapping set {mapping_set.id} of integration {integration.id} has no segment {segment}.",
                    remedy=f"Use one of: {', '.join(mapping_set.segments)}.",
                )
            elif (
                not value_set
                and isinstance(pod, FusionConnection)
                and pod.value_sets.child
                and not pod.value_sets.cost_centers
            ):
                yield Disagreement(
                    path=here,
                    sentence=f"It is not said which value set holds the values of segment {segment}.",
                    remedy=f"Write its code there, or set value_sets.cost_centers of connection {pod.id}.",
                )
