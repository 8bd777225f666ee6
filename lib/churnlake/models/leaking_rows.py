"""What tells the answer before anybody can know it, in a training's rows, labels and dates: found by plain counting."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from churnlake.core.months import last_day
from churnlake.models.leakage import Leak
from churnlake.models.settings import LeakageSettings


def copies(
    rows: pd.DataFrame, columns: Sequence[str], taught: Sequence[dt.date], asked: dt.date, how: LeakageSettings
) -> list[Leak]:
    """Rows of the month asked that are among the taught as well: a user with the very same content in another month.

    How many users stay the very same by chance is told by the months taught among themselves, and by later ones.

    Args:
        rows: month, user_id and columns.
        columns: what is compared.
        taught: the months taught.
        asked: the month tested on.
        how: the limits.
    """
    content = pd.util.hash_pandas_object(rows[list(columns)], index=False).to_numpy()
    frame = pd.DataFrame({"user": rows["user_id"].to_numpy(), "content": content, "month": rows["month"].to_numpy()})

    def shared(month: dt.date, others: Iterable[dt.date]) -> tuple[int, int]:
        here = frame[frame["month"] == month]
        there = frame[frame["month"].isin([other for other in others if other != month])]
        both = here.merge(there[["user", "content"]].drop_duplicates(), on=["user", "content"], how="inner")
        return len(both), len(here)

    found, of = shared(asked, taught)
    others = [month for month in frame["month"].unique() if month != asked]
    usual = max((count / max(size, 1) for count, size in (shared(month, taught) for month in others)), default=0.0)
    if found < max(how.least_positives, how.most_copies * of) or found <= USUAL_TIMES * usual * of:
        return []
    why = f"{found / of:.1%} of them are the very same in a month taught (of other months at most {usual:.1%} are): what is asked was taught"
    return [
        Leak(
            "rows", f"rows of {asked:%Y-%m}, the month tested on", why, "part the months before rows are copied, stacked or drawn"
        )
    ]


USUAL_TIMES = 3
"""So many times what is usual in other months is no chance."""


def doubled(count: int, rows: int) -> list[Leak]:
    """User-months that stand more than once, ``count`` of so many."""
    if not count:
        return []
    why = f"{count:,} of {rows:,} user-months stand more than once: what is drawn again counts more, and may be asked as well as taught"
    return [
        Leak(
            "rows",
            "rows of the months taught and tested",
            why,
            "one row per user and month; weigh rows instead of drawing them again",
        )
    ]


@dataclass(frozen=True)
class Told:
    """What the labels of a month say of one outcome: how many there are, the first and last day on which one became known, and how many have features."""

    month: dt.date
    positive: bool
    labels: int
    first_known_on: dt.date | None
    last_known_on: dt.date | None
    with_features: int


def survivors(told: Iterable[Told], how: LeakageSettings) -> list[Leak]:
    """Features that are missing by outcome: users were taken out of a month for what became of them later."""
    count = {True: [0, 0], False: [0, 0]}
    for one in told:
        count[one.positive][0] += one.labels
        count[one.positive][1] += one.labels - one.with_features
    (positives, gone), (others, missing) = count[True], count[False]
    if not positives or not others:
        return []
    share, usual, pooled = gone / positives, missing / others, (gone + missing) / (positives + others)
    spread = (pooled * (1 - pooled) * (1 / positives + 1 / others)) ** 0.5
    if abs(share - usual) < how.most_missing or not spread or abs(share - usual) < how.deviations * spread:
        return []
    why = f"{share:.1%} of those labelled positive have no features, and {usual:.1%} of the others: who is in a month was told by what came later"
    return [Leak("rows", "rows of features", why, "make each month's rows of all who were there at its end")]


# ---- dates


@dataclass(frozen=True)
class Timeline:
    """When what is about to be taught was known: the day of the training, months taught and asked, of which month the selection is.

    ``gap_months`` lie between the newest taught and the one asked; ``closes_on`` tells when labels of a month are settled, None where no rule says.
    """

    known_on: dt.date
    taught: tuple[dt.date, ...]
    asked: dt.date
    gap_months: int
    selected_in: dt.date | None
    newest_features: dt.date | None
    closes_on: Callable[[dt.date], dt.date] | None


def untimely(line: Timeline, told: Iterable[Told]) -> list[Leak]:
    """Labels, features, months and selections that are of a later day than they may be."""
    found = []
    if line.newest_features is not None and (end := last_day(line.newest_features)) > line.known_on:
        why = f"the month ends on {end}, after the training's day, {line.known_on}: nobody has it whole"
        found.append(Leak("timeline", f"features of {line.newest_features:%Y-%m}", why, "build them when the month has ended"))
    late = [month for month in line.taught if _number(month) > _number(line.asked) - line.gap_months]
    if late:
        why = f"taught beside {line.asked:%Y-%m}, the month tested on, which lies less than {line.gap_months} months after"
        found.append(Leak("timeline", f"rows of {_months(late)}", why, "teach with months that were over before"))
    if line.selected_in is not None and line.taught and line.selected_in > max(line.taught):
        why = f"made in {line.selected_in:%Y-%m}, after the newest month taught, {max(line.taught):%Y-%m}: the month tested on has chosen the columns"
        found.append(Leak("timeline", "selection of indicators", why, "select on months taught"))
    early: dict[str, list[dt.date]] = {}
    for one in sorted(told, key=lambda one: one.month):
        if one.first_known_on is None or one.last_known_on is None:
            continue
        if one.last_known_on > line.known_on:
            early.setdefault(f"known on {one.last_known_on} only, after the training's day, {line.known_on}", []).append(
                one.month
            )
        if line.closes_on is not None and one.first_known_on < line.closes_on(one.month):
            why = f"taken on {one.first_known_on}, before they are settled on {line.closes_on(one.month)}"
            early.setdefault(why, []).append(one.month)
    do = "wait until labels close: who is only silent then counts as left, and who comes back later as gone"
    found += [Leak("timeline", f"labels of {_months(months)}", why, do) for why, months in early.items()]
    return found


def _months(months: Sequence[dt.date]) -> str:
    return ", ".join(f"{month:%Y-%m}" for month in sorted(set(months)))


def _number(month: dt.date) -> int:
    return month.year * 12 + month.month
