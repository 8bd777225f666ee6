"""Profile the run's days once and judge each by fixed limits and by bands learnt from the days before it."""

import json
from pathlib import Path

import pandas as pd

from churnlake.core.errors import MissingInputError
from churnlake.core.frames import frame_of
from churnlake.core.job import Run
from churnlake.core.lake import Lake
from churnlake.core.landing import FILES
from churnlake.core.lineage import Lineage
from churnlake.core.quality import run_checks
from churnlake.core.withdrawal import still_withdrawn
from churnlake.quality.bands import learnt_checks, with_missing_days
from churnlake.quality.checks import fixed_checks
from churnlake.quality.profiles import profile_rows, profiles, reconciled
from churnlake.quality.scores import check_rows, known_of, results_by_day, score_rows, summary, told
from churnlake.quality.withdrawal import withdraw
from churnlake.tables.churn import LABELS
from churnlake.tables.churn import SCORES as CHURN_SCORES
from churnlake.tables.clean import RECORDS
from churnlake.tables.daily import EDGES, USAGE
from churnlake.tables.features import MONTHLY
from churnlake.tables.quality import CHECKS, PROFILES, SCORES
from churnlake.tables.reentry import JOINERS, MATCHES
from churnlake.tables.reference import CELLS, HANDSETS, LIVES, SUBSCRIBERS
from jobs import job

DAILY = (*RECORDS, USAGE, EDGES)
JUDGED = (*DAILY, SUBSCRIBERS, MONTHLY, MATCHES, CHURN_SCORES)
REFERENCES = (LIVES, CELLS, HANDSETS, JOINERS, LABELS)


@job(may_read=(*JUDGED, *REFERENCES), looks_back=(FILES,), writes=(PROFILES, CHECKS, SCORES))
def check_quality(lake: Lake, run: Run) -> None:
    """One row per day, table and measure; one per check of it; one per dimension."""
    settings, work, days = run.settings.quality, Path(run.settings.store.work).resolve(), run.days
    there = [table for table in (*JUDGED, *REFERENCES, FILES) if lake.has(table)]
    frames = {table: lake.ledger(table) if table.ledger else lake.read(table, withdrawn=True) for table in there}
    if FILES in frames:
        frames[FILES] = frames[FILES].where("same_as IS NULL")
    # written by an earlier run only: what this run finds is added in memory
    before = lake.read(PROFILES).toPandas() if lake.has(PROFILES) else pd.DataFrame(columns=PROFILES.names)
    now = profile_rows(reconciled({name: frame.toPandas() for name, frame in profiles(frames, days, settings).items()}))
    elsewhere = before[[not days.first <= day <= days.last for day in before["day"]]]
    seen = with_missing_days(pd.concat([elsewhere, now], ignore_index=True), [table.name for table in DAILY], days.last)
    tables = {table.name: table for table in JUDGED}
    asked = [
        *fixed_checks(seen, tables, days, settings, [table.name for table in DAILY]),
        *learnt_checks(seen, days, settings),
    ]
    by_day = results_by_day(asked)
    of_last = [one for one in asked if one.day == days.last]
    values = {
        name: pd.DataFrame([{one.check.column_name: one.value for one in of_last if one.check.table_name == name}])
        for name in dict.fromkeys(one.check.table_name for one in of_last)
    }
    if not asked:
        raise MissingInputError(f"no table has a day in {days} to judge; run job ingest_usage first, or give other --dates")
    if of_last:
        run_checks(values, [one.check for one in of_last], work / "quality" / "docs", str(days.last), settings.keep_reports)
    kept = seen[[days.first <= day <= days.last for day in seen["day"]]]
    checked = [row for day, results in by_day.items() for row in check_rows(results, day)]
    scores = [row for day, results in by_day.items() for row in score_rows(results, day, settings.error_weight)]
    steps = [([t.name for t in j.inputs], [t.name for t in j.writes]) for j in Lineage.of_package().jobs if not j.on_request]
    known = known_of(lake, days.first, frames, by_day, steps)
    profiled = [{str(name): value for name, value in row.items()} for row in kept.to_dict("records")]
    lake.write_all(
        {
            table: frame_of(lake.spark, table.schema, rows)
            for table, rows in ((PROFILES, profiled), (CHECKS, checked), (SCORES, scores))
        }
    )
    hidden = withdraw(lake, JUDGED, by_day, seen, steps) if settings.withdraw else []
    report = summary(by_day, scores, days, known)
    report["withdrawn"] = still_withdrawn(lake)
    (work / "quality").mkdir(parents=True, exist_ok=True)
    (work / "quality" / "summary.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    run.facts["failed"] = [*(told(one) for one in report["failed"]), *hidden]


if __name__ == "__main__":
    check_quality.main()
