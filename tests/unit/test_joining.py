"""Whom a document and a stated number name, what the counter may say, and what handset and circle say later."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from churnlake.core.settings import load
from churnlake.core.testing import rows
from churnlake.reentry import joining
from churnlake.settings import Settings
from churnlake.tables.joining import BONUS_REVIEWS, COUNTER_REMINDERS, JOINING_CHECKS, JOINING_FOLLOW_UPS
from churnlake.tables.reentry import JOINERS, MATCHES, PAIRS
from churnlake.tables.reference import ACTIVATIONS, JOINING_REVIEWS, SUBSCRIBERS

HOW = load(Settings, "local").reentry
NOON = dt.datetime(2005, 5, 10, 4, tzinfo=dt.UTC)
TODAY = dt.date(2005, 5, 10)
OWN = {"stated_network": "own"}


def day(n: int, month: int = 5) -> dt.date:
    return dt.date(2005, month, n)


def at(when: dt.date) -> dt.datetime:
    return dt.datetime(when.year, when.month, when.day, tzinfo=dt.UTC)


def user(n: int, **told: Any) -> dict[str, Any]:
    """A user of before, holder of number 1000 + n, with no document."""
    return {
        "user_id": n,
        "number_key": 1000 + n,
        "delivered_on": day(1),
        "joined_on": day(1, 1),
        "valid_from": at(day(1, 1)),
        **told,
    }


def asked(*activations: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"activation_key": 70 + n, "user_id": 900 + n, "activated_on": TODAY, "activated_at": NOON, **one}
        for n, one in enumerate(activations)
    ]


def of(spark: SparkSession, *activations: dict[str, Any]) -> DataFrame:
    return rows(spark, ACTIVATIONS, *asked(*activations)).withColumn("arrived_at", F.lit(NOON))


def judged(spark: SparkSession, users: list[dict[str, Any]] | None, *activations: dict[str, Any]) -> list[Row]:
    register = None if users is None else rows(spark, SUBSCRIBERS, *users)
    return joining.checked(of(spark, *activations), register, HOW).orderBy("activation_key").collect()


def said(row: Row) -> tuple[str, str, str, str | None, int | None]:
    return row["document_says"], row["number_says"], row["verdict"], row["named_by"], row["old_user_id"]


GONE = at(day(1, 1))
CASES: list[tuple[str, list[dict[str, Any]], dict[str, Any], tuple[str, str, str, str | None, int | None]]] = [
    ("nothing shown, nothing said", [user(1)], {}, ("not_shown", "not_stated", "untold", None, None)),
    ("a document nobody has", [user(1, document_key=5)], {"document_key": 6}, ("nobody", "not_stated", "new", None, None)),
    ("a document of one", [user(1, document_key=5)], {"document_key": 5}, ("one_user", "not_stated", "known", "document", 1)),
    ("a number of one", [user(1)], {"stated_key": 1001, **OWN}, ("not_shown", "one_user", "known", "number", 1)),
    (
        "both of one",
        [user(1, document_key=5)],
        {"document_key": 5, "stated_key": 1001, **OWN},
        ("one_user", "one_user", "known", "both", 1),
    ),
    (
        "a family's document, and which of them",
        [user(1, document_key=5), user(2, document_key=5)],
        {"document_key": 5, "stated_key": 1002, **OWN},
        ("several_users", "one_user", "known", "both", 2),
    ),
    (
        "a family's document",
        [user(1, document_key=5), user(2, document_key=5)],
        {"document_key": 5},
        ("several_users", "not_stated", "several", None, None),
    ),
    (
        "each names another",
        [user(1, document_key=5), user(2)],
        {"document_key": 5, "stated_key": 1002, **OWN},
        ("one_user", "one_user", "several", None, None),
    ),
    (
        "somebody else's number",
        [user(1, document_key=6)],
        {"document_key": 5, "stated_key": 1001, **OWN},
        ("nobody", "one_user", "contradicted", None, None),
    ),
    (
        "a number whose holder showed none",
        [user(1)],
        {"document_key": 5, "stated_key": 1001, **OWN},
        ("nobody", "one_user", "known", "number", 1),
    ),
    (
        "a dealer's document",
        [user(n, document_key=5) for n in range(1, 6)],
        {"document_key": 5},
        ("of_many", "not_stated", "untold", None, None),
    ),
    (
        "a dealer's document, and a number",
        [user(n, document_key=5) for n in range(1, 6)],
        {"document_key": 5, "stated_key": 1003, **OWN},
        ("of_many", "one_user", "known", "number", 3),
    ),
    (
        "a number not ours",
        [user(1)],
        {"stated_key": 4, "stated_network": "unicom_gsm"},
        ("not_shown", "not_ours", "new", None, None),
    ),
    ("a number nobody holds", [user(1)], {"stated_key": 4, **OWN}, ("not_shown", "not_ours", "new", None, None)),
    ("no number at all", [user(1)], {"stated_network": "unknown"}, ("not_shown", "no_number", "untold", None, None)),
    (
        "a number given up long ago",
        [user(1, valid_to=GONE)],
        {"stated_key": 1001, **OWN},
        ("not_shown", "gone_long", "new", None, None),
    ),
    (
        "a document of who left long ago",
        [user(1, document_key=5, left_on=day(1, 1))],
        {"document_key": 5},
        ("nobody", "not_stated", "new", None, None),
    ),
    (
        "a number recycled since",
        [user(1, valid_to=at(day(1, 2)), left_on=day(1, 2)), user(2, number_key=1001, joined_on=day(1))],
        {"stated_key": 1001, **OWN},
        ("not_shown", "several_users", "several", None, None),
    ),
    (
        "a number recycled since, and a document",
        [
            user(1, valid_to=at(day(1, 2)), left_on=day(1, 2), document_key=5),
            user(2, number_key=1001, joined_on=day(1), document_key=6),
        ],
        {"stated_key": 1001, "document_key": 5, **OWN},
        ("one_user", "several_users", "known", "both", 1),
    ),
    (
        "a number recycled long after",
        [user(1, valid_to=GONE), user(2, number_key=1001, joined_on=day(1))],
        {"stated_key": 1001, **OWN},
        ("not_shown", "one_user", "known", "number", 2),
    ),
    ("oneself", [user(900, document_key=5)], {"document_key": 5}, ("nobody", "not_stated", "new", None, None)),
    (
        "who joined the same day",
        [user(1, document_key=5, joined_on=TODAY)],
        {"document_key": 5},
        ("nobody", "not_stated", "new", None, None),
    ),
    (
        "what is told tomorrow",
        [user(2), user(1, document_key=5, delivered_on=day(11))],
        {"document_key": 5},
        ("nobody", "not_stated", "new", None, None),
    ),
    (
        "nothing known by then",
        [user(1, document_key=5, delivered_on=day(11))],
        {"document_key": 5},
        ("nobody", "not_stated", "untold", None, None),
    ),
]


@pytest.mark.parametrize("place", [1, 7])
def test_whom_a_document_and_a_number_name(spark: SparkSession, place: int) -> None:
    # all cases at once, each in a world of its own: its keys are told apart by a number put before them
    users, activations = [], []
    for n, (_, known, activation, _) in enumerate(CASES):
        base = (n + 1) * 100_000

        def moved(given: dict[str, Any], base: int = base) -> dict[str, Any]:
            return {k: v + base if k in ("user_id", "number_key", "document_key", "stated_key") else v for k, v in given.items()}

        users += [moved(one) for one in known]
        activations.append({"activation_key": n, **moved({"user_id": 900, **activation})})
    # what every world but the last knows of: that a register was delivered
    register = rows(spark, SUBSCRIBERS, *users).repartition(place)
    found = joining.checked(of(spark, *activations).repartition(place), register, HOW).orderBy("activation_key").collect()
    for row, (what, _, _, wanted) in zip(found, CASES, strict=True):
        if what == "nothing known by then":
            continue
        old = row["old_user_id"] % 100_000 if row["old_user_id"] else None
        assert (*said(row)[:4], old) == wanted, what
    assert {row["known_to"] for row in found} == {day(1)}


def test_with_nothing_told_by_then_nothing_is_said(spark: SparkSession) -> None:
    later, none = CASES[-1], None
    assert said(judged(spark, later[1], later[2])[0]) == later[3]
    (row,) = judged(spark, none, {"document_key": 5, "stated_key": 4, **OWN})
    assert (row["verdict"], row["known_to"], row["old_user_id"]) == ("untold", None, None)


def test_the_newest_told_by_then_holds_and_what_comes_later_changes_nothing(spark: SparkSession) -> None:
    users = [
        user(1, document_key=5, brand="gotone", plan_id="P1", dealer_id="D1"),
        user(1, document_key=5, brand="mzone", plan_id="P2", dealer_id="D1", delivered_on=day(8)),
        user(1, document_key=5, brand="easyown", plan_id="P3", delivered_on=day(11), left_on=day(11)),
    ]
    new = {"document_key": 5, "brand": "gotone", "plan_id": "P2", "dealer_id": "D1"}
    for known in (users, users[:2], users[::-1]):
        (row,) = judged(spark, known, new)
        assert (row["is_same_brand"], row["is_same_plan"], row["is_same_dealer"], row["is_old_held"]) == (False, True, True, True)
        assert row["known_to"] == day(8)


REMINDED = [
    ({"reason": "lost_sim"}, {}, "sim_replacement"),
    ({"reason": "number"}, {}, "number_choice"),
    ({"wants_new_number": True}, {"verdict": "known", "is_same_brand": False, "is_old_held": True}, "number_choice"),
    ({"wants_new_number": False}, {"verdict": "known", "is_same_brand": False, "is_old_held": True}, "brand_change"),
    ({}, {"verdict": "known", "is_same_brand": True, "is_old_held": True}, "none"),
    ({}, {"verdict": "known", "is_same_brand": False, "is_old_held": False}, "none"),
    ({}, {"verdict": "known", "is_same_brand": None, "is_old_held": True}, "none"),
    ({"reason": "bonus"}, {"verdict": "new"}, "none"),
]


def test_which_reminder_fits_and_nothing_else_is_told(spark: SparkSession) -> None:
    activations = of(spark, *(a for a, _, _ in REMINDED)).withColumn("activation_id", F.concat(F.lit("V"), "activation_key"))
    checks = rows(
        spark,
        JOINING_CHECKS,
        *({"activation_key": 70 + n, "user_id": 900 + n, "old_user_id": 5, **c} for n, (_, c, _) in enumerate(REMINDED)),
    )
    found = joining.reminders(activations, checks)
    assert [row["reminder"] for row in found.orderBy("activation_id").collect()] == [wanted for _, _, wanted in REMINDED]
    assert set(found.columns) == set(COUNTER_REMINDERS.names)
    told = {column.name for table in (JOINING_CHECKS, ACTIVATIONS, JOINING_FOLLOW_UPS) for column in table.columns}
    assert set(COUNTER_REMINDERS.names) & told == {"activated_on", "user_id"}, (
        "no number, document, verdict, old user or evidence"
    )


def test_what_handset_and_circle_say_later(spark: SparkSession) -> None:
    checks = rows(
        spark, JOINING_CHECKS,
        *({"activation_key": 70 + n, "user_id": 900 + n, "activated_on": TODAY, "verdict": "known" if n < 3 else "new", "old_user_id": 1 if n < 3 else None} for n in range(5)),
    )  # fmt: skip
    joiners = rows(
        spark, JOINERS,
        *({"user_id": 900 + n, "stage_days": s, "known_on": TODAY + dt.timedelta(s), "scope": "too_little" if n == 4 else "scored"} for n in range(6) for s in (0, 7)),
    )  # fmt: skip
    pair = {"stage_days": 0, "has_same_imei": True, "imei_users": 2}
    pairs = rows(
        spark, PAIRS,
        {**pair, "user_id": 900, "old_user_id": 8, "odds": 1.0}, {**pair, "user_id": 900, "old_user_id": 1, "odds": 2.0},
        {**pair, "user_id": 900, "old_user_id": 7, "odds": 9.0, "imei_users": 3}, {**pair, "user_id": 900, "old_user_id": 9, "has_same_imei": False, "odds": 99.0},
        {**pair, "user_id": 901, "old_user_id": 4, "odds": 0.1}, {**pair, "user_id": 902, "old_user_id": 1, "odds": 1.0, "stage_days": 7},
    )  # fmt: skip
    matches = rows(
        spark, MATCHES, {"user_id": 900, "stage_days": 7, "old_user_id": 1, "probability": 0.9}, {"user_id": 903, "stage_days": 7, "old_user_id": 3, "probability": 0.8},
        {"user_id": 901, "stage_days": 0, "old_user_id": 1, "probability": 0.8},
    )  # fmt: skip
    found = joining.follow_ups(checks, joiners, pairs, matches)
    assert set(found.columns) == set(JOINING_FOLLOW_UPS.names)
    told = {(row["activation_key"] - 70, row["stage_days"]): (row["outcome"], row["old_user_id"]) for row in found.collect()}
    assert told == {
        (0, 0): ("same", 1), (0, 7): ("same", 1), (1, 0): ("other", 4), (1, 7): ("nobody", None), (2, 0): ("nobody", None), (2, 7): ("nobody", None),
        (3, 0): ("nobody", None), (3, 7): ("found", 3), (4, 0): ("too_little", None), (4, 7): ("too_little", None),
    }  # fmt: skip


def test_no_bonus_is_withheld_but_by_a_person(spark: SparkSession) -> None:
    from decimal import Decimal

    kinds = next(column for column in JOINING_CHECKS.columns if column.name == "verdict").one_of
    checks = rows(
        spark,
        JOINING_CHECKS,
        *({"activation_key": n, "verdict": v, "bonus_yuan": Decimal(50)} for n, v in enumerate(kinds)),
        {"activation_key": 99, "verdict": "known"},
    )
    for nothing in (None, rows(spark, JOINING_REVIEWS)):
        assert [(row["activation_key"], row["state"]) for row in joining.bonus_reviews(checks, nothing).collect()] == [
            (0, "to_review")
        ]
    many = rows(spark, JOINING_CHECKS, *({"activation_key": n, "verdict": "known", "bonus_yuan": Decimal(50)} for n in range(5)))
    reviews = rows(
        spark, JOINING_REVIEWS,
        {"activation_key": 0, "decision": "withhold", "decided_on": day(3), "reviewer_key": 1}, {"activation_key": 0, "decision": "pay", "decided_on": day(4), "reviewer_key": 2},
        {"activation_key": 1, "decision": "withhold", "decided_on": day(3), "reviewer_key": 1},
        {"activation_key": 2, "decision": "withhold", "decided_on": day(3), "reviewer_key": 1}, {"activation_key": 2, "decision": "pay", "decided_on": day(3), "reviewer_key": 2},
        {"activation_key": 77, "decision": "withhold", "decided_on": day(3), "reviewer_key": 1},
    )  # fmt: skip
    found = {
        row["activation_key"]: (row["state"], row["decided_on"], row["reviewer_key"])
        for row in joining.bonus_reviews(many, reviews).collect()
    }
    nobody = ("to_review", None, None)
    assert found == {0: ("paid", day(4), 2), 1: ("withheld", day(3), 1), 2: nobody, 3: nobody, 4: nobody}


@pytest.mark.parametrize(
    ("state", "reviewer", "decided"),
    [("withheld", None, None), ("withheld", 1, None), ("withheld", None, day(1)), ("paid", None, None), ("to_review", 1, day(1))],
)
def test_the_table_itself_refuses_a_state_that_nobody_decided(
    spark: SparkSession, state: str, reviewer: int | None, decided: dt.date | None
) -> None:
    rule = next(column for column in BONUS_REVIEWS.columns if column.name == "state").rule
    row = rows(spark, BONUS_REVIEWS, {"state": state, "reviewer_key": reviewer, "decided_on": decided})
    assert row.where(rule).isEmpty()
    sound = rows(spark, BONUS_REVIEWS, {"state": "to_review"}, {"state": "withheld", "reviewer_key": 1, "decided_on": day(1)})
    assert sound.where(rule).count() == 2
