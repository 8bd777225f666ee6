"""Intake under files of unusual size and number: one of two gigabytes, fifty thousand of a few lines."""

from __future__ import annotations

import csv
import io
import random
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from churnlake.core.console import Console
from churnlake.core.errors import ContractError
from churnlake.core.job import Report
from churnlake.core.lineage import Lineage
from churnlake.core.session import peak_memory_mb
from churnlake.evaluate.content import lake_of
from churnlake.settings import Settings
from churnlake.tables.clean import VOICE

HEADER = "RECORD_NO,MSISDN,OPP_NUMBER,START_TIME,CALL_TYPE,DURATION,CALL_CLASS,LAC_CI,IMEI,THIRD_NUMBER,RELEASE,FEE_FEN"
DAY = "2005-05-17"
NUMBERS = 100_000
KINDS = 20_000
"""Different lines but for their record number: enough that nothing is small by chance, few enough to be written at the disk's speed."""


@dataclass(frozen=True)
class Written:
    """What was put into the landing folder."""

    lines: int
    seconds_called: int
    bytes: int


def strain(spark: SparkSession, settings: Settings, files: int, megabytes: float, console: Console) -> None:
    """Write so many plain voice files of one day, some MB in all; take them in, build the day, take them in again; print what it took.

    Raises ContractError where rows, lines and seconds called do not agree with what was written, or the second run took anything in.
    """
    landing = Path(settings.store.landing)
    shutil.rmtree(landing.parent, ignore_errors=True)
    made = write(landing, files, round(megabytes * 1e6))
    console.say(f"{files:,} files, {made.lines:,} lines, {made.bytes / 1e6:,.0f} MB written")
    reports = [_run(spark, settings, job) for job in ("ingest_usage", "build_daily")]
    began = time.monotonic()
    again = _run(spark, settings, "ingest_usage")
    lake = lake_of(spark, settings, reports[0].days, VOICE)
    found = lake.ledger(VOICE).agg(
        F.count("*").alias("rows"), F.expr("count_if(state = 'good')").alias("good"), F.sum("seconds").alias("called"),
        F.countDistinct("file_id").alias("files"),
    ).first()  # fmt: skip
    assert found is not None
    console.summary(
        f"{files:,} files of {made.bytes / 1e6:,.0f} MB in all",
        [
            ("rows", f"{found['good']:,} good of {found['rows']:,}; lines written: {made.lines:,}"),
            *((report.job, f"{report.seconds:.1f} s") for report in reports),
            ("run again", f"{again.rows_in:,} rows in, {time.monotonic() - began:.1f} s"),
            ("peak memory", f"{peak_memory_mb() or 0:,} MB, Python and JVM"),
        ],
    )
    wanted = {"rows": made.lines, "good": made.lines, "called": made.seconds_called, "files": files}
    wrong: dict[str, object] = {name: (value, found[name]) for name, value in wanted.items() if value != found[name]}
    if wrong or again.rows_in:
        raise ContractError(f"written and taken in differ: {wrong or again.rows_in}")


def write(landing: Path, files: int, size: int) -> Written:
    """Voice files as the operator's city delivers them, uncompressed, some ``size`` bytes in all; every line has a record number of its own."""
    folder = landing / "voice" / f"date={DAY}"
    folder.mkdir(parents=True)
    dice = random.Random(2005)
    numbers = [f"13{dice.randrange(4, 10)}{dice.randrange(10**8):08}" for _ in range(NUMBERS)]
    kinds = [_call(dice, numbers) for _ in range(KINDS)]
    total = max(files, size // (len(kinds[0][0]) + 13))
    called = written = line = 0
    for number in range(files):
        path = folder / f"voice_{number:06}.csv"
        until = total * (number + 1) // files
        with path.open("w", encoding="utf-8", buffering=1 << 20) as out:
            out.write(HEADER + "\n")
            for start in range(line, until, KINDS):
                some = range(start, min(start + KINDS, until))
                out.write("".join(f"{n:012},{kinds[n % KINDS][0]}\n" for n in some))
                called += sum(kinds[n % KINDS][1] for n in some)
        line = until
        written += path.stat().st_size
    return Written(total, called, written)


def _call(dice: random.Random, numbers: list[str]) -> tuple[str, int]:
    """A line without its record number, and its seconds."""
    second, seconds = dice.randrange(86_400), dice.randrange(600)
    time_ = f"{DAY.replace('-', '')}{second // 3600:02}{second // 60 % 60:02}{second % 60:02}"
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(
        [dice.choice(numbers), dice.choice(numbers), time_, dice.choice("001"), seconds, "D", f"1001-{dice.randrange(999):03}",
         f"35{dice.randrange(10**12):012}0", "", "0", dice.randrange(200)]
    )  # fmt: skip
    return text.getvalue(), seconds


def _run(spark: SparkSession, settings: Settings, name: str) -> Report:
    lineage = Lineage.of_package()
    (job,) = lineage.chain(only=name)
    return job.run(spark, settings, None, makers=lineage.makers)
