"""Bands learnt from past days, fixed limits, and the verdict of each day by itself."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest
import yaml

from churnlake.core.quality import each_between
from churnlake.core.runs import Days
from churnlake.core.settings import conf_folder
from churnlake.quality.bands import Asked, learnt_checks, since, with_missing_days
from churnlake.quality.checks import fixed_checks
from churnlake.quality.scores import Known, failures, results_by_day, told
from churnlake.quality.settings import QualitySettings
from churnlake.tables.clean import SMS, VOICE, WAP

D1, D2, D3 = dt.date(2005, 5, 1), dt.date(2005, 5, 2), dt.date(2005, 5, 3)


@pytest.fixture(scope="module")
def settings() -> QualitySettings:
    return QualitySettings.model_validate(yaml.safe_load((conf_folder() / "base.yaml").read_text(encoding="utf-8"))["quality"])


def measured(table: str, measure: str, values: dict[dt.date, float], weight: float = 10_000.0) -> pd.DataFrame:
    """Rows of quality.profiles: one measure of a table, by day."""
    made = [{"day": day, "table_name": table, "measure": measure, "value": v, "weight": weight} for day, v in values.items()]
    return pd.DataFrame(made)


def verdicts(asked: list[Asked]) -> dict[dt.date, tuple[bool, str]]:
    return {one.day: (one.has_passed, one.check.severity) for one in asked}


MONDAY = dt.date(2005, 6, 6)
WEEKS = [MONDAY + dt.timedelta(days=i) for i in range(42)]


def usual(day: dt.date) -> float:
    """Rows of a day: weekends have half, and days vary by a few in a hundred."""
    return (5_000 if day.weekday() >= 5 else 10_000) * (1 + 0.02 * ((day.toordinal() * 7) % 5 - 2))


def test_a_day_that_is_not_there_has_no_rows() -> None:
    seen = measured("clean.sms", "rows", {D1: 50.0, D3: 40.0})
    found = with_missing_days(seen, ["clean.sms"], D3 + dt.timedelta(days=1))
    rows = dict(zip(found["day"], found["value"], strict=True))
    assert rows == {D1: 50.0, D2: 0.0, D3: 40.0, D3 + dt.timedelta(days=1): 0.0}
    assert len(with_missing_days(seen, ["clean.wap"], D3)) == 2, "a table that need not have rows every day is left alone"
    few = measured("clean.sms", "rows", {D1: 5.0, D3: 4.0})
    assert len(with_missing_days(few, ["clean.sms"], D3)) == 2, "so is one with a handful of rows a day"


def test_a_band_knows_weekends_and_judges_only_with_enough_days(settings: QualitySettings) -> None:
    asked = learnt_checks(
        measured("clean.voice", "rows", {day: usual(day) for day in WEEKS}), Days(WEEKS[0], WEEKS[-1]), settings
    )
    assert min(one.day for one in asked) == WEEKS[14]
    assert all(one.has_passed for one in asked)
    sunday = {**{day: usual(day) for day in WEEKS}, WEEKS[-1]: 10_000.0}
    found = verdicts(learnt_checks(measured("clean.voice", "rows", sunday), Days(WEEKS[-1], WEEKS[-1]), settings))
    assert found == {WEEKS[-1]: (False, "error")}, "a workday's volume is too much for a Sunday"


@pytest.mark.parametrize(("factor", "expected"), [(1.0, (True, "warn")), (0.75, (False, "warn")), (0.3, (False, "error"))])
def test_a_day_far_outside_is_an_error_and_a_little_outside_a_warning(
    settings: QualitySettings, factor: float, expected: tuple[bool, str]
) -> None:
    days = WEEKS[:40]
    values = {day: usual(day) * (factor if day == days[-1] else 1) for day in days}
    assert verdicts(learnt_checks(measured("clean.voice", "rows", values), Days(days[-1], days[-1]), settings)) == {
        days[-1]: expected
    }


def test_a_band_is_learnt_from_earlier_days_alone(settings: QualitySettings) -> None:
    values = {day: usual(day) for day in WEEKS}
    cut = Days(WEEKS[0], WEEKS[30])
    whole = learnt_checks(measured("clean.voice", "rows", {**values, **dict.fromkeys(WEEKS[31:], 1.0)}), cut, settings)
    assert whole == learnt_checks(measured("clean.voice", "rows", {day: values[day] for day in WEEKS[:31]}), cut, settings)


def test_bad_days_do_not_teach_until_they_are_the_new_normal(settings: QualitySettings) -> None:
    shifted = {day: usual(day) * (1 if i < 21 else 3) for i, day in enumerate(WEEKS)}
    found = verdicts(learnt_checks(measured("clean.voice", "rows", shifted), Days(WEEKS[21], WEEKS[-1]), settings))
    outside = [day for day, (passed, _) in found.items() if not passed]
    assert outside == WEEKS[21 : 21 + settings.new_normal_days]
    again = {**{day: usual(day) for day in WEEKS}, **dict.fromkeys(WEEKS[21:24], 100.0)}
    found = verdicts(learnt_checks(measured("clean.voice", "rows", again), Days(WEEKS[21], WEEKS[-1]), settings))
    assert [day for day, (passed, _) in found.items() if not passed] == WEEKS[21:24]


def test_messages_of_a_public_holiday_and_roaming_of_a_travel_season_are_no_fault(settings: QualitySettings) -> None:
    days = [dt.date(2005, 1, 4) + dt.timedelta(days=i) for i in range(37)]
    eve = dt.date(2005, 2, 8)
    messages = measured("clean.sms", "rows", {day: 5 * 5_000 if day == eve else usual(day) for day in days})
    assert verdicts(learnt_checks(messages, Days(eve, eve), settings)) == {eve: (True, "warn")}
    roaming = measured("clean.voice", "roaming_share", {day: 0.1 if day == days[-1] else 0.05 for day in days})
    assert verdicts(learnt_checks(roaming, Days(days[-1], days[-1]), settings)) == {days[-1]: (True, "warn")}
    at_home = settings.model_copy(update={"public_holidays": [], "travel_seasons": []})
    assert verdicts(learnt_checks(messages, Days(eve, eve), at_home)) == {eve: (False, "error")}
    assert verdicts(learnt_checks(roaming, Days(days[-1], days[-1]), at_home)) == {days[-1]: (False, "warn")}


def test_calls_made_roaming_by_mistake_are_found_in_and_after_a_travel_season(settings: QualitySettings) -> None:
    """The season's own ebb and flow once made its bands so wide that half of a day's calls could turn to roaming unseen."""

    def away(day: dt.date) -> float:
        """Rising from 4 % on 25 January to 25 % at Spring Festival, back to 4 % on 27 February."""
        return 0.04 + 0.21 * max(0.0, 1 - abs((day - dt.date(2005, 2, 9)).days) / 16)

    days = [dt.date(2005, 1, 1) + dt.timedelta(days=i) for i in range(80)]
    sound = {day: away(day) * (1 + 0.1 * ((day.toordinal() * 7) % 5 - 2)) for day in days}
    asked = learnt_checks(measured("clean.voice", "roaming_share", sound), Days(days[20], days[-1]), settings)
    assert asked
    assert all(one.has_passed for one in asked)
    for wrong in (dt.date(2005, 2, 4), dt.date(2005, 3, 3), dt.date(2005, 3, 13)):
        told = measured("clean.voice", "roaming_share", {**sound, wrong: 0.5 + sound[wrong] / 2})
        assert not verdicts(learnt_checks(told, Days(wrong, wrong), settings))[wrong][0], wrong


def test_fewer_unknown_cells_are_no_fault_and_few_rows_say_little(settings: QualitySettings) -> None:
    day = WEEKS[-1]

    def judged(value: float, weight: float) -> bool:
        seen = measured("clean.voice", "unknown_cell_share", {d: value if d == day else 0.1 for d in WEEKS}, weight)
        return verdicts(learnt_checks(seen, Days(day, day), settings))[day][0]

    assert (judged(0.0, 10_000), judged(0.2, 10_000), judged(0.2, 100)) == (True, False, True)


def test_a_band_that_holds_whatever_happens_is_not_asked(settings: QualitySettings) -> None:
    seen = measured("clean.wap", "bad_share", dict.fromkeys(WEEKS, 0.5), weight=5)
    assert learnt_checks(seen, Days(WEEKS[-1], WEEKS[-1]), settings) == []


def test_a_slow_clock_shows_in_the_hours(settings: QualitySettings) -> None:
    def hours(day: dt.date) -> pd.DataFrame:
        late = 5 if day == WEEKS[-1] else 0
        shares = {hour: 2 / 48 if 8 <= (hour + late) % 24 < 24 else 1 / 48 for hour in range(24)}
        total = sum(shares.values())
        return pd.concat([measured("clean.voice", f"hour_{h:02d}_share", {day: v / total}) for h, v in shares.items()])

    found = learnt_checks(pd.concat([hours(day) for day in WEEKS]), Days(WEEKS[14], WEEKS[-1]), settings)
    assert [one.day for one in found if not one.has_passed] == [WEEKS[-1]]
    assert {one.check.column_name for one in found} == {"hour_drift"}


def test_a_failure_is_told_since_it_began(settings: QualitySettings) -> None:
    assert since({D1: True, D2: False, D3: False}, D3) == D2
    check = each_between("clean.sms", "few bad", "bad_share", "validity", most=0.1)
    by_day = results_by_day([Asked(day, check, value) for day, value in ((D1, 0.0), (D2, 0.5), (D3, 0.6))])
    found = failures(by_day, Known())
    assert [(one["day"], one["since"], one["severity"]) for one in found] == [
        ("2005-05-03", "2005-05-02", "error"),
        ("2005-05-02", "2005-05-02", "error"),
    ]
    assert told(found[0]) == ("error 2005-05-03 clean.sms: few bad (bad_share 0.6, expected at most 0.1, since 2005-05-02)")


def test_a_limit_on_a_share_waits_for_rows_and_each_day_is_judged_alone(settings: QualitySettings) -> None:
    def bad(weight: float) -> dict[dt.date, tuple[bool, str]]:
        seen = pd.concat(
            [
                measured("clean.sms", "rows", {D1: weight, D2: weight}),
                measured("clean.sms", "bad_share", {D1: 0.6, D2: 0.0}, weight),
            ]
        )
        asked = fixed_checks(seen, {"clean.sms": SMS}, Days(D1, D2), settings, ["clean.sms"])
        return verdicts([one for one in asked if one.check.column_name == "bad_share"])

    assert bad(10_000) == {D1: (False, "error"), D2: (True, "error")}
    assert bad(20) == {}


def test_checks_ask_only_what_the_profile_holds(settings: QualitySettings) -> None:
    seen = pd.concat([measured("clean.voice", "rows", {D1: 600.0}), measured("clean.voice", "bad_share", {D1: 0.0})])
    asked = fixed_checks(seen, {"clean.voice": VOICE, "clean.wap": WAP}, Days(D1, D3), settings, [])
    assert {(one.day, one.check.table_name, one.check.column_name) for one in asked} == {
        (D1, "clean.voice", "rows"),
        (D1, "clean.voice", "bad_share"),
    }
