"""Settings are layered and strict; no JVM needed."""

import re
from pathlib import Path

import pytest
import yaml

from churnlake.core.errors import SettingsError
from churnlake.core.runs import Days, parse_days
from churnlake.core.settings import conf_folder, load
from churnlake.settings import Settings


def test_base_and_local_make_whole_settings() -> None:
    settings = load(Settings, "local")
    assert settings.reentry.gap_least_days == -60
    assert settings.store.allow_demo_key


def test_set_wins_over_files_and_keeps_the_rest() -> None:
    settings = load(Settings, "local", ["reentry.least_probability=0.6", "churn.silent_days.gotone=80"])
    assert settings.reentry.least_probability == 0.6
    assert settings.churn.silent_days == {"gotone": 80, "easyown": 60, "mzone": 60}


def test_nothing_after_the_equals_sign_is_an_empty_text() -> None:
    assert load(Settings, "local", ["privacy.erase_file="]).privacy.erase_file == ""


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("reentry.least_overlapp=0.4", "unknown setting 'reentry.least_overlapp'; there are .*least_probability"),
        ("reentri.x=1", "unknown setting 'reentri'; there are .*reentry"),
        ("reentry.hub_users=many", "setting 'reentry.hub_users': .*integer"),
        ("nonsense", "write it as key=value"),
        ("store.looks_back_days=-3", "setting 'store.looks_back_days': .*greater than or equal to 0"),
        ("store.city_zone=Asia/Nowhere", "setting 'store.city_zone': there is no time zone 'Asia/Nowhere'"),
        ("store.landing=s3://x/y", "setting 'store.landing': .*give a local or mounted folder"),
        ("store.lake=", "setting 'store.lake': .*at least 1 character"),
        ("quality.most_bad_share=7", "setting 'quality.most_bad_share': .*less than or equal to 1"),
        ("circles.weekly_decay=5", "setting 'circles.weekly_decay': .*less than or equal to 1"),
        ("landing.own_prefixes=[]", "setting 'landing.own_prefixes': .*at least 1 item"),
    ],
)
def test_a_wrong_setting_is_named(override: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        load(Settings, "local", [override])


def test_an_unknown_environment_names_those_there_are() -> None:
    with pytest.raises(SettingsError, match=r"no environment 'moon'; there are .*local"):
        load(Settings, "moon")


def test_a_missing_setting_and_broken_yaml_are_named(tmp_path: Path) -> None:
    base = yaml.safe_load((conf_folder() / "base.yaml").read_text())
    del base["reentry"]["hub_users"]
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(base))
    (tmp_path / "local.yaml").write_text("")
    with pytest.raises(SettingsError, match=r"setting 'reentry\.hub_users' is missing"):
        load(Settings, "local", folder=tmp_path)
    (tmp_path / "local.yaml").write_text("a: [")
    with pytest.raises(SettingsError, match=r"local\.yaml is not YAML"):
        load(Settings, "local", folder=tmp_path)


def test_numbers_in_base_carry_their_source() -> None:
    text = (conf_folder() / "base.yaml").read_text().partition("\nrunner:")[0]
    numbers = [line for line in text.splitlines() if re.search(r":\s+[\d.]+\s*(#|$)", line)]
    told = [line for line in numbers if "#" in line]
    assert len(numbers) > 40
    assert len(told) >= 0.8 * len(numbers), sorted(set(numbers) - set(told))


@pytest.mark.parametrize("text", ["2005-5-1", "2005-13-01", "2005-05-01..", "2005-05-02..2005-05-01", "yesterday", "2005-02-30"])
def test_malformed_dates_are_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="--dates"):
        parse_days(text)


def test_days_know_the_months_they_complete() -> None:
    days = parse_days("2005-01-15..2005-03-30")
    assert [str(m) for m in days.months()] == ["2005-01-01", "2005-02-01"]
    assert parse_days("2005-01-31") == Days(days.first.replace(day=31), days.first.replace(day=31))
    assert [str(m) for m in parse_days("2005-01-31").months()] == ["2005-01-01"]
