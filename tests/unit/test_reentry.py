"""Joiners, candidates, evidence: small cases with known answers."""

import datetime as dt
import math

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from churnlake.core.frames import frame_of
from churnlake.core.runs import Days
from churnlake.core.settings import load
from churnlake.core.testing import rows
from churnlake.reentry import candidates, elsewhere, evidence, habits, joiners
from churnlake.settings import Settings
from churnlake.tables.circles import PEERS, SIGNATURES
from churnlake.tables.daily import DEVICES, EDGES, PLACES, USAGE
from churnlake.tables.reference import LIVES, SUBSCRIBERS

SETTINGS = load(Settings, "local").reentry
UNIT = {"user_id": 50, "stage_days": 60, "joined_on": dt.date(2005, 3, 1), "known_on": dt.date(2005, 4, 30)}
UNIT_SCHEMA = "user_id bigint, stage_days int, joined_on date, known_on date"


def on(month: int, day: int) -> dt.date:
    return dt.date(2005, month, day)


MET = ", peer_id bigint, contacts bigint, is_told boolean"


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
    due = joiners.at_stages(joiners.began(own, lives, on(1, 1), SETTINGS), days, SETTINGS)
    found = {(r.user_id, r.stage_days): r.known_on for r in due.collect()}
    # 1: there when the data begin; 5: an old user who was quiet; 6 begins with its first own event; stages not yet due are not asked
    assert {u for u, _ in found} == {2, 3, 4, 6}
    assert {s for u, s in found if u == 4} == {0, 3, 7, 30}
    assert found[(2, 60)] == on(3, 11)
    assert found[(6, 0)] == on(2, 25)
    # without lives there is only the warm-up
    assert {r.user_id for r in joiners.began(own, None, on(1, 1), SETTINGS).collect()} == {3, 4, 5, 6}


def test_a_firm_that_changes_its_numbers_on_one_day_was_moved(spark: SparkSession) -> None:
    """50, 60 and 80 are 7, 8 and 6 under other numbers since 1 March; 55 and 65, who were 4 and 5, changed as a couple."""
    met = units(spark, MET, *[{"user_id": u, "peer_id": p, "contacts": 1} for u, p in
        [(50, 60), (50, 90), (60, 50), (60, 80), (80, 60), (70, 50), (71, 50), (72, 90), (55, 65), (65, 55)]])  # fmt: skip
    new = frame_of(
        spark,
        StructType.fromDDL("user_id bigint, joined_on date"),
        [{"user_id": u, "joined_on": on(3, 1)} for u in (50, 55, 60, 65, 70, 71, 72, 80)],
    )
    old = [(7, 8), (7, 90), (8, 7), (6, 8), (9, 90), (10, 8), (4, 5), (5, 4)]
    circles = frame_of(
        spark,
        StructType.fromDDL("as_of date, old_user_id bigint, peer_id bigint"),
        [{"as_of": on(4, 1), "old_user_id": o, "peer_id": p} for o, p in old],
    )
    extra = ", old_user_id bigint, old_last_on date, gap_days int, kind string"
    told = [(50, 7, on(2, 28), "full"), (60, 8, on(2, 28), "full"), (80, 6, on(2, 28), "full"), (70, 9, on(2, 28), "full"), (71, 10, on(2, 27), "full"),
            (72, 7, on(2, 28), "full"), (70, 7, on(2, 28), "kept"), (55, 4, on(2, 28), "full"), (65, 5, on(2, 28), "full")]  # fmt: skip
    named = [{"user_id": u, "old_user_id": o, "old_last_on": d, "gap_days": 1, "kind": k} for u, o, d, k in told]
    pairs = units(spark, extra, *named)
    days = [(u, on(2, 28)) for u in (4, 5, 6, 7, 8, 90)] + [(8, on(2, 27)), (90, on(3, 5)), (7, on(5, 1))]
    own = rows(spark, USAGE, *[{"user_id": u, "day": d, "own_events": 1} for u, d in days]).select("user_id", "day", "own_events")
    # 71's peer began with it, but 8 was used a day longer than 10; 72 met nobody who began with it; 7 was used again, but that is not known yet
    found = evidence.moved_together(pairs, met, circles, new, own)
    assert sorted((r.user_id, r.stage_days) for r in found.collect()) == [(50, 60), (60, 60), (80, 60)]
    scopes = joiners.scopes(pairs.select(*UNIT).distinct(), met, pairs, found, SETTINGS).collect()
    assert {r.user_id: (r.scope, r.excluded_by) for r in scopes if r.user_id in (50, 70)} == {
        50: ("excluded", "together"), 70: ("scored", None),
    }  # fmt: skip


def test_a_circle_counts_up_to_the_stage_only(spark: SparkSession) -> None:
    due = units(spark, "", {"stage_days": 7, "known_on": on(3, 8)}, {})
    edges = rows(
        spark,
        EDGES,
        *[{"user_id": 50, "day": d, "peer_id": 1, "message_out": 1} for d in (on(3, 1), on(3, 8), on(3, 9), on(4, 30), on(5, 1))],
    )
    assert {r.stage_days: (r.contacts, r.is_told) for r in joiners.circles(due, edges).collect()} == {7: (2, True), 60: (4, True)}
    # a message after the first days, or none, tells nobody of a new number
    late = edges.where(f"day > date'{on(3, 3)}'").unionByName(
        rows(spark, EDGES, {"user_id": 50, "day": on(3, 1), "peer_id": 1, "voice_out_calls": 1})
    )
    assert {r.is_told for r in joiners.circles(due, late).collect()} == {False}


def test_circle_score_is_the_query_likelihood_ratio(spark: SparkSession) -> None:
    met = units(
        spark,
        MET,
        {"peer_id": 1, "contacts": 4, "is_told": True},
        {"peer_id": 2, "contacts": 9, "is_told": False},
        {"peer_id": 3, "contacts": 1, "is_told": True},
        {"peer_id": 9, "contacts": 16},
    )
    signatures = rows(
        spark, SIGNATURES,
        {"month": on(2, 1), "user_id": 7, "peer_id": 1, "share": 0.5, "strength": 3000, "place": 1}, {"month": on(2, 1), "user_id": 7, "peer_id": 2, "share": 0.25, "strength": 2000, "place": 2},
        {"month": on(2, 1), "user_id": 7, "peer_id": 9, "share": 0.25, "place": 3},
        {"month": on(4, 1), "user_id": 8, "peer_id": 2, "share": 1.0, "place": 1}, {"month": on(2, 1), "user_id": 8, "peer_id": 3, "share": 1.0, "place": 1},  # 8's newest circle alone counts
        {"month": on(4, 1), "user_id": 11, "peer_id": 9, "share": 1.0, "place": 1},  # by a hub alone
        {"month": on(5, 1), "user_id": 12, "peer_id": 1, "share": 1.0, "place": 1},  # not known yet
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
    old = candidates.newest(signatures, told, SETTINGS)
    ranked = candidates.by_circle(told, old, SETTINGS)
    kept = SETTINGS.kept_mass / (1 - SETTINGS.kept_mass)
    # the joiner's telling contacts are 4, 9 and 1: fourth roots, over their length
    both = 4**0.25 * math.log(1 + kept * 0.5 / 0.1) + 9**0.25 * math.log(1 + kept * 0.25 / 0.3)
    scores = {
        7: pytest.approx(both / math.sqrt(2 + 3 + 1), abs=1e-6),
        8: pytest.approx(9**0.25 * math.log(1 + kept * 1.0 / 0.3) / math.sqrt(6), abs=1e-6),
    }
    assert {r.old_user_id: r.circle_score for r in ranked.collect()} == scores
    # 13 was found by its handset alone, and nothing is known of its circle
    pairs = units(spark, ", old_user_id bigint", *[{"old_user_id": u} for u in (7, 8, 13)])
    found = {r.old_user_id: r for r in evidence.with_likeness(pairs, told, old, SETTINGS).collect()}
    assert {u: found[u].circle_score for u in (7, 8)} == scores
    assert found[13].circle_score == found[13].hellinger == found[13].shared_peers == found[13].old_peers == 0
    assert [(found[u].shared_peers, found[u].announced, found[u].old_peers) for u in (7, 8)] == [(2, 1, 3), (1, 0, 1)]
    assert (found[7].new_found, found[7].old_found) == (pytest.approx(2 / 3, abs=1e-6), 0.75)
    assert (found[8].new_found, found[8].old_found) == (pytest.approx(1 / 3, abs=1e-6), 1.0)
    assert found[7].hellinger == pytest.approx(math.sqrt(0.5 * 4 / 14) + math.sqrt(0.25 * 9 / 14), abs=1e-6)
    # of 7 the counts are 4 and 9 against 3 and 2
    apart = [math.log(4.5 / 3.5), math.log(9.5 / 2.5)]
    sure = [1 / (1 / 4.5 + 1 / 3.5 + 0.1), 1 / (1 / 9.5 + 1 / 2.5 + 0.1)]
    mean = sum(w * d for w, d in zip(sure, apart, strict=True)) / sum(sure)
    assert found[7].ties_apart == pytest.approx(sum(w * (d - mean) ** 2 for w, d in zip(sure, apart, strict=True)), abs=1e-6)
    assert found[8].ties_apart == 0
    # of three and three, 50's two and 7's two; of three and one, 50's one and 8's one
    assert (found[7].top_found, found[8].top_found) == (pytest.approx(4 / 6, abs=1e-6), 0.5)


def test_where_nobody_was_active_rarity_is_that_of_the_newest_month_known(spark: SparkSession) -> None:
    met = units(spark, MET, {"peer_id": 1, "contacts": 4}, {"peer_id": 2, "contacts": 4})
    told = [
        {"month": on(m, 1), "peer_id": p, "users": u, "strength": s}
        for m, p, u, s in [(1, 1, 5, 1), (2, 1, 2, 30), (2, 2, 3, 10), (5, 1, 9, 1)]
    ]
    found = {r.peer_id: (r.peer_users, r.city) for r in candidates.telling(met, rows(spark, PEERS, *told), SETTINGS).collect()}
    # known on 30 April: of March and April there is nothing, of May nothing may be known
    assert found == {1: (2, 0.75), 2: (3, 0.25)}


def test_numbers_of_other_networks_that_the_two_could_be_instead(spark: SparkSession) -> None:
    """50 met 1 to 4 since 1 March; 7, silent since 20 February, had met 1, 2, 3 and 9."""
    met = units(spark, MET, *[{"peer_id": p, "contacts": c} for p, c in [(1, 4), (2, 3), (3, 2), (4, 1)]])
    extra = ", old_user_id bigint, old_last_on date, kind string"
    pairs = units(
        spark,
        extra,
        *[
            {"user_id": u, "old_user_id": o, "old_last_on": d, "kind": k}
            for u, o, d, k in [(50, 7, on(2, 20), "full"), (50, 8, on(4, 30), "kept"), (51, 7, on(2, 20), "full")]
        ],
    )
    circles = frame_of(
        spark,
        StructType.fromDDL("as_of date, old_user_id bigint, peer_id bigint, share double"),
        [
            {"as_of": on(4, 1), "old_user_id": o, "peer_id": p, "share": n}
            for o in (7, 8)
            for p, n in [(1, 0.4), (2, 0.3), (3, 0.2), (9, 0.1)]
        ],
    )
    away = [
        # 101 was met by three of 50's circle and by one more, and by nobody since
        (1, on(1, 10), 101), (2, on(2, 10), 101), (3, on(2, 27), 101), (5, on(1, 9), 101),
        # 102 by all four, and still is; 103 by one alone; 104 is on our own network
        (5, on(1, 2), 102), *[(u, on(2, 10), 102) for u in (1, 2, 3, 4)], (6, on(4, 1), 102), (1, on(2, 1), 103), (1, on(2, 2), 104), (2, on(2, 2), 104),
        # 201 is met since 22 February by two of 7's circle; 202 was known to somebody before; 203 comes later than can be known
        (2, on(2, 22), 201), (9, on(3, 2), 201), (2, on(2, 23), 202), (1, on(2, 23), 202), (5, on(1, 1), 202), (1, on(5, 2), 203), (2, on(5, 2), 203),
    ]  # fmt: skip
    edges = rows(
        spark, EDGES,
        *[{"user_id": u, "day": d, "peer_id": n, "peer_network": "own" if n == 104 else "unicom_gsm", "voice_out_calls": 1} for u, d, n in away],
    )  # fmt: skip
    others = elsewhere.away(edges, SETTINGS, lambda frame: frame.localCheckpoint())
    found = elsewhere.with_elsewhere(pairs, met, circles, others, SETTINGS, lambda frame: frame.localCheckpoint()).collect()
    told = {(r.user_id, r.old_user_id): (r.new_elsewhere, r.old_elsewhere) for r in found}
    new, old = pytest.approx(0.9 * math.sqrt(3 / 4), abs=1e-6), pytest.approx(0.4, abs=1e-6)
    assert told == {(50, 7): (new, old), (50, 8): (new, 0.0), (51, 7): (0.0, old)}


def test_a_handset_points_to_who_had_it_before_and_not_to_everybody(spark: SparkSession) -> None:
    devices = rows(spark, DEVICES, *[{"user_id": u, "day": d, "imei_key": i} for u, d, i in [
        (50, on(3, 2), 1), (7, on(2, 1), 1), (8, on(3, 5), 1),  # 8 had it later
        (50, on(3, 3), 2), *[(100 + n, on(2, 1), 2) for n in range(5)],  # a cloned or zeroed identity
        (9, on(5, 2), 1)]])  # fmt: skip
    found = candidates.by_handset(units(spark), devices, rows(spark, PLACES), SETTINGS).collect()
    assert {r.old_user_id: r.imei_users for r in found} == {7: 3}


def test_a_handset_in_two_places_at_a_time_is_two(spark: SparkSession) -> None:
    """7, 8 and 9 were on 50's handset before and are on it on the same days as 50: 7 in other cells, 8 in the same once, 9 twice only."""
    days = [on(3, d) for d in range(2, 2 + SETTINGS.imei_conflict_days)]
    used = {7: (1, days), 8: (2, days), 9: (3, days[:-1])}
    seen = [(50, day, imei) for imei, together in used.values() for day in together]
    seen += [(user, day, imei) for user, (imei, together) in used.items() for day in (on(2, 1), *together)]
    devices = rows(spark, DEVICES, *[{"user_id": u, "day": d, "imei_key": i} for u, d, i in seen])
    cells = (
        [(50, day, "home") for day in days]
        + [(user, day, f"of {user}") for user in used for day in days]
        + [(8, days[0], "home")]
    )
    places = rows(spark, PLACES, *[{"user_id": u, "day": d, "cell_id": c} for u, d, c in cells])
    found = candidates.by_handset(units(spark), devices, places, SETTINGS).collect()
    assert {r.old_user_id for r in found} == {8, 9}


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
        ([on(2, 20), *[on(4, d) for d in range(1, 31)]], "kept", -60),  # as lively as before: a second number
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
    assert found == [(kind, gap)]


def test_a_level_told_by_three_events_keeps_no_number_apart(spark: SparkSession) -> None:
    """One event in 30 days against three in 55 may be chance; forty against 120 may not."""
    seldom = {on(1, 5): 1, on(1, 20): 1, on(2, 20): 1, on(4, 10): 1}
    often = {on(1, 5): 40, on(1, 20): 40, on(2, 20): 40, on(4, 10): 40}
    own = rows(
        spark, USAGE, *[{"user_id": u, "day": d, "own_events": n} for u, use in ((7, seldom), (8, often)) for d, n in use.items()]
    )
    pairs = units(spark, ", old_user_id bigint", {"old_user_id": 7}, {"old_user_id": 8})
    told = evidence.with_old_use(pairs, own.select("user_id", "day", "own_events"), SETTINGS).collect()
    found = {r.old_user_id: (r.kind, round(r.level_share, 3)) for r in told}
    assert found[7][0] == "partial"
    assert found[8][0] == "kept"
    assert found[7][1] == found[8][1] > SETTINGS.partial_level


def test_who_is_far_less_like_than_another_it_could_be_is_left_out(spark: SparkSession) -> None:
    given = ", old_user_id bigint, kind string, circle_score double, has_same_imei boolean, has_same_document boolean"
    pairs = units(spark, given, *[
        {"old_user_id": old, "kind": kind, "circle_score": score, "has_same_imei": imei, "has_same_document": paper}
        for old, kind, score, imei, paper in [
            (1, "kept", 9.0, False, False),  # as like as can be, but no re-entry: the others are not measured by it
            (2, "full", 4.0, False, False), (3, "partial", 1.7, False, False), (4, "full", 1.5, False, False),
            (5, "kept", 0.1, False, False), (6, "full", 0.1, True, False), (7, "full", 0.0, False, True)]
    ])  # fmt: skip
    left = {row.old_user_id for row in evidence.likely(pairs, SETTINGS).collect()}
    assert left == {1, 2, 3, 5, 6, 7}


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
    assert {r.old_user_id: r.place_overlap for r in habits.with_places(pairs, places, SETTINGS).collect()} == {7: 0.75, 8: None}
    edges = rows(spark, EDGES, *[{"user_id": u, "peer_id": p, "day": d} for u, p, d in [
        (50, 8, on(3, 5)), (50, 7, on(5, 5)),  # too late to be known
        (7, 1, on(3, 2)), (7, 1, on(3, 3)), (7, 2, on(3, 1)), (7, 3, on(4, 2)), (7, 4, on(5, 1)), (8, 1, on(2, 1))]])  # fmt: skip
    told = units(spark, ", peer_id bigint", *[{"peer_id": p} for p in (1, 2, 4)])
    shared = pairs.withColumn("shared_peers", F.lit(2))
    found = {r.old_user_id: (r.talked, r.still_met) for r in evidence.with_talk(shared, told, edges).collect()}
    # of 7's peers 1 alone is the joiner's too and met it after the join and by then
    assert found == {7: (False, 0.5), 8: (True, 0.0)}
