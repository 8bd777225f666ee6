"""Say why customers found back took a new number, how much of it was preventable, and give the operator its monthly feed."""

from churnlake.core.job import Run
from churnlake.core.lake import Lake
from churnlake.reentry import feed, motives, survey
from churnlake.tables.daily import DEVICES, USAGE
from churnlake.tables.motives import FEED, MOTIVE_SHARES, MOTIVES
from churnlake.tables.reentry import MATCHES, WEIGHTS
from churnlake.tables.reference import ANSWERS, BILLS, LIVES, PLANS, SUBSCRIBERS
from jobs import job

FACTS = {
    SUBSCRIBERS: "motives by brand, plan, number class, bonus and debt",
    PLANS: "the rehearsal of tariffs",
    BILLS: "debts",
}


@job(
    reads=(MATCHES, WEIGHTS, USAGE, DEVICES),
    may_read=(*FACTS, LIVES, ANSWERS),
    writes=(MOTIVES, MOTIVE_SHARES, FEED),
)
def describe_reentry(lake: Lake, run: Run) -> None:
    """One row per final match and its motive; one per month and motive; one per month and customer found back."""
    settings = run.settings.reentry
    since = motives.first_day_needed(run.days, settings)
    tables = {table: lake.read(table, first=since) for table in (USAGE, DEVICES)}
    for table, what in FACTS.items():
        if lake.has(table):
            tables[table] = lake.read(table)
        else:
            run.leaves_out(what, table)
    due = lake.checkpoint(lake.read(MATCHES, first=run.days.first))
    lake.write(MOTIVES, motives.motives(due, tables, settings))

    months = run.months("shares of motives and the monthly feed")
    if not months:
        return
    told = lake.read(MOTIVES, first=survey.first_month_needed(months, settings.motives))
    answers = lake.read(ANSWERS) if lake.has(ANSWERS) else None
    if answers is None:
        run.leaves_out("motives weighted by a survey, and what was preventable", ANSWERS)
    lake.write(MOTIVE_SHARES, survey.shares(told, answers, months, settings.motives))
    matches = lake.read(MATCHES)
    persons = feed.persons(matches, settings, lake.checkpoint)
    lives = lake.read(LIVES) if lake.has(LIVES) else None
    learnt = [row.asDict() for row in lake.read(WEIGHTS).collect()] if lake.has(WEIGHTS) else []
    lake.write(FEED, feed.feed(matches, told, persons, lives, learnt, months, settings))


if __name__ == "__main__":
    describe_reentry.main()
