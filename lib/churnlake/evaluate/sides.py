"""The two sides of a bench: each in a process of its own, pinned to the same cores, and what Spark's event log tells of one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from churnlake.core.errors import SettingsError
from churnlake.core.job import Report
from churnlake.core.lake import TABLE_WRITTEN
from churnlake.settings import Settings


def pin(cores: int) -> None:
    """Keep this process and all it starts to so many cores, as far as the system knows how."""
    if hasattr(os, "sched_setaffinity"):
        own = sorted(os.sched_getaffinity(0))
        if cores > len(own):
            raise SettingsError(f"--cores {cores}: this machine gives {len(own)}")
        os.sched_setaffinity(0, set(own[:cores]))


def apart(module: str, side: str, asked: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """What one side finds, run in a process of its own, so that memory and compiled code are its own."""
    command = [sys.executable, "-m", module, side, json.dumps(asked), settings.model_dump_json()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        # what went wrong is the last line of a trace
        raise RuntimeError(
            f"the {side} side failed: {(done.stderr.strip().splitlines() or ['nothing said'])[-1][:2000]}\n{done.stderr}"
        )
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def logged(settings: Settings, home: Path, cores: int) -> tuple[Settings, Path]:
    """The settings with that many cores, the folders of a bench below ``home`` and an event log; and the folder of the log, emptied."""
    events = home / "work" / "events"
    shutil.rmtree(events, ignore_errors=True)
    events.mkdir(parents=True)
    places = {"lake": str(home / "lake"), "landing": str(home / "landing"), "work": str(home / "work")}
    conf = {"spark.eventLog.enabled": "true", "spark.eventLog.dir": events.resolve().as_uri(), "spark.eventLog.compress": "false",
            "spark.eventLog.rolling.enabled": "false"}  # fmt: skip
    spark = settings.spark.model_copy(update={"master": f"local[{cores}]", "conf": {**settings.spark.conf, **conf}})
    return settings.model_copy(update={"store": settings.store.model_copy(update=places), "spark": spark}), events


def steps(report: Report, tasks: dict[str, tuple[float, int]]) -> list[dict[str, Any]]:
    """A job's tables as steps, and before them, as one step, what else it took (finding, hashing, counting files).

    Tables are written side by side; each is given its part, by the time of its tasks, of the seconds they took together.
    """
    writing = max(w.ended for w in report.written) - min(w.ended - w.seconds for w in report.written)
    worked = sum(tasks[w.table.name][0] for w in report.written)
    besides = {"name": report.job, "seconds": report.seconds - writing, "shuffle_bytes": 0}
    parts = [(w.table.name, *tasks[w.table.name]) for w in report.written]
    return [
        besides,
        *({"name": name, "seconds": writing * seconds / worked, "shuffle_bytes": size} for name, seconds, size in parts),
    ]


def tasks(log: Path) -> dict[str, tuple[float, int]]:
    """By table that a job wrote, the seconds its tasks ran and the shuffle bytes they wrote, from Spark's event log."""
    tables: dict[int, str] = {}
    found: dict[str, tuple[float, int]] = {}
    with log.open(encoding="utf-8") as lines:
        for line in lines:
            if line.startswith('{"Event":"SparkListenerJobStart"'):
                job = json.loads(line)
                tables |= dict.fromkeys(job["Stage IDs"], job.get("Properties", {}).get(TABLE_WRITTEN, ""))
            elif line.startswith('{"Event":"SparkListenerTaskEnd"'):
                task = json.loads(line)
                table, info = tables.get(task["Stage ID"], ""), task["Task Info"]
                size = task.get("Task Metrics", {}).get("Shuffle Write Metrics", {}).get("Shuffle Bytes Written", 0)
                seconds, before = found.get(table, (0.0, 0))
                found[table] = (seconds + (info["Finish Time"] - info["Launch Time"]) / 1000, before + size)
    return found
