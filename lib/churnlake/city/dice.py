"""Chance without a random generator: every draw is a hash of seed, salt and keys, so partitioning never changes it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import Column
from pyspark.sql import functions as F

SLOTS = 1000
"""Places in the table of a weighted draw."""
LARGE, FEW = 12, 5
"""Means from which a count is drawn as if normal, and counts that are looked for before any lambda."""


@dataclass(frozen=True)
class Dice:
    """SQL text of draws for one seed. ``keys`` are SQL expressions that name what the draw is for."""

    seed: int

    def u(self, salt: str, *keys: str) -> str:
        """Uniform in [0, 1)."""
        return f"(shiftrightunsigned(xxhash64({self.seed}L, '{salt}', {', '.join(keys)}), 11) * 1.1102230246251565E-16D)"

    def below(self, count: int | str, salt: str, *keys: str) -> str:
        """Uniform whole number in [0, count)."""
        return f"cast(floor({self.u(salt, *keys)} * ({count})) as bigint)"

    def between(self, least: float, most: float, salt: str, *keys: str) -> str:
        """Uniform in [least, most)."""
        return f"({float(least)!r}D + {self.u(salt, *keys)} * {float(most - least)!r}D)"

    def normal(self, salt: str, *keys: str) -> str:
        """Standard normal (Box-Muller)."""
        return f"(sqrt(-2 * ln(1 - {self.u(salt, *keys)})) * cos({2 * math.pi!r}D * {self.u(salt + '~', *keys)}))"

    def pick(self, weights: Mapping[str, float], salt: str, *keys: str) -> str:
        """One of the names, by weight (to a thousandth)."""
        return self.pick_by([weights], "0", salt, *keys)

    def pick_by(self, rows: Sequence[Mapping[str, float]], index: str, salt: str, *keys: str) -> str:
        """One of the names, by the weights of row ``index``. One draw and one array access, however many names there are."""
        table: list[str] = []
        for weights in rows:
            names = list(weights)
            table += [names[i] for i in lookup([weights[name] for name in names], SLOTS)]
        place = f"cast(1 + ({index}) * {SLOTS} + floor({self.u(salt, *keys)} * {SLOTS}) as int)"
        return f"element_at(split('{','.join(table)}', ','), {place})"

    def some(self, mean: str, salt: str, *keys: str) -> str:
        """Whether ``poisson`` of the same draw gives any event: one comparison, so that the many pairs without one are passed over."""
        return f"({mean} >= {LARGE} or ({mean} > 0 and {self.u(salt, *keys)} > exp(-({mean}))))"

    def poisson(self, mean: str, salt: str, *keys: str) -> str:
        """Whole number of events when ``mean`` are expected: inverse distribution below LARGE, normal above.

        Small means, by far the most, are written out: a lambda is interpreted, event by event.
        """
        drawn = self.u(salt, *keys)
        term, reached, few = "1.0D", "1.0D", ""
        for k in range(1, FEW + 1):
            few += f"when {drawn} <= exp(-({mean})) * ({reached}) then {k - 1} "
            term += f" * ({mean}) / {k}"
            reached += f" + {term}"
        steps = f"sequence(1, cast(ceil({mean} + 7 * sqrt({mean}) + 4) as int))"
        several = (
            f"aggregate({steps}, struct(exp(-({mean})) as p, exp(-({mean})) as c, 0 as k), "
            f"(s, i) -> struct(s.p * ({mean}) / i as p, s.c + s.p * ({mean}) / i as c, s.k + if({drawn} > "
            "s.c, 1, 0) as k), s -> s.k)"
        )
        large = f"cast(greatest(0, round({mean} + sqrt({mean}) * {self.normal(salt + '!', *keys)})) as int)"
        small = f"case {few} else {several} end"
        return f"(case when {mean} <= 0 then 0 when {mean} < {LARGE} then {small} else {large} end)"


def u(seed: int, salt: str, *columns: str) -> Column:
    """Uniform in [0, 1), the same for the same seed, salt and values of the columns.

    >>> spark.range(2).select(u(7, "x", "id").between(0, 1).alias("is_uniform")).show()  # doctest: +SKIP
    """
    return F.expr(Dice(seed).u(salt, *columns))


@dataclass(frozen=True)
class Shuffle:
    """A permutation of 0..size-1 by arithmetic alone (affine), so that no sort or join is needed to mix people."""

    size: int
    salt: int

    @property
    def _factor(self) -> int:
        # far enough apart that neighbours do not stay together, in a small place too
        factor = (self.size * 618_034 // 1_000_000 + self.salt * min(97, self.size // 5)) % self.size or 1
        while math.gcd(factor, self.size) != 1:
            factor += 1
        return factor

    def forth(self, value: str) -> str:
        """SQL of the place where ``value`` goes."""
        return f"pmod(({value}) * {self._factor}L + {self.salt * 7919}L, {self.size}L)"

    def back(self, value: str) -> str:
        """SQL of the value that went to that place."""
        inverse = pow(self._factor, -1, self.size) if self.size > 1 else 0
        return f"pmod((({value}) - {self.salt * 7919 % self.size}L) * {inverse}L, {self.size}L)"


def by_key(column: str, values: Mapping[str, object], otherwise: str) -> str:
    """SQL of the value for the key in ``column``; ``otherwise`` for keys that have none."""
    whens = " ".join(f"when '{key}' then {f'{value!r}D' if isinstance(value, float) else value}" for key, value in values.items())
    return f"case {column} {whens} else {otherwise} end" if whens else otherwise


def lookup(weights: list[float], slots: int) -> list[int]:
    """Index by slot: a slot drawn evenly gives index i with its weight. Turns a weighted draw into one array access."""
    total = math.fsum(weights)
    ends, reached = [], 0.0
    for weight in weights:
        reached += weight / total
        ends.append(round(reached * slots))
    table: list[int] = []
    for index, end in enumerate(ends):
        table.extend([index] * (end - len(table)))
    return table + [len(weights) - 1] * (slots - len(table))
