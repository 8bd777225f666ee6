"""Take lines set aside in again after a feed file, contract or rule was mended: files delivered on the dates, of landing.reprocess_feeds."""

from collections.abc import Callable
from typing import Any

from pyspark.sql import DataFrame

from churnlake.core.contract import Table
from churnlake.core.errors import MissingInputError
from churnlake.core.job import Run
from churnlake.core.lake import Lake
from churnlake.core.landing import FILES
from churnlake.core.leases import lease
from churnlake.core.repair import files_of, finish, known_feeds, lift, new_batch, repair
from churnlake.landing import clean
from churnlake.tables.clean import MMS, SMS, VOICE, WAP
from jobs import job


@job(looks_back=(FILES,), writes=(VOICE, SMS, MMS, WAP), on_request=True)
def reprocess_quarantine(lake: Lake, run: Run) -> None:
    """One row per line that is good now, in a new batch of the clean tables; its row in the old batch goes in the same commit."""
    names = {_noun(table): table for _, table, _ in clean.FEEDS}
    asked = known_feeds(run.settings.landing.reprocess_feeds, list(names))
    with lease(lake.spark, run.settings.store.lake, "ingest_usage", run.run_id):
        registered = lake.read(FILES).where("same_as IS NULL").collect()
        files = {noun: files_of(run.days, registered, noun) for noun in asked}
        if not any(files.values()):
            raise MissingInputError(f"no file of {', '.join(asked)} delivered on {run.days} was taken in; give --dates")
        there = [table for table in names.values() if lake.storage.exists(table)]
        finish(lake, run.job, list(names.values()))
        lake.landing.batch = new_batch(lake, there)
        for raw, table, cleaned in clean.FEEDS:
            if table in there and files.get(_noun(table)) and lake.landing.feed_file(raw).is_file():
                _repair(lake, run, raw, table, cleaned, files[_noun(table)])
            if table in there:
                lift(lake, table, [row for row in registered if row["feed"] == _noun(table)])
        # it takes in no files of its own
        lake.landing.batch = ""


def _repair(lake: Lake, run: Run, raw: Table, table: Table, cleaned: Callable[..., DataFrame], files: list[Any]) -> None:
    settings, store = run.settings, run.settings.store
    opaque = lake.landing.feed(raw).is_opaque

    def made(rows: DataFrame) -> DataFrame:
        return clean.in_time(cleaned(rows, lake.key, settings.landing, store.city_zone, opaque), store.looks_back_days)

    said = repair(lake, raw, table, files, made, store.city_zone, store.looks_back_days)
    run.left_out += [said] if said else []


def _noun(table: Table) -> str:
    return table.name.partition(".")[2]


if __name__ == "__main__":
    reprocess_quarantine.main()
