"""Reasons in words, beside those worked out row by row in Python."""

import random
from decimal import ROUND_HALF_UP, Decimal

import pytest
from pyspark.ml.functions import array_to_vector
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from churnlake.core.settings import load
from churnlake.models.fit import Contributions
from churnlake.models.reasons import reasons
from churnlake.settings import Settings

SETTINGS = load(Settings, "local").models


def expected(row: dict[str, object], given: Contributions, least: float, most: int) -> list[str]:
    """The strongest first, ties to the feature named first."""
    found = []
    for at, (name, weight) in enumerate(given.numeric.items()):
        z = row[f"z_{name}"]
        assert isinstance(z, float)
        size = Decimal(repr(z)).quantize(Decimal("0.1"), ROUND_HALF_UP)
        text = f"{name} {'low' if size < 0 else 'high'} ({'' if size < 0 else '+'}{size} sd)"
        found.append((round(weight * z * 1e6), at, text))
    for at, (name, levels) in enumerate(given.categories.items(), len(given.numeric)):
        level = str(row[f"level_{name}"])
        weight = 0.0 if level in ("other", "unknown") else levels.get(level, 0.0)
        found.append((round(weight * 1e6), at, f"{name} is {level}"))
    strong = sorted((-millionths, at, text) for millionths, at, text in found if millionths >= least * 1e6)
    return [text for _, _, text in strong[:most]]


@pytest.mark.parametrize("most", [1, 3, 9])
def test_reasons_are_those_worked_out_by_hand(spark: SparkSession, most: int) -> None:
    dice = random.Random(most)
    given = Contributions(
        {**{f"f{at}": round(dice.gauss(0, 0.3), 3) for at in range(5)}, "same": 0.25, "twin": 0.25, "idle": 0.0},
        {"brand": {"a": 0.4, "b": -0.4, "other": 2.0}, "plan": {"unknown": 1.0}},
    )
    names = [f"z_{name}" for name in given.numeric]
    flags = [f"CAST(level_{name} = '{level}' AS DOUBLE)" for name, levels in given.categories.items() for level in levels]
    drawn = [
        [at, *(round(dice.gauss(0, 1.5), 3) for _ in names[:5]), z := round(dice.gauss(0, 2), 3), z, 9.0,
         dice.choice(["a", "b", "other", "new"]), "unknown"]
        for at in range(200)
    ]  # fmt: skip
    rows = spark.createDataFrame(drawn, ["user_id", *names, "level_brand", "level_plan"])
    settings = SETTINGS.model_copy(update={"most_reasons": most})
    vector = array_to_vector(F.array(*names, *map(F.expr, flags)))
    found = rows.withColumn("reasons", reasons(vector, given, settings)).orderBy("user_id").collect()
    told = [expected(row.asDict(), given, settings.least_contribution, most) for row in found]
    assert [row["reasons"] for row in found] == told
    assert {len(one) for one in told} >= {0, 1}


@pytest.mark.parametrize("given", [Contributions({}, {}), Contributions({"idle": 0.0}, {"brand": {"a": 0.0, "other": 2.0}})])
def test_where_nothing_weighs_there_is_no_reason(spark: SparkSession, given: Contributions) -> None:
    vector = array_to_vector(F.array(*[F.lit(1.0)] * 3))
    row = spark.range(1).select(reasons(vector, given, SETTINGS).alias("reasons"), F.lit(1)).first()
    assert row is not None
    assert row["reasons"] == []
