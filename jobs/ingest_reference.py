"""Take in new files of subscribers, plans, bills, recharges, services, campaigns, surveys, handsets and cells; derive the lives of numbers."""

from churnlake.core.job import Run
from churnlake.core.lake import Lake
from churnlake.landing import reference
from churnlake.landing.lives import lives
from churnlake.tables.raw import (
    RAW_ANSWERS,
    RAW_BILLS,
    RAW_CELLS,
    RAW_HANDSETS,
    RAW_OPT_OUTS,
    RAW_PLANS,
    RAW_RECHARGES,
    RAW_SUBSCRIBERS,
    RAW_SUBSCRIPTIONS,
    RAW_TOUCHES,
)
from churnlake.tables.reference import (
    ANSWERS,
    BILLS,
    CELLS,
    HANDSETS,
    LIVES,
    OPT_OUTS,
    PLANS,
    RECHARGES,
    SUBSCRIBERS,
    SUBSCRIPTIONS,
    TOUCHES,
)
from jobs import job

FEEDS = (
    (RAW_SUBSCRIBERS, SUBSCRIBERS, reference.subscribers), (RAW_PLANS, PLANS, reference.plans), (RAW_BILLS, BILLS, reference.bills),
    (RAW_RECHARGES, RECHARGES, reference.recharges), (RAW_SUBSCRIPTIONS, SUBSCRIPTIONS, reference.subscriptions),
    (RAW_TOUCHES, TOUCHES, reference.touches), (RAW_ANSWERS, ANSWERS, reference.answers),
    (RAW_OPT_OUTS, OPT_OUTS, reference.opt_outs), (RAW_HANDSETS, HANDSETS, reference.handsets), (RAW_CELLS, CELLS, reference.cells),
)  # fmt: skip


@job(may_read=tuple(raw for raw, _, _ in FEEDS), writes=(*(table for _, table, _ in FEEDS), LIVES))
def ingest_reference(lake: Lake, run: Run) -> None:
    """One row per row delivered, into the reference tables; one row per user in reference.lives."""
    for raw, table, cleaned in FEEDS:
        if lake.has(raw):
            opaque = lake.landing.feed(raw).numbers == "opaque"
            lake.write(table, cleaned(lake.read(raw), lake.key, run.settings.landing, run.settings.store.city_zone, opaque))
    if lake.has(RAW_SUBSCRIBERS):
        lake.write(LIVES, lives(lake.read(SUBSCRIBERS, as_of_run=False)))


if __name__ == "__main__":
    ingest_reference.main()
