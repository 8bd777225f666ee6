"""Make a city: landing files as an operator delivers them, and beside them the truth."""

from __future__ import annotations

import shutil
from dataclasses import astuple
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from churnlake.city import (
    ceiling,
    circles,
    discontent,
    faults,
    handsets,
    incidents,
    leaving,
    money,
    people,
    records,
    registers,
    spoiled,
    write,
)
from churnlake.city.dice import Dice
from churnlake.city.settings import CityScenario, scenario

__all__ = ["generate", "scenario"]


def generate(spark: SparkSession, scenario: CityScenario, seed: int, landing: Path, truth: Path) -> dict[str, int]:
    """Lines written by feed (``voice`` ...), before files are spoiled; faults (``faults``, ``faults.<kind>``) and ``incidents`` planted.

    The same scenario and seed give the same bytes. A folder that already holds this city is left as it is. Raises
    ContractError when it holds anything else.
    """
    known = write.made(landing, truth, scenario, seed)
    if known is not None:
        return known
    building = landing / write.BUILDING
    building.mkdir(parents=True, exist_ok=True)
    dice = Dice(seed)

    def kept(frame: DataFrame, name: str) -> DataFrame:
        """One row per row of ``frame``, from disk: each step is used by many others and must not be worked out again."""
        frame.write.mode("overwrite").option("compression", "zstd").parquet(str(building / name))
        return spark.read.schema(frame.schema).parquet(str(building / name))

    persons = kept(people.persons(spark, scenario, dice), "persons")
    contacts = kept(circles.contacts(persons, scenario, dice), "contacts")
    lives = kept(leaving.lives(persons, contacts, scenario, dice, kept), "lives")
    hubs = people.hubs(spark, scenario)
    pairs = kept(circles.ties(contacts, persons, lives, hubs, scenario, dice), "ties")
    held = leaving.held(lives, scenario, dice)
    numbers = kept(records.numbers(persons, held, people.offnet(spark, scenario, dice), hubs, scenario, dice), "numbers")
    parties = kept(records.parties(numbers, scenario), "parties")
    rated = kept(records.rated(pairs, parties, people.hub_id(scenario, people.HUBS[0][0])), "rated")
    level = records.levels(rated, parties, scenario)
    slices = records.partition_count(scenario)
    events = records.events(records.spread(rated, slices), level, scenario, dice)
    written = kept(records.records(events, numbers, scenario, dice), "records")

    plan = incidents.planned(spark, scenario, dice)
    befallen = incidents.befallen(faults.dealt(written, scenario), plan, dice)
    planted = faults.planted(incidents.left(befallen), scenario, dice, incidents.struck(plan))
    days = [str(day) for day in scenario.deliveries if (day - scenario.first_day).days >= scenario.written[0]]
    due = dict.fromkeys(faults.HEADERS, days)
    counts = write.files(
        faults.lines(planted, scenario), faults.HEADERS, due, landing, "lines", slices, scenario.files_per_delivery
    )
    counts |= _registers(spark, persons, lives, written, scenario, dice, landing)
    wrong = kept(faults.faults_truth(planted, scenario), "faults")
    kinds = {row["kind"]: int(row["count"]) for row in wrong.groupBy("kind").count().collect()}
    counts |= {"faults": sum(kinds.values()), **{f"faults.{kind}": kinds.get(kind, 0) for kind in sorted(scenario.faults)}}
    happened = [*incidents.of_days(befallen, plan, scenario), *spoiled.spoil(plan, scenario, landing)]
    counts["incidents"] = len(happened)

    shutil.rmtree(truth, ignore_errors=True)
    for name, frame in {
        "users": registers.users_truth(lives, scenario),
        "reentries": registers.reentries_truth(lives, scenario),
        "decoys": registers.decoys_truth(lives),
        "hazard": discontent.hazard(lives, scenario),
        "visible": ceiling.visible(written, lives, contacts, scenario),
        "faults": wrong,
        "incidents": spark.createDataFrame([astuple(row) for row in happened], incidents.HAPPENED),
    }.items():
        frame.coalesce(1).sortWithinPartitions(*frame.columns).write.parquet(str(truth / name))
    shutil.rmtree(building)
    write.sign(landing, scenario, seed, counts)
    return counts


def _registers(
    spark: SparkSession,
    persons: DataFrame,
    lives: DataFrame,
    written: DataFrame,
    scenario: CityScenario,
    dice: Dice,
    landing: Path,
) -> dict[str, int]:
    first = f"'{scenario.first_day}'"
    subscribers = registers.subscribers(persons, lives, scenario, dice)
    bills = money.bills(written, lives, scenario, dice)
    cards = money.recharge_file(money.recharges(written, lives, scenario, dice), scenario)
    plans, types, cells = money.plans(spark, scenario), handsets.types(spark), registers.cells(spark, scenario)
    frames = {
        "subscribers": (subscribers, "delivered", ("USER_ID",)),
        "plans": (plans, first, ("PLAN_CODE",)),
        "bills": (bills, "delivered", ("USER_ID",)),
        "recharges": (cards, "delivered", ("PAY_TIME", "PAY_NO")),
        "handsets": (types, first, ("TAC",)),
        "cells": (cells, first, ("CELL_ID",)),
    }
    lines = None
    for feed, (frame, delivered, order) in frames.items():
        more = write.register_lines(frame, feed, delivered, order)
        lines = more if lines is None else lines.unionByName(more)
    assert lines is not None
    headers = {feed: write.header(frame) for feed, (frame, _, _) in frames.items()}
    start, days = str(scenario.first_day), [str(day) for day in scenario.deliveries]
    due = {
        "subscribers": list(dict.fromkeys([start, *days])),
        "plans": [start],
        "bills": [day for _, day, _, _ in money.billed(scenario)],
        "recharges": days,
        "handsets": [start],
        "cells": [start],
    }
    return write.files(lines, headers, due, landing, "registers", 4)
