"""Is it real? Cities beside the records of real people and the facts of a real network, with the bounds they must keep."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from churnlake.core.console import Console
from churnlake.core.errors import MissingInputError
from churnlake.evaluate.cities import FIGURES, find_again
from churnlake.evaluate.cns import as_it_is
from churnlake.settings import Settings
from churnlake.site.realism import PROBE_SLACK, page

PAGE = "realism.html"


def probe_cities(cities: Sequence[Settings], data: Path, study: Path, console: Console) -> list[dict[str, Any]]:
    """Ask the plain probe of each city and print its result beside that on the Copenhagen data; the cities' figures."""
    real = as_it_is(data, study, console)
    lines = [_probed("Copenhagen data", real["probe"], None)] if real else [("Copenhagen data", f"not there; looked in {data}")]
    found = []
    for settings in cities:
        one = find_again(settings, console)
        lines.append(_probed(f"{one['city']}, seed {one['seed']}", one["probe"], real["probe"] if real else None))
        found.append(one)
    console.summary("Second halves whose own first half is the one most like them", lines)
    return found


def _probed(name: str, result: dict[str, float], real: dict[str, float] | None) -> tuple[str, str]:
    text = (
        f"{result['top1']:.3f} by counts (top-5 {result['top5']:.3f}), {result['damped_top1']:.3f} by damped counts; "
        f"{result['egos']:.0f} people"
    )
    if real is None:
        return name, text
    apart = max(abs(result[way] - real[way]) for way in ("top1", "damped_top1"))
    return name, f"{text}; {'within' if apart <= PROBE_SLACK else 'NOT within'} {PROBE_SLACK} of the data"


def write_page(work: Path, data: Path, study: Path, console: Console) -> Path:
    """Write realism.html in ``work`` from every evaluation.json below it, and the Copenhagen data when they are there.

    Raises MissingInputError when no city has been evaluated.
    """
    paths = sorted(work.rglob(FIGURES))
    cities = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    if not any("shape" in city for city in cities):
        raise MissingInputError(f"no {FIGURES} with a city's figures below {work}; run python -m churnlake evaluate first")
    target = work / PAGE
    target.write_text(page([city for city in cities if "shape" in city], as_it_is(data, study, console)), encoding="utf-8")
    console.say(f"page of {len(cities)} cities: {target.resolve()}")
    return target
