"""One session factory for a laptop, spark-submit and Databricks. It never stops a session it did not start."""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from pyspark import SparkContext
from pyspark.sql import SparkSession

from churnlake.core import jars, openlineage
from churnlake.core.errors import SettingsError
from churnlake.core.settings import SparkSettings

logger = logging.getLogger(__name__)

SUPPORTED_JAVA = ("17", "21")
ALWAYS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.csv.parser.columnPruning.enabled": "false",
    # good, bad and duplicate rows go to files of their own as they come, not after a sort by state
    "spark.sql.maxConcurrentOutputFileWriters": "8",
}
OWN_JVM = (
    # Generated methods of wide tables pass the 8,000 bytes beyond which a JVM leaves a method uncompiled; compiled, they are two
    # to four times as fast as plain evaluation. A JVM started by others keeps its own limit (conf/base.yaml).
    "-XX:-DontCompileHugeMethods "
    # On two cores the compiler took a third of the time, half of it for code that runs for seconds only: it starts later.
    "-XX:Tier4InvocationThreshold=25000 -XX:Tier4MinInvocationThreshold=3000 "
    "-XX:Tier4CompileThreshold=75000 -XX:Tier4BackEdgeThreshold=200000 "
    # Of a method that writes a row of dozens of columns the compiler of last resort makes 400 KB in 16 s, again for each plan, and no
    # faster than the first compiler's: beyond so many nodes it gives up (88 s of a day's sums became 54). Default 80,000 and 2,000.
    "-XX:MaxNodeLimit=20000 -XX:NodeLimitFudgeFactor=1000 "
    # G1 works beside the program, which has no core to spare: 18 % less CPU in all with the collector that stops and works.
    "-XX:+UseParallelGC"
)
"""Options of a JVM that this house starts: one program on a few cores, many queries of some seconds each."""


def get_session(settings: SparkSettings, log_folder: Path | None = None) -> tuple[SparkSession, bool]:
    """The running session if there is one, else a new one; and whether it was started here.

    Master and memory are set only where nobody has given them yet (a bare Python process): under spark-submit and on
    Databricks they come from the submit line or the cluster.
    """
    running = _running()
    if running is not None:
        for key, value in ALWAYS.items():
            running.conf.set(key, value)
        if settings.openlineage and openlineage.LISTENER not in str(running.conf.get("spark.extraListeners", "")):
            raise SettingsError(
                "spark.openlineage is set, but Spark was started without its listener; give the cluster its jar and settings (docs/operating.md)"
            )
        return running, False
    builder = SparkSession.builder.appName("churnlake")
    given = openlineage.conf(settings.openlineage, log_folder, settings.conf) if settings.openlineage else settings.conf
    for key, value in {**given, **ALWAYS}.items():
        builder = builder.config(key, value)
    submitted = is_submitted()
    if not submitted:
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
        builder = builder.master(settings.master).config("spark.driver.memory", settings.driver_memory)
        files = jars.installed(settings.jars, settings.groups)
        if files:
            builder = builder.config("spark.jars", ",".join(files))
        builder = builder.config("spark.sql.codegen.hugeMethodLimit", "65535")
        options = f"{settings.java_options} {OWN_JVM}"
        if log_folder is not None:
            log_folder.mkdir(parents=True, exist_ok=True)
            options = f"{options} {_quiet(log_folder)}"
            # each of many boosted trees is taught by what those before it say: cut from them every ten, or each task is told of them all;
            # of a master elsewhere a job keeps such rows in the lake (core.checkpoints), as executors do not reach this folder
            if settings.master.startswith("local"):
                builder = builder.config("spark.checkpoint.dir", str((log_folder.parent / "checkpoints").resolve()))
        builder = builder.config("spark.driver.extraJavaOptions", options)
    builder = builder.config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
    builder = builder.config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
    builder = builder.config("spark.sql.shuffle.partitions", str(settings.shuffle_partitions))
    quiet = log_folder is not None and not submitted
    with _output_to(log_folder / "jvm.log") if quiet and log_folder else nullcontext():
        return builder.getOrCreate(), True


def is_submitted() -> bool:
    """Whether spark-submit started this process: master, memory and jars then come from the submit line."""
    return "SPARK_ENV_LOADED" in os.environ or "PYSPARK_GATEWAY_PORT" in os.environ


def _running() -> SparkSession | None:
    """The session there is. A thread whose connection to the JVM broke, as on a machine that slept, gets another, which knows of no session."""
    found = SparkSession.getActiveSession()
    if found is None and SparkContext._active_spark_context is not None:
        return SparkSession.builder.getOrCreate()
    return found


@contextmanager
def session(settings: SparkSettings, log_folder: Path | None = None) -> Iterator[SparkSession]:
    """The session of ``get_session`` for a while; stopped at the end if it was started for it."""
    spark, started = get_session(settings, log_folder)
    try:
        yield spark
    finally:
        if started:
            spark.stop()


@contextmanager
def _output_to(path: Path) -> Iterator[None]:
    """Let a process that is started meanwhile write to a file: the JVM greets with warnings nobody can act on, and Delta tells of vacuums."""
    sys.stdout.flush()
    kept = {place: os.dup(place) for place in (1, 2)}
    with path.open("ab") as log:
        for place in kept:
            os.dup2(log.fileno(), place)
    try:
        yield
    finally:
        for place, was in kept.items():
            os.dup2(was, place)
            os.close(was)


def require_java() -> None:
    """Raise SettingsError with what to install when there is no Java 17 or 21 to start Spark with."""
    if _running() is None:
        java_found()


def java_found() -> tuple[str, str]:
    """Version and path of the Java that Spark is started with. Raises SettingsError where it is not 17 or 21, or none."""
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    try:
        told = subprocess.run([java or "java", "-version"], capture_output=True, text=True, timeout=30, check=True).stderr
    except (OSError, subprocess.SubprocessError):
        raise SettingsError(
            "Java not found; install Java 17 or 21 (Debian: apt-get install openjdk-17-jre-headless) or set JAVA_HOME"
        ) from None
    version = re.search(r'version "(\d+)', told)
    if version is None or version.group(1) not in SUPPORTED_JAVA:
        raise SettingsError(
            f"Java {version.group(1) if version else 'of unknown version'} found, but Spark needs Java 17 or 21; install one and set JAVA_HOME to it"
        )
    return version.group(1), str(java)


def _quiet(log_folder: Path) -> str:
    """JVM options that send Spark's own log to a file, off the screen."""
    config = log_folder / "log4j2.properties"
    config.write_text(
        "\n".join(
            [
                "rootLogger.level = warn",
                "rootLogger.appenderRef.file.ref = file",
                "appender.file.type = File",
                "appender.file.name = file",
                f"appender.file.fileName = {log_folder / 'spark.log'}",
                "appender.file.layout.type = PatternLayout",
                "appender.file.layout.pattern = %d{HH:mm:ss} %p %c{1}: %m%n%ex",
                "",
            ]
        ),
        encoding="utf-8",
    )
    return f"-Dlog4j2.configurationFile=file:{config} -Dderby.system.home={log_folder}"


def peak_memory_mb() -> int | None:
    """Largest resident memory of this process and its children, summed; None where /proc is not."""
    mine = {str(os.getpid())}
    peak = 0
    try:
        stats = {p.name: (p / "status").read_text() for p in Path("/proc").iterdir() if p.name.isdigit()}
    except OSError:
        return None
    parents = {
        pid: next((line.split()[1] for line in text.splitlines() if line.startswith("PPid:")), "") for pid, text in stats.items()
    }
    grew = True
    while grew:
        more = {pid for pid, parent in parents.items() if parent in mine} - mine
        mine |= more
        grew = bool(more)
    for pid in mine & stats.keys():
        peak += next((int(line.split()[1]) for line in stats[pid].splitlines() if line.startswith("VmHWM:")), 0)
    return peak // 1024 or None
