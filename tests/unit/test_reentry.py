"""Joiners, candidates, evidence: small cases with known answers."""

import datetime as dt
import math

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from churnlake.core.frames import frame_of
from churnlake.core.runs import Days
from churnlake.core.settings import load
from churnlake.core.testing import rows
from churnlake.reentry import candidates, evidence, joiners
from churnlake.settings import Settings
from churnlake.tables.circles import PEERS, SIGNATURES
from churnlake.tables.daily import DEVICES, EDGES, PLACES, USAGE
from churnlake.tables.reference import LIVES, SUBSCRIBERS

SETTINGS = load(Settings, "local").reentry
UNIT = {"user_id": 50, "stage_days": 60, "joined_on": dt.date(2005, 3, 1), "known_on": dt.date(2005, 4, 30)}
UNIT_SCHEMA = "user_id bigint, stage_days int, joined_on date, known_on date"


def on(month: int, day: int) -> dt.date:
    return dt.date(2005, month, day)


def units(spark: SparkSession, extra: str = "", *more: dict[str, object]) -> DataFrame:
    return frame_of(spark, StructType.fromDDL(UNIT_SCHEMA + extra), [{**UNIT, **m} for m in more or ({},)])


def test_joiners_are_new_on_paper_or_new_after_the_warm_up(spark: SparkSession) -> None:
    own = joiners.own_days(rows(spark, USAGE, *[{"user_id": u, "day": d, "own_events": n} for u, d, n in [
        (1, on(1, 1), 1), (2, on(1, 10), 1), (3, on(2, 20), 1), (4, on(2, 20), 1), (5, on(2, 20), 1), (6, on(2, 20), 0), (6, on(2, 25), 1)]]))  # fmt: skip
    lives = rows(
        spark,
        LIVES,
        {"user_id": 2, "joined_on": on(1, 9)},
        {"user_id": 4, "joined_on": on(2, 18)},
        {"user_id": 5, "joined_on": dt.date(2003, 1, 1)},
    )
    days = Days(on(1, 1), on(3, 22))
    due = joiners.joiners(own, lives, on(1, 1), days, SETTINGS)
    found = {(r.user_id, r.stage_days): r.known_on for r in due.collect()}
    # 1: there when the data begin; 5: an old user who was quiet; 6 begins with its first own event; stages not yet due are not asked
    assert {u for u, _ in found} == {2, 3, 4, 6}
    assert {s for u, s in found if u == 4} == {0, 7, 30}
    assert found[(2, 60)] == on(3, 11)
    assert found[(6, 0)] == on(2, 25)
    # without lives there is only the warm-up
    assert {r.user_id for r in joiners.joiners(own, None, on(1, 1), days, SETTINGS).collect()} == {3, 4, 5, 6}


def test_a_circle_counts_up_to_the_stage_only(spark: SparkSession) -> None:
    due = units(spark, "", {"stage_days": 7, "known_on": on(3, 8)}, {})
    edges = rows(
        spark,
        EDGES,
        *[{"user_id": 50, "day": d, "peer_id": 1, "message_out": 1} for d in (on(3, 1), on(3, 8), on(3, 9), on(4, 30), on(5, 1))],
    )
    assert {r.stage_days: r.contacts for r in joiners.circles(due, edges).collect()} == {7: 2, 60: 4}


def test_circle_score_is_the_query_likelihood_ratio(spark: SparkSession) -> None:
    met = units(
        spark,
        ", peer_id bigint, contacts bigint",
        {"peer_id": 1, "contacts": 4},
        {"peer_id": 2, "contacts": 9},
        {"peer_id": 3, "contacts": 1},
        {"peer_id": 9, "contacts": 16},
    )
    signatures = rows(
        spark, SIGNATURES,
        {"month": on(2, 1), "user_id": 7, "peer_id": 1, "share": 0.5}, {"month": on(2, 1), "user_id": 7, "peer_id": 2, "share": 0.25},
        {"month": on(4, 1), "user_id": 8, "peer_id": 2, "share": 1.0}, {"month": on(2, 1), "user_id": 8, "peer_id": 3, "share": 1.0},  # 8's newest circle alone counts
        {"month": on(4, 1), "user_id": 11, "peer_id": 9, "share": 1.0},  # by a hub alone
        {"month": on(5, 1), "user_id": 12, "peer_id": 1, "share": 1.0},  # not known yet
    )  # fmt: skip
    peers = rows(
        spark,
        PEERS,
        *[
            {"month": on(4, 1), "peer_id": p, "users": u, "strength": s}
            for p, u, s in [(1, 2, 100), (2, 3, 300), (3, 1, 100), (9, 10_000, 500)]
        ],
    )
    told = candidates.telling(met, peers, SETTINGS)
    found = {r.old_user_id: r for r in candidates.by_circle(told, signatures, SETTINGS).collect()}
    odds = SETTINGS.kept_mass / (1 - SETTINGS.kept_mass)
    assert set(found) == {7, 8}
    # the joiner's telling contacts are 4, 9 and 1: fourth roots, over their length
    both = 4**0.25 * math.log(1 + odds * 0.5 / 0.1) + 9**0.25 * math.log(1 + odds * 0.25 / 0.3)
    assert found[7].circle_score == pytest.approx(both / math.sqrt(2 + 3 + 1), abs=1e-6)
    assert found[8].circle_score == pytest.approx(9**0.25 * math.log(1 + odds * 1.0 / 0.3) / math.sqrt(6), abs=1e-6)
    assert (found[7].shared_peers, found[8].shared_peers) == (2, 1)

    # two users have a circle by April: a peer is worth ln(k / u) - ln(1 - k), never less than the peer not shared costs
    def gain(users: int) -> float:
        return max(math.log(SETTINGS.kept_mass / (users / 3)), 0) - math.log(1 - SETTINGS.kept_mass)

    assert found[7].circle_gain == pytest.approx(gain(2) + gain(3), abs=1e-6)
    assert found[8].circle_gain == pytest.approx(gain(3), abs=1e-6)


def test_a_handset_points_to_who_had_it_before_and_not_to_everybody(spark: SparkSession) -> None:
    devices = rows(spark, DEVICES, *[{"user_id": u, "day": d, "imei_key": i} for u, d, i in [
        (50, on(3, 2), 1), (7, on(2, 1), 1), (8, on(3, 5), 1),  # 8 had it later
        (50, on(3, 3), 2), *[(100 + n, on(2, 1), 2) for n in range(5)],  # a cloned or zeroed identity
        (9, on(5, 2), 1)]])  # fmt: skip
    found = {r.old_user_id: r.imei_users for r in candidates.by_handset(units(spark), devices, SETTINGS).collect()}
    assert found == {7: 3}


def test_a_document_points_to_its_older_holders_once_delivered(spark: SparkSession) -> None:
    paper = {"document_key": 5, "delivered_on": on(3, 7)}
    subscribers = rows(
        spark, SUBSCRIBERS, {"user_id": 50, "joined_on": on(3, 1), **paper}, {"user_id": 7, "joined_on": on(1, 1), **paper, "delivered_on": on(1, 7)},
        {"user_id": 8, "joined_on": on(4, 1), **paper}, {"user_id": 9, "joined_on": on(1, 1), "document_key": None},
    )  # fmt: skip
    assert [r.old_user_id for r in candidates.by_document(units(spark), subscribers, SETTINGS).collect()] == [7]
    early = units(spark, "", {"stage_days": 0, "known_on": on(3, 1)})
    assert candidates.by_document(early, subscribers, SETTINGS).isEmpty(), "on the day of joining the paper is not here yet"


@pytest.mark.parametrize(
    ("last_days", "kind", "gap"),
    [
        ([on(2, 20)], "full", 9),
        ([on(2, 20), on(4, 10)], "full", -40),  # one event in days 31-60 against one a day before: 3 %
        ([on(2, 20), *[on(4, d) for d in range(5, 15)]], "partial", -44),
        ([on(2, 20), *[on(4, d) for d in range(1, 31)]], None, None),  # as lively as before: a second number
    ],
)
def test_level_of_the_old_number_decides_the_kind(
    spark: SparkSession, last_days: list[dt.date], kind: str | None, gap: int | None
) -> None:
    normal = [on(1, 1) + dt.timedelta(days=n) for n in range(50)]
    own = rows(spark, USAGE, *[{"user_id": 7, "day": d, "own_events": 1} for d in sorted({*normal, *last_days})]).select(
        "user_id", "day", "own_events"
    )
    pairs = units(spark, ", old_user_id bigint", {"old_user_id": 7})
    found = [(r.kind, r.gap_days) for r in evidence.with_old_use(pairs, own, SETTINGS).collect()]
    assert found == ([(kind, gap)] if kind else [])


def test_gaps_outside_the_definition_and_younger_numbers_are_no_reentry(spark: SparkSession) -> None:
    own = rows(
        spark,
        USAGE,
        *[{"user_id": u, "day": d, "own_events": 1} for u, d in [(7, dt.date(2004, 10, 1)), (8, on(3, 2)), (9, on(2, 1))]],
    ).select("user_id", "day", "own_events")
    pairs = units(spark, ", old_user_id bigint", *[{"old_user_id": u} for u in (7, 8, 9)])
    assert [r.old_user_id for r in evidence.with_old_use(pairs, own, SETTINGS).collect()] == [9]


def test_places_and_talk(spark: SparkSession) -> None:
    pairs = units(spark, ", old_user_id bigint", {"old_user_id": 7}, {"old_user_id": 8})
    places = rows(spark, PLACES, *[{"user_id": u, "day": d, "cell_id": c, "voice_calls": n} for u, d, c, n in [
        (50, on(3, 2), "a", 3), (50, on(3, 2), "b", 1), (7, on(2, 1), "a", 1), (7, on(3, 2), "b", 5)]])  # fmt: skip
    assert {r.old_user_id: r.place_overlap for r in evidence.with_places(pairs, places).collect()} == {7: 0.75, 8: None}
    edges = rows(spark, EDGES, {"user_id": 50, "peer_id": 8, "day": on(3, 5)}, {"user_id": 50, "peer_id": 7, "day": on(5, 5)})
    assert {r.old_user_id: r.talked for r in evidence.with_talk(pairs, edges).collect()} == {7: None, 8: True}


def test_every_evidence_moves_the_probability_its_way(spark: SparkSession) -> None:
    schema = ", old_user_id bigint, circle_llr double, has_same_imei boolean, imei_users bigint, has_same_document boolean, place_overlap double, level_share double, talked boolean"
    base = {
        "old_user_id": 1,
        "circle_llr": 5.0,
        "has_same_imei": False,
        "has_same_document": False,
        "place_overlap": 0.5,
        "level_share": 0.5,
    }
    changes = [
        {},
        {"circle_llr": 9.0},
        {"has_same_imei": True, "imei_users": 2},
        {"has_same_document": True},
        {"place_overlap": 1.0},
        {"level_share": 0.0},
        {"talked": True},
        {"level_share": 1.0},
    ]
    pairs = units(spark, schema, *[{**base, "user_id": 100 + n, **change} for n, change in enumerate(changes)])
    found = {r.user_id - 100: r.probability for r in evidence.with_probability(pairs, SETTINGS).collect()}
    assert all(found[n] > found[0] for n in range(1, 6)), found
    assert all(found[n] < found[0] for n in (6, 7)), found
