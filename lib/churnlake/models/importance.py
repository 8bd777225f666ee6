"""What the chosen model leans on: each feature shuffled in turn (permutation importance), and whole groups of features left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np
from pyspark.ml import PipelineModel
from pyspark.ml.feature import VectorSlicer
from pyspark.ml.functions import vector_to_array
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from churnlake.models.batches import Matrix, of_vectors
from churnlake.models.learners import FEATURES, LABEL, Candidate
from churnlake.models.profile import Profile
from churnlake.models.search import margins
from churnlake.models.settings import ImportanceSettings
from churnlake.stats.gains import Gains, points

AS_IT_IS = ""
DEALS = 5
"""Times that the values of a feature are dealt out anew; what is told is the mean."""


def places(known: Profile) -> dict[str, list[int]]:
    """By feature, its places in the feature vector: one of a number, one a level of a category."""
    found = {n.name: [at] for at, n in enumerate(known.numeric)}
    at = len(known.numeric)
    for category in known.categories:
        found[category.name] = list(range(at, at + len(category.levels)))
        at += len(category.levels)
    return found


def permuted(
    model: PipelineModel, newest: DataFrame, known: Profile, settings: ImportanceSettings, seed: int
) -> list[tuple[str, float]]:
    """By feature, how much of the area under the ROC curve is lost when its values are dealt out anew; the greatest first.

    Asked are a sample of the newest month's users, half of them positives where there are so many: that area, unlike the one under
    precision and recall, does not depend on how many they are. Of the features those the learner itself leans on most (by
    gain in purity, or by weight). Source: Breiman 2001, "Random forests", on rows that were not taught.

    Args:
        model: the chosen one, from the feature vector to probability.
        newest: one row per user: user_id, label, features.
        known: what the months taught say of each feature.
        settings: how many users, all of whom come here, and features.
        seed: of the sample and the shuffle.
    """
    where = places(known)
    asked = _leaned_on(model, where, settings.features)
    if not asked:
        return []
    by_class = Window.partitionBy(LABEL).orderBy(F.xxhash64("user_id", F.lit(seed)), "user_id")
    drawn = newest.withColumn("turn", F.row_number().over(by_class)).where(F.col("turn") <= settings.rows // 2)
    sample = (
        drawn.orderBy("user_id").select(F.col(LABEL).cast("boolean"), vector_to_array(F.col(FEATURES)).alias("values")).toArrow()
    )
    is_positive = sample[LABEL].to_numpy()
    vectors = sample["values"].combine_chunks().flatten().to_numpy().reshape(len(sample), len(known.columns))
    answer = of_vectors(model)

    def area(given: Matrix) -> float:
        return Gains.ranked(answer(given).round(9), is_positive).roc_auc() or 0.0

    def lost(name: str) -> float:
        at, dice = where[name], np.random.default_rng([seed, where[name][0]])
        mixed, areas = vectors.copy(), []
        for _ in range(DEALS):
            mixed[:, at] = vectors[:, at][dice.permutation(len(vectors))]
            areas.append(area(mixed))
        return whole - sum(areas) / DEALS

    whole = area(vectors)
    return sorted(((name, lost(name)) for name in asked), key=lambda one: (-round(one[1], 6), one[0]))


def _leaned_on(model: PipelineModel, where: Mapping[str, Sequence[int]], most: int) -> list[str]:
    """The features the learner leans on by its own account, the most leaned on first; where it gives none, all."""
    learner: Any = model.stages[0]
    if hasattr(learner, "featureImportances"):
        weights = learner.featureImportances.toArray()
    elif hasattr(learner, "coefficients"):
        weights = abs(learner.coefficients.toArray())
    else:
        # the first layer of a perceptron: weights of each input, then of the next
        layers, flat = learner.getLayers(), learner.weights.toArray()
        weights = abs(flat[: layers[0] * layers[1]].reshape(layers[1], layers[0], order="F")).sum(axis=0)
    total = {name: float(sum(weights[at] for at in places_of)) for name, places_of in where.items()}
    used = [name for name, weight in total.items() if weight > 0]
    return sorted(used, key=lambda name: (-total[name], name))[:most]


def ablated(
    candidate: Candidate, ready: DataFrame, newest: DataFrame, known: Profile, groups: Mapping[str, Sequence[str]]
) -> dict[str, float]:
    """By group of features, the area under precision and recall on the newest month that is lost without it.

    The chosen learner with its parameters is fitted anew for each group. Groups none of whose features are taken are left out, and so
    is one that holds all of them.

    Args:
        candidate: the chosen learner.
        ready: prepared rows of the months taught: features, label.
        newest: those of the newest month.
        known: what the months taught say of each feature.
        groups: by name, features.
    """
    where = places(known)
    every = {at for places_of in where.values() for at in places_of}
    kept = {AS_IT_IS: sorted(every)}
    for group, features in groups.items():
        rest = sorted(every - {at for name in features for at in where.get(name, ())})
        if 0 < len(rest) < len(every):
            kept[group] = rest
    scored = []
    for group, at in kept.items():
        slicer = VectorSlicer(inputCol="all_features", outputCol=FEATURES, indices=at)
        rows, asked = (slicer.transform(part.withColumnRenamed(FEATURES, "all_features")) for part in (ready, newest))
        scored.append(margins(candidate.fit(rows.select(FEATURES, LABEL)), asked).withColumn("without", F.lit(group)))
    steps = points(reduce(DataFrame.unionByName, scored), "score", LABEL, "without").collect()
    areas = {group: Gains.of(row for row in steps if row["without"] == group).average_precision() or 0.0 for group in kept}
    return {group: areas[AS_IT_IS] - areas[group] for group in kept if group != AS_IT_IS}
