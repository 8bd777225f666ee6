"""Proportions of few: intervals, an exact test of one group against the rest, false discoveries, how many there are by two lists."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F


def wilson(found: str, of: str, deviations: float) -> tuple[str, str]:
    """SQL of both ends of the score interval of ``found`` of ``of`` (Wilson 1927); null where there are none to ask.

    ``deviations``: half its width in standard deviations, 1.96 for 95 %. Both may be SQL of any number: an effective sample too, for weighted
    answers (sum of weights)^2 / sum of squared weights (Kish 1965, "Survey sampling").
    """
    z2 = deviations * deviations
    n = f"nullif(cast({of} as double), 0D)"
    share = f"(({found}) / {n})"
    middle = f"({share} + {z2 / 2!r} / {n})"
    half = f"{deviations!r} * sqrt(greatest({share} * (1 - {share}), 0D) / {n} + {z2 / 4!r} / ({n} * {n}))"
    whole = f"(1 + {z2!r} / {n})"
    low, high = f"greatest(({middle} - {half}) / {whole}, 0D)", f"least(({middle} + {half}) / {whole}, 1D)"
    known = f"({found}) IS NOT NULL AND {of} > 0"  # greatest and least take no notice of nulls
    return f"if({known}, {low}, null)", f"if({known}, {high}, null)"


def wilson_of(found: float, of: float, deviations: float = 1.96) -> tuple[float, float]:
    """Both ends of the score interval of ``found`` of ``of``, as ``wilson`` gives them in SQL.

    >>> [round(end, 3) for end in wilson_of(8, 10)]
    [0.49, 0.943]
    """
    share, z2 = found / of, deviations**2
    middle, whole = share + z2 / (2 * of), 1 + z2 / of
    half = deviations * (share * (1 - share) / of + z2 / (4 * of**2)) ** 0.5
    return max(0.0, (middle - half) / whole), min(1.0, (middle + half) / whole)


def upper_tail(found: str, of: str, all_found: str, all_of: str) -> str:
    """SQL of the chance that a group of ``of`` has ``found`` or more of the ``all_found`` among ``all_of`` that it is a part of.

    Fisher's exact test, one-sided (hypergeometric): it knows that the rate of the others is told from few as well. The arguments name
    columns of whole numbers. Terms follow from each other by their ratios, so a group of n takes some n steps.
    """
    first = f"exp({_ln_choose(all_found, found)} + {_ln_choose(f'({all_of} - {all_found})', f'({of} - {found})')} - {_ln_choose(all_of, of)})"
    ratio = f"(({all_found} - x) / (x + 1)) * (({of} - x) / ({all_of} - {all_found} - {of} + x + 1))"
    step = f"(s, x) -> named_struct('term', s.term * {ratio}, 'total', s.total + s.term)"
    tail = f"aggregate(sequence({found}, least({of}, {all_found})), named_struct('term', {first}, 'total', 0D), {step}, s -> s.total)"
    return f"if({found} <= greatest(0, {of} + {all_found} - {all_of}), 1D, least({tail}, 1D))"


def with_false_discovery(tests: DataFrame, p_value: str, by: Sequence[str], key: Sequence[str]) -> DataFrame:
    """The tests with ``q_value``: the rate of false discoveries when this one and all of its family that are as sure are believed.

    The procedure of Benjamini and Hochberg 1995, as adjusted values. A family is what has the same ``by``; ``key`` tells its tests apart.
    Tests without a value are of no family, and get none.
    """
    family: list[Column | str] = [*by, F.col(p_value).isNull()]
    whole = Window.partitionBy(*family)
    up = whole.orderBy(p_value, *key)
    down = whole.orderBy(F.desc(p_value), *(F.desc(name) for name in key)).rowsBetween(
        Window.unboundedPreceding, Window.currentRow
    )
    raised = tests.withColumn("raised", F.col(p_value) * F.count("*").over(whole) / F.row_number().over(up))
    least = F.least(F.min("raised").over(down), F.lit(1.0))
    return raised.withColumn("q_value", F.when(F.col(p_value).isNotNull(), least)).drop("raised")


def chapman(first: str, second: str, both: str, deviations: float) -> tuple[str, str, str]:
    """SQL of how many there are by two lists that do not know of each other, and of both ends of its interval.

    Capture and recapture after Chapman 1951, variance after Seber 1970. Where what is on one list is likelier on the other too, it tells too few.
    """
    total = f"(({first} + 1D) * ({second} + 1D) / ({both} + 1D) - 1)"
    spread = (
        f"sqrt(({first} + 1D) * ({second} + 1D) * ({first} - {both}) * ({second} - {both}) "
        f"/ (({both} + 1D) * ({both} + 1D) * ({both} + 2D)))"
    )
    least = f"cast({first} + {second} - {both} as double)"
    return total, f"greatest({total} - {deviations!r} * {spread}, {least})", f"{total} + {deviations!r} * {spread}"


def _ln_choose(of: str, some: str) -> str:
    """SQL of the logarithm of the number of ways to choose ``some`` of ``of``."""
    return f"if({some} <= 0, 0D, aggregate(sequence(1L, cast({some} as bigint)), 0D, (t, i) -> t + ln(({of} - {some} + i) / i)))"
