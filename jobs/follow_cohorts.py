"""Follow those who joined in a month, in heads and in revenue, and say how long joiners stay."""

import datetime as dt

from churnlake.churn import cohorts
from churnlake.core.job import Run
from churnlake.core.lake import Lake
from churnlake.tables.churn import LEAVINGS
from churnlake.tables.features import MONTHLY
from churnlake.tables.reentry import JOINERS
from churnlake.tables.reference import BILLS, SUBSCRIBERS
from churnlake.tables.staying import COHORTS, SURVIVAL
from jobs import job


@job(reads=(MONTHLY, JOINERS, LEAVINGS), may_read=(SUBSCRIBERS, BILLS), writes=(COHORTS, SURVIVAL))
def follow_cohorts(lake: Lake, run: Run) -> None:
    """One row per month told within the run, joining month and value of a dimension; one per month told, value and tenure."""
    settings = run.settings.churn
    months = cohorts.months_told(run.days, settings)
    if not months:
        run.left_out.append(f"cohorts: no month is told within {run.days}; nothing to build")
        return
    subscribers, bills = (lake.read(table) if lake.has(table) else None for table in (SUBSCRIBERS, BILLS))
    if subscribers is None:
        run.leaves_out("brand, plan and dealer of joiners", SUBSCRIBERS)
    if bills is None:
        run.leaves_out("what was billed; fees are those of records", BILLS)
    joiners = lake.read(JOINERS, first=cohorts.first_month(months, settings))
    joined = lake.checkpoint(cohorts.members(joiners, subscribers))
    before = run.days.first - dt.timedelta(days=1)
    earlier = lake.read(COHORTS, last=before) if lake.has(COHORTS) else None
    lake.write(COHORTS, cohorts.cohorts(joined, lake.read(MONTHLY, first=months[0]), bills, earlier, months, settings))
    lake.write(SURVIVAL, cohorts.survival(joined, lake.read(LEAVINGS), months, settings))


if __name__ == "__main__":
    follow_cohorts.main()
