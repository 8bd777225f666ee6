"""Reasons in words, beside those worked out row by row in Python."""

import random
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pytest

from churnlake.core.settings import load
from churnlake.models.fit import Contributions
from churnlake.models.reasons import teller
from churnlake.settings import Settings

SETTINGS = load(Settings, "local").models


def expected(z: dict[str, float], of: dict[str, str], given: Contributions, least: float, most: int) -> list[str]:
    """The strongest first, ties to the feature named first."""
    found = []
    for at, (name, weight) in enumerate(given.numeric.items()):
        size = Decimal(repr(z[name])).quantize(Decimal("0.1"), ROUND_HALF_UP)
        text = f"{name} {'low' if size < 0 else 'high'} ({'' if size < 0 else '+'}{size} sd)"
        found.append((round(weight * z[name] * 1e6), at, text))
    for at, (name, levels) in enumerate(given.categories.items(), len(given.numeric)):
        weight = 0.0 if of[name] in ("other", "unknown") else levels.get(of[name], 0.0)
        found.append((round(weight * 1e6), at, f"{name} is {of[name]}"))
    strong = sorted((-millionths, at, text) for millionths, at, text in found if millionths >= least * 1e6)
    return [text for _, _, text in strong[:most]]


@pytest.mark.parametrize("most", [1, 3, 9])
def test_reasons_are_those_worked_out_by_hand(most: int) -> None:
    dice = random.Random(most)
    given = Contributions(
        {**{f"f{at}": round(dice.gauss(0, 0.3), 3) for at in range(5)}, "same": 0.25, "twin": 0.25, "idle": 0.0},
        {"brand": {"a": 0.4, "b": -0.4, "other": 2.0}, "plan": {"unknown": 1.0}},
    )
    drawn = []
    for _ in range(200):
        z = {f"f{at}": round(dice.gauss(0, 1.5), 3) for at in range(5)}
        z["same"] = z["twin"] = round(dice.gauss(0, 2), 3)
        drawn.append((z | {"idle": 9.0}, {"brand": dice.choice(["a", "b", "other", "new"]), "plan": "unknown"}))
    vectors = np.array(
        [
            [*z.values(), *(float(of[name] == level) for name, levels in given.categories.items() for level in levels)]
            for z, of in drawn
        ]
    )
    settings = SETTINGS.model_copy(update={"most_reasons": most})
    told = [expected(z, of, given, settings.least_contribution, most) for z, of in drawn]
    assert teller(given, settings)(vectors).to_pylist() == told
    assert {len(one) for one in told} >= {0, 1}


@pytest.mark.parametrize("given", [Contributions({}, {}), Contributions({"idle": 0.0}, {"brand": {"a": 0.0, "other": 2.0}})])
def test_where_nothing_weighs_there_is_no_reason(given: Contributions) -> None:
    assert teller(given, SETTINGS)(np.ones((2, 3))).to_pylist() == [[], []]
