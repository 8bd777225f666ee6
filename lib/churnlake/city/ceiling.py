"""The best that visible data allow: a filter that knows every parameter of this generator, but only sees what an operator sees.

It bounds what any churn model can reach on a city, and is independent of the house's features: weekly counts of own events,
calls to the rival's hotline, calls forwarded to the rival, and how many contacts fell silent.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.city import habits, people
from churnlake.city.circles import COMPLAINING
from churnlake.city.discontent import SOON, known_risk, month_ends, onset_rate
from churnlake.city.edges import weeks
from churnlake.city.events import RATES
from churnlake.city.settings import CityScenario

SIGNS = ("asked_rival", "forwarded", "complained")
WEEKS = 18
"""Weeks before a month's end that the filter looks at, the newest first."""
RECENT = 14
"""Days in which a call to the rival's hotline, or one forwarded to it, counts."""
ACTIVE = 15
"""Days in which an own event makes a user active."""
RIVAL_HOTLINE, HOTLINE = "10010", "1860"
RIVAL = "^13[0-3]"
"""How the rival's numbers begin."""
COMPLAINED, CALLS = 60, 2
"""Days in which so many calls to our own hotline count as a complaint."""
CALLED = 0.3
"""Calls a day of common people that ring at a number, of which one that forwards sends on every one."""
PACES, DEPTHS = 2, 3
SIMULATED = 60_000
Array = npt.NDArray[Any]


def steps(scenario: CityScenario, end: int) -> list[tuple[int, int]]:
    """The times before a month's end that events are counted by, newest first: days back from and to (not included).

    Weeks, of contacts by the week those written.
    """
    if scenario.records.form != "edges":
        return [(week * 7, week * 7 + 7) for week in range(WEEKS)]
    written = [(end - last, end - first + 1) for _, first, last, _, _ in weeks(scenario) if last <= end]
    return [(back, to) for back, to in reversed(written) if to <= WEEKS * 7]


def window(scenario: CityScenario, end: int, days: int) -> int:
    """So many days before a month's end, of contacts by the week to the end of the week that the last of them lies in."""
    if scenario.records.form != "edges":
        return days
    return max((to for back, to in steps(scenario, end) if back < days), default=days)


def of_records(records: DataFrame) -> DataFrame:
    """One row per user and day: own calls and messages, whether the rival's hotline was asked, calls to ours, whether calls went to the rival."""
    return records.groupBy("user_id", "day").agg(
        F.expr("count_if(side = 0 and service < 3)").alias("own"),
        F.expr(f"bool_or(side = 0 and service = 0 and peer = '{RIVAL_HOTLINE}')").alias("asked"),
        F.expr(f"count_if(side = 0 and service = 0 and peer = '{HOTLINE}')").alias("complaints"),
        F.expr(f"bool_or(forwarded_to rlike '{RIVAL}')").alias("forwarded"),
    )


def of_weeks(met: DataFrame, sent_on: DataFrame, scenario: CityScenario) -> DataFrame:
    """The same of weekly contacts (edges.edges) and forwarded calls (edges.forwards), a week's on its first day."""
    day = f"datediff(FIRST_DAY, date'{scenario.first_day}') as day"
    hotline = {
        name: f"if(OPP_NUMBER = '{number}', OUT_CALLS, 0)" for name, number in (("asked", RIVAL_HOTLINE), ("complaints", HOTLINE))
    }
    used = met.selectExpr(
        "USER_ID as user_id", day, "OUT_CALLS + OUT_MESSAGES as own", *[f"{sql} as {name}" for name, sql in hotline.items()], "0 as forwarded"
    )  # fmt: skip
    forwarded = sent_on.where(f"FORWARDED_TO rlike '{RIVAL}'").selectExpr(
        "USER_ID as user_id", day, "0 as own", "0 as asked", "0 as complaints", "CALLS as forwarded"
    )
    return used.unionByName(forwarded).groupBy("user_id", "day").agg(
        F.sum("own").alias("own"), F.expr("sum(asked) > 0").alias("asked"), F.sum("complaints").alias("complaints"),
        F.expr("sum(forwarded) > 0").alias("forwarded"),
    )  # fmt: skip


def visible(daily: DataFrame, lives: DataFrame, contacts: DataFrame, scenario: CityScenario) -> DataFrame:
    """One row per user and month's end with what the operator could see of it by then.

    ``events``: own calls and messages in each of the steps before, newest first; ``days_seen`` since the first use, at most all of
    them; ``is_active``: an own event in the last ACTIVE days; ``asked_rival`` and ``forwarded`` in the last RECENT ones; ``complained``
    in the last COMPLAINED; ``gone``: contacts who fell silent between 7 and 50 days ago; ``known_risk``: how much more often its brand
    and time with us make discontented. Of contacts by the week, each of these times is of whole weeks, of as many days at least.

    Args:
        daily: one row per user and day, from ``of_records`` or ``of_weeks``.
        lives: the numbers held.
        contacts: the pairs in touch that carry discontent.
        scenario: the city.
    """
    spark, span = daily.sparkSession, WEEKS * 7
    ends = F.broadcast(
        spark.createDataFrame(month_ends(scenario), "month date, end int, next int, after int").select("month", "end")
    )
    weekly = scenario.records.form == "edges"
    # by the week all of it counts from the day that lies nearest; else each day counts for itself
    reach = [
        (month, day, at, *(back_of < days for days in (ACTIVE, RECENT, COMPLAINED)))
        for month, end, *_ in month_ends(scenario)
        for at, (back, to) in enumerate(steps(scenario, end))
        for day, back_of in ([(end - to + 1, back)] if weekly else [(end - ago, ago) for ago in range(back, to)])
    ]
    told = "month date, day int, step int, is_near boolean, is_recent boolean, is_lately boolean"
    near = daily.join(F.broadcast(spark.createDataFrame(reach, told)), on="day", how="inner")
    most = max((len(steps(scenario, end)) for _, end, *_ in month_ends(scenario)), default=0)
    sums = ", ".join(f"cast(sum(if(step = {step}, own, 0)) as int)" for step in range(most))
    seen = near.groupBy("user_id", "month").agg(
        F.expr(f"array({sums})").alias("events"),
        F.expr("bool_or(own > 0 and is_near)").alias("is_active"),
        F.expr("bool_or(asked and is_recent)").alias("asked_rival"),
        F.expr(f"sum(if(is_lately, complaints, 0)) >= {CALLS}").alias("complained"),
        F.expr("coalesce(bool_or(forwarded and is_recent), false)").alias("forwarded"),
    )
    sides = contacts.selectExpr("a as person_id", "b as contact").unionByName(
        contacts.selectExpr("b as person_id", "a as contact")
    )
    left = lives.where("left_day is not null").select(F.col("person_id").alias("contact"), "left_day")
    silent = left.join(ends, on=F.expr("left_day <= end - 7 and left_day > end - 50"), how="inner")
    gone = (
        sides.join(silent, on="contact", how="inner").groupBy("person_id", "month").agg(F.count_distinct("contact").alias("gone"))
    )
    shown = lives.selectExpr("user_id", "person_id", "from_day", f"{known_risk(scenario)} as known_risk")
    known = shown.join(ends, on=F.expr("from_day <= end"), how="inner")
    return (
        known.join(gone, on=["person_id", "month"], how="left")
        .join(seen, on=["user_id", "month"], how="inner")
        .selectExpr(
            "user_id", "month", "events", "is_active", "asked_rival", "forwarded", "complained", "coalesce(gone, 0) as gone", "known_risk",
            f"least({span}, end + 1 - greatest(0, from_day)) as days_seen",
        )
    )  # fmt: skip


def observable(seen: pd.DataFrame, scenario: CityScenario) -> pd.DataFrame:
    """The filter's chance of leaving in the next month and in the one after: user_id, month, score_t1, score_t2.

    ``seen`` has the rows of ``visible``. Bayes' rule over who is discontented, why, and since when fading, with priors from simulated
    lives; a user's own rate is integrated out (gamma), its spread beyond Poisson taken from all users.
    """
    found = []
    for month, end, after, later in month_ends(scenario):
        rows = seen[pd.to_datetime(seen["month"]).dt.date == month]
        if not len(rows):
            continue
        # of a month the same, whichever others are asked
        rng = np.random.default_rng((2005, month.year, month.month))
        parts = steps(scenario, end)
        paths = _paths(scenario, parts)
        counts = np.stack(rows["events"].map(np.asarray).to_list()).astype(float)[:, : len(parts)]
        worth = _worth(scenario, end, parts) * _held(rows["days_seen"].to_numpy(float), parts)
        fits = _log_fit(counts, worth, paths, _spread(counts, worth))
        fits = np.exp(fits - fits.max(axis=1, keepdims=True))
        signs = np.stack([rows[name].to_numpy(bool) for name in SIGNS])
        level = rows["known_risk"].to_numpy(float) + _caught(scenario) * rows["gone"].to_numpy(float)
        within = (window(scenario, end, RECENT), window(scenario, end, COMPLAINED))
        score_t1, score_t2 = _posterior(fits, signs, level, scenario, rng, (after, later), within)
        found.append(pd.DataFrame({"user_id": rows["user_id"], "month": month, "score_t1": score_t1, "score_t2": score_t2}))
    return pd.concat(found, ignore_index=True)


def _paths(scenario: CityScenario, parts: Sequence[tuple[int, int]]) -> Array:
    """Levels of use, step by step (newest first), one row per path: 0 as ever, then fading since each week, then faded and over it."""
    leaving = scenario.leaving
    back = np.arange(WEEKS * 7)
    days = back + 0.5
    found = [np.ones(WEEKS * 7)]
    for began in range(WEEKS):
        for pace in _middles(*leaving.fade_days, PACES):
            for depth in _middles(*leaving.fade_depth, DEPTHS):
                found.append(1 - depth * np.clip(((began + 0.5) * 7 - days) / pace, 0, 1))
    fading = found[1:]
    for place, path in enumerate(fading):
        began = place // (PACES * DEPTHS)
        found += [np.where(back < over * 7, 1.0, path) for over in range(1, began)]
    by_step = np.stack([np.stack(found)[:, at:to].mean(axis=1) for at, to in parts], axis=1)
    levels: Array = np.maximum(by_step, 0.02)
    return levels


def _middles(least: float, most: float, parts: int) -> list[float]:
    return [least + (most - least) * (part + 0.5) / parts for part in range(parts)]


def _worth(scenario: CityScenario, end: int, parts: Sequence[tuple[int, int]]) -> Array:
    """Common weeks that each step before ``end`` is worth, by the calendar."""
    mix = scenario.records.mix
    daily = sum(np.asarray(habits.calendar(scenario, s)) * mix[s] for s in ("voice", "sms", "mms"))
    assert not isinstance(daily, int)
    daily = np.concatenate([np.zeros(WEEKS * 7), daily / daily.mean()])
    recent = daily[end + 1 : end + 1 + WEEKS * 7][::-1]
    worth: Array = np.array([recent[at:to].sum() / 7 for at, to in parts])
    return worth


def _held(days_seen: Array, parts: Sequence[tuple[int, int]]) -> Array:
    """Share of each step, newest first, in which the user was there."""
    at, to = np.array(parts, dtype=float).T
    held: Array = np.clip((days_seen[:, None] - at[None, :]) / (to - at)[None, :], 0, 1)
    return held


def _spread(counts: Array, worth: Array) -> float:
    """Variance over mean of a week's count around the user's own rate, all users pooled."""
    rate = counts.sum(axis=1, keepdims=True) / np.maximum(worth.sum(axis=1, keepdims=True), 1e-9)
    mean = rate * worth
    use = mean > 1
    return float(max(1.0, np.median((counts[use] - mean[use]) ** 2 / mean[use]) / 0.455)) if use.any() else 1.0


def _log_fit(counts: Array, worth: Array, paths: Array, spread: float) -> Array:
    """Log likelihood of the counts (user by week) under each path, the user's own rate integrated out; one row per user."""
    counts = counts / spread
    exposed = worth @ paths.T
    fit: Array = counts @ np.log(paths).T - (counts.sum(axis=1, keepdims=True) + 0.5) * np.log(exposed + 0.02)
    return fit


def _caught(scenario: CityScenario) -> float:
    """By how much one contact lately gone raises the rate of becoming discontented, in shares of it."""
    leaving = scenario.leaving
    rival = sum(weight * leaving.causes[name].competitor for name, weight in leaving.weights.items())
    return leaving.contagion * rival / (onset_rate(scenario) * 43)


def _posterior(
    fits: Array, signs: Array, level: Array, scenario: CityScenario, rng: np.random.Generator, months: tuple[int, int], within: tuple[int, int]
) -> tuple[Array, Array]:  # fmt: skip
    leaving, (recent, complained) = scenario.leaving, within
    causes = list(leaving.causes.values())
    rate, size = onset_rate(scenario), PACES * DEPTHS
    weights = list(leaving.onsets.values())
    kind = rng.choice(len(causes), SIMULATED, p=weights)
    days = np.array([cause.days for cause in causes])[kind]
    length = 1 + np.floor(rng.exponential(days))
    age = length * rng.random(SIMULATED)
    mass = rate * length / SIMULATED

    def begun(trait: str) -> Array:
        """Days since a sign began, negative where it has not."""
        shows = rng.random(SIMULATED) < np.array([getattr(cause, trait) for cause in causes])[kind]
        return np.where(shows, age - np.floor(np.maximum(1, length - 2) * SOON * rng.random(SIMULATED)), -1.0)

    fade, hotline, forward, complaint = begun("fade"), begun("hotline"), begun("forward"), begun("complaint")
    rings = np.where(hotline >= 0, 1 - np.exp(-RATES["rival"][0] * np.clip(hotline + 1, 0, recent)), 0.0)
    passes = np.where(forward >= 0, 1 - np.exp(-CALLED * np.clip(forward + 1, 0, recent)), 0.0)
    week = np.minimum(np.floor(fade / 7), WEEKS - 1).astype(int)
    # a false sign lasts 27 days on average, and is over in most
    lasts = 27 / scenario.days
    odd = scenario.abnormal
    false_rings = 0.001 + leaving.false_hotline * lasts * 1.3 + odd.get("shopper", 0.0)
    false_passes = 0.0005 + leaving.false_forward * lasts * 1.3 + odd.get("forwarder", 0.0)
    # a complaint is some calls within some days; others call the hotline too, now and then
    known_by, now_and_then = next((share, rate * complained) for name, *_, share, rate, _ in people.HUBS if name == "hotline")
    calls = RATES["complaint"][0] * COMPLAINING
    heard, by_chance = 1 - np.exp(-calls) * (1 + calls), known_by * (1 - np.exp(-now_and_then) * (1 + now_and_then))
    complains = np.where((complaint >= 0) & (complaint < complained), heard, by_chance)
    complained_anyway = leaving.false_complaint * complained / scenario.days
    false_complains = complained_anyway * heard + (1 - complained_anyway) * by_chance
    false_fade = leaving.false_fade * 7 / scenario.days
    score_t1, score_t2 = np.zeros(len(fits)), np.zeros(len(fits))
    # the contented: as ever, fading without reason (fewer the longer ago it began), or over it
    content = np.zeros(fits.shape[1])
    content[0] = 1.0
    still = np.exp(-np.arange(WEEKS) * 7 / 27)
    for began in range(WEEKS):
        content[1 + began * size : 1 + (began + 1) * size] = false_fade * still[began] / size
    over = 1 + WEEKS * size
    content[over:] = false_fade * 0.8 / max(1, fits.shape[1] - over) * WEEKS
    chances = (false_rings, false_passes, false_complains)
    signs_content = np.prod([np.where(sign, chance, 1 - chance) for sign, chance in zip(signs, chances, strict=True)], axis=0)
    total = (fits @ content) * signs_content
    speeds = level * rate
    fresh: list[Array] = []
    for ahead in (months[0], months[0] + months[1]):
        through = np.zeros(len(fits))
        for cause, weight in zip(causes, weights, strict=True):
            pace = 1 / cause.days
            both = (pace * np.exp(-speeds * ahead) - speeds * np.exp(-pace * ahead)) / (pace - speeds)
            through += weight * (1 - cause.stays) * (1 - both)
        fresh.append(through)
    score_t1 += total * fresh[0]
    score_t2 += total * (fresh[1] - fresh[0])
    for number, cause in enumerate(causes):
        mine = kind == number
        prior = np.zeros((2, 2, 2, fits.shape[1]))
        for shown in itertools.product((0, 1), repeat=len(SIGNS)):
            chance = mass.copy()
            for seen, rate_of in zip(shown, (rings, passes, complains), strict=True):
                chance = chance * (rate_of if seen else 1 - rate_of)
            none = mine & (fade < 0)
            prior[shown][0] = chance[none].sum()
            by_week = np.bincount(week[mine & (fade >= 0)], weights=chance[mine & (fade >= 0)], minlength=WEEKS)
            for began in range(WEEKS):
                prior[shown][1 + began * size : 1 + (began + 1) * size] = by_week[began] / size
        here = np.einsum("up,up->u", fits, prior[tuple(signs.astype(int))]) * level
        stays = np.exp(-months[0] / cause.days)
        later = stays * (1 - np.exp(-months[1] / cause.days))
        score_t1 += here * (1 - cause.stays) * (1 - stays)
        score_t2 += here * (1 - cause.stays) * later
        total = total + here
    return score_t1 / total, score_t2 / total
