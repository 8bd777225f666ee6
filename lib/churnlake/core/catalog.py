"""The lake's tables in Unity Catalog, as SQL: registered where they lie, and views with keyed values masked. No JVM needed.

Masks stand in views, not on the tables: the jobs read and write tables by their path, and Databricks refuses a table with a column
mask to whoever comes by its path.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from churnlake.core import rules
from churnlake.core.contract import CIPHER, Table
from churnlake.core.visibility import is_day

VIEWS = "analysis"
"""Schema of the views: the only one that analysts are let into."""
APART = ("vault", "privacy")
"""Layers that are not for analysts at all."""
TRACE = ("state", "reasons", "file_id")
"""Of a ledger, what tells of each row that came in how it fared and where it came from; nothing of what it says."""


def shown(tables: Iterable[Table]) -> list[Table]:
    """The stored tables that analysts see, by name."""
    return sorted((t for t in tables if t.stored and t.name.partition(".")[0] not in APART), key=lambda t: t.name)


def view_name(table: Table) -> str:
    """Name of its view: ``churn.bucket`` is read as ``churn_bucket``."""
    return table.name.replace(".", "_")


def ledger_view_name(table: Table) -> str:
    """Name of the view of every row that came in for a ledger: ``clean.voice`` is read as ``clean_voice_ledger``."""
    return f"{view_name(table)}_ledger"


def registered(table: Table, catalog: str, path: str) -> list[str]:
    """Statements that make the Delta table at ``path``, a URI of an external location, known under its name."""
    layer = table.name.partition(".")[0]
    return [
        f"CREATE SCHEMA IF NOT EXISTS {catalog}.{layer}",
        f"CREATE TABLE IF NOT EXISTS {catalog}.{table.name} USING delta LOCATION {rules.literal(path)}",
    ]


def opened(catalog: str, readers: str, analysts: str) -> list[str]:
    """Statements that make the views' schema and its mask, and let analysts in. Only ``readers`` see keyed values."""
    return [
        f"CREATE SCHEMA IF NOT EXISTS {catalog}.{VIEWS}",
        f"CREATE OR REPLACE FUNCTION {catalog}.{VIEWS}.masked(keyed BIGINT) RETURNS BIGINT\n"
        f"COMMENT 'A pseudonym as its readers see it; null to everybody else.'\n"
        f"RETURN CASE WHEN is_account_group_member({rules.literal(readers)}) THEN keyed END",
        *(f"GRANT {right} ON SCHEMA {catalog}.{VIEWS} TO `{analysts}`" for right in ("USE SCHEMA", "SELECT", "EXECUTE")),
        f"GRANT USE CATALOG ON CATALOG {catalog} TO `{analysts}`",
    ]


def view(table: Table, catalog: str, hidden: Mapping[str, str] | None = None) -> str:
    """Statement that makes the table's view: good rows of the slices readers may see, keyed values masked, encrypted text left out.

    ``hidden``: the table's slices that readers must not see, as core.visibility tells them.
    """
    masked = [f"  {catalog}.{VIEWS}.masked({c.name}) AS {c.name},\n" for c in table.pseudonyms if c.pseudonym != CIPHER]
    left_out = f" EXCEPT ({', '.join(c.name for c in table.pseudonyms)})" if table.pseudonyms else ""
    conditions = [*(["state = 'good'"] if table.ledger else []), *_seen(table, hidden or {})]
    return _view(table, catalog, view_name(table), table.meaning, "".join(masked) + f"  *{left_out}", conditions)


def ledger_view(table: Table, catalog: str, hidden: Mapping[str, str] | None = None) -> str:
    """Statement that makes the view of how every row fared that came in for a ledger; days withdrawn are accounted for like others."""
    dated = [name for name in table.names if name in {table.slice, table.at, "delivered_on"}]
    columns = ",\n".join(f"  {name}" for name in (*dated, *TRACE))
    kept = {name: state for name, state in (hidden or {}).items() if state != "withdrawn"}
    told = f"One row per row that came in for {table.name}: whether it is good, why not, and its file."
    return _view(table, catalog, ledger_view_name(table), told, columns, _seen(table, kept))


def views(table: Table, catalog: str, hidden: Mapping[str, str] | None = None) -> list[str]:
    """Statements that make all the views of the table."""
    return [view(table, catalog, hidden), *([ledger_view(table, catalog, hidden)] if table.ledger else [])]


def _seen(table: Table, hidden: Mapping[str, str]) -> list[str]:
    """Conditions that leave out the hidden slices."""
    days = {name for name in hidden if table.ledger and is_day(name)}
    conditions = []
    for column, names in ((table.at, days), (table.slice, set(hidden) - days)):
        if names:
            listed = ", ".join(map(rules.literal, sorted(names)))
            # a table without slices is hidden whole
            conditions.append(f"coalesce(CAST({column} AS STRING) NOT IN ({listed}), true)" if column else "false")
    return conditions


def _view(table: Table, catalog: str, name: str, meaning: str, columns: str, conditions: list[str]) -> str:
    where = f"\nWHERE {' AND '.join(conditions)}" if conditions else ""
    return (
        f"CREATE OR REPLACE VIEW {catalog}.{VIEWS}.{name}\nCOMMENT {rules.literal(meaning)}\nAS SELECT\n{columns}\n"
        f"FROM {catalog}.{table.name}{where}"
    )


def views_text(tables: Iterable[Table], catalog: str, readers: str, analysts: str) -> str:
    """All that analysts get, as one SQL script, no slice hidden."""
    made = [*opened(catalog, readers, analysts), *(made for table in shown(tables) for made in views(table, catalog))]
    return "-- made by `make docs` from the declarations; do not edit\n\n" + ";\n\n".join(made) + ";\n"
