"""The declarations are self-consistent, described and parse: no JVM needed."""

import re

import pytest
import sqlglot
from sqlglot import exp

from churnlake.core import rules
from churnlake.core.contract import CIPHER, INT, LEDGER, LONG, STRING, Column, Indicator, Source, Table
from churnlake.core.errors import ContractError
from churnlake.core.lineage import Lineage
from churnlake.core.runs import RUNS
from churnlake.indicators import ALL_ITEMS, DAILY, INDICATORS, ITEMS, VIEWS
from churnlake.indicators.needs import levels
from churnlake.indicators.sources import SOURCES
from churnlake.indicators.units import FLAG
from churnlake.indicators.units import SHARE as SHARE_UNIT
from churnlake.tables.raw import FILES

TABLES = (FILES, *Lineage.of_package().tables, RUNS)


@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.name)
def test_every_rule_and_ddl_parses_and_names_declared_columns(table: Table) -> None:
    declared = {c.name for c in table.stored_columns}
    for rule in rules.row_rules(table):
        parsed = sqlglot.parse_one(rule.holds, dialect="spark")
        assert {c.name for c in parsed.find_all(exp.Column)} <= declared, rule
    if table.stored:
        assert sqlglot.parse_one(rules.ddl(table, table.name), dialect="spark").find(exp.Create)


@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.name)
def test_every_stored_table_has_a_key_and_ends_its_meaning_with_a_stop(table: Table) -> None:
    assert table.meaning.endswith(".")
    if table.stored:
        assert table.key


def test_one_column_name_has_one_unit() -> None:
    kinds: dict[str, set[str]] = {}
    for table in TABLES:
        if not table.stored:
            continue
        for column in table.columns:
            if column.name.endswith("_yuan") and column.name not in ("voice_minute_yuan", "own_event_yuan"):
                assert column.type.simpleString() == "decimal(12,2)", (table.name, column.name)
            if column.name.endswith("_on"):
                assert column.type.simpleString() == "date", (table.name, column.name)
            if column.name.endswith("_at"):
                assert column.type.simpleString() == "timestamp", (table.name, column.name)
            kinds.setdefault(column.name, set()).add(column.type.simpleString())
    keys = {name: found for name, found in kinds.items() if name.endswith(("_key", "_id")) and len(found) > 1}
    assert not keys, "one key, two types: joins would fail or cast"


EVERY = (*DAILY, *(i for i in (*INDICATORS, *ALL_ITEMS) if not i.daily))
LAMBDA_NAMES = {"a", "c", "n", "x", "acc", "last", "gap"}
UNIT_ENDS = {
    "_yuan": {"yuan", "ratio"}, "_share": {"share, 0 to 1"}, "_ratio": {"ratio"}, "_days": {"days"}, "_hours": {"hours", "events"}, "_km": {"kilometres"},
    "_bytes": {"bytes", "mean"}, "_seconds": {"seconds", "mean"}, "_calls": {"calls"}, "_entropy": {"nats"}, "_messages": {"messages"},
}  # fmt: skip
"""What the end of a name says, and the units it may say it of."""


def test_200_indicators_in_ten_views_and_833_items_in_seven_types() -> None:
    assert len(VIEWS) == 10
    assert min(map(len, VIEWS.values())) >= 10
    assert len(INDICATORS) >= 200
    assert len(ITEMS) == 7
    assert len(ALL_ITEMS) == 833
    names = [i.name for i in (*INDICATORS, *ALL_ITEMS)]
    assert len(set(names)) == len(names), "one name, one definition"
    assert len({(i.over, i.formula) for i in (*INDICATORS, *ALL_ITEMS)}) == len(names), "one definition, one name"


@pytest.mark.parametrize("source", SOURCES.values(), ids=lambda s: s.name or "the user's month")
def test_sources_are_made_of_tables_and_say_of_what_a_row_is(source: Source) -> None:
    assert source.meaning.startswith("One row per ")
    assert set(source.tables) <= {t.name for t in TABLES}
    assert len(set(source.columns)) == len(source.columns)


def test_units_are_told_and_fit_the_names() -> None:
    for i in EVERY:
        assert i.meaning.endswith("."), i.name
        assert i.type == i.unit.type
        for end, units in UNIT_ENDS.items():
            if i.name.endswith(end):
                assert i.unit.name in units, (i.name, i.unit.name)
        if i.name.startswith(("is_", "has_")):
            assert i.unit == FLAG, i.name


def wrong_with(indicator: Indicator) -> list[str]:
    """What a formula may not do: name what its source does not have, divide by what may be zero, take a logarithm of it."""
    parsed = sqlglot.parse_one(indicator.formula, dialect="spark")
    known = {*SOURCES["records" if indicator.daily else indicator.over].columns, *LAMBDA_NAMES}
    found = [f"names {c.name}" for c in parsed.find_all(exp.Column) if c.name not in known]
    for division in parsed.find_all(exp.Div):
        below = division.expression.unnest()
        if not (
            isinstance(below, exp.Nullif)
            or (isinstance(below, exp.Literal) and float(below.this.rstrip("D")) != 0)
            or isinstance(below, exp.Cast)
        ):
            found.append(f"divides by {below.sql(dialect='spark')}")
    if indicator.over == "" and not indicator.daily and indicator.name in {c.name for c in parsed.find_all(exp.Column)}:
        found.append("names itself")
    return found


def test_no_formula_names_an_unknown_column_or_divides_by_zero() -> None:
    assert {i.name: wrong for i in EVERY if (wrong := wrong_with(i))} == {}


@pytest.mark.parametrize(
    ("formula", "over", "told"),
    [
        ("voice_out_cals / nullif(own_events, 0)", "", "names voice_out_cals"),
        ("voice_out_calls / own_events", "", "divides by own_events"),
        ("sum(contacts) / sum(days_met)", "edges", "divides by SUM(days_met)"),
        ("sum(own_events)", "edges", "names own_events"),
        ("voice_out_calls / 0", "", "divides by 0"),
    ],
)
def test_a_wrong_formula_is_found_without_spark(formula: str, over: str, told: str) -> None:
    assert told in wrong_with(Indicator("x", SHARE_UNIT, "X.", monthly=formula, over=over))


@pytest.mark.parametrize("indicator", DAILY, ids=lambda i: i.name)
def test_daily_formulas_can_be_merged(indicator: Indicator) -> None:
    # counts and sums of disjoint parts add up, least and greatest are of the parts'; a mean or a distinct count is not
    begins = {"sum": r"count_if\(|coalesce\(sum\(", "min": r"min\(", "max": r"max\("}[indicator.merge]
    assert re.match(begins, indicator.daily)


def test_no_indicator_over_others_is_made_of_itself() -> None:
    formulas = [i for i in INDICATORS if i.monthly and not i.over]
    assert sum(map(len, levels(formulas))) == len(formulas)
    circle = [Indicator("x", SHARE_UNIT, "X.", monthly="y"), Indicator("y", SHARE_UNIT, "Y.", monthly="x")]
    with pytest.raises(ValueError, match="made of each other: x, y"):
        levels(circle)


def test_a_rule_that_names_no_column_or_a_table_that_names_one_twice_is_refused() -> None:
    with pytest.raises(ContractError, match="declares x twice"):
        Table("a.b", "One row.", (Column("x", INT, "X."), Column("x", INT, "X.")))
    with pytest.raises(ContractError, match="names y"):
        Table("a.b", "One row.", (Column("x", INT, "X."),), key=("y",))
    with pytest.raises(ContractError, match="not snake_case"):
        Column("X", INT, "X.")
    with pytest.raises(ContractError, match="exactly one"):
        Indicator("x", SHARE_UNIT, "X.")


def test_ddl_of_a_small_table_is_this() -> None:
    table = Table(
        "a.b",
        "One row per x.",
        (Column("x", INT, "The x.", least=0), Column("note", STRING, "It's a note.", optional=True)),
        key=("x",),
        slice="x",
    )
    assert rules.ddl(table, "a.b") == (
        "CREATE TABLE IF NOT EXISTS a.b (\n  x INT NOT NULL COMMENT 'The x.',\n  note STRING COMMENT 'It\\'s a note.'\n)\nUSING delta\nPARTITIONED BY (x)\n"
        "COMMENT 'One row per x.'\nTBLPROPERTIES (\n  'delta.constraints.x_holds' = '(x IS NULL OR x >= 0)',\n"
        f"  'churnlake.contract' = '{table.fingerprint}',\n  'delta.dataSkippingNumIndexedCols' = '0'\n)"
    )


def test_a_changed_rule_changes_the_fingerprint_and_a_reworded_meaning_does_not() -> None:
    def table(meaning: str, least: int) -> Table:
        return Table("a.b", meaning, (Column("x", INT, meaning, least=least),))

    assert table("One.", 0).fingerprint == table("Another.", 0).fingerprint
    assert table("One.", 0).fingerprint != table("One.", 1).fingerprint


def test_ledger_columns_are_in_the_ddl_of_a_ledger_only() -> None:
    table = Table("a.b", "One row.", (Column("x", INT, "X."), Column("batch", STRING, "B.")), slice="batch", ledger=True)
    assert [c.name for c in table.stored_columns] == ["x", "batch", *(c.name for c in LEDGER)]
    assert "PARTITIONED BY (batch, state)" in rules.ddl(table, "a.b")
    assert "x INT COMMENT" in rules.ddl(table, "a.b"), "a bad row may lack what a good one must have"


@pytest.mark.parametrize("table", [t for t in TABLES if t.stored], ids=lambda t: t.name)
def test_every_column_made_with_the_pseudonym_key_says_so(table: Table) -> None:
    # keys worked out from an operator's plain id of a recharge, touch or answer hide nobody
    plain = {"recharge_key", "touch_key", "answer_key"}
    named = {c.name for c in table.columns if c.type == LONG and c.name.endswith(("_key", "user_id", "peer_id", "person_id"))}
    assert {c.name for c in table.pseudonyms if c.pseudonym != CIPHER} == named - plain
    assert ("raw_text" in [c.name for c in table.pseudonyms]) == table.ledger
