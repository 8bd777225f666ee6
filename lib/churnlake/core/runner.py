"""The local runner: jobs in lineage order in one JVM, each leaving the session as it found it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from pyspark.sql import SparkSession

from churnlake.core.console import Console
from churnlake.core.job import Job, Report
from churnlake.core.lake import Lake, Scope
from churnlake.core.runs import EVER, Days
from churnlake.core.settings import CoreSettings


def run_chain(
    spark: SparkSession, settings: CoreSettings, jobs: Sequence[Job], days: Days | None, console: Console, *,
    makers: Mapping[str, str], budgets: Mapping[str, float] | None = None, restate: bool = False,
    chain: str | None = None,
) -> list[Report]:  # fmt: skip
    """Run the jobs one after the other; a line on the console for each. The first that fails stops the chain.

    A job whose input an earlier one of the chain had no reason to make yet (no month is over) waits for another run. In the run log
    they are one ``chain``, of a name made here where none is given.
    """
    reports: list[Report] = []
    chain = chain or uuid.uuid4().hex[:12]
    done: set[str] = set()
    for job in jobs:
        lake = Lake(spark, settings.store, Scope("", days or EVER, job.reads, ()))
        lacks = [t.name for t in job.reads if t.stored and makers.get(t.name) in done and not lake.has(t)]
        done.add(job.name)
        if lacks:
            console.say(f"[dim]–[/dim] {job.name:<17} waits: no {', '.join(lacks)} yet")
            continue
        with console.job(job.name), as_it_was(spark):
            report = job.run(spark, settings, days, makers=dict(makers), restate=restate, chain=chain)
        console.done(report, (budgets or {}).get(job.name))
        reports.append(report)
    return reports


@contextmanager
def as_it_was(spark: SparkSession) -> Iterator[None]:
    """Restore the SQL configuration and drop cached frames when done."""
    before = dict(spark.conf.getAll)
    try:
        yield
    finally:
        spark.catalog.clearCache()
        now = dict(spark.conf.getAll)
        for key in now.keys() - before.keys():
            spark.conf.unset(key)
        for key, value in before.items():
            if now.get(key) != value and spark.conf.isModifiable(key):
                spark.conf.set(key, value)
