"""What comparing shops and pods with the books and rules between them has found, as findings."""

from collections.abc import Iterable, Iterator

from runtime.checking.findings import Finding, Level
from runtime.operations.alignment_standing import AlignmentStanding


def alignment_findings(standings: Iterable[AlignmentStanding]) -> list[Finding]:
    """What Fusion would refuse is a mistake; what sends single orders to review is a warning. One per integration: the
    details are in `ml-connector alignment`."""
    return [finding for one in standings for finding in _findings(one)]


def _findings(standing: AlignmentStanding) -> Iterator[Finding]:
    row = standing.newest
    if row is not None and row.misaligned and row.bad_since is not None:
        first = next((one for one in row.misalignments if one.is_grave), row.misalignments[0])
        more = row.misaligned - first.count
        others = f" {more} more {'does' if more == 1 else 'do'} not fit either." if more > 0 else ""
        yield Finding(
            level=Level.MISTAKE if row.is_grave else Level.WARNING,
            subject=standing.integration,
            sentence=f"{first.sentence}{others} Since {row.bad_since:%Y-%m-%d}.",
            remedy=f"{first.remedy} All of them: ml-connector alignment {standing.integration}",
        )
    if standing.overdue:
        yield Finding(
            level=Level.WARNING,
            subject=standing.integration,
            sentence="Nobody has compared shop and pod with its books and rules for more than a week.",
            remedy=f"Look at the schedule {standing.schedule} and its newest run in the Temporal UI.",
        )
