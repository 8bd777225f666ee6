"""Charts as plotly figures: plain values that plotly.js draws in the page, so pages need nothing but one local script."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

Figure = dict[str, Any]

INK, MUTED, GRID = "#1b2a3a", "#5d6b7a", "#e6eaee"
COLOURS: Mapping[str, str] = {
    "voice": "#28557f",
    "sms": "#2f9e97",
    "mms": "#e2a33a",
    "wap": "#b4527b",
    "good": "#2f9e97",
    "bad": "#cf4a5a",
    "duplicate": "#c3b8a3",
    "suppressed": "#4d5a66",
    "scored": "#28557f",
    "too_little": "#9db3c8",
    "excluded": "#d9dee4",
    "full": "#1d7a74",
    "partial": "#7cc4bd",
    "open": "#cbd5d8",
    "circle": "#28557f",
    "imei": "#e2a33a",
    "both": "#1d7a74",
    "cancelled": "#28557f",
    "suspended": "#e2a33a",
    "silent": "#8fa3b5",
    "gone": "#cf4a5a",
    "returned": "#2f9e97",
    "gotone": "#28557f",
    "easyown": "#2f9e97",
    "mzone": "#e2a33a",
    "unknown": "#c9d0d7",
    "new": "#28557f",
    "reentry": "#2f9e97",
    "second_number": "#9db3c8",
    "moved": "#6a5d9e",
    "farmed": "#cf4a5a",
    "logistic": "#28557f",
    "boosted": "#2f9e97",
    "base rate": "#c9d0d7",
    "joined": "#9db3c8",
    "back": "#2f9e97",
    "competitor": "#cf4a5a",
    "elsewhere": "#c3b8a3",
    "all": "#1b2a3a",
    "moderate": "#e2a33a",
    "warning": "#e2a33a",
    "alarm": "#cf4a5a",
    "great": "#cf4a5a",
}
"""One colour per thing, the same on every page."""
SPARE = ("#28557f", "#2f9e97", "#e2a33a", "#b4527b", "#8fa3b5", "#6a5d9e")
FONT = "Inter, 'Segoe UI', 'Helvetica Neue', Arial, 'Liberation Sans', 'Noto Sans', 'DejaVu Sans', 'Noto Sans CJK SC', sans-serif"


def colours(named: pd.Series, order: Sequence[str]) -> dict[str, str]:
    """The things of one figure, in order, each with its colour: its own, else a spare one that nothing else of the figure has."""
    there = set(named)
    kinds = [kind for kind in order if kind in there] + sorted(there - set(order))
    own = {kind: COLOURS[kind] for kind in kinds if kind in COLOURS}
    spare = [colour for colour in SPARE if colour not in own.values()] or [*SPARE]
    others = [kind for kind in kinds if kind not in own]
    found = own | {kind: spare[place % len(spare)] for place, kind in enumerate(others)}
    return {kind: found[kind] for kind in kinds}


def script(figure: Figure) -> str:
    """The figure as JSON that can stand inside a script element."""
    return json.dumps(figure, default=_plain, sort_keys=True, allow_nan=False).replace("</", "<\\/")


def stacked(
    frame: pd.DataFrame, x: str, y: str, by: str, order: Sequence[str] = (), names: Mapping[str, str] | None = None
) -> Figure:
    """Stacked bars: one bar per ``x``, one segment per value of ``by``. Months are words: a single date has no scale that means anything."""
    wide = frame.pivot_table(index=x, columns=by, values=y, aggfunc="sum", fill_value=0).sort_index()
    is_time = bool(len(wide)) and hasattr(wide.index[0], "strftime")
    places = [value.strftime("%b %Y") if is_time else _plain(value) for value in wide.index]
    bars = [
        {
            "type": "bar",
            "name": (names or {}).get(kind, kind.replace("_", " ")),
            "x": places,
            "y": [float(value) for value in wide[kind].to_numpy()],
            "marker": {"color": colour},
            "hovertemplate": "%{y:,.0f}<extra>%{fullData.name}</extra>",
        }
        for kind, colour in colours(frame[by], order).items()
    ]
    figure: Figure = {"data": bars, "layout": base_layout(barmode="stack", bargap=0.18, hovermode="x unified")}
    figure["layout"]["xaxis"] |= {"type": "category"} if is_time else {}
    return figure


def area(frame: pd.DataFrame, x: str, y: str, by: str, order: Sequence[str], names: Mapping[str, str] | None = None) -> Figure:
    """Stacked areas over days: the thickness of a band is its value."""
    wide = frame.pivot_table(index=x, columns=by, values=y, aggfunc="sum", fill_value=0).sort_index()
    bands = [
        {
            "type": "scatter",
            "mode": "lines",
            "stackgroup": "all",
            "name": (names or {}).get(kind, kind),
            "x": [_plain(value) for value in wide.index],
            "y": [float(value) for value in wide[kind]],
            "line": {"width": 0.5, "color": COLOURS.get(kind, SPARE[0])},
            "hovertemplate": "%{y:,.0f}<extra>%{fullData.name}</extra>",
        }
        for kind in order
        if kind in wide.columns
    ]
    return {"data": bands, "layout": base_layout(hovermode="x unified")}


def grouped(frame: pd.DataFrame, x: str, y: str, by: str, order: Sequence[str] = (), form: str = ".3f") -> Figure:
    """Bars side by side: one group per ``x``, one bar per value of ``by``, its value written above."""
    figure = stacked(frame, x, y, by, order)
    for bar in figure["data"]:
        bar |= {
            "text": [format(value, form) for value in bar["y"]],
            "textposition": "outside",
            "hovertemplate": f"%{{y:{form}}}<extra>%{{fullData.name}}</extra>",
            "cliponaxis": False,
        }
    figure["layout"] |= {"barmode": "group", "bargap": 0.3, "bargroupgap": 0.08}
    return figure


def lines(frame: pd.DataFrame, x: str, y: str, by: str, order: Sequence[str] = (), form: str = ".1%") -> Figure:
    """Lines: one per value of ``by``, where given in this order. ``low`` and ``high``, where the frame has them, are told at each point."""
    traces = []
    for kind, colour in colours(frame[by], order).items():
        rows = frame[frame[by] == kind].sort_values(x)
        ends = {"low", "high"} <= set(rows.columns)
        more = f" (%{{customdata[0]:{form}}} to %{{customdata[1]:{form}}})" if ends else ""
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers" if len(rows) <= 12 else "lines",
                "name": kind,
                "x": [_plain(value) for value in rows[x]],
                "y": [float(value) for value in rows[y]],
                "line": {"color": colour, "width": 2},
                "hovertemplate": f"%{{y:{form}}}{more}<extra>%{{fullData.name}}</extra>",
                **({"customdata": rows[["low", "high"]].astype(float).to_numpy().tolist()} if ends else {}),
            }
        )
    return {"data": traces, "layout": base_layout(hovermode="x unified")}


def titled(figure: Figure, x: str = "", y: str = "", **layout: Any) -> Figure:
    """The figure with its axes named; ``layout`` adds to plotly's layout."""
    for axis, text in (("xaxis", x), ("yaxis", y)):
        figure["layout"][axis] = {**figure["layout"].get(axis, {}), "title": {"text": text, "font": {"size": 12, "color": MUTED}}}
    for key, value in layout.items():
        figure["layout"][key] = {**figure["layout"].get(key, {}), **value} if isinstance(value, dict) else value
    return figure


def base_layout(**more: Any) -> dict[str, Any]:
    """What all charts have in common; ``more`` replaces or adds to it."""
    axis = {"gridcolor": GRID, "zeroline": False, "linecolor": GRID, "tickfont": {"size": 12, "color": MUTED}, "automargin": True}
    return {
        "font": {"family": FONT, "size": 13, "color": INK},
        "margin": {"l": 52, "r": 12, "t": 34, "b": 44},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "height": 320,
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 12}, "traceorder": "normal"},
        "hoverlabel": {"bgcolor": "#fff", "bordercolor": GRID, "font": {"family": FONT, "color": INK}},
        "xaxis": {**axis, "showgrid": False},
        "yaxis": {**axis, "rangemode": "tozero"},
        **more,
    }


def _plain(value: Any) -> Any:
    """A value as JSON knows it: dates as text, numpy numbers as Python's."""
    if hasattr(value, "isoformat"):
        return value.isoformat()[:10]
    return value.item() if hasattr(value, "item") else value
