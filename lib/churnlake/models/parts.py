"""How well the chosen model ranks in parts of the customers: by brand, by value tier, and month by month; and what it earns."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.models.fit import probability
from churnlake.models.judge import Measures, measures
from churnlake.models.learners import LABEL
from churnlake.models.settings import ProfitSettings
from churnlake.stats.gains import Gains, points
from churnlake.tables.judged import JUDGED

BRAND, VALUE = "judged_brand", "judged_value"
"""Columns that users are parted by; no model takes them."""
GAINS_PARTS = 20
"""Equal parts of the customers that the stored curve of gains is told by."""
TIERS = ("low", "middle", "high")
Part = tuple[str, str]
WHOLE: Part = ("all", "all")


def by_part(model: PipelineModel, newest: DataFrame, tiers: tuple[float, float], settings: ProfitSettings) -> dict[Part, Gains]:
    """Per part of the newest month's users, how the model ranks them; a positive is worth its monthly fee by margin and months.

    Args:
        model: the chosen one, calibrated without the newest month.
        newest: one row per user: label, BRAND, VALUE (yuan a month) and the raw columns.
        tiers: shares of the users below the middle and the high tier, by VALUE.
        settings: what a kept customer is worth.
    """
    worth = F.greatest(F.coalesce(F.col(VALUE), F.lit(0.0)), F.lit(0.0))
    told = newest.select("*", worth.alias("worth"))
    cuts = told.agg(*(F.expr(f"percentile_disc({share}) WITHIN GROUP (ORDER BY worth)") for share in tiers)).first() or (0.0, 0.0)
    # who pays nothing is of the lowest tier however many such there are
    tier = F.when((F.col("worth") >= cuts[1]) & (F.col("worth") > 0), TIERS[2]).when(
        (F.col("worth") >= cuts[0]) & (F.col("worth") > 0), TIERS[1]
    )
    scored = model.transform(told).select(
        LABEL,
        probability().alias("score"),
        (F.col("worth") * settings.margin_share * settings.months).alias("worth"),
        F.explode(
            F.array(
                F.lit("all/all"),
                F.concat(F.lit("brand/"), F.coalesce(F.col(BRAND), F.lit("unknown"))),
                F.concat(F.lit("tier/"), F.coalesce(tier, F.lit(TIERS[0]))),
            )
        ).alias("of"),
    )
    steps = points(scored, "score", LABEL, "of", "worth").collect()
    found = {}
    for name in sorted({row["of"] for row in steps}):
        part, _, value = name.partition("/")
        found[part, value] = Gains.of(row for row in steps if row["of"] == name)
    return found


def profit(gains: Gains, settings: ProfitSettings) -> Measures:
    """What contacting the top of a ranking earns: the most in yuan, the share contacted then, and the expected maximum a customer (EMPC)."""
    positives = float(gains.positives.sum())
    told: Measures = {"profit_yuan": None, "profit_share": None, "empc": None, "empc_share": None}
    if not positives:
        return told
    accepted = settings.accepted_alpha / (settings.accepted_alpha + settings.accepted_beta)
    told["profit_yuan"], told["profit_share"] = gains.best_profit(settings.offer_yuan, settings.contact_yuan, accepted)
    clv = float(gains.value.sum()) / positives
    if clv > settings.offer_yuan:
        asked = {
            "alpha": settings.accepted_alpha, "beta": settings.accepted_beta, "clv": clv,
            "offer": settings.offer_yuan, "contact": settings.contact_yuan,
        }  # fmt: skip
        told["empc"], told["empc_share"] = gains.expected_profit(asked)
    return told


def judged_rows(
    known_on: dt.date,
    target: str,
    version: str,
    test_month: dt.date,
    parts: Mapping[Part, Gains],
    settings: ProfitSettings,
) -> list[dict[str, Any]]:
    """One row per part, as churn.judged keeps it. Months asked while choosing have no money: what they are worth was not read."""
    return [
        {
            "known_on": known_on,
            "target": target,
            "part": part,
            "value": value,
            "test_month": test_month,
            "rows": int(gains.rows.sum()),
            "positives": int(gains.positives.sum()),
            **measures(gains),
            **({} if part == "month" and value != f"{test_month:%Y-%m}" else _money(profit(gains, settings))),
            "model_version": version,
            **(_curves(gains) if part == WHOLE[0] else {}),
        }
        for (part, value), gains in parts.items()
    ]


def _curves(gains: Gains) -> dict[str, list[float]]:
    told, seen = gains.calibration()
    return {"gains_found": [found for _, found in gains.curve(GAINS_PARTS)], "calibration_told": told, "calibration_seen": seen}


def _money(told: Measures) -> dict[str, Any]:
    earned = told["profit_yuan"]
    return {**told, "profit_yuan": None if earned is None else Decimal(f"{earned:.2f}")}


def judged_frame(rows: Sequence[Mapping[str, Any]], frame: DataFrame) -> DataFrame:
    """The rows as a frame of churn.judged, in the session of the other one."""
    return frame.sparkSession.createDataFrame([tuple(row.get(name) for name in JUDGED.names) for row in rows], JUDGED.schema)
