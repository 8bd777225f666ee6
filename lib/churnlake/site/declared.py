"""Pages of what is declared: the dictionary and the lineage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from churnlake.core.contract import Column, Table
from churnlake.site.data import SiteData
from churnlake.site.picture import picture

LAYERS: Mapping[str, str] = {
    "raw": "#8fa3b5",
    "clean": "#28557f",
    "reference": "#6a5d9e",
    "daily": "#2f9e97",
    "features": "#5b8c3e",
    "circles": "#1d7a74",
    "reentry": "#b4527b",
    "churn": "#cf4a5a",
    "campaigns": "#e2a33a",
    "quality": "#7a6a52",
    "privacy": "#4d5a66",
    "vault": "#2b3640",
}

SOURCES_SHOWN = 6
"""Columns named that one comes from; the event has them all."""


def dictionary(data: SiteData) -> dict[str, Any]:
    """The dictionary: tables by layer with columns and rules, indicators by view with formulas."""
    layers: dict[str, list[Table]] = {}
    for table in data.tables:
        layers.setdefault(table.name.partition(".")[0], []).append(table)
    makers = {table: step.job for step in data.steps for table in step.writes}
    return {"by_layer": layers, "views": data.views or {}, "makers": makers}


def lineage(data: SiteData) -> dict[str, Any]:
    """Lineage: the picture, the same as a table, and what columns come from, where runs told."""
    columns = {table: data.columns[table] for step in data.steps for table in step.writes if table in data.columns}
    return {
        "picture": Markup(picture(data.steps, LAYERS)),
        "steps": data.steps,
        "columns": columns,
        "sources_shown": SOURCES_SHOWN,
    }


def rules_of(column: Column) -> str:
    """What the contract demands of a value, in words."""
    bounds = [f"≥ {column.least:g}" if column.least is not None else "", f"≤ {column.most:g}" if column.most is not None else ""]
    codes = "one of " + ", ".join(column.one_of) if column.one_of else ""
    said = [part for part in (*bounds, codes, column.rule) if part]
    return "; ".join(said) + (" (warns)" if said and column.severity == "warn" else "")
