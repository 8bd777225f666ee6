"""Real people found again: the Copenhagen Networks Study, each split at its median event under a second number.

The calls and messages come in by a feed file alone and pass the same jobs as an operator's; only the split stands in for
build_daily. The baseline is the cosine of tf-idf weighted contacts on the same people.
"""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import numpy as np
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
from churnlake.evaluate.content import lake_of
from churnlake.reentry import candidates, joiners
from churnlake.settings import Settings
from churnlake.tables.circles import PEERS, SIGNATURES
from churnlake.tables.clean import SMS, VOICE
from churnlake.tables.daily import DEVICES, EDGES, PLACES, USAGE
from churnlake.tables.reentry import MATCHES
from churnlake.usage import daily
from jobs.build_circles import build_circles
from jobs.detect_reentry import detect_reentry
from jobs.ingest_usage import ingest_usage
from jobs.label_leaving import label_leaving

LEAST_EVENTS = 5
DELIVERED = dt.date(2005, 1, 31)
DAYS = Days(dt.date(2004, 12, 31), dt.date(2005, 3, 31))
"""The feed files let the study's 28 days begin with 2005; the days after them are those the final stage waits for."""


def halves(events: DataFrame) -> DataFrame:
    """One row per person with at least five events on each side of its median: number_key, median_at, second_id."""
    medians = events.groupBy("number_key").agg(
        F.expr("cast(percentile_disc(0.5) within group (order by unix_micros(started_at)) as bigint)").alias("median")
    )
    sides = (
        events.join(medians, on="number_key", how="inner")
        .groupBy("number_key", "median")
        .agg(
            F.expr("count_if(unix_micros(started_at) <= median)").alias("first"),
            F.expr("count_if(unix_micros(started_at) > median)").alias("second"),
        )
    )
    split = sides.where(f"first >= {LEAST_EVENTS} AND second >= {LEAST_EVENTS}")
    return split.select(
        "number_key",
        F.timestamp_micros("median").alias("median_at"),
        F.xxhash64("number_key", F.lit("second half")).alias("second_id"),
    )


def split_events(events: DataFrame) -> DataFrame:
    """The events with the second half of each such person under a user of its own; peers stay as they are."""
    split = events.join(F.broadcast(halves(events)), on="number_key", how="left")
    return split.withColumn("user_id", F.expr("if(started_at > median_at, second_id, user_id)")).drop("median_at", "second_id")


def split_daily(lake: Lake, run: Run) -> None:
    """Daily partials of the split people."""
    events = lake.checkpoint(split_events(daily.events({t.name: lake.read(t) for t in (VOICE, SMS) if lake.has(t)}, None)))
    lake.write(USAGE, daily.usage(events))
    lake.write(EDGES, daily.edges(events, None, run.settings.store.city_zone))
    lake.write(PLACES, daily.places(events, run.settings.usage))
    lake.write(DEVICES, daily.devices(events))


SPLIT: Job = declare(Settings, may_read=(VOICE, SMS), writes=(USAGE, EDGES, PLACES, DEVICES))(split_daily)


def find_again(data: Path, work: Path, console: Console) -> dict[str, float]:
    """Run the chain on the split study and print how many are found again; the figures.

    Raises MissingInputError when the study's files are not in ``data``.
    """
    settings = _settings(data, work)
    log_to(work / "logs")
    with session(settings.spark, work.resolve() / "logs") as spark:
        jobs = [ingest_usage, SPLIT, build_circles, label_leaving, detect_reentry]
        makers = {table.name: job.name for job in jobs for table in job.writes}
        run_chain(spark, settings, jobs, DAYS, console, makers=makers)
        lake = lake_of(spark, settings, DAYS, VOICE, SMS, USAGE, EDGES, SIGNATURES, PEERS, MATCHES)
        events = daily.events({t.name: lake.read(t) for t in (VOICE, SMS)}, None)
        people = lake.checkpoint(halves(events))
        figures = {
            **_ranked(lake, people, settings),
            **_matched(lake, people, settings),
            **_baseline(split_events(events), people),
        }
    console.summary(
        "Copenhagen Networks Study, split at each person's median event",
        [
            ("egos", f"{figures['egos']:.0f} with at least {LEAST_EVENTS} events in each half"),
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


def _settings(data: Path, work: Path) -> Settings:
    landing = work / "landing"
    for feed, name in (("voice", "calls.csv"), ("sms", "sms.csv")):
        if not (data / name).is_file():
            raise MissingInputError(f"{data / name} is not there; give the study's folder with --data")
        target = landing / feed / f"date={DELIVERED}" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(data / name, target)
    # an evaluation begins from nothing: its lake is rebuilt each time
    shutil.rmtree(work / "lake", ignore_errors=True)
    overrides = [
        f"store.landing={landing}",
        f"store.lake={work / 'lake'}",
        f"store.work={work}",
        "store.feeds=cns",
        "store.city_zone=UTC",
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
    everyone = settings.reentry.model_copy(update={"candidates_kept": 10_000})
    told = candidates.telling(met, lake.read(PEERS), everyone)
    ranked = candidates.by_circle(told, pool, everyone).join(new, on="user_id", how="inner")
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
    due = joiners.joiners(joiners.own_days(lake.read(USAGE)), None, begins[0], DAYS, settings.reentry) if begins else final
    asked = due.where(F.col("stage_days") == max(settings.reentry.stages)).count()
    return {
        "joiners": asked,
        "matches": matches,
        "right": right,
        "precision": right / matches if matches else 0.0,
        "recall": right / egos if egos else 0.0,
    }


def _baseline(events: DataFrame, people: DataFrame) -> dict[str, float]:
    """tf-idf cosine of contacts (missed calls left out, as in daily.edges), ranks among the same first halves. A few hundred rows, so numpy."""
    met = (
        events.where("peer_key IS NOT NULL AND peer_key <> number_key AND (service <> 'voice' OR seconds > 0)")
        .groupBy("user_id", "peer_key")
        .count()
    )
    firsts = [row["number_key"] for row in people.orderBy("number_key").collect()]
    seconds = [row["second_id"] for row in people.orderBy("number_key").collect()]
    rows = {user: at for at, user in enumerate([*firsts, *seconds])}
    counts = [(rows[r["user_id"]], r["peer_key"], r["count"]) for r in met.collect() if r["user_id"] in rows]
    peers = {peer: at for at, peer in enumerate(sorted({peer for _, peer, _ in counts}))}
    matrix = np.zeros((len(rows), len(peers)))
    for row, peer, count in counts:
        matrix[row, peers[peer]] = count
    known = (matrix[: len(firsts)] > 0).sum(axis=0)
    weighted = matrix * (np.log((1 + len(firsts)) / (1 + known)) + 1)
    weighted /= np.maximum(np.linalg.norm(weighted, axis=1, keepdims=True), 1e-12)
    alike = weighted[len(firsts) :] @ weighted[: len(firsts)].T
    ranks = (alike > np.diag(alike)[:, None] + 1e-12).sum(axis=1) + 1
    return {"baseline_top1": float((ranks == 1).mean()), "baseline_top5": float((ranks <= 5).mean())}
