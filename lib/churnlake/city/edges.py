"""The other way to write a city: no records, but who was in touch with whom in each month, and when each number was used.

The people, their circles and their lives are those of the records, and so is the truth; what happens between two people is drawn by
the week instead of event by event. It makes a whole city's months affordable, to look for people at full scale.
"""

from __future__ import annotations

import datetime as dt

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.city import events, habits, money, people
from churnlake.city.dice import Dice
from churnlake.city.discontent import NEVER
from churnlake.city.handsets import imei, used_on
from churnlake.city.settings import CityScenario
from churnlake.city.society import SERVICES

MESSAGES = ("sms", "mms")
COUNTS = ("out_calls", "in_calls", "out_messages", "in_messages")


def months(scenario: CityScenario) -> list[tuple[dt.date, int, int]]:
    """The months written: first day of the month, first and last day number of it that is written."""
    first, last = scenario.written
    touched = [(month, max(start, first), min(end, last)) for month, start, end in money.months(scenario)]
    return [(month, start, end) for month, start, end in touched if start <= end]


def _written(scenario: CityScenario) -> float:
    """Share of the records that are messages, 1 where there are none."""
    return sum(scenario.records.mix[service] for service in MESSAGES) or 1.0


def weeks(scenario: CityScenario) -> list[tuple[int, int, int, float, float]]:
    """The weeks written, cut at the ends of months: number of the month, first and last day, common days they are worth for calls and for messages."""
    mix = scenario.records.mix
    levels = {service: habits.calendar(scenario, service) for service in SERVICES}
    written = _written(scenario)
    found = []
    for number, (_, first, last) in enumerate(months(scenario)):
        for start in range(first, last + 1, 7):
            days = range(start, min(start + 7, last + 1))
            calls = sum(levels["voice"][day] for day in days)
            messages = sum(levels[s][day] * mix[s] / written for day in days for s in MESSAGES)
            found.append((number, days[0], days[-1], calls, messages))
    return found


def edges(rated: DataFrame, parties: DataFrame, level: list[float], scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per user, number it was in touch with, and month, or week of a month: calls and messages both ways, first and last week with any.

    Columns are the operator's: MONTH, USER_ID, MSISDN, OPP_NUMBER (full national form), counts, FIRST_DAY and LAST_DAY of the weeks.
    """
    unit = dict(zip(SERVICES, level, strict=True))
    rates = {
        "calls": f"({unit['voice']!r}D * voice + own_voice)",
        "messages": f"({unit['sms']!r}D * sms + {unit['mms']!r}D * mms + own_sms)",
    }
    # a hub calls nobody and is written to by nobody
    shares = {"calls": "if(kind = 'hub', 1.0D, a_starts)", "messages": "if(kind = 'hub', 0.0D, a_starts)"}
    bout = scenario.records.bout
    written = _written(scenario)
    sizes = {"calls": bout["voice"], "messages": sum(scenario.records.mix[s] * bout[s] for s in MESSAGES) / written}
    pairs = rated.where(f"{' + '.join(rates.values())} > 0").selectExpr(
        "a", "b", "tie", "from_day as met_from", "to_day as met_to", f"kind in ({events.ERRANDS}) as is_errand",
        *[f"{rate} * {shares[name]} as {name}_there" for name, rate in rates.items()],
        *[f"{rate} * (1 - {shares[name]}) as {name}_back" for name, rate in rates.items()],
        # of a bout that goes both ways, so many events go the one way, where any does
        *[f"if(kind in ({events.OWN_RATE}), 1.0D, 1 + {size - 1!r}D * {shares[name]}) as {name}_there_bout" for name, size in sizes.items()],
        *[f"if(kind in ({events.OWN_RATE}), 1.0D, 1 + {size - 1!r}D * (1 - {shares[name]})) as {name}_back_bout" for name, size in sizes.items()],
    )  # fmt: skip
    traits = ("lives", "network", "away_from", "away_to")
    a = parties.selectExpr("party_id as a", *[f"{name} as a_{name}" for name in traits])
    wide = events.with_b(pairs, parties, traits, scenario, dice).join(a, on="a", how="inner")
    calendar = ", ".join(
        f"named_struct('month', {month}, 'first', {first}, 'last', {last}, 'calls', {calls!r}D, 'messages', {messages!r}D)"
        for month, first, last, calls, messages in weeks(scenario)
    )
    each = wide.selectExpr("*", f"explode(array({calendar})) as week").selectExpr("*", "(week.first + week.last) div 2 as day_of")
    each = each.selectExpr("*", "cast(day_of as int) as day").where("day >= met_from and day < met_to")
    key = ("a", "b", "tie", "week.first")
    told = events.told(dice, "true")
    known = each.selectExpr("*", *[f"{events.latest(f'{s}_lives', told)} as {s}_newest" for s in ("a", "b")])
    known = known.where("a_newest >= 0 and b_newest >= 0")
    held = known.selectExpr(
        "*", *[f"{events.used(f'{s}_lives', f'{s}_newest', dice.u(f'which {s}', *key))} as {s}_at" for s in ("a", "b")]
    )
    held = held.selectExpr("*", "get(a_lives, a_at) as a_life", "get(b_lives, b_at) as b_life")
    away = f"if({events.SOMEONE_AWAY}, 0.6D, 1.0D)"

    def reaches(name: str, way: str) -> str:
        # from a number that only forwards nothing goes out, and no message gets to it
        used = {s: f"day >= {s}_life.from_day and day < {s}_life.to_day" for s in ("a", "b")}
        sender = used["a" if way == "there" else "b"]
        return sender if name == "calls" else f"{used['a']} and {used['b']}"

    keeps = f"if(is_errand, 1.0D, {events.dipped('a_life')} * {events.dipped('b_life')} * {away})"
    held = held.selectExpr("*", f"{keeps} as keeps")
    means = [
        f"if({reaches(name, way)}, {name}_{way} * week.{name} * keeps / {name}_{way}_bout, 0D) as {name}_{way}_mean"
        for name in ("calls", "messages")
        for way in ("there", "back")
    ]
    held = held.where("a_life.is_own or b_life.is_own").selectExpr("*", *means)
    names = [f"{name}_{way}" for name in ("calls", "messages") for way in ("there", "back")]
    drawn = held.selectExpr(
        "a", "b", "tie", "a_life", "b_life", "a_network", "b_network", "week",
        *[f"{name}_bout" for name in names],
        *[f"cast({dice.poisson(f'{name}_mean', name, *key)} as int) as {name}_bouts" for name in names],
    ).where(" or ".join(f"{name}_bouts > 0" for name in names))  # fmt: skip
    more = [dice.poisson(f"{name}_bouts * ({name}_bout - 1)", f"more {name}", *key) for name in names]
    drawn = drawn.selectExpr(
        "*", *[f"cast({name}_bouts + {rest} as int) as {name}" for name, rest in zip(names, more, strict=True)]
    )
    pair = [f"{s}_{what}" for s in ("a", "b") for what in ("slot", "own", "number", "network")]
    thin = drawn.selectExpr(
        "a", "b", "week.month as month",
        *[f"{s}_life.{what} as {s}_{name}" for s in ("a", "b") for what, name in (("slot", "slot"), ("is_own", "own"), ("number", "number"))],
        "a_network", "b_network", "week.first as first", "week.last as last", *names,
    )  # fmt: skip
    within = [] if scenario.records.by == "month" else ["first", "last"]
    weeks_met = [] if within else [F.min("first").alias("first"), F.max("last").alias("last")]
    summed = thin.groupBy("a", "b", "month", *within, *pair).agg(*[F.sum(name).alias(name) for name in names], *weeks_met)
    both = summed.selectExpr("*", "explode(concat(if(a_own, array(0), array()), if(b_own, array(1), array()))) as side")
    mine, theirs, there, back = (
        "if(side = 0, a_{0}, b_{0})",
        "if(side = 0, b_{0}, a_{0})",
        "if(side = 0, {0}_there, {0}_back)",
        "if(side = 0, {0}_back, {0}_there)",
    )
    seen = both.selectExpr(
        "month", "first", "last", "if(side = 0, a, b) as party", f"{mine.format('slot')} as slot", f"{mine.format('number')} as number",
        f"{theirs.format('number')} as other", f"if({theirs.format('own')}, 'own', {theirs.format('network')}) as other_network",
        *[f"{way.format(name)} as {direction}_{name}" for name in ("calls", "messages") for direction, way in (("out", there), ("in", back))],
    )  # fmt: skip
    names_of = ", ".join(f"'{first}'" for first, _, _ in months(scenario))
    return seen.selectExpr(
        f"element_at(array({names_of}), month + 1) as month",
        f"{people.user_id(f'(party * {people.SLOTS} + slot)')} as USER_ID",
        "cast(number as string) as MSISDN",
        f"{people.text('other', 'other_network')} as OPP_NUMBER",
        *[f"cast({name} as int) as {name.upper()}" for name in COUNTS],
        f"date_add(date'{scenario.first_day}', first) as FIRST_DAY",
        f"date_add(date'{scenario.first_day}', last) as LAST_DAY",
    )


def forwards(met: DataFrame, parties: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per user and week of ``met`` (``edges``) with calls that were sent on: where to, and how many of those that came in.

    Columns are the operator's: USER_ID, FORWARDED_TO (full national form), CALLS, FIRST_DAY and LAST_DAY of the week.
    """
    held = parties.selectExpr("party_id", "inline(lives)").where(
        f"is_own and forward_from < {NEVER} and forward_number is not null"
    )
    sent = held.selectExpr(
        f"{people.user_id(f'(party_id * {people.SLOTS} + slot)')} as USER_ID", "forward_from", "forward_to",
        "cast(forward_number as string) as FORWARDED_TO",
    )  # fmt: skip
    rings = met.where("IN_CALLS > 0").groupBy("USER_ID", "FIRST_DAY", "LAST_DAY").agg(F.sum("IN_CALLS").alias("rings"))
    both = rings.join(sent, on="USER_ID", how="inner").selectExpr(
        "*", *[f"datediff({name}_DAY, date'{scenario.first_day}') as {name.lower()}" for name in ("FIRST", "LAST")]
    )
    part = "greatest(0, least(last + 1, forward_to) - greatest(first, forward_from)) / (last - first + 1)"
    calls = f"cast(floor(rings * {part} + {dice.u('sent on', 'USER_ID', 'first')}) as int)"
    return both.selectExpr("USER_ID", "FORWARDED_TO", f"{calls} as CALLS", "FIRST_DAY", "LAST_DAY").where("CALLS > 0")


def lifecycle(lives: DataFrame, persons: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per user seen by the last day written: FIRST_USE and LAST_USE, the days of the first and the last own call or message.

    LAST_USE is null while the user is active; IMEI is the handset of the first day and of the last day, which may be the same one.
    """
    _, last = scenario.written
    # between two own events some time passes, the more the less somebody calls
    wait = "cast(floor(-ln(1 - {0}) / greatest(0.05D, 3 * activity)) as int)"
    known = lives.join(persons.select("person_id", "activity"), on="person_id", how="inner").selectExpr(
        "*",
        f"from_day + {wait.format(dice.u('first use', 'person_id', 'slot'))} as first_use",
        f"left_day - 1 - {wait.format(dice.u('last use', 'person_id', 'slot'))} as last_use",
    )
    known = known.where(f"first_use <= {last} and coalesce(last_use >= first_use, true)")
    brands = ", ".join(f"'{brand}'" for brand in scenario.brands)

    def date(day: str) -> str:
        return f"date_add(date'{scenario.first_day}', {day})"

    return known.where(f"brand in ({brands})").selectExpr(
        "user_id as USER_ID",
        "cast(number as string) as MSISDN",
        "brand as BRAND",
        "plan as PLAN_CODE",
        f"{date('first_use')} as FIRST_USE",
        f"if(last_use <= {last}, {date('last_use')}, null) as LAST_USE",
        f"{imei(dice, 'handset_owner', 'handset_turn')} as FIRST_IMEI",
        f"{imei(dice, 'handset_owner', used_on(str(last)))} as LAST_IMEI",
    )
