"""Work out every indicator of each user at each month's end."""

import datetime as dt
from collections.abc import Iterable

from pyspark.sql import DataFrame

from churnlake.churn import declines
from churnlake.core.job import Run
from churnlake.core.lake import Lake
from churnlake.indicators import ALL_ITEMS, INDICATORS
from churnlake.indicators.checks import refuse_wrong
from churnlake.tables.churn import LEAVINGS
from churnlake.tables.daily import DEVICES, EDGES, PLACES, USAGE
from churnlake.tables.features import DECLINES, ITEMS, MONTHLY
from churnlake.tables.reference import BILLS, CELLS, HANDSETS, PLANS, RECHARGES, SUBSCRIBERS, SUBSCRIPTIONS, TOUCHES
from churnlake.usage.features import features, first_day_needed
from jobs import job

DAILY = (USAGE, EDGES, PLACES, DEVICES)
LEFT_OUT = {
    SUBSCRIBERS: "basic indicators and comparisons within a plan",
    PLANS: "plan fees",
    BILLS: "bills and arrears",
    RECHARGES: "recharge indicators",
    SUBSCRIPTIONS: "services taken",
    TOUCHES: "campaign contacts",
    HANDSETS: "handset makers and abilities",
    CELLS: "distances between cells",
}


@job(reads=(*DAILY, LEAVINGS), may_read=tuple(LEFT_OUT), writes=(MONTHLY, ITEMS, DECLINES), declared=refuse_wrong)
def build_features(lake: Lake, run: Run) -> None:
    """One row per user and month that ends within the run; in features.declines also of users silent in it."""
    months = run.months("features")
    if not months:
        return
    since = first_day_needed(months)
    given = {table: lake.read(table, first=since) for table in DAILY} | {LEAVINGS: lake.read(LEAVINGS)}
    run.left_out += without_records(months, given[USAGE])
    for table, what in LEFT_OUT.items():
        if lake.has(table):
            given[table] = lake.read(table)
        else:
            run.leaves_out(what, table)
    home = run.settings.landing.home_area
    made = {table: features(months, given, home, asked) for table, asked in ((MONTHLY, INDICATORS), (ITEMS, ALL_ITEMS))}
    used = lake.read(USAGE, first=declines.first_day_needed(months))
    lake.write_all({**made, DECLINES: declines.declines(used, months)})


def without_records(months: Iterable[dt.date], usage: DataFrame) -> list[str]:
    """Of the months those in which nobody did anything, in words."""
    seen = {row["month"] for row in usage.selectExpr("trunc(day, 'MM') AS month").distinct().collect()}
    return [f"features of {month:%Y-%m}: no records in it; nothing to build" for month in months if month not in seen]


if __name__ == "__main__":
    build_features.main()
