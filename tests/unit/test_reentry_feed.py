"""The operator's monthly feed: chains of numbers, multiple re-entry, keys, months, and reasons in words."""

import datetime as dt
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from churnlake.core.settings import load
from churnlake.core.testing import rows
from churnlake.reentry import feed
from churnlake.settings import Settings
from churnlake.tables.motives import FEED, MOTIVES
from churnlake.tables.reentry import MATCHES
from churnlake.tables.reference import LIVES

SETTINGS = load(Settings, "local").reentry


def on(month: int, day: int) -> dt.date:
    return dt.date(2005, month, day)


def match(user: int, old: int, joined: dt.date, stage: int = 60, **more: Any) -> dict[str, Any]:
    return {
        "user_id": user, "old_user_id": old, "stage_days": stage, "joined_on": joined, "known_on": joined + dt.timedelta(days=stage), "kind": "full",
        "found_by": "circle", "probability": 0.9, "gap_days": 3, "circle_score": 4.0, "hellinger": 0.6, "shared_peers": 7, "new_found": 0.64, "old_peers": 9,
        "level_share": 0.0, **more,
    }  # fmt: skip


CHAIN = [match(2, 1, on(1, 10)), match(3, 2, on(2, 20)), match(4, 3, on(5, 1)), match(5, 4, on(9, 30)), match(9, 8, on(2, 1))]


def keep(frame: DataFrame) -> DataFrame:
    return frame.localCheckpoint()


def told(spark: SparkSession, matches: list[dict[str, Any]], months: list[dt.date], **more: Any) -> DataFrame:
    given = rows(spark, MATCHES, *matches)
    motives = rows(
        spark,
        MOTIVES,
        *[{"user_id": one["user_id"], "motive": "plan"} for one in matches if one["stage_days"] == 60 and one["user_id"] != 9],
    )
    persons = feed.persons(given, SETTINGS, keep)
    return feed.feed(given, motives, persons, more.get("lives"), more.get("learnt", []), months, SETTINGS)


def test_a_chain_of_numbers_is_one_person_named_by_the_first(spark: SparkSession) -> None:
    found = {row.user_id: row for row in feed.persons(rows(spark, MATCHES, *CHAIN), SETTINGS, keep).collect()}
    assert {user: row.unique_user_id for user, row in found.items()} == {2: 1, 3: 1, 4: 1, 5: 1, 9: 8}
    assert {user: row.numbers for user, row in found.items()} == {2: 2, 3: 3, 4: 4, 5: 5, 9: 2}
    # half a year: the join of 1 May is the third, by the end of September only that of May still counts beside its own
    assert {user: row.reentries for user, row in found.items()} == {2: 1, 3: 2, 4: 3, 5: 2, 9: 1}


def test_a_long_chain_given_in_any_order(spark: SparkSession) -> None:
    links = [match(n + 1, n, on(1, 1) + dt.timedelta(days=10 * n)) for n in range(1, 30)]
    turned = feed.persons(rows(spark, MATCHES, *reversed(links)).repartition(3), SETTINGS, keep).collect()
    assert {row.user_id: (row.unique_user_id, row.numbers) for row in turned} == {n: (1, n) for n in range(2, 31)}


def test_what_comes_later_changes_no_person(spark: SparkSession) -> None:
    by_then = feed.persons(rows(spark, MATCHES, *CHAIN[:2]), SETTINGS, keep).collect()
    later = {row.user_id: row for row in feed.persons(rows(spark, MATCHES, *CHAIN), SETTINGS, keep).collect()}
    assert by_then
    assert all(later[row.user_id] == row for row in by_then)


def test_early_stages_are_no_links_and_nobody_is_nobody(spark: SparkSession) -> None:
    assert feed.persons(rows(spark, MATCHES, match(2, 1, on(1, 10), stage=30)), SETTINGS, keep).isEmpty()


def test_the_feed_has_the_operators_shape_and_a_row_per_joiner_and_month(spark: SparkSession) -> None:
    lives = rows(spark, LIVES, *[{"user_id": n, "number_key": 100 + n} for n in (1, 2, 3)])
    months = [on(3, 1), on(4, 1)]
    early = match(2, 1, on(1, 10), stage=30)
    found = told(spark, [*CHAIN, early], months, lives=lives)
    assert found.columns == FEED.names
    assert found.groupBy(*FEED.key).count().where("count > 1").isEmpty()
    seen = {row.user_id: row for row in found.collect()}
    # final on 11 March, 2 April and 21 April
    assert {user: (row.month, row.time_id) for user, row in seen.items()} == {
        2: (on(3, 1), 200503), 9: (on(4, 1), 200504), 3: (on(4, 1), 200504),
    }  # fmt: skip
    assert (seen[3].number_key, seen[3].old_number_key, seen[3].unique_user_id) == (103, 102, 1)
    assert seen[9].number_key == 9, "without a life a user is its number's pseudonym"
    assert (seen[3].motive, seen[3].kind, seen[3].reentries) == ("plan", "full", 2)
    assert seen[9].motive == "unknown", "never asked for, but not lost"


def test_a_month_told_is_told_the_same_later(spark: SparkSession) -> None:
    then = told(spark, CHAIN[:2], [on(3, 1)]).collect()
    assert len(then) == 1
    assert told(spark, CHAIN, [on(3, 1)]).collect() == then


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, "7 people it is in touch with, 64 % of all, were in touch with the old number; the old number has fallen silent."),
        ({"has_same_imei": True, "imei_users": 2}, "It runs on a handset the old number used; 7 people it is in touch with, "),
        ({"has_same_imei": True, "imei_users": 3}, "It runs on a handset the old number used, seen on 3 users; 7 people "),
        ({"has_same_document": True, "level_share": 0.3}, "Both were joined with one document; 7 people "),
        ({"shared_peers": 1, "new_found": 1.0}, "1 person it is in touch with, 100 % of all, was in touch with the old number; "),
        ({"night_overlap": 0.8, "shared_peers": 0}, "80 % of its calls by night are made where the old number was by night; the old number has fallen silent."),
        ({"shared_peers": 0, "level_share": 0.9}, "No single evidence stands out."),
        # a number elsewhere speaks against the pair and takes nothing from what its circle says
        ({"new_elsewhere": 0.9, "old_elsewhere": 0.8}, "7 people it is in touch with"),
        ({"level_share": 0.08}, "7 people it is in touch with, 64 % of all, were in touch with the old number; the old number fell to 8 % of its use."),
    ],
)  # fmt: skip
def test_the_reason_names_the_strongest_evidence_first(spark: SparkSession, change: dict[str, Any], said: str) -> None:
    pairs = rows(spark, MATCHES, match(2, 1, on(1, 10), **change))
    row = feed.with_reason(pairs, [], SETTINGS).first()
    assert row is not None
    assert row.reason.startswith(said), row.reason
    assert row.reason.count(";") <= feed.NAMED - 1


def test_the_reason_is_by_the_weights_of_then(spark: SparkSession) -> None:
    learnt = [{"month": on(2, 1), "stage_days": 60, "evidence": "gap", "level": "within a week", "weight": 2.0}]
    pairs = rows(
        spark,
        MATCHES,
        match(2, 1, on(1, 10)),
        match(3, 2, on(1, 11), gap_days=-1),
        match(4, 3, on(1, 12), gap_days=0, known_on=on(2, 27)),
        match(5, 4, on(1, 12), gap_days=0),
    )
    found = {row.user_id: row.reason for row in feed.with_reason(pairs, learnt, SETTINGS).collect()}
    assert found[2] == "It began 3 days after the old number was last used."
    assert found[3] == "No single evidence stands out.", "side by side has no weight"
    assert found[4].startswith("7 people"), "not yet learnt"
    assert found[5] == "It began on the day the old number was last used."
