"""Read from who wakes after how long a silence whether the lengths set to confirm leaving are long enough."""

from churnlake.churn import silence
from churnlake.core.job import Run
from churnlake.core.lake import Lake
from churnlake.tables.daily import USAGE
from churnlake.tables.reference import RECHARGES, SUBSCRIBERS
from churnlake.tables.staying import SILENCES
from jobs import job


@job(reads=(USAGE,), may_read=(RECHARGES, SUBSCRIBERS), writes=(SILENCES,))
def watch_silence(lake: Lake, run: Run) -> None:
    """One row per month that ends within the run, brand and length of silence."""
    settings, months = run.settings.churn, run.months("silences")
    if not months:
        return
    since = silence.first_day_needed(months, settings)
    recharges = lake.read(RECHARGES, first=since) if lake.has(RECHARGES) else None
    subscribers = lake.read(SUBSCRIBERS) if lake.has(SUBSCRIBERS) else None
    if recharges is None:
        run.leaves_out("recharges as signs of life", RECHARGES)
    if subscribers is None:
        run.leaves_out("brands, and cancel orders, after which no number wakes", SUBSCRIBERS)
    lake.write(SILENCES, silence.waking(lake.read(USAGE, first=since), recharges, subscribers, months, settings))
    newest = silence.asked_for(lake.read(SILENCES, first=months[-1])).orderBy("brand").collect()
    run.facts["told"] = [told for row in newest if (told := silence.warning(row.asDict(), settings))]


if __name__ == "__main__":
    watch_silence.main()
