"""Monthly features by DuckDB, to measure the lakehouse against: the same declarations, the sources written by hand.

Each source is scanned once and added up by user before anything is joined; what folds arrays in Spark is a window or an ordered
aggregate here (``duck_formulas``). Of one month: a view per table, named as in ``view``, must be there; those of feeds that no
operator delivers may be missing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from churnlake.core.contract import DOUBLE, Indicator, Table
from churnlake.evaluate.duck_formulas import formula, nothing, typed
from churnlake.indicators import DAILY
from churnlake.indicators.calls import TRENDS
from churnlake.indicators.formulas import DATA_DAYS, PLAN_MEAN
from churnlake.indicators.needs import levels, needed, sums, words
from churnlake.indicators.time import WEEKDAYS
from churnlake.tables.churn import LEAVINGS
from churnlake.tables.daily import CONTACTS, DEVICES, EDGES, PLACES, USAGE
from churnlake.tables.reference import BILLS, CELLS, HANDSETS, PLANS, RECHARGES, SUBSCRIBERS, SUBSCRIPTIONS, TOUCHES

OF = {
    "edges": EDGES, "places": PLACES, "devices": DEVICES, "handset_days": DEVICES, "recharges": RECHARGES, "bills": BILLS,
    "subscriptions": SUBSCRIPTIONS, "touches": TOUCHES, "subscriber": SUBSCRIBERS,
}  # fmt: skip
"""By source, the table that it can not do without."""
MADE_OF = tuple(dict.fromkeys((USAGE, *OF.values(), LEAVINGS, CELLS, HANDSETS, PLANS)))
"""Every table that a source is made of."""
TOLD_OF_EDGES = ("voice_out_calls", "voice_in_calls", "voice_out_seconds", "voice_in_seconds", "message_out", "message_in")


def view(table: Table) -> str:
    """The name of a table's view in DuckDB."""
    return table.name.replace(".", "_")


@dataclass(frozen=True)
class Month:
    """What the queries are asked of: a month, the city's area code and the tables that are there."""

    first: dt.date
    home_area: str
    tables: Collection[Table]

    @property
    def begins(self) -> str:
        """SQL of its first day."""
        return f"DATE '{self.first}'"

    @property
    def ends(self) -> str:
        """SQL of its last day."""
        return f"DATE '{(self.first + dt.timedelta(days=32)).replace(day=1) - dt.timedelta(days=1)}'"

    def back(self, months: int) -> str:
        """SQL of the first day of so many months before."""
        first = self.first
        for _ in range(months):
            first = (first - dt.timedelta(days=1)).replace(day=1)
        return f"DATE '{first}'"


def features(month: Month, indicators: Sequence[Indicator]) -> str:
    """SQL of one row per user with a record in the month: the indicators asked for, sorted by user."""
    asked = needed(indicators)
    rows = _of_days(month, asked)
    parts = {
        name: [i for i in asked if i.over == name] for name in dict.fromkeys(i.over for i in asked) if name not in ("", "days")
    }
    told, joins = ["d.*"], ""
    for name, some in parts.items():
        if OF[name] not in month.tables:
            told += [f"{nothing(i.type)} AS {i.name}" for i in some]
            continue
        grouped = "" if name == "subscriber" else " GROUP BY user_id"
        made = ", ".join(f"{formula(i)} AS {i.name}" for i in some)
        joins += f" LEFT JOIN (SELECT user_id, {made} FROM ({_SOURCES[name](month)}) s{grouped}) AS {name} ON {name}.user_id = d.user_id"
        told += [f"coalesce({name}.{i.name}, 0) AS {i.name}" if i.counts else f"{name}.{i.name}" for i in some]
    rows = f"SELECT {', '.join(told)} FROM ({rows}) d{joins}"
    if any(PLAN_MEAN in i.monthly for i in asked):
        means = ", ".join(PLAN_MEAN + name for name in TRENDS)
        rows = f"SELECT r.*, {means} FROM ({rows}) r LEFT JOIN ({_plan_means(month)}) p ON r.plan_id = p.of_plan"
    if DATA_DAYS in words(i.monthly for i in asked):
        rows = (
            f"SELECT *, date_diff('day', (SELECT min(day) FROM {view(USAGE)}), {month.ends}) + 1 AS {DATA_DAYS} FROM ({rows}) r"
        )
    for level in levels(asked):
        rows = f"SELECT *, {', '.join(f'{formula(i)} AS {i.name}' for i in level)} FROM ({rows}) l"
    finite = (f"CASE WHEN isfinite({i.name}) THEN {i.name} END AS {i.name}" if i.type == DOUBLE else i.name for i in indicators)
    return f"SELECT {month.begins} AS month, user_id, {', '.join(finite)} FROM ({rows}) f ORDER BY user_id"


def _of_days(month: Month, asked: Sequence[Indicator]) -> str:
    """One row per user with a record in the month: indicators over days, and the sums of days that formulas name."""
    over, added_up = [i for i in asked if i.over == "days"], sums(asked)
    by_weekday = [(name, i) for name, i, condition in added_up if "weekday" in condition]
    named = words(i.monthly for i in over) | {i.name for _, i, _ in added_up}
    kept = ", ".join(i.name for i in DAILY if i.name in named)
    days = (
        f"SELECT user_id, day, {kept}{', ' if kept else ''}{month.begins} AS month, {month.ends} AS month_end, "
        f"date_diff('day', day, {month.ends}) AS days_back, "
        f"date_diff('month', day, {month.begins}) AS months_back, day >= {month.begins} AS in_month, isodow(day) AS weekday FROM {view(USAGE)} "
        f"WHERE day <= {month.ends} AND day >= least({month.back(2)}, {month.ends} - 89)"
    )
    made = [
        f"{typed(f'{i.merge}(CASE WHEN {condition} THEN {i.name} END)', i.type)} AS {name}"
        for name, i, condition in added_up
        if "weekday" not in condition
    ]
    made += [f"{formula(i)} AS {i.name}" for i in over]
    found = f"SELECT user_id, {', '.join([*made, 'count_if(in_month) AS days_with_records'])} FROM ({days}) d GROUP BY user_id HAVING days_with_records > 0"
    if not by_weekday:
        return found
    # the days of a weekday together first: a seventh of the cases to tell apart afterwards
    words_of = dict.fromkeys(i.name for _, i in by_weekday)
    first = ", ".join(f"CAST(sum({name}) AS BIGINT) AS {name}" for name in words_of)
    per_weekday = f"SELECT user_id, isodow(day) AS weekday, {first} FROM {view(USAGE)} WHERE day BETWEEN {month.begins} AND {month.ends} GROUP BY ALL"
    second = ", ".join(
        f"max(CASE WHEN weekday = {1 + list(WEEKDAYS).index(name[:3])} THEN {i.name} END) AS {name}" for name, i in by_weekday
    )
    return f"SELECT * FROM ({found}) LEFT JOIN (SELECT user_id, {second} FROM ({per_weekday}) GROUP BY user_id) USING (user_id)"


def _edges(month: Month) -> str:
    """One row per user and peer of the month or the one before; beside each, what the user's stronger peers hold together."""
    now = f"day >= {month.begins}"
    added = {
        "contacts": f"CASE WHEN {now} THEN {CONTACTS} END",
        "contacts_before": f"CASE WHEN NOT {now} THEN {CONTACTS} END",
        "voice_out_calls_before": f"CASE WHEN NOT {now} THEN voice_out_calls END",
        **{name: f"CASE WHEN {now} THEN {name} END" for name in TOLD_OF_EDGES},
    }
    made = ", ".join(f"CAST(coalesce(sum({case}), 0) AS BIGINT) AS {name}" for name, case in added.items())
    per_peer = (
        f"SELECT user_id, peer_id, {made}, count_if({now}) AS days_met, min(peer_network) AS peer_network, min(peer_area) AS peer_area "
        f"FROM {view(EDGES)} WHERE day BETWEEN {month.back(1)} AND {month.ends} GROUP BY user_id, peer_id"
    )
    wrote = (
        f"SELECT user_id AS peer_id, false AS left_then, true AS wrote_then FROM {view(USAGE)} "
        f"WHERE mms_out_messages > 0 AND day BETWEEN {month.begins} AND {month.ends}"
    )
    left = f"SELECT user_id, true, false FROM {view(LEAVINGS)} WHERE known_on BETWEEN {month.back(1)} AND {month.ends}"
    known = f"{wrote} UNION ALL {left}" if LEAVINGS in month.tables else wrote
    known = f"SELECT peer_id, bool_or(left_then) AS has_left, bool_or(wrote_then) AS sends_mms FROM ({known}) GROUP BY peer_id"
    spoken = "CASE WHEN voice_out_calls + voice_in_calls > 0 THEN voice_out_seconds + voice_in_seconds END"
    rows = f"SELECT *, {spoken} AS seconds FROM ({per_peer}) p LEFT JOIN ({known}) k USING (peer_id)"
    return (
        f"SELECT *, {_held('contacts')}, {_held('seconds')}, peer_area <> '{month.home_area}' AS is_away, "
        f"{month.begins} AS month, {month.ends} AS month_end FROM ({rows}) r"
    )


def _held(column: str) -> str:
    """What the rows of the user with more of it hold, this one left out, and what all hold; a row without is held by none."""
    stronger = f"(PARTITION BY user_id ORDER BY {column} DESC NULLS LAST ROWS UNBOUNDED PRECEDING)"
    return (
        f"CASE WHEN {column} IS NOT NULL THEN sum({column}) OVER {stronger} - {column} END AS held_{column}, "
        f"sum({column}) OVER (PARTITION BY user_id) AS all_{column}"
    )


def _places(month: Month) -> str:
    per_cell = (
        "SELECT user_id, cell_id, CAST(sum(voice_calls) AS BIGINT) AS calls, CAST(sum(night_calls) AS BIGINT) AS night_calls, "
        "CAST(sum(CASE WHEN isodow(day) <= 5 THEN voice_calls - night_calls ELSE 0 END) AS BIGINT) AS work_calls, count(*) AS days_seen "
        f"FROM {view(PLACES)} WHERE day BETWEEN {month.begins} AND {month.ends} GROUP BY user_id, cell_id"
    )
    rows = _beside(month, per_cell, CELLS, "cell_id", {"latitude": "DOUBLE", "longitude": "DOUBLE"})
    known = "CASE WHEN latitude IS NOT NULL THEN calls END"
    centre = ", ".join(
        f"sum({known} * {axis}) OVER (PARTITION BY user_id) / nullif(sum({known}) OVER (PARTITION BY user_id), 0) AS centre_{axis}"
        for axis in ("latitude", "longitude")
    )
    return f"SELECT *, {_held('calls')}, {centre}, {month.begins} AS month, {month.ends} AS month_end FROM ({rows}) c"


def _devices(month: Month) -> str:
    now = f"day >= {month.begins}"
    per_device = (
        f"SELECT user_id, imei_key, min(tac) AS tac, CAST(coalesce(sum(CASE WHEN {now} THEN voice_calls END), 0) AS BIGINT) AS calls, "
        f"CAST(coalesce(sum(CASE WHEN NOT {now} THEN voice_calls END), 0) AS BIGINT) AS calls_before, min(day) AS first_on, "
        f"CASE WHEN max(day) >= {month.begins} THEN {{'day': max(day), 'imei_key': imei_key}} END AS last_seen "
        f"FROM {view(DEVICES)} WHERE day BETWEEN {month.back(1)} AND {month.ends} GROUP BY user_id, imei_key"
    )
    told = {"maker": "VARCHAR", "model": "VARCHAR", "has_gprs": "BOOLEAN", "has_mms": "BOOLEAN", "has_java": "BOOLEAN"}
    rows = _beside(month, per_device, HANDSETS, "tac", told)
    return f"SELECT *, {month.begins} AS month, {month.ends} AS month_end FROM ({rows}) d"


def _handset_days(month: Month) -> str:
    return (
        f"SELECT user_id, imei_key, date_diff('day', max(day), {month.ends}) AS days_back FROM {view(DEVICES)} "
        f"WHERE day BETWEEN {month.ends} - 89 AND {month.ends} GROUP BY user_id, imei_key"
    )


def _beside(month: Month, rows: str, register: Table, key: str, told: dict[str, str]) -> str:
    """The rows with what the newest delivery by the month's end says of their key, nulls where there is none."""
    if register not in month.tables:
        return f"SELECT *, {', '.join(f'CAST(NULL AS {kind}) AS {name}' for name, kind in told.items())} FROM ({rows}) b"
    newest = ", ".join(f"arg_max_null({name}, delivered_on) AS {name}" for name in told)
    known = f"SELECT {key}, {newest} FROM {view(register)} WHERE delivered_on <= {month.ends} GROUP BY {key}"
    return f"SELECT * FROM ({rows}) b LEFT JOIN ({known}) n USING ({key})"


def _recharges(month: Month) -> str:
    return (
        f"SELECT user_id, day, amount_yuan, day >= {month.begins} AS in_month, {month.begins} AS month, {month.ends} AS month_end "
        f"FROM {view(RECHARGES)} WHERE day BETWEEN {month.back(2)} AND {month.ends}"
    )


def _bills(month: Month) -> str:
    return (
        f"SELECT * RENAME (month AS billed_month), {month.begins} AS month, {month.ends} AS month_end FROM {view(BILLS)} "
        f"WHERE delivered_on <= {month.ends} AND month >= {month.back(3)}"
    )


def _subscriptions(month: Month) -> str:
    newest = ", ".join(f"arg_max_null({name}, delivered_on) AS {name}" for name in ("ended_on", "channel", "monthly_fee_yuan"))
    return (
        f"SELECT *, ended_on IS NULL OR ended_on >= month_end AS is_held FROM (SELECT user_id, service, started_on, {newest}, "
        f"{month.begins} AS month, {month.ends} AS month_end FROM {view(SUBSCRIPTIONS)} "
        f"WHERE delivered_on <= {month.ends} AND started_on <= {month.ends} GROUP BY user_id, service, started_on) s"
    )


def _touches(month: Month) -> str:
    return (
        f"SELECT user_id, arm, is_reached, {month.begins} AS month, {month.ends} AS month_end FROM {view(TOUCHES)} "
        f"WHERE delivered_on <= {month.ends} AND assigned_on BETWEEN {month.back(2)} AND {month.ends}"
    )


def _subscriber(month: Month) -> str:
    """One row per user: the newest delivery by the month's end, and what the deliveries before it say of the plan."""
    known = (
        "SELECT *, lag(plan_id) OVER (PARTITION BY user_id ORDER BY delivered_on) AS plan_before, "
        f"max(delivered_on) OVER (PARTITION BY user_id) AS newest_on FROM {view(SUBSCRIBERS)} WHERE delivered_on <= {month.ends}"
    )
    changed = "plan_id IS DISTINCT FROM plan_before"
    recent = f"plan_before IS NOT NULL AND delivered_on >= {month.back(2)}"
    told = [name for name in SUBSCRIBERS.names if name not in ("batch", "user_id", "delivered_on", "plan_id")]
    newest = ", ".join(f"max({name}) FILTER (WHERE delivered_on = newest_on) AS {name}" for name in ("plan_id", *told))
    rows = (
        f"SELECT user_id, {newest}, "
        f"arg_max_null(CASE WHEN plan_before IS NOT NULL THEN delivered_on END, delivered_on) FILTER (WHERE {changed}) AS plan_since, "
        f"count_if({changed} AND {recent}) AS plan_changes FROM ({known}) k GROUP BY user_id"
    )
    prices = {"monthly_fee_yuan": "DECIMAL(12,2)", "included_minutes": "INTEGER", "included_messages": "INTEGER"}
    with_prices = _beside(month, rows, PLANS, "plan_id", prices)
    return f"SELECT * RENAME (monthly_fee_yuan AS plan_fee_yuan), {month.begins} AS month, {month.ends} AS month_end FROM ({with_prices}) w"


def _plan_means(month: Month) -> str:
    """One row per plan: means, over its users with a record in the month, of what trends are told of."""
    if SUBSCRIBERS not in month.tables:
        return f"SELECT CAST(NULL AS VARCHAR) AS of_plan, {', '.join(f'CAST(NULL AS DOUBLE) AS {PLAN_MEAN}{name}' for name in TRENDS)}"
    added = ", ".join(f"sum({name}) AS {name}" for name in TRENDS)
    users = f"SELECT user_id, {added} FROM {view(USAGE)} WHERE day BETWEEN {month.begins} AND {month.ends} GROUP BY user_id"
    plans = f"SELECT user_id, arg_max_null(plan_id, delivered_on) AS of_plan FROM {view(SUBSCRIBERS)} WHERE delivered_on <= {month.ends} GROUP BY user_id"
    means = ", ".join(f"avg({name}) AS {PLAN_MEAN}{name}" for name in TRENDS)
    return f"SELECT of_plan, {means} FROM ({users}) u JOIN ({plans}) p USING (user_id) GROUP BY of_plan"


_SOURCES = {
    "edges": _edges, "places": _places, "devices": _devices, "handset_days": _handset_days, "recharges": _recharges,
    "bills": _bills, "subscriptions": _subscriptions, "touches": _touches, "subscriber": _subscriber,
}  # fmt: skip
