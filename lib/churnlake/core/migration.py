"""Bringing stored rows to a contract that changed, slice by slice; to be run again after a kill.

What can be told before is: columns that nothing fills, values and rows that the contract does not allow. Then the table is replaced by
an empty one under its contract, in one commit that also says which version is to be rewritten; until the last slice is, nobody reads
or writes it.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping, Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import NumericType

from churnlake.core import erased, rules
from churnlake.core.contract import Table, sql_type
from churnlake.core.errors import ContractError
from churnlake.core.lake import WHOLE, Lake
from churnlake.core.rewriting import SLICES_AT_ONCE, done_before, rewrite, slices_of
from churnlake.core.storage import HALF

logger = logging.getLogger(__name__)


def migrate(lake: Lake, tables: Sequence[Table], makers: Mapping[str, str]) -> dict[str, list[str]]:
    """Bring the tables that lie under another contract to theirs; by table, the columns it lost.

    Values are cast where none is lost. Good rows of a ledger that break its rules become bad, with reasons; their days count as
    changed. Nothing else may read or write the tables meanwhile: hold the leases of all jobs.

    Raises ContractError, before any table is touched, where a column is new and must not be null, a value does not fit its new type,
    or rows of a table that is no ledger break its rules: those are written again by the job that makes them.
    """
    there = [table for table in tables if lake.storage.exists(table)]
    for table in there:
        lake.keys.check(table, lake.path(table))
    if erased.is_under_way(lake):
        raise ContractError(
            "an erasure is under way; run job erase_user with the code it was begun with, then migrate_lake again"
        )
    due = {table: found for table in there if (found := lake.storage.contract(table)) != table.fingerprint}
    # half way to this contract or to another: what is to be rewritten is what lay there first
    rows_of = {table: _at(lake, table, _before(lake, table, found)) for table, found in due.items()}
    wrong = [f"{table.name}: {why}" for table, rows in rows_of.items() for why in _refused(table, rows)]
    if wrong:
        named = sorted({makers[name] for one in wrong if (name := one.partition(":")[0]) in makers})
        raise ContractError(
            f"{'; '.join(wrong)}; nothing was changed. Move these tables away and run {', '.join(named) or 'the jobs that write them'} "
            "over their days again, or mend the contract"
        )
    lost = {}
    for table, found in due.items():
        before, rows = _before(lake, table, found), rows_of[table]
        if not (found.startswith(HALF) and found.split()[-1] == table.fingerprint):
            lake.storage.replace(table, before)
        lost[table.name] = sorted(set(rows.columns) - {c.name for c in table.stored_columns})
        changed = _changed_days(table, rows)
        _rewrite(lake, table, _judged(table, _cast(table, rows)), before)
        lake.storage.tell_contract(table)
        told = lake.counted(table, [WHOLE], "true")
        told.days = changed
        lake.written.append(told)
    return lost


def _before(lake: Lake, table: Table, found: str) -> int:
    """The version that holds the rows to be rewritten, by what the table says of its contract."""
    return int(found.split()[1]) if found.startswith(HALF) else lake.storage.version(table)


def _at(lake: Lake, table: Table, version: int) -> DataFrame:
    return lake.spark.read.format("delta").option("versionAsOf", version).load(lake.path(table))


def _refused(table: Table, rows: DataFrame) -> list[str]:
    """Why the rows on disk can not be brought to the table's contract, one text a column or rule; empty where they can."""
    types = {f.name: f.dataType for f in rows.schema}
    new = [c.name for c in table.stored_columns if c.name not in types and not c.optional]
    if new:
        return [f"{name} is new and must not be null" for name in new]
    asked = {}
    for c in table.stored_columns:
        if c.name in types and types[c.name] != c.type:
            made = f"try_cast({c.name} AS {sql_type(c.type)})"
            kept = f"{made} IS NOT NULL"
            if isinstance(c.type, NumericType) and isinstance(types[c.name], NumericType):
                # a narrower number is cut off without a word
                kept = f"{c.name} <=> try_cast({made} AS {sql_type(types[c.name])})"
            asked[f"of {c.name} do not fit {sql_type(c.type).lower()}"] = f"{c.name} IS NOT NULL AND NOT ({kept})"
    lost = _counted(rows, asked)
    if lost or table.ledger:
        return lost
    return _counted(
        _cast(table, rows),
        {
            f"have {rule.reason}": f"NOT coalesce({rule.holds}, false)"
            for rule in rules.row_rules(table)
            if rule.severity == "error"
        },
    )


def _counted(rows: DataFrame, asked: Mapping[str, str]) -> list[str]:
    if not asked:
        return []
    (found,) = rows.agg(*[F.expr(f"count_if({condition})") for condition in asked.values()]).collect()
    return [f"{count:,} rows {told}" for told, count in zip(asked, found, strict=True) if count]


def _cast(table: Table, rows: DataFrame) -> DataFrame:
    there = set(rows.columns)
    return rows.select(
        [(F.col(c.name) if c.name in there else F.lit(None)).cast(c.type).alias(c.name) for c in table.stored_columns]
    )


def _judged(table: Table, rows: DataFrame) -> DataFrame:
    """The rows of a ledger with good ones that break its rules set aside; their columns hold all that was read."""
    if not table.ledger:
        return rows
    breaks = F.expr(f"state = 'good' AND NOT ({rules.sound_sql(rules.row_rules(table), rules.ERROR)})")
    reasons = F.expr(rules.reasons_sql(rules.row_rules(table), rules.ERROR))
    return rows.withColumns(
        {"state": F.when(breaks, "bad").otherwise(F.col("state")), "reasons": F.when(breaks, reasons).otherwise(F.col("reasons"))}
    )


def _changed_days(table: Table, rows: DataFrame) -> list[dt.date]:
    """The days of which good rows are no longer good: no more than the calendar holds."""
    if not table.ledger or not table.at:
        return []
    before = rows.where("state = 'good'")
    after = _judged(table, _cast(table, before)).where("state = 'bad'")
    return sorted(row["day"] for row in after.select(F.col(table.at).alias("day")).distinct().collect() if row["day"])


def _rewrite(lake: Lake, table: Table, rows: DataFrame, before: int) -> None:
    """Write the slices that no commit since the table was replaced tells to be done, some at once."""
    note = {"migrated": table.fingerprint}
    done = done_before(lake, table, note, since=before)
    slices = [name for name in slices_of(table, rows) if name not in done]
    for some in (slices[i : i + SLICES_AT_ONCE] for i in range(0, len(slices), SLICES_AT_ONCE)):
        rewrite(lake, table, rows, some, note)
        logger.info("%s: %s slices brought to its contract", table.name, len(some))
