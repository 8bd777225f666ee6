from __future__ import annotations

from pathlib import Path

import pytest

from churnlake.city import habits
from churnlake.city.discontent import onset_rate
from churnlake.city.people import offnet_people
from churnlake.city.settings import CityScenario, scenario
from churnlake.core.errors import SettingsError
from churnlake.evaluate.shape import SPAN_DAYS


@pytest.fixture(scope="module")
def tiny() -> CityScenario:
    return scenario("tiny")


def test_tiny_takes_the_rest_from_standard(tiny: CityScenario) -> None:
    standard = scenario("standard")
    assert (tiny.name, tiny.users, standard.users) == ("tiny", 200, 2000)
    assert tiny.plans == standard.plans
    assert tiny.leaving.causes == standard.leaving.causes
    assert tiny.leaving.monthly != standard.leaving.monthly


def test_the_city_cut_to_the_copenhagen_data_is_four_weeks_of_calls_and_sms_among_themselves() -> None:
    found = scenario("copenhagen")
    assert found.days == SPAN_DAYS
    assert found.newcomers == 0
    assert (found.circles.hubs, found.circles.kinds["offnet"], found.records.mix["mms"]) == (0, 0, 0)
    assert found.records.mix["voice"] + found.records.mix["sms"] == pytest.approx(1)
    assert scenario("standard").circles.hubs == 1


def test_deliveries_are_weekly_and_end_with_the_last_day(tiny: CityScenario) -> None:
    assert tiny.days == 181
    assert str(tiny.deliveries[0]) == "2005-01-07"
    assert tiny.deliveries[-1] == tiny.last_day
    assert len(tiny.deliveries) == 26


@pytest.mark.parametrize("key", ["mix", "bout"])
def test_each_service_needs_its_number(tiny: CityScenario, key: str) -> None:
    values = tiny.model_dump()
    del values["records"][key]["wap"]
    with pytest.raises(ValueError, match=f"records.{key}\s+Value error, needs a number for each of voice, sms, mms, wap"):
        CityScenario.model_validate(values)


def test_causes_and_mix_add_up() -> None:
    standard = scenario("standard")
    assert sum(standard.records.mix.values()) == pytest.approx(1)
    assert sum(cause.weight for cause in standard.leaving.causes.values()) == pytest.approx(1)
    assert sum(standard.leaving.weights.values()) == pytest.approx(1)
    assert standard.leaving.back == pytest.approx(0.42, abs=0.05)
    assert sum(persona.share for persona in standard.personas.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("name", "prior", "decoys"), [("standard", 0.30, 1.5), ("hard", 0.22, 3.0), ("sparse", 0.10, 1.5), ("flood", 0.55, 0.5)]
)
def test_priors_and_decoys_are_those_asked_for(name: str, prior: float, decoys: float) -> None:
    city = scenario(name)
    again = city.users * (city.leaving.monthly * city.leaving.back * (city.days - 20) / 30.4 + city.coming.partial)
    beside = city.users * city.coming.second_number + city.coming.renumbered
    assert again / (again + city.newcomers + beside) == pytest.approx(prior, abs=0.02)
    assert (city.newcomers * sum(city.coming.decoys.values()) + beside) / again >= decoys


def test_weights_of_causes_are_relative(tiny: CityScenario) -> None:
    causes = {name: cause.model_copy(update={"weight": 10 * cause.weight}) for name, cause in tiny.leaving.causes.items()}
    heavy = tiny.model_copy(update={"leaving": tiny.leaving.model_copy(update={"causes": causes})})
    assert onset_rate(heavy) == pytest.approx(onset_rate(tiny))
    assert heavy.leaving.onsets == pytest.approx(tiny.leaving.onsets)


def test_festival_brings_messages_and_few_calls(tiny: CityScenario) -> None:
    day = (tiny.festival - tiny.first_day).days
    sms, voice = habits.calendar(tiny, "sms"), habits.calendar(tiny, "voice")
    assert sms[day - 1] > 4 * sms[day - 8]
    assert voice[day + 2] < voice[day - 5]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("like: tiny\nuserz: 3\n", "userz"),
        ("like: nowhere\n", "nowhere"),
        ("like: tiny\nlast_day: 2004-01-01\n", "last_day"),
        ("like: tiny\nusers: 3\n", "users"),
        ("- a\n", "keys and values"),
        ("a: [", "not YAML"),
        ("like: odd\n", "circle"),
        ("like: ./tiny.yaml\n", "name of a scenario"),
        ("like: tiny\nfirst_day: 2005-02-30\n", "day is out of range"),
        ("like: tiny\ncircles: {pool: 0}\n", "circles.pool: .*greater than 0"),
        ("like: tiny\ncircles: {kinds: {neighbour: 0, colleague: 0, wide: 0, offnet: 0}}\n", "circles.kinds: must not all be 0"),
        ("like: tiny\ncells: 0\n", "cells: .*greater than or equal to 1"),
        ("like: tiny\nfiles_per_delivery: 0\n", "files_per_delivery"),
        ("like: tiny\nrecords: {per_user_day: .inf}\n", "records.per_user_day"),
        ("like: tiny\nrecords: {imei_missing: 2}\n", "records.imei_missing"),
        ("like: tiny\ncoming: {copied: {kin: [0.9, 0.2]}}\n", "coming.copied.kin: goes from 0.9 to 0.2"),
        ("like: tiny\ncoming: {gap_days: [110, -55]}\n", "coming.gap_days"),
        ("like: tiny\ncoming: {decoys: {kin: -0.1}}\n", "coming.decoys.kin"),
        ("like: tiny\npersonas: {office: {ages: [50, 20]}}\n", "personas.office.ages"),
        (f"like: tiny\npersonas: {{office: {{weekday: {[0] * 24}}}}}\n", "personas.office.weekday: must not all be 0"),
        ("like: tiny\nservices: {news: {takers: {martian: 0.5}}}\n", "no way of life martian"),
        ("like: tiny\ncoming: {renumbered: 4000}\n", "coming.renumbered"),
        ("like: tiny\ncoming: {decoys: {martian: 0.01}}\n", "coming.decoys: knows no kind martian; there are kin"),
        ("like: tiny\ncoming: {decoys: {kin: 0.9, friend: 0.2}}\n", "coming.decoys: must not add up to more than 1"),
        ("like: tiny\ncoming: {motives: {boredom: {plan: 1}}}\n", "coming.motives knows no cause boredom"),
        ("like: tiny\npersonas: {office: {brands: {jazz: 1}}}\n", "no plan for the brand jazz"),
        ("like: tiny\ncoming: {gap_near_days: 60}\n", "gap_days must reach further than gap_near_days"),
        ('like: tiny\nplans: {GT50: {brand: "go\'tone"}}\n', "plans.GT50.brand: .*match pattern"),
        ("like: tiny\nplans: {GT50: {local: 4000000000}}\n", "plans.GT50.local: .*less than"),
        ("like: tiny\nleaving: {causes: {price: {back: 0.9, competitor: 0.9}}}\n", "leaving.causes.price: back and competitor"),
        ("like: tiny\nleaving: {brand_risk: {jazz: 1}}\n", "no plan for the brand jazz.*; there are easyown"),
        ("like: tiny\ncircles: {kinds: {moon: 0.5}}\n", "circles.kinds: needs a number for each of neighbour"),
        ("like: tiny\ncircles: {ties: {moon: 0.5}}\n", "circles.ties: needs a number for each of household"),
        ("like: tiny\nplans: {GT50: {name: 'a, b'}}\n", "plans.GT50.name: .*match pattern"),
        ("like: tiny\nusers: 99999999999999999999999\n", "users: .*less than"),
        ("like: tiny\ncoming: {reentry_share: 0}\n", "coming.reentry_share"),
        ("like: tiny\nusers: 300\nusers: 400\n", "users stands twice"),
    ],
)
def test_a_wrong_file_is_refused_in_words(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "odd.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=says):
        scenario(str(path))


def test_an_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(SettingsError, match=r"hard, .*noisy, .*standard, three_weeks, tiny"):
        scenario("nosuch")


def test_even_the_smallest_pool_holds_whole_hundreds_of_people_elsewhere(tiny: CityScenario) -> None:
    small = tiny.model_copy(update={"circles": tiny.circles.model_copy(update={"pool": 0.0001})})
    assert offnet_people(small) == 100
