"""What broken lines look like, with nothing of what they say: every digit and letter gives way to a sign for its kind."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

SHAPES_SHOWN = 3
LINES_LOOKED_AT = 200
"""Lines of a file and reason that are decrypted to find the shapes they have."""
LENGTH_SHOWN = 160
SIGNS = ((r"\\p{N}", "9"), (r"\\p{Lu}", "X"), (r"[\\p{L}\\p{M}&&[^\\p{Lu}]]", "x"), (r"\\p{C}", "·"))
"""Patterns of what is masked, as Spark's SQL writes them, and the signs they give way to."""
LONG_RUN = re.compile(r"9{7,}|x{7,}|X{7,}")


def masked(text: str) -> str:
    """SQL of a text's shape: digits as 9, capitals as X, all other letters as x, signs that can not be seen as dots."""
    return reduce(lambda sql, sign: f"regexp_replace({sql}, '{sign[0]}', '{sign[1]}')", SIGNS, text)


def told(shape: str) -> str:
    """A shape in short, a long run by its length; so no number that somebody has can stand in it.

    >>> told("99999999999,9999-99-99 99:99,x")
    '9{11},9999-99-99 99:99,x'
    """
    short = LONG_RUN.sub(lambda run: f"{run[0][0]}{{{len(run[0])}}}", shape)
    return short if len(short) < LENGTH_SHOWN else f"{short[:LENGTH_SHOWN]}…"


def shapes(ledgers: Mapping[str, DataFrame], worst: DataFrame, reveal: Callable[[Column], Column], least: int) -> DataFrame:
    """One row per feed, file and reason of ``worst`` that at least ``least`` rows give: the shapes most frequent among its lines.

    Args:
        ledgers: By feed, rows set aside: file_id, reasons, raw_text (encrypted).
        worst: A few rows: feed, file_id, reason, rows.
        reveal: From an encrypted text to the text.
        least: Rows that nothing is shown of when there are fewer.
    """
    few = F.broadcast(worst.where(F.col("rows") >= least).select("feed", "file_id", "reason", "rows"))
    parts = [
        rows.where("raw_text is not null").select(
            F.lit(feed).alias("feed"), "file_id", F.explode("reasons").alias("reason"), "raw_text"
        )
        for feed, rows in ledgers.items()
    ]
    lines = reduce(DataFrame.unionByName, parts).join(few, on=["feed", "file_id", "reason"], how="inner")
    lines = lines.where(f"pmod(xxhash64(raw_text), cast(ceil(rows / {LINES_LOOKED_AT}) as bigint)) = 0")
    by = ("feed", "file_id", "reason")
    shaped = lines.withColumn("text", reveal(F.col("raw_text"))).withColumn("shape", F.expr(masked("text")))
    counted = shaped.where("shape is not null").groupBy(*by, "shape").count()
    place = F.row_number().over(Window.partitionBy(*by).orderBy(F.desc("count"), "shape"))
    best = counted.withColumn("place", place).where(F.col("place") <= SHAPES_SHOWN)
    return best.groupBy(*by).agg(F.expr("transform(array_sort(collect_list(struct(place, shape))), one -> one.shape) as shapes"))
