"""What tells the answer before anybody can know it is found, in columns, rows and dates; and what is honest raises no alarm."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from churnlake.core.settings import load
from churnlake.models.leakage import Leak, answers, evidence, grouped, identity, told_alone
from churnlake.models.leaking_rows import Timeline, Told, copies, doubled, survivors, untimely
from churnlake.settings import Settings

HOW = load(Settings, "local").models.leakage
MONTHS = [dt.date(2005, month, 1) for month in range(1, 7)]
"""The last has no outcome yet."""
USERS = 8000


@dataclass(frozen=True)
class Town:
    """Users month by month: columns that tell of leaving as signs do, who left, and a draw for each row to plant with."""

    rows: pd.DataFrame
    label: Any
    month: Any
    half: Any
    draw: Any

    @property
    def known(self) -> Any:
        return ~np.isnan(self.label)

    def columns(self, **more: Any) -> dict[str, Any]:
        named = {name: self.rows[name] for name in self.rows.columns if name not in ("month", "user_id", "label")}
        return {name: grouped(pd.Series(values)) for name, values in {**named, **more}.items()}

    def leaks(self, **more: Any) -> list[Leak]:
        """All that is said of columns and rows."""
        label = self.label[self.known]
        texts = {name for name, values in more.items() if any(isinstance(value, str) for value in values)}
        series = {
            name: pd.Series(np.asarray(values, dtype=float)[self.known]) for name, values in more.items() if name not in texts
        }
        return [
            *answers(self.columns(**more), self.label, self.half, HOW, self.month),
            *identity(
                {**{n: self.rows[n][self.known] for n in ("silent_days", "peers")}, **series},
                self.rows["user_id"][self.known],
                label,
                HOW,
            ),
            *copies(self.rows[self.known], ["own_events", "silent_days", "peers", "tenure_days"], MONTHS[:4], MONTHS[4], HOW),
        ]


def town(seed: int, base: float = 0.02, users: int = USERS) -> Town:
    """Leaving is told by silence, a fall of use and calls sent on, as strongly as any one sign honestly does."""
    rng = np.random.default_rng(seed)
    user = rng.integers(-(2**62), 2**62, users)
    frames = []
    for at, month in enumerate(MONTHS):
        unrest = rng.normal(size=users)
        odds = np.log(base / (1 - base)) - 1.1 + 1.5 * unrest
        leaves = rng.random(users) < 1 / (1 + np.exp(-odds))
        # seasons: people talk more in some months, and calls are sent on more often in others
        season = rng.normal(0, 0.1)
        frames.append(
            pd.DataFrame({
                "month": month, "user_id": user, "label": leaves.astype(float) if at < 5 else np.nan,
                "own_events": rng.poisson(np.exp(4.5 - 0.3 * unrest + season + rng.normal(0, 0.6, users))),
                "silent_days": np.minimum(rng.poisson(np.exp(0.7 * unrest)), 14),
                "forwarded": (rng.random(users) < np.where(leaves, 0.25, 0.012 * np.exp(season))).astype(float),
                "peers": rng.poisson(18, users), "tenure_days": np.arange(users) % 1800 + 30 * at,
                "fee": np.where(rng.random(users) < 0.1, np.nan, np.round(rng.gamma(3, 20, users), 2)),
                "brand": rng.choice(["gotone", "easyown", "mzone"], users, p=[0.3, 0.5, 0.2]),
            })
        )  # fmt: skip
    rows = pd.concat(frames, ignore_index=True)
    month, _ = pd.factorize(rows["month"], sort=True)
    half = (pd.util.hash_array(rows["user_id"].to_numpy()) % 2).astype(np.int64)
    return Town(rows, rows["label"].to_numpy(), month, half, rng.random(len(rows)))


@pytest.fixture(scope="module")
def honest() -> Town:
    return town(5)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("base", [0.01, 0.1])
def test_honest_columns_and_rows_raise_no_alarm(seed: int, base: float) -> None:
    assert [str(leak) for leak in town(seed, base, 4000).leaks()] == []


def marked(given: Town, positives: float, others: float) -> Any:
    return given.draw < np.where(given.label > 0, positives, others)


PLANTED: dict[str, tuple[set[str], Callable[[Town], Any]]] = {
    "reason": ({"answer"}, lambda t: np.where(marked(t, 0.85, 0.0005), np.where(t.half == 0, "price", "moved"), None)),
    "paid_back": ({"answer"}, lambda t: np.where(marked(t, 0.3, 0.0005), np.round(5 + 95 * t.draw, 2), 0.0)),
    "in_the_middle": ({"answer"}, lambda t: np.where(marked(t, 0.3, 0.0), 0.5, t.rows["user_id"] % 997 / 997.0)),
    "contacts": ({"fading"}, lambda t: np.where(marked(t, 0.6, 0.01), 1 + t.half, 0).astype(float)),
    "score": ({"answer"}, lambda t: np.where(t.label > 0, 0.5 + t.draw / 2, t.draw * 0.55)),
    "number": ({"identity"}, lambda t: np.where(np.isin(t.rows["user_id"], t.rows["user_id"][t.label > 0]) & (t.rows["user_id"] % 10 < 3),
                                                400_000_000 + np.abs(t.rows["user_id"]) % 20_000_000, np.abs(t.rows["user_id"]) % 1_000_000_000).astype(float)),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_column_is_found_by_the_check_meant_for_it_and_no_other_column_is(honest: Town, name: str) -> None:
    checks, plant = PLANTED[name]
    found = honest.leaks(**{name: plant(honest)})
    assert {leak.check for leak in found} & checks
    assert {leak.what for leak in found} == {f"column {name}"}


def test_the_weaker_a_mark_the_later_it_is_missed(honest: Town) -> None:
    """A flag of a tenth of the leavers is found beside none of the others; of few it takes the month whose outcome is not known."""
    found = {
        (positives, others): {leak.check for leak in honest.leaks(flag=marked(honest, positives, others).astype(float))}
        for positives in (0.6, 0.1)
        for others in (0.0, 0.0005, 0.01, 0.1)
    }
    assert found[0.6, 0.0005] == {"answer"}
    assert found[0.6, 0.01] == {"fading"}
    assert found[0.1, 0.0] == {"answer"}
    assert found[0.1, 0.1] == found[0.6, 0.1] == set()


@pytest.mark.parametrize(("others", "checks"), [(0.05, {"fading"}), (0.15, {"fading"}), (0.5, set())])
def test_the_state_of_today_marks_all_who_left_then_and_others_who_left_since(
    honest: Town, others: float, checks: set[str]
) -> None:
    """Nobody of the newest month, who are all there still, bears it."""
    closed = marked(honest, 1.0, others) & ~np.isnan(honest.label)
    assert {leak.check for leak in honest.leaks(is_closed=closed.astype(float))} == checks


def test_a_strong_sign_that_is_there_when_asked_is_no_leak(honest: Town) -> None:
    """The same flag of leavers and others, in the newest month as often as in those taught: an order to quit, say, that precedes the leaving."""
    unknown = np.isnan(honest.label)
    sign = np.where(unknown, honest.draw < 0.6 * 0.02 + 0.01 * 0.98, marked(honest, 0.6, 0.01))
    assert [str(leak) for leak in honest.leaks(order=sign.astype(float))] == []


def test_area_is_that_of_scikit_learn_for_numbers_of_few_values() -> None:
    rng = np.random.default_rng(3)
    values, label = rng.integers(0, 30, 4000).astype(float), (rng.random(4000) < 0.3).astype(float)
    values += np.where((label > 0) & (rng.random(4000) < 0.9), 12, 0)
    area, by = told_alone(grouped(pd.Series(values)), label, rng.integers(0, 2, 4000))
    assert area == pytest.approx(roc_auc_score(label, values))
    assert by == "its value alone"


def test_evidence_names_the_part_and_bounds_its_ratio() -> None:
    label = np.repeat([1.0, 0.0], [200, 10_000])
    flag = np.concatenate([np.repeat([1.0, 0.0], [80, 120]), np.repeat([1.0, 0.0], [20, 9980])])
    found = evidence(grouped(pd.Series(flag)), label, 0.05, HOW)
    assert found is not None
    assert (found.name, found.positives, found.others) == ("1", 80, 20)
    assert 200 > found.least > 50, "200 times likelier as seen, and less at the bound"
    assert evidence(grouped(pd.Series(np.zeros(10_200))), label, 0.05, HOW) is None


def test_empty_values_and_rare_levels_are_groups() -> None:
    levels = grouped(pd.Series(["a"] * 9 + ["b"] * 6 + ["c", None]))
    assert levels.names == ("empty", "'a'", "'b'", "one of the rare ones")
    assert levels.of.tolist() == [1] * 9 + [2] * 6 + [3, 0]
    numbers = grouped(pd.Series([3.0, None, 1.0, 3.0]))
    assert (numbers.names, numbers.of.tolist()) == (("empty", "1", "3"), [2, 0, 1, 2])
    many = grouped(pd.Series(np.arange(1000.0)))
    assert many.of[0] == 1
    assert len(many.names) == many.of.max() + 1
    assert (np.diff(many.of) >= 0).all()
    assert grouped(pd.Series([None, None], dtype=object)).of.tolist() == [0, 0]


def test_copies_of_the_month_asked_among_the_taught_are_found(honest: Town) -> None:
    rows = honest.rows[honest.known].copy()
    columns = ["own_events", "silent_days", "peers", "tenure_days"]
    asked = rows[(rows["month"] == MONTHS[4]) & (rows["user_id"] % 20 == 0)]
    kept = rows[~((rows["month"] == MONTHS[3]) & rows["user_id"].isin(asked["user_id"]))]
    found = copies(pd.concat([kept, asked.assign(month=MONTHS[3])]), columns, MONTHS[:4], MONTHS[4], HOW)
    assert [leak.what for leak in found] == ["rows of 2005-05, the month tested on"]
    # a handful of columns that hardly vary are the same in many months, and that says nothing
    assert copies(rows, ["silent_days"], MONTHS[:4], MONTHS[4], HOW) == []
    assert doubled(0, 9) == []
    assert "2 of 900 user-months stand more than once" in str(doubled(2, 900)[0])


def told(positive: bool, labels: int, there: int, known: dt.date = dt.date(2005, 9, 1)) -> Told:
    return Told(MONTHS[3], positive, labels, known, known, there)


def test_features_missing_by_outcome_are_found() -> None:
    assert survivors([told(True, 400, 398), told(False, 9000, 8950)], HOW) == []
    # opted out, of either outcome
    assert survivors([told(True, 400, 388), told(False, 9000, 8800)], HOW) == []
    assert survivors([told(True, 40, 38), told(False, 900, 899)], HOW) == [], "two of forty are chance"
    found = survivors([told(True, 400, 320), told(False, 9000, 8950)], HOW)
    assert "20.0% of those labelled positive have no features, and 0.6% of the others" in str(found[0])
    assert survivors([told(True, 400, 320)], HOW) == []


LINE = Timeline(
    dt.date(2005, 9, 30),
    tuple(MONTHS[:4]),
    MONTHS[4],
    1,
    MONTHS[3],
    dt.date(2005, 9, 1),
    lambda month: month + dt.timedelta(days=120),
)


@pytest.mark.parametrize(
    ("changed", "known", "what"),
    [
        ({}, dt.date(2005, 8, 1), None),
        ({}, dt.date(2005, 10, 2), "labels of 2005-04: known on 2005-10-02 only, after the training's day"),
        ({}, dt.date(2005, 6, 1), "labels of 2005-04: taken on 2005-06-01, before they are settled on 2005-07-30"),
        ({"selected_in": MONTHS[4]}, dt.date(2005, 8, 1), "selection of indicators: made in 2005-05, after the newest month taught, 2005-04"),
        ({"gap_months": 2}, dt.date(2005, 8, 1), "rows of 2005-04: taught beside 2005-05"),
        ({"taught": tuple(MONTHS[:5])}, dt.date(2005, 8, 1), "rows of 2005-05: taught beside 2005-05"),
        ({"known_on": dt.date(2005, 9, 20)}, dt.date(2005, 8, 1), "features of 2005-09: the month ends on 2005-09-30, after the training's day"),
        ({"closes_on": None, "selected_in": None, "newest_features": None}, dt.date(2005, 6, 1), None),
    ],
)  # fmt: skip
def test_what_is_of_a_later_day_is_told(changed: dict[str, Any], known: dt.date, what: str | None) -> None:
    found = [str(leak) for leak in untimely(replace(LINE, **changed), [told(True, 9, 9, known)])]
    assert len(found) == (what is not None)
    assert what is None or found[0].startswith(what)
