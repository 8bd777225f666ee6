"""Sum clean records into daily partials a user: use, contact edges, forwarded calls, places, handsets."""

from churnlake.core.errors import MissingInputError
from churnlake.core.job import Run
from churnlake.core.lake import Lake
from churnlake.tables.clean import RECORDS
from churnlake.tables.daily import DEVICES, EDGES, FORWARDS, PLACES, USAGE
from churnlake.tables.reference import LIVES
from churnlake.usage import daily
from jobs import job


@job(may_read=(*RECORDS, LIVES), writes=(USAGE, EDGES, FORWARDS, PLACES, DEVICES))
def build_daily(lake: Lake, run: Run) -> None:
    """One row per user and day (and peer, number sent on to, cell, handset) of the run."""
    lives = lake.read(LIVES) if lake.has(LIVES) else None
    if lives is None:
        run.leaves_out("lives of numbers (a number is one user for good)", LIVES)
    records = {table.name: lake.read(table, first=run.days.first) for table in RECORDS if lake.has(table)}
    if not records:
        raise MissingInputError("no clean records yet; run job ingest_usage first")
    for table in RECORDS:
        if table.name not in records:
            run.leaves_out(f"{table.name.partition('.')[2]} indicators", table)
    events, holders = daily.events(records), None
    if lives is not None:
        holders = daily.Holders(lives, run.days, run.settings.store.city_zone)
        events = daily.held(events, holders)
    lake.write_all(daily.partials(events, run.settings.usage, holders))


if __name__ == "__main__":
    build_daily.main()
