"""Numbers changed: whose friends have a new one, too, and whose were changed with many others on one day."""

import datetime as dt

from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType
from test_reentry import MET, SETTINGS, UNIT, on, units

from churnlake.core.frames import frame_of
from churnlake.core.testing import rows
from churnlake.reentry import candidates, renumbered
from churnlake.tables.circles import PEERS, SIGNATURES
from churnlake.tables.reentry import PAIRS
from churnlake.tables.reference import SUBSCRIBERS


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


def test_only_what_is_beyond_doubt_is_a_link(spark: SparkSession) -> None:
    told = [(50, 7, 40.0), (51, 7, 40.0), (51, 8, 40.0), (52, 7, 3.0)]
    pairs = rows(spark, PAIRS, *[{**UNIT, "user_id": u, "old_user_id": o, "circle_score": c, "kind": "full"} for u, o, c in told])
    found = renumbered.links(pairs, SETTINGS).collect()
    assert [(r.user_id, r.old_user_id, r.known_on) for r in found] == [(50, 7, on(4, 30))]


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
