"""Settings of the models."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from churnlake.core.settings import Model, Share

Count = Annotated[int, Field(ge=1)]
Cost = Annotated[float, Field(gt=0)]


class LogisticSettings(Model):
    """A logistic regression with an elastic net. ``cost``: how many stayers a leaver counts as."""

    max_iter: Count
    reg_param: Annotated[float, Field(ge=0)]
    elastic_net: Share
    cost: Cost = 1.0


class TreeSettings(Model):
    """A decision tree: depth, least rows of a leaf, least gain in purity (Gini) of a split."""

    depth: Count
    least_rows: Count
    least_gain: Annotated[float, Field(ge=0)]
    bins: Count
    cost: Cost = 1.0


class BoostedSettings(Model):
    """Gradient-boosted trees, each on a share of the rows; each split looks at a share of the columns."""

    trees: Count
    depth: Count
    step: Annotated[float, Field(gt=0, le=1)]
    least_rows: Count
    bins: Count
    rows_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    columns_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    cost: Cost = 1.0


class ForestSettings(Model):
    """A random forest; each split looks at a share of the columns."""

    trees: Count
    depth: Count
    least_rows: Count
    bins: Count
    columns_share: Annotated[float, Field(gt=0, le=1)]
    cost: Cost = 1.0


class PerceptronSettings(Model):
    """A multilayer perceptron of one hidden layer. It takes no weights, so it has no cost."""

    hidden: Count
    max_iter: Count


class LearnersSettings(Model):
    """Of each learner the sets of parameters that are tried, the first where nothing can be tried; none and it does not compete.

    The logistic regression always does: it explains scores.
    """

    logistic: Annotated[list[LogisticSettings], Field(min_length=1)]
    tree: list[TreeSettings]
    forest: list[ForestSettings]
    boosted: list[BoostedSettings]
    perceptron: list[PerceptronSettings]


class NewtonSettings(Model):
    """Boosted trees by Newton steps (see ``newton``)."""

    trees: Count
    depth: Count
    step: Annotated[float, Field(gt=0, le=1)]
    least_rows: Count
    bins: Count


class TablesSettings(Model):
    """Customer tables: what is tried beside the other candidates where a table has so few rows that a slow fit is none."""

    most_rows: Count
    forest: list[ForestSettings]
    newton: list[NewtonSettings]


class ForecastsSettings(Model):
    """The warning forecasts: the share of customers that can be cared for in a month, how many must have shown a sign to teach it, the learner."""

    cared_for_share: Share
    least_positives: Count
    learner: LogisticSettings


class PromotionSettings(Model):
    """When a new version replaces the champion: resamples of the comparison, and the level of its interval."""

    resamples: Annotated[int, Field(ge=50)]
    level: Annotated[float, Field(gt=0.5, lt=1)]


class ProfitSettings(Model):
    """What a customer kept is worth (a share of the monthly fee, for so many months), what a contact and an offer cost, who accepts.

    How many accept is drawn from a beta distribution.
    """

    margin_share: Share
    months: Annotated[float, Field(gt=0)]
    offer_yuan: Annotated[float, Field(ge=0)]
    contact_yuan: Annotated[float, Field(ge=0)]
    accepted_alpha: Annotated[float, Field(gt=0)]
    accepted_beta: Annotated[float, Field(gt=0)]


class ImportanceSettings(Model):
    """Users and features that permutation importance looks at, and how many are told."""

    rows: Annotated[int, Field(ge=10)]
    features: Annotated[int, Field(ge=0)]


class DriftSettings(Model):
    """How many users drift is read from, and from which share of inputs on retraining is advised."""

    most_rows: Annotated[int, Field(ge=100)]
    most_inputs: Share


class LeakageSettings(Model):
    """When a column, rows or dates of a training are a leak.

    ``most_rows``: rows looked at. ``most_area``: under the ROC curve of one column. ``decisive`` and ``strong``: how many times likelier a
    part of a column is among positives, for the one unless it is as common in the newest month, for the other where it is missing there.
    ``least_share`` of the positives are in the one, ``strong_share`` in the other, and ``least_positives`` in both at least.
    ``deviations``: of every interval, in standard errors. ``chance``: of an identifier that tells nothing to look as if it did.
    ``most_copies``: share of the rows asked that may be the same as taught. ``most_missing``: difference between the shares of positives and
    others without features. ``known_then``: columns that are known when asked, whatever they tell.
    """

    most_rows: Annotated[int, Field(ge=1000)]
    most_area: Annotated[float, Field(gt=0.5, le=1)]
    decisive: Annotated[float, Field(gt=1)]
    strong: Annotated[float, Field(gt=1)]
    least_share: Share
    strong_share: Share
    least_positives: Count
    deviations: Annotated[float, Field(gt=0)]
    chance: Annotated[float, Field(gt=0, lt=1)]
    most_copies: Share
    most_missing: Share
    known_then: tuple[str, ...]


class ModelsSettings(Model):
    """What is taught, on which months, how it is fitted, judged, promoted, explained and watched."""

    targets: tuple[Literal["leave_t1", "leave_t2", "revenue", "winback", "hazard"], ...]
    label: str
    train_months: int
    gap_months: int
    most_folds: Count
    finalists: Count
    fits_at_once: Count
    least_leavers: int
    most_train_rows: int
    partitions: int
    seed: int
    least_filled: float
    most_levels: int
    least_level_share: float
    most_reasons: int
    least_contribution: float
    ablation: bool
    low_value_quantile: Share
    fall_back_to: str
    promotion: PromotionSettings
    profit: ProfitSettings
    importance: ImportanceSettings
    drift: DriftSettings
    leakage: LeakageSettings
    winback_days: Count
    hazard: LogisticSettings
    learners: LearnersSettings
    tables: TablesSettings
    forecasts: ForecastsSettings
