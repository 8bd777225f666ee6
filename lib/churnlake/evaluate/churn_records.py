"""Churn judged on cities of records: likely causes, destinations, days of warning, revenue. Weekly contacts tell neither bills nor days."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from churnlake.churn import stages
from churnlake.churn.leaving import is_active
from churnlake.city.generate import scenario
from churnlake.core.console import Console
from churnlake.core.job import log_to
from churnlake.core.lineage import Lineage
from churnlake.core.runner import run_chain
from churnlake.core.runs import Days
from churnlake.core.session import session
from churnlake.evaluate import causes, destinations, reentry, revenue
from churnlake.evaluate import stages as warnings
from churnlake.evaluate.content import lake_of
from churnlake.evaluate.truth import planted_destinations, planted_discontent
from churnlake.settings import Settings
from churnlake.tables.churn import LEAVINGS
from churnlake.tables.daily import USAGE
from churnlake.tables.features import MONTHLY
from churnlake.tables.stages import FORECASTS, FORECASTS_JUDGED, SIGNS, STAGES
from churnlake.tables.staying import DESTINATIONS

USERS = 1500
FIRST_DAY = dt.date(2004, 10, 1)
"""A city's first day: early enough for forecasts to be judged, and to have warned of those who leave in its last months."""
JUDGED = ("explain_leavers", "trace_destinations", "stage_users", "build_groups", "select_indicators")
"""What is judged; jobs that none of these needs are left out."""
ASKED_MONTHS = 3
"""Newest months of confirmed leavings that days of warning are told of: those before left when there was little to warn by."""
WARNED_DAYS = 30
SHARES = (0.0, 0.1, 0.2, 0.4)
"""Shares of those asked about that days of warning are told for, beside the one set."""
COST = ("warned_30_share", "in_stage_share", "in_stage_30_share", "lift_30")


def records_city(city: str, users: int, home: Path) -> str:
    """Path of a scenario file: that city with so many people and all its records, from FIRST_DAY on."""
    like = reentry.beside(city, home)
    told = {"like": like, "name": f"{like}_records", "users": users, "first_day": FIRST_DAY}
    path = home / "by_record.yaml"
    path.write_text(yaml.safe_dump(told), encoding="utf-8")
    return str(path)


@dataclass(frozen=True)
class Judged:
    """One city: its ``figures`` but for revenue, and what that is judged by beside the other cities (``revenue.asked``)."""

    figures: dict[str, Any]
    revenue: tuple[pd.DataFrame, pd.DataFrame]


def judge(settings: Settings, console: Console) -> Judged:
    """Make the city the settings name, unless it is there, run what is judged, and return what is to be said of one seed."""
    work = Path(settings.store.work).resolve()
    log_to(work / "logs", settings.store.log_format)
    city = scenario(settings.city.scenario)
    days = Days(city.first_day, city.last_day)
    lineage = Lineage.of_package()
    needed = lineage.needed_by("generate_city", *JUDGED)
    with session(settings.spark, work / "logs") as spark:
        console.say(f"city {city.name}, seed {settings.city.seed}: {city.users:,} people, {days}")
        run_chain(spark, settings, [job for job in lineage.jobs if job.name in needed], days, console, makers=lineage.makers)
        found = {"city": city.name, "seed": settings.city.seed, **figures(spark, settings, days)}
        return Judged(found, revenue.asked(spark, lake_of(spark, settings, days, *revenue.TABLES), settings))


def with_revenue(cities: Sequence[Judged]) -> list[dict[str, Any]]:
    """The cities' figures with ``revenue``, each beside what the others teach."""
    found = revenue.figures([city.revenue for city in cities])
    return [{**city.figures, revenue.TARGET: one} for city, one in zip(cities, found, strict=True)]


def figures(spark: SparkSession, settings: Settings, days: Days) -> dict[str, Any]:
    """What is to be said of one lake beside its truth: ``causes``, ``destinations``, ``warning``."""
    lake = lake_of(spark, settings, days, DESTINATIONS)
    truth = Path(settings.city.truth)
    return {
        "causes": causes.judged(spark, settings, days).figures,
        "destinations": destinations.judged(lake.read(DESTINATIONS), planted_destinations(spark, truth, lake.key)),
        "warning": warning(spark, settings, days),
    }


def warning(spark: SparkSession, settings: Settings, days: Days) -> dict[str, Any]:
    """How early leavers were warned of, what that costs, and what could be had at all.

    ``forecast_<name>_auc``; of leavings confirmed in the last ASKED_MONTHS months ``warning_days_median``, ``warned_share``, and
    ``warned_30_share`` of who were warned of for WARNED_DAYS at least. Beside them ``in_stage_share`` and ``in_stage_30_share``: of
    customers active at the ends of the months in which these left, who did not leave by the end of the month after, so many were
    in such a stage, and for so long: what chance would warn of. ``lift_30`` is one over the other. ``discontent_days_median``: from when these
    leavers were truly discontented to their leaving; before that nothing is to be seen. ``by_share``: the same if so many of a hundred of those
    asked about were warned of.
    """
    lake = lake_of(spark, settings, days, FORECASTS_JUDGED, FORECASTS, SIGNS, STAGES, LEAVINGS, MONTHLY, USAGE)
    judged = lake.read(FORECASTS_JUDGED) if lake.has(FORECASTS_JUDGED) else None
    leavings = lake.read(LEAVINGS)
    since = F.add_months(F.trunc(F.lit(days.last), "MM"), 1 - ASKED_MONTHS)
    left = leavings.where(F.col("known_on") >= since).groupBy("user_id").agg(F.max("leave_on").alias("on"))
    left = lake.checkpoint(left.withColumn("month", F.trunc("on", "MM")))
    here = lake.read(MONTHLY).where(is_active(settings.churn)).select("month", "user_id")
    every = leavings.groupBy("user_id").agg(F.max("leave_on").alias("left_on"))
    stay = here.join(left.select("month").distinct(), on="month", how="left_semi").join(every, on="user_id", how="left")
    stay = stay.where("left_on IS NULL OR left_on > add_months(last_day(month), 1)").withColumn("on", F.last_day("month"))
    stay = lake.checkpoint(stay.select("user_id", "month", "on"))
    truth = lake.checkpoint(planted_discontent(spark, Path(settings.city.truth), lake.key))

    def told(known: DataFrame) -> dict[str, Any]:
        known = lake.checkpoint(known)
        early = stages.warned_days(known, left).join(truth, on="user_id", how="left")
        base = stages.warned_days(known, stay).agg(
            F.count("*").alias("rows"), F.count("days").alias("warned"), F.count_if(F.col("days") >= WARNED_DAYS).alias("long")
        )
        # one row per leaver of a made-up city
        rows = early.selectExpr("days", "datediff(on, discontented_on) as truly").toPandas()
        return lead(rows, *(base.first() or (0, 0, 0)))

    found = {**warnings.figures(judged, None), **told(lake.read(STAGES))}
    if not lake.has(FORECASTS):
        return found
    forecasts, whole = lake.read(FORECASTS), Window.partitionBy("known_on")
    of = {}
    for share in SHARES:
        asked = forecasts.withColumn("is_warned", F.col("place") <= F.round(F.count("*").over(whole) * share))
        one = told(stages.changes(lake.read(SIGNS), asked, leavings, lake.read(USAGE), None, days, settings.churn.outlook.days))
        of[f"{share * 100:.0f}"] = {name: one[name] for name in (*COST, "warning_days_median")}
    return {**found, "by_share": of}


def lead(told: pd.DataFrame, rows: int, warned: int, long: int) -> dict[str, Any]:
    """The figures of days of warning.

    Args:
        told: one row per leaver: days of warning (null: none), days truly discontented.
        rows: customers at month ends who stay.
        warned: of these, in a warning or alarm stage.
        long: of these, for WARNED_DAYS or more.
    """
    days, truly = told["days"].astype(float).fillna(0.0), told["truly"].astype(float).dropna()
    share, beside = float((days >= WARNED_DAYS).mean()), long / max(rows, 1)
    return {
        "leavers": len(told),
        "warning_days_median": float(days.median()) if len(days) else None,
        "warned_share": float((days > 0).mean()) if len(days) else None,
        f"warned_{WARNED_DAYS}_share": share if len(days) else None,
        "in_stage_share": warned / max(rows, 1),
        f"in_stage_{WARNED_DAYS}_share": beside,
        f"lift_{WARNED_DAYS}": share / beside if len(days) and beside else None,
        "discontent_days_median": float(truly.median()) if len(truly) else None,
        f"discontent_{WARNED_DAYS}_share": float((truly >= WARNED_DAYS).mean()) if len(truly) else None,
    }


def keep(name: str, cities: Sequence[Mapping[str, Any]], path: Path) -> dict[str, Any]:
    """Leave the figures of one scenario beside what is told of it already, and return them."""
    found = reentry.over_seeds(cities)
    before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    reentry.write({"scenarios": {name: {**before.get("scenarios", {}).get(name, {}), **found}}}, path)
    return found


def line(found: Mapping[str, Any]) -> str:
    """What the console says of one city, as soon as it is judged."""
    why, where, early = (found[name] for name in ("causes", "destinations", "warning"))
    return (
        f"  seed {found['seed']}: causes {why['accuracy']:.2f} of {why['leavers']} (commonest {why['majority']:.2f}, rules {why['by_rule']:.2f}); "
        f"destinations {where.get('accuracy', float('nan')):.2f} of {where['leavers']} (commonest {where.get('majority_accuracy', float('nan')):.2f}, "
        f"rule {where.get('rule_accuracy', float('nan')):.2f}); warned {early['warning_days_median']} days in the median of {early['leavers']}"
    )


def lines(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the console says of one scenario: each figure as mean and 95 % interval."""
    return [
        (f"{part}, {name.replace('_', ' ')}", reentry.text(one))
        for part in ("causes", "destinations", "warning", revenue.TARGET)
        for name, one in found[part].items()
        if "mean" in one
    ] + [
        (f"warning of {share} in a hundred, {name.replace('_', ' ')}", reentry.text(one))
        for share, of in found["warning"].get("by_share", {}).items()
        for name, one in of.items()
    ]
