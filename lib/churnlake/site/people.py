"""Who the users are: how many use what, when in the week, with how many others, and who has which plan, tenure, dealer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from churnlake.core.contract import Table
from churnlake.site import charts, wording
from churnlake.site.disclosure import is_small, shown
from churnlake.site.monthly import newest_rows
from churnlake.tables.features import ITEMS, MONTHLY
from churnlake.tables.reference import SUBSCRIBERS

SERVICES: Mapping[str, tuple[str, str]] = {
    "calls": ("calls made", "voice_out_calls > 0"),
    "sms": ("SMS sent", "sms_out_messages > 0"),
    "mms": ("MMS sent", "mms_out_messages > 0"),
    "wap": ("WAP", "wap_sessions > 0"),
    "long_distance": ("long distance", "voice_out_calls_long_distance > 0"),
    "international": ("international", "voice_out_calls_international > 0"),
    "roaming": ("roaming", "voice_out_calls_roaming > 0"),
    "forwarding": ("forwarding", "voice_forwarded_calls > 0"),
    "hotline": ("our hotline", "voice_out_calls_to_hotline > 0"),
    "complaints": ("complaint lines", "voice_out_calls_to_complaints > 0"),
}  # fmt: skip
"""By service, its name and SQL of whether a user used it in the month."""
AS_TOLD = ("brand", "plan_id", "channel", "branch", "gender")
BANDS: Mapping[str, tuple[str, tuple[int, ...], str]] = {
    "tenure": ("tenure_days div 30", (0, 3, 6, 12, 24, 60), "months"),
    "age": ("age_years", (0, 18, 25, 35, 45, 60), "years"),
    "peers": ("peers", (0, 1, 3, 6, 11, 21, 41), "peers"),
}
"""By dimension made of a number: its SQL, the least of each band, and their unit."""
UNKNOWN = "unknown"
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
BUSY: Mapping[str, str] = {"calls": "voice_out_calls", "SMS": "sms_out_messages"}
HEAT = [[0.0, "#f4f6f8"], [0.35, "#b9cfe0"], [0.7, "#5f8fb5"], [1.0, "#1f4467"]]
NEVER_MORE = 12
"""Values of a dimension in a chart or table: those of most users."""


def aggregates(frames: Mapping[Table, DataFrame]) -> dict[str, DataFrame]:
    """By name, the small frame of what the users are; only those whose tables are there.

    ``services``: one row per service: the newest month, users with a record in it, and those who used it. ``people``: one row per
    dimension and value of that month: users, fees in yuan, minutes called, SMS sent. ``hours``: one row per item of its own newest
    month, as ``voice_out_calls_mon_19``: events.
    """
    found: dict[str, DataFrame] = {}
    if MONTHLY in frames:
        monthly = newest_rows(frames[MONTHLY], "month")
        counts = [F.expr(f"count_if({holds})").alias(name) for name, (_, holds) in SERVICES.items()]
        wide = monthly.groupBy("month").agg(F.count("*").alias("of"), *counts)
        found["services"] = wide.unpivot(["month", "of"], [F.col(name) for name in SERVICES], "service", "users")
        found["people"] = _people(monthly, frames.get(SUBSCRIBERS))
    if ITEMS in frames:
        names = [f"{what}_{day}_{hour:02d}" for what in BUSY.values() for day in WEEKDAYS for hour in range(24)]
        # one sum of all columns needs no key, and so no shuffle of wide rows
        sums = newest_rows(frames[ITEMS], "month").agg(
            *(F.coalesce(F.sum(name), F.lit(0)).cast("bigint").alias(name) for name in names)
        )
        found["hours"] = sums.unpivot([], [F.col(name) for name in names], "item", "events")
    return found


def _people(monthly: DataFrame, subscribers: DataFrame | None) -> DataFrame:
    columns: dict[str, Column] = {name: F.col(name) for name in AS_TOLD}
    columns |= {name: banded(sql, least, unit) for name, (sql, least, unit) in BANDS.items()}
    if subscribers is not None:
        dealers = subscribers.groupBy("user_id").agg(F.expr("max_by(dealer_id, delivered_on)").alias("dealer"))
        monthly = monthly.join(dealers, on="user_id", how="left")
        columns["dealer"] = F.col("dealer")
    each = F.explode(
        F.array(
            *(
                F.struct(F.lit(name).alias("dimension"), F.coalesce(value.cast("string"), F.lit(UNKNOWN)).alias("value"))
                for name, value in columns.items()
            )
        )
    )
    rows = monthly.select("usage_fee_yuan", "voice_out_seconds", "sms_out_messages", each.alias("of"))
    return rows.groupBy("of.dimension", "of.value").agg(
        F.count("*").alias("users"), F.sum("usage_fee_yuan").cast("double").alias("fee_yuan"),
        (F.sum("voice_out_seconds") / 60).alias("minutes"), F.sum("sms_out_messages").alias("messages"),
    )  # fmt: skip


def banded(sql: str, least: Sequence[int], unit: str) -> Column:
    """The band that a number is in, in words that sort as the numbers do; null where there is no number."""
    number, band = F.expr(sql), F.lit(None).cast("string")
    for at, name in zip(least, band_names(least, unit), strict=True):
        band = F.when(number >= at, F.lit(name)).otherwise(band)
    return band


def band_names(least: Sequence[int], unit: str) -> list[str]:
    """The names of bands, by the least of each.

    >>> band_names((0, 1, 3, 6), "peers")
    ['0 peers', '1 to 2 peers', '3 to 5 peers', '6 peers and more']
    """
    ends = [f"{at} {unit}" if upper == at + 1 else f"{at} to {upper - 1} {unit}" for at, upper in pairwise(least)]
    return [*ends, f"{least[-1]} {unit} and more"]


def services(found: pd.DataFrame | None, least: int) -> charts.Figure | None:
    """Bars of the share of users who used each service in the newest month; a service that few used, or few did not, is left out."""
    if found is None:
        return None
    newest = found[found["month"] == found["month"].max()]
    few = [
        any(is_small(count, least) for count in (row["of"], row["users"], row["of"] - row["users"]))
        for row in newest.to_dict("records")
    ]
    newest = newest[[not one for one in few]]
    if newest.empty:
        return None
    newest = newest.assign(
        share=newest["users"] / newest["of"], name=newest["service"].map(lambda name: SERVICES[name][0])
    ).sort_values("share")
    bars = {
        "type": "bar", "orientation": "h", "y": list(newest["name"]), "x": [float(share) for share in newest["share"]],
        "marker": {"color": charts.COLOURS["scored"]}, "text": [wording.share(share) for share in newest["share"]], "textposition": "outside",
        "cliponaxis": False, "hovertemplate": "%{y}: %{x:.1%}<extra></extra>",
    }  # fmt: skip
    figure: charts.Figure = {"data": [bars], "layout": charts.base_layout(height=max(240, 30 * len(newest) + 90))}
    figure["layout"]["xaxis"] |= {"tickformat": ".0%", "range": [0, 1.08], "showgrid": True}
    return charts.titled(figure, f"of the users with a record in {wording.month(newest['month'].iloc[0])}")


def hours(found: pd.DataFrame | None, what: str) -> charts.Figure | None:
    """Weekdays by hours: how many ``what`` (a key of BUSY) there were in the newest month. Events of all users: no small cells."""
    if found is None:
        return None
    prefix = f"{BUSY[what]}_"
    events = {str(row["item"]): float(row["events"]) for row in found.to_dict("records") if str(row["item"]).startswith(prefix)}
    if not sum(events.values()):
        return None
    grid = [[events[f"{prefix}{day}_{hour:02d}"] for hour in range(24)] for day in WEEKDAYS]
    cells = {
        "type": "heatmap", "z": grid, "x": [f"{hour:02d}" for hour in range(24)], "y": [day.capitalize() for day in WEEKDAYS], "colorscale": HEAT,
        "xgap": 1, "ygap": 1, "colorbar": {"thickness": 10, "outlinewidth": 0}, "hovertemplate": "%{y} %{x}:00: %{z:,.0f}<extra></extra>",
    }  # fmt: skip
    figure: charts.Figure = {"data": [cells], "layout": charts.base_layout(height=300)}
    figure["layout"]["yaxis"] |= {"autorange": "reversed", "type": "category"}
    figure["layout"]["xaxis"] |= {"type": "category"}
    return charts.titled(figure, "hour of the day")


def people(found: pd.DataFrame | None, dimension: str, least: int) -> list[dict[str, Any]]:
    """One entry per value of the dimension that may be shown, most users first (bands in order): users, their share, means a month."""
    if found is None:
        return []
    of = found[found["dimension"] == dimension]
    kept = shown(of, ["dimension", "value"], "users", least).merge(of.drop(columns="users"), on=["dimension", "value"])
    whole = float(of["users"].sum())
    rows = [
        {
            "value": row["value"], "users": int(row["users"]), "share": row["users"] / whole, "fee": row["fee_yuan"] / row["users"],
            "minutes": row["minutes"] / row["users"], "messages": row["messages"] / row["users"],
        }
        for row in kept.to_dict("records")
    ]  # fmt: skip
    if dimension in BANDS:
        order = [*band_names(*BANDS[dimension][1:]), UNKNOWN]
        return sorted(rows, key=lambda row: order.index(row["value"]))
    return sorted(rows, key=lambda row: (-row["users"], row["value"]))[:NEVER_MORE]


def bars(found: pd.DataFrame | None, dimension: str, least: int) -> charts.Figure | None:
    """Bars of the users of each value of the dimension that may be shown."""
    rows = people(found, dimension, least)
    if not rows:
        return None
    users = {
        "type": "bar", "x": [row["value"] for row in rows], "y": [row["users"] for row in rows], "marker": {"color": charts.COLOURS["scored"]},
        "hovertemplate": "%{x}: %{y:,.0f}<extra></extra>",
    }  # fmt: skip
    figure: charts.Figure = {"data": [users], "layout": charts.base_layout(bargap=0.3)}
    figure["layout"]["xaxis"] |= {"type": "category"}
    return charts.titled(figure, y="users")
