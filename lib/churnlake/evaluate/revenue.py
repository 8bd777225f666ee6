"""Who pays half next month, judged on a city of records: beside what its features allow, and beside what its hidden state adds.

No formula gives either: a bill is the sum of what somebody does in a month, and bouts, journeys and holidays make half of a small one by chance.
So, as in ``oracle``, trees are asked that were taught the truth of the scenario's other cities (of one city alone, of its other users),
every month of it: they see what our learner sees, and, for the second, the state at the month's end that the generator knows and no operator.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churnlake.churn import revenue
from churnlake.churn.labels import closes_on
from churnlake.core.lake import Lake
from churnlake.core.months import last_day
from churnlake.evaluate import churn
from churnlake.evaluate.churn import ASKED, CIRCLE, Given
from churnlake.models.frame import BESIDE, features_of, selected, taught_months, with_beside
from churnlake.settings import Settings
from churnlake.tables.features import MONTHLY, SELECTION
from churnlake.tables.reference import BILLS, SUBSCRIPTIONS

TABLES = (MONTHLY, SELECTION, *BESIDE, BILLS, SUBSCRIPTIONS)
"""Tables of the lake that are read."""
STATE = ("hazard", "is_discontented", "discontent_days", "fading_days", "fade_depth", "faded_days")
"""What the generator knows of a user at a month's end: its hazard, whether and since when it is discontented, uses the number less, or did."""
KEY = ("user_id", "month", "leaves")
FOLDS, SEED, ROUNDS = 5, 2005, 200
TARGET = revenue.REVENUE


def asked(spark: SparkSession, lake: Lake, settings: Settings) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What is to be judged of one city, and what trees of the others are taught.

    Returns:
        One row per user asked at the end of ASKED: user_id, leaves, probability, without (taught without circles). And one row per user
        and month of which it is told by the lake's end whether it paid half: KEY, the features, STATE.
    """
    how, on = settings.churn, last_day(ASKED)
    features = lake.read(MONTHLY)
    months = sorted(row["month"] for row in features.select("month").distinct().collect())
    bills, taken = (lake.read(table) if lake.has(table) else None for table in (BILLS, SUBSCRIPTIONS))
    due = [month for month in months if month <= ASKED]
    labels = lake.checkpoint(revenue.revenue_labels(features, bills, taken, due, how).where("has_churned IS NOT NULL"))
    known = labels.where(F.col("known_on") <= F.lit(on))
    assert closes_on(ASKED, how, revenue.REVENUE) > on
    newest = taught_months(features.where(F.col("month") <= F.lit(ASKED)), known, settings.models)[-1]
    numeric, categories = selected(lake.read(SELECTION), newest, MONTHLY)
    every, codes = features_of(MONTHLY)
    features, more = with_beside(features, {table: lake.read(table) for table in BESIDE})
    every = [*every, *more]
    given = Given(features.where(F.col("month") <= F.lit(ASKED)), known, (*numeric, *more), tuple(categories))
    trained = churn.fitted(given, settings.models, lake)
    told = churn.asked_of(trained.serving, given, settings)
    plain = given.without(CIRCLE)
    alone = churn.fitted(plain, churn.same(trained, settings.models), lake)
    told = told.join(
        churn.asked_of(alone.serving, plain, settings).withColumnRenamed("probability", "without"),
        on="user_id",
        how="inner",
    )
    outcome = labels.select("user_id", "month", F.col("has_churned").cast("int").alias("leaves"))
    judged = told.join(outcome.where(F.col("month") == F.lit(ASKED)), on="user_id", how="inner")
    numbers = [F.col(name).cast("double").alias(name) for name in every]
    texts = [F.pmod(F.xxhash64(name), F.lit(64)).cast("double").alias(name) for name in codes]
    seen = outcome.join(features.select("user_id", "month", *numbers, *texts), on=["user_id", "month"], how="inner")
    seen = seen.join(_state(spark, Path(settings.city.truth), lake), on=["user_id", "month"], how="left")
    # one row per user, and per user and month, of a made-up city
    return judged.orderBy("user_id").toPandas(), seen.orderBy("month", "user_id").toPandas()


def _state(spark: SparkSession, truth: Path, lake: Lake) -> DataFrame:
    """One row per user and month's end: STATE, nothing of it later than that day."""
    users = spark.read.parquet(str(truth / "users")).select("user_id", "discontented_on", "fades_on", "fades_to", "fade_depth")
    rows = spark.read.parquet(str(truth / "hazard")).join(users, on="user_id", how="left").withColumn("on", F.last_day("month"))
    began = "if(fades_on <= on, datediff(on, fades_on), null)"
    over = "if(fades_to <= on, datediff(on, fades_to), null)"
    return rows.select(
        lake.key.pseudonym(F.col("user_id"), "user").alias("user_id"), "month", F.col("hazard_t1").alias("hazard"),
        F.col("is_discontented").cast("double").alias("is_discontented"),
        F.expr("if(is_discontented AND discontented_on <= on, datediff(on, discontented_on), null)").cast("double").alias("discontent_days"),
        F.expr(began).cast("double").alias("fading_days"), F.expr("if(fades_on <= on, fade_depth, null)").alias("fade_depth"),
        F.expr(over).cast("double").alias("faded_days"),
    )  # fmt: skip


def figures(cities: Sequence[tuple[pd.DataFrame, pd.DataFrame]]) -> list[dict[str, Any]]:
    """By city the figures of the target, as those of leaving (``churn.told``), with the two references learnt from the other cities."""
    found = []
    for turn, (judged, _) in enumerate(cities):
        scores = {way: _taught([seen for _, seen in cities], turn, hidden=way == "hazard") for way in ("score", "hazard")}
        rows = judged.assign(**{way: judged["user_id"].map(score) for way, score in scores.items()}).dropna(
            subset=["score", "hazard"]
        )
        found.append(
            churn.told(rows)
            if 0 < rows["leaves"].sum() < len(rows)
            else {"rows": len(rows), "leavers": int(rows["leaves"].sum())}
        )
    return found


def _taught(cities: Sequence[pd.DataFrame], turn: int, *, hidden: bool) -> Mapping[int, float]:
    """By user asked of one city, what trees taught with the others say; of one city alone, with its other users."""
    city = cities[turn]
    now = city[pd.to_datetime(city["month"]).dt.date == ASKED]
    columns = [c for c in city.columns if c not in KEY and (hidden or c not in STATE)]
    others = [other for at, other in enumerate(cities) if at != turn]
    if others:
        return _said(pd.concat(others), now, columns)
    fold = city["user_id"].map(lambda user: int(user) % FOLDS)
    said: dict[int, float] = {}
    for part in range(FOLDS):
        said |= _said(city[fold != part], now[fold.loc[now.index] == part], columns)
    return said


def _said(taught: pd.DataFrame, asked: pd.DataFrame, columns: list[str]) -> dict[int, float]:
    from sklearn.ensemble import HistGradientBoostingClassifier

    if not len(asked) or taught["leaves"].nunique() < 2:
        return {}
    trees = HistGradientBoostingClassifier(
        max_iter=ROUNDS,
        learning_rate=0.05,
        max_leaf_nodes=12,
        min_samples_leaf=40,
        l2_regularization=5.0,
        max_features=0.3,
        random_state=SEED,
    )
    values = taught[columns].astype(float).to_numpy()
    # the trees can not take a feature that nobody has
    told = ~np.isnan(values).all(axis=0)
    trees.fit(values[:, told], taught["leaves"].astype(int))
    chance = trees.predict_proba(asked[columns].astype(float).to_numpy()[:, told])[:, 1]
    return dict(zip(asked["user_id"].astype(int), chance.astype(float), strict=True))
