"""Value mapping: numbers to named bands, codes to groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F

OTHER, UNKNOWN = "other", "unknown"


def banded(value: Column, names: Sequence[str], edges: Sequence[float]) -> Column:
    """The name of the band a number lies in; ``unknown`` where there is none.

    ``edges`` rise and part the bands: a number below the first edge is in the first band, one that equals an edge in the band
    above it. Raises ValueError where names and edges do not fit.

    >>> from churnlake.understanding.mapping import banded
    >>> banded("calls", ["few", "many"], [10, 20])
    Traceback (most recent call last):
    ...
    ValueError: 3 names are needed for 2 edges, not 2
    """
    if len(names) != len(edges) + 1:
        raise ValueError(f"{len(edges) + 1} names are needed for {len(edges)} edges, not {len(names)}")
    if list(edges) != sorted(set(edges)):
        raise ValueError(f"edges must rise: {', '.join(map(str, edges))}")
    told = F.when(value.isNull() | F.isnan(value.cast("double")), UNKNOWN)
    for name, edge in zip(names, edges, strict=False):
        told = told.when(value < F.lit(edge), name)
    return told.otherwise(names[-1])


def grouped(code: Column, groups: Mapping[str, Sequence[str]]) -> Column:
    """The group that lists a code; ``other`` where none does, ``unknown`` where there is no code.

    Raises ValueError where two groups list one code.
    """
    listed = [one for codes in groups.values() for one in codes]
    twice = sorted({one for one in listed if listed.count(one) > 1})
    if twice:
        raise ValueError(f"listed in two groups: {', '.join(twice)}")
    told = F.when(code.isNull() | (F.trim(code) == ""), UNKNOWN)
    for name, codes in groups.items():
        told = told.when(code.isin(list(codes)), name)
    return told.otherwise(OTHER)
