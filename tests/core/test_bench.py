"""How the bench shares out the seconds of tables that were written side by side."""

import datetime as dt
import json
from pathlib import Path

from churnlake.core.job import Report
from churnlake.core.lake import TABLE_WRITTEN, Written
from churnlake.core.runs import Days
from churnlake.evaluate import jit
from churnlake.evaluate.one_by_one import ADDED_UP
from churnlake.evaluate.sides import steps, tasks
from churnlake.indicators import INDICATORS
from churnlake.tables.daily import EDGES, USAGE

DAY = dt.date(2005, 5, 1)


def test_each_table_has_its_part_of_the_time_by_its_tasks_and_its_own_shuffle(tmp_path: Path) -> None:
    def started(stages: list[int], table: str | None) -> dict[str, object]:
        return {"Event": "SparkListenerJobStart", "Stage IDs": stages, "Properties": {TABLE_WRITTEN: table} if table else {}}

    def ended(stage: int, began: int, end: int, size: int) -> dict[str, object]:
        told = {"Shuffle Write Metrics": {"Shuffle Bytes Written": size}}
        info = {"Launch Time": began, "Finish Time": end}
        return {"Event": "SparkListenerTaskEnd", "Stage ID": stage, "Task Info": info, "Task Metrics": told}

    events = [
        started([1, 2], USAGE.name), started([3], EDGES.name), started([4], None),
        ended(1, 0, 3000, 10), ended(2, 3000, 6000, 5), ended(3, 0, 2000, 7), ended(4, 0, 9000, 99),
    ]  # fmt: skip
    log = tmp_path / "log"
    log.write_text("".join(json.dumps(event, separators=(",", ":")) + "\n" for event in events))
    of_tables = tasks(log)
    assert of_tables == {USAGE.name: (6.0, 15), EDGES.name: (2.0, 7), "": (9.0, 99)}
    written = [Written(USAGE, [], 1, 1, seconds=9.0, ended=110.0), Written(EDGES, [], 1, 1, seconds=8.0, ended=109.5)]
    found = steps(Report("build_daily", Days(DAY, DAY), 0, written, [], {}, 12.0), of_tables)
    assert [(s["name"], s["seconds"], s["shuffle_bytes"]) for s in found] == [
        ("build_daily", 3.0, 0), (USAGE.name, 6.75, 15), (EDGES.name, 2.25, 7),
    ]  # fmt: skip


def test_methods_too_long_to_compile_are_named_from_sparks_log(tmp_path: Path) -> None:
    log = tmp_path / "spark.log"
    assert (jit.too_long(log), jit.fallbacks(log)) == ({}, 0)
    said = "Generated method too long to be JIT compiled: org.apache.spark.sql.catalyst.expressions.GeneratedClass$Stage8.write_0$ is 8007 bytes"
    log.write_text(
        f"22:46:57 INFO CodeGenerator: {said}\n22:46:58 INFO CodeGenerator: Code generated in 9 ms\n"
        "22:47:00 WARN WholeStageCodegenExec: Whole-stage codegen disabled for plan (id=8)\n"
    )
    assert (jit.too_long(log), jit.fallbacks(log)) == ({"write_0": 8007}, 1)


def test_one_sum_is_told_from_a_formula_of_several() -> None:
    of_days = {i.name: i.monthly for i in INDICATORS if i.over == "days"}
    found = ADDED_UP.fullmatch(of_days["own_events_7d"])
    assert found is not None
    assert found.groupdict() == {"column": "own_events", "condition": "days_back < 7"}
    assert ADDED_UP.fullmatch(of_days["own_events_late_ratio"]) is None
    assert ADDED_UP.fullmatch(of_days["voice_out_calls_mon"]) is not None
