"""How large the Java methods are that Spark generates: whether the JVM's compiler can take them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

HUGE_METHOD = 8000
"""Bytes of bytecode beyond which a JVM compiles no method (HotSpot's HugeMethodLimit), unless told to as ours is; 65,535 is the most
that a method can have at all."""
MOST_METHODS = 1_000_000
FELL_BACK = ("Whole-stage codegen disabled for plan", "Found too long generated codes")


def watch(spark: SparkSession) -> None:
    """Keep the size of every method generated from now on; by itself Spark's histogram keeps a sample of a thousand."""
    jvm: Any = spark._jvm
    sizes = jvm.org.apache.spark.metrics.source.CodegenMetrics.METRIC_GENERATED_METHOD_BYTECODE_SIZE()
    kept = sizes.getClass().getDeclaredField("reservoir")
    kept.setAccessible(True)
    kept.set(sizes, jvm.com.codahale.metrics.SlidingWindowReservoir(MOST_METHODS))
    level = jvm.org.apache.logging.log4j.Level.INFO
    for name in ("execution.WholeStageCodegenExec", "catalyst.expressions.codegen.CodeGenerator"):
        jvm.org.apache.logging.log4j.core.config.Configurator.setLevel(f"org.apache.spark.sql.{name}", level)


def largest_method(spark: SparkSession) -> int:
    """Bytes of the largest method generated since ``watch``."""
    jvm: Any = spark._jvm
    return int(jvm.org.apache.spark.metrics.source.CodegenMetrics.METRIC_GENERATED_METHOD_BYTECODE_SIZE().getSnapshot().getMax())


def too_long(log: Path) -> dict[str, int]:
    """By name, the bytes of methods that Spark's own log, since ``watch``, says to be too long for a JVM to compile.

    ``serializefromobject_`` is Delta's own reading of a table's log.
    """
    return {
        name: int(size) for name, size in re.findall(r"too long to be JIT compiled: \S*\.(\w+)\S* is (\d+) bytes", _text(log))
    }


def fallbacks(log: Path) -> int:
    """How many plans Spark's own log says to have run without whole-stage code, for its length or because it did not compile."""
    return sum(any(words in line for words in FELL_BACK) for line in _text(log).splitlines())


def _text(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
