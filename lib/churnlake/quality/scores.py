"""From check results to rows of the quality tables and to a summary for machines."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.core.contract import Table
from churnlake.core.incidents import Step, downstream, failing_since, files_of_days
from churnlake.core.lake import Lake
from churnlake.core.landing import FILES
from churnlake.core.quality import DIMENSIONS, CheckResult, value_result
from churnlake.core.runs import Days
from churnlake.quality.bands import Asked, since
from churnlake.tables.clean import ACCOUNT_DAY, RECORDS
from churnlake.tables.quality import CHECKS

CheckKey = tuple[str, str, str]
"""Table, check, column."""


def results_by_day(asked: Sequence[Asked]) -> dict[dt.date, list[CheckResult]]:
    """The verdicts of each day that was judged, days and tables in order."""
    found: dict[dt.date, list[CheckResult]] = {}
    for one in sorted(asked, key=lambda one: (one.day, one.check.table_name)):
        found.setdefault(one.day, []).append(value_result(one.check, one.value, one.has_passed))
    return found


def check_rows(results: Sequence[CheckResult], day: dt.date) -> list[dict[str, Any]]:
    """One row of quality.checks per result."""
    return [
        {
            "day": day,
            "table_name": result.table_name,
            "column_name": result.column_name,
            "check_name": result.check_name,
            "dimension": result.dimension,
            "severity": result.severity,
            "has_passed": result.has_passed,
            "observed": result.observed,
            "expected": result.expected,
        }
        for result in results
    ]


def score_rows(results: Sequence[CheckResult], day: dt.date, error_weight: int) -> list[dict[str, Any]]:
    """One row of quality.scores per table and dimension that a check of the day speaks for.

    The score is the share of the dimension's checks that hold; an error check weighs ``error_weight`` times a warning.
    A dimension nothing was asked about has no score, rather than a good one.
    """
    rows = []
    for table in dict.fromkeys(result.table_name for result in results):
        for dimension in DIMENSIONS:
            asked = [
                (result.held, error_weight if result.severity == "error" else 1)
                for result in results
                if result.table_name == table and result.dimension == dimension
            ]
            if asked:
                score = sum(held * weight for held, weight in asked) / sum(weight for _, weight in asked)
                rows.append({"day": day, "table_name": table, "dimension": dimension, "score": round(score, 6)})
    return rows


@dataclass(frozen=True)
class Known:
    """What is known of failed checks beside their verdicts.

    Attributes:
        since: By table, check and column that failed when last asked before the days judged: since when.
        files: By table and day, the file that explains the day best: path, note, rows, bad_rows.
        touches: By table, all that is made from it.
    """

    since: Mapping[CheckKey, dt.date] = field(default_factory=dict)
    files: Mapping[tuple[str, dt.date], Mapping[str, Any]] = field(default_factory=dict)
    touches: Mapping[str, Sequence[str]] = field(default_factory=dict)


def known_of(
    lake: Lake,
    first: dt.date,
    frames: Mapping[Table, DataFrame],
    by_day: Mapping[dt.date, Sequence[CheckResult]],
    steps: Sequence[Step],
) -> Known:
    """Since when checks fail, whose file it is and what it touches; asked of days and tables with a failed check alone.

    Args:
        lake: Of the run that judges.
        first: First day judged.
        frames: Ledgers and the register of files, as far as they are there.
        by_day: The verdicts.
        steps: Of each job, in the order they run, names of the tables it reads and of those it writes.
    """
    failed = {(r.table_name, day) for day, results in by_day.items() for r in results if not r.has_passed}
    since, files = {}, {}
    if lake.has(CHECKS):
        earlier = failing_since(lake.read(CHECKS, last=first - dt.timedelta(days=1))).collect()
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
    return Known(since, files, {name: downstream(steps, name) for name, _ in failed})


def failures(by_day: Mapping[dt.date, Sequence[CheckResult]], known: Known) -> list[dict[str, Any]]:
    """One entry per failed check and day, the newest day and the errors first.

    ``since`` is the first day of its unbroken run of failures, ``file`` the file that explains the day best (of record tables;
    else None), ``touches`` the tables made from it.
    """
    verdicts: dict[CheckKey, dict[dt.date, bool]] = {key: {day: False} for key, day in known.since.items()}
    for day, results in by_day.items():
        for r in results:
            verdicts.setdefault((r.table_name, r.check_name, r.column_name), {})[day] = r.has_passed
    found = [
        {
            "day": day.isoformat(),
            "table": r.table_name,
            "check": r.check_name,
            "column": r.column_name,
            "dimension": r.dimension,
            "severity": r.severity,
            "observed": r.observed,
            "expected": r.expected,
            "since": since(verdicts[r.table_name, r.check_name, r.column_name], day).isoformat(),
            "file": dict(file) if (file := known.files.get((r.table_name, day))) else None,
            "touches": list(known.touches.get(r.table_name, ())),
        }
        for day, results in by_day.items()
        for r in results
        if not r.has_passed
    ]
    found.sort(key=lambda one: (one["severity"] != "error", one["table"], one["check"]))
    return sorted(found, key=lambda one: one["day"], reverse=True)


def summary(
    by_day: Mapping[dt.date, Sequence[CheckResult]], scores: Sequence[Mapping[str, Any]], days: Days, known: Known
) -> dict[str, Any]:
    """The report in a form for machines: days judged, counts, failed checks, mean score per dimension and per table.

    ``state`` is that of the last day: good, warn or error.
    """
    results = [result for found in by_day.values() for result in found]
    failed = failures(by_day, known)
    of_last = {one["severity"] for one in failed if one["day"] == days.last.isoformat()}
    return {
        "day": days.last.isoformat(),
        "first_day": days.first.isoformat(),
        "state": "error" if "error" in of_last else "warn" if of_last else "good",
        "checks": len(results),
        "passed": len(results) - len(failed),
        "failed_errors": sum(one["severity"] == "error" for one in failed),
        "failed_warnings": sum(one["severity"] == "warn" for one in failed),
        "failed": failed,
        "dimensions": _means(scores, "dimension"),
        "tables": _means(scores, "table_name"),
    }


def told(failed: Mapping[str, Any]) -> str:
    """One failed check as a line on the console."""
    began = "" if failed["since"] == failed["day"] else f", since {failed['since']}"
    line = (
        f"{failed['severity']:<5} {failed['day']} {failed['table']}: {failed['check']} ({failed['column']} {failed['observed']}, "
        f"expected {failed['expected']}{began})"
    )
    file, touches = failed.get("file"), failed.get("touches") or ()
    if file:
        aside = f"{file['bad_rows']} of its {file['rows']} rows of that day set aside"
        line += f"; file {file['path']}, {file['note'] or aside}"
    if touches:
        line += f"; touches {', '.join(touches[:2])}" + (f" and {len(touches) - 2} more" if len(touches) > 2 else "")
    return line


def _means(scores: Sequence[Mapping[str, Any]], by: str) -> dict[str, float]:
    names = dict.fromkeys(str(row[by]) for row in scores)
    groups = {name: [float(row["score"]) for row in scores if row[by] == name] for name in names}
    return {name: round(sum(values) / len(values), 4) for name, values in groups.items()}
