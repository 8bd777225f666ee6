"""Judge fitted learners on rows they were not taught with."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.models.fit import probability
from churnlake.models.learners import answers
from churnlake.models.search import rankings
from churnlake.stats.gains import Gains

Measures = dict[str, float | None]
TOPS = (1, 2, 5, 10)
"""Percent of the rows, the likeliest first, that precision and lift are told of."""


def judge(models: Mapping[str, PipelineModel], test: DataFrame) -> dict[str, Gains]:
    """Per learner, how it ranks prepared test rows by its calibrated probability."""
    told = answers(list(models.values()), test, probability())
    return dict(zip(models, rankings(told, [F.col(f"answer_{at}") for at in range(len(models))]), strict=True))


def measures(gains: Gains) -> Measures:
    """What is said of a ranking: base_rate, pr_auc, roc_auc, precision and lift of the TOPS, calibration slope and error."""
    return {
        "base_rate": gains.base_rate,
        "pr_auc": gains.average_precision(),
        "roc_auc": gains.roc_auc(),
        **{f"precision_top_{top}": gains.precision(top / 100) for top in TOPS},
        **{f"lift_top_{top}": gains.lift(top / 100) for top in TOPS[:-1]},
        "lift_top_decile": gains.lift(0.1),
        "calibration_slope": gains.calibration_slope(),
        "calibration_error": gains.calibration_error(),
    }
