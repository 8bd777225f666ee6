"""What the models are taught on: features of a month beside what became of the user in the next."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from churnlake.core.contract import STRING, Table
from churnlake.core.errors import MissingInputError
from churnlake.models.settings import ModelsSettings
from churnlake.models.specs import LABEL


def features_of(table: Table) -> tuple[list[str], list[str]]:
    """Numeric and text features of a feature table: every column but its key."""
    given = [c for c in table.columns if c.name not in table.key]
    return [c.name for c in given if c.type != STRING], [c.name for c in given if c.type == STRING]


def labelled(features: DataFrame, labels: DataFrame, label: str, numeric: list[str], categories: list[str]) -> DataFrame:
    """One row per user and month whose outcome is known: month, user_id, label (1 left, 0 stayed) and the features.

    Labels exist for active users only, so features of users who were silent already stay out. Numbers become doubles and
    categories text; nulls stay.
    """
    known = labels.select("month", "user_id", F.col(label).cast("double").alias(LABEL))
    return features.join(known, ["month", "user_id"], how="inner").select("month", "user_id", LABEL, *raw(numeric, categories))


def raw(numeric: list[str], categories: list[str]) -> list[Column]:
    """The feature columns as a model takes them."""
    return [*(F.col(c).cast("double").alias(c) for c in numeric), *(F.col(c).cast("string").alias(c) for c in categories)]


@dataclass(frozen=True)
class Month:
    """What one month of the labelled frame holds, and a fingerprint of its content."""

    month: dt.date
    rows: int
    leavers: int
    fingerprint: int


@dataclass(frozen=True)
class Split:
    """The months trained on and the later one tested on."""

    train: tuple[Month, ...]
    test: Month

    @property
    def rows(self) -> int:
        """Rows trained on."""
        return sum(month.rows for month in self.train)


def months(frame: DataFrame) -> list[Month]:
    """The months of a labelled frame, oldest first. The fingerprint takes doubles as floats: a sum's last bit may differ."""
    content = [F.col(name).cast("float") if kind == "double" else F.col(name) for name, kind in frame.dtypes]
    found = frame.groupBy("month").agg(
        F.count("*").alias("rows"),
        F.sum(F.col(LABEL).cast("bigint")).alias("leavers"),
        F.bit_xor(F.xxhash64(*content)).alias("fingerprint"),
    )
    return sorted((Month(*row) for row in found.collect()), key=lambda month: month.month)


def split(found: list[Month], settings: ModelsSettings) -> Split:
    """The newest month to test on and the months before it, ``gap_months`` earlier at least, to train on.

    Raises MissingInputError where the months or the leavers do not suffice.
    """
    if not found:
        raise MissingInputError("no user-month has both features and a label; run build_features and label_churn first")
    test = found[-1]
    number = test.month.year * 12 + test.month.month - settings.gap_months
    train = tuple(month for month in found if month.month.year * 12 + month.month.month <= number)[-settings.train_months :]
    if not train:
        raise MissingInputError(
            f"labels are known for {', '.join(str(month.month) for month in found)} only; training needs a month at least "
            f"{settings.gap_months} before the one tested on: run label_churn for later days"
        )
    leavers = sum(month.leavers for month in train)
    if leavers < settings.least_leavers:
        raise MissingInputError(
            f"{leavers} leavers in the months trained on ({', '.join(str(month.month) for month in train)}), fewer than "
            f"models.least_leavers={settings.least_leavers}: add months or lower it"
        )
    return Split(train, test)
