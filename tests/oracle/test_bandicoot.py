"""Indicators that bandicoot and cider define too, against their definitions in plain Python, on random records.

bandicoot 0.6: de Montjoye, Rocher, Pentland 2016, JMLR 17(175). The reference below works on single records, one user at a
time; the house works from daily partials. Population deviations, natural logarithms, night from 19:00 to 07:00. For the part
of contacts that hold 80 % bandicoot's text says "percentage of user's contacts", and so does cider's code; bandicoot's own code
divides by the number of records, which is not that: contacts it is.
"""

import datetime as dt
import math
import random
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from pyspark.sql import SparkSession

from churnlake.core.settings import load
from churnlake.core.testing import rows
from churnlake.indicators import ITEMS as ITEM_TYPES
from churnlake.settings import Settings
from churnlake.tables.clean import SMS, VOICE
from churnlake.tables.daily import DEVICES, EDGES, PLACES, USAGE
from churnlake.tables.reference import CELLS
from churnlake.usage import daily
from churnlake.usage.features import features

MONTH = dt.date(2005, 5, 1)
ZONE_HOURS = 8
SITES = {f"c{n}": (39.6 + 0.07 * n, 116.1 + 0.05 * (n * n % 11)) for n in range(9)}


@dataclass(frozen=True)
class Record:
    """A call answered or an SMS, as bandicoot has it: the city's clock."""

    interaction: str
    direction: str
    peer: int
    at: dt.datetime
    seconds: int
    cell: str | None


def mean(values: Iterable[float]) -> float | None:
    found = list(values)
    return sum(found) / len(found) if found else None


def deviation(values: Iterable[float]) -> float | None:
    found = list(values)
    middle = mean(found)
    return None if middle is None else math.sqrt(sum((v - middle) ** 2 for v in found) / len(found))


def entropy(counts: Iterable[int]) -> float | None:
    found = list(counts)
    return -sum(n / sum(found) * math.log(n / sum(found)) for n in found) if found else None


def holding(counts: Iterable[int]) -> int:
    """How many of the greatest it takes for 80 % of the sum."""
    found = sorted(counts, reverse=True)
    target, n = math.ceil(sum(found) * 4 / 5), 0
    while target > 0 and n < len(found):
        target -= found[n]
        n += 1
    return n


def kilometres(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Great-circle distance by the spherical law of cosines, not by the haversine."""
    a, b, c, d = map(math.radians, (*one, *other))
    return 6371 * math.acos(max(-1.0, min(1.0, math.sin(a) * math.sin(c) + math.cos(a) * math.cos(c) * math.cos(b - d))))


def gyration(cells: Counter[str]) -> float | None:
    if not cells:
        return None
    whole = sum(cells.values())
    centre = tuple(sum(SITES[c][axis] * n for c, n in cells.items()) / whole for axis in (0, 1))
    return math.sqrt(sum(n / whole * kilometres((centre[0], centre[1]), SITES[c]) ** 2 for c, n in cells.items()))


def share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def by_definition(records: list[Record]) -> dict[str, Any]:
    """bandicoot's indicators of one user's month, by our names for them."""
    records = sorted(records, key=lambda r: r.at)
    calls = [r for r in records if r.interaction == "call"]
    texts = [r for r in records if r.interaction == "text"]
    peers = Counter(r.peer for r in records)
    out = Counter(r.peer for r in records if r.direction == "out")
    spoken: dict[int, int] = defaultdict(int)
    for r in calls:
        spoken[r.peer] += r.seconds
    gaps = [(b.at - a.at).total_seconds() / 3600 for a, b in pairwise(records)]
    cells = Counter(r.cell for r in calls if r.cell)
    nights = Counter(r.cell for r in calls if r.cell and (r.at.hour >= 20 or r.at.hour < 8))
    home = max(nights, key=lambda c: (nights[c], c)) if nights else None

    def nocturnal(of: list[Record]) -> float | None:
        return share(sum(r.at.hour >= 19 or r.at.hour < 7 for r in of), len(of))

    return {
        "active_days": len({r.at.date() for r in records}),
        "peers": len(peers),
        "peers_voice": len({r.peer for r in calls}),
        "peers_message": len({r.peer for r in texts}),
        "peers_out": len(out),
        "peers_in": len({r.peer for r in records if r.direction == "in"}),
        "contact_events": len(records),
        "voice_out_calls": sum(r.direction == "out" for r in calls),
        "sms_in_messages": sum(r.direction == "in" for r in texts),
        "voice_out_share": share(sum(r.direction == "out" for r in calls), len(calls)),
        "voice_nocturnal_share": nocturnal(calls),
        "sms_nocturnal_share": nocturnal(texts),
        "voice_mean_seconds": mean(r.seconds for r in calls),
        "voice_deviation_seconds": deviation(r.seconds for r in calls),
        "voice_out_mean_seconds": mean(r.seconds for r in calls if r.direction == "out"),
        "voice_out_deviation_seconds": deviation(r.seconds for r in calls if r.direction == "out"),
        "peer_entropy": entropy(peers.values()),
        "peer_mean_contacts": mean(peers.values()),
        "peer_deviation_contacts": deviation(peers.values()),
        "peer_balance_mean": mean(out[p] / n for p, n in peers.items()),
        "peer_balance_deviation": deviation(out[p] / n for p, n in peers.items()),
        "peer_pareto_share": share(holding(peers.values()), len(peers)),
        "peer_seconds_pareto_share": share(holding(spoken.values()), len(spoken)),
        "contact_gap_mean_hours": mean(gaps),
        "cells": len(cells),
        "cell_entropy": entropy(cells.values()),
        "cell_pareto": holding(cells.values()) if cells else None,
        "gyration_km": gyration(cells),
        "home_calls_share": share(cells[home], sum(cells.values())) if home else None,
    }


def made_up(dice: random.Random) -> dict[int, list[Record]]:
    """Records of 40 users, some with one, some with hundreds, some with calls or messages alone."""
    found: dict[int, list[Record]] = {}
    for user in range(1, 41):
        kinds = dice.choice([("call",), ("text",), ("call", "text"), ("call", "text")])
        circle = [1000 + dice.randrange(300) for _ in range(dice.choice([1, 3, 12, 60]))]
        records = []
        for _ in range(dice.choice([1, 2, dice.randrange(3, 60), dice.randrange(60, 300)])):
            kind = dice.choice(kinds)
            at = dt.datetime(2005, 5, 1) + dt.timedelta(seconds=dice.randrange(31 * 86_400))
            cell = dice.choice([None, *SITES]) if kind == "call" else None
            seconds = dice.randrange(1, 3000) if kind == "call" else 0
            records.append(Record(kind, dice.choice(["out", "in"]), dice.choice(circle), at, seconds, cell))
        found[user] = records
    return found


@pytest.fixture(scope="module")
def both(spark: SparkSession) -> list[tuple[int, dict[str, Any], dict[str, Any]]]:
    """By user: what the house says and what the definitions say."""
    records = made_up(random.Random(20050501))

    def row(user: int, r: Record) -> dict[str, Any]:
        started = (r.at - dt.timedelta(hours=ZONE_HOURS)).replace(tzinfo=dt.UTC)
        of_both = {"number_key": user, "peer_key": r.peer, "peer_network": "own", "direction": r.direction, "started_at": started,
                   "day": r.at.date(), "hour": r.at.hour}  # fmt: skip
        return {**of_both, "seconds": r.seconds, "cell_id": r.cell} if r.interaction == "call" else of_both

    def of(kind: str) -> list[dict[str, Any]]:
        return [row(user, r) for user, some in records.items() for r in some if r.interaction == kind]

    events = daily.events({VOICE.name: rows(spark, VOICE, *of("call")), SMS.name: rows(spark, SMS, *of("text"))})
    partials = daily.partials(events, load(Settings, "local").usage)
    cells = rows(
        spark, CELLS, *[{"cell_id": c, "delivered_on": MONTH, "latitude": la, "longitude": lo} for c, (la, lo) in SITES.items()]
    )
    tables = {table: partials[table] for table in (USAGE, EDGES, PLACES, DEVICES)} | {CELLS: cells}
    found = {r.user_id: r.asDict() for r in features([MONTH], tables, "010").collect()}
    assert set(found) == set(records)
    return [(user, found[user], by_definition(some)) for user, some in records.items()]


def test_ours_equal_the_definitions(both: list[tuple[int, dict[str, Any], dict[str, Any]]]) -> None:
    apart = []
    for user, ours, theirs in both:
        for name, value in theirs.items():
            # where there is nothing to count a source gives 0, where there is nothing to divide by null
            same = ours[name] == value if value is None or ours[name] is None else abs(ours[name] - value) <= 1e-6
            if not same:
                apart.append((user, name, ours[name], value))
    assert apart == []


def test_the_definitions_tell_users_apart(both: list[tuple[int, dict[str, Any], dict[str, Any]]]) -> None:
    for name in both[0][2]:
        assert len({theirs[name] for _, _, theirs in both}) > 5, (
            f"{name} is nearly constant here: the comparison would hold for anything"
        )


def test_hours_of_the_week_add_up_to_what_was_counted(spark: SparkSession) -> None:
    """Three counts of 20 bits a word, against plain counting; up to the most a word holds."""
    dice, calls = random.Random(3), []
    for _ in range(500):
        at = dt.datetime(2005, 5, 1) + dt.timedelta(hours=dice.randrange(31 * 24))
        calls.append(
            {
                "number_key": dice.randrange(3),
                "direction": dice.choice(["out", "in"]),
                "seconds": 5,
                "day": at.date(),
                "hour": at.hour,
            }
        )
    partials = daily.partials(daily.events({VOICE.name: rows(spark, VOICE, *calls)}), load(Settings, "local").usage)
    found = {r.user_id: r.asDict() for r in features([MONTH], partials, "010", ITEM_TYPES["voice"]).collect()}
    days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    counted = Counter((c["number_key"], c["direction"], days[c["day"].weekday()], c["hour"]) for c in calls)
    for user, row in found.items():
        for direction in ("out", "in"):
            for day in days:
                for hour in range(24):
                    assert row[f"voice_{direction}_calls_{day}_{hour:02}"] == counted[user, direction, day, hour]
