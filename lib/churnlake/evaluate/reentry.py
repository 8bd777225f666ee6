"""Re-entry judged at its final stage on cities of weekly contacts, several seeds of each scenario, beside plain baselines.

A true pair counts as missed when it was never weighed. The document is no evidence here: who comes back often shows another's.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churnlake.city.generate import generate, scenario
from churnlake.core.console import Console
from churnlake.core.job import log_to
from churnlake.core.lake import Lake
from churnlake.core.lineage import Lineage
from churnlake.core.runner import run_chain
from churnlake.core.runs import EVER, Days
from churnlake.core.session import session
from churnlake.evaluate import baselines, control, difficulty, oracle, splinked, strains, successors
from churnlake.evaluate.content import lake_of
from churnlake.evaluate.truth import planted_decoys, planted_pairs
from churnlake.evaluate.weekly import WEEKLY
from churnlake.reentry import assignment, confirming, joiners, learning, odds
from churnlake.reentry.settings import ReentrySettings
from churnlake.reentry.weighing import weigh
from churnlake.settings import Settings
from churnlake.tables.circles import PEERS, SIGNATURES
from churnlake.tables.daily import DEVICES, EDGES, PLACES, USAGE
from churnlake.tables.reference import ANSWERS, LIVES, SUBSCRIBERS

SCENARIOS, SEEDS = ("standard", "no_imei", "hard"), "2006,2007,2008,2009,2010"
RECALLS = (0.9, 0.8)
"""Recalls that precision is told at, of the pairs that left evidence."""
BINS = 10
"""Of probability, to tell calibration by."""
CONFIDENCE = 0.95
SILENT_DAYS = 60
"""Who was silent for so long at the end of the data has left, to all appearances."""
FAR = (75, 105)
"""Days of gap that count as about ninety."""


def weekly_city(city: str, users: int, home: Path, **more: Any) -> str:
    """Path of a scenario file: that city with so many people, its contacts by the week in place of records, and what else is asked."""
    like = beside(city, home)
    told = {"like": like, "name": f"{like}_weeks", "users": users, "records": {"form": "edges", "by": "week"}, **more}
    path = home / "by_week.yaml"
    path.write_text(yaml.safe_dump(told), encoding="utf-8")
    return str(path)


def beside(city: str, home: Path) -> str:
    """Name of a scenario that a file in ``home`` can be like: a file of its own is put beside."""
    home.mkdir(parents=True, exist_ok=True)
    like = Path(city)
    if like.suffix:
        shutil.copyfile(like, home / like.name)
    return like.stem


@dataclass(frozen=True)
class Judged:
    """One city: its ``figures``, and its pairs weighed beside the truth, for the oracle: one row per pair (``oracle.EVIDENCE``, is_right)."""

    figures: dict[str, Any]
    pairs: pd.DataFrame


def judge(settings: Settings, console: Console, *, strained: bool = False) -> Judged:
    """Make the city the settings name, unless it is there, find who came back in it, and return what is to be said of one seed.

    ``strained``: look for them again with the evidence spoiled in several ways, too.
    """
    work = Path(settings.store.work).resolve()
    log_to(work / "logs", settings.store.log_format)
    city = scenario(settings.city.scenario)
    days = Days(city.first_day, city.last_day)
    by_name = {job.name: job for job in Lineage.of_package().jobs}
    jobs = [by_name["ingest_reference"], WEEKLY, by_name["build_circles"]]
    makers = {table.name: job.name for job in jobs for table in job.writes}
    with session(settings.spark, work / "logs") as spark:
        if not (Path(settings.store.landing) / "_manifest.json").is_file():
            console.say(f"city {city.name}, seed {settings.city.seed}: {city.users:,} people, {days}")
            generate(spark, city, settings.city.seed, Path(settings.store.landing), Path(settings.city.truth))
        run_chain(spark, settings, jobs, days, console, makers=makers)
        judged = figures(spark, settings, days, strained=strained)
        return Judged({"city": city.name, "seed": settings.city.seed, **judged.figures}, judged.pairs)


def figures(spark: SparkSession, settings: Settings, days: Days, *, strained: bool = False) -> Judged:
    """What is to be said of one lake beside its truth: the detector's own functions, every candidate judged, however unlikely."""
    lake = lake_of(spark, settings, days, USAGE, EDGES, PLACES, DEVICES, SIGNATURES, PEERS, LIVES, SUBSCRIBERS, ANSWERS)
    how, truth = settings.reentry, Path(settings.city.truth)
    tables = {table: lake.read(table) for table in (USAGE, EDGES, PLACES, DEVICES, SIGNATURES, PEERS)}
    # without the document: what is left of the register
    tables[SUBSCRIBERS] = lake.read(SUBSCRIBERS).withColumn("document_key", F.lit(None).cast("long"))
    own = lake.checkpoint(joiners.own_days(lake.read(USAGE)))
    new = lake.checkpoint(joiners.began(own, lake.read(LIVES), days.first, how))
    due = joiners.at_stages(new, days, how)
    due = lake.checkpoint(due.where(F.col("stage_days") == max(how.stages)))
    # everything counts as known on the last day
    at_once = partial(DataFrame.withColumn, colName="known_on", col=F.lit(dt.date(1970, 1, 1)))
    weighed = weigh(new, due, own, tables, how, lake.checkpoint, at_once)
    asked = due.select("user_id", "joined_on", "known_on")
    true = lake.checkpoint(planted_pairs(spark, truth, lake.key).join(asked.select("user_id"), on="user_id", how="inner"))
    right = true.select("user_id", "old_user_id", F.lit(True).alias("is_right"))
    decoys = planted_decoys(spark, truth, lake.key).select("user_id", F.col("kind").alias("decoy"))
    pairs = lake.checkpoint(weighed.pairs)

    def matched(assigned: DataFrame) -> pd.DataFrame:
        named = assigned.select("user_id", "old_user_id", "probability", "gap_days")
        rows = named.join(right, on=["user_id", "old_user_id"], how="left").join(decoys, on="user_id", how="left")
        # one row per joiner
        return rows.withColumn("is_right", F.expr("coalesce(is_right, false)")).toPandas()

    named, learnt = likely(lake, pairs, days.last, how)
    named = lake.checkpoint(named)
    assigned = lake.checkpoint(assignment.assign(named, None, lake.checkpoint))
    matches = matched(assigned)
    of_kind = {row["decoy"]: int(row["count"]) for row in decoys.join(asked, on="user_id").groupBy("decoy").count().collect()}
    # one row per planted pair
    planted, left = (frame.select("user_id").toPandas()["user_id"] for frame in (true, _evident(lake, asked, true)))
    total, evident, joined = len(planted), len(left), asked.count()
    kept = weighed.found.join(right, on=["user_id", "old_user_id"], how="left").agg(F.count("*"), F.count("is_right")).first()
    found, complete = (kept[0], kept[1]) if kept else (0, 0)
    possible = pairs.where("kind <> 'kept'").count()
    naive = joined * own.select("user_id").distinct().count()
    told_of = {
        "candidates": joined, **told(matches, total, evident, of_kind),
        "pair_completeness": complete / evident if evident else None, "pairs_kept_share": possible / max(1, naive),
        "pairs_weighed_share": found / max(1, naive), "excluded": weighed.together.count(),
        "corrected_churn_error": churn_error(matches, total, _leavers(own, days)),
        "baselines": _baselines(lake, asked, true, total, evident, settings),
    }  # fmt: skip
    if lake.has(ANSWERS):
        said = confirming.told(pairs.where("kind <> 'kept'"), lake.read(ANSWERS), lake.read(LIVES), how)
        named, learnt = likely(lake, pairs, days.last, how, said)
        named = lake.checkpoint(named)
        assigned = lake.checkpoint(assignment.assign(named, None, lake.checkpoint))
        told_of["with_answers"] = unasked(said, matches, matched(assigned), planted, left)
    # economics as the jobs tell them: heeding what was answered
    told_of["control"] = control.judged(lake, due, pairs, named, assigned, learnt, true, decoys, how, days.last)
    told_of["successors"] = successors.judged(lake, own, truth, days, how)
    if strained:
        again = {
            name: matched(settled(lake, weigh(new, due, own, spoilt, how, lake.checkpoint, at_once).pairs, days.last, how))
            for name, spoilt in strains.spoilt(lake, due, tables).items()
        }
        far = true.where(f"gap_days BETWEEN {FAR[0]} AND {FAR[1]}").count()
        told_of["robustness"] = strains.told(matches, again, evident, FAR, far)
    beside = pairs.where("kind <> 'kept'").join(right, on=["user_id", "old_user_id"], how="left")
    return Judged(
        told_of,
        beside.select(
            "user_id",
            "old_user_id",
            *[F.expr(sql).alias(name) for name, sql in oracle.EVIDENCE.items()],
            F.expr("coalesce(is_right, false)").alias("is_right"),
        ).toPandas(),
    )


def unasked(
    said: pd.DataFrame, matches: pd.DataFrame, heeded: pd.DataFrame, planted: pd.Series[int], left: pd.Series[int]
) -> dict[str, float | None]:
    """Of joiners who did not answer: the figures by weights that heed what others answered, and the same without.

    Args:
        said: what was answered (confirming.told).
        matches: one row per joiner matched without answers, as for ``told``, with user_id.
        heeded: the same by weights that heed them.
        planted: the joiners of the true pairs.
        left: those of them whose pair left evidence.
    """
    answered = set(said["user_id"])
    total, evident = (int((~users.isin(answered)).sum()) for users in (planted, left))
    found: dict[str, float | None] = {"answered": len(answered), "named": int(said[said["has_named"]]["user_id"].nunique())}
    for suffix, rows in (("", heeded), ("_without", matches)):
        figures = told(rows[~rows["user_id"].isin(answered)], total, evident, {})
        names = ("pr_auc", *(f"precision_at_recall_{recall * 100:.0f}" for recall in RECALLS), "ece", "count_error")
        found |= {name + suffix: figures[name] for name in names}
    return found


def settled(lake: Lake, pairs: DataFrame, on: dt.date, how: ReentrySettings) -> DataFrame:
    """One row per joiner under the old user it most probably is, all pairs of the final stage judged at once.

    Weights are learnt, without truth, from these very pairs, and everything counts as known on that one day: in the job a month's pairs
    are weighed by what the months before taught, and later rivals are not known yet.
    """
    return assignment.assign(likely(lake, pairs, on, how)[0], None, lake.checkpoint)


def likely(
    lake: Lake, pairs: DataFrame, on: dt.date, how: ReentrySettings, said: pd.DataFrame | None = None
) -> tuple[DataFrame, list[dict[str, Any]]]:
    """The pairs of the final stage, judged at once, with ``probability``; and the weights learnt from them, as rows of reentry.weights.

    ``said``: what joiners answered (confirming.told), if that is to be learnt from.
    """
    at_once = lake.checkpoint(pairs.withColumn("known_on", F.lit(on)))
    learnt = {stage: found for stage, (found, _) in learning.learn(learning.told(at_once, how), how, said).items()}
    weighed = lake.checkpoint(odds.with_odds(at_once, learnt, how))
    rows = [
        {"month": EVER.first, "stage_days": stage, "evidence": evidence, "level": level, "weight": weight}
        for stage, found in learnt.items()
        for evidence, levels in found.items()
        for level, weight in levels.items()
    ]
    return odds.with_probability(weighed, weighed, how).where("probability > 0"), rows


def _leavers(own: DataFrame, days: Days) -> int:
    """Users without an own event in the last SILENT_DAYS of the data: to whoever does not look for them they have left."""
    last = own.groupBy("user_id").agg(F.max("day").alias("day"))
    return last.where(F.col("day") < F.lit(days.last - dt.timedelta(days=SILENT_DAYS))).count()


def churn_error(matches: pd.DataFrame, total: int, leavers: int) -> float | None:
    """Relative error of the churn rate corrected by the expected number of those who are back, over that corrected by the true one."""
    return (leavers - float(matches["probability"].sum())) / (leavers - total) - 1 if leavers > total else None


def with_oracle(cities: Sequence[Judged]) -> list[dict[str, Any]]:
    """The cities' figures with ``oracle_pr_auc``, and ``gap_closed``: how far we came from the best baseline to it."""
    found = []
    for city, best in zip(cities, oracle.posteriors([city.pairs for city in cities]), strict=True):
        steps = baselines.steps(best.rename(columns={"probability": "score"}))
        of, evident = city.figures, city.figures["pairs_evident"]
        at = {f"oracle_{name}": value for name, value in ranked(steps, of["pairs_true"], evident).items()}
        area, plain = at["oracle_pr_auc"], max(way["pr_auc"] for way in of["baselines"].values())
        closed = (of["pr_auc"] - plain) / (area - plain) if area > plain else None
        found.append({**of, **at, "gap_closed": closed})
    return found


def told(matches: pd.DataFrame, total: int, evident: int, of_kind: Mapping[str, int]) -> dict[str, Any]:
    """Precision at recalls, PR-AUC, calibration, count and decoys of one city.

    Args:
        matches: one row per joiner matched: probability, is_right, decoy (its kind, if it is one).
        total: true pairs among those asked.
        evident: those of them that left evidence.
        of_kind: decoys asked, by kind.
    """
    steps = baselines.steps(matches.rename(columns={"probability": "score"}))
    cut = _threshold(steps, RECALLS[0], evident)
    false = matches[(matches["probability"] >= cut) & ~matches["is_right"]]["decoy"].value_counts()
    return {
        "pairs_true": total, "pairs_evident": evident, "without_evidence_share": 1 - evident / total if total else None,
        **ranked(steps, total, evident),
        "ece": calibration_error(matches["probability"].to_numpy(), matches["is_right"].to_numpy()),
        "count_error": float(matches["probability"].sum()) / total - 1 if total else None,
        "decoy_false_share": {kind: int(false.get(kind, 0)) / count for kind, count in sorted(of_kind.items())},
    }  # fmt: skip


def average_precision(steps: pd.DataFrame, total: int) -> float:
    """Area under precision over recall, by steps; pairs never named have no recall."""
    gained = steps["right"].diff().fillna(steps["right"]) / max(1, total)
    return float((gained * steps["precision"]).sum())


def calibration_error(probability: Any, is_right: Any) -> float:
    """Expected calibration error: mean distance of probability from frequency over ten bins, by rows (Guo et al. 2017)."""
    if not len(probability):
        return 0.0
    place = np.minimum((probability * BINS).astype(int), BINS - 1)
    apart = [abs(probability[place == b].mean() - is_right[place == b].mean()) * (place == b).sum() for b in np.unique(place)]
    return float(sum(apart) / len(probability))


def over_seeds(cities: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The figures of one scenario, each as mean, low, high (95 % interval of the mean, Student's t) and seeds."""
    keys = [key for key in cities[0] if key not in ("city", "seed")]
    return {key: _mean([city[key] for city in cities]) for key in keys}


def _mean(values: Sequence[Any]) -> Any:
    if isinstance(values[0], Mapping):
        names = list(dict.fromkeys(name for value in values for name in value))
        return {name: _mean([value.get(name) for value in values]) for name in names}
    known = [float(value) for value in values if value is not None]
    if not known:
        return {"mean": None, "low": None, "high": None, "seeds": 0}
    mean = float(np.mean(known))
    half = 0.0
    if len(known) > 1:
        from scipy.stats import t

        half = float(t.ppf((1 + CONFIDENCE) / 2, len(known) - 1) * np.std(known, ddof=1) / math.sqrt(len(known)))
    return {"mean": mean, "low": mean - half, "high": mean + half, "seeds": len(known)}


def write(found: Mapping[str, Any], path: Path) -> None:
    """Leave the figures, scenarios and studies told in earlier runs kept beside."""
    before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    merged = {key: {**before.get(key, {}), **found.get(key, {})} for key in ("scenarios", "real")}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(merged, indent=2) + "\n", encoding="utf-8")


def line(figures: Mapping[str, Any]) -> str:
    """What the console says of one city, as soon as it is judged."""
    precise = {recall: figures[f"precision_at_recall_{recall * 100:.0f}"] for recall in RECALLS}
    at = [f"precision at {recall:.0%} recall {'not reached' if p is None else f'{p:.3f}'}" for recall, p in precise.items()]
    told = [f"PR-AUC {figures['pr_auc']:.3f}", *at, f"ECE {figures['ece']:.3f}"]
    if figures["count_error"] is not None:
        told.append(f"count {figures['count_error']:+.1%}")
    return f"  seed {figures['seed']}: {figures['pairs_true']:,} true pairs among {figures['candidates']:,} joiners; {', '.join(told)}"


def text(one: Mapping[str, Any]) -> str:
    """A figure over seeds in words: its mean and 95 % interval."""
    if one["mean"] is None:
        return "not reached"
    spread = f" ({one['low']:.3f} to {one['high']:.3f})" if one["seeds"] > 1 else ""
    return f"{one['mean']:.3f}{spread}" if abs(one["mean"]) < 100 else f"{one['mean']:,.0f}"


def lines(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the console says of one scenario."""
    plain = [(name.replace("_", " "), text(one)) for name, one in found.items() if "mean" in one]
    decoys = [(f"decoy {kind}", text(one)) for kind, one in found["decoy_false_share"].items()]
    ways = [(f"PR-AUC, {way}", text(one["pr_auc"])) for way, one in found["baselines"].items()]
    strained = [(name.replace("_", " "), text(one)) for name, one in found.get("robustness", {}).items()]
    heeded = [(f"with answers, {name.replace('_', ' ')}", text(one)) for name, one in found.get("with_answers", {}).items()]
    parts = [
        (f"{name} {measure}".replace("_", " "), text(one))
        for name, of in {**found.get("control", {}), "successors": found.get("successors", {})}.items()
        for measure, one in of.items()
    ]
    return [*plain, *decoys, *ways, *heeded, *strained, *parts]


def ranked(steps: pd.DataFrame, total: int, evident: int) -> dict[str, Any]:
    """PR-AUC over all true pairs, and precision at the recalls of those that left evidence."""
    at = {f"precision_at_recall_{recall * 100:.0f}": precision_at(steps, recall, evident) for recall in RECALLS}
    return {"pr_auc": average_precision(steps, total), **at}


def precision_at(steps: pd.DataFrame, recall: float, total: int) -> float | None:
    """Best precision at which so much of the total is found; None where it never is."""
    enough = steps[steps["right"] >= recall * total]
    return float(enough["precision"].max()) if len(enough) and total else None


def _threshold(steps: pd.DataFrame, recall: float, total: int) -> float:
    """The score at which that recall is first reached; the lowest where it never is."""
    enough = steps[steps["right"] >= recall * total]["score"]
    return float(steps["score"].min() if enough.empty else enough.iloc[0]) if len(steps) else 0.0


def _evident(lake: Lake, asked: DataFrame, true: DataFrame) -> DataFrame:
    """One row per true pair that left any evidence: a peer in both circles, or a handset both were seen on."""
    pairs = true.join(asked, on="user_id", how="inner").withColumn("kind", F.lit(difficulty.TRUE))
    shared = difficulty.overlaps(pairs, lake.read(USAGE), lake.read(EDGES)).where("shared > 0")
    seen = lake.read(DEVICES).select("user_id", "imei_key").distinct()
    old = seen.select(F.col("user_id").alias("old_user_id"), "imei_key")
    both = true.join(seen, on="user_id", how="inner").join(old, on=["old_user_id", "imei_key"], how="inner")
    return shared.select("user_id", "old_user_id").union(both.select("user_id", "old_user_id")).distinct()


def _baselines(
    lake: Lake, asked: DataFrame, true: DataFrame, total: int, evident: int, settings: Settings
) -> dict[str, dict[str, Any]]:
    """By way, its PR-AUC and precision at the recalls."""
    named = baselines.by_likeness(asked, lake.read(USAGE), lake.read(EDGES), settings.reentry)
    named = lake.checkpoint(named.unionByName(baselines.by_handset(asked, lake.read(DEVICES))))
    named = named.unionByName(baselines.combined(named))
    tables = {table: lake.read(table) for table in (USAGE, EDGES, DEVICES, SUBSCRIBERS)}
    linked = splinked.by_splink(asked, tables, settings.reentry)
    named = named.unionByName(lake.spark.createDataFrame(linked, splinked.COLUMNS))
    ways = baselines.best(named, true).groupby("name")
    return {str(name): ranked(baselines.steps(rows), total, evident) for name, rows in ways}
