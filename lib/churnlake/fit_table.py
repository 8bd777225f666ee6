"""The command that tries the suite's models on any customer table: what its columns are, and how well its label can be foreseen."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churnlake.core.checkpoints import checkpointed
from churnlake.core.console import Console
from churnlake.core.errors import ContractError, MissingInputError
from churnlake.models import table as tables
from churnlake.models.search import Fold
from churnlake.settings import Settings

FOLDS = 5
SHOWN = ("roc_auc", "pr_auc", "f1", "base_rate", "precision_top_10", "lift_top_decile", "calibration_slope", "calibration_error")
WORDS = {"roc_auc": "area under ROC", "pr_auc": "area under precision and recall", "f1": "F1 at one half", "base_rate": "share of positives",
         "precision_top_10": "precision of the top 10 %", "lift_top_decile": "lift of the top 10 %"}  # fmt: skip


def arguments(parser: argparse.ArgumentParser) -> None:
    """What the command is asked by."""
    parser.add_argument("file", help="CSV with a header line, or a Parquet file or folder: one row per customer")
    parser.add_argument("--label", required=True, metavar="COLUMN", help="what to foresee: a column of two values")
    parser.add_argument(
        "--id", default=None, metavar="COLUMN", help="names customers; without it rows alike in all are one customer"
    )
    parser.add_argument(
        "--positive",
        default=None,
        metavar="VALUE",
        help="the label's value that means yes (default: 1, yes, true; else the rarer)",
    )
    parser.add_argument(
        "--test",
        default=None,
        metavar="FILE",
        help="judge on this file, taught by the other (default: five parts, each asked once)",
    )
    parser.add_argument(
        "--keep", action="append", default=[], metavar="COLUMN", help="take this column though it names rows or tells the label"
    )
    parser.add_argument("--out", default=None, metavar="FILE", help="write the figures here, too (JSON)")


def fit_table(spark: SparkSession, settings: Settings, asked: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Read the table, say what its columns are, try the learners, print and return the figures."""
    texts = _texts(spark, Path(asked.file))
    folds = tables.cross_folds(FOLDS)
    if asked.test:
        other = _texts(spark, Path(asked.test))
        missing = [name for name in texts.columns if name not in other.columns]
        if missing:
            raise ContractError(f"{asked.test} lacks {', '.join(missing)}; both files need the same columns")
        texts = texts.withColumn("is_test", F.lit("0")).unionByName(other.select(texts.columns).withColumn("is_test", F.lit("1")))
        folds = [Fold("given", F.col("is_test") == 0, F.col("is_test") == 1)]
    how = settings.models.leakage
    found = tables.read(texts, asked.label, asked.id, asked.positive, FOLDS, checkpointed, how)
    found = found.keeping([*asked.keep, *(["is_test"] if asked.test else [])])
    told = {
        "file": Path(asked.file).name,
        "rows": found.count,
        "positives": found.positives,
        "positive": found.positive,
        "duplicates": found.duplicates,
    }
    console.table(
        f"{told['file']}: {found.count:,} customers, {found.positives:,} of them {asked.label} = {found.positive}"
        + (f"; {found.duplicates:,} rows said the same as another" if found.duplicates else ""),
        ("column", "is a", "filled", "values", "left out"),
        [(c.name, c.kind, f"{c.filled:.1%}", f"{c.values:,}", c.left_out or "") for c in found.columns if c.name != "is_test"],
        2,
    )
    figures = tables.foresee(found, settings.models, folds)
    console.summary(
        f"Foreseen {'in the file given' if asked.test else f'in {FOLDS} parts, each by the others'}",
        [
            *((WORDS.get(name, name.replace("_", " ")), "-" if figures[name] is None else f"{figures[name]:.3f}") for name in SHOWN),
            *((f"PR-AUC within what teaches, {name}", f"{value:.3f}") for name, value in figures["merits"].items() if value),
            *((f"chosen, {one['fold']}", one["chosen"]) for one in figures["folds"]),
        ],
    )  # fmt: skip
    told |= {"columns": [vars(column) for column in found.columns if column.name != "is_test"], **figures}
    if asked.out:
        Path(asked.out).parent.mkdir(parents=True, exist_ok=True)
        Path(asked.out).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    return told


def _texts(spark: SparkSession, path: Path) -> DataFrame:
    """The file with every column as text; spaces around a column's name are no part of it."""
    if not path.exists():
        raise MissingInputError(f"no file {path}; name a CSV with a header line, or Parquet")
    if path.is_dir() or path.suffix == ".parquet":
        given = spark.read.parquet(str(path))
    else:
        given = spark.read.csv(str(path), header=True, inferSchema=False, multiLine=True, escape='"')
    texts = given.select(*(F.col(f"`{name}`").cast("string").alias(name.strip()) for name in given.columns))
    if len(set(texts.columns)) < len(texts.columns):
        raise ContractError(f"{path.name} has two columns of one name")
    return texts
