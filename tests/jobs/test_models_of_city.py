"""Models of the tiny city: what they take, whom they are taught with, what is scored, watched and listed."""

import datetime as dt
import itertools
from collections import Counter
from pathlib import Path

from conftest import City
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from churnlake.core.tracking import Tracker
from churnlake.evaluate.asof import MADE_FROM, compared, made_again
from churnlake.indicators import INDICATORS
from churnlake.models.frame import BESIDE, features_of
from churnlake.models.learners import SIMPLEST
from churnlake.models.train import REGISTERED
from churnlake.tables.campaigns import LISTS
from churnlake.tables.churn import LABELS, MODELS, NEXT_MONTH, SCORES
from churnlake.tables.circles import NEIGHBOURS
from churnlake.tables.features import MONTHLY, SELECTION
from churnlake.tables.judged import DRIFT, HAZARDS, JUDGED
from churnlake.tables.reference import OPT_OUTS, OPTED_OUT


def test_the_list_is_ranked_with_reasons_and_a_control_arm(spark: SparkSession, city: City) -> None:
    lake = city.lake(spark)
    listed = lake.read(LISTS).orderBy("place").collect()
    assert [r.place for r in listed] == list(range(1, len(listed) + 1))
    assert all(r.at_stake_yuan >= s.at_stake_yuan for r, s in itertools.pairwise(listed))
    assert any(r.reasons for r in listed)
    scores = lake.read(SCORES).where(F.col("target") == NEXT_MONTH)
    assert scores.agg(F.max("place")).first()[0] == scores.count()  # type: ignore[index]
    models = lake.read(MODELS).where(F.col("target") == NEXT_MONTH).collect()
    assert {m.learner for m in models} == set(SIMPLEST)
    assert sum(m.is_champion for m in models) == 1
    assert all(m.test_month > dt.date.fromisoformat(max(m.train_months)) for m in models)


def test_models_take_the_indicators_selected_by_the_last_month_taught(spark: SparkSession, city: City) -> None:
    lake = city.lake(spark)
    rows = lake.read(SELECTION).collect()
    users = {row["month"]: row["count"] for row in lake.read(MONTHLY).groupBy("month").count().collect()}
    assert {row["month"]: row["users"] for row in rows} == users, "a tiny city is looked at whole"
    assert len(rows) == len(users) * (len(MONTHLY.columns) - 2)
    assert {row["psi"] for row in rows if row["month"] == min(users)} == {None}
    for month in users:
        roles = {row["indicator"]: row["role"] for row in rows if row["month"] == month}
        assert min(Counter(roles.values()).values()) > 20, Counter(roles.values())
        assert {roles[row["leader"]] for row in rows if row["month"] == month and row["leader"]} == {"modelling"}
    champion = Tracker(city.settings.tracking, "churn_leave").champion()
    assert champion is not None
    _, notes = Tracker(city.settings.tracking, "churn_leave").load(champion.version)
    (months,) = {tuple(row["train_months"]) for row in lake.read(MODELS).where(F.col("target") == NEXT_MONTH).collect()}
    last = dt.date.fromisoformat(max(months))
    chosen = {row["indicator"] for row in rows if row["month"] == last and row["role"] == "modelling"}
    # and beside the indicators how far own use has fallen and how many neighbours left, as far as that was known of anybody
    more = {name for table in BESIDE for name in features_of(table)[0]}
    taken = {*notes["numeric"], *notes["categories"]} - more
    assert taken <= chosen
    assert len(taken) > 0.9 * len(chosen), "what is usable in the month is so, but for some, in the months taught"


def test_nobody_who_chose_to_be_left_alone_is_taught_with_scored_or_listed(spark: SparkSession, city: City) -> None:
    lake = city.lake(spark)
    out = lake.read(OPT_OUTS).groupBy("user_id").agg(F.expr(OPTED_OUT).alias("is_out")).where("is_out").select("user_id")
    assert not lake.read(MONTHLY).join(out, on="user_id", how="left_semi").isEmpty(), "its records are kept, and counted"
    for table in (SCORES, HAZARDS, LISTS):
        assert lake.read(table).join(out, on="user_id", how="left_semi").isEmpty(), table.name
    model = lake.read(MODELS).where(F.col("target") == NEXT_MONTH).first()
    assert model is not None
    taught = (
        lake.read(LABELS)
        .where(F.col("target") == NEXT_MONTH)
        .where(F.col("month") == F.lit(model["test_month"]))
        .join(lake.read(MONTHLY), on=["month", "user_id"], how="left_semi")
    )
    left_alone = taught.join(out, on="user_id", how="left_semi").count()
    assert model["test_rows"] == taught.count() - left_alone
    assert left_alone > 0


def test_each_target_is_taught_scored_and_watched_or_said_to_be_left_out(spark: SparkSession, city: City) -> None:
    lake, left_out = city.lake(spark), [*city.reports["train_model"].left_out, *city.reports["score_model"].left_out]
    judged = {row["target"] for row in lake.read(JUDGED).where("part in ('all', 'ahead')").collect()}
    scored = {row["target"] for row in lake.read(SCORES).select("target").distinct().collect()}
    for target, name in REGISTERED.items():
        champion = Tracker(city.settings.tracking, name).champion()
        if champion is None:
            assert any(line.startswith(f"training of {target}: ") for line in left_out), target
            continue
        assert target in judged
        if target == "hazard":
            assert not lake.read(HAZARDS).isEmpty()
            continue
        assert target in scored
        assert champion.tags["verdict"] == "the first of its name"
        watched = {row["column"] for row in lake.read(DRIFT).where(F.col("target") == target).collect()}
        assert "score" in watched
        assert len(watched) > 20
        copy = Path(city.settings.store.work) / "champions" / name
        assert (copy / "model").is_dir()
    assert NEXT_MONTH in scored
    parts = lake.read(JUDGED).where(F.col("target") == NEXT_MONTH).collect()
    whole = next(row for row in parts if row["part"] == "all")
    assert sum(row["rows"] for row in parts if row["part"] == "brand") == whole["rows"]


def test_what_models_take_is_what_was_known_at_the_months_end(spark: SparkSession, city: City) -> None:
    lake = city.lake(spark)
    month = lake.read(NEIGHBOURS).agg(F.min("month")).collect()[0][0]
    some = [i for i in INDICATORS if i.over][::12] + [
        i for i in INDICATORS if i.name in ("own_events_to_plan_ratio", "peers_left")
    ]
    for table in MADE_FROM:
        found = compared(table, month, lake.read(table), made_again(lake, city.settings, table, month, some), lake.checkpoint)
        assert [str(leak) for leak in found.leaks()] == []
        assert found.users > 50
        assert found.columns == (len(some) if table == MONTHLY else len(table.names) - 2)
