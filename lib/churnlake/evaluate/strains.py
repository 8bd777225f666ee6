"""The detector under strain: contacts of the new number missing, strange or few, and long gaps."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.core.contract import Table
from churnlake.core.lake import Lake
from churnlake.evaluate import baselines
from churnlake.tables.daily import EDGES

PRECISION = 0.95
FEW_DAYS = 5


def spoilt(lake: Lake, due: DataFrame, tables: Mapping[Table, DataFrame]) -> dict[str, dict[Table, DataFrame]]:
    """By strain, the tables with the edges of the joiners after their join spoilt; those of everybody else are as they are.

    ``half_missing``: every second day and peer is not there. ``replaced_30``: three peers in ten are other people. ``five_days``: nothing
    after the first days.
    """
    edges = tables[EDGES].join(F.broadcast(due.select("user_id", "joined_on")), on="user_id", how="left")
    is_new = "joined_on IS NOT NULL AND day >= joined_on"
    people = lake.checkpoint(
        tables[EDGES]
        .select("peer_id")
        .distinct()
        .selectExpr("peer_id as other_id", "row_number() over (order by peer_id) as place")
    )
    size = people.count()
    drawn = edges.withColumn(
        "place",
        F.expr(
            f"if({is_new} AND pmod(xxhash64(user_id, peer_id), 10) < 3, 1 + pmod(xxhash64(peer_id, user_id, 'other'), {size}), null)"
        ),
    )
    other = (
        drawn.join(people, on="place", how="left")
        .withColumn("peer_id", F.expr("coalesce(other_id, peer_id)"))
        .where("peer_id <> user_id")
    )
    made = {
        "half_missing": edges.where(f"NOT ({is_new}) OR pmod(xxhash64(user_id, peer_id, day), 2) = 0"),
        "replaced_30": other,
        "five_days": edges.where(f"NOT ({is_new}) OR day < date_add(joined_on, {FEW_DAYS})"),
    }
    return {name: {**tables, EDGES: lake.checkpoint(one.select(tables[EDGES].columns))} for name, one in made.items()}


def recall(matches: pd.DataFrame, total: int) -> tuple[float, float]:
    """Most of the total that is found at PRECISION or better, and the probability from which on."""
    steps = baselines.steps(matches.rename(columns={"probability": "score"}))
    sure = steps[steps["precision"] >= PRECISION]
    if sure.empty or not total:
        return 0.0, 1.0
    return float(sure["right"].max()) / total, float(sure["score"].iloc[-1])


def told(
    matches: pd.DataFrame, strained: Mapping[str, pd.DataFrame], evident: int, far: tuple[int, int], far_total: int
) -> dict[str, float | None]:
    """Recall at 95 % precision of the pairs that left evidence: as it is, by strain, and of those with a gap ``far`` away."""
    whole, cut = recall(matches, evident)
    right = matches[matches["is_right"] & (matches["probability"] >= cut)]
    found = {f"recall_{name}": recall(each, evident)[0] for name, each in strained.items()}
    return {
        "recall": whole,
        **found,
        "recall_gap_90": float(right["gap_days"].between(*far).sum()) / far_total if far_total else None,
    }
