"""Model cards: what each model foretells, what it was taught and tested on, how well it does and where, and what has moved since."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.core.contract import Table
from churnlake.site import charts, closed, wording
from churnlake.site.disclosure import is_small, told
from churnlake.site.rows import plain_rows
from churnlake.stats.gains import BEYOND_CHANCE, above_chance
from churnlake.tables.churn import MODELS
from churnlake.tables.judged import DRIFT, JUDGED

Row = dict[str, Any]
FILLED: Mapping[str, Table] = {"learners": MODELS, "judged": JUDGED, "moved": DRIFT}
"""By field of SiteData, the table it is made from."""
TARGETS: Mapping[str, tuple[str, str]] = {
    "leave_t1": ("Leaves next month", "A customer active at a month's end leaves in the month after."),
    "leave_t2": ("Leaves in two months", "A customer active at a month's end leaves in the second month after, and not before."),
    "revenue": (
        "Pays half or less",
        "A customer active at a month's end stays, but pays at most half of what is usual in the month after.",
    ),
    "hazard": (
        "When, and for good?",
        "A customer leaves for good, or comes back under another number, in the first or the second month ahead.",
    ),
    "winback": ("Comes back", "A customer who left comes back within the window of a contact."),
}
FIGURES = (
    "pr_auc",
    "roc_auc",
    "precision_top_1",
    "precision_top_2",
    "precision_top_5",
    "precision_top_10",
    "calibration_slope",
    "calibration_error",
)
OF_LEARNER = ("merit", "pr_auc", "roc_auc")
MOVED_SHOWN = 8
PARTS = ("brand", "tier", "month", "ahead")


def aggregates(frames: Mapping[Table, DataFrame]) -> dict[str, DataFrame]:
    """By field of SiteData, the newest rows of its table of each target; only those whose tables are there."""
    found = {}
    for name, table in FILLED.items():
        if table in frames:
            at = str(table.at)
            newest = frames[table].groupBy("target").agg(F.max(at).alias(at))
            found[name] = frames[table].join(F.broadcast(newest), on=["target", at], how="left_semi")
    if "judged" in found:
        found["judged"] = found["judged"].withColumn("profit_yuan", F.col("profit_yuan").cast("double"))
    return found


def cards(learners: pd.DataFrame | None, judged: pd.DataFrame | None, moved: pd.DataFrame | None, least: int) -> Row:
    """The page's values: one card a target that has been taught, and the charts of all."""
    figures: dict[str, charts.Figure] = {}
    found = []
    for target, (name, meaning) in TARGETS.items():
        fitted, parts, drift = (_of(frame, target) for frame in (learners, judged, moved))
        if fitted or parts:
            figures |= _curves(target, parts, least)
            found.append({"target": target, "name": name, "meaning": meaning, **_card(fitted, parts, drift, least)})
    return {"cards": found, "figures": figures}


def of_enough(learners: pd.DataFrame | None, least: int) -> pd.DataFrame | None:
    """The rows of churn.models that were tested on enough of whom it came true."""
    if learners is None:
        return None
    return learners[[not _of_few(row, least) for row in learners.to_dict("records")]]


def headline(learners: pd.DataFrame | None, moved: pd.DataFrame | None) -> str:
    """The page in a line, empty where nothing was taught."""
    if learners is None or not len(learners):
        return ""
    serving = learners[learners["is_champion"].astype(bool)]["target"].nunique()
    advised = 0 if moved is None else moved[moved["advice"] == "retrain"]["target"].nunique()
    return wording.many(serving, "model serves", "models serve") + (
        f", inputs of {advised} have changed greatly" if advised else ""
    )


def no_better_than_chance(learners: pd.DataFrame | None, least: int) -> list[str]:
    """Targets whose model that serves ranked the month it was tested on no better than chance, of enough leavers to be told."""
    found = []
    for row in plain_rows(of_enough(learners, least)):
        positives, area = round((row["base_rate"] or 0) * row["test_rows"]), row["roc_auc"]
        others = row["test_rows"] - positives
        is_told = row["is_champion"] and area is not None and positives and others
        if is_told and above_chance(area, positives, others) <= BEYOND_CHANCE:
            found.append(row["target"])
    return [target for target in TARGETS if target in found]


def _card(fitted: list[Row], parts: list[Row], drift: list[Row], least: int) -> Row:
    """What one card says. The learner chosen comes first; figures over too few positives are left out."""
    whole = next((row for row in parts if row["part"] == "all"), None)
    chosen = next((row for row in fitted if row["verdict"]), None) or next((row for row in fitted if row["is_champion"]), None)
    known = chosen or whole or (fitted or parts)[0]
    facts = [
        ("Known on", wording.day(known["known_on"])),
        ("Version", known["model_version"]),
        ("Tested on", wording.month(known["test_month"])),
    ]
    if chosen:
        months = sorted(chosen["train_months"])
        facts.insert(1, ("Learner", chosen["parameters"] or chosen["learner"]))
        facts += [
            (
                "Taught with",
                f"{months[0][:7]} to {months[-1][:7]}, {len(months)} months"
                if len(months) > 1
                else months[0][:7]
                if months
                else "–",
            ),
            ("Customer-months taught", wording.count(chosen["train_rows"])),
        ]
    if whole:
        facts += [("Tested", f"{wording.count(whole['rows'])} active, {told(whole['positives'], least)} of them came true")]
    if whole and whole["profit_yuan"] is not None and not is_small(whole["positives"], least):
        facts.append(
            (
                "Contacting pays most",
                f"of the likeliest {wording.share(whole['profit_share'])}: {wording.yuan(whole['profit_yuan'])}",
            )
        )
    best = whole or chosen
    few = _few(whole, chosen, least)
    changed = sorted((row for row in drift if row["advice"] != "none"), key=lambda row: -row["psi"])
    return {
        "facts": facts,
        "serves": bool(chosen and chosen["is_champion"]) if fitted else None,
        "verdict": chosen["verdict"] if chosen else None,
        "base_rate": None if few or best is None else best["base_rate"],
        "figures": [] if few or best is None else [(_plain(name), best[name]) for name in FIGURES],
        "learners": [
            {**row, **(dict.fromkeys(OF_LEARNER) if few else {})} for row in sorted(fitted, key=lambda row: -(row["pr_auc"] or 0))
        ],
        "parts": _parts(parts, least),
        "drift_month": drift[0]["month"] if drift else None,
        "columns": len(drift),
        "moved": changed[:MOVED_SHOWN],
        "more_moved": max(len(changed) - MOVED_SHOWN, 0),
    }


def _parts(parts: list[Row], least: int) -> list[Row]:
    told_of = closed.by_part(pd.DataFrame(parts), least)
    return [row for kind in PARTS for row in told_of if row["part"] == kind]


def _few(whole: Row | None, chosen: Row | None, least: int) -> bool:
    """Whether too few came true for any figure to be told. Lakes of old have no row of all tested: then it is reckoned."""
    if whole is not None:
        return is_small(whole["positives"], least)
    return chosen is None or _of_few(chosen, least)


def _of_few(learner: Mapping[Any, Any], least: int) -> bool:
    return is_small(round(learner["base_rate"] * learner["test_rows"]), least)


def _curves(target: str, parts: list[Row], least: int) -> dict[str, charts.Figure]:
    """Gains and calibration of all tested, where they were kept and enough came true: of groups that may be shown."""
    whole = next((row for row in parts if row["part"] == "all"), None)
    if whole is None or whole["gains_found"] is None or whole["calibration_seen"] is None:
        return {}
    found, said, seen = whole["gains_found"], whole["calibration_told"], whole["calibration_seen"]
    steps = len(found) - 1
    ranked = pd.DataFrame(
        {"step": place, "rows": whole["rows"] / steps, "positives": (upper - lower) * whole["positives"], "score": 0.0}
        for place, (lower, upper) in enumerate(pairwise(found))
    )
    # kept lowest first
    groups = pd.DataFrame(
        {"step": -place, "rows": whole["rows"] / len(said), "positives": share * whole["rows"] / len(said), "score": score}
        for place, (score, share) in enumerate(zip(said, seen, strict=True))
    )
    drawn = {f"gains-{target}": closed.gains(ranked, least, steps), f"calibration-{target}": closed.calibration(groups, least)}
    return {name: figure for name, figure in drawn.items() if figure}


def _plain(name: str) -> str:
    top = name.removeprefix("precision_top_")
    return (
        f"Precision, likeliest {top} %"
        if top != name
        else {"pr_auc": "PR-AUC", "roc_auc": "ROC-AUC"}.get(name, name.replace("_", " ").capitalize())
    )


def _of(frame: pd.DataFrame | None, target: str) -> list[Row]:
    return [] if frame is None else plain_rows(frame[frame["target"] == target])
