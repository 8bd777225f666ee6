"""Settings of the churn models."""

from __future__ import annotations

from churnlake.core.settings import Model


class LogisticSettings(Model):
    """The logistic regression."""

    max_iter: int
    reg_param: float
    elastic_net: float


class BoostedSettings(Model):
    """The gradient-boosted trees."""

    trees: int
    depth: int
    step: float
    least_rows: int
    bins: int


class ModelsSettings(Model):
    """What is taught, on which months, how it is fitted, judged and explained."""

    label: str
    train_months: int
    gap_months: int
    least_leavers: int
    most_train_rows: int
    partitions: int
    seed: int
    least_filled: float
    most_levels: int
    least_level_share: float
    top_share: float
    most_reasons: int
    least_contribution: float
    logistic: LogisticSettings
    boosted: BoostedSettings
