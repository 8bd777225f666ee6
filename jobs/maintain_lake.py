"""Put small files of a slice together, drop old versions, old text of lines set aside and old logs. No other job may run meanwhile."""

from pathlib import Path

from churnlake.core.checkpoints import clear_kept
from churnlake.core.job import Run
from churnlake.core.lake import Lake
from churnlake.core.landing import FILES
from churnlake.core.leases import leases
from churnlake.core.maintenance import clear_logs, maintain
from churnlake.core.runs import RUNS
from jobs import job


@job(on_request=True)
def maintain_lake(lake: Lake, run: Run) -> None:
    """Every table, its own slices; rows that readers see stay what they are. ``--dates`` says as of which day text is old."""
    from churnlake.core.lineage import Lineage

    lineage, settings = Lineage.of_package(), run.settings
    tables = [FILES, *(table for table in lineage.tables if table.stored and table != FILES), RUNS]
    with leases(lake.spark, settings.store.lake, [j.name for j in lineage.jobs if j.name != run.job], run.run_id):
        done = maintain(lake, tables, settings.maintenance, run.days.last)
        clear_kept(lake.spark, settings.store.lake)
    logs = clear_logs(Path(settings.store.work).resolve() / "logs", settings.maintenance.work_days)
    run.facts.update(tables=done, logs_deleted=logs)
    run.facts["told"] = [
        f"{name}: {told['files_before']} files, now {told['files_after']}; {told['bytes_freed']:,} bytes freed; "
        f"{told['texts_dropped']} rows lost their text"
        for name, told in done.items()
    ]


if __name__ == "__main__":
    maintain_lake.main()
