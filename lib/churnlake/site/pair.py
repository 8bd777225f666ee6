"""The picture of one pair: the circles of an old number and of a new one, as large as they are and as far over each other as they share people."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from churnlake.site import wording

LARGEST, MIDDLE, WIDTH, HEIGHT = 118.0, 150.0, 600.0, 310.0
MOST_DOTS = 150
LEAST_SHARED = 2
Point = tuple[float, float]


def best_pair(cases: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The likeliest case that circles tell something of."""
    return next(
        (one for one in cases if one["shared_peers"] >= LEAST_SHARED and one.get("old_peers") and one.get("new_found")), None
    )


def counts(case: Mapping[str, Any]) -> tuple[int, int, int]:
    """People of the old circle alone, of both, and of the new one alone.

    >>> counts({"shared_peers": 6, "old_peers": 10, "new_found": 0.5})
    (4, 6, 6)
    """
    both, new = int(case["shared_peers"]), round(case["shared_peers"] / case["new_found"])
    return max(int(case["old_peers"]) - both, 0), both, max(new - both, 0)


def picture(case: Mapping[str, Any]) -> Markup:
    """An SVG of two circles: their areas are to each other as the people in them, and so is what they share; a dot a person."""
    old, both, new = counts(case)
    per_person = math.pi * LARGEST**2 / max(old + both, both + new)
    left, right = (math.sqrt((own + both) * per_person / math.pi) for own in (old, new))
    apart = _apart(left, right, both * per_person)
    across = left + apart + right
    at_left, at_right = (WIDTH - across) / 2 + left, (WIDTH - across) / 2 + left + apart
    parts = [
        f'<circle class="old" cx="{at_left:.1f}" cy="{MIDDLE}" r="{left:.1f}"/><circle class="new" cx="{at_right:.1f}" cy="{MIDDLE}" r="{right:.1f}"/>'
    ]
    if old + both + new <= MOST_DOTS:
        for kind, many in (("old", old), ("both", both), ("new", new)):
            spots = _spread(_within(kind, at_left, left, at_right, right, math.sqrt(per_person) / 3), many)
            parts += [f'<circle class="dot {kind}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>' for x, y in spots]
    low = HEIGHT - 12
    parts += [
        f'<text class="told" x="20" y="{low}" text-anchor="start"><tspan class="many">{old}</tspan> of the old number alone</text>',
        f'<text class="told" x="{WIDTH / 2}" y="16" text-anchor="middle"><tspan class="many">{both}</tspan> in both circles</text>',
        f'<text class="told" x="{WIDTH - 20:.0f}" y="{low}" text-anchor="end"><tspan class="many">{new}</tspan> of the new number alone</text>',
    ]
    words = f"Two circles of people called: {old} of the old number alone, {both} in both, {new} of the new number alone."
    return Markup(
        f'<svg class="pair" viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" role="img" aria-label="{words}">{"".join(parts)}</svg>'
    )


def evidence(case: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What speaks for the pair, a name and what is known."""
    old, both, new = counts(case)
    gap = int(case["gap_days"])
    between = f"{gap} days without use" if gap > 0 else "the same day" if gap == 0 else f"both in use for {-gap} days"
    return [
        ("Last use of the old number", wording.day(case["old_last_on"])),
        ("First use of the new number", wording.day(case["joined_on"])),
        ("Between them", between),
        ("Of the new circle known before", f"{both} of {both + new}"),
        ("Of the old circle met again", f"{both} of {old + both}"),
        ("Same handset", "yes" if case["has_same_imei"] else "not seen"),
        ("Same document", "yes" if case["has_same_document"] else "no"),
        *(
            [("Calls from places of the old number", wording.share(case["place_overlap"], 0))]
            if case.get("place_overlap") is not None
            else []
        ),
        ("Probability that both are one person", f"{case['probability']:.3f}"),
    ]


def _lens(left: float, right: float, apart: float) -> float:
    """Area that two circles share.

    >>> round(_lens(1, 1, 0), 4), _lens(1, 1, 2), round(_lens(2, 1, 0.5), 4)
    (3.1416, 0.0, 3.1416)
    """
    if apart >= left + right:
        return 0.0
    if apart <= abs(left - right):
        return math.pi * min(left, right) ** 2
    first = (apart**2 + left**2 - right**2) / (2 * apart)
    second = apart - first
    slice_of = [
        r**2 * math.acos(max(-1.0, min(1.0, d / r))) - d * math.sqrt(max(r**2 - d**2, 0.0))
        for r, d in ((left, first), (right, second))
    ]
    return sum(slice_of)


def _apart(left: float, right: float, shared: float) -> float:
    """How far apart the middles of two circles are that share so much area."""
    near, far = abs(left - right), left + right
    for _ in range(50):
        middle = (near + far) / 2
        near, far = (middle, far) if _lens(left, right, middle) > shared else (near, middle)
    return (near + far) / 2


def _within(kind: str, at_left: float, left: float, at_right: float, right: float, step: float) -> list[Point]:
    """Places of a grid inside one of the three regions, off its borders."""
    edge, found = 6.0, []
    for row in range(int(2 * LARGEST / step) + 1):
        for column in range(int((at_right + right - at_left + left) / step) + 1):
            x, y = at_left - left + column * step, MIDDLE - LARGEST + row * step
            from_left, from_right = math.hypot(x - at_left, y - MIDDLE) - left, math.hypot(x - at_right, y - MIDDLE) - right
            inside = {
                "old": from_left < -edge < edge < from_right,
                "both": max(from_left, from_right) < -edge,
                "new": from_right < -edge < edge < from_left,
            }
            if inside[kind]:
                found.append((x, y))
    return found


def _spread(places: Sequence[Point], many: int) -> list[Point]:
    """So many of the places, each as far from those before as can be."""
    if not places or not many:
        return []
    found = [min(places, key=lambda place: abs(place[1] - MIDDLE))]
    nearest = [math.dist(place, found[0]) for place in places]
    while len(found) < min(many, len(places)):
        at = max(range(len(places)), key=nearest.__getitem__)
        found.append(places[at])
        nearest = [min(known, math.dist(place, places[at])) for known, place in zip(nearest, places, strict=True)]
    return found
