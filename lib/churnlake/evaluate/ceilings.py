"""How well leaving can be foreseen at all in a city: by the true hazard, and by the best filter of what an operator sees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churnlake.city.ceiling import observable
from churnlake.city.settings import CityScenario
from churnlake.core.errors import MissingInputError
from churnlake.stats.curves import ranking

TARGETS = {"leave_t1": "the next month", "leave_t2": "the month after next"}
TOP = 0.02


def ceilings(spark: SparkSession, truth: Path, scenario: CityScenario) -> list[dict[str, Any]]:
    """For each target, what ranks best: rows, leavers, base_rate, and PR-AUC, AUC and top lift of the true hazard and of the filter.

    Users are those with an own event in the month's last 15 days; months with both halves of the answer in the city's time, the
    first month left out, for the filter has nothing to compare with yet. Raises MissingInputError when the truth is not there.
    """
    scored = scores(spark, truth, scenario)
    found = []
    for target in TARGETS:
        turn = target[-2:]
        rows = scored.where(f"leaves_{turn} is not null").selectExpr(
            f"int(leaves_{turn}) as label",
            f"inline(array(struct('true_hazard' as who, hazard_{turn} as score), struct('observable' as who, score_{turn} as score)))",
        )
        by = {row["who"]: row for row in ranking(rows, "score", "label", "who", TOP).collect()}
        if not by:
            continue
        best = by["observable"]
        found.append(
            {
                "target": target, "rows": best["rows"], "leavers": best["positives"], "base_rate": best["base_rate"],
                **{f"{who}_{name}": by[who][name] for who in ("true_hazard", "observable") for name in ("pr_auc", "roc_auc", "lift")},
            }
        )  # fmt: skip
    return found


def scores(spark: SparkSession, truth: Path, scenario: CityScenario) -> DataFrame:
    """One row per active user and month's end: the true hazards, the filter's scores, and who left."""
    if not (truth / "hazard").is_dir():
        raise MissingInputError(f"no truth under {truth}; it is written by generate_city and cannot be made afterwards")
    seen = spark.read.parquet(str(truth / "visible")).where("is_active").orderBy("month", "user_id")
    filtered = observable(seen.toPandas(), scenario)
    first = min(filtered["month"])
    rows = spark.createDataFrame(filtered, "user_id string, month date, score_t1 double, score_t2 double")
    return (
        spark.read.parquet(str(truth / "hazard"))
        .join(rows, on=["user_id", "month"], how="inner")
        .where(F.col("month") > F.lit(first))
    )
