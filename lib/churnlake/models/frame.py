"""What the models are taught on: features of a month beside what became of the user in the next."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from churnlake.core.contract import STRING, Table
from churnlake.core.errors import MissingInputError
from churnlake.models.learners import LABEL
from churnlake.models.settings import ModelsSettings
from churnlake.tables.circles import MEMBERS, NEIGHBOURS
from churnlake.tables.features import DECLINES
from churnlake.tables.stages import STAGES_AT_END

BESIDE = {
    NEIGHBOURS: "neighbours who fell silent or left",
    MEMBERS: "the place in a group of friends",
    DECLINES: "falls of own use",
    STAGES_AT_END: "the stage of leaving",
}
"""Further features of a user and month, each a table of its own, and what is left out without it."""
BEFORE_STAGES = {table: what for table, what in BESIDE.items() if table != STAGES_AT_END}
"""Those of them that forecasts take, of which stages are made."""


def features_of(table: Table) -> tuple[list[str], list[str]]:
    """Numeric and text features of a feature table: every column but its key and what names a group."""
    given = [c for c in table.columns if c.name not in (*table.key, "group_id")]
    return [c.name for c in given if c.type != STRING], [c.name for c in given if c.type == STRING]


def taught_months(features: DataFrame, labels: DataFrame, settings: ModelsSettings) -> list[dt.date]:
    """The months that a training on these features and labels teaches with, oldest first; the newest with both is tested on.

    Raises MissingInputError where there are none.
    """
    both = labels.select("month").distinct().join(features.select("month").distinct(), on="month", how="left_semi")
    return _taught(sorted(row["month"] for row in both.collect()), settings)


def selected(selection: DataFrame, month: dt.date, table: Table) -> tuple[list[str], list[str]]:
    """Numeric and text features that a model taught up to ``month`` takes, in the order of the feature table's columns.

    They are the modelling indicators of the newest selection of that month or before: nothing that came after what is taught
    says what is taught. A model keeps the features it was taught with; a newer selection is for the next one.

    Raises MissingInputError where there is no such selection.
    """
    known = selection.where(F.col("month") <= F.lit(month))
    newest = known.join(F.broadcast(known.agg(F.max("month").alias("month"))), on="month", how="left_semi")
    names = modelling(newest, table)
    numeric, categories = ([name for name in given if name in names] for given in features_of(table))
    if not numeric and not categories:
        raise MissingInputError(
            f"no selection of indicators of {month:%Y-%m} or before; run job select_indicators over its days first"
        )
    return numeric, categories


def selected_in(selection: DataFrame, month: dt.date) -> dt.date | None:
    """The month of the newest selection of that month or before, None without one."""
    found = selection.where(F.col("month") <= F.lit(month)).agg(F.max("month").alias("month")).first()
    return found["month"] if found else None


def modelling(selection: DataFrame, table: Table) -> list[str]:
    """The features that any of these selections gives to models, in the order of the feature table's columns."""
    found = selection.where("role = 'modelling'").select("indicator").distinct().collect()
    names = {row["indicator"] for row in found}
    return [name for name in table.names if name in names]


def with_beside(
    features: DataFrame, more: Mapping[Table, DataFrame], wanted: Collection[str] | None = None
) -> tuple[DataFrame, list[str]]:
    """The features with those of every table of BESIDE, null where there is none of the user, and the names of what is told.

    Of a table that is not there they are null for all: a model taught with them is then scored as if nothing were known.

    Args:
        features: one row per user and month.
        more: the tables there are, one row per user and month each.
        wanted: which of their features; all where not given.
    """
    # first beside the keys alone, so that hundreds of features are gone through once
    narrow, told, missing = features.select("month", "user_id"), [], []
    for table in BESIDE:
        names = [name for name in features_of(table)[0] if wanted is None or name in wanted]
        if table not in more:
            missing += names
        elif names:
            narrow = narrow.join(more[table].select("month", "user_id", *names), on=["month", "user_id"], how="left")
            told += names
    if told:
        features = features.join(narrow, on=["month", "user_id"], how="left")
    nothing = F.lit(None).cast("double")
    return features.select("*", *(nothing.alias(name) for name in missing)), told


def labelled(
    features: DataFrame,
    labels: DataFrame,
    label: str,
    numeric: list[str],
    categories: list[str],
    parted: Mapping[str, Column] | None = None,
) -> DataFrame:
    """One row per user and month whose outcome is known: month, user_id, label (1 left, 0 stayed), the features, and what else is asked.

    Labels exist for active users only, so features of users who were silent already stay out. Numbers become doubles and
    categories text; nulls stay.
    """
    known = labels.select("month", "user_id", F.col(label).cast("double").alias(LABEL))
    more = [column.alias(name) for name, column in (parted or {}).items()]
    return features.join(known, ["month", "user_id"], how="inner").select(
        "month", "user_id", LABEL, *raw(numeric, categories), *more
    )


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
    taught = _taught([month.month for month in found], settings)
    test, train = found[-1], tuple(month for month in found if month.month in taught)
    leavers = sum(month.leavers for month in train)
    if leavers < settings.least_leavers:
        raise MissingInputError(
            f"{leavers} leavers in the months trained on ({', '.join(str(month.month) for month in train)}), fewer than "
            f"models.least_leavers={settings.least_leavers}: add months or lower it"
        )
    return Split(train, test)


def divided(known: Sequence[dt.date], settings: ModelsSettings) -> tuple[list[dt.date], dt.date]:
    """Of months, oldest first, those to teach with and the newest, to test on. Raises MissingInputError where there are none to teach with."""
    return _taught(known, settings), known[-1]


def check_classes(parts: Split) -> None:
    """Raise MissingInputError where the months trained on, or the one tested on, hold one class alone."""
    for where, months_of in (
        ("the months trained on", parts.train),
        (f"{parts.test.month:%Y-%m}, the month tested on", (parts.test,)),
    ):
        rows, leavers = sum(month.rows for month in months_of), sum(month.leavers for month in months_of)
        if leavers in (0, rows):
            raise MissingInputError(
                f"{where}: {leavers:,} of {rows:,} rows are positive; one class alone teaches and tells nothing, add months or users"
            )


def _taught(known: Sequence[dt.date], settings: ModelsSettings) -> list[dt.date]:
    """Of the months known, oldest first, those to teach with: ``gap_months`` before the newest and earlier."""
    if not known:
        raise MissingInputError(
            "no user-month has both features and a label: labels close two months or more after the month they tell of; "
            "run build_features for the months before, and label_churn for days that late"
        )
    number = known[-1].year * 12 + known[-1].month - settings.gap_months
    found = [month for month in known if month.year * 12 + month.month <= number][-settings.train_months :]
    if not found:
        raise MissingInputError(
            f"labels are known for {', '.join(map(str, known))} only; training needs a month at least "
            f"{settings.gap_months} before the one tested on: run label_churn for later days"
        )
    return found
