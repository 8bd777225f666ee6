"""What stands on each page: figures, tables and key figures, as values for the templates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard

import pandas as pd

from churnlake.core.contract import STATES as LINE_STATES
from churnlake.site import cards as models
from churnlake.site import charts, health, pair, runs, samples, stages, wording
from churnlake.site.control import headline
from churnlake.site.data import SiteData
from churnlake.site.disclosure import disclosed, is_small, shown, told
from churnlake.site.glossary import WORDS
from churnlake.site.indicators import selected
from churnlake.site.joining import named
from churnlake.site.motives import motives
from churnlake.site.rows import plain_rows
from churnlake.site.staying import leaks
from churnlake.site.today import today

FEEDS = ("voice", "sms", "mms", "wap")
DIMENSIONS = ("completeness", "validity", "uniqueness", "consistency", "timeliness", "accuracy")
Context = dict[str, Any]


def overview(data: SiteData) -> Context:
    """The overview: key figures, records a day, leavings a month, the way to the other pages."""
    cards: list[tuple[str, str, str]] = []
    figures: dict[str, charts.Figure] = {}
    since, least = data.last, data.least
    links = dict.fromkeys(
        (
            "reentry.html",
            "control.html",
            "joining.html",
            "circles.html",
            "stages.html",
            "churn.html",
            "staying.html",
            "models.html",
            "indicators.html",
            "quality.html",
            "runs.html",
        ),
        "",
    )
    if _has(data.records):
        records = data.records
        good = records[records["state"] == "good"]
        since = min(records["day"]) if len(records) else since
        cards.append(
            ("Records taken in", wording.count(records["rows"].sum()), f"{wording.share(_part(good, records))} of them good")
        )
        figures["records"] = charts.titled(charts.area(good, "day", "rows", "feed", FEEDS), y="good records a day")
        links["quality.html"] = f"{wording.share(_part(good, records), 2)} of records good"
    if _has(data.users):
        newest = data.users.sort_values("month").iloc[-1]
        cards.append(("Active users", told(newest["users"], least), f"with a record in {wording.month(newest['month'])}"))
    if _has(data.leavings):
        left, back = int(data.leavings["users"].sum()), int(data.leavings["returned"].fillna(0).sum())
        cards.append(("Users who left", told(left, least), "confirmed so far"))
        links["churn.html"] = f"{told(left, least)} users left"
        if data.matches is not None:
            part = "" if is_small(back, least) or is_small(left, least) else f"{wording.share(back / left)} of those who left"
            cards.append(("Back under a new number", told(back, least), part))
        figures["leaky"] = charts.titled(
            charts.stacked(
                shown(_fates(data.leavings), ["month", "fate"], "users", least),
                "month",
                "users",
                "fate",
                ("gone", "returned"),
                FATES,
            ),
            y="users",
        )
    if _has(data.joiners):
        joined = int(data.joiners["users"].sum())
        found = int(data.matches["rows"].sum()) if _has(data.matches) else 0
        cards.append(
            (
                "Joiners",
                told(joined, least),
                f"{wording.share(found / joined)} known from before"
                if data.matches is not None and not is_small(found, least)
                else "",
            )
        )
        links["reentry.html"] = f"{told(found, least)} joiners recognised"
    if _has(data.groups):
        newest = data.groups[data.groups["month"] == data.groups["month"].max()]
        links["circles.html"] = f"{told(newest['users'].sum(), least)} users in {wording.count(newest['groups'].sum())} groups"
    fits = models.of_enough(data.fits, least)
    if _has(fits):
        champion = fits[fits["is_champion"]]
        if len(champion):
            best = champion.iloc[0]
            lift = f"{best['lift_top_decile']:.1f}x" if pd.notna(best["lift_top_decile"]) else "-"
            cards.append(
                ("Leavers in the top tenth", lift, f"of chance, {best['learner']} model, {wording.month(best['test_month'])}")
            )
    links["indicators.html"], links["joining.html"] = selected(data), named(data)
    links["control.html"] = headline(data)
    links["staying.html"] = leaks(data.bucket, least)
    links["models.html"] = models.headline(data.learners, data.moved)
    links["stages.html"] = stages.headline(data.transitions, data.least)
    checks = plain_rows(data.checks)
    if checks:
        failed = sum(not check["has_passed"] for check in checks)
        verdict = (
            f"The data of {wording.day(max(check['day'] for check in checks))} {health.STATE_WORDS[health.state_of(checks)]}"
        )
        links["quality.html"] = f"{verdict}: {failed} of {len(checks)} checks failed"
    links["runs.html"] = runs.link(data)
    links["dictionary.html"] = f"{len(data.tables)} tables, {sum(map(len, (data.views or {}).values()))} indicators"
    links["lineage.html"] = f"{len(data.steps)} jobs"
    links["glossary.html"] = f"{sum(map(len, WORDS.values()))} words, Chinese and English"
    return {
        "cards": cards,
        "figures": figures,
        "links": links,
        "since": since,
        "headline": _headline(data),
        "lights": today(data),
        "evaluation": _evaluation(data),
        "docs_link": data.docs_link,
    }


def reentry(data: SiteData) -> Context:
    """Re-entry: the three scopes of joiners, evidence and probability of matches, motives, the likeliest cases."""
    figures: dict[str, charts.Figure] = {}
    square: dict[str, int] = {}
    ways: dict[str, int | None] = {}
    final, least = 0, data.least
    if _has(data.joiners):
        final = int(data.joiners["stage_days"].max())
        joined = shown(data.joiners, ["month", "scope"], "users", least)
        scopes = charts.stacked(joined, "month", "users", "scope", ("scored", "too_little", "excluded"), SCOPES)
        figures["scopes"] = charts.titled(scopes, y="joiners")
    if _has(data.matches):
        figures["kinds"] = charts.titled(
            charts.stacked(
                shown(data.matches, ["month", "kind"], "rows", least), "month", "rows", "kind", ("full", "partial", "open"), KINDS
            ),
            y="matches",
        )
        by_way = {
            str(row["found_by"]): int(row["rows"])
            for row in plain_rows(data.matches.groupby("found_by", as_index=False)[["rows"]].sum())
        }
        square = {way: by_way.get(way, 0) for way in ("both", "circle", "imei")}
        if _has(data.joiners):
            scored = data.joiners[data.joiners["scope"] == "scored"]["users"].sum()
            square["neither"] = max(int(scored) - sum(square.values()), 0)
        ways = _square(square, least)
    if _has(data.probabilities):
        likely = _middle(shown(data.probabilities, ["bin", "found_by"], "rows", least), 0.025)
        bars = charts.stacked(likely, "bin", "rows", "found_by", ("both", "circle", "imei"), WAYS)
        figures["probabilities"] = charts.titled(
            bars, "probability that both are one person", "matches", bargap=0.06, xaxis={"range": [0, 1]}
        )
    if _has(data.gaps):
        bars = charts.stacked(
            _middle(shown(data.gaps, ["bin", "kind"], "rows", least), 5),
            "bin",
            "rows",
            "kind",
            ("full", "partial", "open"),
            KINDS,
        )
        line = {
            "type": "line",
            "x0": 0,
            "x1": 0,
            "y0": 0,
            "y1": 1,
            "yref": "paper",
            "line": {"color": charts.MUTED, "dash": "dot", "width": 1},
        }
        figures["gaps"] = charts.titled(bars, "days between last use and first use", "matches", bargap=0.06, shapes=[line])
    why = motives(data)
    if why["figure"]:
        figures["motives"] = why["figure"]
    cases = plain_rows(data.cases)
    found = pair.best_pair(cases)
    shown_pair = {"case": found, "picture": pair.picture(found), "evidence": pair.evidence(found)} if found else None
    return {"figures": figures, "square": ways, "final": final, "cases": cases, "why": why, "pair": shown_pair}


def churn(data: SiteData) -> Context:
    """Churn: leavings by kind and brand, how well learners rank, the ranking's top, cells by priority."""
    figures: dict[str, charts.Figure] = {}
    cells: list[Context] = []
    least = data.least
    if _has(data.leavings):
        kinds = shown(data.leavings, ["month", "kind"], "users", least)
        figures["kinds"] = charts.titled(
            charts.stacked(kinds, "month", "users", "kind", ("cancelled", "suspended", "silent")), y="users"
        )
        by_brand = shown(data.leavings, ["month", "brand"], "users", least)
        brands = charts.stacked(by_brand, "month", "users", "brand", ("gotone", "easyown", "mzone", "unknown"), BRANDS)
        figures["brands"] = charts.titled(brands, y="users")
    fits = models.of_enough(data.fits, least)
    if _has(fits):
        newest = fits.sort_values(["known_on", "is_champion"]).drop_duplicates(["learner", "test_month"], keep="last")
        ranks = newest[["test_month", "learner", "pr_auc"]].rename(columns={"pr_auc": "value", "learner": "what"}).dropna()
        base = newest.groupby("test_month", as_index=False).agg(value=("base_rate", "max")).assign(what="base rate")
        both = pd.concat([ranks, base]).assign(test_month=lambda frame: frame["test_month"].map(wording.month))
        bars = charts.grouped(
            both, "test_month", "value", "what", ("logistic", "tree", "forest", "boosted", "perceptron", "base rate")
        )
        figures["fits"] = charts.titled(bars, "month tested on", "area under precision-recall", xaxis={"type": "category"})
    if _has(data.scores):
        scored = _middle(shown(data.scores, ["bin"], "users", least), 0.01)
        bars = charts.stacked(scored.assign(what="users"), "bin", "users", "what")
        figures["scores"] = charts.titled(
            bars,
            "probability of leaving next month",
            "users (log)",
            bargap=0.06,
            showlegend=False,
            yaxis={"type": "log", "dtick": 1},
        )
        figures["scores"]["layout"]["yaxis"].pop("rangemode")
    if _has(data.cells):
        cells = _cells(data.cells, least)
    month = wording.month(data.scores["month"].iloc[0]) if _has(data.scores) else ""
    return {"figures": figures, "ranked": plain_rows(data.ranked), "fits": plain_rows(fits), "cells": cells, "month": month}


def _cells(listed: pd.DataFrame, least: int) -> list[Context]:
    """One entry per action cell, the dearest first: users listed by arm; None where there are too few to be shown."""
    grid = listed.groupby(["cell", "priority"], as_index=False)[["users", "at_stake_yuan"]].sum()
    arms = disclosed(listed, ["cell", "arm"], "users", least)
    by_arm = {(row["cell"], row["arm"]): None if row["is_hidden"] else row["users"] for row in plain_rows(arms)}
    found = []
    for row in plain_rows(grid.sort_values("at_stake_yuan", ascending=False)):
        few = is_small(row["users"], least)
        told_arms = {arm: by_arm.get((row["cell"], arm), 0) for arm in ("target", "control")}
        found.append({**row, **told_arms, **({"users": None, "at_stake_yuan": None} if few else {})})
    return found


def _square(square: Mapping[str, int], least: int) -> dict[str, int | None]:
    """Matches by way, those too few to be shown as None, and one more where they could be had from the sum."""
    cells = disclosed(
        pd.DataFrame({"all": "all", "way": list(square), "rows": list(square.values())}), ["all", "way"], "rows", least
    )
    hidden = dict(zip(cells["way"], cells["is_hidden"], strict=True))
    return {way: None if hidden[way] else rows for way, rows in square.items()}


def _account(data: SiteData) -> list[Context]:
    """One entry per feed: rows in by state, and rows due from its files, where both are known."""
    if not _has(data.records):
        return []
    states = {
        (row["feed"], row["state"]): int(row["rows"])
        for row in plain_rows(data.records.groupby(["feed", "state"], as_index=False)[["rows"]].sum())
    }
    due = {row["feed"]: row for row in plain_rows(data.files)}
    found = []
    for feed in FEEDS:
        row = {state: states.get((feed, state), 0) for state in LINE_STATES}
        taken = sum(row.values())
        if taken or feed in due:
            told = due.get(feed, dict.fromkeys(("files", "lines", "rows_due", "unreadable_files")))
            gap = None if told["rows_due"] is None else int(told["rows_due"]) - taken
            found.append({**told, "feed": feed, **row, "taken": taken, "gap": gap})
    return found


def quality(data: SiteData) -> Context:
    """Quality: the day's verdict, what is wrong and since when, five weeks at a glance, scores, where the faults lie, accounting."""
    figures: dict[str, charts.Figure] = {}
    if _has(data.records):
        aside = data.records[data.records["state"] != "good"]
        if len(aside):
            figures["aside"] = charts.titled(charts.area(aside, "day", "rows", "state", LINE_STATES[1:], STATES), y="rows a day")
    checks = plain_rows(data.checks)
    checks.sort(key=lambda check: (check["has_passed"], check["severity"] != "error", check["table_name"], check["check_name"]))
    heat: dict[str, dict[str, float]] = {}
    for row in plain_rows(data.quality):
        heat.setdefault(str(row["table_name"]), {})[str(row["dimension"])] = row["score"]
    began = health.since(data)
    for check in checks:
        key = (check["table_name"], check["check_name"], check["column_name"])
        check["since"] = None if check["has_passed"] else began.get(key, check["day"])
    failed = [check for check in checks if not check["has_passed"]]
    counts = {
        "passed": len(checks) - len(failed),
        "errors": sum(check["severity"] == "error" for check in failed),
        "warnings": sum(check["severity"] == "warn" for check in failed),
    }
    line = health.trend(data.trend, DIMENSIONS)
    if line:
        figures["trend"] = line
    state = health.state_of(checks)
    return {
        "state": state,
        "state_words": health.STATE_WORDS[state],
        "judged": max((check["day"] for check in checks), default=data.last),
        "wrong": health.wrong(data, failed),
        "strip": health.strip(data.states),
        "held_back": data.held_back,
        "by_file": [{**row, "shapes": [samples.told(one) for one in row["shapes"] or ()]} for row in plain_rows(data.by_file)],
        "account": _account(data),
        "figures": figures,
        "reasons": plain_rows(data.reasons),
        "checks": checks,
        "failed": failed,
        "counts": counts,
        "heat": heat,
        "dimensions": DIMENSIONS,
        "docs_link": data.docs_link,
    }


FATES = {"gone": "gone", "returned": "back under a new number"}
SCOPES = {"scored": "scored", "too_little": "too little evidence", "excluded": "excluded"}
KINDS = {"full": "full replacement", "partial": "partial", "open": "open: before day 60"}
WAYS = {"both": "circle and handset", "circle": "circle alone", "imei": "handset alone"}
BRANDS = {"gotone": "GoTone 全球通", "easyown": "EasyOwn 神州行", "mzone": "M-Zone 动感地带"}
STATES = {"bad": "quarantined", "duplicate": "duplicates dropped", "suppressed": "of users erased"}
EVALUATED = {
    "planted": "re-entries planted",
    "found": "found",
    "correct": "of them right",
    "precision": "precision",
    "recall": "recall",
    "pr_auc": "PR-AUC of the churn model",
    "base_rate": "base rate of leaving",
}


def _headline(data: SiteData) -> str:
    if not (_has(data.leavings) and data.matches is not None):
        return "What the operator's records say of who leaves and who comes back."
    left, back = int(data.leavings["users"].sum()), int(data.leavings["returned"].fillna(0).sum())
    counts = f"Of {told(left, data.least)} users who left, {told(back, data.least)} are already back under another number"
    if is_small(left, data.least) or is_small(back, data.least):
        return f"{counts}."
    return f"{counts}: {wording.share(back / left)} of what looked like churn."


def _evaluation(data: SiteData) -> list[tuple[str, str]]:
    if not data.evaluation:
        return []
    shown = [
        (EVALUATED.get(key, key.replace("_", " ")), value)
        for key, value in data.evaluation.items()
        if isinstance(value, int | float | str)
    ]
    return [
        (label, f"{value:.3f}" if isinstance(value, float) else wording.count(value) if isinstance(value, int) else value)
        for label, value in shown
    ]


def _fates(leavings: pd.DataFrame) -> pd.DataFrame:
    back = leavings["returned"].fillna(0).astype(float)
    gone = leavings.assign(fate="gone", users=leavings["users"] - back)
    return pd.concat([gone, leavings.assign(fate="returned", users=back)])


def _middle(frame: pd.DataFrame, half: float) -> pd.DataFrame:
    """Bins named by their middle, where plotly centres a bar."""
    return frame.assign(bin=(frame["bin"].astype(float) + half).round(4))


def _part(some: pd.DataFrame, whole: pd.DataFrame) -> float:
    return float(some["rows"].sum()) / max(float(whole["rows"].sum()), 1.0)


def _has(frame: pd.DataFrame | None) -> TypeGuard[pd.DataFrame]:
    return frame is not None and len(frame) > 0
