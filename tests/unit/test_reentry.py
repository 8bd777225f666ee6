"""Joiners, candidates, evidence: small cases with known answers."""

import datetime as dt
import math

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from churnlake.core.errors import SettingsError
from churnlake.core.frames import frame_of
from churnlake.core.runs import Days
from churnlake.core.settings import load
from churnlake.core.testing import rows
from churnlake.reentry import candidates, elsewhere, evidence, habits, joiners, odds, renumbered
from churnlake.settings import Settings
from churnlake.tables.circles import PEERS, SIGNATURES
from churnlake.tables.daily import DEVICES, EDGES, PLACES, USAGE
from churnlake.tables.reentry import PAIRS
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


def test_who_has_a_new_number_is_met_under_the_old_one_once_that_is_known(spark: SparkSession) -> None:
    told = [
        (91, 60, 31, on(4, 30)),
        (92, 60, 91, on(4, 30)),
        (93, 30, 33, on(4, 20)),
        (93, 60, 34, on(5, 20)),
        (94, 0, 35, on(5, 1)),
    ]
    linked = frame_of(
        spark,
        StructType.fromDDL("user_id bigint, stage_days int, old_user_id bigint, known_on date"),
        [dict(zip(renumbered.LINK, row, strict=True)) for row in told],
    )
    met = units(spark, MET, *[{"peer_id": p, "contacts": 4} for p in (31, 91, 92, 93, 94, 95)])
    signatures = rows(spark, SIGNATURES, *[{"month": on(4, 1), "user_id": 7, "peer_id": p, "share": 0.25, "strength": s, "place": n} for p, s, n in
        [(92, 100, 4), (31, 900, 3), (33, 950, 2), (94, 970, 1)]])  # fmt: skip
    peers = rows(
        spark, PEERS, *[{"month": on(4, 1), "peer_id": p, "users": u, "strength": 5} for p, u in [(31, 3), (91, 9), (33, 2)]]
    )
    found = candidates.telling(met, peers, SETTINGS, linked)
    # 92 is 91, who is 31; of 93 it is known in April that it was 33; of 94 nothing yet
    assert {r.peer_id: (r.contacts, r.peer_users) for r in found.collect()} == {
        31: (12, 9), 33: (4, 2), 94: (4, None), 95: (4, None),
    }  # fmt: skip
    # whoever shares nobody is there where it is asked for: found by its handset, say
    stranger = rows(spark, SIGNATURES, {"month": on(4, 1), "user_id": 70, "peer_id": 96, "share": 1.0, "strength": 7, "place": 1})
    with_others = signatures.unionByName(stranger)
    assert candidates.newest(with_others, found, SETTINGS, linked).where("old_user_id = 70").isEmpty()
    asked_for = with_others.where("user_id = 70")
    assert candidates.newest(with_others, found, SETTINGS, linked, asked_for).where("old_user_id = 70").count() == 1
    old = candidates.newest(signatures, found, SETTINGS, linked)
    assert {r.peer_id: (r.share, r.strength, r.place) for r in old.collect()} == {
        31: (0.5, 1000, 1), 94: (0.25, 970, 2), 33: (0.25, 950, 3),
    }  # fmt: skip
    asked = met.withColumn("as_of", F.expr(candidates.AS_OF))
    assert [r.user_id for r in renumbered.affected(asked, linked).collect()] == [50]
    assert renumbered.affected(asked.where("peer_id IN (94, 95)"), linked).isEmpty()


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


def test_only_what_is_beyond_doubt_is_a_link(spark: SparkSession) -> None:
    told = [(50, 7, 40.0), (51, 7, 40.0), (51, 8, 40.0), (52, 7, 3.0)]
    pairs = rows(spark, PAIRS, *[{**UNIT, "user_id": u, "old_user_id": o, "circle_score": c, "kind": "full"} for u, o, c in told])
    found = renumbered.links(pairs, SETTINGS).collect()
    assert [(r.user_id, r.old_user_id, r.known_on) for r in found] == [(50, 7, on(4, 30))]


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


def test_many_numbers_changed_on_one_day_are_a_firms(spark: SparkSession) -> None:
    """Ten joined on paper on 1 April, first used on days of their own; on the days around it one or two came back, on 20 March seven."""
    firm = {100 + n: (on(4, 1), on(4, 1 + n)) for n in range(10)}
    days = [on(3, 2) + dt.timedelta(days=n // 2) for n in range(80)]
    others = {200 + n: (day, day) for n, day in enumerate(days) if day != on(4, 1)}
    wave = {300 + n: (on(3, 20), on(3, 20)) for n in range(5)}
    everybody = {**firm, **others, **wave}
    new = frame_of(
        spark,
        StructType.fromDDL("user_id bigint, joined_on date"),
        [{"user_id": u, "joined_on": first} for u, (_, first) in everybody.items()],
    )
    paper = rows(spark, SUBSCRIBERS, *[
        {"user_id": u, "joined_on": day, "delivered_on": day + dt.timedelta(days=6)} for u, (day, _) in everybody.items()])  # fmt: skip
    links = frame_of(
        spark,
        StructType.fromDDL("user_id bigint, stage_days int, old_user_id bigint, known_on date"),
        [
            {"user_id": u, "stage_days": 60, "old_user_id": u + 1000, "known_on": first + dt.timedelta(days=60)}
            for u, (_, first) in everybody.items()
        ],
    )
    joined = renumbered.papers(new, paper)
    found = {row.user_id for row in renumbered.at_once(links, links, joined, SETTINGS).collect()}
    # what is known by each one's own day counts: eight of the firm are not yet four times as many as usual, two and a little
    assert found == {108, 109}
    # a day's own run, with the links of the days before
    last = links.where(f"known_on = date'{on(4, 10) + dt.timedelta(days=60)}'")
    alone = {row.user_id for row in renumbered.at_once(last, links, joined, SETTINGS).collect()}
    assert alone == {109}
    # without a register the first use is all there is: nobody stands out
    assert renumbered.at_once(links, links, renumbered.papers(new, None), SETTINGS).isEmpty()
