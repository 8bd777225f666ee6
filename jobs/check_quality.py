"""Judge the tables' days by one Great Expectations checkpoint; keep the checks, scores and Data Docs."""

import json
from pathlib import Path

from churnlake.core.frames import frame_of
from churnlake.core.job import Run
from churnlake.core.lake import Lake
from churnlake.core.landing import FILES
from churnlake.core.quality import run_checks
from churnlake.quality.checks import checks
from churnlake.quality.profiles import profiles, reconciled
from churnlake.quality.scores import check_rows, score_rows, summary
from churnlake.tables.churn import LABELS
from churnlake.tables.churn import SCORES as CHURN_SCORES
from churnlake.tables.clean import RECORDS
from churnlake.tables.daily import EDGES, USAGE
from churnlake.tables.features import MONTHLY
from churnlake.tables.quality import CHECKS, SCORES
from churnlake.tables.reentry import JOINERS, MATCHES
from churnlake.tables.reference import LIVES
from jobs import job

JUDGED = (*RECORDS, USAGE, EDGES, MONTHLY, MATCHES, CHURN_SCORES)
REFERENCES = (LIVES, JOINERS, LABELS)


@job(may_read=(*JUDGED, *REFERENCES), looks_back=(FILES,), writes=(CHECKS, SCORES))
def check_quality(lake: Lake, run: Run) -> None:
    """One row per check, one per table and dimension, for the run's last day."""
    settings, work, last = run.settings.quality, Path(run.settings.store.work).resolve(), run.days.last
    there = [table for table in (*JUDGED, *REFERENCES, FILES) if lake.has(table)]
    frames = {table: lake.ledger(table) if table.ledger else lake.read(table) for table in there}
    seen = reconciled({name: frame.toPandas() for name, frame in profiles(frames, last, settings).items()})
    asked = checks(
        {table.name: table for table in JUDGED if table in frames},
        {name: list(frame.columns) for name, frame in seen.items()},
        settings,
    )
    results = run_checks(seen, asked, work / "quality" / "docs", str(last), settings.keep_reports)
    rows, scores = check_rows(results, last), score_rows(results, last, settings.error_weight)
    lake.write(CHECKS, frame_of(lake.spark, CHECKS.schema, rows))
    lake.write(SCORES, frame_of(lake.spark, SCORES.schema, scores))
    (work / "quality" / "summary.json").write_text(json.dumps(summary(results, scores, last), indent=2) + "\n", encoding="utf-8")
    run.facts["failed"] = [
        f"{r.table_name}: {r.check_name} (seen {r.observed}, expected {r.expected})" for r in results if not r.has_passed
    ]


if __name__ == "__main__":
    check_quality.main()
