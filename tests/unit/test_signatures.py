"""Circles at a month's end, from sums by week: the same as added up contact by contact, whatever the order of rows."""

import calendar
import datetime as dt
import random
from collections import defaultdict

import pytest
from pyspark.sql import DataFrame, SparkSession

from churnlake.circles import signatures
from churnlake.circles.settings import CircleSettings
from churnlake.core.settings import load
from churnlake.settings import Settings

FEBRUARY, MARCH = dt.date(2005, 2, 1), dt.date(2005, 3, 1)
EDGE = "user_id long, day date, peer_id long, voice_out_calls long, voice_in_calls long, message_out long, message_in long"
Row = tuple[int, dt.date, int, int, int, int, int]
Circle = dict[tuple[dt.date, int, int], tuple[int, int, float, int]]


@pytest.fixture(scope="module")
def settings() -> CircleSettings:
    return load(Settings, "local").circles.model_copy(update={"peers_kept": 3, "horizon_weeks": 6})


def drawn(seed: int) -> list[Row]:
    rng = random.Random(seed)
    days = [dt.date(2005, 1, 1) + dt.timedelta(days=place) for place in range(95)]
    rows = [
        (rng.randint(1, 6), day, rng.randint(10, 17), *(rng.randint(0, 2) for _ in range(4))) for day in days for _ in range(4)
    ]
    # one of each user, day and peer
    return list({row[:3]: row for row in rows}.values())  # type: ignore[misc]


def month_end(day: dt.date) -> dt.date:
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])


def added_up(rows: list[Row], month: dt.date, how: CircleSettings) -> Circle:
    """The circles by the definition, one contact after the other."""
    strength: dict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    active = set()
    for user, day, peer, *counts in rows:
        week_to = month_end(day) - dt.timedelta(days=(month_end(day) - day).days // 7 * 7)
        age = (month_end(month) - week_to).days // 7
        if day > month_end(month) or age >= how.horizon_weeks:
            continue
        weight = round(1000 * how.weekly_decay**age)
        strength[user][peer][0] += weight * sum(counts)
        strength[user][peer][1] += weight * (counts[0] + counts[2])
        if day >= month:
            active.add(user)
    found: Circle = {}
    for user in active:
        whole = sum(all_told for all_told, _ in strength[user].values())
        best = sorted((-all_told, peer) for peer, (all_told, _) in strength[user].items() if all_told)[: how.peers_kept]
        for place, (_, peer) in enumerate(best, 1):
            all_told, out = strength[user][peer]
            found[(month, user, peer)] = (all_told, out, all_told / whole, place)
    return found


def circles(weeks: DataFrame, months: list[dt.date], how: CircleSettings) -> Circle:
    rows = signatures.signatures(weeks, months, how).collect()
    return {(r["month"], r["user_id"], r["peer_id"]): (r["strength"], r["strength_out"], r["share"], r["place"]) for r in rows}


def test_circles_are_what_contacts_add_up_to(spark: SparkSession, settings: CircleSettings) -> None:
    rows = drawn(1)
    weeks = signatures.weeks(spark.createDataFrame(rows, EDGE))
    found = circles(weeks, [FEBRUARY, MARCH], settings)
    assert len(found) > 20
    assert found == added_up(rows, FEBRUARY, settings) | added_up(rows, MARCH, settings)
    random.Random(2).shuffle(rows)
    assert circles(signatures.weeks(spark.createDataFrame(rows, EDGE).repartition(3)), [FEBRUARY, MARCH], settings) == found


def test_weeks_end_with_the_month_and_no_week_is_of_two_months(spark: SparkSession) -> None:
    days = [dt.date(2005, 1, 1) + dt.timedelta(days=place) for place in range(59)]
    rows = [(1, day, 10, 1, 0, 0, 0) for day in days]
    weeks = {r["week_to"]: r["contacts"] for r in signatures.weeks(spark.createDataFrame(rows, EDGE)).collect()}
    ends = {1: (3, 10, 17, 24, 31), 2: (7, 14, 21, 28)}
    assert sorted(weeks) == signatures.week_ends(days[0], days[-1] + dt.timedelta(days=1))
    assert weeks == {dt.date(2005, month, day): 3 if (month, day) == (1, 3) else 7 for month, of in ends.items() for day in of}


def test_a_late_day_changes_its_week_alone(spark: SparkSession) -> None:
    rows = drawn(3)
    late = [*rows, (1, dt.date(2005, 2, 3), 99, 2, 0, 1, 0)]
    before, after = (set(signatures.weeks(spark.createDataFrame(each, EDGE)).collect()) for each in (rows, late))
    assert [(row["week_to"], row["peer_id"], row["contacts"], row["contacts_out"]) for row in after - before] == [
        (dt.date(2005, 2, 7), 99, 3, 3)
    ]
    assert before <= after
