"""The day's state in one glance: what is well, what is worth a look and what is not good, each with the page that says more."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from churnlake.site import cards, health, stages, wording
from churnlake.site.control import gates, headline
from churnlake.site.data import SiteData
from churnlake.site.disclosure import disclosed, is_small, told
from churnlake.site.rows import plain_rows

WEEKS = 4
"""Weeks before that a day's records are compared with, the same weekday of each."""
FAR = 0.3
"""From so much of a difference to those on, a day's records are worth a look."""
SIGNS = {"good": "✓", "warn": "!", "error": "✗", "plain": "•"}
STATES = {"good": "good", "warn": "worth a look", "error": "not good", "plain": "as it stands"}


@dataclass(frozen=True)
class Light:
    """One thing of the day: how it stands (good, warn, error, or plain where nothing is judged), in words, and where more is said."""

    name: str
    state: str
    words: str
    page: str

    @property
    def sign(self) -> str:
        """The state as a sign."""
        return SIGNS[self.state]

    @property
    def state_words(self) -> str:
        """The state in words, for who does not see the sign."""
        return STATES[self.state]


def today(data: SiteData) -> list[Light]:
    """What there is to say, the most pressing kind of thing first; what no table tells is left out."""
    found = [*_quality(data), *_held_back(data), *_records(data), *_models(data)]
    if data.steps_told is not None and len(data.steps_told):
        passed, judged = gates(data.steps_told)
        state = "plain" if not judged else "good" if passed == judged else "warn"
        found.append(Light("Re-entry", state, headline(data), "control.html"))
    moves = stages.headline(data.transitions, data.least)
    if moves:
        found.append(Light("Early warning", "plain", moves, "stages.html"))
    if data.cells is not None and len(data.cells):
        words = f"{_contacts(data.cells, data.least)} users to contact by the lists of {wording.month(data.cells['month'].max())}"
        found.append(Light("Lists", "plain", words, "churn.html#cells"))
    return found


def _contacts(listed: pd.DataFrame, least: int) -> str:
    """Users to contact; to the nearest ten where a cell is hidden that could be had from their sum."""
    cells = disclosed(listed, ["cell", "arm"], "users", least)
    targets = cells[cells["arm"] == "target"]
    users = int(targets["users"].sum())
    if targets["is_hidden"].any() and not is_small(users, least):
        return f"about {wording.count(round(users, -1))}"
    return told(users, least)


def _quality(data: SiteData) -> list[Light]:
    if data.checks is None or not len(data.checks):
        return []
    checks = plain_rows(data.checks)
    failed = sum(not check["has_passed"] for check in checks)
    words = f"{failed} of {len(checks)} checks failed" if failed else f"all {len(checks)} checks hold"
    return [Light("Data quality", health.state_of(checks), words, "quality.html#wrong")]


def _held_back(data: SiteData) -> list[Light]:
    slices = sum(map(len, data.held_back.values()))
    if not slices:
        return [Light("Held back", "good", "nothing: readers see every slice", "quality.html")] if data.checks is not None else []
    return [
        Light(
            "Held back",
            "warn",
            f"{wording.many(slices, 'slice')} of {', '.join(sorted(data.held_back))} not seen by readers until released",
            "quality.html#wrong",
        )
    ]


def _records(data: SiteData) -> list[Light]:
    """Good records of the newest day beside the middle of the same weekday in the weeks before."""
    if data.records is None or not len(data.records):
        return []
    good = data.records[data.records["state"] == "good"]
    by_day = good.groupby("day")["rows"].sum()
    if not len(by_day):
        return []
    day = max(by_day.index)
    before = [by_day.get(day - pd.Timedelta(weeks=week).to_pytimedelta()) for week in range(1, WEEKS + 1)]
    known = [float(rows) for rows in before if rows]
    words = f"{wording.count(by_day[day])} good on {wording.day(day)}"
    if not known:
        return [Light("Records", "plain", words, "quality.html")]
    usual = float(pd.Series(known).median())
    change = by_day[day] / usual - 1
    beside = (
        "as usual on that weekday"
        if abs(change) < 0.005
        else f"{wording.share(abs(change), 0)} {'more' if change > 0 else 'fewer'} than usual on that weekday"
    )
    return [Light("Records", "warn" if abs(change) > FAR else "good", f"{words}, {beside}", "quality.html")]


def _models(data: SiteData) -> list[Light]:
    words = cards.headline(data.learners, data.moved)
    if not words:
        return []
    blind = cards.no_better_than_chance(data.learners, data.least)
    if blind:
        names = " and ".join(f"‘{cards.TARGETS[target][0]}’" for target in blind)
        return [Light("Models", "bad", f"{names} ranked no better than chance: call nobody by it. {words}", "models.html")]
    changed = data.moved is not None and (data.moved["advice"] == "retrain").any()
    return [Light("Models", "warn" if changed else "good", words, "models.html")]
