"""The declarations are self-consistent, described and parse: no JVM needed."""

import re

import pytest
import sqlglot
from sqlglot import exp

from churnlake.core import rules
from churnlake.core.contract import CIPHER, COUNT, INT, LEDGER, LONG, STRING, Column, Indicator, Table
from churnlake.core.errors import ContractError
from churnlake.core.lineage import Lineage
from churnlake.core.runs import RUNS
from churnlake.indicators import DAILY, INDICATORS, MONTHLY, VIEWS
from churnlake.tables.raw import FILES
from churnlake.usage.daily import EVENT
from churnlake.usage.features import BEFORE

TABLES = (FILES, *Lineage.of_package().tables, RUNS)
UNITS = ("_calls", "_seconds", "_bytes", "_yuan", "_share", "_days", "_on", "_at")


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
            if column.name.endswith("_yuan"):
                assert column.type.simpleString() == "decimal(12,2)", (table.name, column.name)
            if column.name.endswith("_on"):
                assert column.type.simpleString() == "date", (table.name, column.name)
            if column.name.endswith("_at"):
                assert column.type.simpleString() == "timestamp", (table.name, column.name)
            kinds.setdefault(column.name, set()).add(column.type.simpleString())
    keys = {name: found for name, found in kinds.items() if name.endswith(("_key", "_id")) and len(found) > 1}
    assert not keys, "one key, two types: joins would fail or cast"


def test_at_least_40_indicators_over_ten_views() -> None:
    assert len(VIEWS) == 10
    assert all(VIEWS.values())
    assert len(INDICATORS) >= 40
    assert len({i.name for i in INDICATORS}) == len(INDICATORS)


@pytest.mark.parametrize("indicator", DAILY, ids=lambda i: i.name)
def test_daily_formulas_parse_name_event_fields_and_are_additive(indicator: Indicator) -> None:
    parsed = sqlglot.parse_one(indicator.daily, dialect="spark")
    assert {c.name for c in parsed.find_all(exp.Column)} <= {*EVENT, "weekday"}
    # counts and sums of disjoint parts add up; a mean, a maximum or a distinct count does not
    assert re.match(r"^(count_if\(|coalesce\(sum\()", indicator.daily)


OVER = {
    "days": {"day", "month", "month_end", *(i.name for i in DAILY)},
    "months": {"month", *(i.name for i in DAILY)},
    "edges": {"contacts", "contacts_out", "peer_network", "peer_area", "seen_before", "has_left"},
    "places": {"calls", "cell_id"},
    "devices": {"calls", "tac", "last_seen", "seen_before", "maker", "has_mms"},
    "recharges": {"day", "amount_yuan", "in_month", "month_end"},
}


@pytest.mark.parametrize("indicator", [i for i in MONTHLY if i.over in OVER or not i.over], ids=lambda i: i.name)
def test_monthly_formulas_name_known_columns_and_never_divide_by_zero(indicator: Indicator) -> None:
    parsed = sqlglot.parse_one(indicator.monthly, dialect="spark")
    known = OVER.get(indicator.over) or {*(i.name for i in INDICATORS), *(BEFORE + i.name for i in DAILY)}
    lambda_names = {"a", "c", "acc", "last", "gap"}
    assert {c.name for c in parsed.find_all(exp.Column)} - lambda_names <= known
    for division in parsed.find_all(exp.Div):
        below = division.expression.sql(dialect="spark").upper()
        assert below.startswith(("NULLIF(", "SUM(CONTACTS)", "SUM(CALLS)")), f"{indicator.name} can divide by zero: {below}"


def test_a_rule_that_names_no_column_or_a_table_that_names_one_twice_is_refused() -> None:
    with pytest.raises(ContractError, match="declares x twice"):
        Table("a.b", "One row.", (Column("x", INT, "X."), Column("x", INT, "X.")))
    with pytest.raises(ContractError, match="names y"):
        Table("a.b", "One row.", (Column("x", INT, "X."),), key=("y",))
    with pytest.raises(ContractError, match="not snake_case"):
        Column("X", INT, "X.")
    with pytest.raises(ContractError, match="exactly one"):
        Indicator("x", COUNT, "X.")


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
