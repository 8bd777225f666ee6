"""Profiles on small frames, the checks on them, and the scores that come of it."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pandas as pd
import pytest
import yaml
from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churnlake.core.contract import Table
from churnlake.core.incidents import failing_since, files_of_days
from churnlake.core.quality import Check, CheckResult, contract_checks, each_between, profile, run_checks
from churnlake.core.runs import Days
from churnlake.core.settings import conf_folder
from churnlake.core.testing import rows as python_rows
from churnlake.quality.checks import fixed_checks
from churnlake.quality.profiles import (
    USAGE_OF,
    match_days,
    profile_rows,
    profiles,
    reconciled,
    record_days,
    score_months,
    subscriber_days,
    usage_days,
    with_accounting,
)
from churnlake.quality.scores import Known, check_rows, score_rows, summary, told
from churnlake.quality.settings import QualitySettings
from churnlake.tables.churn import LABELS
from churnlake.tables.churn import SCORES as CHURN_SCORES
from churnlake.tables.clean import SMS, VOICE, WAP
from churnlake.tables.daily import EDGES, USAGE
from churnlake.tables.features import MONTHLY
from churnlake.tables.quality import CHECKS, PROFILES, SCORES
from churnlake.tables.raw import FILES
from churnlake.tables.reentry import JOINERS, MATCHES
from churnlake.tables.reference import LIVES, SUBSCRIBERS

D1, D2, D3 = dt.date(2005, 5, 1), dt.date(2005, 5, 2), dt.date(2005, 5, 3)


@pytest.fixture(scope="module")
def settings() -> QualitySettings:
    return QualitySettings.model_validate(yaml.safe_load((conf_folder() / "base.yaml").read_text(encoding="utf-8"))["quality"])


def rows(spark: SparkSession, table: Table, *values: dict[str, object]) -> DataFrame:
    """Rows of the contract, held in the plan: a profile reads its frame several times."""
    return spark.createDataFrame(python_rows(spark, table, *values).toArrow())


def ledger(spark: SparkSession, table: Table, *values: dict[str, object], states: tuple[str, ...] = ()) -> DataFrame:
    """Ledger rows: the contract's columns and a state, good unless said."""
    frame = rows(spark, table, *[{**value, "record_key": i} for i, value in enumerate(values, start=1)])
    named = F.array(*[F.lit(states[i] if i < len(states) else "good") for i in range(len(values))])
    return frame.withColumn("state", F.element_at(named, F.col("record_key").cast("int")))


def test_record_days_counts_states_users_and_shares(spark: SparkSession) -> None:
    frame = ledger(
        spark,
        VOICE,
        {
            "day": D1,
            "number_key": 1,
            "peer_key": 2,
            "peer_network": "own",
            "direction": "out",
            "seconds": 60,
            "imei_key": 9,
            "hour": 8,
        },
        {
            "day": D1,
            "number_key": 2,
            "peer_key": 1,
            "peer_network": "own",
            "direction": "in",
            "seconds": 60,
            "imei_key": 9,
            "hour": 21,
        },
        {"day": D1, "number_key": 2, "peer_key": None, "peer_network": None, "direction": "out", "seconds": 0, "hour": 9},
        {"day": D1, "number_key": 3, "hour": 3},
        {"day": D1, "number_key": 1, "hour": 4},
        states=("good", "good", "good", "bad", "duplicate"),
    )
    found = record_days(VOICE, frame, 8).collect()
    assert len(found) == 1
    day = found[0].asDict()
    counts = ("rows", "users", "users_per_imei", "repeated_keys", "countable_rows")
    assert {name: day[name] for name in counts} == dict(zip(counts, (3, 2, 2, 0, 2), strict=True))
    assert day["median_seconds"] == 60
    assert day["bad_share"] == pytest.approx(0.2)
    assert day["null_peer_share"] == pytest.approx(1 / 3)
    assert day["on_net_skew"] == 0


def test_a_received_call_to_a_hotline_or_by_an_ip_prefix_shows_that_directions_are_exchanged(spark: SparkSession) -> None:
    calls: list[dict[str, object]] = [
        {"direction": "out", "peer_service": "1860"},
        {"direction": "out", "is_ip": True},
        {"direction": "out"},
        {"direction": "in"},
        {"direction": "forwarded"},
    ]
    sound = record_days(VOICE, ledger(spark, VOICE, *[{"day": D1, **call} for call in calls]), 8).collect()[0]
    turned = {"out": "in", "in": "out", "forwarded": "forwarded"}
    exchanged = [{"day": D1, **call, "direction": turned[str(call["direction"])]} for call in calls]
    flipped = record_days(VOICE, ledger(spark, VOICE, *exchanged), 8).collect()[0]
    assert (sound["dialled_in_share"], flipped["dialled_in_share"]) == (0.0, 0.5)


def test_a_day_that_could_not_be_read_counts_on_its_delivery_day(spark: SparkSession) -> None:
    frame = ledger(spark, WAP, {"day": None, "delivered_on": D2}, states=("bad",))
    day = record_days(WAP, frame, 8).collect()[0]
    assert (day["day"], day["rows"], day["bad_share"], day["late_share"]) == (D2, 0, 1.0, None)


def test_accounting_finds_the_lines_that_never_arrived(spark: SparkSession) -> None:
    frame = ledger(spark, SMS, {"day": D1, "delivered_on": D2}, {"day": D1, "delivered_on": D2}, states=("good", "bad"))
    files = rows(
        spark,
        FILES,
        {"feed": "sms", "delivered_on": D2, "lines": 3, "rows_per_line": 1, "batch_state": "done"},
        {"feed": "sms", "delivered_on": D2, "lines": 7, "rows_per_line": 1, "batch_state": "done", "note": "truncated"},
        {"feed": "voice", "delivered_on": D2, "lines": 5, "rows_per_line": 1, "batch_state": "done"},
    )
    days = with_accounting(record_days(SMS, frame, 8), frame, files, "sms").select(
        "day", "rows", "unaccounted_rows", "unreadable_files"
    )
    expected = spark.createDataFrame(
        [(D1, 1, None, None), (D2, None, 1, 1)], "day date, rows long, unaccounted_rows long, unreadable_files long"
    )
    assert_df_equality(days, expected, ignore_row_order=True, ignore_nullable=True)


def test_usage_that_lost_a_record_or_knows_a_stranger_is_seen(spark: SparkSession) -> None:
    usage = rows(
        spark,
        USAGE,
        {"day": D1, "user_id": 1, "sms_out_messages": 2, "sms_in_messages": 0},
        {"day": D1, "user_id": 2, "sms_out_messages": 0, "sms_in_messages": 0},
    )
    lives = rows(spark, LIVES, {"user_id": 1})
    days = usage_days(usage, lives).toPandas()
    clean = pd.DataFrame({"day": [D1, D2], "rows": [4, 0], "countable_rows": [3, 0]})
    day = reconciled({"daily.usage": days, "clean.sms": clean})["daily.usage"].iloc[0]
    assert (day["sms_excess"], day["stranger_share"], day["repeated_keys"], day["broken_rows"]) == (-1, 0.5, 0, 0)


def test_a_sim_that_stands_for_several_users_at_once_is_seen(spark: SparkSession, settings: QualitySettings) -> None:
    gone = dt.datetime(2005, 5, 1)
    register = rows(
        spark,
        SUBSCRIBERS,
        *({"user_id": user, "delivered_on": D1, "imsi_key": 7} for user in (1, 2, 3)),
        {"user_id": 4, "delivered_on": D1, "imsi_key": 7, "valid_to": gone},
        {"user_id": 5, "delivered_on": D1},
        {"user_id": 6, "delivered_on": D1, "imsi_key": 7},
        *({"user_id": user, "delivered_on": D2, "imsi_key": 7} for user in (1, 9)),
    ).withColumn("state", F.expr("if(user_id = 6, 'bad', 'good')"))
    days = subscriber_days(register).toPandas().sort_values("delivered_on")
    assert days[["rows", "users_per_imsi"]].to_numpy().tolist() == [[5, 3], [2, 2]]
    seen = profile_rows({SUBSCRIBERS.name: days})
    found = fixed_checks(seen, {SUBSCRIBERS.name: SUBSCRIBERS}, Days(D1, D2), settings, [])
    assert {a.day: a.has_passed for a in found if a.check.column_name == "users_per_imsi"} == {D1: False, D2: True}


def test_profile_counts_repeated_keys_and_broken_rows(spark: SparkSession) -> None:
    frame = rows(
        spark,
        CHURN_SCORES,
        {"month": D1, "user_id": 1, "probability": 0.5},
        {"month": D1, "user_id": 1, "probability": 1.5},
        {"month": D1, "user_id": 2, "probability": None},
    )
    row = profile(CHURN_SCORES, frame, "month").collect()[0]
    assert (row["rows"], row["repeated_keys"], row["broken_rows"], row["filled_share"]) == (3, 1, 2, None)


def test_an_old_user_matched_twice_and_a_joiner_not_scored(spark: SparkSession) -> None:
    matches = rows(
        spark,
        MATCHES,
        {"known_on": D1, "user_id": 1, "stage_days": 60, "old_user_id": 7, "gap_days": 3, "probability": 0.9},
        {"known_on": D2, "user_id": 2, "stage_days": 60, "old_user_id": 7, "gap_days": -70, "probability": 0.8},
    )
    joiners = rows(
        spark, JOINERS, {"user_id": 1, "stage_days": 60, "scope": "scored"}, {"user_id": 2, "stage_days": 60, "scope": "excluded"}
    )
    found = (
        match_days(matches, joiners).orderBy("known_on").select("shared_old_users", "unscored_rows", "least_gap_days").collect()
    )
    assert [tuple(row) for row in found] == [(0, 0, 3), (1, 1, -70)]


def test_ranking_gaps_and_the_rate_seen_later(spark: SparkSession) -> None:
    scores = rows(
        spark,
        CHURN_SCORES,
        {"month": D1, "user_id": 1, "probability": 0.2, "place": 1},
        {"month": D1, "user_id": 2, "probability": 0.2, "place": 3},
    )
    labels = rows(
        spark,
        LABELS,
        {"month": D1, "user_id": 1, "has_churned_for_good": True},
        {"month": D1, "user_id": 2, "has_churned_for_good": False},
    )
    row = score_months(scores, labels).collect()[0]
    assert (row["ranking_gaps"], row["rate_skew"]) == (1, pytest.approx(0.6))


def test_checkpoint_grades_failed_days_and_leaves_a_site(tmp_path: Path) -> None:
    frame = pd.DataFrame({"day": [D1, D2, D3], "rows": [10, 0, 12], "bad_share": [0.0, None, 0.5]})
    asked = [
        *contract_checks(CHURN_SCORES)[:1],
        each_between("churn.scores", "few bad", "bad_share", "validity", most=0.01),
        Check("churn.scores", "newest", "rows", "timeliness", "warn", "ExpectColumnMaxToBeBetween", {"min_value": 5}),
        each_between("churn.scores", "absent", "nothing", "accuracy", most=1),
        each_between("clean.voice", "not profiled", "rows", "validity", least=1),
    ]
    found = run_checks({"churn.scores": frame}, asked, tmp_path, "2005-05-03", keep=2)
    assert [(r.has_passed, round(r.held, 3)) for r in found] == [(False, 0.667), (False, 0.5), (True, 1.0), (False, 0.0)]
    assert (tmp_path / "2005-05-03" / "index.html").is_file()
    for name in ("2005-05-04", "2005-05-05"):
        run_checks({"churn.scores": frame}, asked[:1], tmp_path, name, keep=2)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["2005-05-04", "2005-05-05"]


def test_rows_fit_the_quality_tables(spark: SparkSession) -> None:
    results = [
        CheckResult("clean.voice", "a", "rows", "validity", "error", False, "1 of 2", "at least 1", 0.5),
        CheckResult("clean.voice", "b", "rows", "validity", "warn", True, "all", "at least 1", 1.0),
        CheckResult("clean.voice", "c", "day", "timeliness", "warn", True, "0", "at most 1", 1.0),
    ]
    scores = score_rows(results, D1, error_weight=3)
    assert [(row["dimension"], row["score"]) for row in scores] == [("validity", 0.625), ("timeliness", 1.0)]
    assert rows(spark, SCORES, *scores).count() == 2
    assert rows(spark, CHECKS, *check_rows(results, D1)).count() == 3
    key = ("clean.voice", "a", "rows")
    file = {"path": "voice/a.csv", "note": None, "rows": 9, "bad_rows": 4}
    known = Known({key: dt.date(2005, 4, 2)}, {("clean.voice", D1): file}, {"clean.voice": ["daily.usage", "x", "y"]})
    report = summary({D1: results}, scores, Days(D1, D1), known)
    assert (report["checks"], report["failed_errors"], report["failed_warnings"], report["state"]) == (3, 1, 0, "error")
    assert json.loads(json.dumps(report)) == report
    (failed,) = report["failed"]
    assert (failed["since"], failed["file"], failed["touches"][0]) == ("2005-04-02", file, "daily.usage")
    assert told(failed) == (
        "error 2005-05-01 clean.voice: a (rows 1 of 2, expected at least 1, since 2005-04-02); "
        "file voice/a.csv, 4 of its 9 rows of that day set aside; touches daily.usage, x and 1 more"
    )


def test_a_check_fails_since_its_last_good_day_and_the_file_with_most_rows_set_aside_comes_first(spark: SparkSession) -> None:
    verdicts = {"a": [(D1, False), (D3, False)], "b": [(D1, False), (D2, True), (D3, False)], "c": [(D1, False), (D3, True)]}
    judged = [
        {"table_name": "t", "check_name": name, "column_name": "rows", "day": day, "has_passed": passed}
        for name, days in verdicts.items()
        for day, passed in days
    ]
    found = {row["check_name"]: row["since"] for row in failing_since(rows(spark, CHECKS, *judged)).collect()}
    assert found == {"a": D1, "b": D3}, "a day it was not asked ends nothing; what holds by now does not fail"
    entered = ledger(spark, SMS, *[{"day": D1}] * 6, states=("good", "good", "good", "bad", "good", "bad"))
    entered = entered.withColumn("file_id", F.expr("if(record_key <= 4, 'big', 'small')"))
    entered = entered.where("file_id = 'small' or record_key <= 4")
    files = rows(
        spark,
        FILES,
        *[{"feed": "sms", "file_id": name, "path": f"{name}.csv", "delivered_on": D1} for name in ("big", "small")],
        {"feed": "sms", "file_id": "cut", "path": "cut.gz", "delivered_on": D1, "note": "not whole"},
        {"feed": "mms", "file_id": "other", "path": "other.gz", "delivered_on": D1, "note": "not whole"},
    )
    best = files_of_days({"sms": entered}, files, most=2).orderBy("place").collect()
    assert [(row["path"], row["rows"], row["bad_rows"], row["files"]) for row in best] == [
        ("cut.gz", 0, 0, 3),
        ("big.csv", 4, 1, 3),
    ]


def test_every_table_gets_a_profile_its_checks_and_scores(spark: SparkSession, settings: QualitySettings, tmp_path: Path) -> None:
    day = {"day": D1, "delivered_on": D2}
    counted = {
        **dict.fromkeys((name for names in USAGE_OF.values() for name in names), 0),
        "voice_out_calls": 1,
        "sms_out_messages": 1,
    }
    frames = {
        VOICE: ledger(
            spark, VOICE, {**day, "number_key": 1, "peer_network": "own", "direction": "out", "seconds": 30, "peer_key": 2}
        ),
        SMS: ledger(spark, SMS, {**day, "number_key": 1, "peer_network": "own", "peer_key": 2}),
        FILES: rows(
            spark,
            FILES,
            *[{"feed": f, "delivered_on": D2, "lines": 1, "rows_per_line": 1, "batch_state": "done"} for f in ("voice", "sms")],
        ),
        LIVES: rows(spark, LIVES, {"user_id": 1}),
        USAGE: rows(spark, USAGE, {"day": D1, "user_id": 1, **counted}),
        EDGES: rows(spark, EDGES, {"day": D1, "user_id": 1}),
        MONTHLY: rows(spark, MONTHLY, {"month": D1, "user_id": 1}),
        CHURN_SCORES: rows(spark, CHURN_SCORES, {"month": D1, "user_id": 1, "probability": 0.1, "place": 1}),
        MATCHES: rows(spark, MATCHES, {"known_on": D1, "user_id": 1, "old_user_id": 2, "stage_days": 60, "gap_days": 5}),
    }
    made = reconciled(
        {name: frame.toPandas() for name, frame in profiles(frames, Days(D1, dt.date(2005, 5, 31)), settings).items()}
    )
    assert set(made) == {
        "clean.voice",
        "clean.sms",
        "daily.usage",
        "daily.edges",
        "features.monthly",
        "churn.scores",
        "reentry.matches",
    }
    seen = profile_rows(made)
    assert rows(spark, PROFILES, *seen.to_dict("records")).count() == len(seen)
    assert not seen.duplicated(["day", "table_name", "measure"]).any()
    asked = fixed_checks(seen, {t.name: t for t in frames}, Days(D1, dt.date(2005, 5, 31)), settings, ["clean.voice"])
    assert not [one for one in asked if not one.has_passed and one.check.severity == "error"]
    of_day = [one for one in asked if one.day == D1]
    values = {
        name: pd.DataFrame([{one.check.column_name: one.value for one in of_day if one.check.table_name == name}])
        for name in {one.check.table_name for one in of_day}
    }
    found = run_checks(values, [one.check for one in of_day], tmp_path, "2005-05-01", keep=2)
    assert [r.has_passed for r in found] == [one.has_passed for one in of_day], "Great Expectations judges as we do"


def test_days_outside_the_run_are_not_profiled_again(spark: SparkSession, settings: QualitySettings) -> None:
    frame = ledger(spark, SMS, *[{"day": day, "delivered_on": day, "number_key": 1} for day in (D1, D2, D3)])
    made = profiles({SMS: frame}, Days(D2, D2), settings)["clean.sms"].collect()
    assert [(row["day"], row["rows"]) for row in made] == [(D2, 1)]
