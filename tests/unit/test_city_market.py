"""The market of the city on small frames: prices, bills, cards, services, campaigns with planted effects, a survey."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from churnlake.city import campaigns, discontent, money, services, survey
from churnlake.city.dice import Dice
from churnlake.city.market import Campaign, Survey
from churnlake.city.settings import CityScenario, Occasion, scenario
from churnlake.core.errors import SettingsError

DICE, USERS = Dice(7), 4000
RECORD = "user_id string, day int, service int, class string, fee_fen int"
CARD = "day int, user_id string, recharge_id string, second int, face int"


def _campaign(
    name: str, outcome: str, day: dt.date, days: int, persuadable: float, sleeping_dog: float, **more: object
) -> Campaign:
    return Campaign.model_validate(
        {
            "name": name, "outcome": outcome, "day": day, "days": days, "share": 0.9, "target": 0.6, "reach": 0.8, "channel": "phone",
            "persuadable": persuadable, "sleeping_dog": sleeping_dog, **more,
        }
    )  # fmt: skip


CARE = _campaign("care", "leave", dt.date(2005, 4, 1), 45, 0.7, 0.02)
TOP_UP = _campaign("top_up", "recharge", dt.date(2005, 2, 1), 30, 0.4, 0.2)
GIFT = _campaign("gift", "recharge", dt.date(2005, 5, 1), 30, 0.0, 0.0)
TRIAL = _campaign("trial", "service", dt.date(2005, 3, 1), 60, 0.3, 0.3, service="ring_tone")
EFFECTS = ("persuadable", "lost", "sleeping_dog", "sure")


@pytest.fixture(scope="module")
def town() -> CityScenario:
    """Many leave, so that few people show what a campaign does."""
    tiny = scenario("tiny")
    leaving = tiny.leaving.model_copy(update={"monthly": 0.25})
    return tiny.model_copy(update={"leaving": leaving, "campaigns": (CARE, TOP_UP, GIFT, TRIAL), "users": USERS})


def _first_lives(spark: SparkSession, town: CityScenario, users: int = USERS) -> DataFrame:
    """One row per person with us on the first day, or joining on one of the first days, with how it ends."""
    begun = spark.range(users).selectExpr(
        "id as person_id", "0 as slot", "if(id % 10 = 0, 'newcomer', 'start') as origin",
        "cast(if(id % 10 = 0, 1 + id % 60, -5 - id % 600) as int) as from_day",
        "element_at(array('gotone', 'easyown', 'mzone'), cast(1 + id % 3 as int)) as brand",
        "if(id % 200 = 1, 'flea', null) as abnormal", "cast(null as int) as caught",
        "cast(if(id % 100 = 2, 120, null) as int) as renumber_day",
    )  # fmt: skip
    return discontent.times(begun, town, DICE).selectExpr(
        "*",
        "concat('U', person_id) as user_id",
        "case brand when 'gotone' then 'GT50' when 'easyown' then 'EO00' else 'MZ20' end as plan",
    )


@dataclass
class Market:
    """What came of the campaigns, and what would have come without any."""

    plain: dict[str, DataFrame]
    lives: DataFrame
    subscriptions: DataFrame
    cards: DataFrame
    responses: DataFrame
    touches: DataFrame


def _market(spark: SparkSession, town: CityScenario, partitions: int = 2) -> Market:
    persons = spark.range(USERS).selectExpr("id as person_id", f"cast(id % {len(town.personas)} as int) as persona_no")
    bare = _first_lives(spark, town.model_copy(update={"campaigns": ()})).localCheckpoint()
    lives = _first_lives(spark, town).repartition(partitions).localCheckpoint()
    natural = services.subscriptions(lives, persons, town, DICE).repartition(partitions).localCheckpoint()
    # prepaid users buy a card in one month of two
    months = lives.where("brand <> 'gotone'").selectExpr("user_id", "left_day", "explode(sequence(0, 5)) as month")
    bought = months.selectExpr(
        "user_id", "left_day", f"{DICE.u('buys', 'user_id', 'month')} as draw", "cast(month * 30 + 7 as int) as day"
    )
    cards = bought.where("draw < 0.5 and coalesce(left_day, 99999) > day").selectExpr(
        "day", "user_id", "concat(user_id, '-', day) as recharge_id", "36000 as second", "3000 as face"
    )
    cards = cards.repartition(partitions).localCheckpoint()
    answered = campaigns.responses(lives, persons, natural, cards, town, DICE).localCheckpoint()
    return Market(
        {"lives": bare, "subscriptions": natural, "cards": cards},
        lives,
        campaigns.subscribed(natural, answered, town, DICE).localCheckpoint(),
        campaigns.recharged(cards, answered, town, DICE).localCheckpoint(),
        answered,
        campaigns.touches(answered, town, DICE).localCheckpoint(),
    )


@pytest.fixture(scope="module")
def market(spark: SparkSession, town: CityScenario) -> Market:
    return _market(spark, town)


def _outcomes(market: Market, town: CityScenario, campaign: Campaign) -> DataFrame:
    """One row per user assigned: the arm as delivered, and whether what the campaign is about was seen to come about."""
    day = (campaign.day - town.first_day).days
    last = day + campaign.days - 1
    if campaign.outcome == "leave":
        seen = market.lives.where(f"left_day between {day + 1} and {last + 1}")
    elif campaign.outcome == "recharge":
        seen = market.cards.where(f"day between {day} and {last}")
    else:
        seen = market.subscriptions.where(f"service = '{campaign.service}' and start_day between {day} and {last}")
    touched = market.touches.where(f"CAMPAIGN_CODE = '{campaign.name}'").selectExpr(
        "USER_ID as user_id", "ARM as arm", "RESULT as result", "CHANNEL as channel"
    )
    return touched.join(seen.selectExpr("user_id", "true as seen").distinct(), on="user_id", how="left").selectExpr(
        "user_id", "arm", "result", "channel", "coalesce(seen, false) as seen"
    )


def test_both_outcomes_agree_with_the_effect(market: Market) -> None:
    rows = market.responses.selectExpr("*", "campaign = 'care' as is_wrong")
    assert {row["effect"] for row in rows.select("effect").distinct().collect()} == set(EFFECTS)
    assert rows.where("y0 is null or y1 is null or is_target is null or is_reached is null").isEmpty()
    assert rows.where("effect in ('lost', 'sure') and y0 <> y1").isEmpty()
    assert rows.where("effect in ('persuadable', 'lost') and y0 <> is_wrong").isEmpty()
    assert rows.where("effect in ('sleeping_dog', 'sure') and y0 = is_wrong").isEmpty()
    assert rows.where("effect in ('persuadable', 'sleeping_dog') and y0 = y1").isEmpty()
    assert rows.where("is_reached and not is_target").isEmpty()
    assert rows.count() == rows.select("user_id", "campaign").distinct().count()


@pytest.mark.parametrize("campaign", [CARE, TOP_UP, GIFT, TRIAL], ids=lambda campaign: campaign.name)
def test_what_is_seen_is_the_outcome_of_the_arm(market: Market, town: CityScenario, campaign: Campaign) -> None:
    truth = campaigns.campaigns_truth(market.responses).where(f"campaign = '{campaign.name}'").drop("arm")
    both = _outcomes(market, town, campaign).join(truth, on="user_id", how="inner")
    assert both.count() == truth.count() > 1000
    assert both.where("seen <> y").isEmpty()
    assert both.where("arm = 'C' and (seen <> y0 or result is not null or channel is not null or is_reached)").isEmpty()
    assert both.where("arm = 'T' and (result is null or (result = '1') <> is_reached)").isEmpty()
    assert both.where("not is_reached and y <> y0").isEmpty()


def test_only_those_reached_are_changed(market: Market) -> None:
    same = market.responses.where("not is_reached or effect in ('lost', 'sure')").select("user_id", "campaign")
    changed = market.responses.join(same, on=["user_id", "campaign"], how="left_anti").select("user_id", "campaign")
    for name, after, columns in (
        ("lives", market.lives, ["user_id", "times", "left_day", "cause", "destination", "onset", "relief"]),
        ("subscriptions", market.subscriptions, market.subscriptions.columns),
        ("cards", market.cards, market.cards.columns),
    ):
        before = market.plain[name].select(*columns)
        other = before.exceptAll(after.select(*columns)).unionByName(after.select(*columns).exceptAll(before)).select("user_id")
        of = {"lives": "care", "subscriptions": "trial", "cards": "top_up"}[name]
        assert other.count() > 20
        assert other.exceptAll(other.join(changed.where(f"campaign = '{of}'"), on="user_id", how="left_semi")).isEmpty()


def test_nobody_is_assigned_who_was_not_a_user_for_a_month(market: Market, town: CityScenario) -> None:
    for campaign in town.campaigns:
        day = (campaign.day - town.first_day).days
        asked = market.responses.where(f"campaign = '{campaign.name}'").join(
            market.lives.drop("left_day", "campaigns"), on="user_id", how="inner"
        )
        assert asked.where(f"from_day > {day - 30} or left_day <= {day}").isEmpty()
        assert campaign.outcome != "recharge" or asked.where("brand = 'gotone'").isEmpty()
    day = (TRIAL.day - town.first_day).days
    holders = market.plain["subscriptions"].where(
        f"service = 'ring_tone' and start_day < {day} and coalesce(end_day, 99999) > {day}"
    )
    assert holders.join(market.responses.where("campaign = 'trial'"), on="user_id", how="left_semi").isEmpty()


@pytest.mark.parametrize("campaign", [CARE, TOP_UP, GIFT, TRIAL], ids=lambda campaign: campaign.name)
def test_the_difference_of_the_arms_is_the_planted_effect(market: Market, town: CityScenario, campaign: Campaign) -> None:
    rows = _outcomes(market, town, campaign).groupBy("arm").agg({"*": "count", "seen": "count_if"}).collect()
    arms = {row["arm"]: (row["count_if(seen)"], row["count(1)"]) for row in rows}
    (won, target), (by_itself, control) = arms["T"], arms["C"]
    found = won / target - by_itself / control
    row = (
        market.responses.where(f"campaign = '{campaign.name}'")
        .selectExpr("avg(int(y1) - int(y0)) as effect", "avg(int(y0)) as y0")
        .first()
    )
    assert row is not None
    planted = campaign.reach * row["effect"]
    noise = math.sqrt(row["y0"] * (1 - row["y0"]) * (1 / target + 1 / control)) + 1 / math.sqrt(target) * abs(planted)
    assert found == pytest.approx(planted, abs=3 * noise)
    assert target / (target + control) == pytest.approx(campaign.target, abs=0.03)
    assert (planted == 0) == (campaign.name == "gift")
    assert abs(planted) > 0.05 or campaign.name == "gift"
    wrong = row["y0"] if campaign.outcome == "leave" else 1 - row["y0"]
    persuadable = campaign.persuadable
    if campaign.service:
        # of those whose way of life takes the service more are persuaded
        number = list(town.services).index(campaign.service)
        persons = market.lives.selectExpr("user_id", f"cast(person_id % {len(town.personas)} as int) as persona_no")
        asked = market.responses.where(f"campaign = '{campaign.name}' and not y0").join(persons, on="user_id", how="inner")
        liking = asked.selectExpr(
            f"avg(least(1, {persuadable} * {services.leaning(town, str(number), 'persona_no')})) as share"
        ).first()
        assert liking is not None
        persuadable = liking["share"]
    meant = wrong * persuadable - (1 - wrong) * campaign.sleeping_dog
    assert row["effect"] * (-1 if campaign.outcome == "leave" else 1) == pytest.approx(meant, abs=0.04)


def test_a_life_after_a_campaign_is_whole(market: Market, town: CityScenario) -> None:
    day = (CARE.day - town.first_day).days
    moved = (
        market.responses.where("campaign = 'care' and is_reached")
        .select("user_id", "effect")
        .join(market.lives, on="user_id", how="inner")
    )
    won = moved.where("effect = 'persuadable'")
    assert won.where(f"left_day is not null or exists(times, t -> t.leaves or t.end > {day})").isEmpty()
    woken = moved.where("effect = 'sleeping_dog'")
    assert woken.count() > 20
    assert woken.where(f"cause <> 'quality' or left_day not between {day + 7} and {day + CARE.days} or onset <> {day}").isEmpty()
    # times follow each other, and after the one that makes leave there is none
    crossed = "exists(sequence(1, size(times) - 1), i -> times[i].start < times[i - 1].end or times[i - 1].leaves)"
    assert market.lives.where(f"size(times) > 1 and {crossed}").isEmpty()
    assert market.subscriptions.where("end_day <= start_day").isEmpty()


def test_rows_are_the_same_under_another_partitioning(spark: SparkSession, town: CityScenario, market: Market) -> None:
    before = spark.conf.get("spark.sql.shuffle.partitions")
    spark.conf.set("spark.sql.shuffle.partitions", "5")
    try:
        again = _market(spark, town, 7)
        for one, other in (
            (market.responses, again.responses),
            (market.touches, again.touches),
            (market.subscriptions, again.subscriptions),
            (market.cards, again.cards),
        ):
            assert one.exceptAll(other).isEmpty()
            assert one.count() == other.count()
    finally:
        spark.conf.set("spark.sql.shuffle.partitions", before)


def test_campaigns_that_the_city_does_not_see_through_are_not_held(town: CityScenario) -> None:
    assert [campaign.name for _, campaign in campaigns.held(town)] == ["care", "top_up", "gift", "trial"]
    short = town.model_copy(update={"last_day": dt.date(2005, 3, 31)})
    assert [campaign.name for _, campaign in campaigns.held(short)] == ["top_up"]
    day = town.model_copy(update={"records": town.records.model_copy(update={"first_day": dt.date(2005, 5, 18)})})
    assert [campaign.name for _, campaign in campaigns.held(day)] == ["care", "trial"]
    assert [campaign.name for _, campaign in campaigns.held(scenario("full_day"))] == ["care_call"]
    assert campaigns.deliveries(town) == ["2005-02-04", "2005-03-04", "2005-04-01", "2005-05-06"]


# services


def test_services_are_taken_by_ways_of_life_and_end_after_the_life(
    spark: SparkSession, market: Market, town: CityScenario
) -> None:
    plain = market.plain["subscriptions"]
    spells = plain.join(market.lives.select("user_id", "person_id", "from_day", "left_day"), on="user_id", how="inner")
    assert spells.where("start_day < from_day or start_day >= left_day or end_day > left_day + 90").isEmpty()
    assert spells.where(f"start_day >= {town.days} or end_day >= {town.days} or end_day <= 0").isEmpty()
    number = list(town.personas).index("student")
    first = spells.where("service = 'ring_tone' and start_day <= 0")
    asked = market.lives.where(f"from_day < 0 and person_id % {len(town.personas)} = {number} and abnormal is null").count()
    taken = first.where(f"person_id % {len(town.personas)} = {number}").count()
    assert taken / asked == pytest.approx(town.services["ring_tone"].takers["student"], abs=0.06)
    rare = first.where(f"person_id % {len(town.personas)} = {list(town.personas).index('retired')}").count()
    assert rare < taken / 2
    able = spells.where("service = 'mms_pack'").where(f"not {services.can(DICE, repr('mms'), 'person_id')}")
    assert able.isEmpty()


def test_subscriptions_come_with_the_delivery_that_brings_something_new(spark: SparkSession, town: CityScenario) -> None:
    held = spark.createDataFrame(
        [
            ("a", "game", -10, None, "sms", 800),
            ("b", "game", 3, 20, "sms", 800),
            ("c", "game", 8, 12, "web", 800),
            ("d", "game", -3, 7, "web", 800),
        ],
        services.SUBSCRIPTION,
    )
    rows = services.file(held, town).orderBy("USER_ID", "delivered").collect()
    assert [(row["USER_ID"], row["delivered"], row["START_DATE"], row["END_DATE"]) for row in rows] == [
        ("a", "2005-01-01", "20041222", None),
        ("b", "2005-01-07", "20050104", None),
        ("b", "2005-01-21", "20050104", "20050120"),
        ("c", "2005-01-14", "20050109", "20050112"),
        ("d", "2005-01-01", "20041229", None),
        ("d", "2005-01-07", "20041229", "20050107"),
    ]
    assert rows[0].asDict().keys() == {
        "delivered",
        "USER_ID",
        "SERVICE_CODE",
        "START_DATE",
        "END_DATE",
        "ORDER_CHANNEL",
        "MONTH_FEE",
    }


# prices and bills


def test_a_tariff_change_raises_prices_of_its_brands_from_its_day_on(spark: SparkSession, town: CityScenario) -> None:
    day = (dt.date(2005, 4, 10) - town.first_day).days
    mzone = list(town.plans).index("MZ20")
    cases = spark.createDataFrame([(day - 1, mzone), (day, mzone), (day + 60, mzone), (day + 60, 0)], "day int, plan_no int")
    found = cases.selectExpr(
        f"{money.factor(town, 'sms', 'day', 'plan_no')} as factor", f"{money.price(town, 'sms', 'day', 'plan_no')} as price"
    )
    assert [tuple(row) for row in found.collect()] == [(1.0, 6), (1.5, 9), (1.5, 9), (1.0, 10)]
    assert money.factor(town, "local", "day", "plan_no") == "1.0D"


def test_changed_plans_are_delivered_again(spark: SparkSession, town: CityScenario) -> None:
    rows = money.plans(spark, town).collect()
    assert set(rows[0].asDict()) - {"delivered"} == set(money.PLAN_COLUMNS)
    assert {str(row["delivered"]) for row in rows} == set(money.plan_deliveries(town)) == {"2005-01-01", "2005-04-15"}
    assert len([row for row in rows if row["delivered"] == "2005-01-01"]) == len(town.plans)
    assert {(row["PLAN_CODE"], row["SMS_FEE"]) for row in rows if row["delivered"] == "2005-04-15"} == {("MZ20", 9), ("MZ30", 8)}
    before = town.model_copy(update={"first_day": dt.date(2005, 5, 1)})
    known = {row["PLAN_CODE"]: row["SMS_FEE"] for row in money.plans(spark, before).collect()}
    assert (known["MZ20"], known["GT50"], money.plan_deliveries(before)) == (9, 10, ["2005-05-01"])


@pytest.mark.parametrize(
    ("given", "says"),
    [({"kind": "school", "prices": {"sms": 2}}, "tariff_change"), ({"kind": "tariff_change", "prices": {"post": 2}}, "post")],
)
def test_prices_belong_to_tariff_changes(given: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Occasion.model_validate({"what": "x", "first": "2005-04-10", "last": "2005-04-11", **given})


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
    assert bills.where("abnormal = 'silent' and BILL_MONTH <> '20050501' and LOCAL_FEE > 0").isEmpty()
    # May has its written day, and stays as it is
    assert bills.where("BILL_MONTH = '20050501' and LOCAL_FEE > 0").count() == 1
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


# the survey


@pytest.fixture(scope="module")
def joiners(spark: SparkSession) -> DataFrame:
    """One row per user, half of them back under a new number; some discontented, some gone, some with us for long."""
    return spark.range(USERS).selectExpr(
        "concat('U', id) as user_id", "id div 2 as person_id", "cast(id % 2 as int) as slot",
        "case when id % 20 = 19 then 'renumbered' when id % 2 = 1 then 'reentry' when id % 4 = 0 then 'newcomer' else 'start' end as origin",
        "if(id % 2 = 1, 0, null) as old_slot", "element_at(array('gotone', 'easyown', 'mzone'), cast(1 + (id div 2) % 3 as int)) as brand",
        "cast(if(id % 4 = 2, -100, 10 + id % 120) as int) as from_day", "cast(if(id % 50 = 1, 130, null) as int) as left_day",
        "if(id % 2 = 1 and id % 20 <> 19, element_at(array('plan', 'brand', 'lost_sim'), cast(1 + (id div 2) % 3 as int)), null) as motive",
        "if(id % 2 = 1, id % 4 = 1, null) as is_unaware", "13800000000 + id as number",
        "20 as onset", "array(named_struct('start', 20, 'end', if(id % 8 < 3, 160, 30), 'cause', 0, 'leaves', false)) as times",
    )  # fmt: skip


ASKED = Survey(
    name="asked", day=dt.date(2005, 5, 16), joined_within=100, asked=100_000, response=0.8, response_by_brand={"mzone": 0.5}, response_discontented=0.6,
    skipped=0.05, held_truth=0.8, number_told=0.6, motive_truth=0.85, satisfied=(0, 0, 1, 3, 1), discontented=(2, 3, 1, 0, 0),
)  # fmt: skip
DAY = 135


@pytest.fixture(scope="module")
def answers(spark: SparkSession, joiners: DataFrame, town: CityScenario) -> DataFrame:
    """One row per question put, with what is known of the user."""
    rows = survey.answers(joiners, town.model_copy(update={"survey": (ASKED,)}), DICE)
    about = joiners.selectExpr("*", f"exists(times, t -> t.start <= {DAY} and {DAY} < t.end) as is_discontented")
    return rows.join(about.withColumnRenamed("user_id", "USER_ID"), on="USER_ID", how="left").localCheckpoint()


def test_only_those_who_joined_lately_are_asked(answers: DataFrame, joiners: DataFrame) -> None:
    assert answers.where("origin is null or origin = 'start'").isEmpty()
    assert answers.where(f"from_day <= {DAY} - 100 or from_day > {DAY} or left_day <= {DAY}").isEmpty()
    eligible = joiners.where(
        f"origin <> 'start' and from_day > {DAY} - 100 and from_day <= {DAY} and coalesce(left_day, 999) > {DAY}"
    ).count()
    assert answers.select("USER_ID").distinct().count() == eligible
    assert answers.count() == answers.select("ANSWER_NO").distinct().count()
    assert answers.select("delivered", "ASK_DATE").distinct().collect() == [("2005-05-20", "20050516")]


def test_who_responds_depends_on_brand_and_discontent(answers: DataFrame) -> None:
    by_user = answers.groupBy("USER_ID", "brand", "is_discontented").agg({"ANSWER_CODE": "count", "QUESTION_CODE": "count"})
    by_user = by_user.withColumnsRenamed({"count(ANSWER_CODE)": "given", "count(QUESTION_CODE)": "put"})
    # who does not respond is asked one question only
    assert by_user.where("given > 0 and put < 2").isEmpty()
    cells = by_user.selectExpr("brand", "is_discontented", "put > 1 as responds").groupBy("brand", "is_discontented")
    rows = cells.agg({"*": "count", "responds": "count_if"}).collect()
    assert len(rows) == 6
    for row in rows:
        meant = 0.8 * (0.5 if row["brand"] == "mzone" else 1) * (0.6 if row["is_discontented"] else 1)
        people = row["count(1)"]
        assert row["count_if(responds)"] / people == pytest.approx(meant, abs=3 * math.sqrt(meant * (1 - meant) / people))


def test_answers_are_mostly_true(answers: DataFrame) -> None:
    def share(question: str, of: str, what: str) -> float:
        row = (
            answers.where(f"QUESTION_CODE = '{question}' and ANSWER_CODE is not null and ({of})")
            .selectExpr(f"avg(int({what})) as share", "count(*) as n")
            .first()
        )
        assert row is not None
        assert row["n"] > 100
        return float(row["share"])

    assert share("held_before", "origin = 'reentry'", "ANSWER_CODE = 'yes'") == pytest.approx(0.8, abs=0.06)
    assert share("held_before", "origin = 'newcomer'", "ANSWER_CODE = 'yes'") == 0
    assert share("old_number", "true", "ANSWER_CODE = 'yes'") == pytest.approx(0.6, abs=0.06)
    assert share("old_number", "ANSWER_CODE = 'yes'", "OLD_MSISDN = cast(number - 1 as string)") == 1
    assert answers.where("OLD_MSISDN is not null and (QUESTION_CODE <> 'old_number' or ANSWER_CODE <> 'yes')").isEmpty()
    assert share("motive", "motive is not null", "ANSWER_CODE = motive") == pytest.approx(0.85, abs=0.05)
    assert share("knew_alternative", "true", "(ANSWER_CODE = 'no') = coalesce(is_unaware, false)") == 1
    assert share("satisfaction", "is_discontented", "ANSWER_CODE in ('1', '2', '3')") == 1
    assert share("satisfaction", "not is_discontented", "ANSWER_CODE in ('3', '4', '5')") == 1
    put = answers.where("QUESTION_CODE = 'satisfaction'").selectExpr("avg(int(ANSWER_CODE is null)) as skipped").first()
    assert put is not None
    assert put["skipped"] == pytest.approx(0.05, abs=0.02)


def test_answers_are_the_same_under_another_partitioning(joiners: DataFrame, town: CityScenario) -> None:
    asked = town.model_copy(update={"survey": (ASKED,)})
    one, other = survey.answers(joiners, asked, DICE), survey.answers(joiners.repartition(7), asked, DICE)
    assert one.exceptAll(other).isEmpty()


def test_about_as_many_are_asked_as_the_survey_says(joiners: DataFrame, town: CityScenario) -> None:
    few = ASKED.model_copy(update={"asked": 300})
    asked = town.model_copy(update={"survey": (few,)})
    share = survey._asked_share(asked, DAY, few)
    assert 0 < share < 1
    got = survey.answers(joiners, asked, DICE).select("USER_ID").distinct().count()
    whole = survey.answers(joiners, town.model_copy(update={"survey": (ASKED,)}), DICE).select("USER_ID").distinct().count()
    assert got / whole == pytest.approx(share, abs=0.04)


# scenarios


@pytest.mark.parametrize("text", ["services: {}", "campaigns: []", "survey: []", "services: {}\ncampaigns: []\nsurvey: []"])
def test_a_city_may_do_without(
    spark: SparkSession, town: CityScenario, market: Market, joiners: DataFrame, tmp_path: Path, text: str
) -> None:
    path = tmp_path / "plain.yaml"
    path.write_text(f"like: tiny\n{text}\n", encoding="utf-8")
    plain = scenario(str(path))
    assert (not plain.services) == ("services" in text)
    persons = spark.range(100).selectExpr("id as person_id", "0 as persona_no")
    lives = _first_lives(spark, plain, 100).localCheckpoint()
    taken = services.subscriptions(lives, persons, plain, DICE).localCheckpoint()
    answered = campaigns.responses(lives, persons, taken, market.plain["cards"], plain, DICE).localCheckpoint()
    assert campaigns.subscribed(taken, answered, plain, DICE).isEmpty() == ("services" in text)
    assert answered.isEmpty() == ("campaigns" in text)
    assert campaigns.touches(answered, plain, DICE).isEmpty() == ("campaigns" in text)
    assert survey.answers(joiners, plain, DICE).isEmpty() == ("survey" in text)
    assert services.file(taken, plain).columns == services.file(market.subscriptions, town).columns
    assert set(campaigns.deliveries(plain) + survey.deliveries(plain)) <= {str(day) for day in plain.deliveries}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("services: {song: {fee: 1, takers: {office: 0.1}, monthly_start: 0, monthly_stop: 0}}", "others"),
        ("campaigns: [{name: a b, outcome: leave, day: 2005-04-01, days: 30, share: 1, target: 1, reach: 1, persuadable: 1, sleeping_dog: 0, channel: sms}]", "name"),
        ("campaigns: [{name: a, outcome: service, day: 2005-04-01, days: 30, share: 1, target: 1, reach: 1, persuadable: 1, sleeping_dog: 0, channel: sms}]", "service"),
        (
            "campaigns: [{name: a, outcome: service, service: song, day: 2005-04-01, days: 30, share: 1, target: 1, reach: 1, persuadable: 1, "
            "sleeping_dog: 0, channel: sms}]", "no service song",
        ),
    ],
)  # fmt: skip
def test_a_wrong_market_is_refused_in_words(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "odd.yaml"
    path.write_text(f"like: tiny\n{text}\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=says):
        scenario(str(path))
