"""The indicators page: what each looks like on a month's sample, which ones models read, who is extreme, what has moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from markupsafe import Markup

from churnlake.core.contract import Indicator
from churnlake.site import charts, wording
from churnlake.site.data import SiteData
from churnlake.site.disclosure import disclosed, is_small, told
from churnlake.site.rows import plain_rows

ROLES = ("modelling", "descriptive", "unusable")
DRIFTS = ("moderate", "great")
WIDTH, HEIGHT = 120, 28
DRIFTED_SHOWN = 12
Row = dict[str, Any]


def indicators(data: SiteData) -> Row:
    """Indicators: counts by view and role, drift, outlier groups, abnormal users, clusters, and one row per indicator."""
    declared = {i.name: i for of_view in (data.views or {}).values() for i in of_view}
    rows = _profiles(data, declared)
    clusters = _clusters(rows)
    drifted = sorted((row for row in rows if row["drift"] in DRIFTS), key=lambda row: (-row["psi"], row["indicator"]))
    return {
        "rows": rows,
        "cards": _cards(rows, data),
        "read": _read_by_models(data),
        "views": _views(rows),
        "month": rows[0]["month"] if rows else None,
        "roles": ROLES,
        "clusters": clusters,
        "drifted": drifted[:DRIFTED_SHOWN],
        "more_drifted": max(len(drifted) - DRIFTED_SHOWN, 0),
        "has_drift": any(row["drift"] for row in rows),
        "outliers": _outliers(data, declared),
        "abnormal": _abnormal(data),
        "figures": _figures(data),
    }


def selected(data: SiteData) -> str:
    """How many indicators are selected for models, for the way to this page."""
    rows = plain_rows(data.selection)
    return f"{sum(row['role'] == 'modelling' for row in rows)} of {len(rows)} selected for models" if rows else ""


def picture(counts: Sequence[int], title: str) -> Markup:
    """A histogram a line of text high: a bar a class, its height the share of the largest; 0 is none.

    >>> str(picture([2, 0, 4], "a"))
    '<svg class="bars" viewBox="0 0 120 28" role="img"><title>a</title><path d="M0.5 28v-14h39v14zM80.5 28v-28h39v28z"/></svg>'
    """
    step, most = WIDTH / max(len(counts), 1), max([*counts, 1])
    path = ""
    for place, count in enumerate(counts):
        if count:
            height = max(1, round(HEIGHT * count / most))
            path += f"M{place * step + 0.5:g} {HEIGHT}v-{height}h{step - 1:g}v{height}z"
    head = Markup('<svg class="bars" viewBox="0 0 {} {}" role="img"><title>{}</title>').format(WIDTH, HEIGHT, title)
    return head + Markup('<path d="{}"/></svg>').format(path)


def _profiles(data: SiteData, declared: Mapping[str, Indicator]) -> list[Row]:
    """One entry per indicator, as declared: its row, and what the page says of it. Figures over few persons are left out."""
    rows = plain_rows(data.selection)
    places = {name: place for place, name in enumerate(declared)}
    rows.sort(key=lambda row: (places.get(row["indicator"], len(places)), row["indicator"]))
    may_show = _shown_counts(rows, data.least)
    for row in rows:
        indicator, least = declared.get(row["indicator"]), data.least
        users = int(row["users"])
        missing = round(row["missing_share"] * users)
        filled = users - missing
        row["unit"], row["meaning"] = (indicator.unit.name, indicator.meaning) if indicator else ("", "")
        row["missing"], row["missing_at"] = _missing(missing, users, least)
        row["median_told"] = (
            "–" if row["median"] is None else f"under {least} users" if filled < least else wording.number(row["median"])
        )
        row["median_at"] = "" if filled < least or row["median"] is None else row["median"]
        row["outliers_told"] = "–" if row["outliers"] is None else told(row["outliers"], least)
        row["outliers_at"] = "" if row["outliers"] is None else least / 2 if is_small(row["outliers"], least) else row["outliers"]
        drawn = may_show.get(row["indicator"], [])
        row["picture"] = picture(drawn, _title(row, drawn, least))
        row["range"] = _range(row, drawn, least)
        row["way"] = row["why"].removesuffix(row["leader"] or "") if row["leader"] else row["why"]
    return rows


def _missing(missing: int, users: int, least: int) -> tuple[str, float]:
    """A missing share in words and as a place in a sorted column: a bound where it, or what is left, is of few persons."""
    if is_small(missing, least):
        return f"under {wording.share(least / users)}", least / users / 2
    if is_small(users - missing, least):
        return f"over {wording.share(1 - least / users)}", 1 - least / users / 2
    return wording.share(missing / users), missing / users


def _shown_counts(rows: Sequence[Row], least: int) -> dict[str, list[int]]:
    """By indicator, its counts, 0 where there are too few to be shown; as are those they could be had from."""
    cells = [
        {"indicator": row["indicator"], "place": place, "users": int(count)}
        for row in rows
        for place, count in enumerate(row["counts"] or ())
    ]
    if not cells:
        return {}
    found = disclosed(pd.DataFrame(cells), ["indicator", "place"], "users", least)
    found["users"] = found["users"].where(~found["is_hidden"], 0)
    return {str(name): [int(n) for n in of_one["users"]] for name, of_one in found.groupby("indicator", sort=False)}


def _title(row: Row, counts: Sequence[int], least: int) -> str:
    """What a picture shows: the levels of a code, or from where to where a number goes; only what is of enough persons."""
    if row["levels"]:
        parts = [
            f"{level} {wording.share(count / row['users'], 0)}"
            for level, count in zip(row["levels"], counts, strict=True)
            if count
        ]
        return ", ".join(parts) or "too few users to show"
    if not any(counts) or not row["edges"]:
        return "too few users to show" if row["counts"] else "no value"
    edges, ends = row["edges"], (row["p01"], row["p99"])
    in_ends = row["users"] * (1 - row["missing_share"]) * 0.01
    if (edges[0], edges[-1]) == ends and in_ends >= least:
        return f"98 of 100 from {wording.number(ends[0])} to {wording.number(ends[1])}"
    return f"{len(counts)} classes of one width"


def _range(row: Row, counts: Sequence[int], least: int) -> str:
    """What stands below a picture: from where to where it goes, or how many levels there are; and whether bars are hidden.

    Ends are told where so many users lie at or beyond them that they are nobody's own value.
    """
    if not row["counts"]:
        return "no value"
    if not any(counts):
        return "hidden: few users"
    filled = row["users"] * (1 - row["missing_share"])
    if row["levels"]:
        told = f"{row['distinct_values']:,} levels" if row["distinct_values"] > 1 else "1 level"
    elif row["p01"] < row["p99"] and filled * 0.01 >= least:
        told = f"{wording.number(row['p01'])} to {wording.number(row['p99'])}"
    elif row["p01"] == row["p99"] and filled * 0.98 >= least:
        told = f"{'all' if row['distinct_values'] == 1 else '98 of 100'} have {wording.number(row['p01'])}"
    elif filled * 0.25 >= least:
        told = f"half from {wording.number(row['p25'])} to {wording.number(row['p75'])}"
    else:
        told = "range not told: too few users"
    hidden = sum(count > 0 for count in row["counts"]) - sum(count > 0 for count in counts)
    return told + (f"; {hidden} {'bars' if hidden > 1 else 'bar'} hidden" if hidden else "")


def _read_by_models(data: SiteData) -> Row | None:
    """Which selection the model that serves reads: the newest not later than the last month it was taught with; None without a model."""
    if data.fits is None or data.selected is None:
        return None
    taught = [max(fit["train_months"]) for fit in plain_rows(data.fits) if fit["is_champion"] and fit["train_months"]]
    known = {str(row["month"]): row for row in plain_rows(data.selected) if taught and str(row["month"])[:10] <= taught[0]}
    return known[max(known)] if known else None


def _cards(rows: Sequence[Row], data: SiteData) -> list[tuple[str, str, str]]:
    if not rows:
        return []
    least, read = data.least, _read_by_models(data)
    by_role = {role: sum(row["role"] == role for row in rows) for role in ROLES}
    moved = sum(row["drift"] in DRIFTS for row in rows)
    great = sum(row["drift"] == "great" for row in rows)
    known = any(row["drift"] for row in rows)
    return [
        ("Selected for models", wording.count(by_role["modelling"]), f"of {len(rows)} indicators"),
        *([("Read by the model", wording.count(read["indicators"]), f"that serves: selection of {wording.month(read['month'])}")] if read else []),
        ("Descriptive", wording.count(by_role["descriptive"]), "say what another one says"),
        ("Unusable", wording.count(by_role["unusable"]), "hardly filled or hardly varied"),
        ("Moved since the month before", wording.count(moved) if known else "–", f"{great} greatly" if known else "no month before"),
        ("Users looked at", told(rows[0]["users"], least), "all of the month, or a sample of fixed size"),
    ]  # fmt: skip


def _views(rows: Sequence[Row]) -> list[Row]:
    """One entry per view: indicators by role."""
    found: dict[str, Row] = {}
    for row in rows:
        of_view = found.setdefault(row["view"], {"view": row["view"], "all": 0, "moved": 0, **dict.fromkeys(ROLES, 0)})
        of_view["all"] += 1
        of_view[row["role"]] += 1
        of_view["moved"] += row["drift"] in DRIFTS
    return list(found.values())


def _clusters(rows: Sequence[Row]) -> list[Row]:
    """One entry per leader of descriptive indicators, those of most first."""
    by_name = {row["indicator"]: row for row in rows}
    found: dict[str, list[Row]] = {}
    for row in rows:
        if row["leader"]:
            found.setdefault(row["leader"], []).append({"indicator": row["indicator"], "correlation": row["correlation"]})
    entries = [
        {
            "leader": leader,
            "view": by_name[leader]["view"] if leader in by_name else "",
            "members": sorted(members, key=lambda member: (-abs(member["correlation"]), member["indicator"])),
        }
        for leader, members in found.items()
    ]
    return sorted(entries, key=lambda entry: (-len(entry["members"]), entry["leader"]))


def _outliers(data: SiteData, declared: Mapping[str, Indicator]) -> list[Row]:
    """One entry per group of extreme users, the largest first; users and share are None where there are too few."""
    rows = plain_rows(data.outliers)
    if not rows:
        return []
    cells = disclosed(pd.DataFrame(rows)[["view", "users"]].assign(all="all"), ["all", "view"], "users", data.least)
    hidden = dict(zip(cells["view"], cells["is_hidden"], strict=True))
    for row in rows:
        row["indicators"] = [
            (name, declared[name].meaning if name in declared else "")
            for name in ([] if hidden[row["view"]] else row["indicators"])
        ]
        if hidden[row["view"]]:
            row |= {"users": None, "share": None}
    return sorted(rows, key=lambda row: (-(row["users"] or 0), row["view"]))


def _abnormal(data: SiteData) -> list[Row]:
    """One entry per kind of abnormal user; the share is None where there are too few. Kinds overlap and add up to nothing known."""
    rows = plain_rows(data.abnormal)
    for row in rows:
        row["told"] = told(row["users"], data.least)
        row["share"] = None if is_small(row["users"], data.least) else row["share"]
    return sorted(rows, key=lambda row: (-row["users"] if row["share"] is not None else 0, row["kind"]))


def _figures(data: SiteData) -> dict[str, charts.Figure]:
    """The chart of drift: indicators that moved, month by month, none where none did."""
    if data.drifts is None or not len(data.drifts):
        return {}
    months = sorted(set(data.drifts["month"]))
    counts = {(row["month"], row["drift"]): int(row["indicators"]) for row in plain_rows(data.drifts)}
    frame = pd.DataFrame(
        [{"month": month, "drift": drift, "indicators": counts.get((month, drift), 0)} for month in months for drift in DRIFTS]
    )
    named = frame.assign(month=frame["month"].map(lambda month: f"{month:%Y-%m}"))
    bars = charts.stacked(named, "month", "indicators", "drift", DRIFTS)
    return {"drifts": charts.titled(bars, "", "indicators that moved", xaxis={"type": "category"})}
