"""Where leavers were said to go beside where the city says they went: in words, and as probabilities."""

from __future__ import annotations

import math
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.tables.staying import WENT_TO

LEAST = 1e-6
"""No probability is taken for less, or one surprise would be all."""


def judged(told: DataFrame, planted: DataFrame) -> dict[str, Any]:
    """Figures of churn.destinations against the truth, beside two plain ways.

    Whoever had its number changed is back. Leavers whom the city has not leave (``stayed``) are counted and asked no further. Majority:
    everybody goes where most do, with the shares there truly are. Rule: back if matched at 0.5 or more, to the competitor with any sign
    of it, else elsewhere.

    Args:
        told: churn.destinations.
        planted: user_id and ``destination``, null for who stayed (``truth.planted_destinations``).

    Returns:
        ``leavers``, ``stayed``; ``accuracy``, ``majority_accuracy``, ``rule_accuracy``; ``log_loss`` and ``majority_log_loss`` (nats a leaver);
        ``brier`` and ``majority_brier``; ``expected`` and ``truly`` by destination; ``confusion``: planted -> told -> leavers.
    """
    truth = planted.withColumn("truly", F.expr("if(destination = 'renumbered', 'back', destination)")).select("user_id", "truly")
    signs = "successor = 'competitor' OR forwarded_calls > 0 OR competitor_hotline_calls > 0"
    rule = F.expr(f"CASE WHEN matched >= 0.5 THEN 'back' WHEN {signs} THEN 'competitor' ELSE 'elsewhere' END")
    rows = told.join(truth, on="user_id", how="inner").withColumn("by_rule", rule)
    own = F.expr("CASE truly " + " ".join(f"WHEN '{name}' THEN {name}" for name in WENT_TO) + " END")
    rows = rows.withColumns({"own": own, "squares": F.expr(" + ".join(f"{name} * {name}" for name in WENT_TO))})
    # destinations times destinations, and those who stayed
    cells = rows.groupBy("truly", "destination").agg(
        F.count("*").alias("leavers"),
        F.expr("count_if(by_rule = truly)").alias("right_by_rule"),
        F.sum(F.expr(f"-ln(greatest(own, {LEAST}D))")).alias("surprise"),
        F.sum(F.expr("squares - 2 * own + 1")).alias("squares"),
        *(F.sum(name).alias(name) for name in WENT_TO),
    ).collect()  # fmt: skip
    known = [row for row in cells if row["truly"]]
    leavers = sum(row["leavers"] for row in known)
    figures: dict[str, Any] = {"leavers": leavers, "stayed": sum(row["leavers"] for row in cells if not row["truly"])}
    if not leavers:
        return figures
    truly = {name: sum(row["leavers"] for row in known if row["truly"] == name) for name in WENT_TO}
    shares = [count / leavers for count in truly.values()]
    confusion = {name: dict.fromkeys(WENT_TO, 0) for name in WENT_TO}
    for row in known:
        confusion[row["truly"]][row["destination"]] += row["leavers"]
    return figures | {
        "accuracy": sum(confusion[name][name] for name in WENT_TO) / leavers,
        "majority_accuracy": max(shares),
        "rule_accuracy": sum(row["right_by_rule"] for row in known) / leavers,
        "log_loss": sum(row["surprise"] for row in known) / leavers,
        "majority_log_loss": -sum(share * math.log(share) for share in shares if share),
        "brier": sum(row["squares"] for row in known) / leavers,
        "majority_brier": 1 - sum(share * share for share in shares),
        "expected": {name: sum(row[name] for row in known) for name in WENT_TO},
        "truly": truly,
        "confusion": confusion,
    }
