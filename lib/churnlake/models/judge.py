"""Judge the learners on a later month and choose the champion."""

from __future__ import annotations

from functools import reduce

from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.models.fit import probability
from churnlake.models.specs import LABEL
from churnlake.stats.curves import ranking

Measures = dict[str, float | None]


def judge(models: dict[str, PipelineModel], test: DataFrame, top_share: float) -> dict[str, Measures]:
    """Per learner: base_rate, pr_auc, roc_auc and lift_top_decile on prepared test rows; None where one has no meaning."""
    scored = [
        model.transform(test).select(F.lit(learner).alias("learner"), probability().alias("score"), LABEL)
        for learner, model in models.items()
    ]
    judged = ranking(reduce(DataFrame.unionByName, scored), "score", LABEL, by="learner", share=top_share)
    names = {"base_rate": "base_rate", "pr_auc": "pr_auc", "roc_auc": "roc_auc", "lift": "lift_top_decile"}
    return {row["learner"]: {new: row[old] for old, new in names.items()} for row in judged.collect()}


def champion(judged: dict[str, Measures], learners: list[str]) -> str:
    """The learner with the best area under precision and recall; on equal merit (six places) the one named first, the simpler."""
    return max(learners, key=lambda learner: (round(judged[learner]["pr_auc"] or 0.0, 6), -learners.index(learner)))
