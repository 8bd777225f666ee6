"""The picture of a month's moves between stages: bands from where users were to where they are, as thick as they are many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from markupsafe import Markup

WIDTH, HEIGHT, BAR, GAP, LEFT = 760.0, 300.0, 14.0, 18.0, 190.0
THINNEST = 1.5
STAYS = ("healthy", "healthy")
"""Who was well and is: most of all by far, told and not drawn, or nothing else could be seen."""


def picture(matrix: Mapping[str, Any], words: Mapping[str, str]) -> Markup:
    """An SVG of the matrix, without who stayed healthy and without what is hidden; empty where nothing is left to be drawn."""
    moves = {
        (row["name"], end): int(cell["users"])
        for row in matrix["rows"]
        for end, cell in zip(matrix["columns"], row["cells"], strict=True)
        if cell["users"] and (row["name"], end) != STAYS
    }
    if not moves:
        return Markup("")
    origins = [row["name"] for row in matrix["rows"] if any(origin == row["name"] for origin, _ in moves)]
    ends = [end for end in matrix["columns"] if any(to == end for _, to in moves)]
    scale = (HEIGHT - GAP * (max(len(origins), len(ends)) - 1)) / sum(moves.values())
    starts = _stack({name: sum(n for (origin, _), n in moves.items() if origin == name) for name in origins}, scale)
    stops = _stack({name: sum(n for (_, end), n in moves.items() if end == name) for name in ends}, scale)
    begin, stop = LEFT + BAR, WIDTH - LEFT - BAR
    bands, leaving, coming = [], dict(starts), dict(stops)
    for origin in origins:
        for end in ends:
            users = moves.get((origin, end))
            if users:
                y1, y2, thick = leaving[origin][0], coming[end][0], users * scale
                leaving[origin], coming[end] = (y1 + thick, 0.0), (y2 + thick, 0.0)
                bands.append(_band(begin, y1, stop, y2, max(thick, THINNEST), end, f"{words[origin]} to {words[end]}: {users:,}"))
    bars = [_bar(name, LEFT, at, words, "end", LEFT - 10) for name, at in starts.items()]
    bars += [_bar(name, stop, at, words, "start", stop + BAR + 10) for name, at in stops.items()]
    told = "; ".join(f"{words[origin]} to {words[end]} {users:,}" for (origin, end), users in moves.items())
    return Markup(
        f'<svg class="stages" viewBox="0 -8 {WIDTH:.0f} {HEIGHT + 16:.0f}" role="img" aria-label="{escape(f"Moves between stages: {told}")}">'
        + "".join(bands + bars)
        + "</svg>"
    )


def _stack(sums: Mapping[str, int], scale: float) -> dict[str, tuple[float, float]]:
    """By name, where its bar begins and how high it is."""
    found, y = {}, 0.0
    for name, users in sums.items():
        found[name] = (y, users * scale)
        y += users * scale + GAP
    return found


def _band(x1: float, y1: float, x2: float, y2: float, thick: float, end: str, title: str) -> str:
    middle = (x1 + x2) / 2
    there = f"M{x1:.1f} {y1:.1f}C{middle:.1f} {y1:.1f} {middle:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"
    low1, low2 = y1 + thick, y2 + thick
    way = f"{there}v{thick:.1f}C{middle:.1f} {low2:.1f} {middle:.1f} {low1:.1f} {x1:.1f} {low1:.1f}z"
    return f'<path class="band {end}" d="{way}"><title>{escape(title)}</title></path>'


def _bar(name: str, x: float, at: tuple[float, float], words: Mapping[str, str], anchor: str, text_x: float) -> str:
    y, high = at
    return (
        f'<rect class="stage {name}" x="{x:.1f}" y="{y:.1f}" width="{BAR}" height="{max(high, THINNEST):.1f}" rx="2"/>'
        f'<text x="{text_x:.1f}" y="{y + high / 2 + 5:.1f}" text-anchor="{anchor}">{escape(words[name])}</text>'
    )


def those_who_stay(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> int | None:
    """Users healthy at both ends, who are not drawn; None where that is hidden."""
    for row in rows:
        if row["name"] == STAYS[0]:
            users = row["cells"][list(columns).index(STAYS[1])]["users"]
            return None if users is None else int(users)
    return None
