"""Profile the run's days once and judge each by fixed limits and by bands learnt from the days before it."""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.core.contract import Table
from churnlake.core.errors import MissingInputError
from churnlake.core.frames import frame_of
from churnlake.core.incidents import downstream, failing_since, files_of_days
from churnlake.core.job import Run
from churnlake.core.lake import Lake
from churnlake.core.landing import FILES
from churnlake.core.lineage import Lineage
from churnlake.core.quality import CheckResult, run_checks
from churnlake.core.withdrawal import judged, released_slices, still_withdrawn
from churnlake.quality.bands import learnt_checks, with_missing_days
from churnlake.quality.checks import fixed_checks
from churnlake.quality.profiles import profile_rows, profiles, reconciled
from churnlake.quality.scores import Known, check_rows, results_by_day, score_rows, summary, told
from churnlake.quality.withdrawal import wrong_days
from churnlake.tables.churn import LABELS
from churnlake.tables.churn import SCORES as CHURN_SCORES
from churnlake.tables.clean import ACCOUNT_DAY, RECORDS
from churnlake.tables.daily import EDGES, USAGE
from churnlake.tables.features import MONTHLY
from churnlake.tables.quality import CHECKS, PROFILES, SCORES
from churnlake.tables.reentry import JOINERS, MATCHES
from churnlake.tables.reference import CELLS, HANDSETS, LIVES
from jobs import job

DAILY = (*RECORDS, USAGE, EDGES)
JUDGED = (*DAILY, MONTHLY, MATCHES, CHURN_SCORES)
REFERENCES = (LIVES, CELLS, HANDSETS, JOINERS, LABELS)


@job(may_read=(*JUDGED, *REFERENCES), looks_back=(FILES,), writes=(PROFILES, CHECKS, SCORES))
def check_quality(lake: Lake, run: Run) -> None:
    """One row per day, table and measure; one per check of it; one per dimension."""
    settings, work, days = run.settings.quality, Path(run.settings.store.work).resolve(), run.days
    there = [table for table in (*JUDGED, *REFERENCES, FILES) if lake.has(table)]
    frames = {table: lake.ledger(table) if table.ledger else lake.read(table, withdrawn=True) for table in there}
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
    lake.write(
        PROFILES, frame_of(lake.spark, PROFILES.schema, [{str(k): v for k, v in row.items()} for row in kept.to_dict("records")])
    )
    known = _known(lake, run, frames, by_day)
    lake.write(CHECKS, frame_of(lake.spark, CHECKS.schema, checked))
    lake.write(SCORES, frame_of(lake.spark, SCORES.schema, scores))
    hidden = _withdraw(lake, by_day, seen) if settings.withdraw else []
    report = summary(by_day, scores, days, known)
    report["withdrawn"] = still_withdrawn(lake)
    (work / "quality").mkdir(parents=True, exist_ok=True)
    (work / "quality" / "summary.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    run.facts["failed"] = [*(told(one) for one in report["failed"]), *hidden]


def _known(lake: Lake, run: Run, frames: Mapping[Table, DataFrame], by_day: Mapping[dt.date, Sequence[CheckResult]]) -> Known:
    """Since when checks fail, whose file it is and what it touches; asked of days and tables with a failed check alone."""
    failed = {(r.table_name, day) for day, results in by_day.items() for r in results if not r.has_passed}
    since, files = {}, {}
    if lake.has(CHECKS):
        earlier = failing_since(lake.read(CHECKS, last=run.days.first - dt.timedelta(days=1))).collect()
        since = {(row["table_name"], row["check_name"], row["column_name"]): row["since"] for row in earlier}
    wanted = F.col("day").isin(sorted({day for _, day in failed}))
    ledgers = {
        name.partition(".")[2]: rows.withColumn("day", F.expr(ACCOUNT_DAY)).where(wanted)
        for table, rows in frames.items()
        if (name := table.name) in {table for table, _ in failed} and table in RECORDS
    }
    if ledgers and FILES in frames:
        for row in files_of_days(ledgers, frames[FILES], most=1).where(wanted).collect():
            files[f"clean.{row['feed']}", row["day"]] = {name: row[name] for name in ("path", "note", "rows", "bad_rows")}
    return Known(since, files, {name: downstream(_steps(), name) for name, _ in failed})


def _withdraw(lake: Lake, by_day: Mapping[dt.date, Sequence[CheckResult]], profiles: pd.DataFrame) -> list[str]:
    """Hide the days that are wrong and show those that hold by now; a line for each table with some."""
    released = released_slices(lake.log()) if lake.has_log() else {}
    lines, wrong = [], wrong_days(by_day, profiles)
    for table in (table for table in JUDGED if lake.has(table)):
        days = wrong.get(table.name, {})
        held = {day for day, results in by_day.items() if any(r.table_name == table.name for r in results)} - set(days)
        # nor is a day hidden in what is made from a table whose day a person let through
        above = [name for name in released if name == table.name or table.name in downstream(_steps(), name)]
        hidden, shown = judged(lake, table, days, held, {name for one in above for name in released[one]})
        if hidden:
            release = f"python -m churnlake release --table {table.name} --slice {hidden[0]} --why TEXT"
            lines.append(f"withdrawn from readers: {table.name} {', '.join(hidden)}; mend it or let it be seen: {release}")
        if shown:
            lines.append(f"seen again: {table.name} {', '.join(shown)}")
    return lines


def _steps() -> list[tuple[list[str], list[str]]]:
    return [([t.name for t in j.inputs], [t.name for t in j.writes]) for j in Lineage.of_package().jobs if not j.on_request]


if __name__ == "__main__":
    check_quality.main()
