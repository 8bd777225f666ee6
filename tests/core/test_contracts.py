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
from churnlake.indicators.checks import kind_of_column, refuse_wrong, wrong_with
from churnlake.indicators.needs import levels
from churnlake.indicators.origins import BESIDE, tables_of
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
UNIT_ENDS = {
    "_yuan": {"yuan"}, "_share": {"share, 0 to 1"}, "_ratio": {"ratio"}, "_days": {"days", "days of the month"}, "_hours": {"hours"}, "_km": {"kilometres"},
    "_bytes": {"bytes"}, "_seconds": {"seconds"}, "_calls": {"calls"}, "_entropy": {"nats"}, "_messages": {"messages"}, "_contacts": {"contacts"},
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


def test_no_formula_can_break_a_build() -> None:
    assert {i.name: wrong for i in EVERY if (wrong := wrong_with(i))} == {}
    refuse_wrong()


@pytest.mark.parametrize(
    ("formula", "over", "told"),
    [
        ("voice_out_cals / nullif(own_events, 0)", "", "names voice_out_cals"),
        ("voice_out_calls_7d", "days", "names voice_out_calls_7d"),
        ("x", "", "names itself"),
        ("sum(voice_out_calls", "days", "can not be read"),
        ("count(*)", "calls", "is over calls, which is no source"),
        # names of a lambda are names within it and nowhere else
        ("a + own_events", "", "names a"),
        ("gap", "", "names gap"),
        ("aggregate(collect_list(contacts), 0L, (a, c) -> a + b)", "edges", "names b"),
        ("aggregate(collect_list(contacts), 0L, (a, c) -> a + c) + a", "edges", "names a"),
        # nothing is divided by what may be 0, however it is written
        ("voice_out_calls / own_events", "", "divides by own_events"),
        ("own_events / cast(voice_out_calls as double)", "", "divides by CAST(voice_out_calls AS DOUBLE)"),
        ("own_events / nullif(voice_out_calls, 1)", "", "divides by NULLIF(voice_out_calls, 1)"),
        ("own_events / coalesce(nullif(voice_out_calls, 0), 0)", "", "divides by COALESCE("),
        ("own_events / cast(nullif(voice_fee_yuan, 0) as bigint)", "", "divides by CAST("),
        ("own_events % voice_out_calls", "", "divides by voice_out_calls"),
        ("mod(own_events, voice_out_calls)", "", "divides by voice_out_calls"),
        ("own_events div voice_out_calls", "", "divides by voice_out_calls"),
        ("sum(contacts) / sum(days_met)", "edges", "divides by SUM(days_met)"),
        ("voice_out_calls / 0", "", "divides by 0"),
        ("1 / 0.0D", "", "divides by CAST(0.0 AS DOUBLE)"),
        ("ln(own_events)", "", "takes the logarithm of own_events"),
        ("log10(own_events)", "", "takes the logarithm of own_events"),
        ("log2(own_events)", "", "takes the logarithm of own_events"),
        ("log(2, own_events)", "", "takes the logarithm of own_events"),
        ("ln(nullif(own_events - voice_out_calls, 0))", "", "takes the logarithm of NULLIF("),
        ("sum(contacts * ln(contacts)) / nullif(sum(contacts), 0)", "edges", "takes the logarithm of contacts"),
        # aggregates where there are rows, and nowhere else
        ("sum(own_events)", "edges", "names own_events"),
        ("sum(own_events)", "", "aggregates with SUM(own_events)"),
        ("sum(sum(contacts))", "edges", "aggregates within an aggregate"),
        ("voice_out_calls", "edges", "names voice_out_calls outside of an aggregate"),
        ("sum(contacts) over ()", "edges", "uses SUM(contacts) OVER ()"),
        # kinds
        ("own_evnts(3)", "", "uses OWN_EVNTS(3)"),
        ("(select max(day) from x)", "days", "uses SELECT MAX(day)"),
        ("brand + 1", "", "reckons with brand, a text"),
        ("if(brand > 1, 1, 0)", "", "compares a number with a text"),
        ("cast(brand as int)", "", "makes a number of brand, a text"),
        ("sum(day)", "days", "adds up day, a date"),
        ("max(day)", "days", "is a date where its unit, share, 0 to 1, asks for a double"),
        # numbers stay within their types
        ("voice_out_seconds_squared * 1000000000000L * voice_out_seconds_squared", "", "may overflow: as much as"),
        ("voice_out_calls_hours_0 * 100", "", "may overflow"),
        ("sum(imei_key)", "handset_days", "may overflow"),
        ("points + 1", "subscriber", "may overflow"),
        ("cast(pow(own_events, 9) as bigint)", "", "may overflow"),
        ("aggregate(collect_list(contacts), 1L, (a, c) -> a * c)", "edges", "may overflow"),
    ],
)  # fmt: skip
def test_a_wrong_formula_is_found_without_spark(formula: str, over: str, told: str) -> None:
    one = Indicator("x", SHARE_UNIT, "X.", monthly=formula, over=over)
    found = wrong_with(one)
    assert any(wrong.startswith(told) or told in wrong for wrong in found), found
    with pytest.raises(ContractError, match="1 formulas of indicators may not be as they are: x "):
        refuse_wrong([one])


@pytest.mark.parametrize(
    ("formula", "over"),
    [
        ("own_events / cast(nullif(voice_out_calls, 0) as double)", ""),
        ("own_events / 60.0D", ""),
        ("own_events % nullif(voice_out_calls, 0)", ""),
        ("if(own_events > 0, ln(own_events), 0D)", ""),
        ("case when own_events >= 1 and brand = 'gotone' then log2(own_events) end", ""),
        ("sum(contacts * ln(contacts)) filter (where contacts > 0)", "edges"),
        # a double gets infinite or no number at all, which tables hold as null
        ("pow(own_events, 400)", ""),
        ("sqrt(-1 * own_events)", ""),
    ],
)
def test_a_formula_that_gives_null_by_rule_is_none_the_worse(formula: str, over: str) -> None:
    assert wrong_with(Indicator("x", SHARE_UNIT, "X.", monthly=formula, over=over)) == []


def test_what_is_known_of_columns_is_what_tables_say() -> None:
    by_name = {table.name: table for table in TABLES}
    kinds = {
        "int": "int",
        "bigint": "long",
        "double": "double",
        "string": "text",
        "date": "date",
        "timestamp": "date",
        "boolean": "flag",
    }
    for source in SOURCES.values():
        for name in source.columns:
            kind = kind_of_column(source.name, name)
            for column in (c for t in source.tables for c in by_name[t].columns if c.name == name and source.name):
                told = kinds.get(column.type.simpleString(), "decimal")
                # counts of days are added up: they may be wider than a day's
                assert kind.name == told or (kind.name, told) == ("long", "int"), (source.name, name)
                if source.name == "records" and column.most and column.severity == "error":
                    assert kind.greatest >= column.most, (column.name, "a record can hold more than formulas are checked with")


@pytest.mark.parametrize(
    ("name", "tables"),
    [
        ("voice_out_calls", ["clean.voice", "clean.sms", "clean.mms", "clean.wap"]),
        ("own_events_7d", ["daily.usage"]),
        ("voice_out_calls_mon_19", ["daily.usage"]),
        ("voice_out_calls_to_before_ratio", ["daily.usage"]),
        ("own_events_to_plan_ratio", ["daily.usage", "reference.subscribers"]),
        ("recharge_to_usage_ratio", ["reference.recharges", "daily.usage"]),
        ("recharge_overdue_ratio", ["reference.recharges"]),
        ("plan_minutes_used_ratio", ["reference.subscribers", "reference.plans", "daily.usage"]),
        ("peers", ["daily.edges"]),
        ("peers_left_share", ["daily.edges", "churn.leavings"]),
        ("gyration_km", ["daily.places", "reference.cells"]),
        ("brand", ["reference.subscribers"]),
    ],
)
def test_an_indicator_tells_the_stored_tables_it_comes_from(name: str, tables: list[str]) -> None:
    assert sorted(tables_of(name)) == sorted(tables)


def test_every_indicator_comes_from_stored_tables_and_none_from_its_own() -> None:
    stored = {t.name for t in TABLES if t.stored}
    for i in EVERY:
        found = set(tables_of(i.name))
        assert found, i.name
        assert found <= stored, i.name
        assert not any(name.startswith("features.") for name in found), i.name
    # what stands beside the rows of a source is told of each column
    for source in SOURCES.values():
        if source.name not in ("", "records"):
            assert set(source.tables[1:]) <= {BESIDE[c] for c in source.columns if c in BESIDE}, source.name


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
    # keys worked out from an operator's plain id of a recharge, touch, answer or activation hide nobody
    plain = {"recharge_key", "touch_key", "answer_key", "activation_key"}
    named = {c.name for c in table.columns if c.type == LONG and c.name.endswith(("_key", "user_id", "peer_id", "person_id"))}
    assert {c.name for c in table.pseudonyms if c.pseudonym != CIPHER} == named - plain
    assert ("raw_text" in [c.name for c in table.pseudonyms]) == table.ledger
