"""Find the number of another network that a leaver's circle is in touch with since: likely the leaver's new one."""

import datetime as dt

from pyspark.sql import functions as F

from churnlake.core.job import Run
from churnlake.core.lake import Lake
from churnlake.reentry import elsewhere
from churnlake.tables.churn import LEAVINGS
from churnlake.tables.circles import SIGNATURES
from churnlake.tables.daily import EDGES
from churnlake.tables.reentry import SUCCESSORS
from jobs import job


@job(reads=(LEAVINGS, SIGNATURES, EDGES), writes=(SUCCESSORS,))
def trace_leavers(lake: Lake, run: Run) -> None:
    """One row per leaver whose circle has such a number; looked for once, ``successor_days`` after the leaving or when it is confirmed."""
    settings, days = run.settings.reentry, run.days
    seen = F.greatest("known_on", F.date_add("leave_on", settings.successor_days))
    since = elsewhere.first_day_needed(days, settings)
    left = lake.read(LEAVINGS, first=days.first - dt.timedelta(days=settings.successor_days)).withColumn("known_on", seen)
    left = left.where(F.col("known_on").between(F.lit(days.first), F.lit(days.last)))
    # a leaving that is confirmed late is looked at no further back than candidates are
    left = lake.checkpoint(left.where(F.col("leave_on") > F.lit(since + dt.timedelta(days=settings.circle_days))))
    others = elsewhere.away(lake.read(EDGES, first=since), settings, lake.checkpoint)
    lake.write(SUCCESSORS, elsewhere.successors(left, lake.read(SIGNATURES), others, settings, lake.checkpoint))


if __name__ == "__main__":
    trace_leavers.main()
