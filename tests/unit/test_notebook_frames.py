"""What notebooks read and count: by path and by the views of a catalog, people, forecasts whose months are closed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churnlake.core import catalog
from churnlake.core.catalog_views import CatalogViews
from churnlake.core.contract import Table
from churnlake.core.errors import MissingInputError, SettingsError
from churnlake.core.lake import Lake, Scope
from churnlake.core.runs import EVER, RUNS
from churnlake.core.settings import load
from churnlake.core.testing import rows
from churnlake.notebook import open_lake
from churnlake.settings import Settings
from churnlake.site import closed, people
from churnlake.tables.churn import LABELS, NEXT_MONTH, SCORES
from churnlake.tables.clean import SMS
from churnlake.tables.daily import USAGE
from churnlake.tables.features import ITEMS, MONTHLY
from churnlake.tables.reference import SUBSCRIBERS

MAY, JUNE = dt.date(2005, 5, 1), dt.date(2005, 6, 1)
HERE = "spark_catalog"
"""The catalog of a session of ours: it stands in for one of Databricks."""


@pytest.fixture(scope="module")
def home(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with two days of use, one of which a check withdrew, and messages of which one was set aside."""
    home = tmp_path_factory.mktemp("published")

    lake = lake_of(spark, home)

    def write(table: Table, frame: DataFrame) -> None:
        lake.create(table)
        frame.write.format("delta").mode("append").save(lake.path(table))

    days = [{"day": dt.date(2005, 5, day), "user_id": user} for day in (1, 2) for user in (1, 2)]
    write(USAGE, rows(spark, USAGE, *days))
    messages = rows(spark, SMS, {"batch": "a", "record_key": 1, "day": MAY}, {"batch": "a", "record_key": 2, "day": MAY})
    is_bad = F.col("record_key") == 2
    write(
        SMS,
        messages.select(
            "*", F.when(is_bad, "bad").otherwise("good").alias("state"), F.when(is_bad, F.array(F.lit("hour missing"))).alias("reasons"),
            F.lit("f").alias("file_id"), F.lit(None).cast("string").alias("kept_in"), F.lit("secret").alias("raw_text"),
        ),
    )  # fmt: skip
    written = [{"table_name": USAGE.name, "version": 0, "rows": 2, "bad": 0, "duplicates": 0, "slices": ["2005-05-02"]}]
    for hour, state in enumerate(("done", "withdrawn")):
        lake.append_log(
            {
                "run_id": state, "job": "build_daily", "state": state, "at": dt.datetime(2005, 5, 3, hour, tzinfo=dt.UTC), "written": written,
                "first_day": MAY, "last_day": dt.date(2005, 5, 2), "versions_read": [], "left_out": [], "seconds": 1.0,
            }
        )  # fmt: skip
    return home


@pytest.fixture(scope="module")
def views(spark: SparkSession, home: Path) -> Iterator[CatalogViews]:
    """The views that refresh_views makes, in the session's own catalog; but for groups of people, which it does not know."""
    hidden = lake_of(spark, home).hidden()
    made = [
        f"CREATE SCHEMA IF NOT EXISTS {HERE}.{schema} LOCATION '{home}/schemas/{schema}'"
        for schema in (catalog.VIEWS, "daily", "clean", "quality")
    ]
    made.append(f"CREATE OR REPLACE FUNCTION {HERE}.{catalog.VIEWS}.masked(keyed BIGINT) RETURNS BIGINT RETURN keyed")
    for table in (USAGE, SMS, RUNS):
        made += catalog.registered(table, HERE, str(home / table.name.replace(".", "/")))
        made += catalog.views(table, HERE, hidden.get(table.name))
    for statement in made:
        spark.sql(statement)
    yield CatalogViews(spark, HERE)
    for schema in (catalog.VIEWS, "daily", "clean", "quality"):
        spark.sql(f"DROP SCHEMA {HERE}.{schema} CASCADE")


def lake_of(spark: SparkSession, home: Path) -> Lake:
    store = load(Settings, "local", [f"store.lake={home}", f"store.work={home}/work"]).store
    return Lake(spark, store, Scope("", EVER, (USAGE, SMS, RUNS, SCORES), ()))


def test_views_give_what_the_path_gives(views: CatalogViews, home: Path, spark: SparkSession) -> None:
    assert views.has(USAGE)
    assert not views.has(SCORES)
    usage = views.read(USAGE)
    assert usage.columns == USAGE.names
    assert {row["day"] for row in usage.collect()} == {MAY}, "what a check withdrew is not seen"
    assert [row["record_key"] for row in views.read(SMS).collect()] == [1]
    assert {row["state"]: row["reasons"] for row in views.ledger(SMS).collect()} == {"good": None, "bad": ["hour missing"]}
    assert "raw_text" not in views.ledger(SMS).columns
    assert views.hidden() == {USAGE.name: {"2005-05-02": "withdrawn"}}
    with pytest.raises(MissingInputError, match=r"no view spark_catalog\.analysis\.churn_scores of churn\.scores"):
        views.read(SCORES)


def test_who_sees_no_ids_is_told_so(views: CatalogViews, spark: SparkSession) -> None:
    spark.sql(
        f"CREATE OR REPLACE FUNCTION {HERE}.{catalog.VIEWS}.masked(keyed BIGINT) RETURNS BIGINT RETURN CAST(NULL AS BIGINT)"
    )
    with pytest.raises(SettingsError, match="ids are masked to you, so persons can not be counted"):
        CatalogViews(spark, HERE)
    spark.sql(f"CREATE OR REPLACE FUNCTION {HERE}.{catalog.VIEWS}.masked(keyed BIGINT) RETURNS BIGINT RETURN keyed")


def test_a_catalog_named_by_the_environment_is_read(views: CatalogViews, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHURNLAKE_CATALOG", HERE)
    told = repr(open_lake())
    assert told.startswith("the views of catalog spark_catalog: 3 tables, days 2005-05-01 to 2005-05-01")
    assert told.endswith("slices hidden from readers: daily.usage (withdrawn: 1)")
    monkeypatch.setattr("churnlake.core.catalog_views.VIEWS", "nothing")
    with pytest.raises(
        MissingInputError, match=r"no view spark_catalog\.nothing\.quality_runs: refresh_views .* makes the views"
    ):
        open_lake(catalog=HERE)


def test_a_lake_is_read_by_path_as_every_reader_reads_it(home: Path, spark: SparkSession) -> None:
    lake = open_lake(overrides=[f"store.lake={home}", f"store.work={home}/work"])
    assert {row["day"] for row in lake.read("daily.usage").collect()} == {MAY}
    assert list(lake.frames(USAGE, SMS, SCORES)) == [USAGE, SMS]
    assert lake.frames(SMS)[SMS].count() == 2, "of a ledger every row"
    with pytest.raises(SettingsError, match=r"no table 'daily\.use'"):
        lake.read("daily.use")
    with pytest.raises(SettingsError, match=r"there is no lake at /nowhere; make demo makes one"):
        open_lake(overrides=["store.lake=/nowhere", f"store.work={home}/work"])


def test_people_are_counted_by_what_is_known_of_them(spark: SparkSession) -> None:
    old = {"month": MAY, "user_id": 1, "brand": "mzone"}
    now = [
        {"month": JUNE, "user_id": 1, "brand": "mzone", "tenure_days": 200, "peers": 4, "usage_fee_yuan": Decimal(10), "voice_out_seconds": 120, "sms_out_messages": 3, "voice_out_calls": 2},
        {"month": JUNE, "user_id": 2, "brand": None, "tenure_days": None, "peers": 0, "usage_fee_yuan": Decimal(5), "voice_out_seconds": 0, "sms_out_messages": 0, "voice_out_calls": 0},
    ]  # fmt: skip
    cards = [
        {"user_id": 1, "delivered_on": MAY, "dealer_id": "d1"},
        {"user_id": 1, "delivered_on": JUNE, "dealer_id": "d2"},
    ]
    items = [{"month": JUNE, "user_id": user, "voice_out_calls_mon_19": 5} for user in (1, 2)]
    frames = {
        MONTHLY: rows(spark, MONTHLY, old, *now),
        SUBSCRIBERS: rows(spark, SUBSCRIBERS, *cards),
        ITEMS: rows(spark, ITEMS, *items),
    }
    found = {name: frame.toPandas() for name, frame in people.aggregates(frames).items()}
    counts = {(row["dimension"], row["value"]): row["users"] for row in found["people"].to_dict("records")}
    assert counts["brand", "mzone"] == counts["brand", "unknown"] == 1
    assert counts["tenure", "6 to 11 months"] == counts["tenure", "unknown"] == 1
    assert counts["peers", "3 to 5 peers"] == counts["peers", "0 peers"] == 1
    assert counts["dealer", "d2"] == counts["dealer", "unknown"] == 1, "the newest delivery holds"
    used = {row["service"]: (row["users"], row["of"]) for row in found["services"].to_dict("records") if row["month"] == JUNE}
    assert used["calls"] == (1, 2)
    assert people.people(found["people"], "brand", 1)[0] == {
        "value": "mzone", "users": 1, "share": 0.5, "fee": 10.0, "minutes": 2.0, "messages": 3.0,
    }  # fmt: skip
    heat = people.hours(found["hours"], "calls")
    assert heat is not None
    assert heat["data"][0]["z"][0][19] == 10
    assert people.hours(found["hours"], "SMS") is None


def test_scores_are_held_against_outcomes_of_closed_months_alone(spark: SparkSession) -> None:
    scored = [
        {"month": month, "user_id": user, "target": NEXT_MONTH, "probability": user / 10}
        for month in (MAY, JUNE)
        for user in (1, 2, 3)
    ]
    known = [{"month": MAY, "user_id": user, "target": NEXT_MONTH, "has_churned": user == 3} for user in (1, 2, 3)]
    others = [{"month": MAY, "user_id": 3, "target": "leave_t2", "has_churned": False}]
    frames = {SCORES: rows(spark, SCORES, *scored), LABELS: rows(spark, LABELS, *known, *others)}
    points = closed.aggregates(frames)["closed"].toPandas().sort_values("step")
    assert points["rows"].tolist() == [1, 1, 1]
    assert points["positives"].tolist() == [1, 0, 0]
    assert points["score"].tolist() == pytest.approx([0.3, 0.2, 0.1])
