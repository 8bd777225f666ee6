"""Which indicators models read: what can not be used is left out, and of those that say the same one stands for the others."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from churnlake.core.contract import Indicator
from churnlake.indicators.units import SQUARES
from churnlake.stats.ranks import spearman
from churnlake.understanding.outliers import outlier_groups
from churnlake.understanding.profile import Profile, profiled
from churnlake.understanding.settings import UnderstandingSettings

MODELLING, DESCRIPTIVE, UNUSABLE = "modelling", "descriptive", "unusable"


@dataclass(frozen=True)
class Role:
    """What an indicator is good for, and why: a descriptive one says what its leader says."""

    role: str
    why: str
    leader: str | None = None
    correlation: float | None = None


@dataclass(frozen=True)
class Understood:
    """A month understood: rows of features.selection and of features.outliers."""

    selection: list[dict[str, Any]]
    outliers: list[dict[str, Any]]


def understood(
    month: dt.date, now: pd.DataFrame, before: pd.DataFrame, indicators: Sequence[Indicator], settings: UnderstandingSettings
) -> Understood:
    """The profile, role and outlier groups of a month.

    Args:
        month: its first day.
        now: one row per user of its sample, in the order of users.
        before: the same of the month before; may be without rows.
        indicators: those to look at, in the order they are declared.
        settings: what makes an indicator usable, correlated, drifted, a user extreme.
    """
    profiles = profiled(month, now, before, indicators, settings)
    given = roles(profiles, now, settings)
    selection = [
        {
            "month": month,
            "indicator": p.indicator.name,
            "view": p.indicator.view,
            "users": p.rows,
            **p.figures,
            **asdict(given[p.indicator.name]),
        }
        for p in profiles
    ]
    groups = outlier_groups(now, [p for p in profiles if given[p.indicator.name].role == MODELLING], settings)
    return Understood(selection, [{"month": month, **group} for group in groups])


def unusable_because(profile: Profile, settings: UnderstandingSettings) -> str:
    """Why an indicator can not be used, in words; empty when it can.

    Words name the limit that is broken, not by how much: so they say nothing of the few users who are different.
    """
    figures = profile.figures
    if not profile.filled:
        return "no user has a value"
    if figures["missing_share"] > settings.most_missing:
        return f"more than {_per_cent(settings.most_missing)} of users have no value"
    if figures["distinct_values"] == 1:
        return "all users have the same value"
    if figures["common_share"] > settings.most_common:
        return f"more than {_per_cent(settings.most_common)} of those with a value have the same"
    if profile.is_code and figures["distinct_values"] > settings.most_levels_share * profile.filled:
        return "a code with a level for nearly every user names users"
    return ""


def roles(profiles: Sequence[Profile], now: pd.DataFrame, settings: UnderstandingSettings) -> dict[str, Role]:
    """By indicator, its role.

    Usable numbers are gone through in a fixed order: fuller ones first (by whole per cent of missing), then as declared, but
    sums of squares, which only deviations are made of, last. Each is compared with the leaders so far: where the strongest rank
    correlation is at or above ``most_correlation`` in size, it becomes descriptive of that leader, else a leader itself. So
    every descriptive indicator has a leader that models read, and no two leaders say the same. Codes are not compared.
    """
    found: dict[str, Role] = {}
    for profile in profiles:
        why = unusable_because(profile, settings)
        if why:
            found[profile.indicator.name] = Role(UNUSABLE, why)
    usable = [p for p in profiles if p.indicator.name not in found]
    order = {p.indicator.name: (p.indicator.unit == SQUARES, round(p.figures["missing_share"], 2)) for p in usable}
    numbers = sorted((p for p in usable if not p.is_code), key=lambda p: order[p.indicator.name])
    names = [p.indicator.name for p in numbers]
    rho = spearman(now[names], settings.least_pairs) if names else np.empty((0, 0))
    leaders: list[int] = []
    followers: dict[str, int] = {}
    for place, name in enumerate(names):
        sizes = np.nan_to_num(np.abs(rho[place, leaders]))
        strongest = int(sizes.argmax()) if len(sizes) else -1
        if strongest >= 0 and sizes[strongest] >= settings.most_correlation:
            leader = names[leaders[strongest]]
            followers[leader] = followers.get(leader, 0) + 1
            way = "rises" if rho[place, leaders[strongest]] > 0 else "falls"
            found[name] = Role(DESCRIPTIVE, f"{way} with {leader}", leader, float(rho[place, leaders[strongest]]))
        else:
            leaders.append(place)
    for profile in usable:
        name = profile.indicator.name
        if name not in found:
            others = followers.get(name, 0)
            stands = f"; stands for {others} {'others' if others > 1 else 'other'}" if others else ""
            words = (
                f"a code of {profile.figures['distinct_values']} levels" if profile.is_code else "filled, varies, like no other"
            )
            found[name] = Role(MODELLING, words + stands)
    return found


def _per_cent(share: float) -> str:
    return f"{100 * share:g} %"
