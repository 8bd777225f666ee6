"""Who joins: people with us from the first day, newcomers who only look like somebody else, returners, second numbers."""

from __future__ import annotations

import datetime as dt

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from churnlake.city import habits, people
from churnlake.city.dice import Dice, by_key, lookup
from churnlake.city.discontent import NEVER, brand_no, level
from churnlake.city.settings import CityScenario

EXTRA = 7
"""Slot of a number held beside the first."""
BEFORE_HOLIDAY = 15
"""Days before a holiday in which greeters join."""
FARM_CARDS, FARM_HANDSETS, CLONE_USERS = 200, 4, 60
"""Cards that a dealer farms (seed: some ten to some hundred), in so many handsets; and users of one cloned identity."""


def starters(persons: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per person with us on the first day; employees of companies that change all their numbers know the day."""
    tenure = f"cast(5 + floor(-700 * ln(1 - {dice.u('tenure', 'person_id')})) as int)"
    firms = -(-scenario.coming.renumbered // scenario.circles.colleagues)
    moved = f"if(workplace < {firms}, {scenario.days // 2}, null)"
    first = persons.where("newcomer is null")
    return life(first, "start", 0, f"-{tenure}", scenario, dice, renumber_day=f"cast({moved} as int)")


def life(
    frame: DataFrame, origin: str, slot: int, from_day: str, scenario: CityScenario, dice: Dice, /, **given: str
) -> DataFrame:
    """One row per row of ``frame``: a new life with the columns all lives have; ``given`` overrides their SQL."""
    columns = {
        "person_id": "person_id",
        "slot": str(slot),
        "origin": f"'{origin}'",
        "from_day": f"cast({from_day} as int)",
        "brand": "brand",
        "share": "1.0D",
        "ramp": "1",
        "told_share": "1.0D",
        "told_days": "0",
        "same_handset": "false",
        "handset_of": "cast(null as bigint)",
        "number_of": "cast(null as bigint)",
        "no_imei": "false",
        "old_slot": "cast(null as int)",
        "kept": "1.0D",
        "motive": "cast(null as string)",
        "is_unaware": "cast(null as boolean)",
        "plan_slot": str(slot),
        "dealer": "cast(null as bigint)",
        "decoy": "cast(null as string)",
        "like_person": "cast(null as bigint)",
        "document": "document",
        "paper": shown_paper(scenario, dice, str(slot)),
        "abnormal": "abnormal",
        "renumber_day": "cast(null as int)",
    }
    return frame.selectExpr(*[f"{sql} as {name}" for name, sql in {**columns, **given}.items()])


def shown_paper(scenario: CityScenario, dice: Dice, slot: str) -> str:
    """SQL of the document shown at the counter, null where none: mostly one's own, some a relative's, some the dealer's."""
    whose = dice.u("whose paper", "person_id", slot)
    house = people.paper(dice, "head", f"person_id div {scenario.circles.household}")
    dealer = _dealer_paper(scenario, dice)
    return f"case when {_shows(scenario, dice)} then case when {whose} < 0.12 then {house} when {whose} < 0.2 then {dealer} else document end end"


def shown_again(scenario: CityScenario, dice: Dice, same: float, slot: str) -> str:
    """SQL of the document of a later life: of ``same`` of those who showed one the same (``old_paper``), else a relative's or the dealer's.

    Who showed none before, and now must, shows it as others do.
    """
    key = ("person_id", slot)
    relative, dealer = people.paper(dice, "relative", "person_id"), _dealer_paper(scenario, dice)
    return (
        f"case when old_paper is null then {shown_paper(scenario, dice, slot)} when not {_shows(scenario, dice)} then null "
        f"when {dice.u('same paper', *key)} < {same!r}D then old_paper when {dice.u('relative', *key)} < 0.6 then {relative} else {dealer} end"
    )


def _shows(scenario: CityScenario, dice: Dice) -> str:
    """SQL of whether a document is shown: a matter of the brand, and of the person, who minds it or not."""
    return f"({dice.u('paper', 'person_id')} < {by_key('brand', scenario.documents, '0D')})"


def _dealer_paper(scenario: CityScenario, dice: Dice) -> str:
    # a dealer's own paper serves for some hundred cards at most
    dealers = max(1, scenario.persons // 3000)
    return f"concat('1102', lpad({dice.below(dealers, 'dealer paper', 'person_id')}, 14, '0'))"


def newcomers(persons: DataFrame, leavers: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per first-time joiner. Decoys only look like another user, by the kind drawn for them:

    - ``kin``, ``friend``: join about when somebody left, and share part of that circle
    - ``dormmate``: joins within days of a returner's leaving, shares the circle, goes nowhere
    - ``household``, ``colleague``: share part of the circle of somebody who stays
    - ``resold``: uses the handset of somebody who left for good; ``hand_me_down``: that of one of the household who bought another
    - ``handed``: a relative takes over the number of somebody who left, in the own name, and part of the circle
    - ``cloned``: the identity of its handset is that of many others; ``farmed``: cards of a dealer in a few handsets
    - ``recycled``: has the number of somebody gone, and still gets the calls for a while
    - ``courier``: knows very many people; ``greeter``: joins shortly before a holiday and greets all it knows by message
    """
    days = scenario.days
    joiners = persons.where("newcomer is not null")
    ranked_joiners = _ranked(joiners, "drawn_decoy", "newcomer")
    goes_on = handed_on(dice)
    # A handset is resold only by those who do not come back with it; a number rests 90 days before another gets it.
    use = {
        "kin": "true",
        "friend": "destination <> 'back'",
        "dormmate": "destination = 'back'",
        # a number goes to one of the two
        "handed": f"destination <> 'back' and {goes_on}",
        "resold": "destination <> 'back'",
        "recycled": f"left_day + 95 < {days} and not {goes_on}",
    }
    mixed = f"xxhash64({dice.seed}L, 'leaver', person_id)"
    wanted = (
        "explode(filter(array("
        + ", ".join(f"if({held}, '{kind}', null)" for kind, held in use.items())
        + "), k -> k is not null))"
    )
    model = leavers.selectExpr(
        f"{wanted} as drawn_decoy", "person_id as model", f"{mixed} as mixed", "left_day as model_left", "slot as model_slot"
    )
    joined = ranked_joiners.join(_ranked(model, "drawn_decoy", "mixed").drop("mixed"), on=["drawn_decoy", "rank"], how="left")
    slot = f"{brand_no(scenario)} * {JOIN_SLOTS} + {dice.below(JOIN_SLOTS, 'join', 'person_id')}"
    free = f"1 + element_at({_join_days(scenario)}, cast(1 + {slot} as int))"
    serial = f"model * {people.SLOTS} + model_slot"
    size = scenario.circles.household
    house = f"household * {size}"
    housemate = _first_there([f"{house} + pmod(person_id - {house} + {step}, {size})" for step in (1, 2)], scenario)
    seats = people.workplace(scenario)
    seat, office = seats.forth("person_id"), f"workplace * {scenario.circles.colleagues}"
    places = [f"{office} + pmod({seat} - {office} + {step}, {scenario.circles.colleagues})" for step in (1, 2, 3)]
    colleague = _first_there([seats.back(f"least({scenario.persons - 1}, {place})") for place in places], scenario)
    fellow = f"case when drawn_decoy = 'colleague' then {colleague} when drawn_decoy in ('household', 'hand_me_down') then {housemate} end"
    near = {
        "kin": f"greatest(1, model_left - 10 + {dice.below(50, 'kin', 'person_id')})",
        "friend": f"greatest(1, model_left - 15 + {dice.below(60, 'friend', 'person_id')})",
        "dormmate": f"greatest(1, model_left - 7 + {dice.below(20, 'dormmate', 'person_id')})",
        "resold": f"model_left + 3 + {dice.below(60, 'resold', 'person_id')}",
        "handed": f"model_left + 1 + {dice.below(6, 'handed', 'person_id')}",
        "recycled": f"model_left + 91 + {dice.below(f'greatest(1, {days} - model_left - 92)', 'recycled', 'person_id')}",
    }
    whens = " ".join(f"when '{kind}' then {day}" for kind, day in near.items())
    clones = max(1, round(scenario.newcomers * scenario.coming.decoys.get("cloned", 0.0) / CLONE_USERS))
    cards = scenario.newcomers * scenario.coming.decoys.get("farmed", 0.0)
    dealers = max(1, round(cards / FARM_CARDS))
    handsets = max(1, min(FARM_HANDSETS, round(cards / dealers / 2)))
    joined = joined.selectExpr("*", f"if(drawn_decoy = 'farmed', pmod(newcomer, {dealers}L), null) as dealer")
    greeted = [eve for eve in habits.greetings(scenario) if eve > 1]
    # like nobody else
    alone = ", ".join(f"'{kind}'" for kind in ("cloned", "courier", "farmed", *(["greeter"] if greeted else [])))
    eve = f"element_at(array({', '.join(map(str, greeted)) or 'null'}), cast(1 + {dice.below(len(greeted), 'holiday', 'person_id')} as int))"
    batch = f"10 + {dice.below(4, 'batch', 'person_id')} * 20 + {dice.below(3, 'batch day', 'person_id')}"
    joined = joined.selectExpr("*", f"{fellow} as mate")
    # whom others are like is still there when they join
    gone = leavers.groupBy(F.col("person_id").alias("mate")).agg(F.min("left_day").alias("mate_left"))
    joined = joined.join(gone, on="mate", how="left").selectExpr("*", f"if(mate_left <= {free}, null, mate) as fellow")
    day = (
        f"case when model is not null then case drawn_decoy {whens} end when drawn_decoy = 'farmed' then least({batch}, {days - 2}) "
        f"when drawn_decoy = 'greeter' then greatest(1, coalesce({eve} - {dice.below(BEFORE_HOLIDAY, 'greeter', 'person_id')}, {free})) "
        f"else {free} end"
    )
    handset = (
        "case drawn_decoy when 'resold' then model when 'hand_me_down' then fellow when 'cloned' then "
        f"-1 - pmod(newcomer, {clones}) when 'farmed' then -1000000 - dealer * {FARM_HANDSETS} - pmod(newcomer div {dealers}, {handsets}) end"
    )
    return life(
        joined,
        "newcomer",
        0,
        f"least({day}, {NEVER})",
        scenario,
        dice,
        handset_of=f"cast({handset} as bigint)",
        dealer="dealer",
        number_of=f"if(drawn_decoy in ('recycled', 'handed') and model is not null, {serial}, null)",
        no_imei=f"{dice.u('no imei', 'person_id', '0')} < {scenario.coming.no_imei!r}D and drawn_decoy is distinct from 'farmed'",
        decoy=(
            f"case when drawn_decoy in ({alone}) then drawn_decoy when coalesce(model, fellow) is not null then drawn_decoy end"
        ),
        like_person="coalesce(model, fellow)",
    )


def handed_on(dice: Dice) -> str:
    """SQL of whether somebody who leaves for good hands the number on to a relative, if there is one who joins."""
    return f"({dice.u('handed on', 'person_id')} < 0.25D)"


def _first_there(mates: list[str], scenario: CityScenario) -> str:
    """SQL of the first of these people who is somebody else and with us from the first day, null where none is."""
    there = f"{{0}} < {scenario.persons} and {{0}} <> person_id and {people.order(scenario).forth('{0}')} >= {scenario.newcomers}"
    return "case " + " ".join(f"when {there.format(f'({one})')} then {one}" for one in mates) + " end"


JOIN_SLOTS = 4096


def _join_days(scenario: CityScenario) -> str:
    """SQL of an array that turns an even draw of a slot into a day of joining, brand by brand: more join while there is something to gain."""
    days = [scenario.first_day + dt.timedelta(day) for day in range(1, max(2, scenario.days - 1))]
    found = [lookup([level(scenario, day, brand, "joining") for day in days], JOIN_SLOTS) for brand in scenario.brands]
    return f"cast(split('{','.join(str(day) for one in found for day in one)}', ',') as array<int>)"


def _ranked(frame: DataFrame, within: str, by: str) -> DataFrame:
    return frame.withColumn("rank", F.row_number().over(Window.partitionBy(within).orderBy(by)))


def returns(left: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per leaver who comes back, or whose company changes all numbers: the next life of the same person."""
    coming = scenario.coming
    key = ("person_id", "slot")
    early, late, near = coming.gap_days[0], coming.gap_days[1], coming.gap_near_days
    drawn = dice.u("gap", *key)
    soon, long = dice.below(near + 1, "near", *key), f"{near} + 1 + {dice.below(late - near, 'late', *key)}"
    gap = (
        f"case when motive = 'lost_sim' then {soon} when motive = 'arrears' and {drawn} >= {coming.gap_near!r}D then {long} "
        f"when {drawn} < {coming.gap_near!r}D then {dice.below(2 * near + 1, 'near', *key)} - {near} "
        f"when {drawn} < {coming.gap_near + coming.gap_before!r}D then {early} + {dice.below(-near - early, 'early', *key)} else {long} end"
    )
    brands = scenario.brands
    others = ", ".join(
        f"'{brand}', array(" + ", ".join(f"'{other}'" for other in brands if other != brand) + ")" for brand in brands
    )
    other = f"element_at(element_at(map({others}), brand), cast(1 + {dice.below(len(brands) - 1, 'next brand', *key)} as int))"
    other = other if len(brands) > 1 else "brand"
    changes = f"case motive when 'brand' then true when 'lost_sim' then false else {dice.u('other brand', *key)} < {coming.other_brand!r}D end"
    back = left.where("destination in ('back', 'renumbered')").selectExpr(
        "*", f"if(destination = 'back', {_motive(scenario, dice, *key)}, null) as why"
    )
    back = back.selectExpr(
        "person_id",
        "slot + 1 as slot",
        "slot as left_slot",
        "left_day",
        "from_day as earlier",
        "document",
        "paper as old_paper",
        "abnormal",
        "destination = 'renumbered' as is_moved",
        "why as motive",
        "brand",
        "plan_slot as old_plan",
    )
    back = back.selectExpr(
        *[c for c in back.columns if c != "brand"],
        f"if(not is_moved and {changes}, {other}, brand) as brand",
        f"greatest(1, earlier + 10, left_day + if(is_moved, 0, {gap})) as join_day",
    )
    # a lost card is mostly lost with its handset
    keeps = f"if(motive = 'lost_sim', {coming.same_handset / 3!r}D, {coming.same_handset!r}D)"
    return life(
        back,
        "reentry",
        0,
        "join_day",
        scenario,
        dice,
        slot="slot",
        origin="if(is_moved, 'renumbered', 'reentry')",
        decoy="if(is_moved, 'renumbered', null)",
        share="1.0D",
        ramp="cast(greatest(1, left_day - join_day) as int)",
        told_days=str(coming.told_days),
        same_handset=f"is_moved or {dice.u('same handset', *key)} < {keeps}",
        no_imei=f"not is_moved and {dice.u('no imei', *key)} < {coming.no_imei!r}D",
        old_slot="left_slot",
        motive="motive",
        is_unaware=unaware(scenario, dice, *key),
        plan_slot="if(is_moved or motive = 'lost_sim', old_plan, slot)",
        kept=f"if(is_moved, 1.0D, {dice.between(*coming.kept, 'kept', *key)})",
        paper=shown_again(scenario, dice, coming.same_document, "slot"),
    )


def _motive(scenario: CityScenario, dice: Dice, *key: str) -> str:
    """SQL of why somebody takes a new number, by why the old one was left; those who live from bonuses are served by a dealer."""
    motives = scenario.coming.motives
    why = by_key("cause", {cause: dice.pick(weights, "motive", *key) for cause, weights in motives.items()}, "'plan'")
    return f"if(abnormal = 'flea', 'dealer', {why})"


def unaware(scenario: CityScenario, dice: Dice, *key: str) -> str:
    """SQL of whether one with a ``motive`` did not know that no new number is needed for it."""
    return f"{dice.u('unaware', *key)} < {by_key('motive', scenario.coming.unaware, '0D')}"


def beside(first: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per second number taken by someone who stays: traffic moves for the most part (partial) or not (second number)."""
    coming = scenario.coming
    stayers = first.where("left_day is null and slot = 0 and origin = 'start' and abnormal is null").selectExpr(
        "*", f"{dice.u('beside', 'person_id')} as draw"
    )
    chosen = stayers.where(f"draw < {coming.partial + coming.second_number!r}D").selectExpr(
        "person_id",
        "brand",
        "document",
        "abnormal",
        "paper as old_paper",
        f"draw < {coming.partial!r}D as is_partial",
        f"1 + {dice.below(max(1, scenario.days - 60), 'beside day', 'person_id')} as join_day",
    )
    chosen = chosen.selectExpr(
        "*", f"if(is_partial, {dice.pick(scenario.coming.partial_motives, 'motive', 'person_id')}, null) as motive"
    )
    partial = dice.between(0.58, 0.86, "partial", "person_id")
    second = dice.between(0.15, 0.38, "second", "person_id")
    return life(
        chosen,
        "second_number",
        EXTRA,
        "join_day",
        scenario,
        dice,
        origin="if(is_partial, 'partial', 'second_number')",
        share=f"if(is_partial, {partial}, {second})",
        ramp="if(is_partial, 20, 10)",
        told_share=f"if(is_partial, 0.85D, {dice.between(0.2, 0.45, 'told', 'person_id')})",
        told_days=str(coming.told_days),
        same_handset=f"{dice.u('two in one', 'person_id')} < if(is_partial, 0.45D, 0.2D)",
        no_imei="false",
        old_slot="0",
        motive="motive",
        is_unaware=f"if(is_partial, {unaware(scenario, dice, 'person_id', str(EXTRA))}, null)",
        decoy="if(is_partial, null, 'second_number')",
        paper=shown_again(scenario, dice, coming.same_document, str(EXTRA)),
    )
