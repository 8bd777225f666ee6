"""Incidents: what befalls the records of a whole day, or a whole delivered file. Planned by the seed, never early in the city's time."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession

from churnlake.city.dice import Dice
from churnlake.city.kinds import INCIDENTS
from churnlake.city.settings import CityScenario
from churnlake.city.society import SERVICES
from churnlake.core.errors import SettingsError

SLOW_SECONDS = 5 * 3600
NOON = 12 * 3600
TAKEN_FROM = {"wrong_feed": "sms"}
"""Feeds whose file of the same delivery a kind needs unharmed."""
LATER = {"duplicate_delivery": (1, 1), "repacked_delivery": (1, 1), "late_delivery": (2, 4)}
"""How many deliveries later the file comes, at least and at most."""
CHANGES = {
    "null_burst_cell": {"cell": "null"},
    "null_burst_imei": {"imei": "null"},
    "null_burst_peer": {"peer": "null"},
    "drift_seconds": {"seconds": "2 * seconds"},
    "drift_class": {"class": "'R'"},
    "clock_skew": {"day": f"cast((day * 86400 + second - {SLOW_SECONDS}) div 86400 as int)", "second": f"cast(pmod(second - {SLOW_SECONDS}, 86400) as int)"},
    "frozen_clock": {"second": f"{NOON}"},
    "imei_zeros": {"imei": "'000000000000000'"},
    "one_imei_everywhere": {"imei": "'350000000000000'"},
    "unknown_cells": {"cell": "concat('99', substring(cell, 3))"},
    "seconds_as_minutes": {"seconds": "cast(ceil(seconds / 60.0D) as int)"},
    "fee_in_yuan": {"fee_fen": "format_string('%.2f', fee_fen / 100.0D)"},
    "flipped_direction": {"direction": "case direction when 0 then 1 when 1 then 0 else direction end"},
    "unknown_code_burst": {"direction": "7"},
    "country_code_burst": {"number": "concat('+86', right(number, 11))"},
}  # fmt: skip
"""By kind of incident of a day: the SQL of the columns it changes."""
SHOWS = {
    "null_burst_cell": "cell is not null",
    "null_burst_imei": "imei is not null",
    "null_burst_peer": "peer is not null",
    "drift_seconds": "seconds > 0",
    "drift_class": "class = 'D' and {half}",
    "volume_drop": "{half}",
    "imei_zeros": "imei is not null",
    "unknown_cells": "cell is not null",
    "seconds_as_minutes": "seconds > 1",
    "fee_in_yuan": "fee_fen > 0",
    "flipped_direction": "direction < 2",
}
"""By kind: for which of the day's records it makes a difference, where not for all; ``{half}`` is a draw that holds for half."""


@dataclass(frozen=True)
class Incident:
    """One incident: kind, feed, the number of the delivery it befalls, the event day where it is one of a day.

    ``arrives`` is the number of the delivery with which the file really comes, ``part`` which of the delivery's files it is.
    """

    kind: str
    feed: str
    delivery: int
    arrives: int
    part: int
    day: int | None


@dataclass(frozen=True)
class Happened:
    """A row of the truth: an incident, the delivery it comes with or should have come with, its file and its lines."""

    kind: str
    feed: str
    delivered_on: dt.date
    day: dt.date | None
    file: str | None
    lines: int


HAPPENED = "kind string, feed string, delivered_on date, day date, file string, lines long"


def planned(spark: SparkSession, scenario: CityScenario, dice: Dice) -> list[Incident]:
    """The incidents of a city: each on a feed and delivery of its own, from day ``incidents_from`` on.

    Raises SettingsError when the city's days do not hold them all.
    """
    asked = [(kind, turn) for kind in INCIDENTS for turn in range(scenario.incidents.get(kind, 0))]
    if not asked:
        return []
    draws = [f"{dice.u(f'incident {what}', 'kind', 'turn')} as {what}" for what in ("slot", "day", "lag", "part")]
    drawn = spark.createDataFrame(asked, "kind string, turn int").selectExpr("kind", "turn", *draws).collect()
    chance = {(row["kind"], row["turn"]): row for row in drawn}
    every, count = scenario.delivery_days, len(scenario.deliveries)
    begun, over = scenario.written
    # only deliveries with records can go wrong
    late_enough = [
        delivery
        for delivery in range(-(-scenario.incidents_from // every), count)
        if min((delivery + 1) * every, scenario.days) > begun and delivery * every <= over
    ]
    taken: set[tuple[str, int]] = set()
    found = []
    for kind, turn in asked:
        u = chance[kind, turn]
        least, most = LATER.get(kind, (0, 0))
        lag = least + int(u["lag"] * (most - least + 1))
        needs = TAKEN_FROM.get(kind)
        free = [
            (feed, delivery)
            for feed in INCIDENTS[kind].feeds
            for delivery in late_enough
            if (feed, delivery) not in taken and delivery + lag < count and (needs is None or (needs, delivery) not in taken)
        ]
        if not free:
            raise SettingsError(
                f"city scenario {scenario.name}: incidents: no delivery of records from day {scenario.incidents_from} on is left for {kind}; "
                "ask for fewer incidents, a smaller incidents_from or a later last_day"
            )
        feed, delivery = free[int(u["slot"] * len(free))]
        taken |= {(feed, delivery)} | ({(needs, delivery)} if needs else set())
        first, last = max(delivery * every, begun), min((delivery + 1) * every - 1, over)
        day = first + int(u["day"] * (last + 1 - first)) if INCIDENTS[kind].family == "day" else None
        found.append(Incident(kind, feed, delivery, delivery + lag, int(u["part"] * scenario.files_per_delivery), day))
    return found


def struck(plan: list[Incident]) -> set[tuple[str, int]]:
    """The files, by feed and number of the delivery, in which a fault of one line would not be seen, or be seen twice."""
    files = {(i.feed, i.delivery) for i in plan if i.day is None}
    return files | {(TAKEN_FROM[i.kind], i.delivery) for i in plan if i.kind in TAKEN_FROM}


def befallen(dealt: DataFrame, plan: list[Incident], dice: Dice) -> DataFrame:
    """The records after the incidents of whole days: changed, dropped, doubled; ``incident`` is the kind that made a difference."""
    days = [incident for incident in plan if incident.day is not None]
    if not days:
        return dealt
    on = " ".join(f"when '{SERVICES.index(i.feed)} {i.day}' then '{i.kind}'" for i in days)
    half = f"{dice.u('half', 'record_no')} < 0.5D"
    kinds = sorted({incident.kind for incident in days})
    shows = " ".join(f"when '{kind}' then {SHOWS[kind].format(half=half)}" for kind in kinds if kind in SHOWS)
    seen = f"if(befell is null or not coalesce(case befell {shows} else true end, false), null, befell)" if shows else "befell"
    kept = [column for column in dealt.columns if column != "incident"]
    marked = dealt.selectExpr(*kept, f"case concat(service, ' ', day) {on} end as befell").selectExpr(
        *kept, f"{seen} as incident", "explode(if(befell = 'volume_surge', array(0, 1), array(0))) as again"
    )
    changed: dict[str, str] = {}
    for kind in kinds:
        for column, sql in CHANGES.get(kind, {}).items():
            changed[column] = changed.get(column, "") + f" when '{kind}' then {sql}"
    # a fee in yuan has a decimal point: from here on fees are texts
    types = {"fee_fen": "string"}
    told = [
        f"if(incident is null, {_as(c, types)}, case incident {changed[c]} else {_as(c, types)} end) as {c}"
        if c in changed
        else c
        for c in kept
        if c != "record_no"
    ]
    twin = f"xxhash64({dice.seed}L, 'twin', record_no)"
    return marked.selectExpr(f"if(again = 1, {twin}, record_no) as record_no", *told, "incident", "again")


def of_days(befallen: DataFrame, plan: list[Incident], scenario: CityScenario) -> list[Happened]:
    """A row of the truth for each incident of a day, with the lines it changed, added or took away."""
    days = [incident for incident in plan if incident.day is not None]
    if not days:
        return []
    counted = (
        befallen.where("incident is not null and (incident <> 'volume_surge' or again = 1)")
        .groupBy("incident", "service", "delivery")
        .count()
        .collect()
    )
    lines = {(row["incident"], SERVICES[row["service"]], row["delivery"]): int(row["count"]) for row in counted}
    return [
        Happened(
            i.kind,
            i.feed,
            scenario.deliveries[i.delivery],
            scenario.first_day + dt.timedelta(i.day or 0),
            None,
            lines.get((i.kind, i.feed, i.delivery), 0),
        )
        for i in days
    ]


def left(befallen: DataFrame) -> DataFrame:
    """The records that are still delivered."""
    return befallen.where("incident is null or incident <> 'volume_drop'").drop("again")


def _as(column: str, types: dict[str, str]) -> str:
    return f"cast({column} as {types[column]})" if column in types else column
