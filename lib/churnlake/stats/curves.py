"""How well a score ranks: average precision, area under the ROC curve, lift of the top share."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F


def ranking(scored: DataFrame, score: str, label: str, by: str, share: float) -> DataFrame:
    """One row per value of ``by`` (a learner, a month): how well the score ranks the positives first.

    Rows of one score are one step of the curve, as in scikit-learn, so that neither their order nor the partitioning
    matters. ``pr_auc`` is the average precision (no interpolation), ``roc_auc`` the Mann-Whitney share of right pairs,
    ``lift`` the positives expected among the top ``share`` of the rows over those of a random pick; a tie across the cut
    counts by the part of it inside. A measure is null where positives (or, for ``roc_auc``, negatives) are wanting.

    Args:
        scored: one row per judged thing.
        score: the column to rank by, highest first.
        label: 1 for a positive, else 0.
        by: the column that tells rankings apart.
        share: the top part that ``lift`` looks at, 0..1.

    Returns:
        Columns ``by``, rows, positives, base_rate, pr_auc, roc_auc, lift.
    """
    whole = Window.partitionBy(by)
    down = whole.orderBy(F.desc(score)).rowsBetween(Window.unboundedPreceding, Window.currentRow)
    steps = (
        scored.groupBy(by, score)
        .agg(F.count("*").alias("here"), F.sum(F.col(label).cast("bigint")).alias("here_positives"))
        .select(
            by,
            "here",
            "here_positives",
            F.sum("here").over(down).alias("so_far"),
            F.sum("here_positives").over(down).alias("found"),
            F.sum("here").over(whole).alias("rows"),
            F.sum("here_positives").over(whole).alias("positives"),
        )
    )
    return steps.groupBy(by, "rows", "positives").agg(
        F.expr("max(positives) / max(rows)").alias("base_rate"),
        F.expr("sum(here_positives * (found / so_far)) / nullif(max(positives), 0)").alias("pr_auc"),
        F.expr(
            """sum((here - here_positives) * (found - here_positives / 2D))
               / nullif(cast(max(positives) AS double) * max(rows - positives), 0)"""
        ).alias("roc_auc"),
        F.expr(
            f"""sum(here_positives * least(1D, greatest(0D, ({share}D * rows - (so_far - here)) / here)))
                / ({share}D * nullif(max(positives), 0))"""
        ).alias("lift"),
    )
