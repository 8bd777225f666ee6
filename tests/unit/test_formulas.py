"""Formulas that pass the check are worked out whatever the rows: none stops a build, none gives infinity or NaN."""

import datetime as dt
import math
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import DecimalType, NumericType

from churnlake.core.contract import DOUBLE, Column, Indicator, Table
from churnlake.core.testing import rows
from churnlake.indicators import DAILY, INDICATORS
from churnlake.indicators.checks import RECORDS, kind_of, wrong_with
from churnlake.indicators.units import RATIO
from churnlake.tables.churn import LEAVINGS
from churnlake.tables.daily import DEVICES, EDGES, PLACES, USAGE
from churnlake.tables.reference import BILLS, CELLS, HANDSETS, PLANS, RECHARGES, SUBSCRIBERS, SUBSCRIPTIONS
from churnlake.usage.features import features

MAY, DAY = dt.date(2005, 5, 1), dt.date(2005, 5, 9)
BOUNDS = {i.name: kind_of(i).greatest for i in DAILY}


def greatest(column: Column) -> Any:
    """The most that formulas are made for, of what the column may hold."""
    if isinstance(column.type, DecimalType):
        return Decimal("9999999999.99")
    most = {"int": 2**31 - 1, "bigint": RECORDS, "double": 90.0}[column.type.simpleString()]
    most = min(BOUNDS.get(column.name, RECORDS * 86_400 if column.name.endswith("seconds") else most), 2.0**63 - 1024)
    return int(min(most, column.most if column.most is not None else most))


@pytest.fixture(scope="module")
def tables(spark: SparkSession) -> dict[Table, DataFrame]:
    """One user with the greatest value in every column, and one with nothing but zeros."""

    def made(table: Table, *given: dict[str, Any]) -> DataFrame:
        plain = [
            c for c in table.columns
            if isinstance(c.type, NumericType) and c.name not in table.key and not c.pseudonym and not c.one_of and c.name != "birth_year"
        ]  # fmt: skip
        full = [{**{c.name: greatest(c) for c in plain}, **row} for row in given]
        none = [
            {**{c.name: 0 for c in plain if not c.least}, **row, **({"user_id": 2} if "user_id" in row else {})} for row in given
        ]
        return rows(spark, table, *full, *(none if "user_id" in table.names else []))

    on = {"user_id": 1, "day": DAY}
    told = {"delivered_on": MAY}
    return {
        USAGE: made(USAGE, on, {**on, "day": dt.date(2005, 4, 9)}, {**on, "day": dt.date(2005, 3, 9)}),
        EDGES: made(EDGES, *({**on, "peer_id": peer, "peer_network": "own", "peer_area": "010"} for peer in (3, 4))),
        PLACES: made(PLACES, {**on, "cell_id": "x"}, {**on, "cell_id": "y"}),
        DEVICES: made(DEVICES, {**on, "imei_key": 5, "tac": "35000000"}),
        LEAVINGS: made(LEAVINGS, {"user_id": 4, "known_on": DAY, "leave_on": MAY}),
        SUBSCRIBERS: made(SUBSCRIBERS, {**told, "user_id": 1, "plan_id": "p", "joined_on": dt.date(1999, 1, 1), "birth_year": 1970}),
        PLANS: made(PLANS, {**told, "plan_id": "p"}),
        BILLS: made(BILLS, *({**told, "user_id": 1, "month": dt.date(2005, m, 1)} for m in (3, 4))),
        RECHARGES: made(RECHARGES, *({**on, "recharge_key": n, "amount_yuan": Decimal("9999999999.99")} for n in (1, 2))),
        SUBSCRIPTIONS: made(SUBSCRIPTIONS, {**told, "user_id": 1, "service": "ring_tone", "started_on": MAY}),
        HANDSETS: made(HANDSETS, {**told, "tac": "35000000"}),
        CELLS: made(CELLS, {**told, "cell_id": "x"}, {**told, "cell_id": "y"}),
    }  # fmt: skip


def test_the_greatest_values_and_none_at_all_stop_no_build(tables: dict[Table, DataFrame]) -> None:
    found = {row["user_id"]: row.asDict() for row in features([MAY], tables, "010").collect()}
    assert set(found) == {1, 2}
    for of_user in found.values():
        assert not [i.name for i in INDICATORS if i.type == DOUBLE and not math.isfinite(of_user[i.name] or 0)]
    # sums that would be out of bounds if they were not checked are what they should be
    assert found[1]["voice_out_seconds"] == int(BOUNDS["voice_out_seconds"])
    assert found[2]["peer_entropy"] is None


def test_what_gets_infinite_or_no_number_is_null(tables: dict[Table, DataFrame]) -> None:
    formulas = ["pow(own_events, 400)", "sqrt(-1 * own_events)", "own_events / nullif(voice_out_calls, 0)", "own_events % nullif(voice_out_calls, 0)",
                "if(own_events > 0, ln(own_events), null)"]  # fmt: skip
    asked = [Indicator(f"x{n}", RATIO, "X.", monthly=formula) for n, formula in enumerate(formulas)]
    assert not any(wrong_with(i) for i in asked)
    found = {row["user_id"]: [row[i.name] for i in asked] for row in features([MAY], tables, "010", asked).collect()}
    assert found[1][:2] == [None, None]
    assert found[2][2:] == [None, None, None]
