"""Say in which stage of leaving each customer is, day by day; at a month's end, who went from where to where, and how early leavers were warned of."""

import datetime as dt

from churnlake.churn import stages
from churnlake.core.job import Run
from churnlake.core.lake import Lake
from churnlake.core.months import month_before
from churnlake.core.runs import Days
from churnlake.tables.churn import LEAVINGS
from churnlake.tables.daily import USAGE
from churnlake.tables.features import MONTHLY
from churnlake.tables.stages import FORECASTS, LEAD_TIMES, SIGNS, STAGES, STAGES_AT_END, TRANSITIONS
from jobs import job


@job(reads=(SIGNS, LEAVINGS, USAGE, MONTHLY), may_read=(FORECASTS,), writes=(STAGES, TRANSITIONS, LEAD_TIMES, STAGES_AT_END))
def stage_users(lake: Lake, run: Run) -> None:
    """One row per user and day on which the stage changed; one per month and pair of stages, of leavers, and user."""
    ahead, due = run.settings.churn.outlook.days, dict(lake.planned())
    if due.get(STAGES):
        # what was told of earlier days is frozen, and the day's stage goes on from it
        days = Days(dt.date.fromisoformat(due[STAGES][0]), run.days.last)
        forecasts = lake.read(FORECASTS, first=days.first - dt.timedelta(days=ahead)) if lake.has(FORECASTS) else None
        if forecasts is None:
            run.leaves_out("warnings", FORECASTS)
        lake.write(
            STAGES,
            stages.changes(
                lake.read(SIGNS), forecasts, lake.read(LEAVINGS, first=days.first), lake.read(USAGE, first=days.first),
                lake.read(STAGES) if lake.has(STAGES) else None, days, ahead,
            ),
        )  # fmt: skip
    months = sorted(
        {dt.date.fromisoformat(month) for table in (TRANSITIONS, LEAD_TIMES, STAGES_AT_END) for month in due.get(table, ())}
    )
    if months:
        known, features = lake.read(STAGES), lake.read(MONTHLY, first=month_before(months[0]))
        lake.write_all(
            {
                TRANSITIONS: stages.transitions(known, features, months),
                LEAD_TIMES: stages.lead_times(known, lake.read(LEAVINGS, first=months[0]), months),
                STAGES_AT_END: stages.at_ends(known, lake.read(SIGNS), features, months),
            }
        )


if __name__ == "__main__":
    stage_users.main()
