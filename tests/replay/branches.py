"""Which saved history shows which branch of which workflow. A new branch adds a row here and a scene to record."""

from typing import Final

from contracts import names

BRANCHES: Final[dict[str, dict[str, str]]] = {
    names.ORDER_TO_JOURNAL: {
        "posted, facts of the ledger read from Fusion": "order-posted-cold",
        "posted, facts of the ledger known already": "order-posted-warm",
        "this version is settled: a status change after posting": "order-settled",
        "skipped: the status is not to be posted": "order-skipped",
        "changed while it was fetched: looked at again": "order-changed-while-fetching",
        "staged, then changed before its group was sealed": "order-changed-while-waiting",
        "staged, then cancelled: withdrawn and skipped": "order-withdrawn",
        "edited while its group was imported: posted, then in review": "order-edited-in-group",
        "cancelled while its group was imported: posted": "order-cancelled-in-group",
        "edited after posting: in review": "order-edited-after-posting",
        "the signal never came: fate read from the store": "order-reread",
        "no account for a category: in review": "order-unmapped",
        "no books for a currency: in review": "order-no-books",
        "the shop refuses the order: in review": "order-fetch-refused",
        "an outage outlasts the retries: in review": "order-outage-too-long",
        "Fusion refuses the lookup: in review": "order-lookup-refused",
        "refused by Fusion: in review": "order-refused",
        "period closed since the lookup: looked up anew and posted later": "order-period-closed",
        "the next period closed, too: in review": "order-period-closed-twice",
        "no conversion rate yet: waits for it": "order-rate-arrives",
        "no conversion rate in time: in review": "order-rate-missing",
        "in review: retried by a person and posted": "order-retried",
        "in review: retried with another mapping version": "order-retried-with-mapping",
        "in review: skipped by a person": "order-review-skipped",
        "in review: marked as posted, first with a journal that does not exist": "order-marked-posted",
        "in review: the order changed": "order-changed-in-review",
        "in review: a webhook that brings nothing new asks nobody": "order-stray-webhook",
        "in review: renewed after a month": "order-review-renewed",
        "changed on its way into review: looked at again": "order-changed-while-refused",
        "in review: decided while the shop is asked": "order-decided-while-looking",
        "in review: the changed order cannot be read": "order-unreadable-in-review",
        "cancelled after posting: in review": "order-cancelled-after-posting",
        "in review: a skip is refused while its journal is in an import": "order-skip-refused",
        "mapping cannot be done: in review": "order-not-mapped",
        "staging cannot be done: in review": "order-not-staged",
        "a long history continues as new": "order-continued",
        "reset to its beginning after it was posted": "order-reset",
        "reset while it waits, its signals left behind": "order-reset-waiting",
    },
    names.JOURNAL_GROUPS: {
        "one group, sealed by age": "groups-one",
        "one after the other, sealed by count and by age": "groups-several",
        "a refused group's neighbours go into the next": "groups-requeued",
        "a refusal that names nobody: smaller groups": "groups-halving",
        "an import that is in review lets the next group go": "groups-past-review",
        "its import was terminated: started again": "groups-import-terminated",
        "the import ended and nobody heard of it": "groups-release-lost",
        "begun anew while an import is under way": "groups-reset-during-import",
        "a long history continues as new": "groups-continued",
    },
    names.JOURNAL_IMPORT: {
        "imported and posted": "import-posted",
        "answer lost: looked for and found": "import-in-doubt",
        "refused: purged, neighbours back to the outbox": "import-refused",
        "refused without a journal being named": "import-unexplained",
        "sent and never seen: in review": "import-unknown",
        "in review: retried, still absent, declared absent": "import-declared-absent",
        "in review: retried, found by then": "import-found-on-retry",
        "in review: renewed after a month": "import-review-renewed",
        "Fusion declines the request: in review": "import-rejected",
        "imported journals cannot be found: in review": "import-missing",
        "the purge is refused: in review": "import-purge-refused",
        "not posted for a long time: paused between looks": "import-unposted",
        "posted or not cannot be read: looked at again later": "import-posting-unreadable",
        "a long history continues as new": "import-continued",
        "continued: follows until posted": "import-following",
        "nobody waits for it any more": "import-released-nobody",
    },
    names.POLL_ORDERS: {"one poll": "poll-orders"},
    names.SWEEP_ORDERS: {"one sweep": "sweep-orders"},
}


def branch_files() -> dict[str, str]:
    """History name -> workflow type."""
    return {file: flow for flow, branches in BRANCHES.items() for file in branches.values()}
