"""Make a city: landing files as an operator delivers them, and beside them the truth."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import astuple
from functools import reduce
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churnlake.city import (
    campaigns,
    ceiling,
    circles,
    counter,
    discontent,
    edges,
    events,
    faults,
    handsets,
    incidents,
    leaving,
    money,
    people,
    records,
    registers,
    services,
    spoiled,
    survey,
    write,
)
from churnlake.city.dice import Dice
from churnlake.city.settings import CityScenario, scenario

__all__ = ["generate", "scenario"]
PERSONS_A_TASK, RECORDS_A_TASK = 100_000, 500_000
"""What a task can hold in memory beside another one, on a machine of 8 GB."""
DIFFERENT = ("record_no", "peer", "number", "user_id", "imei", "second", "bytes", "strength")
"""Columns whose values hardly come twice: a dictionary of them is made in vain."""


def generate(spark: SparkSession, scenario: CityScenario, seed: int, landing: Path, truth: Path) -> dict[str, int]:
    """Lines written by feed (``voice`` ...), before files are spoiled; faults (``faults``, ``faults.<kind>``) and ``incidents`` planted.

    The same scenario and seed give the same bytes. A folder that already holds this city is left as it is. Raises
    ContractError when it holds anything else.
    """
    known = write.made(landing, truth, scenario, seed)
    if known is not None:
        return known
    with configured(spark, _sized(spark, scenario)):
        counts = _make(spark, scenario, seed, landing, truth)
    write.sign(landing, scenario, seed, counts)
    return counts


def _make(spark: SparkSession, scenario: CityScenario, seed: int, landing: Path, truth: Path) -> dict[str, int]:
    dice = Dice(seed)
    # before anything is written: it may be refused
    plan = incidents.planned(spark, scenario, dice)
    building = landing / write.BUILDING
    building.mkdir(parents=True, exist_ok=True)

    def kept(frame: DataFrame, name: str) -> DataFrame:
        """One row per row of ``frame``, from disk: each step is used by many others and must not be worked out again."""
        writer = frame.write.mode("overwrite").option("compression", "lz4")
        for column in DIFFERENT:
            writer = writer.option(f"parquet.enable.dictionary#{column}", "false")
        writer.parquet(str(building / name))
        return spark.read.schema(frame.schema).parquet(str(building / name))

    persons = kept(people.persons(spark, scenario, dice), "persons")
    contacts = kept(circles.contacts(persons, scenario, dice), "contacts")
    carriers = circles.carrying(contacts, scenario, dice)
    lives = kept(leaving.lives(persons, carriers, scenario, dice, kept), "lives")
    parties = kept(events.parties(persons, leaving.held(lives, scenario, dice), scenario), "parties")
    ties = kept(circles.ties(contacts, persons, lives, scenario, dice), "ties")
    rated = events.rated(ties, parties, scenario, dice)
    level = events.levels(rated, parties, scenario)
    told = {
        "users": registers.users_truth(lives, persons, scenario),
        "reentries": registers.reentries_truth(lives, scenario),
        "decoys": registers.decoys_truth(lives),
        "hazard": discontent.hazard(lives, scenario),
    }
    if scenario.records.form == "edges":
        counts = _edges(spark, persons, lives, parties, rated, level, scenario, dice, landing)
        if scenario.records.by == "week":
            met, sent_on = (spark.read.parquet(str(landing / name)) for name in ("edges", "forwards"))
            told["visible"] = ceiling.visible(ceiling.of_weeks(met, sent_on, scenario), lives, carriers, scenario)
    else:
        touched = events.planned(rated, level, scenario, dice).unionByName(events.bursts(ties, lives, scenario, dice))
        first, last = scenario.written
        slices = max(8, round(scenario.persons * (last - first + 1) * scenario.records.per_user_day / RECORDS_A_TASK))
        with configured(spark, _as_written()):
            happened = events.events(touched, parties, scenario, dice, slices)
            written = kept(records.records(happened, scenario, dice), "records")
        counts, wrong = _lines(spark, written, plan, scenario, dice, landing, kept)
        more, market = _registers(spark, persons, lives, written, scenario, dice, landing, kept)
        counts |= more
        told |= {**wrong, **market, "outages": registers.outages_truth(spark, scenario, dice)}
        if last - first + 1 >= ceiling.RECENT * 2:
            told["visible"] = ceiling.visible(ceiling.of_records(written), lives, carriers, scenario)
    _tell(told, scenario, truth)
    shutil.rmtree(building)
    return counts


Kept = Callable[[DataFrame, str], DataFrame]


def _lines(
    spark: SparkSession,
    written: DataFrame,
    plan: list[incidents.Incident],
    scenario: CityScenario,
    dice: Dice,
    landing: Path,
    kept: Kept,
) -> tuple[dict[str, int], dict[str, DataFrame]]:
    """Write the records' files and spoil some; counts, and the truth of faults and incidents."""
    befallen = incidents.befallen(faults.dealt(written, scenario), plan, dice)
    planted = faults.planted(incidents.left(befallen), scenario, dice, incidents.struck(plan))
    days = [str(day) for day in scenario.deliveries if (day - scenario.first_day).days >= scenario.written[0]]
    due = dict.fromkeys(faults.HEADERS, days)
    counts = write.files(faults.lines(planted, scenario), faults.HEADERS, due, landing, "lines", scenario.files_per_delivery)
    wrong = kept(faults.faults_truth(planted, scenario), "faults")
    kinds = {row["kind"]: int(row["count"]) for row in wrong.groupBy("kind").count().collect()}
    counts |= {"faults": sum(kinds.values()), **{f"faults.{kind}": kinds.get(kind, 0) for kind in sorted(scenario.faults)}}
    struck = [*incidents.of_days(befallen, plan, scenario), *spoiled.spoil(plan, scenario, landing)]
    counts["incidents"] = len(struck)
    return counts, {"faults": wrong, "incidents": spark.createDataFrame([astuple(row) for row in struck], incidents.HAPPENED)}


def _edges(
    spark: SparkSession, persons: DataFrame, lives: DataFrame, parties: DataFrame, rated: DataFrame, level: list[float],
    scenario: CityScenario, dice: Dice, landing: Path,
) -> dict[str, int]:  # fmt: skip
    """Write edges/month=<first day>/, forwards/ (of weeks) and lifecycle/ as Parquet, and the registers that need no records; rows of all."""
    with configured(spark, _as_written()):
        met = edges.edges(rated, parties, level, scenario, dice)
        _dealt(met, scenario, "USER_ID", "month").write.partitionBy("month").parquet(str(landing / "edges"))
    if scenario.records.by == "week":
        sent_on = edges.forwards(spark.read.parquet(str(landing / "edges")), parties, scenario, dice)
        _dealt(sent_on, scenario, "USER_ID").write.parquet(str(landing / "forwards"))
    used = edges.lifecycle(lives, persons, scenario, dice)
    _dealt(used, scenario, "USER_ID").write.parquet(str(landing / "lifecycle"))
    due = _known(spark, persons, lives, scenario, dice)
    counts = _register_files(due, scenario, landing)
    made = ("edges", "forwards", "lifecycle") if scenario.records.by == "week" else ("edges", "lifecycle")
    return {name: spark.read.parquet(str(landing / name)).count() for name in made} | counts


def _tell(told: dict[str, DataFrame], scenario: CityScenario, truth: Path) -> None:
    """Write the truth, one folder for each frame."""
    shutil.rmtree(truth, ignore_errors=True)
    for name, frame in told.items():
        _dealt(frame, scenario, frame.columns[0]).write.parquet(str(truth / name))


def _dealt(frame: DataFrame, scenario: CityScenario, by: str, *first: str) -> DataFrame:
    """The rows in files that are the same however they were made: dealt by a column, sorted by ``first`` and then by all the others."""
    parts = scenario.persons // PERSONS_A_TASK
    dealt = frame.repartition(parts, by) if parts > 1 else frame.coalesce(1)
    return dealt.sortWithinPartitions(*first, *[name for name in frame.columns if name not in first])


def _as_written() -> dict[str, str]:
    """Configuration by which the optimiser leaves filters and projections where they stand.

    Records are worked out in steps that each use the draws of the step before many times over. Pushing a filter down, or merging
    two steps, would paste the text of each draw into each of its uses, and the cost would double at every step.
    """
    rules = ("PushDownPredicates", "CollapseProject", "InferFiltersFromGenerate")
    names = ",".join(f"org.apache.spark.sql.catalyst.optimizer.{rule}" for rule in rules)
    return {"spark.sql.optimizer.excludedRules": names}


def _sized(spark: SparkSession, scenario: CityScenario) -> dict[str, str]:
    """Configuration that keeps each task's share of a big city in memory, and its generated code within what a JVM compiles well.

    A step with some dozens of draws makes one method of 10,000 to 25,000 bytes. The JVM's compilers run out of nodes or registers
    on some of those, now and then one on both, and it is then interpreted: the pairs of a full day took five times as long. Left
    to smaller methods, a city of a million took 230 s instead of 271 s and no step took longer.
    """
    known = int(spark.conf.get("spark.sql.shuffle.partitions") or 1)
    return {
        "spark.sql.shuffle.partitions": str(max(known, scenario.persons // PERSONS_A_TASK)),
        "spark.sql.files.maxPartitionBytes": "16m",
        "spark.sql.codegen.hugeMethodLimit": "8000",
        # one side of the joins is people, and fits; sorting pairs by the ten million for it is not worth it
        "spark.sql.adaptive.maxShuffledHashJoinLocalMapThreshold": "128m",
    }


@contextmanager
def configured(spark: SparkSession, conf: dict[str, str]) -> Iterator[None]:
    """The session with that configuration for a while."""
    known = {name: spark.conf.get(name, None) for name in conf}
    try:
        for name, value in conf.items():
            spark.conf.set(name, value)
        yield
    finally:
        for name, before in known.items():
            if before is None:
                spark.conf.unset(name)
            else:
                spark.conf.set(name, before)


Registers = dict[str, tuple[DataFrame, list[str]]]
"""By feed: the register with ``delivered``, and the days on which it is due."""


def _known(spark: SparkSession, persons: DataFrame, lives: DataFrame, scenario: CityScenario, dice: Dice) -> Registers:
    """The registers that nothing anybody does can change."""
    start, days = str(scenario.first_day), [str(day) for day in scenario.deliveries]
    once = F.lit(start)
    asked = {"answers": (survey.answers(lives, scenario, dice), survey.deliveries(scenario))} if survey.held(scenario) else {}
    return {
        **asked,
        "subscribers": (registers.subscribers(persons, lives, scenario, dice), list(dict.fromkeys([start, *days]))),
        "opt_outs": (registers.opt_outs(lives, scenario, dice), days),
        "plans": (money.plans(spark, scenario), money.plan_deliveries(scenario)),
        "handsets": (handsets.types(spark).withColumn("delivered", once), [start]),
        "cells": (registers.cells(spark, scenario).withColumn("delivered", once), [start]),
    }


def _registers(
    spark: SparkSession, persons: DataFrame, lives: DataFrame, written: DataFrame, scenario: CityScenario, dice: Dice,
    landing: Path, kept: Kept,
) -> tuple[dict[str, int], dict[str, DataFrame]]:  # fmt: skip
    """Write all registers; lines by feed, and the truth of campaigns."""
    cards = kept(money.recharges(written, lives, scenario, dice), "recharges")
    taken = kept(services.subscriptions(lives, persons, scenario, dice), "subscriptions")
    due = _known(spark, persons, lives, scenario, dice)
    always, days = due["subscribers"][1], [str(day) for day in scenario.deliveries]
    market = {}
    if campaigns.held(scenario):
        answered = kept(campaigns.responses(lives, persons, taken, cards, scenario, dice), "responses")
        cards = campaigns.recharged(cards, answered, scenario, dice)
        taken = kept(campaigns.subscribed(taken, answered, scenario, dice), "subscriptions_after")
        market = {"campaigns": campaigns.campaigns_truth(answered)}
        due["touches"] = (campaigns.touches(answered, scenario, dice), campaigns.deliveries(scenario))
    due["bills"] = (money.bills(written, lives, scenario, dice, taken), [day for _, day, _, _ in money.billed(scenario)])
    due["recharges"] = (money.recharge_file(cards, scenario), days)
    if scenario.services:
        due["subscriptions"] = (services.file(taken, scenario), always)
    if scenario.counter is not None:
        due["activations"] = (counter.activations(lives, scenario, scenario.counter, dice), days)
        due["joining_reviews"] = (counter.reviews(lives, scenario, scenario.counter, dice), days)
    return _register_files(due, scenario, landing), market


def _register_files(due: Registers, scenario: CityScenario, landing: Path) -> dict[str, int]:
    lines = [write.register_lines(frame, feed) for feed, (frame, _) in due.items()]
    headers = {feed: write.header(frame) for feed, (frame, _) in due.items()}
    return write.files(
        reduce(DataFrame.unionByName, lines), headers, {feed: days for feed, (_, days) in due.items()}, landing, "registers"
    )
