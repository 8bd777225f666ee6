"""Re-entry judged on real people: a study's time line is split at its median, whoever is in both halves gets a second id for the later one.

Closed set: every second half has its first half among the candidates, which are the first halves of the same people. Open set: the
first halves of a random half of them are taken away. Decoys: made-up first halves, five for each real one, which share about half of its
contacts. Everything comes from the detector's own functions and the settings of the city; the baseline is tf-idf cosine of contacts,
of raw counts or damped ones, whichever does better.
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.circles import signatures
from churnlake.core.console import Console
from churnlake.core.job import log_to
from churnlake.core.lake import Lake
from churnlake.core.runner import run_chain
from churnlake.core.runs import Days
from churnlake.core.session import session
from churnlake.evaluate import baselines, cns
from churnlake.evaluate.content import lake_of
from churnlake.evaluate.probe import LEAST_EVENTS
from churnlake.evaluate.reentry import ranked
from churnlake.reentry import candidates, evidence, joiners, learning
from churnlake.reentry.exclusion import exclusive
from churnlake.reentry.settings import ReentrySettings
from churnlake.settings import Settings
from churnlake.tables.clean import SMS, VOICE
from churnlake.tables.daily import CONTACTS
from churnlake.usage import daily
from jobs.ingest_usage import ingest_usage

STUDIES = {"cns": cns.FEEDS, "collegemsg": {"sms": "CollegeMsg.txt"}}
"""By folder and feed files of that name, the files."""
SPLIT_MONTH = dt.date(2005, 1, 1)
"""The time line is moved so that its first half ends with this month: circles are told at a month's end."""
DECOYS, DRAWS, RESAMPLES, SEED = 5, 20, 2000, 2005
UNTOLD = {
    **dict.fromkeys(("place_overlap", "night_overlap", "work_overlap", "weekend_overlap", "hours_score", "new_elsewhere", "old_elsewhere"), "double"),
    **dict.fromkeys(("same_dealer", "same_model", "has_forwarding"), "boolean"),
    "plan_shared": "string",
}  # fmt: skip
"""Evidence that a study does not tell, or not of decoys, and its type."""
UNFOUND = 1_000_000
"""Rank of who shares nobody with the own first half."""
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Halves:
    """A study cut in two, or that with decoys.

    ``edges`` are daily, days moved; ``own``: user_id, day, own_events, any contact counting as use; ``people``: first_id, second_id;
    ``firsts``: user_id of every candidate; ``last`` is the last day.
    """

    edges: DataFrame
    own: DataFrame
    people: DataFrame
    firsts: DataFrame
    last: dt.date


def judge(study: str, data: Path, work: Path, console: Console) -> dict[str, Any]:
    """The figures of one study in ``data``. Raises MissingInputError when its files are not there."""
    cns.take_in(data, work, STUDIES[study])
    shutil.rmtree(work / "lake", ignore_errors=True)
    settings = cns.settings_of(work, study)
    log_to(work / "logs", settings.store.log_format)
    days = Days(dt.date(2004, 1, 1), dt.date(2005, 3, 31))
    with session(settings.spark, work.resolve() / "logs") as spark:
        run_chain(spark, settings, [ingest_usage], days, console, makers={t.name: ingest_usage.name for t in ingest_usage.writes})
        return figures(lake_of(spark, settings, days, VOICE, SMS), settings)


def figures(lake: Lake, settings: Settings) -> dict[str, Any]:
    """Closed and open set, and closed among decoys, of the records in a lake."""
    halves = _halves(lake)
    peers = lake.checkpoint(signatures.peers(_circles(halves, settings)))
    told, contacts, truth = _told(lake, halves, peers, settings), _contacts(halves), _truth(halves)
    found = _closed(told, contacts, truth, settings.reentry) | _open(told, contacts, truth, settings.reentry)
    crowd = _with_decoys(lake, halves)
    # how common a peer is, is told by the people there are
    among = _closed(_told(lake, crowd, peers, settings), _contacts(crowd), truth, settings.reentry)
    return {
        "egos": len(truth),
        "candidates": len(truth),
        **found,
        "with_decoys": {"candidates": len(truth) * (1 + DECOYS), **among},
    }


def _halves(lake: Lake) -> Halves:
    """The records split at the median event; people are those with enough events on either side."""
    events = lake.checkpoint(daily.events({t.name: lake.read(t) for t in (VOICE, SMS) if lake.has(t)}))
    timed = events.withColumn("at", F.unix_micros("started_at"))
    middle = timed.agg(F.expr("percentile_disc(0.5) within group (order by at)").alias("at")).collect()[0]["at"]
    sided = timed.withColumn("is_second", F.col("at") > F.lit(middle))
    sides = sided.groupBy("number_key").agg(F.expr("count_if(not is_second) as n"), F.expr("count_if(is_second) as m"))
    people = sides.where(f"n >= {LEAST_EVENTS} and m >= {LEAST_EVENTS}").select(
        F.col("number_key").alias("first_id"), F.xxhash64("number_key", F.lit("second half")).alias("second_id")
    )
    people = lake.checkpoint(people)
    until = sided.where("not is_second").agg(F.max("day")).collect()[0][0]
    moved = F.date_add("day", (SPLIT_MONTH.replace(day=31) - until).days)
    split = sided.join(people.withColumnRenamed("first_id", "number_key"), on="number_key", how="left")
    split = split.withColumns({"user_id": F.expr("if(is_second, coalesce(second_id, user_id), user_id)"), "day": moved})
    split = lake.checkpoint(split.drop("at", "is_second", "second_id"))
    own = split.groupBy("user_id", "day").agg(F.count("*").alias("own_events"))
    last = split.agg(F.max("day")).collect()[0][0]
    firsts = people.select(F.col("first_id").alias("user_id"))
    return Halves(lake.checkpoint(daily.edges(split)), lake.checkpoint(own), people, firsts, last)


def _with_decoys(lake: Lake, halves: Halves) -> Halves:
    """The same with made-up first halves: each contact of a real one is kept at even chance, or is one drawn from all of them."""
    turns = F.explode(F.sequence(F.lit(1), F.lit(DECOYS))).alias("turn")
    each = halves.people.select("first_id", turns).withColumn("decoy_id", F.xxhash64("first_id", "turn", F.lit("decoy")))
    mine = halves.edges.join(halves.firsts, on="user_id", how="left_semi")
    met = mine.select("user_id", "peer_id").distinct()
    pool = lake.checkpoint(met.selectExpr("row_number() over (order by user_id, peer_id) as place", "peer_id as other_id"))
    drawn = met.join(each.withColumnRenamed("first_id", "user_id"), on="user_id", how="inner")
    size = pool.count()
    drawn = drawn.withColumn("place", F.expr(f"1 + pmod(xxhash64(decoy_id, peer_id, 'which'), {size})"))
    drawn = drawn.join(pool, on="place", how="inner").selectExpr(
        "user_id", "decoy_id", "peer_id", "if(pmod(xxhash64(decoy_id, peer_id), 2) = 0, peer_id, other_id) as met_id"
    )
    copied = mine.join(drawn, on=["user_id", "peer_id"], how="inner").where("met_id <> decoy_id")
    edges = halves.edges.unionByName(
        copied.drop("user_id", "peer_id")
        .withColumnsRenamed({"decoy_id": "user_id", "met_id": "peer_id"})
        .select(*halves.edges.columns)
    )
    own = halves.own.join(each.withColumnRenamed("first_id", "user_id"), on="user_id", how="inner")
    own = halves.own.unionByName(own.selectExpr("decoy_id as user_id", "day", "own_events"))
    firsts = halves.firsts.unionByName(each.select(F.col("decoy_id").alias("user_id")))
    return Halves(lake.checkpoint(edges), lake.checkpoint(own), halves.people, firsts, halves.last)


def _circles(halves: Halves, settings: Settings) -> DataFrame:
    return signatures.signatures(signatures.weeks(halves.edges), [SPLIT_MONTH], settings.circles)


def _told(lake: Lake, halves: Halves, peers: DataFrame, settings: Settings) -> pd.DataFrame:
    """One row per second half and first half or decoy with a shared peer: all evidence, as ``learning.told`` gives it."""
    how = settings.reentry.model_copy(update={"candidates_kept": 1_000_000, "candidates_least": 0.0})
    circles = lake.checkpoint(_circles(halves, settings))
    seconds = halves.people.select(F.col("second_id").alias("user_id"))
    begun = halves.edges.join(seconds, on="user_id", how="left_semi").groupBy("user_id").agg(F.min("day").alias("joined_on"))
    due = begun.withColumns({"stage_days": F.lit(max(how.stages)), "known_on": F.lit(halves.last)})
    met = joiners.circles(due, halves.edges)
    split_on = F.last_day(F.lit(SPLIT_MONTH))
    told = lake.checkpoint(candidates.telling(met.withColumn("known_on", split_on), peers, how))
    pool = circles.join(halves.firsts, on="user_id", how="left_semi")
    old = candidates.newest(pool, told, how)
    pairs = candidates.by_circle(told, old, how).withColumns(
        {"has_same_imei": F.lit(False), "imei_users": F.lit(None).cast("bigint"), "has_same_document": F.lit(False)}
    )
    alike = evidence.with_likeness(pairs.drop("circle_score"), told, old, how)
    known = lake.checkpoint(alike.withColumn("known_on", F.lit(halves.last)))
    unknown = {name: F.lit(None).cast(kind) for name, kind in UNTOLD.items()}
    fit = evidence.with_old_use(known, halves.own, how).withColumns(unknown)
    return learning.told(evidence.with_talk(fit, told.withColumn("known_on", F.lit(halves.last)), halves.edges), how)


def _contacts(halves: Halves) -> pd.DataFrame:
    """One row per first half, decoy or second half and peer: user_id, peer_id, n."""
    wanted = halves.firsts.union(halves.people.select("second_id"))
    met = halves.edges.join(wanted, on="user_id", how="left_semi")
    return (
        met.groupBy("user_id", "peer_id")
        .agg(F.expr(f"sum({CONTACTS})").alias("n"))
        .toPandas()
        .sort_values(["user_id", "peer_id"])
    )


def _truth(halves: Halves) -> pd.Series[int]:
    """The first half of each second half."""
    rows = halves.people.toPandas().sort_values("second_id")
    return rows.set_index("second_id")["first_id"]


def _weighed(told: pd.DataFrame, how: ReentrySettings) -> pd.DataFrame:
    """The pairs with ``score`` (log-odds by weights learnt from them without truth) and ``probability``."""
    if told.empty:
        return told.assign(score=[], probability=[])
    weights, _ = learning.learn(told, how)[max(how.stages)]
    score = np.where(told["kind"] == "kept", -30.0, learning.score_of(told, weights))
    return told.assign(score=score, probability=exclusive(score, told["user_id"], told["old_user_id"]))


def alike(contacts: pd.DataFrame, truth: pd.Series[int], decoys: npt.ArrayLike = (), *, damped: bool) -> Array:
    """Cosine of tf-idf weighted contacts, a row per second half and a column per first half in the same order, then per decoy.

    tf is the number of contacts, or 1 + ln of it where ``damped``; idf as in Salton and Buckley 1988, smoothed, over the first halves.
    """
    real, seconds, firsts = len(truth), truth.index, np.concatenate([truth.to_numpy(), np.asarray(decoys, dtype=np.int64)])
    peers = np.sort(contacts["peer_id"].unique())
    both = []
    for ids in (np.asarray(seconds), firsts):
        rows = contacts[contacts["user_id"].isin(ids)]
        matrix = np.zeros((len(ids), len(peers)))
        at = pd.Series(np.arange(len(ids)), index=ids)
        matrix[at.loc[rows["user_id"]].to_numpy(), np.searchsorted(peers, rows["peer_id"])] = rows["n"]
        both.append(np.where(matrix > 0, 1 + np.log(np.maximum(matrix, 1)), 0) if damped else matrix)
    rarity = np.log((1 + real) / (1 + (both[1][:real] > 0).sum(axis=0))) + 1
    unit = [m * rarity / np.maximum(np.linalg.norm(m * rarity, axis=1, keepdims=True), 1e-12) for m in both]
    found: Array = unit[0] @ unit[1].T
    return found


def _closed(told: pd.DataFrame, contacts: pd.DataFrame, truth: pd.Series[int], how: ReentrySettings) -> dict[str, Any]:
    """top1, top5 and those of the baseline, with what we gain in top1: mean and 95 % interval of people drawn again."""
    pairs = _weighed(told, how)
    own = pairs[pairs["old_user_id"] == pairs["user_id"].map(truth)].set_index("user_id")["score"]
    above = pairs[pairs["score"] > pairs["user_id"].map(own)].groupby("user_id").size()
    ranks = above.reindex(own.index, fill_value=0).add(1).reindex(truth.index, fill_value=UNFOUND).to_numpy()
    decoys = np.setdiff1d(contacts["user_id"].unique(), np.concatenate([truth.index, truth]))
    plain = []
    for damped in (False, True):
        likeness = alike(contacts, truth, decoys, damped=damped)
        mine = np.diag(likeness)
        plain.append(np.where(mine > 0, (likeness > mine[:, None] + 1e-12).sum(axis=1) + 1, UNFOUND))
    plain_ranks = max(plain, key=lambda each: (each <= 1).mean())
    gain = (ranks <= 1).astype(float) - (plain_ranks <= 1)
    again = gain[np.random.default_rng(SEED).integers(0, len(gain), (RESAMPLES, len(gain)))].mean(axis=1)
    low, high = np.quantile(again, [0.025, 0.975])
    tops = {f"top{n}": float((ranks <= n).mean()) for n in (1, 5)}
    tops |= {f"baseline_top{n}": float((plain_ranks <= n).mean()) for n in (1, 5)}
    return {**tops, "top1_gain": {"mean": float(gain.mean()), "low": float(low), "high": float(high)}}


def _open(told: pd.DataFrame, contacts: pd.DataFrame, truth: pd.Series[int], how: ReentrySettings) -> dict[str, Any]:
    """Average precision, and precision at 80 % recall, where a random half of the people never were there before: means over the draws."""
    rows = []
    plain = {damped: alike(contacts, truth, damped=damped) for damped in (False, True)}
    for draw in range(DRAWS):
        there = np.zeros(len(truth), dtype=bool)
        there[np.random.default_rng(SEED + draw).permutation(len(truth))[: len(truth) // 2]] = True
        pairs = _weighed(told[told["old_user_id"].isin(truth[there])], how)
        named = one_to_one(pairs)
        named["is_right"] = named["old_user_id"] == named["user_id"].map(truth)
        found = _ranked(named.rename(columns={"probability": "score"}), int(there.sum()))
        for damped, likeness in plain.items():
            left = np.where(there[None, :], likeness, 0.0)
            best = left.argmax(axis=1)
            likest = pd.DataFrame({"score": left.max(axis=1), "is_right": (best == np.arange(len(truth))) & there})
            found |= {f"{damped}_{key}": value for key, value in _ranked(likest[likest["score"] > 0], int(there.sum())).items()}
        rows.append(found)
    means = pd.DataFrame(rows).mean()
    better = max((False, True), key=lambda damped: means[f"{damped}_ap"])
    return {
        "open_ap": float(means["ap"]),
        "open_precision_at_recall_80": float(means["precision"]),
        "baseline_open_ap": float(means[f"{better}_ap"]),
        "baseline_open_precision_at_recall_80": float(means[f"{better}_precision"]),
    }


def one_to_one(pairs: pd.DataFrame) -> pd.DataFrame:
    """One row per user_id at most, and per old_user_id: the most probable pairs first (as assignment.assign)."""
    users: set[int] = set()
    old_users: set[int] = set()
    chosen = []
    ordered = pairs.sort_values(["probability", "user_id", "old_user_id"], ascending=[False, True, True])
    for at, user, old in zip(ordered.index, ordered["user_id"], ordered["old_user_id"], strict=True):
        if user not in users and old not in old_users:
            users.add(user)
            old_users.add(old)
            chosen.append(at)
    return ordered.loc[chosen, ["user_id", "old_user_id", "probability"]].copy()


def _ranked(named: pd.DataFrame, total: int) -> dict[str, float]:
    found = ranked(baselines.steps(named[["score", "is_right"]]), total, total)
    return {"ap": found["pr_auc"], "precision": found["precision_at_recall_80"] or 0.0}


def lines(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the console says of one study."""

    def both(of: Mapping[str, Any]) -> list[tuple[str, str]]:
        gain = of["top1_gain"]
        return [
            ("candidates", f"{of['candidates']:,}"),
            *((f"top-{n}", f"{of[f'top{n}']:.3f} (baseline {of[f'baseline_top{n}']:.3f})") for n in (1, 5)),
            ("gain in top-1", f"{gain['mean']:.3f} ({gain['low']:.3f} to {gain['high']:.3f})"),
        ]

    opened = [
        (name.replace("_", " "), f"{found[name]:.3f} (baseline {found[f'baseline_{name}']:.3f})")
        for name in ("open_ap", "open_precision_at_recall_80")
    ]
    decoys = [(f"{name}, with decoys", text) for name, text in both(found["with_decoys"])]
    return [("egos", f"{found['egos']:,}"), *both(found), *opened, *decoys]
