"""Score users: how likely the target is to come true of each, in which place, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from pyspark.ml import PipelineModel
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from churnlake.models.fit import Contributions, probability
from churnlake.models.frame import raw
from churnlake.models.profile import OTHER, UNKNOWN
from churnlake.models.settings import ModelsSettings
from churnlake.tables.churn import SCORES

TOLD, REASONS = "told", "reasons"
NUMBERS, TEXTS = "numbers", "texts"


@dataclass(frozen=True)
class Scoring:
    """What a target is scored with: from raw columns to probability, what explains a score, its version, and whether it is a copy kept at promotion."""

    target: str
    pipeline: PipelineModel
    given: Contributions
    version: str
    is_fallback: bool = False


@dataclass(frozen=True)
class Packed:
    """Features as two arrays a row: a row of hundreds of columns would be written anew by every step of every pipeline.

    ``rows``: one row per user and month: month, user_id, NUMBERS, TEXTS, and what is said of them so far.
    """

    rows: DataFrame
    numbers: tuple[str, ...]
    texts: tuple[str, ...]

    @classmethod
    def of(cls, features: DataFrame, taken: Iterable[tuple[Iterable[str], Iterable[str]]]) -> Packed:
        """What models take, numbers and texts each, of features by user and month."""
        every = list(taken)
        numbers, texts = (tuple(dict.fromkeys(name for one in every for name in one[at])) for at in (0, 1))
        arrays = [
            F.array(*raw(list(numbers), [])).cast("array<double>").alias(NUMBERS),
            F.array(*raw([], list(texts))).cast("array<string>").alias(TEXTS),
        ]
        return cls(features.select("month", "user_id", *arrays), numbers, texts)

    def with_columns(self, numeric: Iterable[str], categories: Iterable[str]) -> DataFrame:
        """The rows with some of the features as columns."""
        at = {name: F.col(NUMBERS)[place] for place, name in enumerate(self.numbers)}
        at |= {name: F.col(TEXTS)[place] for place, name in enumerate(self.texts)}
        return self.rows.select("*", *(at[name].alias(name) for name in (*numeric, *categories)))


def scores(features: DataFrame, asked: Sequence[Scoring], settings: ModelsSettings) -> DataFrame:
    """One row per user and month given and target: the probability that it comes true, its place in the month, and the reasons.

    Args:
        features: one row per user and month to be scored (the active ones), with the features the models were fitted on.
        asked: what to score with, one for each target.
        settings: how many reasons, and how strong one must be.
    """
    return placed(
        answered(Packed.of(features, ((one.given.numeric, one.given.categories) for one in asked)), asked, settings).rows
    )


def answered(given: Packed, asked: Sequence[Scoring], settings: ModelsSettings) -> Packed:
    """The rows given with TOLD, one struct a target: what is said of the user, but for its place.

    Reasons are the features that add most to this user's log-odds by the logistic regression, whichever learner serves:
    ``voice_out_calls_slope low (-1.8 sd)`` or ``brand is EasyOwn``. The features are read once, whatever the number of targets.
    """
    for at, one in enumerate(asked):
        kept = given.rows.columns
        fill, *rest = one.pipeline.stages
        filled = fill.transform(given.with_columns(one.given.numeric, one.given.categories))  # type: ignore[attr-defined]
        # reasons first: after the feature vector is made no step carries what it was made of
        rows = filled.withColumn(REASONS, reasons(one.given, settings))
        for stage in rest:
            rows = stage.transform(rows)  # type: ignore[attr-defined]
        told = F.struct(
            F.lit(one.target).alias("target"),
            probability().alias("probability"),
            F.col(REASONS),
            F.lit(one.version).alias("model_version"),
            F.lit(one.is_fallback).alias("is_fallback"),
        )
        given = replace(given, rows=rows.select(*kept, told.alias(f"{TOLD}_{at}")))
    every = [f"{TOLD}_{at}" for at in range(len(asked))]
    return replace(given, rows=given.rows.withColumn(TOLD, F.array(*every)).drop(*every))


def placed(rows: DataFrame) -> DataFrame:
    """One row per row and target of ``answered``, as churn.scores keeps it: equal probabilities are placed by user_id."""
    each = rows.select("month", "user_id", F.inline(TOLD))
    order = Window.partitionBy("month", "target").orderBy(F.desc("probability"), "user_id")
    return each.withColumn("place", F.row_number().over(order).cast("bigint")).select(*SCORES.names)


def reasons(given: Contributions, settings: ModelsSettings) -> Column:
    """The strongest reasons of a row that went through the pipeline: an array of texts, the strongest first.

    Contributions are compared to six places and ties fall to the feature named first. Levels folded to other or unknown
    are no reason anyone can act on.
    """
    numbers = [name for name, weight in given.numeric.items() if weight != 0]
    less = [F.lit(-given.numeric[name]) * F.col(f"z_{name}") for name in numbers]
    spoken = {
        name: {level: weight for level, weight in levels.items() if level not in (OTHER, UNKNOWN) and weight != 0}
        for name, levels in given.categories.items()
    }
    texts = [name for name, levels in spoken.items() if levels]
    for name in texts:
        weights = F.create_map(*(F.lit(value) for level, weight in spoken[name].items() for value in (level, -weight)))
        less.append(F.coalesce(F.try_element_at(weights, F.col(f"level_{name}")), F.lit(0.0)))
    if not less:
        return F.array().cast("array<string>")
    # Whole numbers, the strongest the least, and no lambda: what holds one is worked out node by node, all that goes into it too.
    places = len(less)
    is_told = [F.rint(part * 1e6) <= -settings.least_contribution * 1e6 for part in less]
    keys = [
        # never null, and so sorted as plain numbers
        F.coalesce(F.when(is_told[at], F.rint(part * 1e6).cast("bigint") * places + at), F.lit(0))
        for at, part in enumerate(less)
    ]
    first = F.slice(F.sort_array(F.array(*keys)), 1, settings.most_reasons)
    at = [F.pmod(F.get(first, turn), F.lit(places)).cast("int") for turn in range(settings.most_reasons)]
    told = F.array(*(_text(one, numbers, texts) for one in at))
    strong = sum((F.when(F.get(first, turn) < 0, 1).otherwise(0) for turn in range(settings.most_reasons)), F.lit(0))
    return F.slice(told, 1, strong)


def _text(at: Column, numbers: Sequence[str], texts: Sequence[str]) -> Column:
    """What is said of the feature at that place, numbers first."""
    name = F.get(F.array(*map(F.lit, (*numbers, *texts))), at)
    # a decimal written out: format_string parses its pattern for every reason
    z = F.get(_array([f"z_{number}" for number in numbers], "double"), at).cast("decimal(20,1)")
    size = F.concat(F.lit(" ("), F.when(z < 0, F.lit("")).otherwise(F.lit("+")), z.cast("string"), F.lit(" sd)"))
    number = F.concat(name, F.when(z < 0, F.lit(" low")).otherwise(F.lit(" high")), size)
    level = F.get(_array([f"level_{text}" for text in texts], "string"), at - len(numbers))
    return F.coalesce(number, F.concat(name, F.lit(" is "), level))


def _array(names: Sequence[str], kind: str) -> Column:
    return F.array(*map(F.col, names)).cast(f"array<{kind}>")
