"""Feeds that are not there, and numbers that tell little: who can be found is found, and of the others it is said that they cannot."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from churnlake.circles import signatures
from churnlake.core.runs import Days
from churnlake.core.settings import load
from churnlake.core.testing import rows
from churnlake.reentry import assignment, joiners, odds
from churnlake.reentry.weighing import Weighed, weigh
from churnlake.settings import Settings
from churnlake.tables.circles import PEERS, SIGNATURES
from churnlake.tables.daily import DEVICES, EDGES, PLACES, USAGE

ALL = load(Settings, "local")
FIRST, LAST = dt.date(2005, 1, 1), dt.date(2005, 5, 31)
LEFT, JOINED = dt.date(2005, 3, 20), dt.date(2005, 3, 22)
VOICE, TEXTS, REUSED = 1, 2, 3
BY_VOICE, BY_TEXTS, AGAIN, SILENT, HUB_ONLY = 51, 52, 53, 54, 55
EVERYBODY, CROWD = 999, range(1000, 1000 + ALL.reentry.hub_users + 10)


@dataclass(frozen=True)
class Told:
    weighed: Weighed
    scopes: dict[int, str]
    matches: dict[int, int]


def week_by_week(first: dt.date, last: dt.date) -> Iterator[dt.date]:
    while first <= last:
        yield first
        first += dt.timedelta(days=7)


@pytest.fixture(scope="module")
def told(spark: SparkSession) -> Told:
    """Two who come back, by voice and by texts alone; a number given to somebody else; one who never calls; one who calls only whom all call.

    No handset, no cell, no register, no lives.
    """
    settings = ALL.reentry
    met: list[dict[str, Any]] = []

    def meets(user: int, peers: range, first: dt.date, last: dt.date, **how: int) -> None:
        met.extend(
            {"user_id": user, "peer_id": peer, "day": day, "peer_network": "own", **how}
            for day in week_by_week(first, last)
            for peer in peers
        )

    circles = {VOICE: range(100, 110), TEXTS: range(200, 210), REUSED: range(300, 310)}
    for user, peers in circles.items():
        meets(user, peers, FIRST, LEFT, **({"message_out": 2} if user == TEXTS else {"voice_out_calls": 2}))
    meets(BY_VOICE, range(100, 108), JOINED, LAST, voice_out_calls=2)
    meets(BY_TEXTS, range(200, 208), JOINED, LAST, message_in=1, message_out=1)
    meets(AGAIN, range(400, 410), JOINED, LAST, voice_out_calls=2)
    meets(HUB_ONLY, range(EVERYBODY, EVERYBODY + 1), JOINED, LAST, voice_out_calls=9)
    for user in (*CROWD, *circles):
        meets(user, range(EVERYBODY, EVERYBODY + 1), FIRST, LAST if user in CROWD else LEFT, voice_out_calls=1)
    edges = rows(spark, EDGES, *met)
    used = {(row["user_id"], row["day"]) for row in met}
    used |= {(SILENT, JOINED), (BY_TEXTS, JOINED)}
    usage = rows(spark, USAGE, *[{"user_id": user, "day": day, "own_events": 1} for user, day in sorted(used)])
    months = [dt.date(2005, month, 1) for month in range(1, 6)]
    kept = signatures.signatures(signatures.weeks(edges), months, ALL.circles).localCheckpoint()
    tables = {
        USAGE: usage,
        EDGES: edges,
        PLACES: rows(spark, PLACES),
        DEVICES: rows(spark, DEVICES),
        SIGNATURES: kept,
        PEERS: signatures.peers(kept),
    }
    own = joiners.own_days(usage)
    new = joiners.began(own, None, FIRST, settings)
    due = joiners.at_stages(new, Days(FIRST, LAST), settings).where(F.col("stage_days") == 60).localCheckpoint()
    weighed = weigh(new, due, own, tables, settings, lambda frame: frame.localCheckpoint())
    scored = odds.with_odds(weighed.pairs, {}, settings).localCheckpoint()
    likely = odds.with_probability(scored, scored, settings).where(F.col("probability") >= settings.least_probability)
    matches = assignment.assign(likely, None, lambda frame: frame.localCheckpoint()).collect()
    scopes = joiners.scopes(due, weighed.met, weighed.found, weighed.together, settings).collect()
    return Told(weighed, {r["user_id"]: r["scope"] for r in scopes}, {r["user_id"]: r["old_user_id"] for r in matches})


def test_voice_alone_and_texts_alone_are_enough(told: Told) -> None:
    assert told.matches == {BY_VOICE: VOICE, BY_TEXTS: TEXTS}


def test_every_joiner_is_told_of_and_who_tells_too_little_is_said_to(told: Told) -> None:
    assert told.scopes == {BY_VOICE: "scored", BY_TEXTS: "scored", AGAIN: "scored", SILENT: "too_little", HUB_ONLY: "too_little"}


def test_whom_everybody_calls_makes_nobody_a_candidate(told: Told) -> None:
    pairs = told.weighed.found.select("user_id", "old_user_id").distinct().collect()
    assert sorted((r["user_id"], r["old_user_id"]) for r in pairs) == [(BY_VOICE, VOICE), (BY_TEXTS, TEXTS)]


def test_what_no_feed_tells_is_left_open(told: Told) -> None:
    untold = (
        "imei_users",
        "place_overlap",
        "night_overlap",
        "hours_score",
        "same_dealer",
        "plan_shared",
        "same_model",
        "has_forwarding",
    )
    rows = told.weighed.pairs.select("has_same_imei", "has_same_document", *untold).distinct().collect()
    assert [tuple(row) for row in rows] == [(False, False, *[None] * len(untold))]
