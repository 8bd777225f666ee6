"""What the house declares, answered without Spark: tables, indicators, DDL, dictionary, lineage."""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from churnlake.core import dictionary, openlineage, rules
from churnlake.core.command_line import guarded, settings_arguments
from churnlake.core.contract import sql_type
from churnlake.core.errors import SettingsError
from churnlake.core.lineage import Lineage
from churnlake.core.runs import RUNS
from churnlake.core.settings import load
from churnlake.generated import pages
from churnlake.indicators import ALL_ITEMS, INDICATORS, VIEWS
from churnlake.indicators.items import ITEMS as ITEM_TYPES
from churnlake.indicators.origins import tables_of
from churnlake.settings import Settings
from churnlake.tables.raw import FILES


def _asked(command: str, meaning: str, *names: str) -> argparse.ArgumentParser:
    """The parser of a command that answers without Spark; ``names`` are what it may be given."""
    parser = argparse.ArgumentParser(prog=f"python -m churnlake {command}", description=meaning)
    for name in names:
        parser.add_argument(name, nargs="?")
    return parser


def _tables(argv: list[str]) -> int:
    tables = {table.name: table for table in (FILES, *Lineage.of_package().tables, RUNS)}
    asked = _asked("tables", "List the tables; with a name, its columns.", "table").parse_args(argv).table
    if not asked:
        sys.stdout.write("".join(f"{name:<26} {table.meaning}\n" for name, table in tables.items()))
        return 0
    if asked not in tables:
        sys.stderr.write(f"tables: no table '{asked}'; python -m churnlake tables lists them\n")
        return 2
    sys.stdout.write(
        "".join(
            f"{c.name:<30} {sql_type(c.type).lower():<14} {'null' if c.optional else '':<5} {c.meaning}\n"
            for c in tables[asked].columns
        )
    )
    return 0


def _indicators(argv: list[str]) -> int:
    parser = _asked(
        "indicators",
        "Count the indicators by view and the items by type; with a view or type, list them; with an indicator, explain it.",
    )
    parser.add_argument(
        "name", nargs="*", help="a view, a type of items or an indicator, for example call peers, or peer_entropy"
    )
    asked = " ".join(parser.parse_args(argv).name)
    found = {i.name: i for i in (*INDICATORS, *ALL_ITEMS)}
    views = {**VIEWS, **{f"items: {kind}": items for kind, items in ITEM_TYPES.items()}}
    # a type of items is known by its own name too, and without the colon
    plain = {**{kind: f"items: {kind}" for kind in ITEM_TYPES}, **{view.replace(":", ""): view for view in views}}
    asked = plain.get(asked.replace(":", ""), asked)
    if not asked:
        counts = {**{view: len(VIEWS[view]) for view in VIEWS}, "all of the ten views": len(INDICATORS)}
        counts |= {**{view: len(views[view]) for view in views if view not in VIEWS}, "all items": len(ALL_ITEMS)}
        sys.stdout.write("".join(f"{name:<28} {count:>4}\n" for name, count in counts.items()))
    elif asked in views:
        sys.stdout.write("".join(f"{i.name:<44} {i.unit.name:<16} {i.meaning}\n" for i in views[asked]))
    elif asked in found:
        one = found[asked]
        facts = {
            "view": one.view,
            "unit": one.unit.name,
            "meaning": one.meaning,
            "formula": one.formula,
            "over": one.over or ("clean records of a day" if one.daily else "the user's month"),
            "source": ", ".join(tables_of(asked)),
        }
        sys.stdout.write("".join(f"{name:<8} {value}\n" for name, value in {"name": asked, **facts}.items()))
    else:
        near = _near(asked, views, found)
        known = f"the views and types are {', '.join(views)}"
        sys.stderr.write(f"indicators: no view, type or indicator '{asked}'; {near or known}\n")
        return 2
    return 0


def _near(asked: str, views: Iterable[str], names: Iterable[str]) -> str:
    """The names most like the one asked for, in words, empty where none is: views it is a word of, then names spelt alike or that it is a part of."""

    def has_word(name: str) -> bool:
        return bool({asked, f"{asked}s", asked.removesuffix("s")} & set(re.split(r"[ _:]+", name)))

    known = [*views, *names]
    alike = difflib.get_close_matches(asked, known, n=5, cutoff=0.6)
    parts = sorted((name for name in names if has_word(name)), key=lambda name: (len(name), name))
    near = list(dict.fromkeys([*filter(has_word, views), *alike, *parts]))[:5]
    return f"did you mean {', '.join(near)}?" if near else ""


def _ddl(argv: list[str]) -> int:
    tables = {table.name: table for table in (FILES, *Lineage.of_package().tables, RUNS) if table.stored}
    asked = _asked("ddl", "Print CREATE TABLE of all tables or of one.", "table").parse_args(argv).table
    if asked and asked not in tables:
        sys.stderr.write(f"ddl: no stored table '{asked}'; python -m churnlake tables lists them\n")
        return 2
    sys.stdout.write(
        "\n\n".join(rules.ddl(table, table.name) + ";" for name, table in tables.items() if asked in (None, name)) + "\n"
    )
    return 0


def _dictionary(argv: list[str]) -> int:
    parser = _asked("dictionary", "Print the dictionary.")
    parser.add_argument("--write", action="store_true", help="rewrite the generated pages of the repository instead")
    if parser.parse_args(argv).write:
        for path, text in pages().items():
            (Path(__file__).parents[2] / path).write_text(text, encoding="utf-8")
        return 0
    sys.stdout.write(next(iter(pages().values())))
    return 0


def _lineage(argv: list[str]) -> int:
    parser = _asked(
        "lineage", "Print which job makes what, in the order they run; with --columns, what the columns of a table come from."
    )
    parser.add_argument(
        "--columns",
        default=None,
        metavar="TABLE",
        help="by the events that runs with --set spark.openlineage=file left in store.work/logs",
    )
    settings_arguments(parser, "store.work=work")
    lineage = Lineage.of_package()

    def body(arguments: argparse.Namespace) -> None:
        if not arguments.columns:
            sys.stdout.write(dictionary.lineage_text(lineage.jobs, lineage.makers))
            return
        if arguments.columns not in {table.name for table in lineage.tables if table.stored}:
            raise SettingsError(f"no stored table '{arguments.columns}'; python -m churnlake tables lists them")
        store = load(Settings, arguments.env, arguments.set).store
        events = Path(store.work).resolve() / "logs" / openlineage.FILE
        found = openlineage.columns_of(arguments.columns, events, lineage.places(store))
        sys.stdout.write(f"{arguments.columns} as written at {found.at}\n")
        wide = max(map(len, found.of))
        sys.stdout.write("".join(f"  {name:<{wide}}  {', '.join(sources) or '-'}\n" for name, sources in found.of.items()))
        sys.stdout.write(f"  which rows: {', '.join(found.every)}\n" if found.every else "")

    return guarded("lineage", parser, argv, body, needs_java=False)


COMMANDS: dict[str, tuple[Callable[[list[str]], int], str]] = {
    "tables": (_tables, "list the tables; with a name, its columns"),
    "indicators": (_indicators, "count the indicators by view; with a view, list them"),
    "ddl": (_ddl, "print CREATE TABLE of all tables or of one"),
    "dictionary": (_dictionary, "print the dictionary; with --write, rewrite the generated pages"),
    "lineage": (_lineage, "print which job makes what, in the order they run; with --columns, what a table's columns come from"),
}
"""Command -> what it calls, and what it does."""
