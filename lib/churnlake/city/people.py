"""The people of the city: households, ways of life, brands, the numbers and papers they hold."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churnlake.city.dice import Dice, Shuffle
from churnlake.city.handsets import able
from churnlake.city.settings import CityScenario

SLOTS = 8
"""Numbers a person can hold in the time of the city; a number's serial is person * SLOTS + slot."""
MOST_SOUGHT = 500
"""Contacts that a person seeks at most."""
NETWORKS = {"mobile": 45, "fixed": 31, "far": 13, "phs": 9, "abroad": 2}
"""People of other networks in a hundred: the competitor's mobiles, fixed lines, other cities, little smart (PHS), other countries.

Of each hundred in the order of their ids the first 45 have a mobile, and so on: a network is known from the id.
"""
FAR = (NETWORKS["mobile"] + NETWORKS["fixed"], NETWORKS["far"])
"""Where in a hundred those of other cities begin, and how many they are."""
OTHER_CITIES = ("21", "20", "571", "311", "22", "531")
OTHER_COUNTRIES = ("8522", "8190", "1212", "8210")
HUBS: tuple[tuple[str, int, str, bool, float, float, float], ...] = (
    # name, number without leading zeros, network, one in each district, share of people in touch, calls a day, messages a day
    ("hotline", 1860, "hub", False, 0.50, 0.012, 0.0),
    ("hotline_billing", 1861, "hub", False, 0.20, 0.010, 0.02),
    ("competitor_hotline", 10010, "hub", False, 0.0, 0.0, 0.0),
    ("bank", 95588, "hub", False, 0.30, 0.004, 0.10),
    ("bank", 95533, "hub", False, 0.15, 0.004, 0.08),
    ("shop", 9680096, "hub", True, 0.10, 0.0, 0.06),
    ("weather", 121, "hub", False, 0.12, 0.02, 0.0),
    ("voicemail", 13800138000, "hub", False, 0.10, 0.03, 0.0),
    ("courier", 1064358801, "fixed", True, 0.10, 0.03, 0.0),
    ("courier", 1084752210, "fixed", True, 0.08, 0.03, 0.0),
    ("courier", 13301180021, "mobile", True, 0.06, 0.03, 0.01),
    ("taxi", 1068373399, "fixed", True, 0.12, 0.015, 0.0),
    ("wap", 10658001, "hub", False, 0.0, 0.0, 0.0),
    ("provider", 10668866, "hub", False, 0.0, 0.0, 6.0),
    ("ring_tones", 125300, "hub", False, 0.08, 0.01, 0.02),
    ("games", 10661588, "hub", False, 0.05, 0.0, 0.05),
    ("news", 10659988, "hub", False, 0.07, 0.0, 0.12),
)
"""Numbers that very many people are in touch with; messages come from the hub."""
DISTRICT = 30_000
"""Persons whom one courier, taxi or shop serves: in a big city there are many of them."""


def offnet_people(scenario: CityScenario) -> int:
    """How many people of other networks the city knows: whole hundreds."""
    return max(1, -(-round(scenario.persons * scenario.circles.pool) // 100)) * 100


def network(scenario: CityScenario, party: str) -> str:
    """SQL of the network of a person of another network, by its id."""
    place, reached, cases = f"pmod({party} - {scenario.persons}, 100)", 0, []
    for name, count in NETWORKS.items():
        reached += count
        cases.append(f"when {place} < {reached} then '{name}'")
    return "case " + " ".join(cases) + " end"


def districts(scenario: CityScenario) -> int:
    """How many couriers, taxis and shops of a kind there are."""
    return max(1, scenario.persons // DISTRICT)


def hub_id(scenario: CityScenario, name: str) -> int:
    """The party id of the first hub of that name."""
    return first_hub(scenario) + [hub[0] for hub in HUBS].index(name) * districts(scenario)


def first_hub(scenario: CityScenario) -> int:
    """The party id with which hubs begin; each kind has as many ids as there are districts."""
    return scenario.persons + offnet_people(scenario)


def neighbourhood(scenario: CityScenario, person: str) -> str:
    """SQL of the neighbourhood a person lives in."""
    return f"({person} div {scenario.circles.neighbours})"


def workplace(scenario: CityScenario) -> Shuffle:
    """The permutation that seats people in workplaces: seat div colleagues is the workplace."""
    return Shuffle(scenario.persons, 3)


def order(scenario: CityScenario) -> Shuffle:
    """The permutation that says who joins later: those who go to a place below ``newcomers``."""
    return Shuffle(scenario.persons, 1)


def drawn_decoy(scenario: CityScenario, newcomer: str) -> str:
    """SQL of the kind of decoy a newcomer is to be, null for an honest one: the first of the mixed order, kind by kind."""
    ends, reached = {}, 0.0
    for kind, share in scenario.coming.decoys.items():
        reached += share
        ends[kind] = round(scenario.newcomers * reached)
    whens = " ".join(f"when {newcomer} < {end} then '{kind}'" for kind, end in ends.items())
    return f"case {whens} end" if whens else "cast(null as string)"


def _abnormal(scenario: CityScenario, dice: Dice) -> str:
    """SQL of the rule by which some live who are with us from the first day."""
    draw, reached, kinds = dice.u("abnormal", "person_id"), 0.0, []
    for kind, share in scenario.abnormal.items():
        reached += share
        kinds.append(f"when newcomer is null and {draw} < {reached!r}D then '{kind}'")
    return "case when drawn_decoy = 'farmed' then 'farmed' " + " ".join(kinds) + " end"


def persons(spark: SparkSession, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per person who holds one of our numbers at some time: way of life, home, work, brand, sociability.

    ``newcomer`` counts those who are not yet with us on the first day, in a mixed order; it is null for the others.
    ``abnormal`` are spammers (messages to very many), SP fraud (messages to one provider), the silent, forwarders, shoppers (who
    call the competitor's hotline again and again), fleas and farmed cards; ``drawn_decoy`` is what a newcomer is to look like.
    """
    mixed = order(scenario)
    block = neighbourhood(scenario, "person_id")
    # A neighbourhood leans to one way of life: people of a dormitory or a building site live alike.
    kinds = list(scenario.personas.values())
    shares = [persona.share for persona in kinds]
    personas = dice.pick(
        {str(i): share for i, share in enumerate(shares)},
        "persona",
        f"if({dice.u('alike', 'person_id')} < 0.5, -1 - {block}, person_id)",
    )
    frame = (
        spark.range(scenario.persons)
        .select(F.col("id").alias("person_id"))
        .selectExpr(
            "person_id",
            f"person_id div {scenario.circles.household} as household",
            f"{block} as neighbourhood",
            f"{workplace(scenario).forth('person_id')} div {scenario.circles.colleagues} as workplace",
            f"if({mixed.forth('person_id')} < {scenario.newcomers}, {mixed.forth('person_id')}, null) as newcomer",
            f"cast({personas} as int) as persona_no",
        )
    )
    frame = frame.selectExpr("*", f"{drawn_decoy(scenario, 'newcomer')} as drawn_decoy")
    frame = frame.selectExpr("*", f"{_abnormal(scenario, dice)} as abnormal")
    age = by_persona([persona.ages[0] for persona in kinds])
    span = by_persona([persona.ages[1] - persona.ages[0] + 1 for persona in kinds])
    circles, year = scenario.circles, scenario.first_day.year
    # who comes into the circle of somebody else seeks fewer of its own
    alike = ", ".join(f"'{kind}'" for kind in scenario.coming.copied if kind != "recycled") or "null"
    sought = f"if(drawn_decoy in ({alike}), {scenario.coming.own_contacts!r}D, 1.0D)"
    return frame.selectExpr(
        "*",
        f"{by_persona(list(scenario.personas))} as persona",
        f"{dice.pick_by([persona.brands for persona in kinds], 'persona_no', 'brand', 'person_id')} as brand",
        f"cast({year} - ({age} + {dice.below(span, 'age', 'person_id')}) as int) as birth_year",
        f"if({dice.u('gender', 'person_id')} < {by_persona([p.female for p in kinds])}, 'f', 'm') as gender",
        f"{dice.u('rural', 'person_id')} < {by_persona([persona.rural for persona in kinds])} as is_rural",
        f"if(abnormal = 'silent', 0.002D, 1.0D) * {by_persona([p.activity for p in kinds])} * "
        f"exp({scenario.records.activity_sigma!r}D * {dice.normal('activity', 'person_id')}) as activity",
        f"if(abnormal = 'spammer', 16.0D, 1.0D) * {by_persona([p.sms for p in kinds])} * "
        f"exp(0.6 * {dice.normal('sms', 'person_id')}) as sms_lean",
        # who has no handset for it can not
        f"{by_persona([p.mms for p in kinds])} * exp(0.8 * {dice.normal('mms', 'person_id')}) * {able(dice, 'MMS', 'person_id')} as mms_lean",
        f"{by_persona([p.wap for p in kinds])} * if({dice.u('wap', 'person_id')} < 0.5, 1, 0) * {able(dice, 'GPRS', 'person_id')} as wap_lean",
        f"case when abnormal = 'spammer' then 150 when drawn_decoy = 'courier' then 60 when abnormal = 'farmed' then 1 when abnormal = 'sp_fraud' then 2 "
        f"else least({MOST_SOUGHT}, 1 + cast(round({sought} * {circles.stubs!r}D * exp({circles.stubs_sigma!r}D * "
        f"{dice.normal('degree', 'person_id')})) as int)) end as stubs",
        f"cast({dice.below(scenario.cells, 'home cell', 'neighbourhood')} as int) as home_cell",
        f"cast({dice.below(scenario.cells, 'work cell', 'workplace')} as int) as work_cell",
        *_away(scenario, dice),
        # The paper a person would show; the year within agrees with the year of birth.
        f"concat('1101', lpad({dice.below(100, 'district', 'person_id')}, 2, '0'), {year} - ({age} + "
        f"{dice.below(span, 'age', 'person_id')}), "
        "'0', 1 + pmod(person_id, 9), '1', pmod(person_id div 9, 10), lpad(pmod(person_id div 90, 10000), 4, '0')) as document",
    )


def paper(dice: Dice, salt: str, key: str) -> str:
    """SQL of the number of a document of somebody who is no user: district, day of birth, number."""
    born = f"1930 + {dice.below(55, salt + ' year', key)}, '0', 1 + {dice.below(9, salt + ' month', key)}, '1', {dice.below(10, salt + ' day', key)}"
    return f"concat('1101', lpad({dice.below(100, salt + ' district', key)}, 2, '0'), {born}, lpad({dice.below(10_000, salt, key)}, 4, '0'))"


def by_persona(values: Sequence[object], number: str = "persona_no") -> str:
    """SQL of the value for the way of life with that ``number``, the values given in the order of the scenario."""
    texts = [f"{value!r}D" if isinstance(value, float) else repr(value) for value in values]
    return f"element_at(array({', '.join(texts)}), {number} + 1)"


def _away(scenario: CityScenario, dice: Dice) -> tuple[str, str]:
    """The journey home around the Spring Festival, for those who go."""
    festival = (scenario.festival - scenario.first_day).days
    share = by_persona([persona.away for persona in scenario.personas.values()])
    leaves = f"{festival} - 1 - {dice.below(14, 'away from', 'person_id')}"
    returns = f"{festival} + 5 + {dice.below(16, 'away to', 'person_id')}"
    goes = f"{dice.u('away', 'person_id')} < {share}"
    return f"cast(if({goes}, {leaves}, 99999) as int) as away_from", f"cast(if({goes}, {returns}, 99999) as int) as away_to"


def own_number(serial: str) -> str:
    """SQL of one of our numbers (134-138), a different one for each serial; 139 is kept for numbers chosen."""
    return f"(13400000000L + {Shuffle(500_000_000, 11).forth(serial)})"


def competitor_number(serial: str) -> str:
    """SQL of a competitor's mobile number (130-133), a different one for each serial."""
    return f"(13000000000L + {Shuffle(400_000_000, 13).forth(serial)})"


def text(number: str, of_network: str) -> str:
    """SQL of a number in full national form, or with 00 when abroad; numbers are kept without their leading zeros."""
    zeros = f"case when {of_network} in ('fixed', 'phs', 'far') then '0' when {of_network} = 'abroad' then '00' else '' end"
    return f"concat({zeros}, {number})"


def user_id(serial: str) -> str:
    """SQL of the operator's id of a life of a number; nothing of it tells whose or how manieth it is."""
    return f"concat('U', lpad({Shuffle(100_000_000, 17).forth(serial)}, 8, '0'))"


def foreign_network(scenario: CityScenario, party: str) -> str:
    """SQL of the network of a party that is no person of ours: of another network, or a hub."""
    networks = ", ".join(f"'{hub[2]}'" for hub in HUBS)
    return f"if({party} >= {first_hub(scenario)}, element_at(array({networks}), {hub_no(scenario, party)} + 1), {network(scenario, party)})"


def foreign_number(scenario: CityScenario, dice: Dice, party: str) -> str:
    """SQL of the one number of such a party."""
    # fewer than 45 of each hundred are of one network: no two of a network get one number
    place = f"({party} - {scenario.persons})"
    local = Shuffle(9_000_000, 19).forth(f"({place} div 100 * 45 + {place} % 100 % 45)")

    def one_of(codes: Sequence[str]) -> str:
        texts = ", ".join(repr(code) for code in codes)
        return f"element_at(array({texts}), cast(1 + {dice.below(len(codes), 'code', party)} as int))"

    person = (
        f"case {network(scenario, party)} when 'mobile' then {competitor_number(f'({party} * {SLOTS})')} "
        f"when 'fixed' then 1060000000L + {local} when 'phs' then 1080000000L + {local} "
        f"when 'abroad' then cast(concat({one_of(OTHER_COUNTRIES)}, lpad({local}, 7, '0')) as bigint) "
        f"else cast(concat({one_of(OTHER_CITIES)}, 8, lpad({local}, 7, '0')) as bigint) end"
    )
    numbers = ", ".join(f"{hub[1]}L" for hub in HUBS)
    district = f"pmod({party} - {first_hub(scenario)}, {districts(scenario)})"
    hub = f"element_at(array({numbers}), {hub_no(scenario, party)} + 1) + 17 * {district}"
    return f"if({party} >= {first_hub(scenario)}, {hub}, {person})"


def hub_no(scenario: CityScenario, party: str) -> str:
    """SQL of the place in HUBS of a hub, by its id."""
    return f"cast(({party} - {first_hub(scenario)}) div {districts(scenario)} as int)"
