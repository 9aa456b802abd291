"""The registry of causes as the table of `docs/review.md`."""

from typing import Final

from contracts.causes import CAUSES, Cause

BEGIN: Final = "<!-- causes: `ml-connector review causes --markdown` -->"
END: Final = "<!-- end of causes -->"


def markdown() -> str:
    """What stands in the page between `BEGIN` and `END`."""
    waiting = [cause for cause in CAUSES if not cause.refuses]
    refusing = [cause for cause in CAUSES if cause.refuses]
    return "\n".join(
        [
            "| code | what it means | what to do | who | usually | a newer mapping releases it |",
            "|---|---|---|---|---|---|",
            *map(_row, waiting),
            "",
            "A decision that cannot be taken is refused with one of these; the document stays in review.",
            "",
            "| code | what it means | what to do |",
            "|---|---|---|",
            *(f"| `{cause.code}` | {cause.means} | {cause.remedy} |" for cause in refusing),
        ]
    )


def _row(cause: Cause) -> str:
    usual = cause.usual.replace("_", "-")
    heals = "yes" if cause.mapping_heals else ""
    return f"| `{cause.code}` | {cause.means} | {cause.remedy} | {cause.actor} | `{usual}` | {heals} |"
