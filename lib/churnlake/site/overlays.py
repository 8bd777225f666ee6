"""Charts that lay made-up cities over real people: one line each, the real ones in ink."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Any

from churnlake.site import charts

REAL = "Copenhagen data"
SOURCE = "a real city's day"
KIND_NAMES: Mapping[str, str] = {
    "re-entry": "true pairs",
    "chance": "chance pairs",
    "kin": "kin of a leaver",
    "household": "new in a household",
    "friend": "friend of a leaver",
    "hand_me_down": "handset handed down",
    "handed": "number handed to kin",
    "resold": "resold handset",
    "recycled": "recycled number",
    "second_number": "second number",
}
KIND_COLOURS: Mapping[str, str] = {
    "re-entry": "#1d7a74",
    "chance": "#9aa7b3",
    "kin": "#b4527b",
    "household": "#e2a33a",
    "resold": "#7cc4bd",
    "recycled": "#8a6d3b",
    "second_number": "#28557f",
}
OTHER_COLOURS = ("#6a5d9e", "#cf4a5a", "#5b8c3e", "#5d6b7a")
"""For kinds of decoys that are new here."""
SERVICES = {"voice": "calls", "sms": "SMS", "mms": "MMS", "wap": "WAP"}
Found = dict[str, Any]
Points = tuple[Sequence[float], Sequence[float | None]]


def profiles(shapes: Mapping[str, Found], real: Found | None, source_mix: Mapping[str, float]) -> dict[str, charts.Figure]:
    """By name, the charts of the comparison: hours, calls a day, call length, contacts, in-degree, record mix."""
    every = {**shapes, **({REAL: real} if real else {})}

    def lines(read: Callable[[Found], Points], hover: str, skips_zero: bool = False) -> charts.Figure:
        data = [_line(place, name, read(one), hover, skips_zero) for place, (name, one) in enumerate(every.items())]
        return {"data": data, "layout": charts.base_layout()}

    hours = lines(lambda one: (list(range(24)), one["hours"]), "%{x}:00 to %{x}:59: %{y:.1%}")
    calls = lines(
        lambda one: (list(range(21)), one["calls_per_user_day"]["shares"]), "%{x} calls: %{y:.1%} of user-days", skips_zero=True
    )
    contacts = lines(lambda one: _reached(one["contacts"]["shares"]), "at most %{x}: %{y:.1%} of users")
    degrees = lines(lambda one: _reached(one["in_degree"]["shares"]), "at most %{x}: %{y:.1%} of numbers")
    seconds = lines(lambda one: (one["call_seconds"]["from"], one["call_seconds"]["shares"]), "from %{x} s: %{y:.1%}")
    per_cent = {"tickformat": ".0%"}
    found = {
        "hours": charts.titled(hours, "hour of the day", "share of calls and SMS", yaxis=per_cent, xaxis={"dtick": 3}),
        "calls": charts.titled(
            calls, "answered calls a user and day (20: or more)", "share of user-days (log)",
            yaxis={"type": "log", "tickformat": "~%", "dtick": 1},
        ),
        "contacts": charts.titled(contacts, "contacts in four weeks", "share of users with at most so many", yaxis=per_cent),
        "degrees": charts.titled(
            degrees, "users who met the number in four weeks", "share of numbers with at most so many",
            yaxis={**per_cent, "range": [0, 1.02]}, shapes=[_mark(8, 0.9)],
        ),
        "seconds": charts.titled(
            seconds, "seconds (log)", "share of answered calls",
            xaxis={"type": "log", "tickvals": [1, 3, 10, 30, 100, 300, 1000, 3600], "showgrid": True}, yaxis=per_cent,
        ),
        "mix": _mix(every, source_mix),
    }  # fmt: skip
    found["calls"]["layout"]["yaxis"].pop("rangemode")
    return found


def reached_by_kind(kinds: Sequence[Found]) -> charts.Figure:
    """How many pairs have at least so much of the new circle in the old one: a falling line a kind, in steps of five per cent."""
    data = []
    for kind in kinds:
        shares = kind["found_share"]["shares"]
        if shares:
            true, colour = kind["kind"] == "re-entry", _colour(kind, kinds)
            beyond = list(accumulate(reversed(shares)))[::-1]
            data.append(
                {
                    "type": "scatter", "mode": "lines", "name": KIND_NAMES.get(kind["kind"], kind["kind"]),
                    "x": [place / len(shares) for place in range(len(shares))], "y": beyond,
                    "line": {"color": colour, "width": 3 if true else 1.8},
                    "hovertemplate": "at least %{x:.0%}: %{y:.1%} of pairs<extra>%{fullData.name}</extra>",
                    **({"fill": "tozeroy", "fillcolor": colour + "1a"} if true else {}),
                }
            )  # fmt: skip
    figure = {"data": data, "layout": charts.base_layout()}
    per_cent = {"tickformat": ".0%"}
    return charts.titled(
        figure, "share of the new circle found in the old one, at least", "share of pairs",
        xaxis={**per_cent, "range": [0, 0.96]}, yaxis={**per_cent, "range": [0, 1.02]},
    )  # fmt: skip


def boxes_by_kind(kinds: Sequence[Found]) -> charts.Figure:
    """Jaccard of the two circles: a box a kind, the middle half of the pairs, whiskers to the outer tenths."""
    data = []
    for kind in reversed(kinds):
        levels = kind["jaccard"]["quantiles"]
        if levels:
            name, colour = KIND_NAMES.get(kind["kind"], kind["kind"]), _colour(kind, kinds)
            keys = {"lowerfence": "0.1", "q1": "0.25", "median": "0.5", "q3": "0.75", "upperfence": "0.9"}
            data.append(
                {
                    "type": "box", "orientation": "h", "name": name, "y": [name], **{key: [levels[level]] for key, level in keys.items()},
                    "line": {"color": colour, "width": 1.8}, "fillcolor": colour + "33", "hoverinfo": "x",
                }
            )  # fmt: skip
    figure = {"data": data, "layout": charts.base_layout(showlegend=False)}
    return charts.titled(
        figure,
        "Jaccard of the two circles",
        "",
        xaxis={"range": [0, 1], "showgrid": True},
        yaxis={"rangemode": "normal"},
        margin={"t": 12},
    )


def _line(place: int, name: str, points: Points, hover: str, skips_zero: bool) -> Found:
    x, y = points
    style: Found = {"color": charts.SPARE[place % len(charts.SPARE)], "width": 2.2}
    if name == REAL:
        style = {"color": charts.INK, "width": 2.6, "dash": "dot"}
    return {
        "type": "scatter", "mode": "lines", "name": name, "x": x, "y": [value or None for value in y] if skips_zero else y,
        "line": style, "hovertemplate": f"{hover}<extra>{name}</extra>",
    }  # fmt: skip


def _reached(shares: Sequence[float]) -> Points:
    """Share of those with at most so many; the last class is open and left out."""
    return list(range(len(shares) - 1)), list(accumulate(shares))[:-1]


def _mark(x: float, y: float) -> Found:
    """A ring where a known figure lies."""
    return {"type": "circle", "xsizemode": "pixel", "ysizemode": "pixel", "xanchor": x, "yanchor": y, "x0": -6, "x1": 6, "y0": -6, "y1": 6,
            "line": {"color": charts.INK, "width": 2}}  # fmt: skip


def _mix(every: Mapping[str, Found], source: Mapping[str, float]) -> charts.Figure:
    """Bars side by side: the records of each lake by feed, and those of the source text's day."""
    rows = {**{name: one["mix"] for name, one in every.items()}, SOURCE: source}
    data = [
        {
            "type": "bar", "name": name, "x": list(SERVICES.values()), "y": [mix.get(feed) for feed in SERVICES],
            "marker": {"color": charts.INK if name == REAL else "#c3b8a3" if name == SOURCE else charts.SPARE[place % len(charts.SPARE)]},
            "hovertemplate": "%{y:.1%}<extra>%{fullData.name}</extra>",
        }
        for place, (name, mix) in enumerate(rows.items())
    ]  # fmt: skip
    figure = {"data": data, "layout": charts.base_layout(barmode="group", bargap=0.25, bargroupgap=0.06)}
    return charts.titled(figure, "", "share of records", yaxis={"tickformat": ".0%"})


def _colour(kind: Found, kinds: Sequence[Found]) -> str:
    others = [one["kind"] for one in kinds if one["kind"] not in KIND_COLOURS]
    return KIND_COLOURS.get(kind["kind"]) or OTHER_COLOURS[others.index(kind["kind"]) % len(OTHER_COLOURS)]
