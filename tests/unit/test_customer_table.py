"""Any customer table: what its columns are, which hold the answer, and how well it is foreseen."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession

from churnlake.core.console import Console
from churnlake.core.errors import ContractError, MissingInputError
from churnlake.core.settings import load
from churnlake.fit_table import arguments, fit_table
from churnlake.models import table
from churnlake.models.settings import LearnersSettings, LogisticSettings, NewtonSettings, TablesSettings, TreeSettings
from churnlake.settings import Settings

SETTINGS = load(Settings, "local")
QUICK = LearnersSettings(
    logistic=[LogisticSettings(max_iter=20, reg_param=0.01, elastic_net=0.0)],
    tree=[TreeSettings(depth=3, least_rows=5, least_gain=0.0, bins=16)],
    forest=[], boosted=[], perceptron=[],
)  # fmt: skip
MODELS = SETTINGS.models.model_copy(update={"learners": QUICK, "tables": TablesSettings(most_rows=10, forest=[], newton=[])})


def lines(customers: int = 300) -> list[dict[str, str]]:
    """Who calls little leaves; one column is the answer in other words, one is filled for leavers alone."""
    rng = np.random.default_rng(3)
    found = []
    for n in range(customers):
        calls, plan = int(rng.poisson(20)), ["basic", "family", "gold"][int(rng.integers(3))]
        left = rng.random() < 1 / (1 + np.exp(0.4 * (calls - 16)))
        found.append({
            "Customer": f"C{n:05}", "Phone": str(13_800_000_000 + 7919 * n), "Calls": str(calls), "Spend $": f"{calls * 1.5 + rng.normal():.2f}" if n % 10 else " ",
            "Plan": plan, "Empty": "NA", "Country": "China", "Reason": ["price", "moved"][n % 2] if left else "?",
            "Outcome": "closed" if left else ["open", "frozen"][n % 2], "Churn": "Yes" if left else "No",
        })  # fmt: skip
    return found


def texts(spark: SparkSession, rows: list[dict[str, str]]) -> DataFrame:
    return spark.createDataFrame([tuple(row.values()) for row in rows], ", ".join(f"`{name}` string" for name in rows[0]))


def read(
    spark: SparkSession, rows: list[dict[str, str]], label: str = "Churn", key: str | None = "Customer"
) -> table.CustomerTable:
    return table.read(texts(spark, rows), label, key, None, 5, lambda frame: frame.localCheckpoint(), MODELS.leakage)


def test_columns_are_told_apart(spark: SparkSession) -> None:
    rows = lines()
    found = read(spark, rows)
    why = {column.name: (column.kind, (column.left_out or "").split(":")[0].split(" the label")[0]) for column in found.columns}
    assert why == {
        "Phone": ("number", "names rows"), "Calls": ("number", ""), "Spend $": ("number", ""), "Plan": ("category", ""), "Empty": ("category", "empty"),
        "Country": ("category", "always the same"), "Reason": ("category", "its value alone tells"), "Outcome": ("category", "its value alone tells"),
    }  # fmt: skip
    assert found.positive == "Yes"
    assert (found.count, found.positives) == (300, sum(row["Churn"] == "Yes" for row in rows))
    assert found.taken("number") == ["calls", "spend"]
    spend = next(column for column in found.columns if column.name == "Spend $")
    assert (spend.known_as, spend.filled) == ("spend", 0.9)


def test_a_column_that_is_filled_for_leavers_alone_tells_by_being_there(spark: SparkSession) -> None:
    rows = [{**row, "Reason": f"r{n % 40}" if row["Churn"] == "Yes" else ""} for n, row in enumerate(lines())]
    told = {column.name: column.left_out or "" for column in read(spark, rows).columns}["Reason"]
    assert "tells the label" in told


def test_rows_alike_are_one_customer_unless_named(spark: SparkSession) -> None:
    rows = [{name: row[name] for name in ("Calls", "Plan", "Churn")} for row in lines(50)]
    doubled = read(spark, [*rows, *rows], key=None)
    distinct = len({tuple(row.values()) for row in rows})
    assert (doubled.count, doubled.duplicates) == (distinct, 100 - distinct)
    named = lines(50)
    with pytest.raises(ContractError, match="Customer 'C00003' stands 2 times"):
        read(spark, [*named, named[3]])


def test_a_label_is_the_same_in_whatever_letters(spark: SparkSession) -> None:
    rows = lines(50)
    mixed = [{**row, "Churn": row["Churn"].upper() if n % 3 == 0 else row["Churn"]} for n, row in enumerate(rows)]
    plain, found = read(spark, rows), read(spark, mixed)
    assert (found.count, found.positives, found.positive) == (plain.count, plain.positives, "Yes")


@pytest.mark.parametrize(
    ("rows", "label", "error", "says"),
    [
        (lines(20), "Left", MissingInputError, "no column 'Left'; the table has Customer, Phone"),
        ([{**row, "Churn": "No"} for row in lines(20)], "Churn", ContractError, "Churn has 1 value, No"),
        ([{**row, "Churn": str(n % 3)} for n, row in enumerate(lines(20))], "Churn", ContractError, "has 3 values"),
        ([{**row, "Churn": "" if n == 4 else row["Churn"]} for n, row in enumerate(lines(20))], "Churn", ContractError, "1 rows have no Churn"),
    ],
)  # fmt: skip
def test_bad_tables_are_refused(
    spark: SparkSession, rows: list[dict[str, str]], label: str, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        read(spark, rows, label)


def test_customers_are_dealt_out_by_content_and_outcome(spark: SparkSession) -> None:
    rows = lines()
    one, other = (
        {(r["row_id"], r["fold"]) for r in read(spark, given).rows.select("row_id", "fold").collect()}
        for given in (rows, rows[::-1])
    )
    assert one == other
    dealt = read(spark, rows).rows.groupBy("label", "fold").count().collect()
    for label in (0.0, 1.0):
        sizes = [row["count"] for row in dealt if row["label"] == label]
        assert len(sizes) == 5
        assert max(sizes) - min(sizes) <= 1


def test_the_label_is_foreseen_by_what_the_others_teach(spark: SparkSession) -> None:
    found = table.foresee(read(spark, lines(400)), MODELS, table.cross_folds(5)[:2])
    assert found["roc_auc"] > 0.75
    assert found["merits"]["forest"] == 0.0
    assert found["merits"]["boosted"] == 0.0
    assert [one["fold"] for one in found["folds"]] == ["0", "1"]
    assert all(one["chosen"].startswith(("logistic", "tree")) for one in found["folds"])
    # with nothing but chance in it nothing is foreseen
    rng = np.random.default_rng(5)
    chance = [{"a": str(rng.integers(50)), "b": str(rng.integers(9)), "Churn": str(rng.integers(2))} for _ in range(400)]
    none = table.foresee(read(spark, chance, key=None), MODELS, table.cross_folds(5)[:3])
    assert none["roc_auc"] == pytest.approx(0.5, abs=0.1)


def test_newton_steps_are_tried_on_small_tables_alone(spark: SparkSession) -> None:
    newton = NewtonSettings(trees=4, depth=2, step=0.3, least_rows=10, bins=16)
    asked = MODELS.model_copy(update={"tables": TablesSettings(most_rows=200, forest=[], newton=[newton])})
    for customers, is_tried in ((200, True), (201, False)):
        found = table.foresee(read(spark, lines(customers)), asked, table.cross_folds(5)[:1])
        assert (found["merits"]["boosted"] > 0) == is_tried


def test_the_command_judges_on_a_file_given(spark: SparkSession, tmp_path: Path) -> None:
    paths = []
    for name, rows in (
        ("train", lines(300)),
        ("test", [{**row, "Customer": "T" + row["Customer"], "Phone": row["Phone"][::-1]} for row in lines(80)]),
    ):
        path = tmp_path / f"{name}.csv"
        text = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
        path.write_text("\n".join(text) + "\n", encoding="utf-8")
        paths.append(str(path))
    parser = argparse.ArgumentParser()
    arguments(parser)
    out = tmp_path / "figures.json"
    asked = parser.parse_args([paths[0], "--label", "Churn", "--id", "Customer", "--test", paths[1], "--out", str(out)])
    told = fit_table(spark, SETTINGS.model_copy(update={"models": MODELS}), asked, Console())
    assert json.loads(out.read_text())["roc_auc"] == told["roc_auc"] > 0.7
    assert [column["name"] for column in told["columns"] if column["left_out"]] == [
        "Phone",
        "Empty",
        "Country",
        "Reason",
        "Outcome",
    ]
    asked.keep = ["Nothing"]
    with pytest.raises(MissingInputError, match="no column 'Nothing' to keep"):
        fit_table(spark, SETTINGS, asked, Console())
