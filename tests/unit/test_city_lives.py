"""The lives of a town of some thousand people hold what its scenario asks for: documents, handsets, numbers, hazards, days of joining."""

from __future__ import annotations

import datetime as dt
import math

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churnlake.city import circles, discontent, leaving, people, registers
from churnlake.city.dice import Dice
from churnlake.city.generate import scenario
from churnlake.city.settings import CityScenario
from churnlake.city.society import Occasion

DICE = Dice(11)
RUSH = Occasion(what="the freshmen come", first=dt.date(2005, 3, 1), last=dt.date(2005, 3, 10), joining=40, brands=("mzone",))
LATER = "origin in ('reentry', 'partial')"


@pytest.fixture(scope="module")
def town() -> CityScenario:
    """Many hop, hand down a handset, or take over a number."""
    standard = scenario("standard")
    decoys = {"kin": 0.2, "hand_me_down": 0.3, "recycled": 0.2}
    coming = standard.coming.model_copy(update={"decoys": decoys})
    abnormal = {**standard.abnormal, "flea": 0.1}
    return standard.model_copy(update={"users": 5000, "coming": coming, "abnormal": abnormal, "occasions": (RUSH,)})


@pytest.fixture(scope="module")
def lives(spark: SparkSession, town: CityScenario) -> DataFrame:
    def kept(frame: DataFrame, _: str) -> DataFrame:
        return frame.localCheckpoint()

    persons = kept(people.persons(spark, town, DICE), "persons")
    contacts = kept(circles.contacts(persons, town, DICE), "contacts")
    return kept(leaving.lives(persons, contacts, town, DICE, kept), "lives")


def test_each_brand_has_its_share_of_documents_whoever_joins(lives: DataFrame, town: CityScenario) -> None:
    for who in ("origin = 'newcomer'", LATER, "origin = 'second_number'"):
        rows = lives.where(who).groupBy("brand").agg(F.count("*").alias("n"), F.count("paper").alias("shown")).collect()
        assert {row["brand"] for row in rows} == set(town.brands)
        for row in rows:
            asked = town.documents[row["brand"]]
            noise = math.sqrt(asked * (1 - asked) / row["n"])
            assert row["shown"] / row["n"] == pytest.approx(asked, abs=3.5 * noise), (who, row["brand"])


def test_those_who_come_back_keep_the_handset_as_often_as_asked_however_often(lives: DataFrame, town: CityScenario) -> None:
    truth = registers.reentries_truth(lives, town).select("new_user_id", "old_user_id", "same_handset")
    new = lives.selectExpr("user_id as new_user_id", "slot", "motive", "no_imei", "origin")
    old = lives.selectExpr("user_id as old_user_id", "no_imei as old_no_imei", "decoy as old_decoy")
    known = truth.join(new, on="new_user_id", how="inner").join(old, on="old_user_id", how="inner")
    seen = known.where("origin = 'reentry' and not no_imei and not old_no_imei and motive <> 'lost_sim'")
    for who in ("slot = 1", "slot = 2", "old_decoy = 'hand_me_down'"):
        row = seen.where(who).selectExpr("avg(int(same_handset)) as share", "count(*) as n").first()
        assert row is not None
        asked = town.coming.same_handset
        assert row["share"] == pytest.approx(asked, abs=3.5 * math.sqrt(asked * (1 - asked) / row["n"])), who


def test_who_hands_a_handset_down_uses_it_no_more(lives: DataFrame) -> None:
    given = lives.where("decoy = 'hand_me_down'").selectExpr("like_person as person_id", "from_day as given_on")
    assert lives.where("decoy = 'hand_me_down' and not no_imei and (handset_owner <> like_person or handset_turn <> 0)").isEmpty()
    theirs = lives.where("handset_of is null and handset_turn = 0").join(given, on="person_id", how="inner")
    assert not theirs.isEmpty()
    assert theirs.where("swap_day > given_on").isEmpty()
    after = theirs.where("origin = 'reentry' and from_day > given_on")
    assert not after.isEmpty(), "nobody kept the handset bought in its place"


def test_who_takes_over_a_number_has_the_one_that_was_held(lives: DataFrame) -> None:
    held = lives.selectExpr(f"person_id * {people.SLOTS} + slot as number_of", "number as old_number", "left_day as old_left")
    taken = lives.where("number_of is not null").join(held, on="number_of", how="left")
    assert taken.count() > 50
    assert taken.where("not (number <=> old_number) or from_day <= old_left").isEmpty()
    assert not taken.where("old_number div 100000000 = 139").isEmpty(), "no easy number was given up"


def test_the_true_hazard_is_true(lives: DataFrame, town: CityScenario) -> None:
    rows = (
        discontent.hazard(lives, town)
        .join(lives.select("user_id", "origin", "abnormal"), on="user_id", how="inner")
        .localCheckpoint()
    )
    assert rows.where("abnormal = 'flea'").isEmpty()
    second = rows.where("origin in ('second_number', 'partial')")
    assert second.count() > 100
    assert second.where("hazard_t1 > 0 or hazard_t2 > 0 or is_discontented or leaves_t1 or leaves_t2").isEmpty()
    for turn in ("t1", "t2"):
        known = rows.where(f"leaves_{turn} is not null").groupBy("is_discontented")
        for row in known.agg(F.sum(f"hazard_{turn}").alias("asked"), F.count_if(f"leaves_{turn}").alias("left")).collect():
            # contagion still to come is not in it
            slack = 3.5 * math.sqrt(row["asked"]) + 0.05 * row["asked"]
            assert row["left"] == pytest.approx(row["asked"], abs=slack), (turn, row)


def test_an_offer_to_one_brand_brings_joiners_of_that_brand(lives: DataFrame, town: CityScenario) -> None:
    first, last = ((day - town.first_day).days for day in (RUSH.first, RUSH.last))
    free = lives.where("origin = 'newcomer' and decoy is null").groupBy("brand")
    rows = free.agg(F.avg(F.expr(f"int(from_day between {first} and {last})")).alias("share")).collect()
    found = {row["brand"]: row["share"] for row in rows}
    assert found["mzone"] > 0.5
    assert max(found["gotone"], found["easyown"]) < 0.15
