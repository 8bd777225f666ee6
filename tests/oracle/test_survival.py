"""The product-limit estimate, its variance and the waking curve beside plain loops over every spell."""

import datetime as dt
import itertools
import math

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from churnlake.churn import silence
from churnlake.core.settings import load
from churnlake.core.testing import rows
from churnlake.settings import Settings
from churnlake.stats.survival import interval, product_limit
from churnlake.tables.daily import USAGE
from churnlake.tables.reference import SUBSCRIBERS
from churnlake.tables.staying import SILENCES

SETTINGS = load(Settings, "local", ["churn.waking.least_silences=5", "churn.waking.most_days=40"]).churn
FIRST, LAST = dt.date(2005, 1, 1), dt.date(2005, 3, 31)


def by_hand(times: np.ndarray, over: np.ndarray) -> dict[int, tuple[int, int, float, float | None]]:
    """Time -> at risk, events, share that lasts longer, Greenwood's sum."""
    told, lasting, spread = {}, 1.0, 0.0
    for t in range(1, int(times.max()) + 1):
        risk, events = int((times >= t).sum()), int(((times == t) & over).sum())
        lasting *= 1 - events / risk
        spread = math.inf if risk == events else spread + events / (risk * (risk - events))
        told[t] = (risk, events, lasting, None if math.isinf(spread) else spread)
    return told


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_product_limit_equals_a_loop_over_all_spells(spark: SparkSession, seed: int) -> None:
    dice = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {"of": dice.integers(0, 3, 90), "days": dice.geometric(0.15, 90) - (seed == 3), "over": dice.random(90) < 0.6}
    )
    # in one group the last to be seen is over: nothing is left
    frame = pd.concat([frame, pd.DataFrame({"of": [0], "days": [60], "over": [True]})])
    told = product_limit(spark.createDataFrame(frame).repartition(3), ["of"], "days", "over").collect()
    for of, group in frame.groupby("of"):
        seen = group[group["days"] >= 1]
        expected = by_hand(seen["days"].to_numpy(), seen["over"].to_numpy())
        found = {r.days: (r.at_risk, r.events, r.lasting, r.variance_sum) for r in told if r.of == of}
        assert found.keys() == expected.keys()
        for t, (risk, events, lasting, spread) in expected.items():
            assert found[t][:2] == (risk, events)
            assert found[t][2] == pytest.approx(lasting, abs=1e-12)
            assert found[t][3] == (pytest.approx(spread, rel=1e-9) if spread is not None else None)


def test_intervals_are_those_of_the_textbook_and_stay_within_0_and_1(spark: SparkSession) -> None:
    # remission of 21 patients on 6-MP (Freireich and others 1963), as in every book: S(10) = 0.753, Greenwood's error 0.0963
    over = [6, 6, 6, 7, 10, 13, 16, 22, 23]
    unseen = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    spells = spark.createDataFrame(
        [("x", t, True) for t in over] + [("x", t, False) for t in unseen], "of string, days int, over boolean"
    )
    low, high = interval("lasting", "variance_sum", "at_risk", 1.96)
    rows_of = product_limit(spells, ["of"], "days", "over").withColumns({"low": F.expr(low), "high": F.expr(high)})
    told = {r.days: r for r in rows_of.collect()}
    assert [round(told[t].lasting, 3) for t in (6, 7, 10, 13, 16, 22, 23)] == [0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448]
    assert told[10].lasting * math.sqrt(told[10].variance_sum) == pytest.approx(0.0963, abs=5e-5)
    assert (told[10].low, told[10].high) == (pytest.approx(0.5032, abs=1e-3), pytest.approx(0.8894, abs=1e-3))
    assert told[5].lasting == 1
    assert 0 < told[5].low < told[5].high == 1


def test_the_waking_curve_equals_a_loop_over_all_days(spark: SparkSession) -> None:
    dice = np.random.default_rng(11)
    signs: dict[int, list[dt.date]] = {}
    for user in range(120):
        day, signs[user] = FIRST + dt.timedelta(days=int(dice.integers(0, 20))), []
        while day <= LAST:
            signs[user].append(day)
            day += dt.timedelta(days=int(dice.geometric(0.25 if dice.random() < 0.9 else 0.03)))
            if dice.random() < 0.06:
                break
    brand = {user: ("mzone", "gotone")[user % 2] for user in signs}
    left = {user: signs[user][-1] + dt.timedelta(days=1) for user in signs if user % 7 == 0 and signs[user][-1] < LAST}
    usage = rows(spark, USAGE, *[{"user_id": u, "day": d, "own_events": 1} for u, days in signs.items() for d in days])
    told = [{"user_id": u, "brand": brand[u], "delivered_on": FIRST, "joined_on": FIRST, "left_on": None} for u in signs]
    told += [
        {"user_id": u, "brand": brand[u], "delivered_on": d, "joined_on": FIRST, "left_on": d}
        for u, d in left.items()
        if d < LAST
    ]
    frame = silence.waking(usage, None, rows(spark, SUBSCRIBERS, *told), [dt.date(2005, 2, 1), dt.date(2005, 3, 1)], SETTINGS)
    assert frame.columns == SILENCES.names
    found = {(r.month.month, r.brand, r.days): r for r in frame.collect()}
    checked = 0
    for month, end in ((2, dt.date(2005, 2, 28)), (3, LAST)):
        for of in ("mzone", "gotone", "all"):
            spells = []
            for user, days in signs.items():
                if of not in ("all", brand[user]):
                    continue
                known = [day for day in days if day <= end]
                spells += [((b - a).days - 1, True) for a, b in itertools.pairwise(known)]
                cancelled = user in left and left[user] <= end and left[user] < LAST and bool(known)
                if known and not cancelled:
                    spells.append(((end - known[-1]).days, False))

            # silent for d days and not yet known to have woken, or to have stayed silent, on the day after: not at risk
            def risk(d: int, spells: list[tuple[int, bool]] = spells) -> int:
                return sum(1 for length, woke in spells if (length >= d if woke else length > d))

            horizon = max(d for d in range(1, 90) if risk(d) >= SETTINGS.waking.least_silences)
            for d in range(1, min(horizon, SETTINGS.waking.most_days) + 1):
                never = 1.0
                for k in range(d, horizon + 1):
                    never *= 1 - sum(1 for length, woke in spells if woke and length == k) / risk(k)
                row = found[month, of, d]
                assert (row.silences, row.horizon_days) == (risk(d), horizon)
                assert row.wakes == pytest.approx(1 - never, abs=2e-6)
                assert row.wakes_low <= row.wakes <= row.wakes_high
                checked += 1
    assert checked == len(found)
    assert checked > 100
    asked = {(r.month.month, r.brand): (r.set_days, r.asked_days) for r in silence.asked_for(frame).collect()}
    for (month, of), (set_days, days) in asked.items():
        late = [d for m, b, d in found if (m, b) == (month, of) and found[m, b, d].wakes > SETTINGS.waking.most_share]
        assert days is None or days > max(late, default=0)
        assert set_days == {"gotone": 90, "mzone": 60}.get(of)


def test_a_length_set_shorter_than_the_curve_asks_for_is_told() -> None:
    assert "gotone is 90, but only after 95 days" in silence.warning(
        {"brand": "gotone", "set_days": 90, "asked_days": 95}, SETTINGS
    )
    assert "after no length seen so far" in silence.warning({"brand": "gotone", "set_days": 90, "asked_days": None}, SETTINGS)
    assert silence.warning({"brand": "gotone", "set_days": 90, "asked_days": 90}, SETTINGS) == ""
    assert silence.warning({"brand": "all", "set_days": None, "asked_days": None}, SETTINGS) == ""
