"""Hold what the counter's check said against what handset (t1) and circle (t2) say since; keep which joining bonuses wait for a person."""

from churnlake.core.job import Run
from churnlake.core.lake import Lake
from churnlake.reentry import joining
from churnlake.tables.joining import BONUS_REVIEWS, JOINING_CHECKS, JOINING_FOLLOW_UPS
from churnlake.tables.reentry import JOINERS, MATCHES, PAIRS
from churnlake.tables.reference import JOINING_REVIEWS
from jobs import job


@job(reads=(JOINERS, PAIRS, MATCHES), may_read=(JOINING_CHECKS, JOINING_REVIEWS), writes=(JOINING_FOLLOW_UPS, BONUS_REVIEWS))
def follow_joining(lake: Lake, run: Run) -> None:
    """One row per activation and stage into reentry.joining_follow_ups; one per bonus of a known customer into reentry.bonus_reviews."""
    if not lake.has(JOINING_CHECKS):
        run.leaves_out("what became of activations, and bonuses to review", JOINING_CHECKS)
        return
    checks = lake.read(JOINING_CHECKS)
    since = run.days.first
    lake.write(
        JOINING_FOLLOW_UPS, joining.follow_ups(checks, *(lake.read(table, first=since) for table in (JOINERS, PAIRS, MATCHES)))
    )
    reviews = lake.read(JOINING_REVIEWS, as_of_run=False) if lake.has(JOINING_REVIEWS) else None
    lake.write(BONUS_REVIEWS, joining.bonus_reviews(lake.read(JOINING_CHECKS, as_of_run=False), reviews))


if __name__ == "__main__":
    follow_joining.main()
