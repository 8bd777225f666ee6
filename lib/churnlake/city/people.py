"""The people of the city: households, ways of life, brands, the numbers and papers they hold."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churnlake.city.dice import Dice, Shuffle
from churnlake.city.settings import CityScenario

SLOTS = 8
"""Numbers a person can hold in the time of the city; a number's serial is person * SLOTS + slot."""
OFFNET_PREFIXES = {"unicom_gsm": ("130", "131", "132"), "unicom_cdma": ("133",)}
OTHER_CITIES = ("021", "020", "0571", "0311", "022", "0531")
HUBS: tuple[tuple[str, str, float, float, float], ...] = (
    # name, number, share of people in touch with it, calls a day, messages a day
    ("hotline", "1860", 0.50, 0.012, 0.0),
    ("hotline_billing", "1861", 0.20, 0.010, 0.02),
    ("competitor_hotline", "10010", 0.0, 0.15, 0.0),
    ("bank", "95588", 0.30, 0.004, 0.10),
    ("bank", "95533", 0.15, 0.004, 0.08),
    ("shop", "9680096", 0.10, 0.0, 0.06),
    ("weather", "121", 0.12, 0.02, 0.0),
    ("voicemail", "13800138000", 0.10, 0.03, 0.0),
    ("courier", "01064358801", 0.10, 0.03, 0.0),
    ("courier", "01084752210", 0.08, 0.03, 0.0),
    ("courier", "13301180021", 0.06, 0.03, 0.01),
    ("taxi", "01068373399", 0.12, 0.015, 0.0),
    ("wap", "10658001", 0.0, 0.0, 0.0),
    ("provider", "10668866", 0.0, 0.0, 6.0),
)
"""Numbers that very many people are in touch with; messages come from the hub."""


def offnet_people(scenario: CityScenario) -> int:
    """How many people of other networks the city knows."""
    return round(scenario.persons * scenario.circles.pool)


def hub_id(scenario: CityScenario, name: str) -> int:
    """The party id of the first hub of that name."""
    return scenario.persons + offnet_people(scenario) + [hub[0] for hub in HUBS].index(name)


def neighbourhood(scenario: CityScenario, person: str) -> str:
    """SQL of the neighbourhood a person lives in."""
    return f"({person} div {scenario.circles.neighbours})"


def workplace(scenario: CityScenario) -> Shuffle:
    """The permutation that seats people in workplaces: seat div colleagues is the workplace."""
    return Shuffle(scenario.persons, 3)


def drawn_decoy(scenario: CityScenario, newcomer: str) -> str:
    """SQL of the kind of decoy a newcomer is to be, null for an honest one: the first of the mixed order, kind by kind."""
    ends, reached = {}, 0.0
    for kind, share in scenario.coming.decoys.items():
        reached += share
        ends[kind] = round(scenario.newcomers * reached)
    return "case " + " ".join(f"when {newcomer} < {end} then '{kind}'" for kind, end in ends.items()) + " end"


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
    ``abnormal`` are spammers (messages to very many), SP fraud (messages to one provider), the silent, forwarders, fleas and
    farmed cards; ``drawn_decoy`` is what a newcomer is to look like.
    """
    order = Shuffle(scenario.persons, 1)
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
            f"if({order.forth('person_id')} < {scenario.newcomers}, {order.forth('person_id')}, null) as newcomer",
            f"cast({personas} as int) as persona_no",
        )
    )
    frame = frame.selectExpr("*", f"{drawn_decoy(scenario, 'newcomer')} as drawn_decoy")
    frame = frame.selectExpr("*", f"{_abnormal(scenario, dice)} as abnormal")
    age = _array([persona.ages[0] for persona in kinds])
    span = _array([persona.ages[1] - persona.ages[0] + 1 for persona in kinds])
    circles, year = scenario.circles, scenario.first_day.year
    return frame.selectExpr(
        "*",
        f"{_array(list(scenario.personas))} as persona",
        f"{dice.pick_by([persona.brands for persona in kinds], 'persona_no', 'brand', 'person_id')} as brand",
        f"cast({year} - ({age} + {dice.below(span, 'age', 'person_id')}) as int) as birth_year",
        f"if({dice.u('gender', 'person_id')} < 0.48, 'f', 'm') as gender",
        f"{dice.u('rural', 'person_id')} < {_array([persona.rural for persona in kinds])} as is_rural",
        f"if(abnormal = 'silent', 0.002D, 1.0D) * {_array([p.activity for p in kinds])} * "
        f"exp(0.5 * {dice.normal('activity', 'person_id')}) as activity",
        f"if(abnormal = 'spammer', 16.0D, 1.0D) * {_array([p.sms for p in kinds])} * "
        f"exp(0.6 * {dice.normal('sms', 'person_id')}) as sms_lean",
        f"{_array([p.mms for p in kinds])} * exp(0.8 * {dice.normal('mms', 'person_id')}) as mms_lean",
        f"{_array([p.wap for p in kinds])} * if({dice.u('wap', 'person_id')} < 0.25, 1, 0) as wap_lean",
        f"case when abnormal = 'spammer' then 150 when drawn_decoy = 'courier' then 60 when abnormal in ('farmed', 'sp_fraud') then 2 "
        f"else 1 + cast(round({circles.stubs!r}D * exp({circles.stubs_sigma!r}D * {dice.normal('degree', 'person_id')})) as int) "
        "end as stubs",
        f"cast({dice.below(scenario.cells, 'home cell', 'neighbourhood')} as int) as home_cell",
        f"cast({dice.below(scenario.cells, 'work cell', 'workplace')} as int) as work_cell",
        *_away(scenario, dice),
        # The paper a person would show; the year within agrees with the year of birth.
        f"concat('1101', lpad({dice.below(100, 'district', 'person_id')}, 2, '0'), {year} - ({age} + "
        f"{dice.below(span, 'age', 'person_id')}), "
        "'0', 1 + pmod(person_id, 9), '1', pmod(person_id div 9, 10), lpad(pmod(person_id div 90, 10000), 4, '0')) as document",
    )


def _array(values: Sequence[object]) -> str:
    """SQL of the value for a person's way of life, the values given in the order of the scenario."""
    texts = [f"{value!r}D" if isinstance(value, float) else repr(value) for value in values]
    return f"element_at(array({', '.join(texts)}), persona_no + 1)"


def _away(scenario: CityScenario, dice: Dice) -> tuple[str, str]:
    """The journey home around the Spring Festival, for those who go."""
    festival = (scenario.festival - scenario.first_day).days
    share = _array([persona.away for persona in scenario.personas.values()])
    leaves = f"{festival} - 1 - {dice.below(14, 'away from', 'person_id')}"
    returns = f"{festival} + 5 + {dice.below(16, 'away to', 'person_id')}"
    goes = f"{dice.u('away', 'person_id')} < {share}"
    return f"cast(if({goes}, {leaves}, 99999) as int) as away_from", f"cast(if({goes}, {returns}, 99999) as int) as away_to"


def own_number(serial: str) -> str:
    """SQL of one of our numbers (134-139), a different one for each serial."""
    mixed = Shuffle(600_000_000, 11).forth(serial)
    return f"concat('13', 4 + ({mixed} div 100000000), lpad(pmod({mixed}, 100000000), 8, '0'))"


def competitor_number(serial: str) -> str:
    """SQL of a competitor's mobile number (130-133), a different one for each serial."""
    mixed = Shuffle(400_000_000, 13).forth(serial)
    return f"concat('13', {mixed} div 100000000, lpad(pmod({mixed}, 100000000), 8, '0'))"


def user_id(serial: str) -> str:
    """SQL of the operator's id of a life of a number; nothing of it tells whose or how manieth it is."""
    return f"concat('U', lpad({Shuffle(100_000_000, 17).forth(serial)}, 8, '0'))"


def offnet(spark: SparkSession, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per person of another network: its network and its one number, in full national form."""
    first = scenario.persons
    serial = f"(party_id * {SLOTS})"
    local = f"lpad({Shuffle(9_000_000, 19).forth('party_id')}, 7, '0')"
    city = (
        f"element_at(array({', '.join(repr(code) for code in OTHER_CITIES)}), cast(1 + "
        f"{dice.below(len(OTHER_CITIES), 'city', 'party_id')} as int))"
    )
    networks = {"mobile": 0.45, "fixed": 0.32, "far": 0.13, "phs": 0.10}
    return (
        spark.range(first, first + offnet_people(scenario))
        .select(F.col("id").alias("party_id"))
        .selectExpr("party_id", f"{dice.pick(networks, 'network', 'party_id')} as network")
        .selectExpr(
            "party_id",
            "network",
            f"case network when 'mobile' then {competitor_number(serial)} when 'fixed' then concat('0106', {local}) "
            f"when 'phs' then concat('0108', {local}) else concat({city}, '8', {local}) end as number",
        )
    )


def hubs(spark: SparkSession, scenario: CityScenario) -> DataFrame:
    """One row per hub: hotlines, banks, couriers."""
    first = scenario.persons + offnet_people(scenario)
    rows = [
        (first + i, "fixed" if number.startswith("010") and len(number) > 8 else "hub", number)
        for i, (_, number, *_) in enumerate(HUBS)
    ]
    return spark.createDataFrame(rows, "party_id bigint, network string, number string")
