"""From events to the records a switch writes: one for each of our parties, with numbers as dialled, places, handsets and fees."""

from __future__ import annotations

import math

from pyspark.sql import DataFrame

from churnlake.city import habits, handsets, money, people
from churnlake.city.dice import Dice
from churnlake.city.events import EVENT, HABITS
from churnlake.city.settings import CityScenario

SITES = ("news", "ring_tone", "picture", "game", "mail", "chat", "stock", "weather")
IP_PREFIXES = {"17951": 0.6, "17911": 0.2, "12593": 0.2}
"""Prefixes by which long distance goes over the Internet, and how they are used."""
JOURNEY = 4
"""Days of a journey."""
NIGHT_TO = 8
"""The hour until which the night price holds."""


def records(events: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per record of one of our users: an on-net call has two, one of each party; three when forwarded to our number.

    ``side`` is 0 for the caller's record, 1 for the called party's, 2 for the number a call was forwarded to. ``record_no`` is
    the record's number, ``peer`` the other party as written.
    """
    third = "if(is_forwarded and to.forward_slot is not null, array(2), array())"
    sides = f"concat(if(from.is_own, array(0), array()), if(to.is_own, array(1), array()), {third})"
    rung = events.selectExpr("*", f"explode({sides}) as side")
    mine = "if(side = 0, from, to)"

    def own(name: str) -> str:
        return f"if(side = 2, to.forward_life.{name}, {mine}.{name})"

    placed = rung.selectExpr(
        *EVENT,
        "day",
        "second",
        "kind",
        "strength",
        "side",
        "is_forwarded and side = 1 as is_forwarded",
        "if(side = 0, caller, called) as party_id",
        "case side when 0 then from.slot when 1 then to.slot else to.forward_slot end as slot",
        f"if(side = 2, to.forward_number, {mine}.number) as own",
        f"{own('handset_owner')} as handset_owner",
        f"{handsets.used_on('day', own)} as handset_turn",
        f"{own('plan_no')} as plan_no",
        "to.forward_number as forward_number",
        "if(side = 0, to.number, from.number) as other",
        "if(side = 0, if(to.is_own, 'own', to_network), if(from.is_own, 'own', from_network)) as peer_network",
        "from_persona_no as caller_no",
        *[f"if(side = 0, from_{name}, to_{name}) as {name}" for name in HABITS[1:]],
    )
    key = (*EVENT, "side")
    work = f"element_at({habits.weekend_table(scenario)}, day + 1) = 0 and second between 32400 and 64800"
    shape = scenario.records
    personas = list(scenario.personas.values())
    seconds = people.by_persona([float(persona.seconds) for persona in personas], "caller_no")
    length = f"{shape.seconds_median!r}D * {seconds} * pow(strength, 0.15) * exp({shape.seconds_sigma!r}D * {dice.normal('seconds', *EVENT)})"
    journey = f"{dice.u('journey', 'party_id', f'day div {JOURNEY}')} < {people.by_persona([float(p.roams) for p in personas])}"
    lasts = (
        f"case service when 0 then if(kind = 'script', 6 + {dice.below(9, 'script', *EVENT)}, least(7200, greatest(1, round({length})))) "
        f"when 3 then 20 + round(180 * -ln(1 - {dice.u('session', *EVENT)})) else 0 end"
    )
    told = placed.selectExpr(
        "*",
        f"(day >= away_from and day < away_to) or {journey} as roams",
        f"{dice.u('answered', *EVENT)} < {shape.answered!r}D as answered",
        f"cast({lasts} as int) as lasts",
        f"{dice.u('form', *key)} as form",
        # a cell is written of calls only, and of none that the network passes on without ringing
        f"if(service = 0 and not is_forwarded, {_moved(scenario, dice, f'if({work}, work_cell, home_cell)', *key)}, null) as near",
    )
    told = told.selectExpr(
        "*",
        f"if(near is null, null, {_in_order(scenario, dice)}) as cell",
        # over the Internet to another city, and home from abroad
        "side = 0 and service = 0 and form < 0.4 and peer_network in ('far', 'abroad') as is_ip",
        "case when roams then 'R' when peer_network = 'far' then 'L' when peer_network = 'abroad' then 'I' else 'D' end as class",
    )
    sites = "array(" + ", ".join(f"'{site}'" for site in SITES) + ")"
    size = (
        f"case service when 2 then cast(8000 + round(22000 * -ln(1 - {dice.u('bytes', *EVENT)})) as bigint) "
        "when 3 then cast(2000 + lasts * 150 as bigint) end"
    )
    unseen = f"service > 0 or is_forwarded or {dice.u('imei', *key)} < {shape.imei_missing!r}D"
    return told.selectExpr("*", f"{size} as bytes").selectExpr(
        "cast(service as int) as service",
        "day",
        "second",
        "side",
        f"{people.user_id(f'(party_id * {people.SLOTS} + slot)')} as user_id",
        "plan_no",
        f"xxhash64({dice.seed}L, 'record', {', '.join(key)}) as record_no",
        f"if({dice.u('own form', *key)} < 0.03, concat('86', own), cast(own as string)) as number",
        f"{_dialled(dice, key)} as peer",
        "if(is_forwarded, 2, if(side = 0, 0, 1)) as direction",
        "if(service = 0 and not answered, 0, lasts) as seconds",
        "class",
        f"if(roams or cell is null, null, {cell_id('cell')}) as cell",
        f"if({unseen}, null, {handsets.imei(dice, 'handset_owner', 'handset_turn')}) as imei",
        "if(is_forwarded, cast(forward_number as string), null) as forwarded_to",
        f"case when answered then if({dice.u('dropped', *EVENT)} < 0.02, 4, 0) else cast(1 + "
        f"{dice.below(3, 'release', *EVENT)} as int) end as release",
        f"{_fee(scenario)} as fee_fen",
        "bytes",
        f"if(service = 3, element_at({sites}, cast(1 + floor({len(SITES)} * pow({dice.u('site', *EVENT)}, 1.6)) as int)), "
        "null) as site",
    )


def _moved(scenario: CityScenario, dice: Dice, usual: str, *key: str) -> str:
    """SQL of the cell of a record: the usual one, or one some cells away, or for a fifth of those anywhere in the city.

    Cells stand in rows from west to east: see ``registers.cells``.
    """
    side = grid(scenario)
    moves = people.by_persona([float(persona.moves) for persona in scenario.personas.values()])
    at = dice.u("place", *key)
    shift = f"({dice.below(7, 'east', *key)} - 3) + {side} * ({dice.below(7, 'north', *key)} - 3)"
    near = f"pmod({usual} + {shift}, {scenario.cells})"
    far = dice.below(scenario.cells, "elsewhere", *key)
    return f"cast(case when {at} < {moves} * 0.2D then {far} when {at} < {moves} then {near} else {usual} end as int)"


def cell_id(cell: str) -> str:
    """SQL of a cell as the switch names it: location area and cell."""
    return f"concat('41', lpad({cell} div 20 + 1, 3, '0'), '-', lpad({cell} + 1, 5, '0'))"


def grid(scenario: CityScenario) -> int:
    """Cells in a row."""
    return max(2, round(math.sqrt(scenario.cells)))


def _in_order(scenario: CityScenario, dice: Dice) -> str:
    """SQL of the cell that carries a call: the near one, or the next while that is out of order."""
    broken = f"({is_out(scenario, dice, 'near')} and second div 3600 between {out_from(dice, 'near')} and {out_from(dice, 'near')} + 4)"
    return f"if({broken}, pmod(near + 1, {scenario.cells}), near)"


def is_out(scenario: CityScenario, dice: Dice, cell: str) -> str:
    """SQL of whether a cell is out of order for some hours of ``day``."""
    return f"{dice.u('outage', cell, 'day')} < {scenario.records.outages!r}D"


def out_from(dice: Dice, cell: str) -> str:
    """SQL of the first of the five hours of ``day`` for which a cell is out of order."""
    return dice.below(20, "outage hour", cell, "day")


def _dialled(dice: Dice, key: tuple[str, ...]) -> str:
    """SQL of the other party's number as the switch wrote it: with country code, area code, IP prefix, or bare."""
    full = people.text("other", "peer_network")
    prefix = dice.pick(IP_PREFIXES, "ip prefix", *key)
    return (
        f"case when service = 3 then null when peer_network in ('own', 'mobile') then case when form < 0.86 then cast(other as string) "
        "when form < 0.90 then concat('+86', other) when form < 0.94 then concat('0086', other) when form < 0.97 then concat('86', other) "
        f"else concat('0', other) end when is_ip then concat({prefix}, {full}) "
        f"when peer_network in ('fixed', 'phs') and form < 0.7 then substring(cast(other as string), 3) else {full} end"
    )


def _fee(scenario: CityScenario) -> str:
    """SQL of the fee of a record in fen, by the plan, and by the day where its prices change."""

    def price(name: str) -> str:
        return money.price(scenario, name, "day", "plan_no")

    minute = (
        f"case class when 'R' then {price('roaming')} when 'I' then if(side = 0, {price('international')}, {price('local')}) "
        f"when 'L' then case when side > 0 then {price('local')} when is_ip then {price('ip')} else {price('long_distance')} end "
        f"else if(second < {NIGHT_TO * 3600}, {price('night')}, {price('local')}) end"
    )
    return (
        f"cast(round(case service when 0 then if(answered, ceil(lasts / 60.0D), 0) * {minute} when 1 then if(side = 0, {price('sms')}, 0) "
        f"when 2 then if(side = 0, {price('mms')}, 0) else ceil(bytes / 1024.0D) * {price('wap')} end) as int)"
    )
