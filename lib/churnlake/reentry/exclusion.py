"""One person has one old number, and one old number one person: in frames of pandas, as odds.with_probability says it in tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Array = npt.NDArray[np.float64]


def odds_of(score: Array) -> Array:
    """Odds of log-odds, without overflow."""
    found: Array = np.exp(np.clip(score, -30, 30))
    return found


def places(ids: Any) -> Any:
    """Of each id its number among those there are: numbering them anew in each round would take longer than the round."""
    return pd.factorize(ids)[0]


def exclusive(score: Array, users: Any, old_users: Any) -> Array:
    """Probability of each pair of these log-odds where a joiner is at most one old user, and an old user at most one joiner."""
    return exclusive_of(odds_of(score), places(users), places(old_users))


def exclusive_of(odds: Array, users: Any, old_users: Any) -> Array:
    """``exclusive`` of odds and ids as ``places`` numbers them."""
    by_user, by_old = np.bincount(users, weights=odds), np.bincount(old_users, weights=odds)
    found: Array = odds / (1 + by_user[users] + by_old[old_users] - odds)
    return found


def open_share(match: Array, users: Any, old_users: Any) -> Array:
    """How probable it is of each pair, by the probabilities of all, that neither of the two is taken by another; ids as ``places`` numbers them."""
    by_user, by_old = np.bincount(users, weights=match), np.bincount(old_users, weights=match)
    found: Array = np.maximum(1 - (by_user[users] - match) - (by_old[old_users] - match), np.maximum(match, 1e-9))
    return found
