"""Bring stored rows to contracts that changed in more than added optional columns; run it again after a kill. No other job may run meanwhile."""

from churnlake.core.job import Run
from churnlake.core.lake import Lake
from churnlake.core.landing import FILES
from churnlake.core.leases import leases
from churnlake.core.migration import migrate
from churnlake.core.runs import RUNS
from jobs import job


@job(on_request=True)
def migrate_lake(lake: Lake, run: Run) -> None:
    """Every table that lies under another contract, slice by slice; the run log first, which tells of the others."""
    from churnlake.core.lineage import Lineage

    lineage, settings = Lineage.of_package(), run.settings
    tables = [RUNS, FILES, *(table for table in lineage.tables if table.stored and table not in (RUNS, FILES))]
    with leases(lake.spark, settings.store.lake, [j.name for j in lineage.jobs if j.name != run.job], run.run_id):
        lost = migrate(lake, tables, lineage.makers)
    run.facts["told"] = [
        f"{w.table.name}: {w.rows:,} good rows under its contract now"
        + (f", {w.bad:,} bad, {len(w.days)} days lost good rows" if w.table.ledger else "")
        + (f"; no longer has {', '.join(gone)}" if (gone := lost[w.table.name]) else "")
        for w in lake.written
    ]


if __name__ == "__main__":
    migrate_lake.main()
