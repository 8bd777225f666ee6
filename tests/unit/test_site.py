"""The aggregates behind the pages, from small frames."""

from __future__ import annotations

import datetime as dt

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churnlake.core.contract import Table
from churnlake.core.testing import rows as python_rows
from churnlake.site.data import aggregates, collect, latest_matches, leavings_by_month
from churnlake.site.pages import pages
from churnlake.tables.campaigns import LISTS
from churnlake.tables.churn import LEAVINGS, MODELS
from churnlake.tables.churn import SCORES as CHURN_SCORES
from churnlake.tables.clean import SMS, WAP
from churnlake.tables.daily import USAGE
from churnlake.tables.quality import CHECKS
from churnlake.tables.quality import SCORES as QUALITY_SCORES
from churnlake.tables.raw import FILES
from churnlake.tables.reentry import JOINERS, MATCHES

D1, D2, MAY, JUNE = dt.date(2005, 5, 10), dt.date(2005, 5, 11), dt.date(2005, 5, 1), dt.date(2005, 6, 1)


def rows(spark: SparkSession, table: Table, *values: dict[str, object]) -> DataFrame:
    """Rows of the contract, held in the plan: they are read more than once."""
    return spark.createDataFrame(python_rows(spark, table, *values).toArrow())


@pytest.fixture(scope="module")
def frames(spark: SparkSession) -> dict[Table, DataFrame]:
    """A little of every table the site shows."""
    ledger = rows(spark, SMS, {"day": D1, "delivered_on": D2}, {"day": D1, "delivered_on": D2}, {"day": None, "delivered_on": D2})
    bad = F.expr("day is null")
    ledger = ledger.withColumn("state", F.when(bad, "bad").otherwise("good"))
    ledger = ledger.withColumn(
        "reasons", F.when(bad, F.array(F.lit("day missing"), F.lit("hour missing"))).otherwise(F.array().cast("array<string>"))
    )
    wap = (
        rows(spark, WAP, {"day": D2, "delivered_on": D2})
        .withColumn("state", F.lit("good"))
        .withColumn("reasons", F.expr("cast(null as array<string>)"))
    )
    joined = {"joined_on": D1, "scope": "scored"}
    match = {"joined_on": D1, "old_last_on": D1, "has_same_imei": True, "found_by": "both"}
    return {
        SMS: ledger,
        WAP: wap,
        FILES: rows(
            spark,
            FILES,
            {"feed": "sms", "lines": 4, "rows_per_line": 1},
            {"feed": "sms", "lines": 2, "rows_per_line": 1, "note": "truncated"},
        ),
        USAGE: rows(spark, USAGE, {"day": D1, "user_id": 1}, {"day": D2, "user_id": 1}, {"day": D2, "user_id": 2}),
        JOINERS: rows(
            spark,
            JOINERS,
            {**joined, "user_id": 1, "stage_days": 30},
            {**joined, "user_id": 1, "stage_days": 60},
            {**joined, "user_id": 2, "stage_days": 30},
            {**joined, "user_id": 2, "stage_days": 60, "scope": "too_little"},
        ),
        MATCHES: rows(
            spark,
            MATCHES,
            {**match, "user_id": 1, "stage_days": 30, "old_user_id": 8, "probability": 0.6, "kind": "open", "gap_days": 12},
            {**match, "user_id": 1, "stage_days": 60, "old_user_id": 9, "probability": 1.0, "kind": "full", "gap_days": -3},
            {**match, "user_id": 2, "stage_days": 30, "old_user_id": 7, "probability": 0.7, "kind": "open", "gap_days": 5},
        ),
        LEAVINGS: rows(
            spark,
            LEAVINGS,
            *[{"user_id": u, "leave_on": D1, "known_on": D1, "kind": "silent", "brand": "mzone"} for u in (7, 8, 9)],
        ),
        MODELS: rows(spark, MODELS, {"learner": "boosted", "pr_auc": 0.3, "base_rate": 0.03, "is_champion": True}),
        CHURN_SCORES: rows(
            spark,
            CHURN_SCORES,
            {"month": MAY, "user_id": 1, "probability": 0.5, "place": 1},
            {"month": JUNE, "user_id": 1, "probability": 1.0, "place": 1, "reasons": ["a high"]},
            {"month": JUNE, "user_id": 2, "probability": 0.011, "place": 2},
        ),
        LISTS: rows(spark, LISTS, {"month": JUNE, "user_id": 1, "cell": "retain", "priority": "high", "arm": "control"}),
        CHECKS: rows(spark, CHECKS, {"day": D1, "check_name": "old"}, {"day": D2, "check_name": "new"}),
        QUALITY_SCORES: rows(spark, QUALITY_SCORES, {"day": D2, "score": 1.0}),
    }


def shown(frames: dict[Table, DataFrame], field: str, *columns: str) -> list[tuple[object, ...]]:
    return sorted(tuple(row[c] for c in columns) for row in aggregates(frames)[field].collect())


def test_records_and_reasons(frames: dict[Table, DataFrame]) -> None:
    assert shown(frames, "records", "feed", "day", "state", "rows") == [
        ("sms", D1, "good", 2),
        ("sms", D2, "bad", 1),
        ("wap", D2, "good", 1),
    ]
    assert shown(frames, "reasons", "feed", "reason", "rows") == [("sms", "day missing", 1), ("sms", "hour missing", 1)]
    assert shown(frames, "files", "feed", "lines", "rows_due", "unreadable_files") == [("sms", 6, 4, 1)]
    assert shown(frames, "users", "month", "users") == [(MAY, 2)]


def test_a_joiner_counts_once_at_its_latest_stage(frames: dict[Table, DataFrame]) -> None:
    assert shown(frames, "joiners", "stage_days", "scope", "users") == [(60, "scored", 1), (60, "too_little", 1)]
    assert shown(frames, "matches", "kind", "found_by", "rows") == [("full", "both", 1)]
    assert shown(frames, "probabilities", "bin", "rows") == [(0.95, 1)]
    assert shown(frames, "gaps", "bin", "rows") == [(-10, 1)]


def test_leavers_seen_back_are_those_of_matches_upheld(frames: dict[Table, DataFrame]) -> None:
    assert shown(frames, "leavings", "month", "kind", "users", "returned") == [(MAY, "silent", 3, 1)]
    without = leavings_by_month(frames[LEAVINGS], None).collect()[0]
    assert (without["users"], without["returned"]) == (3, None)
    assert latest_matches(frames[MATCHES], None).count() == 2


def test_only_the_newest_month_and_report_are_shown(frames: dict[Table, DataFrame]) -> None:
    assert [(float(b), n) for b, n in shown(frames, "scores", "bin", "users")] == [(0.0, 1), (0.98, 1)]
    assert shown(frames, "ranked", "place", "cell", "priority") == [(1, "retain", "high"), (2, None, None)]
    assert shown(frames, "checks", "check_name") == [("new",)]
    assert shown(frames, "cells", "cell", "arm", "users") == [("retain", "control", 1)]


def test_pages_from_tables_and_no_whole_identifier_on_them(frames: dict[Table, DataFrame]) -> None:
    made = pages(collect(frames, D2))
    assert "Of 3 users who left, 1 are already back" in made["index.html"]
    assert "2 missing" not in made["quality.html"]
    assert "a high" in made["churn.html"]
