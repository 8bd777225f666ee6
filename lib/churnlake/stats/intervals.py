"""Intervals of shares."""

from __future__ import annotations


def wilson(share: str, of: str, deviations: float) -> tuple[str, str]:
    """SQL of the lower and upper end of the score interval of a share of so many; null where there are none.

    Wilson 1927, "Probable inference, the law of succession, and statistical inference". ``of`` may be an effective number: for
    weighted answers (sum of weights)^2 / sum of squared weights (Kish 1965, "Survey sampling").
    """
    z = repr(float(deviations))
    middle = f"({share} + {z} * {z} / (2 * {of}))"
    half = f"({z} * sqrt({share} * (1 - {share}) / {of} + {z} * {z} / (4 * {of} * {of})))"
    whole = f"(1 + {z} * {z} / {of})"
    known = f"{share} IS NOT NULL AND {of} > 0"  # greatest and least take no notice of nulls
    low = f"if({known}, round(greatest(({middle} - {half}) / {whole}, 0D), 6), null)"
    high = f"if({known}, round(least(({middle} + {half}) / {whole}, 1D), 6), null)"
    return low, high
