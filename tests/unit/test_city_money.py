"""Prices, bills and recharge cards of the city, on small frames."""

from __future__ import annotations

import datetime as dt

import pytest
from market_town import DICE
from pyspark.sql import DataFrame, SparkSession

from churnlake.city import money, services
from churnlake.city.settings import CityScenario
from churnlake.city.society import Occasion

RECORD = "user_id string, day int, service int, class string, fee_fen int"


def test_a_tariff_change_raises_prices_of_its_brands_from_its_day_on(spark: SparkSession, town: CityScenario) -> None:
    day = (dt.date(2005, 4, 10) - town.first_day).days
    mzone = list(town.plans).index("MZ20")
    cases = spark.createDataFrame([(day - 1, mzone), (day, mzone), (day + 60, mzone), (day + 60, 0)], "day int, plan_no int")
    found = cases.selectExpr(*[f"{money.price(town, name, 'day', 'plan_no')} as {name}" for name in ("sms", "local")])
    assert [tuple(row) for row in found.collect()] == [(6, 30), (9, 30), (9, 30), (10, 40)]
    late = town.model_copy(update={"first_day": dt.date(2005, 5, 1)})
    assert "9" in money.price(late, "sms", "day", "plan_no")
    assert "case" not in money.price(late, "sms", "day", "plan_no")


def test_changed_plans_are_delivered_again(spark: SparkSession, town: CityScenario) -> None:
    rows = money.plans(spark, town).collect()
    assert set(rows[0].asDict()) - {"delivered"} == set(money.PLAN_COLUMNS)
    assert {str(row["delivered"]) for row in rows} == set(money.plan_deliveries(town)) == {"2005-01-01", "2005-04-15"}
    assert len([row for row in rows if row["delivered"] == "2005-01-01"]) == len(town.plans)
    assert {(row["PLAN_CODE"], row["SMS_FEE"]) for row in rows if row["delivered"] == "2005-04-15"} == {("MZ20", 9), ("MZ30", 8)}
    before = town.model_copy(update={"first_day": dt.date(2005, 5, 1)})
    known = {row["PLAN_CODE"]: row["SMS_FEE"] for row in money.plans(spark, before).collect()}
    assert (known["MZ20"], known["GT50"], money.plan_deliveries(before)) == (9, 10, ["2005-05-01"])


def test_only_prices_that_there_are_can_change() -> None:
    with pytest.raises(ValueError, match="post"):
        Occasion.model_validate({"what": "x", "first": "2005-04-10", "last": "2005-04-11", "prices": {"post": 2}})


def _lives(spark: SparkSession, *rows: tuple[object, ...]) -> DataFrame:
    shape = (
        "user_id string, brand string, plan string, from_day int, left_day int, cause string, destination string, abnormal string"
    )
    return spark.createDataFrame(list(rows), shape)


def test_what_a_plan_includes_is_not_charged(spark: SparkSession, town: CityScenario) -> None:
    plan = town.plans["MZ30"]
    lives = _lives(
        spark, ("a", "mzone", "MZ30", -9, None, None, None, None), ("b", "gotone", "GT50", -9, 40, "price", "back", None)
    )
    more, price = plan.included_messages + 7, plan.sms
    minutes = (plan.included_minutes + 3) * plan.local
    records = spark.createDataFrame(
        [("a", 3, 1, "D", price)] * more + [("a", 4, 0, "D", minutes), ("a", 5, 0, "I", 1600), ("a", 5, 0, "L", 60), ("a", 6, 2, "D", 60), ("a", 33, 1, "D", price)]
        + [("a", 110, 1, "D", 8)] * more + [("b", 5, 0, "D", 80), ("b", 6, 3, "D", 5)],
        RECORD,
    )  # fmt: skip
    taken = spark.createDataFrame(
        [("a", "game", -5, 31, "sms", 800), ("a", "news", 10, None, "sms", 300), ("b", "news", 60, None, "sms", 300)],
        services.SUBSCRIPTION,
    )
    rows = money.bills(records, lives, town, DICE, taken).collect()
    bills = {(row["USER_ID"], row["BILL_MONTH"]): row for row in rows}
    first = bills["a", "20050101"]
    assert (first["LOCAL_FEE"], first["TOLL_FEE"], first["MESSAGE_FEE"], first["NEW_FEE"]) == (
        3 * plan.local,
        1660,
        7 * price + 60,
        1100,
    )
    assert (bills["a", "20050201"]["MESSAGE_FEE"], bills["a", "20050201"]["NEW_FEE"]) == (0, 300)
    # dearer since April, and so is what is included
    assert bills["a", "20050401"]["MESSAGE_FEE"] == 7 * 8
    assert (bills["b", "20050101"]["LOCAL_FEE"], bills["b", "20050101"]["NEW_FEE"]) == (80, 5)
    assert ("b", "20050301") not in bills
    assert all(row[name] >= 0 for row in rows for name in ("LOCAL_FEE", "MESSAGE_FEE", "NEW_FEE", "OWED_FEE"))
    bare = money.bills(records, lives, town, DICE).where("USER_ID = 'a' and BILL_MONTH = '20050101'").first()
    assert bare is not None
    assert bare["NEW_FEE"] == 0


def test_months_without_written_records_are_billed_all_the_same(spark: SparkSession, town: CityScenario) -> None:
    one_day = town.model_copy(
        update={"records": town.records.model_copy(update={"first_day": dt.date(2005, 5, 18), "last_day": dt.date(2005, 5, 18)})}
    )
    lives = spark.range(1200).selectExpr(
        "concat('U', id) as user_id", "if(id % 2 = 0, 'gotone', 'mzone') as brand", "if(id % 2 = 0, 'GT50', 'MZ20') as plan", "-9 as from_day",
        "cast(null as int) as left_day", "cast(null as string) as cause", "cast(null as string) as destination",
        "if(id % 10 = 9, 'silent', null) as abnormal",
    )  # fmt: skip
    records = spark.createDataFrame([("U0", 137, 0, "D", 123)], RECORD)
    bills = money.bills(records, lives, one_day, DICE).join(
        lives.selectExpr("user_id as USER_ID", "plan", "abnormal"), on="USER_ID", how="inner"
    )
    usual = one_day.money.usual["local"]
    rows = (
        bills.where("BILL_MONTH = '20050301' and abnormal is null")
        .groupBy("plan")
        .agg({"LOCAL_FEE": "median", "MESSAGE_FEE": "avg"})
        .collect()
    )
    for row in rows:
        plan = one_day.plans[row["plan"]]
        assert row["median(LOCAL_FEE)"] == pytest.approx(usual.units * plan.local * 31 / 30.4, rel=0.2)
        assert row["avg(MESSAGE_FEE)"] > plan.sms
    assert bills.where("abnormal = 'silent' and LOCAL_FEE > 0").isEmpty()
    # of May one day is written, the others are drawn
    may = bills.where("BILL_MONTH = '20050501' and abnormal is null and LOCAL_FEE > 0")
    assert may.count() > 900
    assert may.where("USER_ID = 'U0' and LOCAL_FEE >= 123").count() == 1
    # who pays much in one month pays much in the next
    two = (
        bills.where("abnormal is null and LOCAL_FEE > 0")
        .groupBy("USER_ID")
        .pivot("BILL_MONTH", ["20050201", "20050301"])
        .agg({"LOCAL_FEE": "max"})
    )
    alike = two.selectExpr("corr(ln(`20050201`), ln(`20050301`)) as r").first()
    assert alike is not None
    assert alike["r"] > 0.6


def test_leavers_use_up_their_balance(spark: SparkSession, town: CityScenario) -> None:
    whole = town.model_copy(update={"money": town.money.model_copy(update={"balance_used_up": 1.0})})
    lives = spark.range(300).selectExpr(
        "concat('U', id) as user_id", "'easyown' as brand", "'EOB' as plan", "-9 as from_day",
        "cast(case when id % 3 = 0 then null else 100 + id % 50 end as int) as left_day", "if(id % 3 = 1, 'lost_sim', 'price') as cause",
        "if(id % 3 = 0, null, 'competitor') as destination", "cast(null as string) as abnormal",
    )  # fmt: skip
    days = lives.selectExpr("user_id", "explode(sequence(0, coalesce(left_day, 181) - 1)) as day")
    records = days.selectExpr(
        "user_id",
        "day",
        "0 as service",
        "'D' as class",
        f"cast(20 + {DICE.below(400, 'fee', 'user_id', 'day')} as int) as fee_fen",
    )
    monthly = town.plans["EOB"].monthly_fee

    def cards(of: CityScenario) -> DataFrame:
        return money.recharges(records, lives, of, DICE)

    # the balance at the beginning is not delivered, so the last card's distance from the end tells
    end = cards(whole).groupBy("user_id").agg({"day": "max"}).withColumnRenamed("max(day)", "card")
    since = records.join(end, on="user_id", how="inner").where("day >= card").groupBy("user_id", "card").agg({"fee_fen": "sum"})
    since = since.join(
        lives.selectExpr("user_id", "left_day", "cause", f"{money.face(DICE)} as face"), on="user_id", how="inner"
    ).selectExpr("left_day", "cause", f"(`sum(fee_fen)` + {monthly} * (coalesce(left_day, 181) - card) / 30) / face as used")
    used_up = since.where("left_day is not null and cause = 'price'")
    assert used_up.count() == 100
    assert used_up.where("used < 0.85").isEmpty()
    others = since.where("left_day is null or cause = 'lost_sim'")
    assert others.where("used < 0.85").count() > 100
    assert cards(whole).join(lives.where("left_day is null"), on="user_id", how="left_semi").exceptAll(
        cards(town).join(lives.where("left_day is null"), on="user_id", how="left_semi")
    ).isEmpty()  # fmt: skip
