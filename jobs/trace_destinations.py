"""Say of each leaver how probably back to us, to the competitor or elsewhere, and tell by month how the bucket leaks."""

import datetime as dt

from pyspark.sql import functions as F

from churnlake.churn import destinations
from churnlake.core.job import Run
from churnlake.core.lake import Lake
from churnlake.tables.churn import LEAVINGS
from churnlake.tables.daily import USAGE
from churnlake.tables.reentry import JOINERS, MATCHES, SUCCESSORS
from churnlake.tables.staying import BUCKET, DESTINATIONS
from jobs import job


@job(reads=(LEAVINGS, USAGE, JOINERS, MATCHES, SUCCESSORS), writes=(DESTINATIONS, BUCKET))
def trace_destinations(lake: Lake, run: Run) -> None:
    """One row per leaver of whom all is told within the run; one per month and flow."""
    settings, days = run.settings.churn, run.days
    how, before = settings.destinations, days.first - dt.timedelta(days=1)
    left = lake.checkpoint(
        destinations.due(lake.read(LEAVINGS, first=destinations.first_leaving(days, settings)), days, settings)
    )
    since = left.agg(F.date_sub(F.min("leave_on"), how.signs_days).alias("day")).collect()[0]["day"]
    usage = lake.read(USAGE, first=since or days.first)
    rows = lake.checkpoint(destinations.evidence(left, lake.read(MATCHES), lake.read(SUCCESSORS), usage, settings))
    seen = destinations.patterns(rows)
    if lake.has(DESTINATIONS):
        earlier = destinations.patterns(lake.read(DESTINATIONS, last=before)).withColumnRenamed("leavers", "told_before")
        seen = seen.join(earlier, on=["month", "ratio"], how="full").selectExpr(
            "month", "ratio", "coalesce(leavers, 0D) + coalesce(told_before, 0D) as leavers"
        )
    told = sorted({day.replace(day=1) for day in days.each()})
    shares = destinations.mixes([row.asDict() for row in seen.collect()], told, how)
    lake.write(DESTINATIONS, destinations.destinations(rows, shares, settings))
    months = destinations.bucket_months(days, settings)
    if months:
        lake.write(BUCKET, destinations.bucket(lake.read(JOINERS), lake.read(DESTINATIONS, first=months[0]), months, settings))


if __name__ == "__main__":
    trace_destinations.main()
