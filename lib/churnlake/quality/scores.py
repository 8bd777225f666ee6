"""From check results to rows of the quality tables and to a summary for machines."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from churnlake.core.quality import DIMENSIONS, CheckResult


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
    """One row of quality.scores per table and dimension that a check speaks for.

    The score is the mean, over the dimension's checks, of the share of slices that hold; an error check weighs
    ``error_weight`` times a warning. A dimension nothing was asked about has no score, rather than a good one.
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


def summary(results: Sequence[CheckResult], scores: Sequence[Mapping[str, Any]], day: dt.date) -> dict[str, Any]:
    """The report in a form for machines: counts, failed checks, mean score per dimension and per table."""
    failed = [result for result in results if not result.has_passed]
    return {
        "day": day.isoformat(),
        "checks": len(results),
        "passed": len(results) - len(failed),
        "failed_errors": sum(result.severity == "error" for result in failed),
        "failed_warnings": sum(result.severity == "warn" for result in failed),
        "failed": [
            {
                "table": result.table_name,
                "check": result.check_name,
                "column": result.column_name,
                "severity": result.severity,
                "observed": result.observed,
                "expected": result.expected,
            }
            for result in failed
        ],
        "dimensions": _means(scores, "dimension"),
        "tables": _means(scores, "table_name"),
    }


def _means(scores: Sequence[Mapping[str, Any]], by: str) -> dict[str, float]:
    names = dict.fromkeys(str(row[by]) for row in scores)
    groups = {name: [float(row["score"]) for row in scores if row[by] == name] for name in names}
    return {name: round(sum(values) / len(values), 4) for name, values in groups.items()}
