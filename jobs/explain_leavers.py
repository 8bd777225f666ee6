"""Say why each leaver likely left, by what it shows beside those who stay; by month, what that is learnt from, what each cause costs and mending it brings."""

import datetime as dt

from pyspark.sql import functions as F

from churnlake.churn import causes, evidence
from churnlake.core.frames import frame_of
from churnlake.core.job import Run
from churnlake.core.lake import Lake
from churnlake.core.months import last_day, month_before
from churnlake.tables.causes import CAUSE_MONTHS, CAUSE_WEIGHTS, EVIDENCE, LEAVER_CAUSES
from churnlake.tables.churn import LEAVINGS
from churnlake.tables.circles import NEIGHBOURS
from churnlake.tables.daily import USAGE
from churnlake.tables.features import MONTHLY
from churnlake.tables.reentry import MATCHES, SUCCESSORS
from churnlake.tables.reference import BILLS, PLANS, SUBSCRIBERS
from jobs import job

MAY_TELL = {
    NEIGHBOURS: "neighbours who left",
    PLANS: "cheaper plans",
    BILLS: "debts of the suspended",
    MATCHES: "who came back",
    SUCCESSORS: "who is with the competitor",
    SUBSCRIBERS: "what for they came back",
}


@job(
    reads=(LEAVINGS, MONTHLY, USAGE),
    may_read=tuple(MAY_TELL),
    writes=(EVIDENCE, CAUSE_WEIGHTS, LEAVER_CAUSES, CAUSE_MONTHS),
)
def explain_leavers(lake: Lake, run: Run) -> None:
    """One row per leaver; one per month and piece of evidence, and cause with it; one per month and cause."""
    churn, due = run.settings.churn, dict(lake.planned())
    days = [dt.date.fromisoformat(day) for day in due.get(LEAVER_CAUSES, ())]
    ends = {
        table: [dt.date.fromisoformat(month) for month in due.get(table, ())] for table in (EVIDENCE, CAUSE_WEIGHTS, CAUSE_MONTHS)
    }
    if not days and not any(ends.values()):
        return
    told = {table: lake.read(table) for table in MAY_TELL if lake.has(table)}
    for table in (table for table in MAY_TELL if table not in told):
        run.leaves_out(MAY_TELL[table], table)
    first = causes.first_confirmed(days or [run.days.last], ends[CAUSE_WEIGHTS], churn.causes)
    left = lake.checkpoint(lake.read(LEAVINGS, first=first))
    # months, of some sixty or ninety days ago
    told_by = left.select(evidence.told_by(F.col("known_on"), F.col("leave_on")).alias("month")).distinct()
    gone = sorted(row["month"] for row in told_by.collect()) or [run.days.last.replace(day=1)]
    of = {month: causes.feature_month(last_day(month), churn) for month in ends[EVIDENCE]}
    months = causes.months_needed(gone, [*of.values(), *ends[CAUSE_MONTHS]], churn.causes)
    features = lake.read(MONTHLY, first=month_before(month_before(months[0])))
    shown = lake.checkpoint(evidence.held(features, told.get(NEIGHBOURS), told.get(PLANS), months, churn))
    if of:
        before = lake.read(EVIDENCE) if lake.has(EVIDENCE) else None
        lake.write(EVIDENCE, causes.evidence(shown, lake.read(LEAVINGS), before, of, churn.causes))
    near = lake.checkpoint(evidence.lately(shown, gone, churn.causes))
    told[USAGE] = lake.read(USAGE, first=evidence.first_day_needed(gone[0], churn.causes))
    pieces = lake.checkpoint(evidence.pieces(left, near, evidence.usual(near, churn.causes), told, churn))
    if ends[CAUSE_WEIGHTS]:
        learnt = causes.learnt(pieces, ends[CAUSE_WEIGHTS], churn.causes)
        lake.write(CAUSE_WEIGHTS, frame_of(lake.spark, CAUSE_WEIGHTS.schema, learnt))
    if days:
        weights = frame_of(lake.spark, CAUSE_WEIGHTS.schema, causes.starting(churn.causes))
        weights = weights.unionByName(lake.read(CAUSE_WEIGHTS)) if lake.has(CAUSE_WEIGHTS) else weights
        of_run = F.col("known_on") >= F.lit(days[0])
        lake.write(LEAVER_CAUSES, causes.causes(left.where(of_run), pieces.where(of_run), weights, churn.causes))
    if ends[CAUSE_MONTHS] and lake.has(EVIDENCE) and lake.has(LEAVER_CAUSES):
        explained = lake.read(LEAVER_CAUSES, first=ends[CAUSE_MONTHS][0])
        lake.write(CAUSE_MONTHS, causes.by_month(explained, shown, lake.read(EVIDENCE), ends[CAUSE_MONTHS], churn.causes))


if __name__ == "__main__":
    explain_leavers.main()
