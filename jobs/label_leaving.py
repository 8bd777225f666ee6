"""Say who left, and since when that is known."""

import datetime as dt

from churnlake.churn import leaving
from churnlake.core.job import Run
from churnlake.core.lake import Lake
from churnlake.tables.churn import LEAVINGS
from churnlake.tables.daily import USAGE
from churnlake.tables.reference import RECHARGES, SUBSCRIBERS
from jobs import job


@job(reads=(USAGE,), may_read=(SUBSCRIBERS, RECHARGES), writes=(LEAVINGS,))
def label_leaving(lake: Lake, run: Run) -> None:
    """One row per user who left and the day that was confirmed."""
    settings = run.settings.churn
    since = run.days.first - dt.timedelta(days=settings.looks_back_days)
    subscribers = lake.read(SUBSCRIBERS) if lake.has(SUBSCRIBERS) else None
    recharges = lake.read(RECHARGES, first=since) if lake.has(RECHARGES) else None
    if subscribers is None:
        run.leaves_out("cancel orders, suspensions, length of silence by brand", SUBSCRIBERS)
    if recharges is None:
        run.leaves_out("recharges as signs of life", RECHARGES)
    lake.write(LEAVINGS, leaving.leavings(lake.read(USAGE, first=since), recharges, subscribers, run.days, settings))


if __name__ == "__main__":
    label_leaving.main()
