"""What a survey makes of motives by rule: weights, shares, intervals, and what stays unknown."""

import datetime as dt
from typing import Any

import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F
from scipy.stats import binomtest

from churnlake.core.settings import load
from churnlake.core.testing import rows
from churnlake.reentry import survey
from churnlake.settings import Settings
from churnlake.stats.proportions import wilson
from churnlake.tables.motives import MOTIVES, SAID
from churnlake.tables.reference import ANSWERS

SETTINGS = load(Settings, "local").reentry.motives
MAY = dt.date(2005, 5, 1)
ASKED = {"asked_on": dt.date(2005, 5, 16), "delivered_on": dt.date(2005, 5, 20)}


def matched(spark: SparkSession, *by_rule: str, known_on: dt.date = dt.date(2005, 5, 10)) -> DataFrame:
    return rows(spark, MOTIVES, *[{"user_id": n, "motive": name, "known_on": known_on} for n, name in enumerate(by_rule)])


def answers(spark: SparkSession, *said: tuple[int, str | None, str | None], **more: Any) -> DataFrame:
    """By user, its motive and whether it knew the alternative."""
    told = [
        {"user_id": user, "question": question, "answer": answer, **ASKED, **more}
        for user, motive, knew in said
        for question, answer in (("motive", motive), ("knew_alternative", knew))
    ]
    return rows(spark, ANSWERS, *[{"answer_key": n, **row} for n, row in enumerate(told)])


def shares(found: DataFrame) -> dict[str, Row]:
    return {row.motive: row for row in found.collect()}


@pytest.mark.parametrize(("hits", "of"), [(0, 7), (3, 10), (7, 7), (41, 600)])
def test_the_interval_is_that_of_scipy(spark: SparkSession, hits: int, of: int) -> None:
    low, high = spark.range(1).select(*[F.expr(sql) for sql in wilson(f"{hits}D", f"{of}D", 1.959964)]).collect()[0]
    told = binomtest(hits, of).proportion_ci(method="wilson")
    assert (low, high) == (pytest.approx(told.low, abs=1e-6), pytest.approx(told.high, abs=1e-6))


def test_answers_stand_for_all_matches_of_their_motive_by_rule(spark: SparkSession) -> None:
    # six changed brand by rule, two of them asked; four had a cheaper plan, two of them asked
    by_rule = matched(spark, *["brand"] * 6, *["plan"] * 4)
    given = answers(spark, (0, "brand", "no"), (1, "plan", "yes"), (6, "plan", "yes"), (7, "plan", None), (99, "bonus", "yes"))
    found = shares(survey.shares(by_rule, given, [MAY], SETTINGS))
    assert set(found) == set(SAID)
    brand, plan, every = found["brand"], found["plan"], found["all"]
    assert (brand.matches, brand.rule_share, brand.answers) == (6, 0.6, 1)
    assert (plan.matches, plan.answers, plan.alternative_answers, plan.unaware_share) == (4, 3, 2, 0.0)
    # each asked of brand counts for three, of plan for two
    assert (brand.share, plan.share) == (pytest.approx(0.3), pytest.approx(0.7))
    assert (brand.unaware_share, brand.preventable_share) == (1.0, pytest.approx(0.3))
    effective = (3 + 3 + 2 + 2) ** 2 / (9 + 9 + 4 + 4)
    told = (
        spark.range(1)
        .select(*[F.expr(sql) for sql in wilson(f"{0.3 * effective!r}D", f"{effective!r}D", SETTINGS.deviations)])
        .collect()[0]
    )
    assert (brand.share_low, brand.share_high) == pytest.approx(tuple(told), abs=1e-6)
    assert (brand.preventable_low, brand.preventable_high) == pytest.approx(tuple(told), abs=1e-6)
    assert (every.matches, every.answers, every.share) == (10, 4, 1.0)
    # one of three, who counts for three of eight, did not know
    assert every.preventable_share == pytest.approx(3 / 8)
    assert found["bonus"].answers == 0, "who is no match stands for none"
    bonus = found["bonus"]
    assert (bonus.share, bonus.unaware_share, bonus.unaware_high, bonus.preventable_share) == (0.0, None, None, 0.0)
    assert 0 < bonus.preventable_high == bonus.share_high < 1
    assert (every.share_low, every.share_high) == (1.0, 1.0)
    assert sum(found[name].share for name in SAID if name != "all") == pytest.approx(1)


def test_what_nobody_answered_for_stays_unknown(spark: SparkSession) -> None:
    by_rule = matched(spark, *["brand"] * 6, *["arrears"] * 3, "unknown")
    found = shares(survey.shares(by_rule, answers(spark, (0, "brand", "no"), (7, None, None)), [MAY], SETTINGS))
    assert (found["brand"].share, found["unknown"].share) == (pytest.approx(0.6), pytest.approx(0.4))
    assert found["all"].preventable_share == pytest.approx(0.6)
    assert found["unknown"].share_low >= 0.4 - 1e-9
    # what people say beside the rules is kept, what the house has no word for is other
    said = answers(spark, (0, "dealer", "yes"), (1, "weather", "yes"))
    found = shares(survey.shares(by_rule, said, [MAY], SETTINGS))
    assert (found["dealer"].share, found["other"].share) == (pytest.approx(0.3), pytest.approx(0.3))


def test_without_a_survey_only_the_rules_speak(spark: SparkSession) -> None:
    late = answers(spark, (0, "brand", "no"), delivered_on=dt.date(2005, 6, 3))
    for given in (None, late, answers(spark, (99, "brand", "no"))):
        found = shares(survey.shares(matched(spark, "brand", "plan"), given, [MAY], SETTINGS))
        assert (found["brand"].rule_share, found["brand"].answers) == (0.5, 0)
        assert {found[name].share for name in SAID} == {None}
        assert found["all"].preventable_share is None


def test_only_matches_of_the_window_and_the_last_answer_count(spark: SparkSession) -> None:
    old = matched(spark, "brand", known_on=dt.date(2004, 11, 30))
    assert survey.shares(old, None, [MAY], SETTINGS).isEmpty(), "of no match there are no shares"
    later = matched(spark, "brand", known_on=dt.date(2005, 6, 1))
    assert survey.shares(later, None, [MAY], SETTINGS).isEmpty()
    first = matched(spark, "brand", known_on=dt.date(2004, 12, 1))
    again = answers(spark, (0, "brand", "no")).unionByName(answers(spark, (0, "plan", "yes"), asked_on=dt.date(2005, 5, 18)))
    found = shares(survey.shares(first, again, [MAY], SETTINGS))
    assert (found["plan"].share, found["all"].answers, found["all"].preventable_share) == (1.0, 1, 0.0)
    june = dt.date(2005, 6, 1)
    both = survey.shares(later.unionByName(first), None, [MAY, june], SETTINGS).where("motive = 'all'")
    assert {row.month: row.matches for row in both.collect()} == {MAY: 1, june: 1}
    assert survey.first_month_needed([MAY, june], SETTINGS) == dt.date(2004, 12, 1)
