"""The page "Is it real?": made-up cities beside real people and the facts of a real network, and how hard each scenario is.

Everything comes from figures evaluation stored (one dict a city and seed); the page is one file that opens from disk.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from churnlake.site import overlays, wording
from churnlake.site.pages import asset, environment, plotly_script

STRICT, STUDY = "standard", "copenhagen"
"""The scenario that the bounds are asked of, and the one cut to the shape of the Copenhagen data."""
TARGETS = {"leave_t1": "next month", "leave_t2": "month after next"}
PROBE_SLACK = 0.08
SEED_MIX = {"voice": 0.544, "sms": 0.400, "mms": 0.048, "wap": 0.008}
SEED_RECORDS_A_DAY, SEED_USERS = 24_734_616, 2_873_490
Found = dict[str, Any]


@dataclass(frozen=True)
class Bound:
    """A range a figure must lie in; ``is_given`` when it was asked for, else our own reading of "about"."""

    least: float
    most: float
    is_given: bool = True

    def holds(self, value: float | None) -> bool:
        """Whether the figure is there and inside."""
        return value is not None and self.least <= value <= self.most


@dataclass(frozen=True)
class Row:
    """A figure of the comparison: how to read it off a shape, how to write it, what the source text says of it."""

    name: str
    read: Callable[[Found], float | None]
    write: Callable[[Any], str]
    fact: str = ""
    bound: Bound | None = None
    is_in_study: bool = True


def at(path: str) -> Callable[[Found], Any]:
    """A reader of one figure by its path of keys.

    >>> at("contacts.quantiles.0.5")({"contacts": {"quantiles": {"0.5": 3}}})
    3
    """
    first, _, rest = path.partition(".")
    inner, _, level = rest.partition(".")

    def read(shape: Found) -> Any:
        value: Any = shape.get(first)
        for key in (inner, level):
            value = value.get(key) if key and value is not None else value
        return value

    return read


def _number(places: int) -> Callable[[float | None], str]:
    return lambda value: "–" if value is None else f"{value:,.{places}f}"


def _a_day(shape: Found) -> float | None:
    return shape["records"] / shape["users"] / len(_days(shape)) if shape.get("users") else None


def _days(shape: Found) -> range:
    import datetime as dt

    first, last = (dt.date.fromisoformat(shape[name]) for name in ("first_day", "last_day"))
    return range((last - first).days + 1)


def _night(shape: Found) -> float | None:
    return sum(shape["hours"][:6]) if None not in shape["hours"] else None


ROWS = (
    Row("Users with a record in four weeks", at("users"), wording.count),
    Row("Records a user and day", _a_day, _number(2), "8.61 (Beijing: 24,734,616 a day, 2,873,490 users)", Bound(7.75, 9.47, False)),
    Row("Days with a record, of all days of those users", at("user_days_with_record"), wording.share, "about two thirds", Bound(0.57, 0.77, False)),
    *[
        Row(f"Share of {name} in the records", at(f"mix.{feed}"), wording.share, wording.share(share), Bound(share - slack, share + slack, False))
        for feed, name, share, slack in (
            ("voice", "calls", SEED_MIX["voice"], 0.02),
            ("sms", "SMS", SEED_MIX["sms"], 0.02),
            ("mms", "MMS", SEED_MIX["mms"], 0.01),
            ("wap", "WAP", SEED_MIX["wap"], 0.004),
        )
    ],
    Row("Calls a user and day, mean", at("calls_per_user_day.mean"), _number(2)),
    Row("… median of user-days", at("calls_per_user_day.quantiles.0.5"), _number(0)),
    Row("… upper tenth of user-days from", at("calls_per_user_day.quantiles.0.9"), _number(0)),
    Row("User-days without a call", at("calls_per_user_day.none"), wording.share),
    Row("Calls and SMS between 0:00 and 6:00", _night, wording.share),
    Row("Seconds of an answered call, median", at("call_seconds.quantiles.0.5"), _number(0)),
    Row("… upper tenth from", at("call_seconds.quantiles.0.9"), _number(0)),
    Row("Contacts a user in four weeks, mean", at("contacts.mean"), _number(1)),
    Row("… median", at("contacts.quantiles.0.5"), _number(0)),
    Row("… upper tenth from", at("contacts.quantiles.0.9"), _number(0)),
    Row("Contacts with traffic both ways", at("reciprocity"), wording.share),
    Row("Contacts of the first two weeks met again in the next two", at("contacts_kept"), wording.share),
    Row("Numbers met by at most 8 users", at("in_degree.few"), wording.share, "about 90 % (AT&T)", Bound(0.85, 0.95, False)),
    Row("Users met by at most 8 numbers", at("in_degree.users_few"), wording.share),
    Row("Contacts on other networks", at("offnet_contacts"), wording.share, "10–20 %", Bound(0.10, 0.20), False),
)  # fmt: skip
WAY_BOUNDS = {
    ("tf-idf cosine", "precision_at_80"): Bound(0.60, 0.85),
    ("handset alone", "all_recall"): Bound(0.0, 0.55),
    ("handset alone", "all_precision"): Bound(0.0, 0.80),
}
WAY_FIGURES = ("f1", "precision", "recall", "precision_at_80", "all_precision", "all_recall")
CEILINGS = (
    "base_rate",
    "true_hazard_pr_auc",
    "observable_pr_auc",
    "kept",
    "observable_roc_auc",
    "learner_pr_auc",
    "beside_pr_auc",
)
CEILING_BOUNDS = {
    ("leave_t1", "kept"): Bound(0.0, 0.75), ("leave_t2", "kept"): Bound(0.0, 0.75),
    ("leave_t1", "observable_roc_auc"): Bound(0.80, 0.90), ("leave_t2", "observable_roc_auc"): Bound(0.70, 0.82),
}  # fmt: skip


def page(cities: Sequence[Found], real: Found | None) -> str:
    """The whole page as one HTML text, with style, script and plotly.js inside.

    Args:
        cities: evaluation.json of each city and seed, each with at least city, seed and shape.
        real: shape and probe of the Copenhagen data, None when they are not there.
    """
    scenarios: dict[str, list[Found]] = {}
    for city in sorted(cities, key=lambda one: (one["city"] != STRICT, one["city"] == STUDY, one["city"], one["seed"])):
        scenarios.setdefault(city["city"], []).append(city)
    shapes = {name: [one["shape"] for one in found] for name, found in scenarios.items()}
    judged = {name: found for name, found in scenarios.items() if any(one.get("ways") for one in found)}
    figures = overlays.profiles(
        {name: _merged(found) for name, found in shapes.items()}, real["shape"] if real else None, SEED_MIX
    )
    parts: list[Found] = []
    for place, (name, found) in enumerate(judged.items()):
        kinds = _kinds(found)
        if kinds:
            figures[f"found-{place}"] = overlays.reached_by_kind(kinds)
            figures[f"alike-{place}"] = overlays.boxes_by_kind(kinds)
        few = [one["few_events_share"] for one in found if one.get("few_events_share") is not None]
        facts = {key: _mean([one.get(key) for one in found]) for key in ("same_handset_share", "same_document_share")}
        planted = sum(one.get("planted") or 0 for one in found)
        parts.append(
            {"name": name, "seeds": [one["seed"] for one in found], "planted": planted, "kinds": kinds, "few": _mean(few), "place": place,
             "ways": _ways(name, found), **facts}
        )  # fmt: skip
    rows, probes = _rows(shapes, real), _probes(scenarios, real)
    verdicts = [cell["verdict"] for row in rows for cell in row["cells"]]
    # one bound, however many seeds it is asked under
    probed = {probe["verdict"] for probe in probes if probe["verdict"]}
    verdicts += ["missed" if "missed" in probed else "met"] if probed else []
    verdicts += [cell["verdict"] for part in parts for way in part["ways"] for cell in way["cells"]]
    foreseen = _ceilings(scenarios)
    verdicts += [cell["verdict"] for row in foreseen for cell in row["cells"]] + [
        row["valid"] for row in foreseen if row["city"] == STRICT
    ]
    told = [verdict for verdict in verdicts if verdict]
    return environment().get_template("realism.html.j2").render(
        scenarios={name: [one["seed"] for one in found] for name, found in scenarios.items()}, figures=figures, rows=rows, parts=parts,
        probes=probes, real=real, names=overlays.KIND_NAMES, strict=STRICT, slack=PROBE_SLACK, asked=len(told), met=told.count("met"),
        ceilings=foreseen, users=SEED_USERS, records=SEED_RECORDS_A_DAY,
        style=Markup(asset("site.css")), script=Markup(asset("site.js")), plotly=Markup(plotly_script()),
    )  # fmt: skip


def _rows(shapes: dict[str, list[Found]], real: Found | None) -> list[Found]:
    """One entry per figure: what it is in each scenario, in the study and in the source text, and whether the bound is kept."""
    found = []
    for row in ROWS:
        cells = []
        for name, several in shapes.items():
            bound = row.bound if name == STRICT else None
            cells.append(_cell([row.read(shape) for shape in several], row.write, bound))
        study = row.write(row.read(real["shape"])) if real and row.is_in_study else "–"
        found.append({"name": row.name, "cells": cells, "study": study, "fact": row.fact, "bound": _range(row.bound, row.write)})
    return found


def _cell(values: Sequence[float | None], write: Callable[[Any], str], bound: Bound | None, missing: str = "–") -> Found:
    """The mean over seeds as text, the range where there are several, and whether the bound is kept."""
    mean = _mean(values)
    known = [value for value in values if value is not None]
    text = missing if mean is None else write(mean)
    ends = [write(min(known)), write(max(known))] if known else []
    spread = " to ".join(ends) if len(set(ends)) > 1 else ""
    verdict = ("met" if bound.holds(mean) else "missed") if bound else ""
    return {"text": text, "spread": spread, "verdict": verdict}


def _range(bound: Bound | None, write: Callable[[Any], str]) -> str:
    if bound is None:
        return ""
    return f"{write(bound.least)} to {write(bound.most)}" + ("" if bound.is_given else " (ours)")


def _ways(name: str, found: Sequence[Found]) -> list[Found]:
    """One entry per plain way (and the detector): its figures over the seeds, against the bounds where the scenario has any."""
    rows = []
    names = list(dict.fromkeys(way["name"] for one in found for way in one.get("ways", [])))
    for way in names:
        several = [one for city in found for one in city.get("ways", []) if one["name"] == way]
        cells = []
        for figure in WAY_FIGURES:
            bound = WAY_BOUNDS.get((way, figure)) if name == STRICT else None
            values = [one.get(figure) for one in several]
            # a way that reaches 80 % under one seed only has no figure there for the scenario
            some = values if figure != "precision_at_80" or None not in values else [None]
            told = "not reached" if figure == "precision_at_80" else "–"
            cells.append({**_cell(some, _number(2), bound, told), "bound": _asked(bound)})
        rows.append({"name": way, "cells": cells})
    return rows


def _asked(bound: Bound | None) -> str:
    if bound is None:
        return ""
    return f"asked: at most {bound.most:.2f}" if bound.least <= 0 else f"asked: {bound.least:.2f} to {bound.most:.2f}"


def _probes(scenarios: dict[str, list[Found]], real: Found | None) -> list[Found]:
    """One entry per city that the plain probe was asked of: the share found again and how far that is from the real data's."""
    rows = []
    for name, found in scenarios.items():
        for one in found:
            if "probe" in one:
                apart = None
                if real:
                    apart = max(abs(one["probe"][way] - real["probe"][way]) for way in ("top1", "damped_top1"))
                verdict = "" if apart is None or name != STUDY else "met" if apart <= PROBE_SLACK else "missed"
                rows.append({"name": name, "seed": one["seed"], **one["probe"], "apart": apart, "verdict": verdict})
    return rows


def _kinds(found: Sequence[Found]) -> list[Found]:
    """One entry per kind of pair, over the seeds: pairs, pairs without a circle, and both measures weighted by pairs."""
    names = list(dict.fromkeys(kind["kind"] for one in found for kind in one.get("difficulty", [])))
    rows = []
    for name in sorted(names, key=lambda kind: (kind != "re-entry", kind == "chance", kind)):
        several = [kind for one in found for kind in one.get("difficulty", []) if kind["kind"] == name]
        weights = [kind["pairs"] - kind["without_circle"] for kind in several]
        row: Found = {
            "kind": name,
            "pairs": sum(k["pairs"] for k in several),
            "without": sum(k["without_circle"] for k in several),
        }
        for measure in ("jaccard", "found_share"):
            levels = list(next((kind[measure]["quantiles"] for kind in several if kind[measure]["quantiles"]), {}))
            row[measure] = {
                "quantiles": {
                    level: _mean([kind[measure]["quantiles"].get(level) for kind in several], weights) for level in levels
                },
                "shares": _mean_lists([kind[measure]["shares"] for kind in several], weights),
            }
        rows.append(row)
    return rows


def _ceilings(scenarios: dict[str, list[Found]]) -> list[Found]:
    """One entry per scenario and target, the mean over its seeds: how well leaving can be foreseen at all, and how well it was.

    ``valid`` tells whether no learner passed the filter beyond chance under any seed; empty where no learner was asked.
    """
    rows = []
    for name, found in scenarios.items():
        told = [ceiling for one in found for ceiling in one.get("ceilings") or []]
        for target in dict.fromkeys(ceiling["target"] for ceiling in told):
            several = [one for one in told if one["target"] == target]
            cells = []
            for figure in CEILINGS:
                bound = CEILING_BOUNDS.get((target, figure)) if name == STRICT else None
                cells.append({**_cell([one.get(figure) for one in several], _number(3), bound), "bound": _asked(bound)})
            asked = [one["excess"] <= one["excess_noise"] for one in several if "excess" in one]
            rows.append(
                {
                    "city": name, "seeds": len(several), "target": TARGETS.get(target, target), "cells": cells,
                    "rows": sum(one["rows"] for one in several), "leavers": sum(one["leavers"] for one in several),
                    "valid": ("met" if all(asked) else "missed") if asked else "",
                }
            )  # fmt: skip
    return rows


def _merged(shapes: Sequence[Found]) -> Found:
    """One shape for several seeds: the mean of every figure."""
    first = shapes[0]
    merged: Found = {}
    for key, value in first.items():
        several = [shape[key] for shape in shapes]
        if isinstance(value, dict):
            merged[key] = _merged(several) if all(set(one) == set(value) for one in several) else value
        elif isinstance(value, list):
            same = all(len(one) == len(value) for one in several)
            merged[key] = [_mean(column) for column in zip(*several, strict=True)] if same else value
        else:
            merged[key] = value if isinstance(value, str) or value is None else _mean(several)
    return merged


def _mean(values: Sequence[float | None], weights: Sequence[float] | None = None) -> float | None:
    known = [
        (value, weight)
        for value, weight in zip(values, weights or [1.0] * len(values), strict=True)
        if value is not None and weight
    ]
    return sum(value * weight for value, weight in known) / sum(weight for _, weight in known) if known else None


def _mean_lists(lists: Sequence[Sequence[float]], weights: Sequence[float]) -> list[float | None]:
    known = [(values, weight) for values, weight in zip(lists, weights, strict=True) if values]
    places = range(len(known[0][0])) if known else range(0)
    return [_mean([values[place] for values, _ in known], [weight for _, weight in known]) for place in places]
