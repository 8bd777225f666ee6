"""Any customer table: what its columns are, which of them tell nothing or too much, and how well its label can be foreseen.

The learners, their choice, calibration and judgement are those of the city's models.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from churnlake.core.errors import ContractError, MissingInputError
from churnlake.models import leakage
from churnlake.models.fit import calibrate, prepared
from churnlake.models.judge import Measures, judge, measures
from churnlake.models.learners import FEATURES, LABEL, SIMPLEST, Candidate, candidates
from churnlake.models.profile import profile
from churnlake.models.search import Fold, best, merit, tried
from churnlake.models.settings import LeakageSettings, ModelsSettings
from churnlake.stats.gains import Gains

MISSING = ("", "na", "n/a", "nan", "null", "none", "?")
"""What stands for no value, in small letters."""
POSITIVE = ("1", "1.0", "yes", "y", "true", "true.", "t", "churn", "churned", "left")
"""Values of a label that mean yes, in small letters."""
IS_NUMBER = 0.99
"""Share of a column's values that are numbers, from which on it is one."""
IS_ID, LEAST_VALUES = 0.98, 50
"""Share of a text's or whole number's values that stand once, from which on they name rows, and how many there must be to say so."""
PARTS = 4
"""That what teaches is dealt to, to choose by."""
FOLD, ROW = "fold", "row_id"
Checkpoint = Callable[[DataFrame], DataFrame]


@dataclass(frozen=True)
class Column:
    """A column of the file: its name there and here, what it is, how much of it is filled, how many values, and why it is left out, if it is."""

    name: str
    known_as: str
    kind: str
    filled: float
    values: int
    left_out: str | None = None


@dataclass(frozen=True)
class CustomerTable:
    """A table read: ``rows`` (one row per customer: ROW, LABEL, FOLD, columns as known here), its columns, and what was dropped.

    ``checkpoint`` materialises a frame and cuts its lineage.
    """

    rows: DataFrame
    columns: tuple[Column, ...]
    count: int
    positives: int
    duplicates: int
    positive: str
    checkpoint: Checkpoint

    def keeping(self, names: Sequence[str]) -> CustomerTable:
        """The same with these columns taken, whatever spoke against them. Raises MissingInputError for one that is not there."""
        unknown = set(names) - {column.name for column in self.columns}
        if unknown:
            raise MissingInputError(f"no column '{min(unknown)}' to keep; there are {', '.join(c.name for c in self.columns)}")
        return replace(self, columns=tuple(replace(c, left_out=None) if c.name in names else c for c in self.columns))

    def taken(self, kind: str) -> list[str]:
        """Columns of this kind that models take."""
        return [column.known_as for column in self.columns if column.kind == kind and column.left_out is None]


def read(
    texts: DataFrame,
    label: str,
    key: str | None,
    positive: str | None,
    folds: int,
    checkpoint: Checkpoint,
    how: LeakageSettings,
) -> CustomerTable:
    """The table of texts (every column a string) as models take it.

    Rows without a label are refused; rows alike in all columns but the key are one. Numbers are columns of which IS_NUMBER are numbers; the
    rest are categories.

    Args:
        texts: one row per customer.
        label: the column to foresee, of two values.
        key: the column that names customers; without one each distinct row is a customer.
        positive: the label's value that means yes; told by POSITIVE where not given, else the rarer one.
        folds: customers are dealt to so many, by a hash of their content.
        checkpoint: materialises a frame and cuts its lineage.
        how: when a column is taken to hold the answer.

    Raises:
        MissingInputError: a column that is not there, or no rows.
        ContractError: a label that is not of two values, a key that stands twice.
    """
    for name in filter(None, (label, key)):
        if name not in texts.columns:
            raise MissingInputError(f"no column '{name}'; the table has {', '.join(texts.columns)}")
    known = _names([name for name in texts.columns if name not in (label, key)])
    trimmed = {name: F.trim(F.col(f"`{name}`")) for name in texts.columns}
    given = texts.select(
        *(F.when(F.lower(trimmed[name]).isin(*MISSING), None).otherwise(trimmed[name]).alias(as_) for name, as_ in known.items()),
        trimmed[label].alias("answer"),
        (trimmed[key] if key else F.lit(None).cast("string")).alias("customer"),
    )
    given = checkpoint(given)
    content = [*known.values(), "answer"]
    distinct = given.groupBy(*content).agg(F.min("customer").alias("customer"), F.count("*").alias("times"))
    total, twice = given.count(), None
    if key:
        twice = given.groupBy("customer").count().where("count > 1").first()
    if twice is not None:
        raise ContractError(
            f"{key} '{twice['customer']}' stands {twice['count']} times; a customer is one row: drop or rename the rest"
        )
    # a customer that is named is one, whatever others are like it
    rows = checkpoint((given if key else distinct.drop("times")).withColumn(ROW, F.xxhash64(*content, "customer")))
    if not total:
        raise MissingInputError("the table has no rows")
    answers = _spelled({row["answer"]: row["count"] for row in rows.groupBy("answer").count().collect()})
    yes = _positive(answers, label, positive)
    rows = rows.withColumn(LABEL, (F.lower("answer") == yes.lower()).cast("double"))
    fold = F.row_number().over(_within()) % folds
    rows = checkpoint(rows.withColumn(FOLD, fold.cast("int")).drop("answer", "customer"))
    columns = _columns(rows, known)
    numbers = [column.known_as for column in columns if column.kind == "number"]
    typed = rows.select(
        ROW,
        LABEL,
        FOLD,
        *(F.expr(f"try_cast(`{name}` as double)").alias(name) if name in numbers else F.col(name) for name in known.values()),
    )
    typed = checkpoint(typed)
    leaking = _leaks(typed, sum(answers.values()), columns, how)
    told = tuple(
        column if column.left_out or column.known_as not in leaking else replace(column, left_out=leaking[column.known_as])
        for column in columns
    )
    found = sum(answers.values())
    return CustomerTable(typed, told, found, answers[yes], total - found, yes, checkpoint)


def foresee(table: CustomerTable, settings: ModelsSettings, asked: Sequence[Fold]) -> dict[str, Any]:
    """How well the label is foreseen on each fold asked, by what the others teach alone: measures, mean and of each, and merits of the learners.

    Learner, parameters and calibration are chosen by PARTS within what teaches, each asked by the others: all candidates on one of them, those that
    do best there on the others, too; what is asked chooses nothing.

    Raises MissingInputError where no column is left to learn from, or a fold has no positive.
    """
    numeric, categories, every = table.taken("number"), table.taken("category"), candidates(settings)
    if table.count <= settings.tables.most_rows:
        every += [Candidate("forest", parameters, settings.seed) for parameters in settings.tables.forest]
        every += [Candidate("boosted", parameters, settings.seed) for parameters in settings.tables.newton]
    found: list[dict[str, Any]] = []
    for fold in asked:
        rows = table.rows.where(fold.taught)
        known = profile(rows, numeric, categories, settings)
        if not known.columns:
            raise MissingInputError("no column is filled and varies; there is nothing to learn from")
        ready, test = (
            table.checkpoint(prepared(part, known)[0].select(ROW, FEATURES, LABEL))
            for part in (rows, table.rows.where(fold.asked))
        )
        part = F.pmod(F.xxhash64(ROW, F.lit(settings.seed)), F.lit(PARTS))
        inner = [Fold(f"inner {at}", part != at, part == at) for at in range(PARTS)]
        trials = tried(ready, inner, every, table.checkpoint, settings.finalists, settings.fits_at_once)
        first = best(trials, every)[0]
        model = calibrate(first.fit(ready), [one.held_out for one in trials if one.candidate == first])
        gains = judge({"it": model}, test)["it"]
        merits = {name: max((merit(trials, c) for c in every if c.learner == name), default=0.0) for name in SIMPLEST}
        found.append({"fold": fold.name, "chosen": str(first), "merits": merits, **_measures(gains)})
    names = [name for name in found[0] if name not in ("fold", "chosen", "merits")]
    mean = {name: _mean([one[name] for one in found]) for name in names}
    return {**mean, "merits": {name: _mean([one["merits"][name] for one in found]) for name in SIMPLEST}, "folds": found}


def cross_folds(folds: int) -> list[Fold]:
    """Each part asked once, the others teach."""
    return [Fold(str(n), F.col(FOLD) != n, F.col(FOLD) == n) for n in range(folds)]


def _measures(gains: Gains) -> Measures:
    return {**measures(gains), "f1": gains.f1(0.5)}


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _within() -> Any:
    # of each outcome as many in every part, whatever the order of rows
    return Window.partitionBy(LABEL).orderBy(F.xxhash64(ROW, F.lit("fold")), ROW)


def _names(names: Sequence[str]) -> dict[str, str]:
    """By name in the file, a plain one."""
    found: dict[str, str] = {}
    for name in names:
        plain = re.sub(r"\W+", "_", name.strip()).strip("_").lower() or "column"
        while plain in found.values() or plain in (LABEL, FOLD, ROW, "answer", "customer"):
            plain += "_"
        found[name] = plain
    return found


def _spelled(answers: Mapping[str | None, int]) -> dict[str | None, int]:
    """How often each value of a label stands, in whatever letters (TRUE, True): under the spelling that is commonest."""
    found: dict[str | None, int] = {}
    spelling: dict[str | None, str | None] = {}
    for value in sorted(answers, key=lambda value: (-answers[value], str(value))):
        name = spelling.setdefault(value.lower() if value is not None else None, value)
        found[name] = found.get(name, 0) + answers[value]
    return found


def _positive(answers: dict[str | None, int], label: str, positive: str | None) -> str:
    if None in answers or any(str(value).lower() in MISSING for value in answers):
        raise ContractError(
            f"{sum(n for v, n in answers.items() if v is None or str(v).lower() in MISSING)} rows have no {label}; drop them first"
        )
    told = ", ".join(f"{value} ({count:,} rows)" for value, count in sorted(answers.items(), key=str)[:6])
    asked = next((value for value in answers if positive is not None and str(value).lower() == positive.lower()), None)
    if positive is not None and asked is None:
        raise ContractError(f"{label} is never '{positive}'; it is {told}")
    if len(answers) != 2:
        raise ContractError(f"{label} has {len(answers)} {'value' if len(answers) == 1 else 'values'}, {told}; a label has two")
    if asked is not None:
        return asked
    meant = [value for value in answers if str(value).lower() in POSITIVE]
    return str(meant[0]) if len(meant) == 1 else str(min(answers, key=lambda value: (answers[value], str(value))))


def _columns(rows: DataFrame, known: dict[str, str]) -> tuple[Column, ...]:
    long = rows.unpivot([], [F.col(name) for name in known.values()], "name", "value")
    found = {
        row["name"]: row
        for row in long.groupBy("name")
        .agg(
            F.count("*").alias("rows"),
            F.count("value").alias("filled"),
            F.count_distinct("value").alias("values"),
            F.expr("count(try_cast(value as double))").alias("numbers"),
            F.expr("count_if(value rlike '^[-+]?[0-9]+$')").alias("whole"),
        )
        .collect()
    }
    columns = []
    for name, plain in known.items():
        row = found[plain]
        is_number = row["filled"] > 0 and row["numbers"] >= IS_NUMBER * row["filled"]
        names_rows = not is_number or row["whole"] == row["filled"]
        why = None
        if not row["filled"]:
            why = "empty"
        elif row["values"] == 1:
            why = "always the same" if row["filled"] == row["rows"] else None
        elif names_rows and row["values"] >= max(LEAST_VALUES, IS_ID * row["filled"]):
            why = "names rows: nearly every value stands once"
        columns.append(
            Column(name, plain, "number" if is_number else "category", row["filled"] / row["rows"], row["values"], why)
        )
    return tuple(columns)


def _leaks(rows: DataFrame, count: int, columns: Sequence[Column], how: LeakageSettings) -> dict[str, str]:
    """By column that tells the label nearly alone, how; of ``count`` customers so many are looked at as of a training."""
    taken = [column.known_as for column in columns if column.left_out is None]
    if not taken:
        return {}
    share = how.most_rows / max(count, 1)
    drawn = F.pmod(F.xxhash64(ROW, F.lit("leaks")), F.lit(1_000_000)) < int(1_000_000 * share)
    seen = (rows.where(drawn) if share < 1 else rows).select(LABEL, FOLD, *taken).toArrow().to_pandas()
    half = seen[FOLD].to_numpy(dtype="int64") % 2
    found = leakage.answers(
        {name: leakage.grouped(seen[name]) for name in taken}, seen[LABEL].to_numpy(dtype="float64"), half, how
    )
    return {leak.what.removeprefix("column "): leak.why for leak in found}
