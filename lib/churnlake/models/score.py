"""Score users: how likely the target is to come true of each, in which place, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.ml import PipelineModel
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from churnlake.models.fit import Contributions, probability
from churnlake.models.frame import raw
from churnlake.models.profile import OTHER, UNKNOWN
from churnlake.models.settings import ModelsSettings
from churnlake.tables.churn import NEXT_MONTH, SCORES


@dataclass(frozen=True)
class Scoring:
    """What a target is scored with: from raw columns to probability, what explains a score, its version, and whether it is a copy kept at promotion."""

    target: str
    pipeline: PipelineModel
    given: Contributions
    version: str
    is_fallback: bool = False


def score(
    features: DataFrame, pipeline: PipelineModel, given: Contributions, model_version: str, settings: ModelsSettings
) -> DataFrame:
    """``scores`` of the next month's leaving alone."""
    return scores(features, [Scoring(NEXT_MONTH, pipeline, given, model_version)], settings)


def scores(features: DataFrame, asked: Sequence[Scoring], settings: ModelsSettings) -> DataFrame:
    """One row per user and month given and target: the probability that it comes true, its place in the month, and the reasons.

    Reasons are the features that add most to this user's log-odds by the logistic regression, whichever learner serves:
    ``voice_out_calls_slope low (-1.8 sd)`` or ``brand is EasyOwn``. Equal probabilities are placed by user_id. The features are gone
    through once, whatever the number of targets.

    Args:
        features: one row per user and month to be scored (the active ones), with the features the models were fitted on.
        asked: what to score with, one for each target.
        settings: how many reasons, and how strong one must be.
    """
    numeric = dict.fromkeys(name for one in asked for name in one.given.numeric)
    categories = dict.fromkeys(name for one in asked for name in one.given.categories)
    rows = features.select("month", "user_id", *raw(list(numeric), list(categories)))
    for at, one in enumerate(asked):
        told = F.struct(
            F.lit(one.target).alias("target"),
            probability().alias("probability"),
            reasons(one.given, settings).alias("reasons"),
            F.lit(one.version).alias("model_version"),
            F.lit(one.is_fallback).alias("is_fallback"),
        )
        rows = one.pipeline.transform(rows).select(*rows.columns, told.alias(f"told_{at}"))
    each = rows.select("month", "user_id", F.inline(F.array(*(f"told_{at}" for at in range(len(asked))))))
    order = Window.partitionBy("month", "target").orderBy(F.desc("probability"), "user_id")
    return each.withColumn("place", F.row_number().over(order).cast("bigint")).select(*SCORES.names)


def reasons(given: Contributions, settings: ModelsSettings) -> Column:
    """The strongest reasons of a row that went through the pipeline: an array of texts, the strongest first.

    Contributions are compared to six places and ties fall to the feature named first. Levels folded to other or unknown
    are no reason anyone can act on.
    """
    names = [name for name, weight in given.numeric.items() if weight != 0]
    parts, least = [], settings.least_contribution
    for at, name in enumerate(names):
        z = F.col(f"z_{name}")
        parts.append(_part(at, F.lit(-given.numeric[name]) * z, z, F.lit(""), least))
    for name, levels in given.categories.items():
        spoken = {level: weight for level, weight in levels.items() if level not in (OTHER, UNKNOWN) and weight != 0}
        if spoken:
            weights = F.create_map(*(F.lit(value) for level, weight in spoken.items() for value in (level, -weight)))
            level = F.col(f"level_{name}")
            parts.append(_part(len(names), F.coalesce(F.try_element_at(weights, level), F.lit(0.0)), F.lit(0.0), level, least))
            names.append(name)
    if not parts:
        return F.array().cast("array<string>")
    first = F.slice(F.sort_array(F.array_compact(F.array(*parts))), 1, settings.most_reasons)
    return F.transform(first, lambda part: _text(F.array(*map(F.lit, names))[part["at"]], part))


def _part(at: int, less: Column, z: Column, level: Column, least: float) -> Column:
    """A contribution that is strong enough to be told, else null: of a hundred features few are, and only these are rounded and sorted."""
    # Structs sort by their first field: the negated contribution, in millionths, puts the strongest first.
    millionths = F.rint(less * 1e6)
    told = F.struct(millionths.alias("less"), F.lit(at).alias("at"), z.alias("z"), level.alias("level"))
    return F.when(millionths <= -least * 1e6, told)


def _text(name: Column, part: Column) -> Column:
    # a decimal written out: format_string parses its pattern for every reason
    z = part["z"].cast("decimal(20,1)")
    size = F.concat(F.lit(" ("), F.when(z < 0, F.lit("")).otherwise(F.lit("+")), z.cast("string"), F.lit(" sd)"))
    told = F.concat(name, F.when(z < 0, F.lit(" low")).otherwise(F.lit(" high")), size)
    return F.when(part["level"] != "", F.concat(name, F.lit(" is "), part["level"])).otherwise(told)
