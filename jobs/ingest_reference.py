"""Take in new files of subscribers, plans, bills, recharges, services, campaigns, surveys, handsets and cells; derive the lives of numbers; fill the vault."""

from pyspark.sql import functions as F

from churnlake.core.erased import hand_on
from churnlake.core.job import Run
from churnlake.core.lake import Lake
from churnlake.landing import reference, vault
from churnlake.landing.lives import lives
from churnlake.tables.raw import (
    RAW_ANSWERS,
    RAW_BILLS,
    RAW_CELLS,
    RAW_HANDSETS,
    RAW_JOINING_REVIEWS,
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
    JOINING_REVIEWS,
    LIVES,
    OPT_OUTS,
    PLANS,
    RECHARGES,
    SUBSCRIBERS,
    SUBSCRIPTIONS,
    TOUCHES,
)
from churnlake.tables.vault import NUMBERS
from jobs import job

FEEDS = (
    (RAW_SUBSCRIBERS, SUBSCRIBERS, reference.subscribers), (RAW_PLANS, PLANS, reference.plans), (RAW_BILLS, BILLS, reference.bills),
    (RAW_RECHARGES, RECHARGES, reference.recharges), (RAW_SUBSCRIPTIONS, SUBSCRIPTIONS, reference.subscriptions),
    (RAW_TOUCHES, TOUCHES, reference.touches), (RAW_ANSWERS, ANSWERS, reference.answers),
    (RAW_OPT_OUTS, OPT_OUTS, reference.opt_outs), (RAW_JOINING_REVIEWS, JOINING_REVIEWS, reference.joining_reviews),
    (RAW_HANDSETS, HANDSETS, reference.handsets), (RAW_CELLS, CELLS, reference.cells),
)  # fmt: skip


@job(may_read=tuple(raw for raw, _, _ in FEEDS), writes=(*(table for _, table, _ in FEEDS), LIVES, NUMBERS))
def ingest_reference(lake: Lake, run: Run) -> None:
    """One row per row delivered, into the reference tables; one row per user in reference.lives, one per number in the vault."""
    settings, zone = run.settings.landing, run.settings.store.city_zone
    lake.write_all(
        {
            table: cleaned(lake.read(raw), lake.key, settings, zone, lake.landing.feed(raw).is_opaque)
            for raw, table, cleaned in FEEDS
            if lake.has(raw)
        }
    )
    if lake.has(RAW_SUBSCRIBERS):
        registered = lake.read(SUBSCRIBERS, as_of_run=False)
        lake.write(LIVES, lives(registered))
        # cut from the plan of its reading: a filter or join on it would pull every formula down to the lines, several times in each other
        told = lake.checkpoint(
            vault.told(lake.read(RAW_SUBSCRIBERS), lake.key, settings, lake.landing.feed(RAW_SUBSCRIBERS).is_opaque)
        )
        good = vault.of_good(told, registered.where(F.col("batch") == lake.landing.batch), lake.key)
        hand_on(lake, good)
        lake.write(NUMBERS, vault.numbers(good, lake.read(NUMBERS) if lake.has(NUMBERS) else None, lake.landing.batch))


if __name__ == "__main__":
    ingest_reference.main()
