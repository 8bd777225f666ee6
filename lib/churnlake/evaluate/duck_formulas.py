"""The indicators' formulas in DuckDB's words.

Nearly all are translated from their declaration, so that both engines work out the same thing. Where DuckDB has a better way
than folding an array, the formula is written for it by hand (``OWN``).
"""

from __future__ import annotations

from functools import cache
from typing import Any

import sqlglot
from sqlglot import exp

from churnlake.core.contract import BOOLEAN, DATE, DOUBLE, INT, LONG, MONEY, STRING, TIMESTAMP, Indicator, sql_type
from churnlake.indicators.peers import EARTH_KM

TYPES = {
    sql_type(kind): name
    for kind, name in (
        (LONG, "BIGINT"), (INT, "INTEGER"), (DOUBLE, "DOUBLE"), (MONEY, "DECIMAL(12,2)"), (STRING, "VARCHAR"),
        (TIMESTAMP, "TIMESTAMPTZ"), (BOOLEAN, "BOOLEAN"), (DATE, "DATE"),
    )
}  # fmt: skip
MACROS = (
    # half a cent goes up, as decimals do: of doubles nobody knows whether it was half a cent
    "CREATE OR REPLACE MACRO yuan_over(yuan, n) AS CAST(CAST((2 * CAST(CAST(yuan AS DECIMAL(18,2)) * 100 AS BIGINT) + CAST(n AS BIGINT)) "
    "// (2 * CAST(n AS BIGINT)) AS DECIMAL(16,0)) * CAST(0.01 AS DECIMAL(3,2)) AS DECIMAL(18,2))",
)
"""What the formulas below use, to be declared before them."""


def _top(column: str, k: int) -> str:
    return f"CAST(list_sum(max({column}, {k})) AS DOUBLE) / nullif(sum({column}), 0)"


_LATE = "CAST(greatest(date_diff('day', any_value(month), min(day)), 0) AS INTEGER)"

OWN = {
    "peer_areas": "count(DISTINCT CASE WHEN contacts > 0 THEN peer_area END)",
    "peer_top1_share": _top("contacts", 1),
    "peer_top3_share": _top("contacts", 3),
    "peer_top5_share": _top("contacts", 5),
    "cell_top3_share": _top("calls", 3),
    # held_...: what the greater ones hold together, worked out beside the source's rows
    "peer_pareto_share": "CAST(count_if(contacts > 0 AND held_contacts < ceil(all_contacts * 0.8)) AS DOUBLE) / nullif(count_if(contacts > 0), 0)",
    "peer_seconds_pareto_share": "CAST(count_if(held_seconds < ceil(all_seconds * 0.8)) AS DOUBLE) / nullif(count(seconds), 0)",
    "cell_pareto": "count_if(held_calls < ceil(all_calls * 0.8))",
    "gyration_km": f"sqrt(sum(CASE WHEN latitude IS NOT NULL THEN calls * pow(2 * {EARTH_KM} * asin(sqrt(least(1.0, "
    "pow(sin(radians(centre_latitude - latitude) / 2), 2) "
    "+ cos(radians(latitude)) * cos(radians(centre_latitude)) * pow(sin(radians(centre_longitude - longitude) / 2), 2)))), 2) END) "
    "/ nullif(sum(CASE WHEN latitude IS NOT NULL THEN calls END), 0))",
    # the days with own events as bits of a word: the longest run of noughts in it
    "longest_silence_days": "list_max(list_transform(string_split(lpad(bin(coalesce(bit_or(CASE WHEN in_month AND own_events > 0 "
    f"THEN CAST(1 AS BIGINT) << date_diff('day', month, day) END), 0) >> {_LATE}), CAST(day(any_value(month_end)) - {_LATE} AS INTEGER), '0'), '1'), "
    "lambda run: len(run)))",
}
"""By indicator, the formula over DuckDB's own source of it."""


def typed(sql: str, kind: Any) -> str:
    """The SQL as a value of a contract's type; null where it does not fit."""
    return f"TRY_CAST({sql} AS {TYPES[sql_type(kind)]})"


def nothing(kind: Any) -> str:
    """The null of a contract's type."""
    return f"CAST(NULL AS {TYPES[sql_type(kind)]})"


@cache
def formula(indicator: Indicator) -> str:
    """The SQL of a monthly indicator, of its type."""
    if indicator.name in OWN:
        return typed(OWN[indicator.name], indicator.type)
    tree = sqlglot.parse_one(indicator.monthly, read="spark")
    tree = tree.transform(_cased).transform(_greatest).transform(_renamed, money=indicator.type == MONEY)
    return typed(tree.sql("duckdb"), indicator.type)


def _renamed(node: exp.Expression, money: bool) -> exp.Expression:
    """What has another name or meaning in DuckDB."""
    if isinstance(node, exp.Ln) and not isinstance(node.this, exp.Nullif):
        # of nothing: null there, an error here
        return exp.Ln(this=exp.Nullif(this=node.this, expression=exp.Literal.number(0)))
    if isinstance(node, exp.CountIf):
        # of nothing but nulls: 0 there, null here
        return exp.Count(this=exp.Case().when(node.this, "1"))
    if isinstance(node, exp.ArgMax):
        # of the row with the greatest, also where its value is null
        return exp.Anonymous(this="arg_max_null", expressions=[node.this, node.expression])
    if isinstance(node, exp.Div):
        if money:
            return exp.Anonymous(this="yuan_over", expressions=[node.this, node.expression])
        # the formulas say themselves what they divide by may be 0
        node.set("safe", False)
    if isinstance(node, exp.Avg) and money:
        parts = [exp.Sum(this=node.this.copy()), exp.Count(this=node.this.copy())]
        return exp.Anonymous(this="yuan_over", expressions=parts)
    return node


@cache
def daily(indicator: Indicator) -> str:
    """The SQL of a daily indicator over the day's records."""
    found: str = sqlglot.parse_one(indicator.daily, read="spark").transform(_cased).sql("duckdb")
    return found


def _cased(node: exp.Expression) -> exp.Expression:
    """A filtered sum as one of cases: over 6.2 million records and 92 sums 7 s in place of 15."""
    if not isinstance(node, exp.Filter):
        return node
    added_up = node.this.copy()
    added_up.set("this", exp.Case().when(node.expression.this, added_up.this))
    return added_up


def _greatest(node: exp.Expression) -> exp.Expression:
    """The greatest of an array whose parts are written out."""
    if isinstance(node, exp.ArrayMax) and isinstance(node.this, exp.Array):
        first, *rest = (one.copy() for one in node.this.expressions)
        return exp.Greatest(this=first, expressions=rest)
    return node
