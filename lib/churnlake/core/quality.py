"""Table-level checks: contracts profiled natively, profiles judged by Great Expectations, results as rows and pages.

Row rules are enforced where rows come in (``core.rules``); what is judged here is whole tables over days. Profiles have one
row per slice, so they are of a size that grows with the calendar, not with the data: Spark makes them, and Great
Expectations judges them in memory (a validation of a profile takes 0.04 s there and 0.8 s as a Spark frame).
"""

from __future__ import annotations

import functools
import logging
import math
import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.core.contract import Severity, Table
from churnlake.core.rules import row_rules

Dimension = Literal["completeness", "validity", "uniqueness", "consistency", "timeliness", "accuracy"]
DIMENSIONS: tuple[Dimension, ...] = ("completeness", "validity", "uniqueness", "consistency", "timeliness", "accuracy")
RESULT_FORMAT = {"result_format": "BASIC", "partial_unexpected_count": 0}
"""Exact counts in one pass and no sample of failing values: the default would write them into Data Docs."""


@dataclass(frozen=True)
class Check:
    """One expectation on the profile of a table, and which dimension of quality it speaks for.

    ``expectation`` names a Great Expectations class and ``kwargs`` its parameters beside the column.
    """

    table_name: str
    check_name: str
    column_name: str
    dimension: Dimension
    severity: Severity
    expectation: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CheckResult:
    """What a check found. ``held`` is the share of the profile's rows that hold: 1 when passed; 0 or 1 on an aggregate."""

    table_name: str
    check_name: str
    column_name: str
    dimension: Dimension
    severity: Severity
    has_passed: bool
    observed: str
    expected: str
    held: float


def each_between(
    table: str,
    name: str,
    column: str,
    dimension: Dimension,
    least: float | None = None,
    most: float | None = None,
    severity: Severity = "error",
) -> Check:
    """A check that every row of the profile has the column within inclusive bounds; rows without a value do not count."""
    bounds = {"min_value": least, "max_value": most}
    return Check(table, name, column, dimension, severity, "ExpectColumnValuesToBeBetween", bounds)


def contract_checks(table: Table) -> list[Check]:
    """The checks that follow from a contract alone, for a frame made by ``profile``."""
    name = table.name
    found = [each_between(name, "every slice has rows", "rows", "completeness", least=1)]
    if table.key:
        found.append(each_between(name, f"one row per {', '.join(table.key)}", "repeated_keys", "uniqueness", most=0))
    if not table.ledger:
        found.append(each_between(name, "rows keep the contract's rules", "broken_rows", "validity", most=0))
    return found


def profile(table: Table, frame: DataFrame, by: str, *measures: SparkColumn) -> DataFrame:
    """One row per value of ``by``: rows, repeated keys, rows that break an error rule, share of optional cells filled.

    Further ``measures`` are sums over rows, as columns that can be summed once more over keys. Ledgers are not asked
    for broken rows: their rules were enforced row by row.
    """
    rules = [] if table.ledger else [f"coalesce({rule.holds}, false)" for rule in row_rules(table) if rule.severity == "error"]
    optional = [column.name for column in table.columns if column.optional]
    filled = " + ".join(f"cast({name} IS NOT NULL AS int)" for name in optional) or "0"
    keys = list(dict.fromkeys([by, *table.key]))
    keyed = frame.groupBy(*keys).agg(
        F.count(F.lit(1)).alias("rows"),
        (F.expr(f"count_if(NOT ({' AND '.join(rules)}))") if rules else F.lit(0).cast("long")).alias("broken_rows"),
        F.sum(F.expr(f"cast({filled} AS long)")).alias("filled_cells"),
        *measures,
    )
    sums = [F.sum(name).alias(name) for name in keyed.columns if name not in (*keys, "rows", "broken_rows", "filled_cells")]
    return (
        keyed.groupBy(by)
        .agg(
            F.sum("rows").alias("rows"),
            F.expr("sum(rows) - count(1)").alias("repeated_keys"),
            F.sum("broken_rows").alias("broken_rows"),
            F.sum("filled_cells").alias("filled_cells"),
            *sums,
        )
        .withColumn("filled_share", F.expr(f"filled_cells / nullif(rows * {len(optional)}, 0)"))
        .drop("filled_cells")
    )


def run_checks(
    frames: Mapping[str, pd.DataFrame], checks: Sequence[Check], docs_folder: Path, name: str, keep: int
) -> list[CheckResult]:
    """One result per check whose table has a profile, in the order of ``checks``; Data Docs are left in a site of this run.

    Args:
        frames: Profiles by table name, one row per slice.
        checks: What to expect of them; a check of a table without a profile is passed over.
        docs_folder: Holds one site of Data Docs per run, ``docs_folder/<name>/index.html``.
        name: Name of this run, sorting after earlier ones (for example its last day).
        keep: How many runs' sites to keep.
    """
    by_table = {table: [(place, check) for place, check in enumerate(checks) if check.table_name == table] for table in frames}
    site = docs_folder / re.sub(r"[^A-Za-z0-9_.-]", "_", name)
    shutil.rmtree(site, ignore_errors=True)
    site.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as folder:
        for table, frame in frames.items():
            _plain(frame).to_parquet(Path(folder) / f"{table}.parquet")
        outcome = _checkpoint(_context(site), Path(folder), {table: asked for table, asked in by_table.items() if asked}, name)
    # results come grouped by table and column, not as asked: the check's place travels in the expectation's meta
    by_place = {
        result.expectation_config.meta["place"]: result for table in outcome.run_results.values() for result in table.results
    }
    for old in sorted(folder for folder in docs_folder.iterdir() if folder.is_dir() and folder != site)[: -(keep - 1) or None]:
        shutil.rmtree(old, ignore_errors=True)
    return [_result(checks[place], by_place[place]) for place in sorted(by_place)]


def value_result(check: Check, value: float, has_passed: bool) -> CheckResult:
    """The result of a check of one value that was judged without Great Expectations, by the same bounds."""
    told, expected = _text(value), _expected(check)
    return CheckResult(
        check.table_name, check.check_name, check.column_name, check.dimension, check.severity,
        has_passed, told, expected, float(has_passed),
    )  # fmt: skip


def _checkpoint(context: Any, folder: Path, by_table: Mapping[str, Sequence[tuple[int, Check]]], name: str) -> Any:
    """Run one checkpoint over the profiles in the folder, a suite for each table, and leave its Data Docs."""
    import great_expectations as gx
    from great_expectations.checkpoint import UpdateDataDocsAction
    from great_expectations.core.run_identifier import RunIdentifier

    source = context.data_sources.add_pandas_filesystem(name="profiles", base_directory=folder)
    validations = []
    for table, asked in by_table.items():
        batch = source.add_parquet_asset(name=table).add_batch_definition_path("slices", path=f"{table}.parquet")
        suite = context.suites.add(gx.ExpectationSuite(name=table, expectations=[_expectation(*one) for one in asked]))
        validations.append(context.validation_definitions.add(gx.ValidationDefinition(name=table, data=batch, suite=suite)))
    pages = [UpdateDataDocsAction(name="pages", site_names=["run"])]
    checkpoint = gx.Checkpoint(name="tables", validation_definitions=validations, actions=pages, result_format=RESULT_FORMAT)
    return context.checkpoints.add(checkpoint).run(run_id=RunIdentifier(run_name=name))


def _expectation(place: int, check: Check) -> Any:
    import great_expectations.expectations as kinds

    wanted = {key: value for key, value in check.kwargs.items() if value is not None}
    if check.column_name:
        wanted["column"] = check.column_name
    return getattr(kinds, check.expectation)(
        **wanted,
        meta={"place": place, "dimension": check.dimension},
        notes=f"{check.check_name} ({check.dimension})",
        severity="critical" if check.severity == "error" else "warning",
    )


def _result(check: Check, result: Any) -> CheckResult:
    found = result.result or {}
    count, unexpected = found.get("element_count", 0) - (found.get("missing_count") or 0), found.get("unexpected_count")
    if result.exception_info and _raised(result.exception_info):
        observed, held = f"could not be measured: column {check.column_name} is not in the profile", 0.0
    elif unexpected is not None and count:
        observed = f"{unexpected} of {count} slices outside" if unexpected else f"all {count} slices"
        held = 1 - unexpected / count
    elif unexpected is not None:
        observed, held = "no slice has a value", float(bool(result.success))
    else:
        observed, held = _text(found.get("observed_value")), float(bool(result.success))
    return CheckResult(
        check.table_name,
        check.check_name,
        check.column_name,
        check.dimension,
        check.severity,
        bool(result.success),
        observed,
        _expected(check),
        1.0 if result.success else held,
    )


def _raised(info: Mapping[str, Any]) -> bool:
    if "raised_exception" in info:
        return bool(info["raised_exception"])
    return any(bool(one.get("raised_exception")) for one in info.values())


def _expected(check: Check) -> str:
    least, most = check.kwargs.get("min_value"), check.kwargs.get("max_value")
    if least is not None and most is not None:
        return _text(least) if least == most else f"{_text(least)} to {_text(most)}"
    if least is not None:
        return f"at least {_text(least)}"
    if most is not None:
        return f"at most {_text(most)}"
    return ", ".join(f"{key} {_text(value)}" for key, value in sorted(check.kwargs.items()))


def _text(value: Any) -> str:
    if isinstance(value, float):
        return "none" if math.isnan(value) else f"{value:.6g}"
    return str(value)


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with decimals as doubles: bounds are doubles, and the two do not compare."""
    return frame.assign(**{name: pd.to_numeric(frame[name]) for name in frame.columns if _holds_decimals(frame[name])})


def _holds_decimals(column: pd.Series[Any]) -> bool:
    return column.dtype == object and any(isinstance(value, Decimal) for value in column)


@functools.cache
def _quiet() -> None:
    """Keep Great Expectations from sending usage statistics and from writing to the screen, before its first import."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    for name in ("great_expectations", "py.warnings"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _context(site: Path) -> Any:
    _quiet()
    import great_expectations as gx
    from great_expectations.data_context.types.base import DataContextConfig, InMemoryStoreBackendDefaults, ProgressBarsConfig

    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        analytics_enabled=False,
        progress_bars=ProgressBarsConfig(globally=False, metric_calculations=False),
    )
    context = gx.get_context(project_config=config, mode="ephemeral")
    builder = {"class_name": "SiteBuilder", "show_how_to_buttons": False}
    store = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(site)}
    index = {"class_name": "DefaultSiteIndexBuilder"}
    context.add_data_docs_site("run", {**builder, "store_backend": store, "site_index_builder": index})
    return context
