"""Sum up each user's contacts by week, and weigh the weeks into a decayed signature at each month's end."""

import datetime as dt

from pyspark.sql import functions as F

from churnlake.circles import signatures
from churnlake.core.job import Run
from churnlake.core.lake import Lake
from churnlake.tables.circles import PEERS, SIGNATURES, WEEKS
from churnlake.tables.daily import EDGES
from jobs import job


@job(reads=(EDGES,), writes=(WEEKS, SIGNATURES, PEERS))
def build_circles(lake: Lake, run: Run) -> None:
    """One row per week, user and peer; one per user active in the month and strongest peer; one per peer."""
    days, settings = run.days, run.settings.circles
    lake.write(WEEKS, signatures.weeks(lake.read(EDGES, first=days.first - dt.timedelta(days=6))))
    months = run.months("circles")
    if not months:
        return
    since = signatures.first_day_needed(months, settings)
    summed = lake.read(WEEKS, first=since)
    known = {row["week_to"] for row in summed.select("week_to").distinct().collect()}
    # weeks that were never summed up: daily tables older than the table of weeks
    if missing := [week_to for week_to in signatures.week_ends(since, days.first) if week_to not in known]:
        edges = lake.read(EDGES, first=max(since, missing[0] - dt.timedelta(days=6)), last=missing[-1])
        summed = summed.unionByName(signatures.weeks(edges.where(F.expr(signatures.WEEK_TO).isin(missing))))
    lake.write(SIGNATURES, signatures.signatures(summed, months, settings))
    # read back rather than kept: five months of a whole city are 140 million rows, too many for memory beside the sums
    written = lake.read(SIGNATURES, first=months[0]).where(F.col("month").isin(months))
    lake.write(PEERS, signatures.peers(written))


if __name__ == "__main__":
    build_circles.main()
