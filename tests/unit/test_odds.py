"""How probable a pair is: evidence adds up, candidates and rivals exclude each other."""

import math

import pytest
from pyspark.sql import SparkSession
from test_reentry import SETTINGS, on

from churnlake.core.errors import SettingsError
from churnlake.core.testing import rows
from churnlake.reentry import odds
from churnlake.tables.reentry import PAIRS

PAIR = {
    "known_on": on(4, 30), "user_id": 50, "stage_days": 60, "old_user_id": 7, "joined_on": on(3, 1), "gap_days": 3, "circle_score": 5.0,
    "old_found": 0.4, "still_met": 0.3, "place_overlap": 0.5, "night_overlap": 0.5, "level_share": 0.05, "odds": 0.0, "kind": "full",
}  # fmt: skip


def probable(spark: SparkSession, *pairs: dict[str, object]) -> dict[tuple[int, int, int], float]:
    """By joiner, stage and old user, the probability of pairs known with these odds."""
    known = rows(spark, PAIRS, *[{**PAIR, **pair} for pair in pairs])
    found = odds.with_probability(known, known, SETTINGS).collect()
    return {(r.user_id, r.stage_days, r.old_user_id): r.probability for r in found}


def test_every_evidence_moves_the_odds_its_way(spark: SparkSession) -> None:
    changes = [
        {},
        {"circle_score": 9.0},
        {"hellinger": 0.9},
        {"has_same_imei": True, "imei_users": 2},
        {"has_same_document": True},
        {"night_overlap": 1.0},
        {"still_met": 0.0},
        {"talked": True},
        {"level_share": 0.9},
        {"still_met": 1.0},
    ]
    pairs = rows(spark, PAIRS, *[{**PAIR, "user_id": n, **change} for n, change in enumerate(changes)])
    found = {r.user_id: r.odds for r in odds.with_odds(pairs.drop("odds"), {}, SETTINGS).collect()}
    assert all(found[n] > found[0] for n in range(1, 7)), found
    assert all(found[n] < found[0] for n in range(7, 10)), found
    kept = odds.with_odds(rows(spark, PAIRS, {**PAIR, "kind": "kept"}).drop("odds"), {}, SETTINGS).first()
    assert kept is not None
    assert kept.odds == 0


def test_a_person_is_one_old_user_and_an_old_user_one_person(spark: SparkSession) -> None:
    assert probable(spark, {"odds": 3.0}) == {(50, 60, 7): 0.75}
    # the joiner's other candidate
    assert probable(spark, {"odds": 3.0}, {"old_user_id": 8, "odds": 1.0}) == {(50, 60, 7): 0.6, (50, 60, 8): 0.2}
    # another joiner for the same old user, known by then
    assert probable(spark, {"odds": 3.0}, {"user_id": 51, "odds": 1.0}) == {(50, 60, 7): 0.6, (51, 60, 7): 0.2}


def test_what_becomes_known_later_changes_nothing_said_before(spark: SparkSession) -> None:
    later = {"user_id": 51, "odds": 1.0, "joined_on": on(3, 2), "known_on": on(5, 1)}
    assert probable(spark, {"odds": 3.0}, later) == {(50, 60, 7): 0.75, (51, 60, 7): 0.2}


def test_a_rival_counts_as_at_its_newest_stage(spark: SparkSession) -> None:
    early = {"user_id": 51, "joined_on": on(4, 1), "stage_days": 7, "known_on": on(4, 8), "odds": 5.0}
    asked = {"odds": 3.0}
    assert probable(spark, asked, early)[(50, 60, 7)] == pytest.approx(3 / 9)
    assert probable(spark, asked, early, {**early, "stage_days": 30, "known_on": on(5, 1), "odds": 0.0})[
        (50, 60, 7)
    ] == pytest.approx(3 / 9)
    soon = {**early, "joined_on": on(3, 20), "known_on": on(3, 27)}
    # by its thirtieth day nothing was left of it, or it is no candidate at all any more
    assert probable(spark, asked, soon, {**soon, "stage_days": 30, "known_on": on(4, 19), "odds": 1.0})[
        (50, 60, 7)
    ] == pytest.approx(3 / 5)
    assert probable(spark, asked, soon)[(50, 60, 7)] == pytest.approx(3 / 4)


def test_pairs_are_weighed_by_what_was_learnt_before(spark: SparkSession) -> None:
    days = [on(3, 31), on(4, 1), on(4, 30), on(5, 1)]
    pairs = rows(spark, PAIRS, *[{**PAIR, "user_id": n, "known_on": day} for n, day in enumerate(days)]).drop("odds")
    learnt = [
        {"month": on(m, 1), "stage_days": 60, "evidence": "intercept", "level": "each", "weight": math.log(m)} for m in (3, 4)
    ]
    found = {r.user_id: r.odds for r in odds.with_odds_of_then(pairs, learnt, SETTINGS).collect()}
    start = odds.with_odds(pairs, {}, SETTINGS).first()
    assert start is not None
    assert found == {0: start.odds, 1: pytest.approx(3), 2: pytest.approx(3), 3: pytest.approx(4)}


@pytest.mark.parametrize(
    ("weights", "named"),
    [({"circle": {"each": 1.0}}, "circle"), ({"talk": {"often": 1.0}}, "often"), ({"still_met": {"none": 1.0}}, "none")],
)
def test_evidence_that_there_is_not_is_refused(weights: dict[str, dict[str, float]], named: str) -> None:
    with pytest.raises(SettingsError, match=f"'{named}'"):
        odds.check(weights, SETTINGS)
    odds.check(SETTINGS.start, SETTINGS)
