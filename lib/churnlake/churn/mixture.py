"""Shares of causes among leavers, and of those who show what speaks for each, learnt from leavers whose cause nobody knows.

A latent class model fitted by expectation and maximisation (Dempster, Laird and Rubin 1977): leavers are a mixture of causes; what speaks for
a cause is shown by its leavers with a probability of its own, by all others as by those who stay. Settings say what is taken for likely
at the start, and as by how many leavers (MAP, with Dirichlet and beta priors): where evidence tells nothing, that stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from churnlake.churn.settings import CauseSettings
from churnlake.tables.causes import ALL, CAUSE_NAMES, EVIDENCE_CAUSES, OF_LEAVERS, UNKNOWN

ROUNDS, SETTLED = 200, 1e-6
LEAST = 0.005
"""No share is less, nor more than one less this: nothing is beyond doubt."""
CLASSES = (*CAUSE_NAMES, UNKNOWN)
NAMES = tuple(EVIDENCE_CAUSES)
SPEAKS = np.array([[float(cause in EVIDENCE_CAUSES[name]) for name in NAMES] for cause in CLASSES])
"""By cause and evidence, 1 where it speaks for it."""
Array = npt.NDArray[np.float64]
Shares = dict[tuple[str, str], float]


def start(settings: CauseSettings) -> Shares:
    """By cause and evidence, the share of its leavers who show it; of ``all``, the share of leavers whose cause it is. Of unknown: of no cause
    that the evidence speaks for, where only leavers show it."""
    return _told(*_start(settings))


def learn(leavers: Sequence[Mapping[str, tuple[bool, float | None]]], settings: CauseSettings) -> Shares:
    """The same, learnt from leavers.

    Args:
        leavers: one entry per leaver: by evidence of which it is known, whether it holds, and the share of those who stay who show it
            (None: only leavers do).
        settings: the start, and how many leavers it counts for.
    """
    prior, shown, others = _start(settings)
    if not leavers:
        return _told(prior, shown, others)
    held = np.array([[one.get(name, (False, None))[0] for name in NAMES] for one in leavers], dtype=float)
    asked = np.array([[name in one for name in NAMES] for one in leavers], dtype=float)
    given = np.array([[one[name][1] if name in one else None for name in NAMES] for one in leavers], dtype=float)
    known, weight, classes = (prior, shown, others), settings.start_leavers, settings.start_shares_leavers
    for _ in range(ROUNDS):
        likely = expected(held, asked, given, *known)
        shares = (likely.sum(axis=0) + classes * prior) / (len(leavers) + classes)
        own = likely.T @ held + weight * shown
        among = likely.T @ asked + weight
        apart = likely @ (1 - SPEAKS)
        rest_held, rest_asked = (apart * held).sum(axis=0), (apart * asked).sum(axis=0)
        newer = (shares, _within(own / among), _within((rest_held + weight * others) / (rest_asked + weight)))
        moved = max(float(np.abs(a - b).max()) for a, b in zip(newer, known, strict=True))
        known = newer
        if moved < SETTLED:
            break
    return _told(*known)


def expected(held: Array, asked: Array, given: Array, prior: Array, shown: Array, others: Array) -> Array:
    """Probability of each cause (columns) of each leaver (rows).

    Args:
        held, asked: 1 where a piece of evidence holds, where it is known; leavers by evidence.
        given: the share of those who stay who show it; NaN where only leavers do.
        prior: share of each cause.
        shown: by cause and evidence, the share of its leavers who show it.
        others: by evidence, the share of leavers of other causes who show it, where only leavers do.
    """
    usual = _within(np.where(np.isnan(given), others, given))
    shows, lacks = held * asked, (1 - held) * asked
    own = shows @ (SPEAKS * np.log(shown)).T + lacks @ (SPEAKS * np.log(1 - shown)).T
    logs = np.log(prior) + own - (shows * np.log(usual) + lacks * np.log(1 - usual)) @ SPEAKS.T
    likely = np.exp(logs - logs.max(axis=1, keepdims=True))
    found: Array = likely / likely.sum(axis=1, keepdims=True)
    return found


def _start(settings: CauseSettings) -> tuple[Array, Array, Array]:
    prior = np.array([settings.start_shares[cause] for cause in CLASSES])
    shown = np.tile(np.array([settings.start_shown[name] for name in NAMES]), (len(CLASSES), 1))
    others = np.array([settings.start_others.get(name, 0.5) for name in NAMES])
    return prior / prior.sum(), shown, others


def _within(shares: Array) -> Array:
    found: Array = np.clip(shares, LEAST, 1 - LEAST)
    return found


def _told(prior: Array, shown: Array, others: Array) -> Shares:
    """As rows: numbers rounded, that the last digits of sums are nobody's."""
    found = {(cause, ALL): round(float(share), 6) for cause, share in zip(CLASSES, prior, strict=True)}
    for at, name in enumerate(NAMES):
        for place, cause in enumerate(CAUSE_NAMES):
            if SPEAKS[place, at]:
                found[cause, name] = round(float(shown[place, at]), 6)
        if name in OF_LEAVERS:
            found[UNKNOWN, name] = round(float(others[at]), 6)
    return found
