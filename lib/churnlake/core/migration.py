"""Bringing stored rows to a contract that changed, slice by slice; to be run again after a kill.

What can be told before is: columns that nothing fills, values and rows that the contract does not allow. Then the table is replaced by
an empty one under its contract, in one commit that also says which version is to be rewritten; until the last slice is, nobody reads
or writes it.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
from collections.abc import Mapping, Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import NumericType

from churnlake.core import rules
from churnlake.core.contract import Table, sql_type
from churnlake.core.erased import ERASED
from churnlake.core.errors import ContractError
from churnlake.core.lake import WHOLE, Lake
from churnlake.core.storage import HALF

logger = logging.getLogger(__name__)
SLICES_AT_ONCE = 31
"""Slices rewritten in one commit: a kill costs at most so many."""


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
    if ERASED in there and lake.spark.read.format("delta").load(lake.path(ERASED)).where("done_at IS NULL").head():
        raise ContractError(
            "an erasure is under way; run job erase_user with the code it was begun with, then migrate_lake again"
        )
    due = {table: found for table in there if (found := lake.storage.contract(table)) != table.fingerprint}
    wrong = [f"{table.name}: {why}" for table, found in due.items() for why in _refused(lake, table, found)]
    if wrong:
        named = sorted({makers[name] for one in wrong if (name := one.partition(":")[0]) in makers})
        raise ContractError(
            f"{'; '.join(wrong)}; nothing was changed. Move these tables away and run {', '.join(named) or 'the jobs that write them'} "
            "over their days again, or mend the contract"
        )
    lost = {}
    for table, found in due.items():
        if found.startswith(HALF) and found.split()[-1] == table.fingerprint:
            before = int(found.split()[1])
        else:
            # half way to a third contract: what is to be rewritten is still what lay there first
            before = int(found.split()[1]) if found.startswith(HALF) else lake.storage.version(table)
            lake.storage.replace(table, before)
        rows = lake.spark.read.format("delta").option("versionAsOf", before).load(lake.path(table))
        lost[table.name] = sorted(set(rows.columns) - {c.name for c in table.stored_columns})
        changed = _changed_days(table, rows)
        _rewrite(lake, table, _judged(table, _cast(table, rows)), before)
        lake.storage.tell_contract(table)
        told = lake.counted(table, [WHOLE], "true")
        told.days = changed
        lake.written.append(told)
    return lost


def _there(lake: Lake, table: Table, found: str) -> DataFrame:
    """The rows to be rewritten."""
    reader = lake.spark.read.format("delta")
    return (reader.option("versionAsOf", int(found.split()[1])) if found.startswith(HALF) else reader).load(lake.path(table))


def _refused(lake: Lake, table: Table, found: str) -> list[str]:
    """Why the rows on disk can not be brought to the table's contract, one text a column or rule; empty where they can."""
    rows = _there(lake, table, found)
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
    noted = (
        lake.storage.commits(table).where(F.col("userMetadata").contains('"migrated"') & (F.col("version") > before)).collect()
    )
    told = [json.loads(row["userMetadata"]) for row in noted]
    done = {name for one in told if one["migrated"] == table.fingerprint for name in one["slices"]}
    text = F.col(table.slice).cast("string") if table.slice else F.lit(WHOLE)
    slices = sorted({row["slice"] for row in rows.select(text.alias("slice")).distinct().collect()} - done)
    order = [*rules.partition_columns(table), *table.sort]
    for some in (slices[i : i + SLICES_AT_ONCE] for i in range(0, len(slices), SLICES_AT_ONCE)):
        condition = rules.slices_sql(table, some)
        again = rows.where(condition)
        if order:
            again = again.repartitionByRange(*order).sortWithinPartitions(*order)
        (
            again.write.format("delta").mode("overwrite").option("replaceWhere", condition)
            .option("userMetadata", json.dumps({"migrated": table.fingerprint, "slices": some})).save(lake.path(table))
        )  # fmt: skip
        logger.info("%s: %s slices brought to its contract", table.name, len(some))
