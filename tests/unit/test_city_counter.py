"""What is said at the counter of a made-up city: who names which number, how it is written down, and who decides on bonuses."""

from __future__ import annotations

import math

import pytest
from market_town import DICE
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churnlake.city import counter
from churnlake.city.market import Counter
from churnlake.city.settings import CityScenario
from churnlake.core.settings import load
from churnlake.landing import numbers
from churnlake.settings import Settings

SAID = Counter(
    states_number={"lost_sim": 0.9, "plan": 0.5, "others": 0.2}, wrong_number=0.1, badly_written=0.1, stranger_states=0.05, tells_reason=0.6, reason_truth=0.8,
    wants_other=0.1, reviewed=0.5, withheld=0.6,
)  # fmt: skip


@pytest.fixture(scope="module")
def people(joiners: DataFrame) -> DataFrame:
    """People who joined, with what a counter asks for; all show a document, those who came back mostly that of before."""
    return joiners.selectExpr(
        "*", "concat('11', lpad(if(person_id % 3 = 0, person_id * 2 + slot, person_id), 16, '0')) as paper", "concat('P', slot) as plan",
        "if(person_id % 40 = 0, 'flea', null) as abnormal", "cast(null as string) as decoy", "cast(null as bigint) as dealer",
    ).localCheckpoint()  # fmt: skip


@pytest.fixture(scope="module")
def activations(people: DataFrame, town: CityScenario) -> DataFrame:
    """One row per activation, with what is known of the user."""
    rows = counter.activations(people, town, SAID, DICE)
    old = people.selectExpr("person_id", "slot as old_slot", "cast(number as string) as old_number")
    known = people.join(old, on=["person_id", "old_slot"], how="left").withColumnRenamed("user_id", "USER_ID")
    return rows.join(known, on="USER_ID", how="left").localCheckpoint()


def share(rows: DataFrame, what: str, meant: float) -> None:
    row = rows.selectExpr(f"avg(int({what})) as share", "count(*) as n").first()
    assert row is not None
    assert row["n"] > 100
    assert row["share"] == pytest.approx(meant, abs=3.5 * math.sqrt(meant * (1 - meant) / row["n"])), what


def test_who_joins_is_activated_once_on_that_day(activations: DataFrame, people: DataFrame, town: CityScenario) -> None:
    first, last = town.written
    joined = people.where(f"origin <> 'start' and from_day between {first} and {last}")
    assert activations.count() == joined.count() == activations.select("ACT_NO").distinct().count()
    assert activations.where("to_date(substring(ACT_TIME, 1, 8), 'yyyyMMdd') <> date_add(date'2005-01-01', from_day)").isEmpty()
    assert activations.where(
        "substring(ACT_TIME, 9, 2) not between '08' and '19' or delivered < to_date(substring(ACT_TIME, 1, 8), 'yyyyMMdd')"
    ).isEmpty()
    assert activations.where("not (ID_CARD <=> paper and PLAN_CODE <=> plan and MSISDN <=> number)").isEmpty()


def test_numbers_are_stated_as_often_as_asked_and_mostly_rightly(activations: DataFrame, spark: SparkSession) -> None:
    back = activations.where("old_number is not null and abnormal is null")
    for motive, meant in (("lost_sim", 0.9), ("plan", 0.5), ("brand", 0.2)):
        share(back.where(f"motive = '{motive}'"), "OLD_MSISDN is not null", meant)
    share(activations.where("old_number is null and abnormal is null"), "OLD_MSISDN is not null", 0.05)
    assert activations.where("abnormal = 'flea' and (OLD_MSISDN is not null or REASON is not null)").isEmpty(), "they do not tell"
    # read as the landing contract reads it
    told = back.where("OLD_MSISDN is not null").selectExpr("OLD_MSISDN as told", "old_number")
    read = numbers.with_parties(told, ["told"], load(Settings, "local").landing)
    share(read, "told_number <=> old_number", 0.9 * 0.9)
    assert not read.where("told_number = old_number and told <> old_number").isEmpty(), "none with blanks or +86"
    assert not read.where("length(told) < 11").isEmpty(), "none badly written"


def test_reasons_and_wishes(activations: DataFrame) -> None:
    honest = activations.where("abnormal is null")
    share(honest, "REASON is not null", 0.6)
    # of those told by chance one in seven is the own one all the same
    share(honest.where("REASON is not null and motive is not null"), "REASON = motive", 0.8 + 0.2 / 7)
    share(honest.where("motive is null"), "NEW_NUMBER = 'Y'", 0.1)


def test_bonuses_are_looked_at_by_people_where_a_document_was_shown_before(
    people: DataFrame, activations: DataFrame, town: CityScenario
) -> None:
    made = counter.reviews(people, town, SAID, DICE)
    known = activations.select("ACT_NO", "from_day", "BONUS_FEN", "person_id", "old_number")
    decided = made.join(known, on="ACT_NO", how="left").localCheckpoint()
    assert decided.count() == decided.select("ACT_NO").distinct().count()
    assert decided.where("BONUS_FEN is null or person_id % 3 = 0 or old_number is null").isEmpty()
    late = "datediff(to_date(DECIDE_DATE, 'yyyyMMdd'), date_add(date'2005-01-01', from_day))"
    assert decided.where(f"{late} not between 1 and {counter.LATEST_REVIEW}").isEmpty()
    assert decided.where("delivered < to_date(DECIDE_DATE, 'yyyyMMdd')").isEmpty()
    share(decided, "DECISION = 'W'", 0.6)
    due = known.where(F.col("BONUS_FEN").isNotNull() & (F.col("person_id") % 3 != 0) & F.col("old_number").isNotNull())
    share(due.join(made.select("ACT_NO", "DECISION"), on="ACT_NO", how="left"), "DECISION is not null", 0.5)
