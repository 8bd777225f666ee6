"""When people call and write: the calendar of days with its holidays, and the hours of each way of life."""

from __future__ import annotations

import datetime as dt

from pyspark.sql import DataFrame

from churnlake.city.dice import lookup
from churnlake.city.settings import CityScenario

DAY_SLOTS = 8192
HOUR_SLOTS = 512
GOLDEN_WEEKS = ((5, 1, 7), (10, 1, 7))
"""Month, first and last day of the May and October holidays."""


def calendar(scenario: CityScenario, service: str) -> list[float]:
    """The level of a service on each day, 1 on a common one: weekday, golden weeks, Spring Festival."""
    return [_level(scenario, service, scenario.first_day + dt.timedelta(day)) for day in range(scenario.days)]


def _level(scenario: CityScenario, service: str, day: dt.date) -> float:
    level = (1.02, 1.0, 1.0, 1.02, 1.08, 0.97, 0.91)[day.weekday()]
    if any(day.month == month and first <= day.day <= last for month, first, last in GOLDEN_WEEKS):
        level *= 0.85
    from_festival = (day - scenario.festival).days
    if -1 <= from_festival <= 0:
        # New Year's greetings go by message.
        level *= {"sms": scenario.festival_sms, "mms": scenario.festival_sms * 0.6}.get(service, 1.2)
    elif 0 < from_festival <= 6:
        level *= {"sms": 1.3, "mms": 1.2}.get(service, 0.75)
    return level


def greetings(scenario: CityScenario) -> list[int]:
    """Numbers of the days on which people greet all they know: the eve of Spring Festival, the first day of a golden week."""
    days = [scenario.first_day + dt.timedelta(day) for day in range(scenario.days)]
    firsts = [(month, first) for month, first, _ in GOLDEN_WEEKS]
    return [n for n, day in enumerate(days) if (day - scenario.festival).days == -1 or (day.month, day.day) in firsts]


def written(scenario: CityScenario, service: str) -> list[float]:
    """As ``calendar``, but nothing on the days whose records are not asked for."""
    levels = calendar(scenario, service)
    first, last = scenario.written
    return [level if first <= day <= last else 0.0 for day, level in enumerate(levels)]


def total(scenario: CityScenario, service: str) -> float:
    """Common days that the city's days are worth for a service."""
    return sum(written(scenario, service))


def day_table(scenario: CityScenario, service: str) -> str:
    """SQL of an array that turns an even draw of a slot into a day."""
    return _array(lookup(written(scenario, service), DAY_SLOTS))


def hour_table(scenario: CityScenario) -> str:
    """SQL of an array that turns (way of life * 2 + is_weekend) * HOUR_SLOTS + slot into an hour."""
    table: list[int] = []
    for persona in scenario.personas.values():
        table += lookup(list(persona.weekday), HOUR_SLOTS) + lookup(list(persona.weekend), HOUR_SLOTS)
    return _array(table)


def weekend_table(scenario: CityScenario) -> str:
    """SQL of an array by day: 1 on Saturday, Sunday and holidays."""
    off = []
    for offset in range(scenario.days):
        day = scenario.first_day + dt.timedelta(offset)
        holiday = any(day.month == month and first <= day.day <= last for month, first, last in GOLDEN_WEEKS)
        festival = -1 <= (day - scenario.festival).days <= 6
        off.append(1 if day.weekday() >= 5 or holiday or festival else 0)
    return _array(off)


def date_table(scenario: CityScenario) -> str:
    """SQL of an array by day: its date as eight digits. Text, so that no session's time zone has a say."""
    return _texts([f"{scenario.first_day + dt.timedelta(day):%Y%m%d}" for day in range(scenario.days)])


def delivery_table(scenario: CityScenario) -> str:
    """SQL of an array by delivery: its day as ISO date."""
    return _texts([day.isoformat() for day in scenario.deliveries])


def date(scenario: CityScenario, day: str) -> str:
    """SQL of a day as eight digits, within the city's time or not."""
    return f"date_format(date_add(date'{scenario.first_day}', cast({day} as int)), 'yyyyMMdd')"


def told(known: DataFrame, scenario: CityScenario, *changes: str) -> DataFrame:
    """One row per row of ``known`` and delivery that brings something new of it: all on the first day, then those with a change.

    ``changes`` are SQL of the days of its changes. Adds ``delivered`` and ``today``, the last day that the delivery knows of.
    """
    every, first = scenario.delivery_days, scenario.first_day
    within = f"filter(array({', '.join(changes)}), d -> d < {scenario.days})"
    due = known.selectExpr("*", f"explode(array_distinct(transform({within}, d -> if(d <= 0, -1, d div {every})))) as delivery")
    at = f"element_at({delivery_table(scenario)}, cast(greatest(delivery, 0) + 1 as int))"
    return due.selectExpr(
        "*",
        f"if(delivery < 0, '{first}', {at}) as delivered",
        f"cast(if(delivery < 0, 0, least((delivery + 1) * {every} - 1, {scenario.days - 1})) as int) as today",
    )


def _array(values: list[int]) -> str:
    # One literal after constant folding; thousands of array elements would slow down every rule of the optimiser.
    return f"cast(split('{','.join(map(str, values))}', ',') as array<int>)"


def _texts(values: list[str]) -> str:
    return f"split('{','.join(values)}', ',')"
