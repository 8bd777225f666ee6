"""Small cells: figures over so few persons that they say something of one of them are not shown.

It is about persons: users, joiners, leavers, matches. Counts of rows and lines, which say how good the data are, are not of
persons and are always shown.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from churnlake.site import wording


def is_small(count: float, least: int) -> bool:
    """Whether a count of persons must not be shown: there are some, but fewer than ``least``."""
    return 0 < count < least


def told(count: float, least: int) -> str:
    """A count of persons in words.

    >>> told(1234, 10), told(3, 10), told(0, 10)
    ('1,234', 'fewer than 10', '0')
    """
    return f"fewer than {least}" if is_small(count, least) else wording.count(count)


def disclosed(frame: pd.DataFrame, by: Sequence[str], count: str, least: int) -> pd.DataFrame:
    """One row per cell: ``by``, summed ``count``, and ``is_hidden``, whether it must not be shown. Small cells are hidden.

    Totals are often known: of all cells with one value of ``by[0]``, and of all cells there are. So that what is hidden can not
    be had by taking away from a total, the next larger cells are hidden too, until at least two cells and ``least`` persons are
    hidden together; within each value of ``by[0]`` first, then in all.
    """
    cells = frame.groupby(list(by), as_index=False, observed=True)[[count]].sum()
    cells = cells.sort_values([count, *by], ignore_index=True)
    hidden = cells[count].map(lambda n: is_small(n, least)).astype(bool)
    for _, group in cells[cells[count] > 0].groupby(by[0], observed=True):
        hidden = _enough(cells[count], hidden, list(group.index), least)
    hidden = _enough(cells[count], hidden, list(cells.index[cells[count] > 0]), least)
    return cells.assign(is_hidden=hidden).sort_values(list(by), ignore_index=True)


def shown(frame: pd.DataFrame, by: Sequence[str], count: str, least: int) -> pd.DataFrame:
    """The cells of ``disclosed`` that may be shown."""
    cells = disclosed(frame, by, count, least)
    return cells[~cells["is_hidden"]].drop(columns="is_hidden").reset_index(drop=True)


def _enough(counts: pd.Series, hidden: pd.Series, places: list[int], least: int) -> pd.Series:  # type: ignore[type-arg]
    """Hide more of these cells, the smallest first, where too few or too small ones are hidden; ``places`` are in order of size."""
    gone = [place for place in places if hidden[place]]
    left = [place for place in places if not hidden[place]]
    while gone and left and (len(gone) < 2 or counts[gone].sum() < least):
        gone.append(left.pop(0))
    return hidden.mask(hidden.index.isin(gone), True)
