"""Campaigns with planted effects, and services, of the city on small frames; and cities that do without."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from pathlib import Path

import pytest
from market_town import CARE, DICE, GIFT, TOP_UP, TRIAL, USERS
from pyspark.sql import DataFrame, SparkSession

from churnlake.city import campaigns, discontent, services, survey
from churnlake.city.generate import configured
from churnlake.city.market import Campaign
from churnlake.city.settings import CityScenario, scenario
from churnlake.core.errors import SettingsError

EFFECTS = ("persuadable", "lost", "sleeping_dog", "sure")


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
    with configured(spark, {"spark.sql.shuffle.partitions": "5"}):
        again = _market(spark, town, 7)
        for one, other in (
            (market.responses, again.responses),
            (market.touches, again.touches),
            (market.subscriptions, again.subscriptions),
            (market.cards, again.cards),
        ):
            assert one.exceptAll(other).isEmpty()
            assert one.count() == other.count()


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


def _two(outcome: str, day: str, brands: str = "") -> str:
    rest = "days: 30, share: 1, target: 1, reach: 1, persuadable: 1, sleeping_dog: 0, channel: sms"
    each = ((name, on) for name, on in (("a", "2005-04-01"), ("b", day)))
    return (
        "campaigns: ["
        + ", ".join(f"{{name: {n}, outcome: {outcome}, brands: [{brands}], day: {on}, {rest}}}" for n, on in each)
        + "]"
    )


def test_campaigns_of_one_outcome_may_follow_each_other_or_be_for_other_brands(tmp_path: Path) -> None:
    for text in (_two("leave", "2005-05-10"), _two("recharge", "2005-04-20", "mzone").replace("[mzone]", "[easyown]", 1)):
        (tmp_path / "two.yaml").write_text(f"like: tiny\n{text}\n", encoding="utf-8")
        assert len(scenario(str(tmp_path / "two.yaml")).campaigns) == 2


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
        (_two("leave", "2005-04-20"), "a and b are about the same outcome in the same days"),
        (_two("recharge", "2005-06-01", "easyown, gotone"), "a is about recharges, but gotone pays by bill"),
    ],
)  # fmt: skip
def test_a_wrong_market_is_refused_in_words(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "odd.yaml"
    path.write_text(f"like: tiny\n{text}\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=says):
        scenario(str(path))
