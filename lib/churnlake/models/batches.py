"""Fitted pipelines asked in Arrow batches, with numpy: what a champion says of millions, without a boxed number per user and feature.

Spark ML goes row by row: with four champions of some 250 inputs each, a user took a third of a millisecond. The fitted pipeline stays the one thing
that is kept and says what is told; here it is read once, and what is told of a user is the same to nine places (tests/unit/test_batches.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.ml import PipelineModel
from pyspark.ml.classification import (
    DecisionTreeClassificationModel,
    GBTClassificationModel,
    LogisticRegressionModel,
    MultilayerPerceptronClassificationModel,
    RandomForestClassificationModel,
)
from pyspark.sql import DataFrame
from pyspark.sql.types import StructType

from churnlake.core.errors import ContractError
from churnlake.models.fit import ASSEMBLED
from churnlake.models.log_odds import LEAST
from churnlake.models.profile import Category, Profile

Matrix = npt.NDArray[np.float64]
"""One row per user, one column per column of the feature vector (``Profile.columns``)."""
Told = npt.NDArray[np.float64]
Answer = Callable[[Matrix], Told]


class Raw:
    """Raw columns of a batch. Of a number its logarithm, and of a text its levels, are worked out once for all models."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        self.batch = batch
        self._logs: dict[str, Told] = {}
        self._texts: dict[str, tuple[list[str | None], npt.NDArray[np.int64]]] = {}

    def vectors(self, profile: Profile) -> Matrix:
        """Filled, scaled and folded as ``Profile.statement`` does it."""
        given = profile.numeric
        flags = sum(len(category.levels) for category in profile.categories)
        found = np.empty((self.batch.num_rows, len(given) + flags))
        for at, number in enumerate(given):
            found[:, at] = self._log(number.name)
        scaled = found[:, : len(given)]
        np.copyto(scaled, np.array([number.median for number in given]), where=np.isnan(scaled))
        scaled -= np.array([number.mean for number in given])
        scaled /= np.array([number.deviation for number in given])
        at = len(given)
        for category in profile.categories:
            found[:, at : at + len(category.levels)] = np.eye(len(category.levels))[self._levels(category)]
            at += len(category.levels)
        return found

    def _log(self, name: str) -> Told:
        if name not in self._logs:
            # no value and no number are one
            value = self.batch.column(name).to_numpy(zero_copy_only=False)
            self._logs[name] = np.sign(value) * np.log(1.0 + np.abs(value))
        return self._logs[name]

    def _levels(self, category: Category) -> npt.NDArray[np.int64]:
        """Of each user, the place of its level; the last two are all others, and nothing known."""
        if category.name not in self._texts:
            coded = self.batch.column(category.name).dictionary_encode()
            codes = coded.indices.fill_null(len(coded.dictionary)).to_numpy(zero_copy_only=False)
            self._texts[category.name] = ([*coded.dictionary.to_pylist(), None], codes)
        texts, codes = self._texts[category.name]
        *known, other, unknown = range(len(category.levels))
        place = dict(zip(category.levels[:-2], known, strict=True))
        return np.array([unknown if text is None else place.get(text, other) for text in texts], dtype=np.int64)[codes]


@dataclass(frozen=True)
class Question:
    """What is asked of each user: the columns told, as SQL names and types them, and what tells them of a batch."""

    columns: str
    answer: Callable[[Raw], Sequence[pa.Array]]


def asked(rows: DataFrame, kept: Sequence[str], questions: Sequence[Question]) -> DataFrame:
    """One row per row given: its columns ``kept``, and what is told to each question. Rows are gone through once for all."""
    told = (cast(StructType, StructType.fromDDL(question.columns)).fields for question in questions)
    schema = StructType([*(rows.schema[name] for name in kept), *chain.from_iterable(told)])

    def tell(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            raw = Raw(batch)
            told = [column for question in questions for column in question.answer(raw)]
            yield pa.RecordBatch.from_arrays([*(batch.column(name) for name in kept), *told], names=schema.names)

    return rows.mapInArrow(tell, schema)


def as_given(name: str, numeric: Sequence[str], categories: Sequence[str], flag: str) -> Question:
    """The raw columns themselves, as arrays ``numbers`` and ``texts`` in a struct, of rows of which column ``flag`` is true; null of others.

    Spark could say as much, but draws conclusions from every pair of a column and an expression it is part of: hundreds in one are too many.
    """

    def answer(raw: Raw) -> list[pa.Array]:
        is_told = raw.batch.column(flag).to_numpy(zero_copy_only=False).astype(bool)
        at = pa.array(np.flatnonzero(is_told))

        def side_by_side(names: Sequence[str], kind: pa.DataType) -> pa.Array:
            each = pa.concat_arrays([pa.array([], kind), *(raw.batch.column(name).take(at) for name in names)])
            by_row = np.arange(len(each)).reshape(len(names), len(at)).T.ravel()
            ends = np.concatenate([[0], np.cumsum(is_told * len(names))]).astype(np.int32)
            return pa.ListArray.from_arrays(pa.array(ends), each.take(pa.array(by_row)))

        told = [side_by_side(numeric, pa.float64()), side_by_side(categories, pa.string())]
        return [pa.StructArray.from_arrays(told, names=["numbers", "texts"], mask=pa.array(~is_told))]

    return Question(f"{name} struct<numbers: array<double>, texts: array<string>>", answer)


def margins(pipeline: PipelineModel) -> tuple[Profile, Matrix, Told]:
    """Of a pipeline that ends in a multinomial regression: what makes the feature vector, its weights, a row per outcome, and their intercepts.

    The regression takes the columns of the vector, and maybe more after them.

    Raises:
        ContractError: it is of another make.
    """
    with _of_this_make(pipeline) as (first, _, regression):
        profile = Profile.of_statement(first.getStatement())
        return profile, regression.coefficientMatrix.toArray(), regression.interceptVector.toArray()


def chance(pipeline: PipelineModel) -> tuple[Profile, Answer]:
    """Of a pipeline from raw columns to a probability, as ``train`` makes it: what makes the feature vector, and what tells the probability of it.

    Raises:
        ContractError: it is of another make.
    """
    with _of_this_make(pipeline) as stages:
        profile = Profile.of_statement(stages[0].getStatement())
    return profile, of_vectors(PipelineModel(stages[ASSEMBLED:]))


def of_vectors(model: PipelineModel) -> Answer:
    """Of a pipeline from the feature vector to a probability: what tells it.

    Raises:
        ContractError: it is of another make.
    """
    with _of_this_make(model) as (learner, odds, calibration):
        told, lowered = _learner(learner), float(odds.getOrDefault("lowered"))
        slope, intercept = float(calibration.coefficients[0]), float(calibration.intercept)

    def answer(vectors: Matrix) -> Told:
        sure = np.clip(told(vectors), LEAST, 1 - LEAST)
        return _sigmoid(slope * (np.log(sure / (1 - sure)) - lowered) + intercept)

    return answer


@contextmanager
def _of_this_make(pipeline: PipelineModel) -> Iterator[list[Any]]:
    try:
        yield pipeline.stages
    except (AttributeError, TypeError, ValueError) as error:
        stages = ", ".join(type(stage).__name__ for stage in pipeline.stages)
        raise ContractError(
            f"a champion is no pipeline that job train_model makes (its stages: {stages}; {error}); run that job, or point the alias champion "
            "to a version of it"
        ) from error


def _learner(stage: Any) -> Answer:
    """From vectors to the learner's own probability that it comes true."""
    if isinstance(stage, LogisticRegressionModel):
        weights, intercept = stage.coefficients.toArray(), float(stage.intercept)
        return lambda vectors: _sigmoid(vectors @ weights + intercept)
    if isinstance(stage, MultilayerPerceptronClassificationModel):
        return _perceptron(stage.weights.toArray(), stage.getLayers())
    if isinstance(stage, GBTClassificationModel):
        steps = _grown(stage.trees, stage.treeWeights, lambda leaf: float(leaf.prediction()))
        return lambda vectors: _sigmoid(2 * steps(vectors))
    if isinstance(stage, RandomForestClassificationModel | DecisionTreeClassificationModel):
        trees = stage.trees if isinstance(stage, RandomForestClassificationModel) else [stage]
        return _grown(trees, [1 / len(trees)] * len(trees), _share)
    raise ValueError(f"{type(stage).__name__} is no learner known here")


def _sigmoid(margin: Told) -> Told:
    with np.errstate(over="ignore"):
        found: Told = 1 / (1 + np.exp(-margin))
    return found


def _perceptron(weights: Told, layers: Sequence[int]) -> Answer:
    """Layers of sigmoids, softmax at the end: of each layer the weights, an output's after another's for each input, then the intercepts."""
    steps, at = [], 0
    for given, made in pairwise(layers):
        ends = at + given * made
        steps.append((weights[at:ends].reshape(given, made), weights[ends : ends + made]))
        at = ends + made

    def answer(vectors: Matrix) -> Told:
        for by, intercepts in steps[:-1]:
            vectors = _sigmoid(vectors @ by + intercepts)
        by, intercepts = steps[-1]
        last = vectors @ by + intercepts
        return _sigmoid(last[:, 1] - last[:, 0])

    return answer


def _share(leaf: Any) -> float:
    """The part of a leaf's rows that were true."""
    no, yes = leaf.impurityStats().stats()
    return float(yes / (no + yes))


def _grown(trees: Sequence[Any], weights: Sequence[float], value: Callable[[Any], float]) -> Answer:
    """What trees say together: the weighted sum of the values of the leaves that a row comes to."""
    grown = [(_Tree.of(tree._java_obj.rootNode(), value), float(weight)) for tree, weight in zip(trees, weights, strict=True)]

    def answer(vectors: Matrix) -> Told:
        found = np.zeros(len(vectors))
        for tree, weight in grown:
            found += weight * tree.leaves(vectors)
        return found

    return answer


@dataclass(frozen=True)
class _Tree:
    """A tree's nodes, each before those below it: its left child is the next one. A leaf is its own right child and goes nowhere else."""

    feature: npt.NDArray[np.int64]
    threshold: Told
    right: npt.NDArray[np.int64]
    value: Told
    depth: int

    @classmethod
    def of(cls, root: Any, value: Callable[[Any], float]) -> _Tree:
        """Read from Spark's nodes, of which every call is one to the JVM."""
        feature: list[int] = []
        threshold: list[float] = []
        right: list[int] = []
        values: list[float] = []
        # a node, how deep it lies, and the node whose right child it is
        waiting, depth = [(root, 0, -1)], 0
        while waiting:
            node, level, parent = waiting.pop()
            at, depth = len(feature), max(depth, level)
            if parent >= 0:
                right[parent] = at
            right.append(at)
            if node.getClass().getSimpleName() == "LeafNode":
                feature.append(0)
                # nothing is at most this
                threshold.append(np.nan)
                values.append(value(node))
            else:
                split = node.split()
                feature.append(split.featureIndex())
                threshold.append(split.threshold())
                values.append(np.nan)
                waiting += [(node.rightChild(), level + 1, at), (node.leftChild(), level + 1, -1)]
        return cls(np.array(feature), np.array(threshold), np.array(right), np.array(values), depth)

    def leaves(self, vectors: Matrix) -> Told:
        """The value of the leaf that each row comes to."""
        every, at = np.arange(len(vectors)), np.zeros(len(vectors), dtype=np.int64)
        for _ in range(self.depth):
            at = np.where(vectors[every, self.feature[at]] <= self.threshold[at], at + 1, self.right[at])
        return self.value[at]
