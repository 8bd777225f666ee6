"""Work out every indicator of each user at each month's end."""

from churnlake.core.job import Run
from churnlake.core.lake import Lake
from churnlake.tables.churn import LEAVINGS
from churnlake.tables.daily import DEVICES, EDGES, PLACES, USAGE
from churnlake.tables.features import MONTHLY
from churnlake.tables.reference import BILLS, HANDSETS, PLANS, RECHARGES, SUBSCRIBERS
from churnlake.usage import features
from jobs import job

LEFT_OUT = {
    SUBSCRIBERS: "basic indicators",
    PLANS: "plan fees",
    BILLS: "bills and arrears",
    RECHARGES: "recharge indicators",
    HANDSETS: "handset makers and abilities",
}


@job(reads=(USAGE, EDGES, PLACES, DEVICES, LEAVINGS), may_read=tuple(LEFT_OUT), writes=(MONTHLY,))
def build_features(lake: Lake, run: Run) -> None:
    """One row per user and month that ends within the run."""
    months = run.days.months()
    if not months:
        return
    since = features.first_day_needed(months)
    given = {table: lake.read(table) if lake.has(table) else None for table in LEFT_OUT}
    for table, what in LEFT_OUT.items():
        if given[table] is None:
            run.leaves_out(what, table)
    rows = features.monthly(
        months,
        usage=lake.read(USAGE, first=since), edges=lake.read(EDGES, first=since), places=lake.read(PLACES, first=since),
        devices=lake.read(DEVICES, first=since),
        subscribers=given[SUBSCRIBERS], plans=given[PLANS], bills=given[BILLS],
        recharges=given[RECHARGES], handsets=given[HANDSETS], leavings=lake.read(LEAVINGS),
    )  # fmt: skip
    lake.write(MONTHLY, rows)


if __name__ == "__main__":
    build_features.main()
