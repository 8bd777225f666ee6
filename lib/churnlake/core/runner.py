"""The local runner: jobs in lineage order in one JVM, each leaving the session as it found it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from pyspark.sql import SparkSession

from churnlake.core.console import Console
from churnlake.core.job import Job, Report
from churnlake.core.runs import Days
from churnlake.core.settings import CoreSettings


def run_chain(
    spark: SparkSession, settings: CoreSettings, jobs: Sequence[Job], days: Days | None, console: Console, *,
    makers: Mapping[str, str], budgets: Mapping[str, float] | None = None, restate: bool = False,
) -> list[Report]:  # fmt: skip
    """Run the jobs one after the other; a line on the console for each. The first that fails stops the chain."""
    reports = []
    for job in jobs:
        with console.job(job.name), as_it_was(spark):
            report = job.run(spark, settings, days, makers=dict(makers), restate=restate)
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
