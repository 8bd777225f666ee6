"""Erase users named by privacy.erase_users or privacy.erase_file from every table, with proof; finish an erasure that was killed."""

from pathlib import Path

from pyspark.sql.types import StructField, StructType

from churnlake.campaigns import exports as exports_of
from churnlake.core.checkpoints import clear_kept
from churnlake.core.contract import LONG
from churnlake.core.erased import ERASED, ERASURES, known
from churnlake.core.erasure import erase, own_times
from churnlake.core.frames import frame_of
from churnlake.core.job import Run
from churnlake.core.lake import Lake
from churnlake.core.leases import leases
from churnlake.landing.requests import meant, mentioned, requests
from churnlake.tables.reference import LIVES
from jobs import job

USERS = StructType([StructField("user_id", LONG)])


@job(may_read=(LIVES,), writes=(ERASED, ERASURES), on_request=True)
def erase_user(lake: Lake, run: Run) -> None:
    """One row per user erased, into privacy.erased; one per user and table that held rows of it, into privacy.erasures."""
    from churnlake.core.lineage import Lineage

    lineage, settings = Lineage.of_package(), run.settings
    asked = requests(lake.spark, settings.privacy.erase_users, settings.privacy.erase_file)
    # what another job writes meanwhile would be lost, or bring the user back
    others = [j.name for j in lineage.jobs if j.name != run.job]
    with leases(lake.spark, settings.store.lake, others, run.run_id):
        holders = own_times(lake.read(LIVES)) if lake.has(LIVES) else None
        marks = lake.read(ERASED) if lake.has(ERASED) else None
        zone = settings.store.city_zone
        named, before = meant(asked, holders, marks, lake.key, settings.landing, zone)
        counts = erase(
            lake,
            named,
            [table for table in lineage.tables if table.stored],
            LIVES,
            lambda texts: mentioned(texts, lake.key, settings.landing),
            zone,
        )
        exports = Path(settings.store.exports)
        listed = frame_of(lake.spark, USERS, [{"user_id": user} for user in exports_of.users(exports)])
        struck = exports_of.strike_out(exports, known(lake, listed))
        clear_kept(lake.spark, settings.store.lake)
        run.facts.update(erased_before=before, rows=counts, lines_exported=struck)


if __name__ == "__main__":
    erase_user.main()
