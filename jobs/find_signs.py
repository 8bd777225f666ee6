"""Find the alarm signs of leaving: who forwards to the competitor or asks it, whose use fell, who is suspended or owes."""

import datetime as dt

from churnlake.churn import falls, signs
from churnlake.core.job import Run
from churnlake.core.lake import Lake
from churnlake.core.runs import Days
from churnlake.tables.daily import USAGE
from churnlake.tables.reference import BILLS, SUBSCRIBERS
from churnlake.tables.stages import NORMALS, SIGNS
from jobs import job


@job(reads=(USAGE,), may_read=(SUBSCRIBERS, BILLS), writes=(NORMALS, SIGNS))
def find_signs(lake: Lake, run: Run) -> None:
    """One row per user, sign and day on which it appeared or ended; one per user and month that ends within the run, of normal use."""
    settings, due = run.settings.churn, dict(lake.planned())
    if months := [dt.date.fromisoformat(month) for month in due.get(NORMALS, ())]:
        since = min(months) - dt.timedelta(days=7 * settings.signs.fall.normal_weeks)
        lake.write(NORMALS, falls.normals(lake.read(USAGE, first=since), months, settings.signs.fall))
    if not due.get(SIGNS):
        return
    # what was told of earlier days is frozen, and the day's state goes on from it
    days = Days(dt.date.fromisoformat(due[SIGNS][0]), run.days.last)
    normals = lake.read(NORMALS) if lake.has(NORMALS) else None
    if normals is None:
        run.leaves_out("own use that fell", NORMALS)
    told = {}
    for table, what in ((SUBSCRIBERS, "suspensions and cancel orders"), (BILLS, "arrears")):
        if lake.has(table):
            told[table] = lake.read(table)
        else:
            run.leaves_out(what, table)
    lake.write(
        SIGNS,
        signs.signs(
            lake.read(USAGE, first=signs.first_day_needed(days, settings)), normals, told.get(SUBSCRIBERS), told.get(BILLS),
            lake.read(SIGNS) if lake.has(SIGNS) else None, days, settings,
        ),
    )  # fmt: skip


if __name__ == "__main__":
    find_signs.main()
