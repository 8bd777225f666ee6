"""Started by a test, in a process whose Spark reaches the object store: the chain again, both lakes compared, and writers that race."""

from __future__ import annotations

import argparse
import json
import sys
import threading
from collections import Counter
from pathlib import Path

from pyspark.sql import SparkSession

from churnlake.core import leases
from churnlake.core.console import Console
from churnlake.core.lineage import Lineage
from churnlake.core.runner import run_chain
from churnlake.core.runs import EVER, parse_days
from churnlake.core.session import session
from churnlake.core.settings import load
from churnlake.core.storage import Storage
from churnlake.evaluate.content import compared
from churnlake.settings import Settings
from churnlake.tables.clean import SMS


def races(spark: SparkSession, root: str) -> dict[str, int]:
    """Of three that make one lease at once, how many got it: times that was so."""
    won: Counter[str] = Counter()
    for turn in range(10):
        gate, got = threading.Barrier(3), []

        def make(name: str, job: str = f"job_{turn}", gate: threading.Barrier = gate, got: list[str] = got) -> None:
            files = leases._HadoopFiles(spark, root)
            gate.wait()
            if files.create(job, leases._text({"run_id": name})):
                got.append(name)

        threads = [threading.Thread(target=make, args=(f"run{n}",)) for n in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        won[str(len(got))] += 1
    return dict(won)


def left_half_made(spark: SparkSession, root: str) -> int:
    """The first version of a table whose log a killed run left without a commit."""
    storage = Storage(spark, f"{root}-half")
    folder, files = storage._folder(f"{storage.path(SMS)}/_delta_log/_staged_commits")
    files.mkdirs(folder)
    storage.create(SMS)
    return storage.version(SMS)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("against")
    parser.add_argument("run")
    for name in ("--until", "--env", "--dates"):
        parser.add_argument(name)
    parser.add_argument("--set", action="append")
    asked = parser.parse_args()
    settings, lineage = load(Settings, asked.env, asked.set), Lineage.of_package()
    with session(settings.spark, Path(settings.store.work) / "logs") as spark:
        other = settings.store.model_copy(update={"lake": asked.against, "vault": ""})
        before = compared(spark, settings, other, EVER)
        run_chain(spark, settings, lineage.chain(until=asked.until), parse_days(asked.dates), Console(), makers=lineage.makers)
        after = compared(spark, settings, other, EVER)
        told = {
            "tables": len(after),
            "unlike": [str(one) for one in (*before, *after) if not one.is_equal],
            "leases": races(spark, settings.store.lake),
            "half_made": left_half_made(spark, settings.store.lake),
        }
    sys.stdout.write(f"told {json.dumps(told)}\n")
