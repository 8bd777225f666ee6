"""Cells, ranking, capacity and control arm of the retention list."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession

from churnlake.campaigns.cells import placed
from churnlake.campaigns.lists import plan, willing
from churnlake.campaigns.settings import CampaignsSettings
from churnlake.core.testing import rows
from churnlake.tables.campaigns import LISTS
from churnlake.tables.churn import SCORES
from churnlake.tables.reference import OPT_OUTS

MONTH = dt.date(2005, 7, 1)
SETTINGS = CampaignsSettings(
    value_feature="fee",
    value_quantile=0.5,
    propensity_share=0.5,
    cells=("care_and_retain", "retain"),
    capacity=10,
    control_share=0.0,
    seed=1,
)


def scores(spark: SparkSession, *probabilities: float) -> DataFrame:
    given = [
        {"month": MONTH, "user_id": i, "place": i, "probability": p, "reasons": ["slope low"]}
        for i, p in enumerate(probabilities, start=1)
    ]
    return rows(spark, SCORES, *given)


def fees(spark: SparkSession, *values: str | None) -> DataFrame:
    given = [(MONTH, i + 1, None if value is None else Decimal(value)) for i, value in enumerate(values)]
    return spark.createDataFrame(given, "month date, user_id bigint, fee decimal(18,6)")


def test_value_and_propensity_give_the_cell(spark: SparkSession) -> None:
    settings = SETTINGS.model_copy(update={"value_quantile": 0.7})
    found = placed(scores(spark, 0.9, 0.8, 0.2, 0.1), fees(spark, "100", "10", "90", None), settings)
    expected = spark.createDataFrame(
        [(1, "care_and_retain", "high"), (2, "retain", "medium"), (3, "care", "medium"), (4, "passive", "low")],
        "user_id bigint, cell string, priority string",
    )
    assert_df_equality(found.select("user_id", "cell", "priority"), expected, ignore_row_order=True, ignore_nullable=True)


def test_a_worthless_month_has_no_valuable_user(spark: SparkSession) -> None:
    found = placed(scores(spark, 0.9, 0.1), fees(spark, "-5", None), SETTINGS).collect()
    assert {row["cell"] for row in found} == {"retain", "passive"}
    assert {row["value_yuan"] for row in found} == {Decimal("0.00")}


def test_the_list_is_ranked_by_what_is_at_stake_up_to_capacity(spark: SparkSession) -> None:
    settings = SETTINGS.model_copy(update={"capacity": 2, "propensity_share": 1.0})
    found = plan(scores(spark, 0.5, 0.25, 0.25, 0.2), fees(spark, "10", "100", "100", "90"), settings)
    assert found.columns == LISTS.names
    # Users 2 and 3 tie at 25.00: the lower id is first; user 4 (18.00) and user 1 (5.00) find no capacity.
    assert [(r["place"], r["user_id"], r["at_stake_yuan"]) for r in found.orderBy("place").collect()] == [
        (1, 2, Decimal("25.00")),
        (2, 3, Decimal("25.00")),
    ]


def test_the_control_arm_is_a_tenth_and_does_not_depend_on_partitions(spark: SparkSession) -> None:
    settings = SETTINGS.model_copy(update={"capacity": 2000, "propensity_share": 1.0, "control_share": 0.1})
    scored = spark.range(1, 2001).selectExpr(
        "date'2005-07-01' month", "id user_id", "0.5D probability", "id place", "array('slope low') reasons", "'1' model_version"
    )
    worth = spark.range(1, 2001).selectExpr("date'2005-07-01' month", "id user_id", "cast(50 as decimal(12,2)) fee")
    first = plan(scored, worth, settings)
    again = plan(scored.repartition(5, "user_id"), worth.repartition(3, "user_id"), settings)
    control = first.where("arm = 'control'")
    assert 150 <= control.count() <= 250
    assert_df_equality(control, again.where("arm = 'control'"), ignore_row_order=True)
    other = plan(scored, worth, settings.model_copy(update={"seed": 2})).where("arm = 'control'")
    assert control.join(other, ["user_id"], how="inner").count() < 60


def test_who_chose_to_be_left_alone_is_out_until_a_newer_choice(spark: SparkSession) -> None:
    choices = [(1, 1, "out"), (2, 1, "out"), (2, 3, "in"), (3, 2, "in"), (3, 2, "out"), (4, 1, "in"), (4, 5, "out")]
    given = [{"user_id": u, "chosen_on": dt.date(2005, 7, d), "choice": c} for u, d, c in choices]
    left = willing(scores(spark, 0.5, 0.5, 0.5, 0.5, 0.5), rows(spark, OPT_OUTS, *given))
    assert sorted(r.user_id for r in left.collect()) == [2, 5]
