"""How well leaving can be foreseen at all in a city: by the true hazard, by the best filter of what an operator sees, by a learner."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churnlake.city.ceiling import observable
from churnlake.city.discontent import month_ends
from churnlake.city.settings import CityScenario
from churnlake.core.errors import MissingInputError
from churnlake.core.pseudonyms import Key

TARGETS = {"t1": "the next month", "t2": "the month after next"}
WAYS = {"true_hazard": "hazard", "observable": "score"}
"""The two ceilings, and the prefix of their column."""
HISTORY = 60
"""Days of the city's time before a month's end, at least: with less nobody can tell who fades from who never talked much."""
TAUGHT_MONTHS = 1
"""Months whose outcome the learner has seen, at least, before it is asked."""
RESAMPLES = 200
SEED = 2005


def ceilings(
    spark: SparkSession, truth: Path, scenario: CityScenario, features: DataFrame | None = None, key: Key | None = None
) -> list[dict[str, Any]]:
    """For each target: rows, leavers, base_rate, PR-AUC and ROC-AUC of each way to rank, and ``kept``, the filter's PR-AUC over
    that of the true hazard: what can be seen of what there is to see.

    Users are those with an own event in the month's last 15 days; months with the answer in the city's time and HISTORY days before
    their end. With ``features`` (features.monthly) and the ``key`` of their users a learner is asked too, about the months that come
    after TAUGHT_MONTHS: ``beside_pr_auc`` is the filter's about the same users and months, ``excess`` the learner's PR-AUC less that,
    ``excess_noise`` twice its standard error over users drawn again: a filter that a learner passes by more is no ceiling. Raises
    MissingInputError when the truth is not there.
    """
    rows = scores(spark, truth, scenario)
    if features is not None and key is not None:
        rows = _taught(rows, features, key, spark)
    enough = {first for first, last, _, _ in month_ends(scenario) if last + 1 >= HISTORY}
    rows = rows[pd.to_datetime(rows["month"]).dt.date.isin(enough)]
    found = []
    for turn in TARGETS:
        known = rows.dropna(subset=[f"leaves_{turn}"])
        label = known[f"leaves_{turn}"].astype(int).to_numpy()
        if not 0 < label.sum() < len(label):
            continue
        one: dict[str, Any] = {
            "target": f"leave_{turn}",
            "rows": len(label),
            "leavers": int(label.sum()),
            "base_rate": float(label.mean()),
        }
        for way, column in WAYS.items():
            one |= _ranking(way, label, known[f"{column}_{turn}"])
        one["kept"] = one["observable_pr_auc"] / one["true_hazard_pr_auc"]
        asked = known.dropna(subset=[f"learner_{turn}"]) if f"learner_{turn}" in known else known.iloc[:0]
        label = asked[f"leaves_{turn}"].astype(int).to_numpy()
        if 0 < label.sum() < len(label):
            learner, filtered = asked[f"learner_{turn}"].to_numpy(), asked[f"score_{turn}"].to_numpy()
            one |= _ranking("learner", label, learner) | _excess(label, learner, filtered, asked["user_id"].to_numpy())
            one |= {"beside_pr_auc": one["learner_pr_auc"] - one["excess"], "asked_leavers": int(label.sum())}
        found.append(one)
    return found


def scores(spark: SparkSession, truth: Path, scenario: CityScenario, of: dt.date | None = None) -> pd.DataFrame:
    """One row per active user and month's end, or of the month ``of`` alone: user_id, month, the true hazards, the filter's scores, and who left."""
    if not (truth / "hazard").is_dir():
        raise MissingInputError(f"no truth under {truth}; it is written by generate_city and cannot be made afterwards")
    if not (truth / "visible").is_dir():
        raise MissingInputError(f"the city {scenario.name} has too few days of records to foresee anything")
    seen, hazard = (spark.read.parquet(str(truth / name)) for name in ("visible", "hazard"))
    if of is None:
        first = hazard.agg(F.min("month").alias("month")).first()
        asked = F.col("month") > F.lit(first["month"] if first else None)
    else:
        asked = F.col("month") == F.lit(of)
    filtered = observable(seen.where("is_active").where(asked).orderBy("month", "user_id").toPandas(), scenario)
    rows = hazard.where(asked).toPandas().merge(filtered, on=["user_id", "month"], how="inner")
    return rows.sort_values(["month", "user_id"], ignore_index=True)


def _taught(rows: pd.DataFrame, features: DataFrame, key: Key, spark: SparkSession) -> pd.DataFrame:
    """The rows of the months a learner could be taught for, with what it says: boosted trees on all our features.

    It is taught by the truth of who left in the months before, which is more than any operator knows.
    """
    names = spark.createDataFrame(pd.DataFrame({"name": rows["user_id"].unique()})).select(
        "name", key.pseudonym(F.col("name"), "user").alias("user_id")
    )
    given = features.join(names, on="user_id", how="inner").drop("user_id").toPandas().rename(columns={"name": "user_id"})
    columns = [column for column in given.columns if column not in ("user_id", "month")]
    for column in columns:
        values = given[column]
        given[column] = values.astype("category").cat.codes if _is_text(values) else values.astype(float)
    return _asked(rows.merge(given, on=["user_id", "month"], how="left"), columns)


def _asked(known: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """The rows of the months a learner could be taught for by the months before, with ``learner_t1`` and ``learner_t2``."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    months = sorted(known["month"].unique())
    asked = []
    for place, month in enumerate(months):
        now = known[known["month"] == month].copy()
        for turn, lag in (("t1", 1), ("t2", 2)):
            before = known[known["month"].isin(months[: max(0, place - lag + 1)])].dropna(subset=[f"leaves_{turn}"])
            is_taught = before["month"].nunique() >= TAUGHT_MONTHS and before[f"leaves_{turn}"].sum() > 0
            if is_taught:
                learner = HistGradientBoostingClassifier(
                    max_iter=150,
                    learning_rate=0.06,
                    max_leaf_nodes=12,
                    min_samples_leaf=40,
                    l2_regularization=5.0,
                    random_state=SEED,
                )
                # the learner can not take a feature that nobody has, such as a handset where the switch writes none
                told = [column for column in columns if before[column].nunique() > 1]
                learner.fit(before[told], before[f"leaves_{turn}"].astype(int))
                now[f"learner_{turn}"] = learner.predict_proba(now[told])[:, 1]
            else:
                now[f"learner_{turn}"] = np.nan
        asked.append(now.drop(columns=columns))
    taught: pd.DataFrame = pd.concat(asked, ignore_index=True)
    return taught


def _is_text(column: pd.Series[Any]) -> bool:
    known = column.dropna()
    return bool(len(known)) and isinstance(known.iloc[0], str)


def _ranking(way: str, label: Any, score: Any) -> dict[str, float]:
    from sklearn.metrics import average_precision_score, roc_auc_score

    return {f"{way}_pr_auc": float(average_precision_score(label, score)), f"{way}_roc_auc": float(roc_auc_score(label, score))}


def _excess(label: Any, learner: Any, filtered: Any, users: Any) -> dict[str, float]:
    """PR-AUC of the learner less that of the filter, and twice its standard error: users, with all their months, drawn again."""
    from sklearn.metrics import average_precision_score

    def apart(weights: Any) -> float:
        both = [average_precision_score(label, score, sample_weight=weights) for score in (learner, filtered)]
        return float(both[0] - both[1])

    rng = np.random.default_rng(SEED)
    _, place = np.unique(users, return_inverse=True)
    drawn = []
    for _ in range(RESAMPLES):
        times = rng.multinomial(place.max() + 1, np.full(place.max() + 1, 1 / (place.max() + 1)))[place]
        if (times * label).sum() > 0:
            drawn.append(apart(times))
    return {"excess": apart(None), "excess_noise": 2 * float(np.std(drawn))}
