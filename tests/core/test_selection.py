"""What is planted in a made-up month is found: degenerate, twin and drifting indicators, groups of outliers. No Spark."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
import sqlglot
from sqlglot import exp

from churnlake.core.contract import Indicator
from churnlake.core.settings import load
from churnlake.indicators import ALL_ITEMS, INDICATORS
from churnlake.indicators.units import CALLS, CODE, DAYS, FLAG, MONTH_DAYS, SHARE
from churnlake.settings import Settings
from churnlake.tables.features import MONTHLY, OUTLIERS, SELECTION
from churnlake.understanding.outliers import outlier_groups, reach_of
from churnlake.understanding.profile import columns_of, histogram_edges, in_order, profiled
from churnlake.understanding.selection import Understood, understood
from churnlake.understanding.settings import UnderstandingSettings

MAY = dt.date(2005, 5, 1)
USERS = 1000


def declared(name: str, view: str = "calls") -> Indicator:
    unit = (
        CODE
        if name in ("brand", "serial", "one_level")
        else FLAG
        if name.startswith("is_")
        else SHARE
        if "share" in name
        else CALLS
    )
    return Indicator(name, unit, f"Meaning of {name}.", monthly="x", view=view)


NAMES = ("brand", "serial", "one_level", "late_calls", "calls", "twin_calls", "fewer_calls", "hardly_share", "never_calls", "is_all", "is_rare", "other_calls", "moved_calls")  # fmt: skip
GIVEN = tuple(declared(name, "fee structure" if name in ("other_calls", "moved_calls") else "calls") for name in NAMES)


@pytest.fixture(scope="module")
def settings() -> UnderstandingSettings:
    return load(Settings, "local").understanding


def month(seed: int, moved: float = 1.0) -> pd.DataFrame:
    """A month of 1,000 users; ``moved`` multiplies one indicator."""
    chance = np.random.default_rng(seed)
    calls = np.round(chance.lognormal(3, 0.5, USERS))
    frame = pd.DataFrame(
        {
            "user_id": np.arange(USERS),
            "brand": chance.choice(["gotone", "easyown", "mzone"], USERS, p=[0.2, 0.5, 0.3]),
            "serial": [f"no {i}" for i in range(USERS)],
            "one_level": "a",
            "late_calls": np.where(chance.random(USERS) < 0.3, np.nan, calls),
            "calls": calls,
            "twin_calls": 3 * calls + 1,
            "fewer_calls": -calls + np.round(chance.normal(0, 1, USERS)),
            "hardly_share": np.where(chance.random(USERS) < 0.97, np.nan, 0.5),
            "never_calls": np.nan,
            "is_all": 1.0,
            "is_rare": np.where(np.arange(USERS) < 3, 1.0, 0.0),
            "other_calls": np.round(chance.lognormal(2, 0.4, USERS)),
            "moved_calls": np.round(moved * chance.lognormal(4, 0.4, USERS)),
        }
    )
    return in_order(frame.sample(frac=1, random_state=seed))


@pytest.fixture(scope="module")
def found(settings: UnderstandingSettings) -> Understood:
    return understood(MAY, month(1, moved=1.5), month(2), GIVEN, settings)


def by_name(found: Understood) -> dict[str, dict[str, object]]:
    return {str(row["indicator"]): row for row in found.selection}


def test_each_planted_indicator_gets_its_role_and_a_reason(found: Understood) -> None:
    told = {name: (row["role"], row["why"]) for name, row in by_name(found).items()}
    assert told == {
        "brand": ("modelling", "a code of 3 levels"),
        "serial": ("unusable", "a code with a level for nearly every user names users"),
        "one_level": ("unusable", "all users have the same value"),
        "late_calls": ("descriptive", "rises with calls"),
        "calls": ("modelling", "filled, varies, like no other; stands for 3 others"),
        "twin_calls": ("descriptive", "rises with calls"),
        "fewer_calls": ("descriptive", "falls with calls"),
        "hardly_share": ("unusable", "more than 95 % of users have no value"),
        "never_calls": ("unusable", "no user has a value"),
        "is_all": ("unusable", "all users have the same value"),
        "is_rare": ("unusable", "more than 99.5 % of those with a value have the same"),
        "other_calls": ("modelling", "filled, varies, like no other"),
        "moved_calls": ("modelling", "filled, varies, like no other"),
    }


def test_leaders_are_read_by_models_and_no_two_say_the_same(found: Understood, settings: UnderstandingSettings) -> None:
    rows = by_name(found)
    for row in found.selection:
        assert (row["leader"] is None) == (row["role"] != "descriptive")
        if row["leader"]:
            assert rows[str(row["leader"])]["role"] == "modelling"
            assert abs(float(str(row["correlation"]))) >= settings.most_correlation
    assert rows["twin_calls"]["correlation"] == 1.0
    assert float(str(rows["fewer_calls"]["correlation"])) < -0.9
    loose = understood(MAY, month(1), month(2), GIVEN, settings.model_copy(update={"most_correlation": 1.0}))
    assert by_name(loose)["fewer_calls"]["role"] == "modelling"
    assert by_name(loose)["twin_calls"]["leader"] == "calls"


def test_only_what_moved_is_said_to_have_moved(found: Understood, settings: UnderstandingSettings) -> None:
    rows = by_name(found)
    assert {name for name, row in rows.items() if row["drift"] != "none"} == {"moved_calls"}
    assert rows["moved_calls"]["drift"] == "great"
    assert float(str(rows["moved_calls"]["psi"])) > 0.25
    first = understood(MAY, month(1), month(2).head(0), GIVEN, settings)
    assert {(row["psi"], row["drift"]) for row in first.selection} == {(None, None)}


def test_the_profile_is_that_of_numpy(found: Understood) -> None:
    row, values = by_name(found)["calls"], month(1)["calls"]
    assert (row["users"], row["missing_share"], row["distinct_values"]) == (USERS, 0.0, values.nunique())
    assert row["common_share"] == values.value_counts().iloc[0] / USERS
    for name, expected in (("mean", values.mean()), ("deviation", values.std(ddof=0)), ("p25", values.quantile(0.25)), ("p99", values.quantile(0.99))):  # fmt: skip
        assert row[name] == pytest.approx(expected)
    edges, counts = row["edges"], row["counts"]
    assert isinstance(edges, list)
    assert isinstance(counts, list)
    assert (len(edges), len(counts), sum(counts)) == (17, 16, USERS)
    assert (edges[0], edges[-1]) == (row["p01"], row["p99"])
    brand = by_name(found)["brand"]
    assert (brand["levels"], brand.get("edges")) == (["easyown", "mzone", "gotone"], None)
    assert sum(brand["counts"]) == USERS  # type: ignore[call-overload]
    assert by_name(found)["late_calls"]["missing_share"] == pytest.approx(month(1)["late_calls"].isna().mean())


def test_rows_fit_their_tables(found: Understood) -> None:
    for table, rows in ((SELECTION, found.selection), (OUTLIERS, found.outliers)):
        for row in rows:
            assert set(row) <= set(table.names)
            assert {c.name for c in table.columns if not c.optional} <= {name for name, value in row.items() if value is not None}


def test_the_order_of_rows_does_not_matter(found: Understood, settings: UnderstandingSettings) -> None:
    shuffled = in_order(month(1, moved=1.5).sample(frac=1, random_state=9))
    assert understood(MAY, shuffled, month(2), GIVEN, settings) == found


def test_the_last_bit_of_a_number_does_not_matter(settings: UnderstandingSettings) -> None:
    given = month(1)
    parts = given.assign(other_calls=given["other_calls"] / 7, calls=given["calls"] / 3)
    nudged = parts.assign(other_calls=np.nextafter(parts["other_calls"], np.inf), calls=np.nextafter(parts["calls"], 0))
    assert not nudged.equals(parts)
    one, other = (understood(MAY, in_order(frame), month(2), GIVEN, settings) for frame in (parts, nudged))
    assert one == other
    assert in_order(parts.assign(calls=np.inf))["calls"].isna().all()


def test_bins_have_one_width_and_a_place_for_every_value() -> None:
    assert histogram_edges(np.array([0.0, 5.0]), 0.0, 4.0, 4).tolist() == [0, 1, 2, 3, 4]
    assert histogram_edges(np.array([0.0, 8.0]), 0.0, 0.0, 4).tolist() == [0, 2, 4, 6, 8], "most are zero: from least to greatest"
    assert histogram_edges(np.array([3.0]), 3.0, 3.0, 2).tolist() == [2.5, 3.0, 3.5]


def test_planted_outliers_come_in_the_view_they_are_most_extreme_in(settings: UnderstandingSettings) -> None:
    now = month(4)
    now.loc[:19, ["calls", "other_calls"]] = [90_000.0, 900.0]
    now.loc[20:26, ["calls", "other_calls"]] = [5_000.0, 800_000.0]
    now.loc[27, "other_calls"] = 10**9  # one extreme value may be a fault
    profiles = [
        p for p in profiled(MAY, now, now.head(0), GIVEN, settings) if p.indicator.name in ("calls", "other_calls", "is_rare")
    ]
    groups = outlier_groups(now, profiles, settings)
    assert [(g["view"], g["users"], g["share"]) for g in groups] == [("calls", 20, 0.02), ("fee structure", 7, 0.007)]
    assert {name for g in groups for name in g["indicators"]} == {"calls", "other_calls"}
    assert {p.indicator.name: p.figures["outliers"] for p in profiles} == {"calls": 27, "other_calls": 28, "is_rare": 0}


def test_zeros_flags_and_few_values_have_no_extremes(settings: UnderstandingSettings) -> None:
    assert reach_of(np.ones(500), settings) is None
    assert reach_of(np.arange(1.0, 20.0), settings) is None
    few_do = np.concatenate([np.zeros(900), np.round(np.random.default_rng(1).lognormal(2, 0.3, 100))])
    reach = reach_of(few_do, settings)
    assert reach is not None
    assert reach.beyond(np.array([0.0, 7.0, np.nan])).tolist() == [0, 0, 0]
    assert reach.beyond(np.array([5000.0]))[0] > 0
    assert reach.beyond(np.array([-5000.0]))[0] > 0


def test_a_sample_has_every_indicator_in_the_type_it_is_looked_at() -> None:
    told = columns_of(INDICATORS)
    assert len(told) == 1 + len(INDICATORS)
    assert "cast(brand as string) as brand" in told
    assert "cast(usage_fee_yuan as double) as usage_fee_yuan" in told


def test_conditions_of_abnormal_users_name_columns_there_are(settings: UnderstandingSettings) -> None:
    assert len(settings.abnormal) == 5, "no use, forwarding, competitor's hotline, revenue collapse, messages (mission, A7)"
    for condition in settings.abnormal.values():
        named = {c.name for c in sqlglot.parse_one(condition, dialect="spark").find_all(exp.Column)}
        assert named
        assert named <= set(MONTHLY.names)
    assert settings.sample_by in MONTHLY.names


@pytest.mark.parametrize(
    ("month", "length", "before"), [(MAY, 31, 30), (dt.date(2005, 3, 1), 31, 28), (dt.date(2005, 2, 1), 28, 31)]
)
def test_the_calendar_is_no_drift(settings: UnderstandingSettings, month: dt.date, length: int, before: int) -> None:
    """Users as active as ever, in a month of another length."""
    chance = np.random.default_rng(6)
    habit = np.where(chance.random(4000) < 0.3, 1.0, chance.beta(6, 2, 4000))

    def days(n: int) -> pd.DataFrame:
        used = chance.binomial(n, habit)
        return pd.DataFrame({"user_id": np.arange(4000), "own_days": used.astype(float), "other_days": used.astype(float)})

    asked = [Indicator("own_days", MONTH_DAYS, "Days.", monthly="x"), Indicator("other_days", DAYS, "Days.", monthly="x")]
    own, other = profiled(month, days(length), days(before), asked, settings)
    assert own.figures["drift"] == "none"
    assert other.figures["psi"] > own.figures["psi"]
    assert own.figures["greatest"] == length, "only the drift is of shares"


def test_what_counts_days_of_the_month_says_so() -> None:
    told = [i for i in (*INDICATORS, *ALL_ITEMS) if i.name.endswith("_days") and "in_month" in i.monthly and "count" in i.monthly]
    assert len(told) >= 20
    assert {i.unit for i in told} == {MONTH_DAYS}
