"""Real people found again: the Copenhagen Networks Study, each split at its median event under a second number.

The calls and messages come in by a feed file alone and pass the same jobs as an operator's; only the split stands in for
build_daily. The baseline is the plain probe on the same people.
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.core.console import Console
from churnlake.core.errors import MissingInputError
from churnlake.core.job import Job, Run, declare, log_to
from churnlake.core.lake import Lake
from churnlake.core.runner import run_chain
from churnlake.core.runs import Days
from churnlake.core.session import session
from churnlake.core.settings import load
from churnlake.evaluate import probe
from churnlake.evaluate.content import lake_of
from churnlake.evaluate.shape import Shape, shape
from churnlake.reentry import candidates, joiners
from churnlake.settings import Settings
from churnlake.tables.circles import PEERS, SIGNATURES
from churnlake.tables.clean import SMS, VOICE
from churnlake.tables.daily import DEVICES, EDGES, FORWARDS, PLACES, USAGE
from churnlake.tables.reentry import MATCHES
from churnlake.usage import daily
from jobs.build_circles import build_circles
from jobs.detect_reentry import detect_reentry
from jobs.ingest_usage import ingest_usage
from jobs.label_leaving import label_leaving

FEED_ZONE, FIRST_DAY = "Asia/Shanghai", dt.date(2005, 1, 1)
"""Where and when the feed files let the study's clock begin."""
DELIVERED = dt.date(2005, 1, 31)
FEEDS = {"voice": "calls.csv", "sms": "sms.csv"}
DAYS = Days(dt.date(2004, 12, 31), dt.date(2005, 3, 31))
"""The feed files let the study's 28 days begin with 2005; the days after them are those the final stage waits for."""


def _events(lake: Lake) -> DataFrame:
    """One row per clean record of the study; every number is a user of its own."""
    return daily.events({t.name: lake.read(t) for t in (VOICE, SMS) if lake.has(t)})


def split_daily(lake: Lake, run: Run) -> None:
    """Daily partials of the split people."""
    whole = _events(lake)
    events = lake.checkpoint(probe.split_events(whole, probe.halves(whole)))
    lake.write_all(daily.partials(events, run.settings.usage))


SPLIT: Job = declare(Settings, may_read=(VOICE, SMS), writes=(USAGE, EDGES, FORWARDS, PLACES, DEVICES))(split_daily)


def find_again(data: Path, work: Path, console: Console) -> dict[str, float]:
    """Run the chain on the split study and print how many are found again; the figures.

    Raises MissingInputError when the study's files are not in ``data``.
    """
    take_in(data, work, FEEDS)
    # an evaluation begins from nothing: its lake is rebuilt each time
    shutil.rmtree(work / "lake", ignore_errors=True)
    settings = settings_of(work)
    log_to(work / "logs", settings.store.log_format)
    with session(settings.spark, work.resolve() / "logs") as spark:
        jobs = [ingest_usage, SPLIT, build_circles, label_leaving, detect_reentry]
        makers = {table.name: job.name for job in jobs for table in job.writes}
        run_chain(spark, settings, jobs, DAYS, console, makers=makers)
        lake = lake_of(spark, settings, DAYS, VOICE, SMS, USAGE, EDGES, SIGNATURES, PEERS, MATCHES)
        events = _events(lake)
        people = lake.checkpoint(probe.halves(events))
        figures = {
            **_ranked(lake, people, settings),
            **_matched(lake, people, settings),
            **{f"baseline_{name}": value for name, value in probe.found_again(events, people).items()},
        }
    console.summary(
        "Copenhagen Networks Study, split at each person's median event",
        [
            ("egos", f"{figures['egos']:.0f} with at least {probe.LEAST_EVENTS} events in each half"),
            ("candidates", f"{figures['egos']:.0f} first halves for each"),
            ("top-1, circle score", f"{figures['top1']:.3f} (top-5 {figures['top5']:.3f})"),
            (
                "top-1, tf-idf cosine",
                f"{figures['baseline_top1']:.3f} (top-5 {figures['baseline_top5']:.3f}), the baseline on the same people",
            ),
            (
                "matches, whole chain",
                f"{figures['matches']:.0f} among {figures['joiners']:.0f} joiners, {figures['right']:.0f} right: "
                f"precision {figures['precision']:.3f}, recall {figures['recall']:.3f}",
            ),
        ],
    )
    return figures


def as_it_is(data: Path, work: Path, console: Console) -> dict[str, Any] | None:
    """The study unsplit: its ``shape`` and the plain probe's result, ``probe``. None when neither its lake nor its files are there.

    The clean records are taken in when there is no lake of them in ``work`` yet.
    """
    settings = settings_of(work)
    is_new = not (work / "lake" / "clean").is_dir()
    if is_new:
        try:
            take_in(data, work, FEEDS)
        except MissingInputError:
            return None
    log_to(work / "logs", settings.store.log_format)
    with session(settings.spark, work.resolve() / "logs") as spark:
        if is_new:
            makers = {table.name: ingest_usage.name for table in ingest_usage.writes}
            run_chain(spark, settings, [ingest_usage], DAYS, console, makers=makers)
        lake = lake_of(spark, settings, DAYS, VOICE, SMS)
        events = lake.checkpoint(_events(lake))
        return {"shape": _shape(events), "probe": probe.found_again(events, lake.checkpoint(probe.halves(events)))}


def _shape(events: DataFrame) -> Shape:
    """The study's shape. Its seconds are counted from a midnight where its people live, which the feed files put in FEED_ZONE."""
    local = F.from_utc_timestamp("started_at", FEED_ZONE)
    there = events.withColumns({"day": F.to_date(local), "hour": F.hour(local)})
    return shape(there, daily.usage(there), daily.edges(there), FIRST_DAY)


def take_in(data: Path, work: Path, feeds: Mapping[str, str]) -> None:
    """Lay a study's files, by feed, into a landing folder. Raises MissingInputError for one that is not in ``data``."""
    for feed, name in feeds.items():
        if not (data / name).is_file():
            raise MissingInputError(f"{data / name} is not there; give the study's folder with --data")
        target = work / "landing" / feed / f"date={DELIVERED}" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(data / name, target)


def settings_of(work: Path, feeds: str = "cns") -> Settings:
    """Settings of a study's lake in ``work``, taken in by the feed files of that name."""
    overrides = [
        f"store.landing={work / 'landing'}",
        f"store.lake={work / 'lake'}",
        f"store.work={work}",
        f"store.feeds={feeds}",
        "store.city_zone=UTC",
        "store.looks_back_days=400",  # a study comes as one file
        "reentry.warmup_days=1",
    ]
    return load(Settings, "local", overrides)


def _ranked(lake: Lake, people: DataFrame, settings: Settings) -> dict[str, float]:
    """Top-1 and top-5 of the circle score among first halves of the same people."""
    new = people.select(F.col("second_id").alias("user_id"), F.col("number_key").alias("truth"))
    begun = lake.read(USAGE).groupBy("user_id").agg(F.min("day").alias("joined_on"))
    due = new.join(begun, on="user_id", how="inner").select(
        "user_id", "joined_on", F.lit(60).alias("stage_days"), F.lit(DAYS.last).alias("known_on")
    )
    met = joiners.circles(due, lake.read(EDGES))
    pool = lake.read(SIGNATURES).join(people.select(F.col("number_key").alias("user_id")), on="user_id", how="left_semi")
    everyone = settings.reentry.model_copy(update={"candidates_kept": 10_000, "candidates_least": 0.0})
    told = candidates.telling(met, lake.read(PEERS), everyone)
    ranked = candidates.by_circle(told, candidates.newest(pool, told, everyone), everyone).join(new, on="user_id", how="inner")
    places = ranked.groupBy("user_id").agg(
        F.expr("max(if(old_user_id = truth, circle_score, null))").alias("own"), F.collect_list("circle_score").alias("all")
    )
    ranks = places.where("own IS NOT NULL").select(F.expr("size(filter(all, s -> s > own)) + 1").alias("rank"))
    hits = ranks.agg(F.expr("count_if(rank = 1)").alias("one"), F.expr("count_if(rank <= 5)").alias("five")).first()
    egos = people.count()
    return {"egos": egos, "top1": hits["one"] / egos, "top5": hits["five"] / egos} if hits else {}


def _matched(lake: Lake, people: DataFrame, settings: Settings) -> dict[str, float]:
    final = lake.read(MATCHES).where(F.col("stage_days") == max(settings.reentry.stages))
    truth = people.select(F.col("second_id").alias("user_id"), F.col("number_key").alias("old_user_id"))
    right = final.join(truth, on=["user_id", "old_user_id"], how="inner").count()
    matches, egos = final.count(), people.count()
    begins = lake.read(USAGE).agg(F.min("day")).first()
    new = joiners.began(joiners.own_days(lake.read(USAGE)), None, begins[0], settings.reentry) if begins else final
    asked = joiners.at_stages(new, DAYS, settings.reentry).where(F.col("stage_days") == max(settings.reentry.stages)).count()
    return {
        "joiners": asked,
        "matches": matches,
        "right": right,
        "precision": right / matches if matches else 0.0,
        "recall": right / egos if egos else 0.0,
    }
