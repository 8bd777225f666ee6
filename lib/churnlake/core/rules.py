"""Row rules, CHECK constraints and DDL, derived from a table's contract. SQL text only: no JVM."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pyspark.sql.types import DoubleType

from churnlake.core.contract import STATES, Column, Severity, Table, sql_type

ERROR: Severity = "error"
STATE_KNOWN = "state_known"
"""The CHECK that names the states a row of a ledger may have."""
NO_REASONS = "cast(array() AS array<string>)"
"""SQL of the reasons of a row that keeps all rules."""


@dataclass(frozen=True)
class Rule:
    """A condition on one row: ``holds`` is SQL that is true when the row keeps it, ``reason`` what to say when not."""

    column: str
    reason: str
    holds: str
    severity: Severity


def row_rules(table: Table) -> tuple[Rule, ...]:
    """Every rule that the contract states for a row of the table, column by column."""
    return tuple(rule for column in table.columns for rule in _column_rules(column))


def _column_rules(column: Column) -> list[Rule]:
    name, found = column.name, []

    def add(reason: str, holds: str) -> None:
        found.append(Rule(name, f"{name} {reason}", holds, column.severity))

    if not column.optional:
        or_said = f" OR {column.made_of} IS NULL" if column.made_of else ""
        found.append(Rule(name, f"{name} missing", f"{name} IS NOT NULL{or_said}", ERROR))
    if column.one_of:
        add(f"not one of {', '.join(column.one_of)}", f"{name} IS NULL OR {name} IN ({', '.join(map(literal, column.one_of))})")
    if column.least is not None:
        add(f"below {_number(column.least)}", f"{name} IS NULL OR {name} >= {_number(column.least)}")
    if column.most is not None:
        add(f"above {_number(column.most)}", f"{name} IS NULL OR {name} <= {_number(column.most)}")
    if isinstance(column.type, DoubleType):
        add("not a number", f"{name} IS NULL OR NOT isnan({name})")
    if column.rule:
        add(f"breaks {column.rule}", f"{name} IS NULL OR ({column.rule})")
    return found


def reasons_sql(rules: tuple[Rule, ...], severity: Severity) -> str:
    """SQL of an array of the reasons that a row gives under the rules of one severity; empty when it keeps them all."""
    cases = [
        f"CASE WHEN NOT coalesce({rule.holds}, false) THEN {literal(rule.reason)} END"
        for rule in rules
        if rule.severity == severity
    ]
    return f"array_compact(array({', '.join(cases)}))" if cases else NO_REASONS


def sound_sql(rules: tuple[Rule, ...], severity: Severity) -> str:
    """SQL of whether a row keeps every rule of one severity: one condition, where nearly all rows do and reasons would cost them all."""
    return " AND ".join(f"coalesce({rule.holds}, false)" for rule in rules if rule.severity == severity) or "true"


def checks(table: Table) -> dict[str, str]:
    """CHECK constraints by name: the error rules, one constraint a column; on a ledger they bind good rows only."""
    by_column: dict[str, list[str]] = {}
    for rule in row_rules(table):
        if rule.severity == ERROR and (table.ledger or not rule.holds.endswith(" IS NOT NULL")):
            by_column.setdefault(rule.column, []).append(f"({rule.holds})")
    conditions = {f"{column}_holds": " AND ".join(holds) for column, holds in by_column.items()}
    if not table.ledger:
        return conditions
    bound = {name: f"state <> 'good' OR ({condition})" for name, condition in conditions.items()}
    return {
        **bound,
        STATE_KNOWN: f"state IN ({', '.join(map(literal, STATES))})",
        "bad_says_why": "state <> 'bad' OR size(reasons) > 0",
    }


def partition_columns(table: Table) -> list[str]:
    """The columns a table is partitioned by: its slice, and the state on a ledger."""
    return [*([table.slice] if table.slice else []), *(["state"] if table.ledger else [])]


def slices_sql(table: Table, slices: list[str]) -> str:
    """SQL condition of the rows that lie in these slices, in order; one condition, however many they are: one commit replaces them."""
    if table.slice is None:
        return "true"
    if table.slice == "batch":
        return f"batch IN ({', '.join(map(literal, slices))})"
    dates = [dt.date.fromisoformat(s) for s in slices]
    if table.slice != "month" and (dates[-1] - dates[0]).days + 1 == len(dates):
        return f"{table.slice} >= date'{dates[0]}' AND {table.slice} <= date'{dates[-1]}'"
    return f"{table.slice} IN ({', '.join(f'date{day.isoformat()!r}' for day in dates)})"


def ddl(table: Table, target: str, key_version: str = "", *, contract: str = "", location: str = "") -> str:
    """CREATE TABLE for the table at ``target`` (a quoted Delta path or a name), with NOT NULL, CHECKs and comments.

    ``key_version`` tells the keys its pseudonyms are made with, where there are any and that is known. With ``location`` the
    table that lies there is replaced by an empty one; ``contract`` is what it then says of its contract.
    """
    strict = not table.ledger
    lines = [
        f"  {c.name} {sql_type(c.type)}{' NOT NULL' if strict and not c.optional else ''} COMMENT {literal(c.meaning)}"
        for c in table.stored_columns
    ]
    properties = {f"delta.constraints.{name}": condition for name, condition in checks(table).items()}
    properties["churnlake.contract"] = contract or table.fingerprint
    if table.pseudonyms and key_version:
        properties["churnlake.key"] = key_version
    parts = partition_columns(table)
    # least and most of a file only where rows lie in order: of the other columns they say nothing, and cost more than the writing
    told = [name for name in dict.fromkeys((table.at, *table.sort)) if name and name not in parts]
    properties |= {"delta.dataSkippingStatsColumns": ",".join(told)} if told else {"delta.dataSkippingNumIndexedCols": "0"}
    return (
        f"CREATE {'OR REPLACE TABLE' if location else 'TABLE IF NOT EXISTS'} {target} (\n"
        + ",\n".join(lines)
        + "\n)\nUSING delta\n"
        + (f"PARTITIONED BY ({', '.join(parts)})\n" if parts else "")
        + f"COMMENT {literal(table.meaning)}\n"
        + (f"LOCATION {literal(location)}\n" if location else "")
        + "TBLPROPERTIES (\n"
        + ",\n".join(f"  {literal(k)} = {literal(v)}" for k, v in properties.items())
        + "\n)"
    )


def among(column: str, rows: Iterable[Any]) -> str:
    """SQL condition that a text column holds one of the values these rows have in it; there must be some."""
    return f"{column} IN ({', '.join(map(literal, sorted({row[column] for row in rows})))})"


def literal(text: str) -> str:
    """The text as an SQL literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(value)
