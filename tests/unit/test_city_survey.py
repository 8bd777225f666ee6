"""What a survey brings: who is asked, who answers, and how much of it is true."""

from __future__ import annotations

import datetime as dt
import math

import pytest
from market_town import DICE
from pyspark.sql import DataFrame, SparkSession

from churnlake.city import survey
from churnlake.city.market import Survey
from churnlake.city.settings import CityScenario

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
