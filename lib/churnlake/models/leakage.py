"""What tells the answer before anybody can know it: looked for in a training's columns before anything is fitted.

Leakage is information about the outcome that is not there when the question is asked (Kaufman, Rosset, Perlich and Stitelman 2012,
"Leakage in data mining"). A column by itself shows it in three ways: it tells the outcome nearly alone; it is decisive for a good
part of those of whom it came true; or what tells so much in months whose outcome is known is missing in the month whose outcome nobody
knows yet. Rows and dates are looked through in ``leaking_rows``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import gammaincinv, ndtr

from churnlake.models.settings import LeakageSettings
from churnlake.stats.gains import Gains

Check = Literal["answer", "fading", "identity", "timeline", "rows", "as of"]
Part = tuple[Check, str]
"""A column's part that speaks most, and for which check."""
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
EMPTY, OTHER = "empty", "one of the rare ones"
LEVELS, LEAST_OF_LEVEL = 300, 5
"""Most levels of a text that are looked at one by one, and the fewest rows of one."""
VALUES = 40
"""A number of so few values is looked at value by value; else its groups end at these parts of its rows, the finer the nearer to an end."""
ENDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04)
CUTS = (*ENDS, *(n / 20 for n in range(1, 20)), *(1 - end for end in reversed(ENDS)))
ID_PARTS, IS_ID = 20, 0.98
"""Parts that identifiers are cut into, and the share of users with a value of their own from which on a whole number is one."""


@dataclass(frozen=True)
class Leak:
    """One thing that tells what nobody knows when asked: the check that found it, the column or rows, why, and what to do."""

    check: Check
    what: str
    why: str
    do: str

    def __str__(self) -> str:
        return f"{self.what}: {self.why}; {self.do}"


@dataclass(frozen=True)
class Groups:
    """A column cut into groups of rows: of each row its group (0: empty), their names, and whether they stand in an order."""

    of: Ints
    names: tuple[str, ...]
    ordered: bool

    def counts(self, rows: npt.NDArray[np.bool_]) -> Floats:
        """How many of these rows are in each group."""
        return np.bincount(self.of[rows], minlength=len(self.names)).astype(np.float64)


@dataclass(frozen=True)
class Evidence:
    """The part of a column's rows that speaks most for a positive: its name, its groups, positives and others in it.

    ``least``: how many times likelier it is among positives than among others, at the lower bound of its interval.
    """

    name: str
    groups: npt.NDArray[np.bool_]
    positives: float
    others: float
    least: float

    def told(self, positives: int, others: int) -> str:
        """It in words, of so many positives and others."""
        return (
            f"{self.name} in {self.positives:.0f} of {positives} positives and {self.others:.0f} of {others} others nearly tells the label "
            f"(at least {self.least:,.0f} times likelier among positives)"
        )


def grouped(values: pd.Series[Any]) -> Groups:
    """A column as groups: values of numbers of few and levels of texts one by one, other numbers by the parts of CUTS."""
    if pd.api.types.is_numeric_dtype(values):
        numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
        there = ~np.isnan(numbers)
        known, times = np.unique(numbers[there], return_counts=True)
        if len(known) <= VALUES:
            ends, names = known[:-1], [f"{value:g}" for value in known]
        else:
            # a value that many have stands by itself, whatever lies about it
            often = known[np.argsort(-times, kind="stable")[:VALUES]]
            heaps = often[np.isin(often, known[times >= max(LEAST_OF_LEVEL, ENDS[0] * there.sum())])]
            cuts = np.quantile(numbers[there], CUTS, method="lower")
            ends = np.unique(np.concatenate([cuts, heaps, np.nextafter(heaps, -np.inf)]))
            ends = ends[ends < known[-1]]
            between = [f"{b:g}" if a == np.nextafter(b, -np.inf) else f"{a:g} to {b:g}" for a, b in pairwise(ends)]
            names = [f"at most {ends[0]:g}", *between, f"above {ends[-1]:g}"]
        return Groups(np.where(there, np.searchsorted(ends, numbers, side="left") + 1, 0), (EMPTY, *names), True)
    codes, levels = pd.factorize(values, sort=True)
    rows = np.bincount(codes[codes >= 0], minlength=len(levels))
    common = [int(code) for code in np.argsort(-rows, kind="stable")[:LEVELS] if rows[code] >= LEAST_OF_LEVEL]
    place = np.full(len(levels) + 1, len(common) + 1)
    place[common], place[-1] = np.arange(1, len(common) + 1), 0
    return Groups(place[codes], (EMPTY, *(f"'{levels[code]}'" for code in common), OTHER), False)


# ---- one column by itself


def told_alone(column: Groups, label: Floats, half: Ints) -> tuple[float, str]:
    """The area under the ROC curve that a column reaches alone, and how: by its value, or by being filled.

    Numbers are ranked as they are; and any column by how often its groups are positive in the other half of the rows, for of
    itself every row would know.
    """
    hit = label > 0
    positives, negatives = column.counts(hit), column.counts(~hit)
    found: list[tuple[float, str]] = []
    if column.ordered:
        found.append((_area(np.arange(1.0, len(column.names)), positives[1:], negatives[1:]), "its value alone"))
    parts = [(column.counts(hit & (half == at)), column.counts(~hit & (half == at))) for at in (0, 1)]
    rate = np.concatenate([p / np.maximum(p + n, 1) for p, n in reversed(parts)])
    found.append((_area(rate, np.concatenate([p for p, _ in parts]), np.concatenate([n for _, n in parts])), "its value alone"))
    there = [np.array([n[0], n[1:].sum()]) for n in (positives, negatives)]
    found.append((_area(np.array([0.0, 1.0]), *there), "whether it is filled"))
    return max(found, key=lambda one: one[0])


def evidence(column: Groups, label: Floats, share: float, how: LeakageSettings) -> Evidence | None:
    """The part of a column's rows that speaks most for a positive, None where none has such a ``share`` of the positives.

    Parts are single groups, of numbers all above or below a value too, and all that are filled. How many times likelier a part is among
    positives than among others is what it adds to the odds (Good 1950, "Probability and the weighing of evidence"), whatever the base rate.
    """
    hit = label > 0
    positives, negatives = column.counts(hit), column.counts(~hit)
    count = len(column.names)
    single, filled = np.eye(count, dtype=bool), np.arange(count) > 0
    parts, names = [*single, filled], [*column.names, "filled"]
    if column.ordered:
        for at in range(2, count):
            parts += [filled & (np.arange(count) < at), filled & (np.arange(count) >= at)]
            names += [f"up to {column.names[at - 1]}", f"{column.names[at]} and more"]
    chosen = np.array(parts)
    right, wrong = chosen @ positives, chosen @ negatives
    total, others = positives.sum(), negatives.sum()
    enough = (right >= max(share * total, how.least_positives)) & (right + wrong < total + others)
    if not enough.any():
        return None
    right, wrong, kept = right[enough], wrong[enough], np.flatnonzero(enough)
    # both ends so far off that their ratio is off by ``deviations``: exact ends of Poisson counts (Garwood 1936)
    tail = float(ndtr(-how.deviations / np.sqrt(2)))
    least = gammaincinv(right, tail) / total / (gammaincinv(wrong + 1, 1 - tail) / others)
    best = int(least.argmax())
    return Evidence(names[kept[best]], chosen[kept[best]], float(right[best]), float(wrong[best]), float(least[best]))


def answers(
    columns: Mapping[str, Groups], label: Floats, half: Ints, how: LeakageSettings, month: Ints | None = None
) -> list[Leak]:
    """Columns that tell the outcome nearly alone, and those of which a part tells so much that it must have come after.

    A part is ``decisive`` times likelier among positives than among others (a hundred: Jeffreys 1961). Few things that lead to an outcome are so
    sure, and those that are, as a bonus that runs out, stand in the newest month, whose outcome nobody knows yet, as they did in others: what
    follows from the outcome is not there yet. So a part that is as common there is none of a leak; and one that is only ``strong`` is, where it
    is missing there (``newest``). That one must hold more of the positives (``strong_share``): a wave of few who leave together ends, too. The more of
    them it holds, the weaker it may be (``_strong``): the state of today marks all who left, and who left in other months besides.

    Args:
        columns: by name.
        label: of each row 1 or 0, NaN in the newest month.
        half: of each row 0 or 1, the same for all rows of a user.
        how: the limits.
        month: of each row a number, the later the greater; None where all rows are of one time.
    """
    known = ~np.isnan(label)
    of_known = {name: Groups(column.of[known], column.names, column.ordered) for name, column in columns.items()}
    hit, total = label[known], (int((label[known] > 0).sum()), int((label[known] == 0).sum()))
    shares: dict[Check, float] = {"answer": how.least_share, "fading": how.strong_share}
    part = {
        (check, name): found
        for check, share in shares.items()
        for name, column in of_known.items()
        if (found := evidence(column, hit, share, how))
    }
    gone = (
        {} if month is None else newest({key: found.groups[columns[key[1]].of] for key, found in part.items()}, label, month, how)
    )
    leaks = []
    for name, column in of_known.items():
        area, by = told_alone(column, hit, half[known])
        sure, strong = part.get(("answer", name)), part.get(("fading", name))
        if area >= how.most_area:
            leaks.append(Leak("answer", f"column {name}", f"{by} tells the label (area under ROC {area:.3f})", LEAVE_OUT))
        elif sure is not None and sure.least >= how.decisive and not (gone and gone["answer", name].is_there):
            leaks.append(Leak("answer", f"column {name}", sure.told(*total), LEAVE_OUT))
        elif (
            strong is not None
            and strong.least >= _strong(strong.positives / total[0], how)
            and gone
            and (now := gone["fading", name]).is_missing
        ):
            when = f"in {now.least:.2%} to {now.most:.2%} of the rows of each month with an outcome, and in {now.share:.2%} of the newest's"
            leaks.append(
                Leak(
                    "fading", f"column {name}", f"{strong.told(*total)}; it stands {when}, whose outcome nobody knows", LEAVE_OUT
                )
            )
    return leaks


def _strong(share: float, how: LeakageSettings) -> float:
    """How many times likelier a part that holds this share of the positives must be: ``strong`` at ``strong_share``, less with the root of the share."""
    return float(how.strong * np.sqrt(how.strong_share / share))


LEAVE_OUT = (
    "leave it out, or make it of what was known at the month's end; where it was known then, name it in models.leakage.known_then"
)


@dataclass(frozen=True)
class Newest:
    """A part of the rows in the newest month, whose outcome is not known: its share there, the least and most of the months before.

    ``is_there``: its share is nearer to what it was than to that among others than positives; ``is_missing``: not so, less than ever, and by no chance.
    """

    share: float
    least: float
    most: float
    is_there: bool
    is_missing: bool


def newest(parts: Mapping[Part, npt.NDArray[np.bool_]], label: Floats, month: Ints, how: LeakageSettings) -> dict[Part, Newest]:
    """How each part fares in the newest month; nothing where all months have outcomes, or fewer than two have.

    What marks who left can mark nobody of whom that is not known: there its share is that among others. What was there before is as common as it
    was, but for what months differ by beyond chance: the greater of what this part did and of what parts usually do.

    Args:
        parts: which rows are in each.
        label: of each row 1 or 0, NaN in the newest month.
        month: of each row a number.
        how: the limits.
    """
    known = ~np.isnan(label)
    told, last = np.unique(month[known]), int(month.max())
    if len(told) < 2 or last <= told[-1] or not parts:
        return {}
    masks = [*(known & (month == at) for at in told), month == last]
    rows = np.array([mask.sum() for mask in masks], dtype=np.float64)
    counts = {name: np.array([(part & mask).sum() for mask in masks], dtype=np.float64) for name, part in parts.items()}
    # how months differ, all rows or but the positives, whichever is less: a mark follows how many leave, a state of today how long ago
    others = [mask & (label == 0) for mask in masks[:-1]]
    without = {name: np.array([(part & mask).sum() for mask in others], dtype=np.float64) for name, part in parts.items()}
    of_others = np.array([mask.sum() for mask in others], dtype=np.float64)
    apart = {name: min(_apart(count[:-1], rows[:-1]), _apart(without[name], of_others)) for name, count in counts.items()}
    # of the larger parts: small ones come and go
    usual = float(np.median([move for (check, _), move in apart.items() if check == "fading"] or [0.0]))
    found = {}
    for name, count in counts.items():
        share, now = count / rows, np.log((count[-1] + 0.5) / (rows[-1] + 1))
        was = np.log((count[:-1].sum() + 0.5) / (rows[:-1].sum() + 1))
        is_there = now > (was + np.log((without[name].sum() + 0.5) / (of_others.sum() + 1))) / 2
        spread = np.sqrt(1 / (count[-1] + 0.5) + 1 / (count[:-1].sum() + 0.5) + max(usual, apart[name]))
        is_missing = not is_there and was - now > how.deviations * spread and share[-1] < share[:-1].min()
        found[name] = Newest(share[-1], share[:-1].min(), share[:-1].max(), bool(is_there), bool(is_missing))
    return found


def identity(columns: Mapping[str, pd.Series[Any]], user: pd.Series[Any], label: Floats, how: LeakageSettings) -> list[Leak]:
    """Whole numbers that name users, and the user's own key, where they tell the outcome: positives were numbered, or put in, apart.

    Numbers are cut into parts of equal size; that their rates are one is asked by chi-square (the patients of KDD Cup 2008: Perlich et al. 2008,
    "Breast cancer identification: KDD Cup winner's report"). A user counts once, with the greatest of its labels.
    """
    from scipy.stats import chi2

    rows = pd.DataFrame({"user": user.to_numpy(), "label": label})
    hit = rows.groupby("user")["label"].max()
    found = []
    for name, values in {"user_id": user, **columns}.items():
        if not pd.api.types.is_numeric_dtype(values):
            continue
        given = values.to_numpy(dtype=np.float64, na_value=np.nan)
        there = given[~np.isnan(given)]
        if (there % 1 != 0).any() or len(np.unique(there)) < IS_ID * len(hit):
            continue
        numbers = pd.Series(given).groupby(rows["user"]).last().dropna()
        if len(numbers) < ID_PARTS * how.least_positives:
            continue
        part = np.minimum((numbers.rank(method="first").to_numpy() - 1) * ID_PARTS // len(numbers), ID_PARTS - 1).astype(int)
        positive = hit.loc[numbers.index].to_numpy() > 0
        right, size = np.bincount(part, positive, ID_PARTS), np.bincount(part, minlength=ID_PARTS)
        rate = positive.mean()
        if not 0 < rate < 1:
            continue
        apart = float(((right - size * rate) ** 2 / (size * rate * (1 - rate))).sum())
        if chi2.sf(apart, ID_PARTS - 1) < how.chance:
            shares = right / size
            why = (
                f"it names users, yet the share of positives goes from {shares.min():.1%} to {shares.max():.1%} with its size: users of one "
                "outcome were numbered or put in apart"
            )
            do = "leave it out, and find out how the rows were put together: other columns may tell the same"
            found.append(Leak("identity", "column user_id, the key" if name == "user_id" else f"column {name}", why, do))
    return found


def _area(score: Floats, positives: Floats, negatives: Floats) -> float:
    """Area under the ROC curve of steps, either way round."""
    values, place = np.unique(-score, return_inverse=True)
    right, rows = (np.bincount(place, n, len(values)).astype(np.float64) for n in (positives, positives + negatives))
    area = Gains(rows, right, -values, right).roc_auc()
    return max(area, 1 - area) if area is not None else 0.5


def _apart(counts: Floats, rows: Floats) -> float:
    """By how much the logarithm of a share moves from month to month beyond chance, squared."""
    moves, chance = np.diff(np.log((counts + 0.5) / (rows + 1))), 1 / (counts + 0.5)
    return max(float(np.mean(moves**2) - np.mean(chance[1:] + chance[:-1])), 0.0)
