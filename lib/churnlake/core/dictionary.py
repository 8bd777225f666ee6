"""Pages derived from declarations: the dictionary of tables, the list of jobs. No JVM needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from churnlake.core.contract import LEDGER, Column, Indicator, Table, sql_type
from churnlake.core.job import Job

GENERATED = "<!-- made by `make docs` from the declarations; do not edit -->"


def allowed(column: Column) -> str:
    """What a column may hold, in words."""
    parts = [f"one of {', '.join(column.one_of)}"] if column.one_of else []
    if column.least is not None and column.most is not None:
        parts.append(f"{column.least:g} to {column.most:g}")
    elif column.least is not None:
        parts.append(f"at least {column.least:g}")
    elif column.most is not None:
        parts.append(f"at most {column.most:g}")
    if column.rule:
        parts.append(f"`{column.rule}`")
    text = "; ".join(parts)
    return f"{text} (warning only)" if text and column.severity == "warn" else text


def table_page(table: Table, maker: str | None, indicators: Mapping[str, Indicator]) -> list[str]:
    """The lines of one table's part of the dictionary."""
    facts = [f"key {', '.join(table.key)}" if table.key else "", f"slice {table.slice}" if table.slice else "", "frozen once made" if table.frozen else "",
             "keeps every row that came in, with its state" if table.ledger else "", f"made by `{maker}`" if maker else "",
             "landing feed, not stored" if not table.stored else ""]  # fmt: skip
    # a table of indicators says what each is counted in
    has_units = bool(table.key) and set(table.names) - set(table.key) <= indicators.keys()
    lines = [
        f"### {table.name}",
        "",
        table.meaning,
        "",
        f"*{'; '.join(f for f in facts if f)}*",
        "",
        f"| column | type |{' unit |' if has_units else ''} null | meaning | may hold |",
        f"|---|---|{'---|' if has_units else ''}---|---|---|",
    ]
    for column in table.columns:
        formula = indicators.get(column.name)
        told = (
            f" Formula{' over ' + formula.over if formula and formula.over else ''}: `{_flat(formula)}`"
            if formula and table.name.startswith("features.")
            else ""
        )
        unit = f" {formula.unit.name if formula else ''} |" if has_units else ""
        kind, null = sql_type(column.type).lower(), "yes" if column.optional else ""
        row = f"| {column.name} | {kind} |{unit} {null} | {column.meaning}{told} | {allowed(column)} |"
        lines.append(row.replace("||", "| |"))
    return [*lines, ""]


def dictionary(tables: Iterable[Table], makers: Mapping[str, str], indicators: Iterable[Indicator], feed_help: str) -> str:
    """The dictionary page: every table with its columns, rules and formulas, layer by layer."""
    by_name = {indicator.name: indicator for indicator in indicators}
    lines = [
        GENERATED,
        "",
        "# Dictionary",
        "",
        "Every table, column and indicator of the lakehouse.",
        "",
        "Tables that keep every row that came in also hold:",
        "",
        "| column | type | meaning |",
        "|---|---|---|",
    ]
    lines += [f"| {c.name} | {sql_type(c.type).lower()} | {c.meaning} |" for c in LEDGER]
    lines += ["", feed_help.strip(), ""]
    layer = ""
    for table in tables:
        if table.name.partition(".")[0] != layer:
            layer = table.name.partition(".")[0]
            lines += [f"## {layer}", ""]
        lines += table_page(table, makers.get(table.name), by_name)
    return "\n".join(lines).rstrip() + "\n"


def jobs_page(jobs: Iterable[Job]) -> str:
    """The list of jobs: what each does, reads and writes."""
    lines = [
        GENERATED,
        "",
        "# Jobs",
        "",
        "In the order they run. Each is `spark-submit jobs/<job>.py --env <env> [--dates A..B] [--set key=value]`; with",
        "`--dry-run` it tells what it would do and does nothing. Jobs on request run only when named.",
        "",
        "| job | what it does | reads | may read | writes |",
        "|---|---|---|---|---|",
    ]
    for job in jobs:
        cells = [", ".join(t.name for t in tables) for tables in (job.reads, job.may_read, job.writes)]
        name = f"{job.name} (on request)" if job.on_request else job.name
        lines.append(f"| {name} | {job.meaning} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def lineage_text(jobs: Iterable[Job], makers: Mapping[str, str]) -> str:
    """The chain as text: each job with what it waits for and what it makes."""
    lines = []
    for job in jobs:
        above = sorted({makers[t.name] for t in job.inputs if t.name in makers} - {job.name})
        landed = [t.name for t in job.feeds]
        after = ", ".join([*landed, *above]) or "nothing"
        lines.append(f"{job.name:<18} after {after}")
        lines.append(f"{'':<18} makes {', '.join(t.name for t in job.writes) or 'files'}")
    return "\n".join(lines) + "\n"


def _flat(indicator: Indicator | None) -> str:
    return indicator.formula.replace("|", "\\|") if indicator else ""
