"""Write the call lists of the run's months, numbers in clear, for the call centre; only its owner can read the files."""

from pathlib import Path

from pyspark.sql import functions as F

from churnlake.campaigns.exports import call_list, write
from churnlake.campaigns.lists import willing
from churnlake.core.errors import MissingInputError
from churnlake.core.job import Run
from churnlake.core.lake import Lake
from churnlake.tables.campaigns import LISTS
from churnlake.tables.reference import LIVES, OPT_OUTS
from churnlake.tables.vault import NUMBERS
from jobs import job


@job(reads=(LISTS, LIVES, NUMBERS), may_read=(OPT_OUTS,), on_request=True)
def export_lists(lake: Lake, run: Run) -> None:
    """One CSV file per month and cell below store.exports; no table."""
    listed = lake.read(LISTS).where(F.col("month").isin(run.days.months()))
    months = [row["month"] for row in listed.select("month").distinct().orderBy("month").collect()]
    if not months:
        there = sorted(str(row["month"])[:7] for row in lake.read(LISTS, as_of_run=False).select("month").distinct().collect())
        raise MissingInputError(
            f"no list for a month that ends in {run.days}; there are {', '.join(there) or 'none'}: give --dates with a month's last day, "
            "or run plan_campaigns"
        )
    if lake.has(OPT_OUTS):
        # a choice holds from when it is known, however old the list
        listed = willing(listed, lake.read(OPT_OUTS, as_of_run=False))
    numbers = lake.read(NUMBERS).select("number_key", lake.key.decrypt(F.col("number")).alias("number"))
    # as many as campaigns.capacity says, a month
    rows = call_list(listed, lake.read(LIVES), numbers).collect()
    written = {}
    for month in months:
        of_month = [row for row in rows if row["month"] == month and row["number"]]
        name = f"{month:%Y-%m}"
        written[name] = write(Path(run.settings.store.exports), name, (row.asDict() for row in of_month))
    run.facts.update(lines=written, without_number=sum(not row["number"] for row in rows))


if __name__ == "__main__":
    export_lists.main()
