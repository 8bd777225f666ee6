"""Say why each leaver likely left, by evidence that tells leavers from those who stay; by month, what each cause costs and mending it brings."""

import datetime as dt

from churnlake.churn import causes
from churnlake.core.job import Run
from churnlake.core.lake import Lake
from churnlake.core.months import last_day, month_before
from churnlake.tables.causes import CAUSE_MONTHS, EVIDENCE, LEAVER_CAUSES
from churnlake.tables.churn import LEAVINGS
from churnlake.tables.circles import NEIGHBOURS
from churnlake.tables.daily import USAGE
from churnlake.tables.features import MONTHLY
from churnlake.tables.reentry import MATCHES
from churnlake.tables.reference import BILLS, PLANS, SUBSCRIBERS
from jobs import job

MAY_TELL = {
    NEIGHBOURS: "neighbours who left",
    PLANS: "cheaper plans",
    BILLS: "debts of the suspended",
    MATCHES: "who came back",
    SUBSCRIBERS: "what for they came back",
}


@job(reads=(LEAVINGS, MONTHLY, USAGE), may_read=tuple(MAY_TELL), writes=(EVIDENCE, LEAVER_CAUSES, CAUSE_MONTHS))
def explain_leavers(lake: Lake, run: Run) -> None:
    """One row per leaver; one per month and piece of evidence; one per month and cause."""
    churn, due = run.settings.churn, dict(lake.planned())
    days = [dt.date.fromisoformat(day) for day in due.get(LEAVER_CAUSES, ())]
    ends = {table: [dt.date.fromisoformat(month) for month in due.get(table, ())] for table in (EVIDENCE, CAUSE_MONTHS)}
    if not days and not any(ends.values()):
        return
    told = {table: lake.read(table) for table in MAY_TELL if lake.has(table)}
    for table in (table for table in MAY_TELL if table not in told):
        run.leaves_out(MAY_TELL[table], table)
    left = lake.checkpoint(lake.read(LEAVINGS, first=days[0] if days else run.days.last))
    # months, of some sixty or ninety days ago
    gone = [row["month"] for row in left.selectExpr("trunc(leave_on, 'MM') as month").distinct().collect()]
    of = {month: causes.feature_month(last_day(month), churn) for month in ends[EVIDENCE]}
    months = sorted({*gone, *map(month_before, gone), *of.values(), *ends[CAUSE_MONTHS]})
    features = lake.read(MONTHLY, first=month_before(month_before(months[0])))
    shown = lake.checkpoint(causes.held(features, told.get(NEIGHBOURS), told.get(PLANS), months, churn))
    if of:
        before = lake.read(EVIDENCE) if lake.has(EVIDENCE) else None
        lake.write(EVIDENCE, causes.evidence(shown, lake.read(LEAVINGS), before, of, churn.causes))
    weights = lake.read(EVIDENCE) if lake.has(EVIDENCE) else None
    if days:
        since = min(map(month_before, gone), default=days[0]) - dt.timedelta(
            days=churn.causes.stop_days + churn.causes.stop_normal_days
        )
        lake.write(LEAVER_CAUSES, causes.causes(left, shown, {**told, USAGE: lake.read(USAGE, first=since)}, weights, churn))
    if ends[CAUSE_MONTHS] and weights is not None:
        explained = lake.read(LEAVER_CAUSES, first=ends[CAUSE_MONTHS][0])
        lake.write(CAUSE_MONTHS, causes.by_month(explained, shown, weights, ends[CAUSE_MONTHS], churn.causes))


if __name__ == "__main__":
    explain_leavers.main()
