"""What people of the tiny city do shows in their records as the truth says: motives, tariffs, journeys, outages, numbers handed on."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from pathlib import Path

import pytest
from conftest import City
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churnlake.city import habits
from churnlake.city.dice import Dice
from churnlake.city.generate import configured, generate, scenario
from churnlake.city.settings import CityScenario

TINY = """
like: tiny
name: tiny_edges
faults: {}
fault_share: 0
records: {form: edges, first_day: 2005-03-01, last_day: 2005-03-31}
"""


@pytest.fixture(scope="module")
def tiny() -> CityScenario:
    return scenario("tiny")


@pytest.fixture(scope="module")
def home(city: City) -> Path:
    return Path(city.settings.store.landing).parent


def _feed(spark: SparkSession, home: Path, feed: str) -> DataFrame:
    return spark.read.option("header", True).csv(str(home / "landing" / feed / "*" / "*.csv.gz"))


def _contents(folder: Path) -> list[tuple[str, str]]:
    """Folder and hash of the content of each file: a Parquet file's own name is new each time."""
    files = (path for path in folder.rglob("*") if path.suffix in (".parquet", ".gz"))
    return sorted((str(path.parent.relative_to(folder)), hashlib.sha256(path.read_bytes()).hexdigest()) for path in files)


def _truth(spark: SparkSession, home: Path, name: str) -> DataFrame:
    return spark.read.parquet(str(home / "truth" / name))


@pytest.fixture(scope="module")
def calls(spark: SparkSession, home: Path) -> DataFrame:
    """Sound voice records: own number, other number as written, day, hour, second of the start."""
    sound = _feed(spark, home, "voice").where("START_TIME rlike '^2005[01][0-9]{9}$' and MSISDN rlike '^(86)?1[0-9]{10}$'")
    return sound.selectExpr(
        "*",
        "right(MSISDN, 11) as own",
        "right(OPP_NUMBER, 11) as other",
        "try_to_date(left(START_TIME, 8), 'yyyyMMdd') as day",
        "int(substring(START_TIME, 9, 2)) as hour",
    ).cache()


@pytest.fixture(scope="module")
def users(spark: SparkSession, home: Path) -> DataFrame:
    """One row per user: number, plan, brand, dealer as delivered; who it really is."""
    told = (
        _feed(spark, home, "subscribers")
        .groupBy(F.col("USER_ID").alias("user_id"))
        .agg(*[F.min(name).alias(name) for name in ("MSISDN", "PLAN_CODE", "BRAND_CODE", "DEALER", "OPEN_DATE")])
    )
    return _truth(spark, home, "users").join(told, on="user_id", how="inner").cache()


def test_a_call_passed_on_shows_no_handset_and_rings_at_the_number_it_goes_to(calls: DataFrame, users: DataFrame) -> None:
    passed = calls.where("CALL_TYPE = '2'")
    assert passed.count() > 20
    assert passed.where("IMEI is not null or LAC_CI is not null").isEmpty()
    ours = users.selectExpr("MSISDN as goes_to").distinct()
    to_us = passed.selectExpr("right(THIRD_NUMBER, 11) as goes_to", "START_TIME", "other").join(ours, on="goes_to", how="inner")
    rung = calls.where("CALL_TYPE = '1'").selectExpr("own as goes_to", "START_TIME", "true as rang").distinct()
    reached = to_us.join(rung, on=["goes_to", "START_TIME"], how="left")
    assert reached.count() > 3
    # a line may have been planted broken
    assert reached.where("rang is null").count() <= 0.05 * reached.count() + 1


def test_who_uses_the_number_less_still_asks_the_rival(calls: DataFrame, users: DataFrame) -> None:
    # those who fade before they leave talk less and less, but that is no reason not to ask the competitor what it offers
    left = users.where("left_on is not null and abnormal is null").selectExpr("MSISDN as own", "joined_on", "left_on")
    seen = calls.where("CALL_TYPE = '0'").join(left, on="own", how="inner").where("day >= joined_on and day < left_on")
    seen = seen.selectExpr("own", "other", "datediff(left_on, day) as ahead")
    askers = seen.where("other = '10010'").select("own").distinct()
    # a call a day and asker in the last three weeks, over that in the six before
    each = "count_if({0} and ahead <= 21) / 21 / nullif(count_if({0} and ahead between 22 and 63) / 42, 0)"
    row = seen.join(askers, on="own", how="inner").selectExpr(
        each.format("other = '10010'") + " as asked", each.format("other <> '10010'") + " as talked", "count_if(other = '10010') as n"
    ).first()  # fmt: skip
    assert row is not None
    assert row["n"] > 30
    assert row["asked"] > 1.2 * row["talked"], row


@pytest.mark.parametrize("mean", [0.01, 0.4, 3.0, 11.9, 30.0])
def test_some_says_whether_poisson_gives_any(spark: SparkSession, mean: float) -> None:
    dice = Dice(7)
    drawn = spark.range(2000).selectExpr(
        f"{dice.some(f'{mean}D', 'k', 'id')} as some", f"{dice.poisson(f'{mean}D', 'k', 'id')} as n"
    )
    assert drawn.where("some <> (n > 0)" if mean < 12 else "not some").isEmpty()


def test_motives_show_in_what_returners_take(spark: SparkSession, home: Path, users: DataFrame) -> None:
    pairs = _truth(spark, home, "reentries")
    assert pairs.where("motive is null or is_unaware is null").isEmpty()
    old = users.selectExpr("user_id as old_user_id", "PLAN_CODE as old_plan", "BRAND_CODE as old_brand")
    new = users.selectExpr("user_id as new_user_id", "PLAN_CODE", "BRAND_CODE", "MSISDN", "abnormal")
    seen = pairs.join(old, on="old_user_id", how="inner").join(new, on="new_user_id", how="inner").where("kind = 'full'").cache()
    assert seen.where("motive = 'lost_sim' and (PLAN_CODE <> old_plan or gap_days not between 0 and 7)").isEmpty()
    assert seen.where("motive = 'brand' and BRAND_CODE = old_brand").isEmpty()
    assert seen.where(r"motive = 'number' and MSISDN not rlike '^139[0-9]{5}([0-9])\\1\\1$'").isEmpty()
    assert seen.where("(motive = 'dealer') <> (coalesce(abnormal, '') = 'flea')").isEmpty()
    assert {"bonus", "plan", "brand"} <= {row["motive"] for row in seen.select("motive").distinct().collect()}


def test_each_number_is_held_by_one_user_at_a_time(spark: SparkSession, home: Path) -> None:
    newest = (
        _feed(spark, home, "subscribers")
        .groupBy("USER_ID", "MSISDN")
        .agg(F.min("EFF_TIME").alias("since"), F.max("EXP_TIME").alias("until"))
    )
    a, b = newest.alias("a"), newest.alias("b")
    both = a.join(b, on=F.expr("a.MSISDN = b.MSISDN and a.USER_ID < b.USER_ID"), how="inner")
    assert both.where("a.since < coalesce(b.until, '9') and b.since < coalesce(a.until, '9')").isEmpty()


def test_fees_are_those_of_the_plan_and_change_with_the_tariff(spark: SparkSession, home: Path, users: DataFrame) -> None:
    plans = scenario("tiny").plans
    sent = _feed(spark, home, "sms").where("MT_FLAG = '0' and FEE_FEN rlike '^[0-9]+$' and SEND_TIME rlike '^2005[01][0-9]{9}$'")
    held = (
        users.groupBy(F.col("MSISDN").alias("own")).agg(F.min("PLAN_CODE").alias("plan"), F.count("*").alias("n")).where("n = 1")
    )
    priced = sent.selectExpr(
        "right(MSISDN, 11) as own", "left(SEND_TIME, 8) >= '20050410' as is_late", "try_cast(FEE_FEN as int) as fee"
    )
    found = priced.join(held, on="own", how="inner").groupBy("plan", "is_late").agg(F.expr("mode(fee)").alias("fee")).collect()
    fees = {(row["plan"], row["is_late"]): row["fee"] for row in found}
    assert {plan for plan, _ in fees} == set(plans)
    for (plan, is_late), fee in fees.items():
        raised = 1.5 if is_late and plans[plan].brand == "mzone" else 1
        assert fee == int(plans[plan].sms * raised + 0.5), (plan, is_late)


def test_classes_and_prefixes_of_calls(calls: DataFrame) -> None:
    row = calls.selectExpr(
        "count_if(CALL_CLASS = 'R') as roaming", "count_if(CALL_CLASS = 'I') as abroad", "count_if(CALL_CLASS = 'L') as far",
        "count_if(CALL_CLASS = 'I' and OPP_NUMBER not rlike '^(17951|17911|12593)?00(852|81|1|82)') as odd",
        "count_if(OPP_NUMBER rlike '^(17951|17911|12593)' and (CALL_TYPE <> '0' or OPP_NUMBER not rlike '^.{5}0')) as not_ip",
        "count_if(CALL_CLASS = 'R' and LAC_CI is not null) as placed",
    ).first()  # fmt: skip
    assert row is not None
    assert min(row["roaming"], row["abroad"], row["far"]) > 0
    assert (row["odd"], row["not_ip"], row["placed"]) == (0, 0, 0)


def test_a_cell_out_of_order_carries_nothing(spark: SparkSession, home: Path, calls: DataFrame) -> None:
    out = _truth(spark, home, "outages").selectExpr("cell_id as LAC_CI", "day", "from_hour", "to_hour")
    during = calls.join(out, on=["LAC_CI", "day"], how="inner").where("hour between from_hour and to_hour")
    # a call handed over by one cell may fall to another one that is out of order itself
    assert during.count() <= 2
    assert out.count() > 0
    assert calls.join(out, on=["LAC_CI", "day"], how="inner").where("hour not between from_hour and to_hour").count() > 0


@pytest.fixture(scope="module")
def sent(spark: SparkSession, home: Path) -> DataFrame:
    """Messages sent: own number, other number, day."""
    own = _feed(spark, home, "sms").where("MT_FLAG = '0'")
    day = "try_to_date(left(SEND_TIME, 8), 'yyyyMMdd') as day"
    return own.selectExpr("right(MSISDN, 11) as own", "right(OPP_NUMBER, 11) as other", day).cache()


def test_people_talk_in_bouts(calls: DataFrame, sent: DataFrame, tiny: CityScenario) -> None:
    for events, service in ((calls.where("CALL_TYPE = '0'"), "voice"), (sent, "sms")):
        met = events.where("other rlike '^13[4-9]'").groupBy("own", "other", "day").count().agg(F.avg("count")).first()
        # of a bout about half goes each way; some have more than one on a day
        alone = tiny.records.bout[service] / 2
        assert met is not None
        assert max(1.15, alone) < met[0] < 1.3 * tiny.records.bout[service]


def test_greeters_write_to_all_they_know_on_a_holiday(
    spark: SparkSession, home: Path, users: DataFrame, sent: DataFrame, tiny: CityScenario
) -> None:
    decoys = _truth(spark, home, "decoys").where("kind = 'greeter'").select("user_id")
    greeters = users.join(decoys, on="user_id", how="inner").selectExpr("MSISDN as own", "joined_on")
    met = (
        sent.join(greeters, on="own", how="inner")
        .groupBy("own", "joined_on", "day")
        .agg(F.count_distinct("other").alias("others"))
    )
    most = met.groupBy("own", "joined_on").agg(F.max_by("day", "others").alias("day")).collect()
    eves = [tiny.first_day + dt.timedelta(day) for day in habits.greetings(tiny)]
    assert most
    assert all(row["day"] in eves and (row["day"] - row["joined_on"]).days < 15 for row in most)


def test_the_new_number_is_told_by_messages(
    spark: SparkSession, home: Path, users: DataFrame, sent: DataFrame, tiny: CityScenario
) -> None:
    new = _truth(spark, home, "reentries").where("kind = 'full'").selectExpr("new_user_id as user_id")
    held = users.join(new, on="user_id", how="inner").selectExpr("MSISDN as own", "joined_on", "left_on")
    seen = sent.join(held, on="own", how="inner").where("day >= joined_on and left_on is null")
    weeks = seen.selectExpr("own", "other", f"day < date_add(joined_on, {tiny.coming.told_days}) as is_early").distinct()
    met = {row["is_early"]: row["count"] for row in weeks.groupBy("is_early").count().collect()}
    # most contacts hear of it at once, whatever they do later
    assert met[True] > 0.6 * weeks.select("own", "other").distinct().count()


def test_a_recycled_number_still_gets_the_old_calls(spark: SparkSession, home: Path, calls: DataFrame, users: DataFrame) -> None:
    decoys = _truth(spark, home, "decoys").where("kind = 'recycled' and like_user_id is not null")
    new = decoys.join(users.selectExpr("user_id", "MSISDN as own", "joined_on"), on="user_id", how="inner")
    assert not new.isEmpty()
    before = calls.join(new, on="own", how="inner").where("CALL_TYPE <> '0' and day < joined_on").select("own", "other")
    after = calls.join(new, on="own", how="inner").where("CALL_TYPE <> '0' and day >= joined_on").select("own", "other")
    assert not after.join(before.distinct(), on=["own", "other"], how="left_semi").isEmpty()


def test_farmed_cards_share_few_handsets_and_call_by_script(
    spark: SparkSession, home: Path, calls: DataFrame, users: DataFrame
) -> None:
    farmed = users.where("abnormal = 'farmed'").select(F.col("MSISDN").alias("own"), "DEALER")
    assert farmed.select("DEALER").distinct().count() == 1
    made = calls.join(farmed, on="own", how="inner").where("CALL_TYPE = '0' and try_cast(DURATION as int) > 0")
    # broken lines have odd identities, but none twice
    handsets = made.where("IMEI is not null").groupBy(F.expr("left(IMEI, 14)").alias("handset")).count().where("count > 3")
    row = made.agg(F.count_distinct("own").alias("cards"), F.expr("percentile(int(DURATION), 0.5)").alias("length")).first()
    assert row is not None
    assert row["cards"] >= 2
    assert handsets.count() <= 4
    assert row["length"] < 20


def test_personas_have_the_leanings_they_are_named_for(spark: SparkSession, calls: DataFrame, users: DataFrame) -> None:
    held = users.where("abnormal is null and origin = 'start'").select(F.col("MSISDN").alias("own"), "persona")
    lean = calls.join(held, on="own", how="inner").groupBy("persona").agg(
        F.expr("avg(if(CALL_CLASS = 'R', 1, 0))").alias("roams"),
        # numbers, not calls: some talk many times as much as others
        F.expr("count(distinct if(OPP_NUMBER rlike '[0-9]{7}' and OPP_NUMBER not rlike '1(3[4-9])[0-9]{8}$', other, null))").alias("away"),
        F.expr("count(distinct other)").alias("met"),
    )  # fmt: skip
    found = {row["persona"]: row for row in lean.collect()}
    assert found["traveller"]["roams"] > 2 * found["homebody"]["roams"]
    offnet = {name: row["away"] / row["met"] for name, row in found.items()}
    assert offnet["trader"] > offnet["homebody"]


def test_a_city_of_edges_is_the_city_of_the_records(spark: SparkSession, home: Path, tmp_path: Path) -> None:
    path = tmp_path / "edges.yaml"
    path.write_text(TINY, encoding="utf-8")
    seed = json.loads((home / "landing" / "_manifest.json").read_text(encoding="utf-8"))["seed"]
    counts = generate(spark, scenario(str(path)), seed, tmp_path / "landing", tmp_path / "truth")
    for name in ("users", "reentries", "decoys", "hazard"):
        mine, theirs = spark.read.parquet(str(tmp_path / "truth" / name)), _truth(spark, home, name)
        assert mine.exceptAll(theirs).isEmpty(), name
        assert mine.count() == theirs.count()
    edges = spark.read.parquet(str(tmp_path / "landing" / "edges"))
    assert edges.count() == counts["edges"] == edges.select("USER_ID", "OPP_NUMBER", "month").distinct().count()
    with configured(spark, {"spark.sql.shuffle.partitions": "5"}):
        generate(spark, scenario(str(path)), seed, tmp_path / "again", tmp_path / "again_truth")
    assert _contents(tmp_path / "again") == _contents(tmp_path / "landing")
    sums = edges.agg(*[F.sum(name).alias(name) for name in ("OUT_CALLS", "IN_CALLS", "OUT_MESSAGES", "IN_MESSAGES")]).first()
    assert sums is not None
    of_march = "{0} rlike '^200503'"
    records = {
        "CALLS": _feed(spark, home, "voice").where(of_march.format("START_TIME")).selectExpr("CALL_TYPE as way"),
        "MESSAGES": _feed(spark, home, "sms").where(of_march.format("SEND_TIME")).selectExpr("MT_FLAG as way")
        .unionByName(_feed(spark, home, "mms").where(of_march.format("SEND_TIME")).selectExpr("MT_FLAG as way")),
    }  # fmt: skip
    # both drawn by bouts: twice their deviation beside each other is some 7 %
    for what, frame in records.items():
        assert sums[f"OUT_{what}"] == pytest.approx(frame.where("way = '0'").count(), rel=0.14)
        assert sums[f"IN_{what}"] == pytest.approx(frame.where("way in ('1', '2')").count(), rel=0.14)
    used = spark.read.parquet(str(tmp_path / "landing" / "lifecycle"))
    assert used.count() == counts["lifecycle"] == used.select("USER_ID").distinct().count()
    assert used.where("LAST_USE < FIRST_USE or LAST_USE > date'2005-03-31'").isEmpty()
    left = _truth(spark, home, "users").selectExpr("user_id as USER_ID", "left_on", "joined_on")
    late = edges.join(left, on="USER_ID", how="inner").where("FIRST_DAY >= left_on")
    assert late.where("OUT_CALLS > 0 or OUT_MESSAGES > 0 or IN_MESSAGES > 0").isEmpty()
    assert used.join(left, on="USER_ID", how="inner").where("LAST_USE >= left_on or FIRST_USE < joined_on").isEmpty()
