"""Make a city's landing files and nothing else, and say what it took."""

from __future__ import annotations

import time
from pathlib import Path

from churnlake.city.generate import generate, scenario
from churnlake.core.console import Console
from churnlake.core.job import log_to
from churnlake.core.session import peak_memory_mb, session
from churnlake.settings import Settings

BIG, BIG_MEMORY = 1_000_000, "6g"
"""A city of so many persons gets that much memory, where the settings say nothing else: a machine of 8 GB has it."""
RECORDS = ("voice", "sms", "mms", "wap", "edges")


def make_city(settings: Settings, console: Console, given_memory: bool) -> dict[str, int]:
    """Make one city where the settings say and print lines, time, and memory; the lines by feed."""
    city = scenario(settings.city.scenario)
    spark_settings = settings.spark
    if city.persons >= BIG and not given_memory:
        spark_settings = spark_settings.model_copy(update={"driver_memory": BIG_MEMORY})
    landing, truth = Path(settings.store.landing), Path(settings.city.truth)
    logs = Path(settings.store.work).resolve() / "logs"
    log_to(logs, settings.store.log_format)
    console.say(f"city {city.name}, seed {settings.city.seed}: {city.users:,} people, {city.first_day}..{city.last_day}")
    began = time.monotonic()
    with session(spark_settings, logs) as spark:
        counts = generate(spark, city, settings.city.seed, landing, truth)
        seconds, peak = time.monotonic() - began, peak_memory_mb()
    written = sum(counts.get(feed, 0) for feed in RECORDS)
    lines = [(feed, f"{count:,}") for feed, count in counts.items() if not feed.startswith("faults.")]
    lines += [
        ("records in all", f"{written:,}"),
        ("time", f"{seconds:.0f} s, session included; {written / seconds:,.0f} records a second"),
        ("peak memory", f"{peak:,} MB, Python and JVM together" if peak else "not known here"),
        ("landing files", str(landing.resolve())),
        ("truth, apart", str(truth.resolve())),
    ]
    console.summary(f"City {city.name}, seed {settings.city.seed}", lines)
    return counts
