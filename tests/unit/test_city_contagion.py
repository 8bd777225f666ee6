"""Whom a contact's going makes discontented: close ones alone where the scenario says so, each with the chance it says."""

from __future__ import annotations

import math

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churnlake.city import circles, discontent, people
from churnlake.city.dice import Dice
from churnlake.city.generate import scenario
from churnlake.city.settings import CityScenario

DICE = Dice(11)


@pytest.fixture(scope="module")
def town() -> CityScenario:
    return scenario("contagion").model_copy(update={"users": 3000})


@pytest.fixture(scope="module")
def contacts(spark: SparkSession, town: CityScenario) -> DataFrame:
    return circles.contacts(people.persons(spark, town, DICE), town, DICE).localCheckpoint()


def near(share: float, rows: int) -> object:
    return pytest.approx(share, abs=3.5 * math.sqrt(share * (1 - share) / rows))


def test_kin_and_close_friends_carry_it(contacts: DataFrame, town: CityScenario) -> None:
    count = {row["kind"]: row["count"] for row in contacts.groupBy("kind").count().collect()}
    close = {row["kind"]: row["count"] for row in circles.carrying(contacts, town, DICE).groupBy("kind").count().collect()}
    for kind, median in {"household": 4.0, "neighbour": 1.0}.items():
        # lognormal, 3 or more
        asked = (1 + math.erf(math.log(median / 3) / 0.9 / math.sqrt(2))) / 2
        assert close[kind] / count[kind] == near(asked, count[kind]), kind
    anyone = town.model_copy(update={"leaving": town.leaving.model_copy(update={"contagion_tie": 0.0})})
    assert circles.carrying(contacts, anyone, DICE).count() == contacts.count()


def test_one_who_goes_to_the_competitor_makes_each_of_them_discontented_by_chance(
    contacts: DataFrame, town: CityScenario
) -> None:
    ours = circles.carrying(contacts, town, DICE).where(
        f"a < {town.persons} and b < {town.persons} and 100 between from_day and to_day"
    )
    ends = (
        ours.select("a", "b")
        .unionByName(ours.selectExpr("b as a", "a as b"))
        .groupBy("a")
        .agg(F.min("b").alias("other"), F.count("*").alias("n"))
    )
    # one contact each: all of these contacts go on the same day
    single = ends.where("n = 1").selectExpr("a as person_id", "other")
    gone = single.selectExpr("other as person_id").distinct()
    leavers = gone.selectExpr("person_id", "100 as left_day", "'competitor' as destination")
    caught = discontent.caught(leavers, ours, town, DICE)
    told = (
        single.join(caught, on="person_id", how="left")
        .agg(F.count("caught"), F.count("*"), F.min("caught"), F.max("caught"))
        .first()
    )
    assert told is not None
    assert told[0] / told[1] == near(town.leaving.contagion, told[1])
    assert 100 < told[2] <= told[3] <= 129
    back = leavers.withColumn("destination", F.lit("back"))
    assert discontent.caught(back, ours, town, DICE).isEmpty()
