"""Likely causes of leaving beside those planted: how often right, against the commonest cause and rules asked in turn; a confusion."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churnlake.core.errors import MissingInputError
from churnlake.core.pseudonyms import Key
from churnlake.core.runs import Days
from churnlake.evaluate.content import lake_of
from churnlake.settings import Settings
from churnlake.tables.causes import EVIDENCE_CAUSES, LEAVER_CAUSES, UNKNOWN

PLANTED_AS = {
    "fraud": "arrears",
    "arrears": "arrears",
    "lost_sim": "lost_sim",
    "move": "moved",
    "circle": "friends",
    "service": "quality",
    "coverage": "quality",
    "bonus": "bonus",
    "handset": "handset",
    "price": "price",
}
"""By declared cause, the cause that the city plants under its name."""
RULES = (
    "great_debt", "left_in_debt", "in_debt", "stopped_suddenly", "back_on_same_plan", "other_home", "away", "neighbours_left", "complained",
    "called_care", "calls_dropped", "back_for_bonus", "bonus_ends", "new_handset", "old_handset", "cheaper_plan", "fee_rose",
    "asked_competitor", "sends_calls_on",
)  # fmt: skip
"""The plain way: the first of these that holds names the cause (rarer facts first); who goes to the competitor goes for the price."""
RULED_AS = {name: PLANTED_AS["price" if "price" in EVIDENCE_CAUSES[name] else EVIDENCE_CAUSES[name][0]] for name in RULES}
PLANTED = tuple(dict.fromkeys(PLANTED_AS.values()))
FOLDS, SEED = 5, 2005
LEAST = 1e-6
"""No probability is taken for less, or one surprise would be all."""


@dataclass(frozen=True)
class CausesFound:
    """Likely causes beside planted ones.

    ``confusion`` counts leavers by planted cause and by the likeliest cause, named as the city names it, or unknown. ``majority`` is how
    often the commonest planted cause is right; ``by_rule`` how often the first piece of evidence that holds is, in the order of RULES.
    ``log_loss``, nats a leaver, is that of the probabilities (what is unknown is dealt out evenly), ``majority_log_loss`` that of the
    shares there truly are, told of everybody. ``taught`` is the accuracy of a multinomial regression on the same evidence that is taught
    the truth of other leavers (five folds): about what this evidence allows; None with too few of a cause.
    """

    confusion: Mapping[str, Mapping[str, int]]
    by_rule: float
    log_loss: float
    majority_log_loss: float
    taught: float | None

    @property
    def leavers(self) -> int:
        """Leavers with a planted cause."""
        return sum(sum(row.values()) for row in self.confusion.values())

    @property
    def accuracy(self) -> float:
        """Share of them whose likeliest cause is the planted one."""
        return sum(row.get(planted, 0) for planted, row in self.confusion.items()) / max(self.leavers, 1)

    @property
    def majority(self) -> float:
        """Share of the commonest planted cause."""
        return max((sum(row.values()) for row in self.confusion.values()), default=0) / max(self.leavers, 1)

    @property
    def unknown(self) -> float:
        """Share of them for which nothing speaks."""
        return sum(row.get(UNKNOWN, 0) for row in self.confusion.values()) / max(self.leavers, 1)

    def __str__(self) -> str:
        if not self.leavers:
            return "no leaver with a planted cause"
        each = ", ".join(
            f"{planted} {row.get(planted, 0)} of {sum(row.values())}" for planted, row in sorted(self.confusion.items())
        )
        return (
            f"{self.accuracy:.2f} of {self.leavers} leavers as planted, {self.unknown:.2f} unknown; the commonest cause {self.majority:.2f}, "
            f"rules in turn {self.by_rule:.2f}; log loss {self.log_loss:.2f} where the true shares have {self.majority_log_loss:.2f} ({each})"
        )

    @property
    def figures(self) -> dict[str, Any]:
        """By name, what churn.json keeps."""
        return {
            "leavers": self.leavers, "accuracy": self.accuracy, "majority": self.majority, "by_rule": self.by_rule, "unknown": self.unknown,
            "log_loss": self.log_loss, "majority_log_loss": self.majority_log_loss, "taught_accuracy": self.taught, "confusion": self.confusion,
        }  # fmt: skip


def causes_found(causes: DataFrame, planted: DataFrame) -> CausesFound:
    """Rows of churn.causes beside planted ones (``planted_causes``): of each leaver the first confirmation."""
    shares = {name: " + ".join(f"{cause}_share" for cause, city in PLANTED_AS.items() if city == name) for name in PLANTED}
    named = F.create_map(*[F.lit(x) for pair in PLANTED_AS.items() for x in pair])
    ruled = ", ".join(f"if(array_contains(evidence, '{name}'), '{city}', null)" for name, city in RULED_AS.items())
    told = causes.select(
        "user_id", "known_on", "evidence", F.coalesce(named[F.col("cause")], F.lit(UNKNOWN)).alias("cause"), F.expr(f"coalesce({ruled})").alias("ruled"),
        *[F.expr(f"{sql} + {UNKNOWN}_share / {len(PLANTED)}").alias(name) for name, sql in shares.items()],
    )  # fmt: skip
    first = told.groupBy("user_id").agg(F.min_by(F.struct(*told.columns[2:]), "known_on").alias("found"))
    beside = first.select("user_id", "found.*").join(planted, on="user_id", how="inner")
    # one row per leaver of a made-up city
    rows = beside.orderBy("user_id").toPandas()
    confusion: dict[str, dict[str, int]] = {}
    for truly, cause in zip(rows["planted"], rows["cause"], strict=True):
        of = confusion.setdefault(str(truly), {})
        of[str(cause)] = of.get(str(cause), 0) + 1
    total = max(len(rows), 1)
    own = [float(row[row["planted"]]) if row["planted"] in PLANTED else 0.0 for row in rows.to_dict("records")]
    counts = rows["planted"].value_counts()
    return CausesFound(
        confusion,
        float((rows["planted"] == rows["ruled"]).sum()) / total,
        -sum(math.log(max(one, LEAST)) for one in own) / total,
        -sum(count * math.log(count / total) for count in counts) / total,
        _taught(rows),
    )


def _taught(rows: pd.DataFrame) -> float | None:
    """Accuracy of a regression on the evidence that holds, each leaver told by what was taught of others."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    enough = rows[rows.groupby("planted")["planted"].transform("size") >= FOLDS]
    if enough["planted"].nunique() < 2:
        return None
    held = [[float(name in evidence) for name in EVIDENCE_CAUSES] for evidence in enough["evidence"]]
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=SEED)
    said = cross_val_predict(LogisticRegression(C=1.0, max_iter=1000), held, enough["planted"], cv=folds)
    return float((said == enough["planted"]).mean())


def planted_causes(spark: SparkSession, truth: Path, key: Key) -> DataFrame:
    """One row per user who left for a planted cause: user_id, planted. Raises MissingInputError without a truth."""
    if not (truth / "users").is_dir():
        raise MissingInputError(f"no truth under {truth}; it is written by generate_city and cannot be made afterwards")
    rows = spark.read.parquet(str(truth / "users")).where("cause IS NOT NULL AND destination IS NOT NULL")
    return rows.select(key.pseudonym(F.col("user_id"), "user").alias("user_id"), F.col("cause").alias("planted"))


def judged(spark: SparkSession, settings: Settings, days: Days) -> CausesFound:
    """The likely causes of a lake beside those planted in its city."""
    lake = lake_of(spark, settings, days, LEAVER_CAUSES)
    return causes_found(lake.read(LEAVER_CAUSES), planted_causes(spark, Path(settings.city.truth), lake.key))
