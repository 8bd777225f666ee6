"""A chart for who does not see it: in a line of words, and as a table of its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from churnlake.site.charts import Figure

SERIES_TOLD = 6
OF_BOX = ("lowerfence", "q1", "median", "q3", "upperfence")
BOX_HEADS = ("lower tenth", "lower quarter", "middle", "upper quarter", "upper tenth")


@dataclass(frozen=True)
class Grid:
    """A chart's figures: names of columns, and a row of texts for each place on its axis."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def grid(figure: Figure) -> Grid:
    """The chart as a table: places down, a column a series.

    >>> grid({"data": [{"name": "a", "x": ["Jan", "Feb"], "y": [0.5, None]}], "layout": {"yaxis": {"tickformat": ".0%"}}})
    Grid(heads=('Place', 'a'), rows=(('Jan', '50.0 %'), ('Feb', '–')))
    """
    if any(trace.get("type") == "box" for trace in figure["data"]):
        return _of_boxes(figure)
    along, places = _axes(figure)
    value_axis = figure["layout"].get("xaxis" if along == "y" else "yaxis", {})
    place_axis = figure["layout"].get("yaxis" if along == "y" else "xaxis", {})
    series = [dict(zip(map(str, trace[along]), _values(trace, along), strict=True)) for trace in figure["data"]]
    title = _title(place_axis) or ("Day" if _is_day(places) else "Place")
    heads = (title[:1].upper() + title[1:], *(_name(trace, value_axis) for trace in figure["data"]))
    rows = tuple((_place(place), *(_told(one.get(str(place)), value_axis) for one in series)) for place in places)
    return Grid(heads, rows)


def in_words(figure: Figure) -> str:
    """What the chart shows in a line: the places it spans, and each series from its least to its greatest.

    >>> in_words({"data": [{"name": "a", "x": ["Jan", "Feb"], "y": [3, 5]}], "layout": {}})
    'Jan to Feb; a 3 to 5'
    """
    table = grid(figure)
    if not table.rows or any(trace.get("type") == "box" for trace in figure["data"]):
        return ", ".join(table.heads)
    along, _ = _axes(figure)
    value_axis = figure["layout"].get("xaxis" if along == "y" else "yaxis", {})
    first, last = table.rows[0][0], table.rows[-1][0]
    parts = [first if first == last else f"{first} to {last}"]
    for trace in figure["data"][:SERIES_TOLD]:
        known = [value for value in _values(trace, along) if value is not None]
        if known:
            ends = [_told(end, value_axis) for end in (min(known), max(known))]
            parts.append(f"{_name(trace, value_axis)} {ends[0] if ends[0] == ends[1] else ' to '.join(ends)}")
    more = len(figure["data"]) - SERIES_TOLD
    return "; ".join(parts) + (f"; and {more} more" if more > 0 else "")


def _axes(figure: Figure) -> tuple[str, list[Any]]:
    """Which of x and y holds the places, and all of them in order."""
    lies = (
        any(trace.get("orientation") == "h" for trace in figure["data"])
        or figure["layout"].get("yaxis", {}).get("type") == "category"
    )
    along = "y" if lies else "x"
    places = list(dict.fromkeys(place for trace in figure["data"] for place in trace[along]))
    numbers = all(isinstance(place, int | float) for place in places)
    is_sorted = numbers or _is_day(places)
    return along, sorted(places) if is_sorted else places


def _values(trace: Mapping[str, Any], along: str) -> Sequence[Any]:
    return trace["x" if along == "y" else "y"]  # type: ignore[no-any-return]


def _of_boxes(figure: Figure) -> Grid:
    boxes = [trace for trace in reversed(figure["data"]) if trace.get("type") == "box"]
    axis = figure["layout"].get("xaxis", {})
    return Grid(("Pairs", *BOX_HEADS), tuple((one["name"], *(_told(one[key][0], axis) for key in OF_BOX)) for one in boxes))


def _name(trace: Mapping[str, Any], value_axis: Mapping[str, Any]) -> str:
    return str(trace.get("name") or _title(value_axis) or "Value")


def _title(axis: Mapping[str, Any]) -> str:
    title = axis.get("title", "")
    return str(title.get("text", "") if isinstance(title, Mapping) else title)


def _is_day(places: Sequence[Any]) -> bool:
    return bool(places) and all(isinstance(place, str) and len(place) == 10 and place[4] == place[7] == "-" for place in places)


def _place(place: Any) -> str:
    return f"{place:g}" if isinstance(place, float) else str(place)


def _told(value: Any, axis: Mapping[str, Any]) -> str:
    if value is None:
        return "–"
    if "%" in str(axis.get("tickformat", "")):
        return f"{100 * float(value):.1f} %"
    number = float(value)
    return f"{number:,.0f}" if number.is_integer() or abs(number) >= 1000 else f"{number:.3g}"
