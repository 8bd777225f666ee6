from __future__ import annotations

import gzip
import hashlib
from collections import Counter
from pathlib import Path

import pytest
import yaml
from conftest import City
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churnlake.city.generate import configured, generate, scenario
from churnlake.city.settings import CityScenario
from churnlake.core.errors import ContractError
from churnlake.core.feeds import load_feed
from churnlake.core.settings import conf_folder
from churnlake.tables.raw import RECORD_FEEDS, REFERENCE_FEEDS

SEED = 2005


@pytest.fixture
def tiny() -> CityScenario:
    return scenario("tiny")


@pytest.fixture
def made(city: City) -> tuple[Path, dict[str, int]]:
    """The landing and truth of the one tiny city, and the counts its making told."""
    return Path(city.settings.store.landing).parent, city.reports["generate_city"].facts


def _digest(folder: Path) -> dict[str, str]:
    files = sorted(folder.rglob("*.csv.gz"))
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _read(spark: SparkSession, folder: Path, feed: str) -> DataFrame:
    return spark.read.option("header", True).csv(str(folder / "landing" / feed / "*" / "*.csv.gz"))


def _truth(spark: SparkSession, folder: Path, name: str) -> DataFrame:
    return spark.read.parquet(str(folder / "truth" / name))


def test_the_same_seed_gives_the_same_bytes_whatever_the_partitioning(
    spark: SparkSession, tiny: CityScenario, made: tuple[Path, dict[str, int]], tmp_path: Path
) -> None:
    with configured(spark, {"spark.sql.shuffle.partitions": "5"}):
        counts = generate(spark, tiny, SEED, tmp_path / "landing", tmp_path / "truth")
    assert counts == made[1]
    assert _digest(tmp_path / "landing") == _digest(made[0] / "landing")
    for name in sorted(path.name for path in (made[0] / "truth").iterdir()):
        mine, theirs = (spark.read.parquet(str(home / "truth" / name)).collect() for home in (tmp_path, made[0]))
        assert mine == theirs, name


def test_a_city_that_is_there_is_left_alone_and_another_refused(
    spark: SparkSession, tiny: CityScenario, made: tuple[Path, dict[str, int]]
) -> None:
    folder, counts = made
    digest = _digest(folder / "landing")
    assert generate(spark, tiny, SEED, folder / "landing", folder / "truth") == counts
    assert _digest(folder / "landing") == digest
    with pytest.raises(ContractError, match=f"seed {SEED}"):
        generate(spark, tiny, SEED + 1, folder / "landing", folder / "truth")


def test_a_folder_of_other_files_is_refused(spark: SparkSession, tiny: CityScenario, tmp_path: Path) -> None:
    (tmp_path / "landing").mkdir()
    (tmp_path / "landing" / "mine.csv").write_text("a\n", encoding="utf-8")
    with pytest.raises(ContractError, match="not of a generated city"):
        generate(spark, tiny, SEED, tmp_path / "landing", tmp_path / "truth")


def test_files_lie_by_delivery_day_with_header_and_counted_lines(tiny: CityScenario, made: tuple[Path, dict[str, int]]) -> None:
    folder, counts = made
    found = sorted((folder / "landing" / "voice").rglob("*.csv.gz"))
    assert [path.parent.name for path in found] == [f"date={day}" for day in tiny.deliveries]
    assert found[0].name == f"voice_{tiny.deliveries[0]:%Y%m%d}.csv.gz"
    # bytes: some lines are planted not to be UTF-8
    lines = [gzip.decompress(path.read_bytes()).splitlines() for path in found]
    assert {text[0].split(b",")[0] for text in lines} == {b"RECORD_NO"}
    assert sum(len(text) - 1 for text in lines) == counts["voice"]
    assert found[0].read_bytes()[4:8] == b"\0\0\0\0"
    assert not (folder / "landing" / "_building").exists()


@pytest.mark.parametrize("table", [*RECORD_FEEDS, *REFERENCE_FEEDS], ids=lambda table: table.name)
def test_each_feed_file_names_columns_that_are_delivered(made: tuple[Path, dict[str, int]], table: object) -> None:
    feed = str(getattr(table, "name")).split(".")[1]  # noqa: B009
    mapping = load_feed(conf_folder() / "feeds" / "city" / f"{feed}.yaml", table)  # type: ignore[arg-type]
    first = min((made[0] / "landing" / feed).rglob("*.csv.gz"))
    assert set(mapping.columns) <= set(gzip.decompress(first.read_bytes()).splitlines()[0].decode().split(","))
    assert made[1][feed] > 0


def test_what_is_sold_is_told_alike_at_the_counter_and_in_the_register(
    spark: SparkSession, tiny: CityScenario, made: tuple[Path, dict[str, int]]
) -> None:
    same = ("MSISDN", "ID_CARD", "BRAND_CODE", "PLAN_CODE", "CHANNEL", "DEALER", "BRANCH", "BONUS_FEN")
    sold = _read(spark, made[0], "activations")
    begun = _read(spark, made[0], "subscribers").where(f"OPEN_DATE > '{tiny.first_day:%Y%m%d}'")
    begun = begun.select("USER_ID", "OPEN_DATE", *same).distinct()
    assert sold.count() == begun.select("USER_ID").distinct().count() > 50
    told = sold.withColumn("OPEN_DATE", F.substring("ACT_TIME", 1, 8)).select("USER_ID", "OPEN_DATE", *same)
    assert told.exceptAll(begun).isEmpty()


def test_an_on_net_call_is_two_records_of_the_same_moment(spark: SparkSession, made: tuple[Path, dict[str, int]]) -> None:
    voice = _read(spark, made[0], "voice").selectExpr(
        "right(MSISDN, 11) as own", "right(OPP_NUMBER, 11) as peer", "START_TIME", "CALL_TYPE", "DURATION"
    )
    numbers = _read(spark, made[0], "subscribers").selectExpr("MSISDN as peer").distinct()
    out = voice.where("CALL_TYPE = '0'").join(numbers, on="peer", how="left_semi")
    back = voice.where("CALL_TYPE in ('1', '2')").selectExpr(
        "peer as own", "own as peer", "START_TIME", "DURATION", "true as answered_by"
    )
    seen = (
        out.join(back, on=["own", "peer", "START_TIME", "DURATION"], how="left")
        .selectExpr("avg(if(answered_by, 1, 0)) as share")
        .first()
    )
    assert seen is not None
    assert seen["share"] > 0.95


def test_what_is_left_falls_silent(spark: SparkSession, tiny: CityScenario, made: tuple[Path, dict[str, int]]) -> None:
    users = _truth(spark, made[0], "users").where("left_on is not null").selectExpr("user_id as USER_ID", "left_on")
    held = _read(spark, made[0], "subscribers").selectExpr("USER_ID", "MSISDN as own", "OPEN_DATE").distinct()
    shared = held.groupBy("own").count().where("count > 1").select("own")
    held = held.join(shared, on="own", how="left_anti")
    calls = (
        _read(spark, made[0], "voice")
        .where("CALL_TYPE = '0' and START_TIME rlike '^2005[01][0-9]{9}$'")
        .selectExpr("right(MSISDN, 11) as own", "try_to_date(left(START_TIME, 8), 'yyyyMMdd') as day")
    )
    late = users.join(held, on="USER_ID", how="inner").join(calls, on="own", how="inner").where("day >= left_on")
    assert late.isEmpty()
    assert users.count() > 10


ODD: dict[str, dict[str, object]] = {
    "": {
        "name": "odd", "users": 60, "first_day": "2006-08-01", "last_day": "2006-09-20", "prepaid": ["azul"], "documents": {}, "occasions": [],
        "campaigns": [], "survey": [], "services": {}, "abnormal": {},
    },
    "leaving": {"monthly": 0.2, "brand_risk": {}},
    "coming": {"decoys": {}, "copied": {}, "unaware": {}, "motives": {}, "renumbered": 5},
    "records": {"per_user_day": 2.5},
}  # fmt: skip
"""What the standard city has otherwise, at its top and in its parts."""


def test_an_operator_of_one_brand_with_nothing_special_works(spark: SparkSession, tmp_path: Path) -> None:
    base = yaml.safe_load((conf_folder() / "city" / "standard.yaml").read_text(encoding="utf-8"))
    for part, values in ODD.items():
        base.update({part: {**base[part], **values}} if part else values)
    base["plans"] = {"UNO": {**base["plans"]["EO00"], "brand": "azul", "local": 0}}
    base["personas"] = {"office": {**base["personas"]["office"], "share": 1.0, "brands": {"azul": 1}}}
    path = tmp_path / "odd.yaml"
    path.write_text(yaml.safe_dump(base), encoding="utf-8")
    counts = generate(spark, scenario(str(path)), 3, tmp_path / "landing", tmp_path / "truth")
    assert counts["voice"] > 1000
    assert counts["recharges"] > 0
    users = _truth(spark, tmp_path, "users")
    assert users.where("left_on is not null").count() > 2
    told = _read(spark, tmp_path, "subscribers")
    assert {row["BRAND_CODE"] for row in told.select("BRAND_CODE").distinct().collect()} == {"azul"}


@pytest.mark.parametrize(("feed", "time"), [("voice", "START_TIME"), ("sms", "SEND_TIME")])
def test_a_closed_number_is_not_reached(spark: SparkSession, made: tuple[Path, dict[str, int]], feed: str, time: str) -> None:
    held = _read(spark, made[0], "subscribers").selectExpr("USER_ID", "MSISDN as own", "CLOSE_DATE", "OPEN_DATE")
    again = held.groupBy("own").agg(F.count_distinct("USER_ID").alias("users")).where("users > 1")
    closed = held.join(again, on="own", how="left_anti").groupBy("own").agg(F.min("CLOSE_DATE").alias("closed_on"))
    closed = closed.where("closed_on is not null")
    events = _read(spark, made[0], feed).where(f"{time} rlike '^2005[01][0-9]{{9}}$'")
    late = events.selectExpr("right(MSISDN, 11) as own", f"left({time}, 8) as day").join(closed, on="own", how="inner")
    assert late.where("day >= closed_on").isEmpty()
    assert closed.count() > 10


def test_nobody_buys_a_card_for_a_number_left_behind(spark: SparkSession, made: tuple[Path, dict[str, int]]) -> None:
    left = _truth(spark, made[0], "users").where("left_on is not null").selectExpr("user_id as USER_ID", "left_on")
    bought = _read(spark, made[0], "recharges").selectExpr("USER_ID", "try_to_date(left(PAY_TIME, 8), 'yyyyMMdd') as day")
    after = bought.join(left, on="USER_ID", how="inner")
    assert after.where("day >= left_on").isEmpty()
    assert after.count() > 10


def test_truth_names_users_that_were_delivered(spark: SparkSession, made: tuple[Path, dict[str, int]]) -> None:
    delivered = _read(spark, made[0], "subscribers").selectExpr("USER_ID as user_id").distinct()
    users = _truth(spark, made[0], "users")
    again = _truth(spark, made[0], "reentries")
    decoys = _truth(spark, made[0], "decoys")
    assert users.select("user_id").exceptAll(delivered).isEmpty()
    assert users.count() == users.select("user_id").distinct().count() == delivered.count()
    pairs = again.join(users.selectExpr("user_id as new_user_id", "person_id as new_person"), on="new_user_id", how="inner")
    pairs = pairs.join(users.selectExpr("user_id as old_user_id", "person_id as old_person"), on="old_user_id", how="inner")
    assert pairs.count() == again.count() > 3
    assert pairs.where("new_person <> old_person").isEmpty()
    assert again.where("gap_days not between -60 and 120").isEmpty()
    assert {row["kind"] for row in again.select("kind").distinct().collect()} == {"full", "partial"}
    assert decoys.join(again.selectExpr("new_user_id as user_id"), on="user_id", how="left_semi").isEmpty()
    joined = users.selectExpr("user_id", "joined_on").join(decoys, on="user_id", how="inner")
    liked = joined.join(
        users.selectExpr("user_id as like_user_id", "joined_on as like_joined_on"), on="like_user_id", how="inner"
    )
    assert liked.where("user_id = like_user_id or like_joined_on > joined_on").isEmpty()
    assert liked.count() > 10
    assert {"kin", "household", "second_number"} <= {row["kind"] for row in decoys.select("kind").distinct().collect()}


def test_planted_faults_are_labelled_and_found_in_the_files(spark: SparkSession, made: tuple[Path, dict[str, int]]) -> None:
    folder, counts = made
    faults = {row["kind"]: row["count"] for row in _truth(spark, folder, "faults").groupBy("kind").count().collect()}
    assert sum(faults.values()) == counts["faults"] > 50
    assert _truth(spark, folder, "incidents").isEmpty()
    voice = _read(spark, folder, "voice")
    planted = _truth(spark, folder, "faults").where("feed = 'voice'").groupBy("kind").count().collect()
    of_voice = Counter({row["kind"]: row["count"] for row in planted})
    assert voice.where("CALL_TYPE = '9'").count() == of_voice["unknown_direction"] > 0
    assert voice.where("try_cast(DURATION as int) < 0").count() == of_voice["negative_seconds"] > 0
    assert voice.where("START_TIME like '%xx'").count() == of_voice["bad_time"] > 0
    twice = voice.where("RECORD_NO is not null").groupBy("RECORD_NO").count().where("count = 2").count()
    assert twice == of_voice["duplicate_in_file"] + of_voice["duplicate_across_files"] + of_voice["id_conflict"] > 0
