"""The aggregates behind the pages, from small frames."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churnlake.core.contract import Table
from churnlake.core.testing import rows as python_rows
from churnlake.site.data import SiteData, collect, faults_by_file
from churnlake.site.monthly import leavings_by_month
from churnlake.site.pages import pages
from churnlake.tables.campaigns import LISTS
from churnlake.tables.churn import LEAVINGS, MODELS
from churnlake.tables.churn import SCORES as CHURN_SCORES
from churnlake.tables.clean import SMS, WAP
from churnlake.tables.daily import USAGE
from churnlake.tables.features import ABNORMAL, OUTLIERS, SELECTION
from churnlake.tables.judged import DRIFT, JUDGED
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
    ledger = ledger.withColumns({"file_id": F.lit("a"), "state": F.when(bad, "bad").otherwise("good")})
    ledger = ledger.withColumn(
        "reasons", F.when(bad, F.array(F.lit("day missing"), F.lit("hour missing"))).otherwise(F.array().cast("array<string>"))
    )
    wap = (
        rows(spark, WAP, {"day": D2, "delivered_on": D2})
        .withColumns({"file_id": F.lit("b"), "state": F.lit("good")})
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
        MODELS: rows(
            spark,
            MODELS,
            {
                "target": "leave_t1",
                "known_on": D2,
                "test_month": MAY,
                "learner": "boosted",
                "pr_auc": 0.3,
                "base_rate": 0.03,
                "is_champion": True,
            },
        ),
        JUDGED: rows(
            spark,
            JUDGED,
            {"known_on": D1, "target": "leave_t1", "part": "all", "value": "all", "rows": 10, "positives": 9},
            {
                "known_on": D2,
                "target": "leave_t1",
                "part": "all",
                "value": "all",
                "rows": 40,
                "positives": 12,
                "base_rate": 0.3,
                "gains_found": [0.0, 0.75, 1.0],
                "calibration_told": [0.2, 0.4],
                "calibration_seen": [0.25, 0.35],
            },
        ),
        DRIFT: rows(
            spark,
            DRIFT,
            {"month": MAY, "target": "leave_t1", "column": "score", "psi": 0.9, "advice": "retrain"},
            {"month": JUNE, "target": "leave_t1", "column": "points", "psi": 0.2, "advice": "watch"},
        ),
        CHURN_SCORES: rows(
            spark,
            CHURN_SCORES,
            {"month": MAY, "user_id": 1, "probability": 0.5, "place": 1},
            {"month": JUNE, "user_id": 1, "probability": 1.0, "place": 1, "reasons": ["a high"]},
            {"month": JUNE, "user_id": 2, "probability": 0.011, "place": 2},
        ),
        LISTS: rows(spark, LISTS, {"month": JUNE, "user_id": 1, "cell": "retain", "priority": "high", "arm": "control"}),
        SELECTION: rows(
            spark,
            SELECTION,
            {"month": MAY, "indicator": "points", "drift": "none", "role": "unusable"},
            {
                "month": JUNE,
                "indicator": "points",
                "drift": "great",
                "role": "modelling",
                "users": 2,
                "counts": [1, 1],
                "edges": [0.0, 5.0, 10.0],
                "p01": 0.0,
                "p25": 2.0,
                "median": 5.0,
                "p75": 8.0,
                "p99": 10.0,
                "missing_share": 0.0,
                "psi": 0.5,
            },
            {"month": JUNE, "indicator": "brand", "drift": "great", "psi": 0.4, "levels": ["gotone"], "counts": [2]},
        ),
        OUTLIERS: rows(spark, OUTLIERS, {"month": MAY, "view": "calls"}),
        ABNORMAL: rows(spark, ABNORMAL, {"month": MAY, "kind": "no_use"}, {"month": JUNE, "kind": "no_use", "users": 2}),
        CHECKS: rows(spark, CHECKS, {"day": D1, "check_name": "old"}, {"day": D2, "check_name": "new"}),
        QUALITY_SCORES: rows(spark, QUALITY_SCORES, {"day": D2, "score": 1.0}),
    }


@pytest.fixture(scope="module")
def data(frames: dict[Table, DataFrame]) -> SiteData:
    return collect(frames, D2)


def shown(frame: pd.DataFrame | None, *columns: str) -> list[tuple[object, ...]]:
    """The rows of a collected frame, sorted, with None for what is missing."""
    assert frame is not None
    plain = frame[list(columns)].astype(object)
    return sorted((tuple(row) for row in plain.where(plain.notna(), None).to_numpy()), key=str)


def test_records_and_reasons(data: SiteData) -> None:
    assert shown(data.records, "feed", "day", "state", "rows") == [
        ("sms", D1, "good", 2),
        ("sms", D2, "bad", 1),
        ("wap", D2, "good", 1),
    ]
    assert shown(data.reasons, "feed", "reason", "rows") == [("sms", "day missing", 1), ("sms", "hour missing", 1)]
    assert shown(data.files, "feed", "lines", "rows_due", "unreadable_files") == [("sms", 6, 4, 1)]
    assert shown(data.users, "month", "users") == [(MAY, 2)]


def test_a_joiner_counts_once_at_its_latest_stage(data: SiteData) -> None:
    assert shown(data.joiners, "stage_days", "scope", "users") == [(60, "scored", 1), (60, "too_little", 1)]
    assert shown(data.matches, "kind", "found_by", "rows") == [("full", "both", 1)]
    assert [(float(at), n) for at, n in shown(data.probabilities, "bin", "rows")] == [(0.95, 1)]  # type: ignore[arg-type]
    assert shown(data.gaps, "bin", "rows") == [(-10, 1)]


def test_leavers_seen_back_are_those_of_matches_upheld(data: SiteData, frames: dict[Table, DataFrame]) -> None:
    assert shown(data.leavings, "month", "kind", "users", "returned") == [(MAY, "silent", 3, 1)]
    without = leavings_by_month(frames[LEAVINGS], None).collect()[0]
    assert (without["users"], without["returned"]) == (3, None)


def test_only_the_newest_month_and_report_are_shown(data: SiteData) -> None:
    assert [(float(at), n) for at, n in shown(data.scores, "bin", "users")] == [(0.0, 1), (0.98, 1)]  # type: ignore[arg-type]
    assert shown(data.ranked, "place", "cell", "priority") == [(1, "retain", "high"), (2, None, None)]
    assert shown(data.checks, "check_name") == [("new",)]
    assert shown(data.selection, "indicator", "role") == [("brand", "modelling"), ("points", "modelling")]
    assert shown(data.drifts, "month", "drift", "indicators") == [(MAY, "none", 1), (JUNE, "great", 2)]
    assert shown(data.outliers, "view") == [], "of the month selected for, though an earlier one has some"
    assert shown(data.abnormal, "kind", "users") == [("no_use", 2)]
    assert shown(data.cells, "cell", "arm", "users") == [("retain", "control", 1)]


def test_a_model_card_tells_the_newest_of_its_target(data: SiteData) -> None:
    assert shown(data.learners, "target", "learner", "is_champion") == [("leave_t1", "boosted", True)]
    assert shown(data.judged, "known_on", "rows", "positives") == [(D2, 40, 12)]
    assert shown(data.moved, "month", "column", "advice") == [(JUNE, "points", "watch")]
    page = pages(data)["models.html"]
    assert "40 active, 12 of them came true" in page
    assert "figure-gains-leave_t1" in page
    assert '<span class="tag warn">watch</span>' in page


def test_pages_from_tables_name_nobody(data: SiteData) -> None:
    made = pages(data)
    assert "Of 3 users who left, 1 are already back" in made["index.html"]
    assert "a high" in made["churn.html"]
    assert 'id="i-points"' in made["indicators.html"]
    assert data.cases is not None
    assert set(data.cases["new_user"].str.len()) == {8}
    assert not {"user_id", "old_user_id"} & set(data.cases)


def test_broken_lines_are_shown_by_their_shape_and_only_where_there_are_enough(spark: SparkSession) -> None:
    line = "7,13901234567,２００５-05-10 8:00,sent Ärger 王\u0000"
    texts = [line] * 9 + ["8,1,x", "9,13901234567,few"]
    ledger = rows(spark, SMS, *[{"day": D1, "delivered_on": D1, "record_key": i} for i in range(len(texts))])
    said = F.element_at(F.array(*[F.lit(text) for text in texts]), F.col("record_key").cast("int") + 1)
    few = F.col("record_key") == 10
    ledger = ledger.withColumns({"state": F.lit("bad"), "file_id": F.lit("a"), "raw_text": F.reverse(said)})
    ledger = ledger.withColumn("reasons", F.array(F.when(few, "hour missing").otherwise("direction: not one of out, in")))
    files = rows(spark, FILES, {"feed": "sms", "file_id": "a", "path": "sms/a.csv"})
    checks = rows(spark, CHECKS, {"day": D1})
    found = faults_by_file({SMS: ledger}, files, checks, reveal=F.reverse, least=10).collect()
    assert [(row["reason"], row["rows"], row["shapes"]) for row in found] == [
        ("direction: not one of out, in", 10, ["9,99999999999,9999-99-99 9:99,xxxx Xxxxx x·", "9,9,x"]),
        ("hour missing", 1, None),
    ]
