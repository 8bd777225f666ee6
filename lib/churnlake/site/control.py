"""The page of re-entry control: seven steps and their gates, gross adds taken apart, churn corrected, plans, dealers, what to ask back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.core.contract import Table
from churnlake.site import charts, wording
from churnlake.site.disclosure import disclosed, is_small, shown, told
from churnlake.site.rows import plain_rows
from churnlake.stats.proportions import wilson_of
from churnlake.tables.control import CLAWBACKS, FUNNELS, GROSS_ADDS, NET_ADDS, PARTS_OF_ADDS, PLAN_MOVES, STEPS
from churnlake.tables.motives import RULED

Context = dict[str, Any]
DEALERS_SHOWN = 16
PLANS_SHOWN = 12
SHORT_DIMENSIONS = ("all", "brand", "plan", "channel", "branch", "old_brand", "old_tenure", "old_arpu")
"""Dimensions of gross adds that have few values; dealers and cells are read from the table."""
FILLED = {
    "steps_told": STEPS, "gross_adds": GROSS_ADDS, "net_adds": NET_ADDS, "plan_moves": PLAN_MOVES, "funnels": FUNNELS, "clawbacks": CLAWBACKS,
}  # fmt: skip
"""By field of SiteData, the table it is made from."""
STEP_NAMES: Mapping[int, tuple[str, str]] = {
    1: ("Define", "What counts as coming back, and how many that makes under other windows."),
    2: ("Scope", "Each joiner is scored, has too little evidence, or is excluded."),
    3: ("By circle alone", "Whom the circle of people called names by itself."),
    4: ("By handset alone", "Whom the handset names by itself, and what hygiene leaves aside."),
    5: (
        "Combine and verify",
        "Both beside each other, one old number to one new; call-backs, and how many there are by two lists.",
    ),
    6: ("Motives", "Why they came back."),
    7: ("Use and control", "Gross adds taken apart, churn corrected, bonuses, dealers."),
}
GROUPS: Mapping[int, tuple[tuple[str, ...], ...]] = {
    2: (("scored", "too_little", "excluded"),),
    5: (("by_both", "by_circle_alone", "by_handset_alone", "by_their_sum_alone"),),
    6: (tuple(f"motive_{name}" for name in RULED),),
    7: (PARTS_OF_ADDS,),
}
"""By step, measures whose sum is told: where one is small, another goes with it."""
OF_PART: Mapping[str, str] = {
    "scored_share": "too_little", "window_share": "back_within_180_days", "left_out_share": "left_out", "recall_by_two_lists": "by_both",
    "circle_mean_probability": "named_by_circle", "handset_known_share": "handset_unknown", "monthly_value_lost_yuan": "monthly_value_lost_yuan",
    "unknown_share": "motive_unknown",
}  # fmt: skip
"""By share, the measure that it could be told from: hidden together."""
PARTS = {
    "new": "new customers", "reentry": "back under a new number", "second_number": "one more number",
    "moved": "moved with their circle", "farmed": "dealers' own cards",
    "unknown": "too little to say",
}  # fmt: skip
LABELS: Mapping[str, str] = {
    **{part: f"{name}, expected" for part, name in PARTS.items()}, "by_their_sum_alone": "by neither alone", "there_are": "there are, by two lists",
    "bonus_yuan": "bonuses", "bonus_twice_yuan": "bonuses paid twice", "monthly_value_lost_yuan": "value lost a month", "multiple": "back twice in half a year",
    "one_old_user": "of them with one old user", "left_out": "on crowded handsets alone",
}  # fmt: skip
"""How measures are called, where not by their own name."""
MEASURES = {
    "reentry": "joiners matched to an old number",
    "farmed": "dealers' own cards",
    "gone_60": "no longer there after 60 days",
}


def aggregates(frames: Mapping[Table, DataFrame], short_name: str, willing: Any) -> dict[str, DataFrame]:
    """By field of SiteData, the frame of fixed size that fills it; only those whose tables are there.

    ``short_name`` is SQL of how a user is called, with a place for its column; ``willing`` leaves out rows of users not to be shown one by one.
    """
    found: dict[str, DataFrame] = {}
    for name, table in FILLED.items():
        if table in frames:
            found[name] = frames[table]
    if "gross_adds" in found:
        found["gross_adds"] = found["gross_adds"].where(F.col("dimension").isin(*SHORT_DIMENSIONS))
    if "funnels" in found:
        summed = found["funnels"].groupBy("level", "value", "measure").agg(
            F.sum("joiners").alias("joiners"), F.sum("found").alias("found"), F.expr("count_if(is_flagged)").alias("months_flagged"),
            F.min("q_value").alias("q_value"),
        )  # fmt: skip
        order = (F.desc("months_flagged"), F.asc_nulls_last("q_value"), F.desc("joiners"), "value", "measure")
        found["funnels"] = summed.where("level = 'dealer'").orderBy(*order).limit(DEALERS_SHOWN * len(MEASURES))
    if "clawbacks" in found:
        listed = willing(found["clawbacks"]).orderBy(F.desc("is_dealer_flagged"), F.desc_nulls_last("yuan"), "user_id").limit(20)
        found["clawbacks"] = listed.selectExpr(
            "month", f"{short_name.format('user_id')} as user", f"{short_name.format('old_user_id')} as old_user", "dealer_id", "reason",
            "cast(yuan as double) as yuan", "probability", "is_dealer_flagged",
        )  # fmt: skip
    if "plan_moves" in found:
        found["plan_moves"] = found["plan_moves"].groupBy("old_plan", "new_plan").agg(
            F.sum("users").alias("users"), F.sum("billed").alias("billed"), F.expr("cast(sum(lost_yuan) as double) as lost_yuan"),
            F.expr("cast(sum(before_yuan * billed) as double) as before_yuan"), F.expr("cast(sum(after_yuan * billed) as double) as after_yuan"),
        )  # fmt: skip
    return found


def control(data: Any) -> Context:
    """What stands on the page: ``cards``, ``steps`` of the newest month told, ``figures``, the plan matrix, dealers, claw-backs."""
    figures: dict[str, charts.Figure] = {}
    least = data.least
    if _has(data.gross_adds):
        whole = data.gross_adds[data.gross_adds["dimension"] == "all"]
        parts = charts.stacked(_expected(whole, ["month", "part"], least), "month", "expected", "part", PARTS_OF_ADDS, PARTS)
        if parts["data"]:
            figures["parts"] = charts.titled(parts, y="joiners, expected")
        figures |= {
            name: bars
            for name in ("brand", "channel", "old_tenure", "old_arpu")
            if (bars := _shares(data.gross_adds, name, least))
        }
    if _has(data.net_adds):
        figures["churn"] = _churn(data.net_adds, least)
    if _has(data.funnels):
        figures["dealers"] = _dealers(data.funnels, least)
    steps = _steps(data.steps_told, least) if _has(data.steps_told) else []
    month = max(data.steps_told["month"]) if _has(data.steps_told) else None
    return {
        "figures": {name: figure for name, figure in figures.items() if figure}, "steps": steps, "month": month,
        "cards": _cards(data, month, least), "matrix": _matrix(data.plan_moves, least) if _has(data.plan_moves) else None,
        "flagged": _flagged(data.funnels, least) if _has(data.funnels) else [], "clawbacks": plain_rows(data.clawbacks),
    }  # fmt: skip


def headline(data: Any) -> str:
    """What the overview says of it: of how many gates, how many passed in the newest month."""
    if not _has(data.steps_told):
        return ""
    passed, judged = gates(data.steps_told)
    return f"{passed} of {judged} gates passed for {wording.month(max(data.steps_told['month']))}"


def gates(steps: pd.DataFrame) -> tuple[int, int]:
    """Of the newest month told: gates passed, and gates that could be judged."""
    newest = steps[steps["month"] == max(steps["month"])]
    judged = newest[newest["passed"].notna()]
    return int(judged["passed"].astype(bool).sum()), len(judged)


def _steps(rows: pd.DataFrame, least: int) -> list[Context]:
    """One entry per step of the newest month told: its measures, as far as they may be shown, and its gates."""
    newest = rows[rows["month"] == max(rows["month"])]
    found = []
    for step, (name, meaning) in STEP_NAMES.items():
        here = newest[newest["step"] == step]
        hidden = _hidden(here, step, least)
        measures, gates = [], []
        for row in plain_rows(here):
            small = row["measure"] in hidden or OF_PART.get(row["measure"]) in hidden
            few = row["persons"] is not None and is_small(row["persons"], least)
            value = f"fewer than {least}" if few else "not shown" if small else _value(row)
            measures.append({"name": LABELS.get(row["measure"], row["measure"].replace("_", " ")), "value": value})
            if row["gate"]:
                state = "open" if row["passed"] is None else "passed" if row["passed"] else "failed"
                gates.append({"words": row["gate"], "state": state, "why": "" if small else row["why"]})
        states = {gate["state"] for gate in gates}
        state = "failed" if "failed" in states else "open" if "open" in states else "passed" if gates else "none"
        found.append({"step": step, "name": name, "meaning": meaning, "measures": measures, "gates": gates, "state": state})
    return found


def _hidden(rows: pd.DataFrame, step: int, least: int) -> set[str]:
    """Measures over too few persons to be shown, and those from which they could be had."""
    persons = {row["measure"]: row["persons"] for row in plain_rows(rows) if row["persons"] is not None}
    hidden = {name for name, count in persons.items() if is_small(count, least)}
    for group in GROUPS.get(step, ()):
        cells = pd.DataFrame([{"all": "all", "measure": name, "n": persons[name]} for name in group if name in persons])
        if len(cells):
            told_of = disclosed(cells, ["all", "measure"], "n", least)
            hidden |= set(told_of[told_of["is_hidden"]]["measure"])
    # windows hold each other: what lies between two of them is a cell too
    windows = sorted((count, name) for name, count in persons.items() if name.startswith("back_within"))
    for (before, _), (count, name) in zip([(0, ""), *windows], windows, strict=False):
        if is_small(count - before, least):
            hidden.add(name)
    if {"joiners", "too_little"} & hidden:
        hidden |= {"too_little"}
    return hidden


def _value(row: Mapping[str, Any]) -> str:
    """A measure in words, with its interval where it has one."""
    if row["value"] is None:
        return "cannot be told"
    name = row["measure"]
    is_share = name.endswith(("share", "rate", "probability", "lists", "callbacks")) and not name.startswith("callbacks")
    write = wording.share if is_share else wording.yuan if name.endswith("yuan") else wording.number
    between = "" if row["low"] is None else f" ({write(row['low'])} to {write(row['high'])})"
    return f"{write(row['value'])}{between}"


def _cards(data: Any, month: Any, least: int) -> list[tuple[str, str, str]]:
    """Key figures of the newest month told: label, value, note."""
    if month is None or not _has(data.net_adds):
        return []
    newest = data.net_adds[data.net_adds["month"] == month]
    cards: list[tuple[str, str, str]] = []
    if len(newest):
        row = newest.iloc[0]
        cards.append(("Joiners", told(row["joiners"], least), wording.month(month)))
        if not is_small(row["joiners"], least):
            cards.append(("True net adds", f"{row['true_net_adds']:+,.0f}", f"naive {row['net_adds']:+,.0f}"))
        back = row["leavers"] - row["back"]
        if not (is_small(row["leavers"], least) or is_small(back, least) or is_small(row["back"], least)):
            cards.append(("True churn", wording.share(row["true_churn_rate"], 2), f"naive {wording.share(row['churn_rate'], 2)}"))
    if _has(data.gross_adds):
        parts = data.gross_adds[(data.gross_adds["month"] == month) & (data.gross_adds["dimension"] == "all")]
        again = parts[parts["part"] == "reentry"]
        if len(again) and not is_small(again["counted"].iloc[0], least):
            low, high = again["low"].iloc[0], again["high"].iloc[0]
            cards.append(("Back under a new number", f"{again['expected'].iloc[0]:,.0f}", f"{low:,.0f} to {high:,.0f}, 95 %"))
    return cards


def _shares(gross: pd.DataFrame, dimension: str, least: int) -> charts.Figure | None:
    """Bars of the parts of gross adds over all months told, by the values of one dimension."""
    rows = gross[gross["dimension"] == dimension]
    if dimension.startswith("old_"):
        rows = rows[(rows["part"] == "reentry") & ~rows["value"].isin(["none"])]
    if rows.empty:
        return None
    cells = _expected(rows, ["value", "part"], least)
    if cells.empty:
        return None
    order = {value: place for place, value in enumerate(sorted(set(cells["value"]), key=_first_number))}
    cells = cells.assign(place=cells["value"].map(order)).sort_values("place")
    figure = charts.stacked(cells, "value", "expected", "part", PARTS_OF_ADDS, PARTS)
    figure["layout"]["xaxis"] |= {
        "type": "category",
        "categoryorder": "array",
        "categoryarray": sorted(order, key=lambda value: order[value]),
    }
    return charts.titled(figure, y="joiners, expected")


def _expected(rows: pd.DataFrame, by: Sequence[str], least: int) -> pd.DataFrame:
    """One row per cell of joiners that may be shown, with how many are ``expected``: neither those nor the ones counted are too few."""
    cells = rows.groupby(list(by), as_index=False)[["counted", "expected"]].sum()
    few = cells[["counted", "expected"]].min(axis=1).where(cells["counted"] > 0, cells["expected"])
    kept = shown(cells.assign(persons=few), by, "persons", least)
    found = kept.merge(cells[[*by, "expected"]], on=list(by))
    # a part that nobody is says nothing, and is in the way
    return found[found["expected"] > 0].reset_index(drop=True)


def _first_number(value: str) -> tuple[int, str]:
    head = value.partition(" ")[0]
    return (int(head) if head.isdigit() else 10**6 + (value == "unknown"), value)


def _churn(net: pd.DataFrame, least: int) -> charts.Figure:
    """Bars of the churn rate by month, naive and corrected, the latter with its interval."""
    rows = [
        row
        for row in plain_rows(net.sort_values("month"))
        if not (is_small(row["leavers"], least) or is_small(row["back"], least))
    ]
    rows = [row for row in rows if row["churn_rate"] is not None and not is_small(row["leavers"] - row["back"], least)]
    if not rows:
        return {}
    months = [f"{row['month']:%b %Y}" for row in rows]
    rates = [row["true_churn_rate"] for row in rows]
    bars: list[dict[str, Any]] = [
        {"type": "bar", "name": "as it looks", "x": months, "y": [row["churn_rate"] for row in rows], "marker": {"color": charts.COLOURS["gone"]}},
        {
            "type": "bar", "name": "corrected", "x": months, "y": rates, "marker": {"color": charts.COLOURS["returned"]},
            "error_y": {
                "type": "data", "symmetric": False, "color": charts.INK, "thickness": 1.2,
                "array": [row["true_churn_rate_high"] - rate for row, rate in zip(rows, rates, strict=True)],
                "arrayminus": [rate - row["true_churn_rate_low"] for row, rate in zip(rows, rates, strict=True)],
            },
        },
    ]  # fmt: skip
    figure: charts.Figure = {"data": bars, "layout": charts.base_layout(barmode="group", bargap=0.35)}
    figure["layout"]["yaxis"] |= {"tickformat": ".1%"}
    figure["layout"]["xaxis"] |= {"type": "category"}
    return charts.titled(figure, y="users who left, of those active")


def _dealers(funnels: pd.DataFrame, least: int) -> charts.Figure:
    """Dealers by the share of their joiners matched, with Wilson's interval, those that stand out coloured."""
    rows = funnels[(funnels["measure"] == "reentry") & (funnels["joiners"] >= least)]
    rows = rows[
        ~rows["found"].map(lambda n: is_small(n, least)).astype(bool)
        & ~(rows["joiners"] - rows["found"]).map(lambda n: is_small(n, least)).astype(bool)
    ]
    if rows.empty:
        return {}
    rows = rows.assign(share=rows["found"] / rows["joiners"]).sort_values(["share", "value"])
    low, high = zip(*(wilson_of(row["found"], row["joiners"]) for row in plain_rows(rows)), strict=True)
    share = list(rows["share"])
    dots = {
        "type": "scatter", "mode": "markers", "x": share, "y": list(rows["value"]),
        "marker": {"size": 9, "color": [charts.COLOURS["great"] if n else charts.COLOURS["scored"] for n in rows["months_flagged"]]},
        "error_x": {"type": "data", "symmetric": False, "color": charts.MUTED, "thickness": 1.2,
                    "array": [h - s for h, s in zip(high, share, strict=True)], "arrayminus": [s - below for below, s in zip(low, share, strict=True)]},
        "hovertemplate": "%{y}: %{x:.1%}<extra></extra>",
    }  # fmt: skip
    figure: charts.Figure = {"data": [dots], "layout": charts.base_layout(height=max(320, 26 * len(rows) + 90))}
    figure["layout"]["xaxis"] |= {"tickformat": ".0%", "showgrid": True, "rangemode": "tozero"}
    figure["layout"]["yaxis"] |= {"type": "category"}
    return charts.titled(figure, "share of joiners matched to an old number")


def _flagged(funnels: pd.DataFrame, least: int) -> list[Context]:
    """One entry per dealer and measure that stood out in some month."""
    rows = plain_rows(funnels[funnels["months_flagged"] > 0].sort_values(["q_value", "value"]))
    return [
        {**row, "what": MEASURES.get(row["measure"], row["measure"].replace("_", " ")),
         "joiners": None if is_small(row["joiners"], least) else row["joiners"],
         "found": None if is_small(row["found"], least) or is_small(row["joiners"] - row["found"], least) else row["found"]}
        for row in rows
    ]  # fmt: skip


def _matrix(moves: pd.DataFrame, least: int) -> Context:
    """Old plans by new plans: matches over all months told, and the mean monthly bill before and after, where enough have both."""
    cells = disclosed(moves, ["old_plan", "new_plan"], "users", least)
    hidden = {(row["old_plan"], row["new_plan"]): bool(row["is_hidden"]) for row in plain_rows(cells)}
    sizes = moves.groupby("old_plan")["users"].sum().add(moves.groupby("new_plan")["users"].sum(), fill_value=0)
    plans = [str(plan) for plan in sizes.sort_values(ascending=False, kind="stable").index[:PLANS_SHOWN]]
    grid: dict[str, dict[str, Context]] = {plan: {} for plan in plans}
    most = max((row["users"] for row in plain_rows(moves)), default=1)
    for row in plain_rows(moves):
        if row["old_plan"] in grid and row["new_plan"] in plans:
            key = (row["old_plan"], row["new_plan"])
            few = is_small(row["billed"], least) or not row["billed"]
            grid[row["old_plan"]][row["new_plan"]] = {
                "users": None if hidden[key] else int(row["users"]), "depth": 0 if hidden[key] else round(100 * row["users"] / most),
                "before": None if few or hidden[key] else row["before_yuan"] / row["billed"],
                "after": None if few or hidden[key] else row["after_yuan"] / row["billed"],
            }  # fmt: skip
    billed, users = float(moves["billed"].sum()), float(moves["users"].sum())
    lost = None if is_small(billed, least) or not billed else float(moves["lost_yuan"].sum())
    return {"plans": plans, "grid": grid, "lost": lost, "billed": told(billed, least), "users": told(users, least)}


def _has(frame: pd.DataFrame | None) -> bool:
    return frame is not None and len(frame) > 0
