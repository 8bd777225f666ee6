"""Joining, leaving and coming back: the lives of the numbers people hold, and the joiners who only look like returners."""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from churnlake.city import people
from churnlake.city.dice import Dice
from churnlake.city.handsets import carried
from churnlake.city.settings import CityScenario

NEVER = 99_999
RETURNS = 2
"""A person comes back at most so many times within the city's days."""
BEFORE, AFTER, EXTRA = 5, 6, 7
"""Slots of the competitor's number before joining us and after leaving us, and of a number held beside the first."""


def lives(persons: DataFrame, scenario: CityScenario, dice: Dice, checkpoint: Callable[[DataFrame, str], DataFrame]) -> DataFrame:
    """One row per person and number held, ours or the competitor's: from when to when, why left, what it looks like.

    Days count from the first day. ``from_day`` is the first day of use, ``left_day`` the day after the last (null: beyond).
    ``checkpoint`` keeps a frame under a name: each generation of lives is used by several others.
    """
    days = scenario.days
    first = checkpoint(_leaves(_starters(persons, scenario, dice), scenario, dice), "first_lives")
    leavers = first.where("left_day is not null")
    newcomers = checkpoint(_leaves(_newcomers(persons, leavers, scenario, dice), scenario, dice), "newcomers")
    known = last = first.unionByName(newcomers)
    for turn in range(RETURNS):
        last = checkpoint(_leaves(_returns(last, scenario, dice), scenario, dice), f"returns_{turn}")
        known = known.unionByName(last)
    known = known.unionByName(_beside(first, scenario, dice))
    serial = f"person_id * {people.SLOTS} + slot"
    known = known.where(f"from_day < {days}").selectExpr(
        "*",
        f"{_plan(scenario, dice)} as plan",
        "true as is_own",
        f"coalesce(number_of, {people.own_number(serial)}) as number",
        f"{people.user_id(serial)} as user_id",
    )
    return _signs(carried(known, dice, days), scenario, dice)


def _starters(persons: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    tenure = f"cast(5 + floor(-700 * ln(1 - {dice.u('tenure', 'person_id')})) as int)"
    return _life(persons.where("newcomer is null"), "start", 0, f"-{tenure}", scenario, dice)


def _life(
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
        "number_of": "cast(null as string)",
        "no_imei": "false",
        "old_slot": "cast(null as int)",
        "kept": "1.0D",
        "decoy": "cast(null as string)",
        "like_person": "cast(null as bigint)",
        "document": "document",
        "paper": f"if({dice.u('paper', 'person_id', str(slot))} < {_documents(scenario)}, document, null)",
    }
    return frame.selectExpr(*[f"{sql} as {name}" for name, sql in {**columns, **given}.items()])


def _documents(scenario: CityScenario) -> str:
    return (
        "case "
        + " ".join(f"when brand = '{brand}' then {share!r}D" for brand, share in scenario.documents.items())
        + " else 0D end"
    )


def _leaves(frame: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per life with the hidden cause, the day of leaving and where the person goes; null where nobody leaves in time."""
    causes = scenario.leaving.causes
    daily = scenario.leaving.monthly / 30.4
    # Discontent differs between neighbourhoods (coverage, shops): people alike leave alike without any contagion.
    risk = (
        f"exp(0.5 * {dice.normal('risk', 'person_id')} + 0.35 * "
        f"{dice.normal('block risk', people.neighbourhood(scenario, 'person_id'))} - 0.19)"
    )
    wait = f"floor(-ln(1 - {dice.u('leave', 'person_id', 'slot')}) / ({daily!r}D * {risk}))"
    day = f"greatest(from_day, 0) + if(from_day < 0, 7, 28) + least({wait}, {NEVER}D)"
    drawn = frame.selectExpr(
        "*",
        f"cast(if({day} < {scenario.days}, {day}, null) as int) as left_day",
        dice.pick({name: cause.weight for name, cause in causes.items()}, "cause", "person_id", "slot") + " as drawn",
        f"{dice.u('destination', 'person_id', 'slot')} as goes",
    )
    back = "case " + " ".join(f"when drawn = '{name}' then {cause.back!r}D" for name, cause in causes.items()) + " end"
    other = "case " + " ".join(f"when drawn = '{name}' then {cause.competitor!r}D" for name, cause in causes.items()) + " end"
    place = f"case when goes < {back} then 'back' when goes < {back} + {other} then 'competitor' else 'elsewhere' end"
    return drawn.selectExpr(
        *frame.columns,
        "left_day",
        "if(left_day is null, null, drawn) as cause",
        f"if(left_day is null, null, {place}) as destination",
    )


def _newcomers(persons: DataFrame, leavers: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per first-time joiner. Some are decoys, bound to a leaver by rank: the n-th decoy looks like the n-th leaver."""
    count, days = scenario.newcomers, scenario.days
    joiners = persons.where("newcomer is not null")
    ends, reached = {}, 0.0
    for kind, share in scenario.coming.decoys.items():
        reached += share
        ends[kind] = round(count * reached)
    kinds = " ".join(f"when newcomer < {end} then '{kind}'" for kind, end in ends.items())
    joiners = joiners.selectExpr("*", f"case {kinds} end as drawn_decoy")
    ranked_joiners = _ranked(joiners, "drawn_decoy", "newcomer")
    # A handset is resold only by those who do not come back with it; a number rests 90 days before another gets it.
    use = {
        "kin": "true",
        "resold": "destination <> 'back'",
        "recycled": f"left_day + 95 < {days}",
    }
    mixed = f"xxhash64({dice.seed}L, 'leaver', person_id)"
    models = [
        _ranked(
            leavers.where(condition).selectExpr(
                f"'{kind}' as drawn_decoy", "person_id", f"{mixed} as mixed", "left_day as model_left", "slot as model_slot"
            ),
            "drawn_decoy",
            "mixed",
        )
        for kind, condition in use.items()
    ]
    model = models[0].unionByName(models[1]).unionByName(models[2]).withColumnRenamed("person_id", "model")
    joined = ranked_joiners.join(model.drop("mixed"), on=["drawn_decoy", "rank"], how="left")
    free = f"1 + {dice.below(days - 2, 'join', 'person_id')}"
    serial = f"model * {people.SLOTS} + model_slot"
    house = f"household * {scenario.circles.household}"
    fellow = f"{house} + pmod(person_id - {house} + 1, {scenario.circles.household})"
    day = (
        "case when drawn_decoy = 'kin' and model is not null then greatest(1, model_left - 10 + "
        f"{dice.below(50, 'kin', 'person_id')}) "
        f"when drawn_decoy = 'resold' and model is not null then model_left + 3 + {dice.below(60, 'resold', 'person_id')} "
        f"when drawn_decoy = 'recycled' and model is not null "
        f"then model_left + 91 + {dice.below(f'greatest(1, {days} - model_left - 92)', 'recycled', 'person_id')} else {free} end"
    )
    return _life(
        joined,
        "newcomer",
        0,
        f"least({day}, {NEVER})",
        scenario,
        dice,
        handset_of="if(drawn_decoy = 'resold', model, null)",
        number_of=f"if(drawn_decoy = 'recycled' and model is not null, {people.own_number(serial)}, null)",
        no_imei=f"{dice.u('no imei', 'person_id', '0')} < {scenario.coming.no_imei!r}D",
        decoy=(
            f"case when drawn_decoy = 'household' and {fellow} < {scenario.persons} then drawn_decoy when model is not null "
            "then drawn_decoy end"
        ),
        like_person=f"case when drawn_decoy = 'household' and {fellow} < {scenario.persons} then {fellow} else model end",
    )


def _ranked(frame: DataFrame, within: str, by: str) -> DataFrame:
    return frame.withColumn("rank", F.row_number().over(Window.partitionBy(within).orderBy(by)))


def _returns(left: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per leaver who comes back: the next life of the same person."""
    coming = scenario.coming
    key = ("person_id", "slot")
    early, late, near = coming.gap_days[0], coming.gap_days[1], coming.gap_near_days
    drawn = dice.u("gap", *key)
    gap = (
        f"case when {drawn} < {coming.gap_near!r}D then {dice.below(2 * near + 1, 'near', *key)} - {near} "
        f"when {drawn} < {coming.gap_near + coming.gap_before!r}D then {early} + {dice.below(-near - early, 'early', *key)} "
        f"else {near} + 1 + {dice.below(late - near, 'late', *key)} end"
    )
    back = left.where("destination = 'back'").selectExpr(
        "person_id",
        "slot + 1 as slot",
        "slot as left_slot",
        "left_day",
        "from_day as earlier",
        "document",
        "paper as old_paper",
        f"if({dice.u('other brand', *key)} < {coming.other_brand!r}D, "
        f"{dice.pick(dict.fromkeys(scenario.documents, 1.0), 'next brand', *key)}, brand) as brand",
        f"greatest(1, earlier + 10, left_day + {gap}) as join_day",
    )
    shows = f"{dice.u('same paper', *key)} < {coming.same_document!r}D and old_paper is not null"
    relative = f"concat('1101', lpad(pmod(xxhash64({dice.seed}L, 'relative', person_id), 100000000000000L), 14, '0'))"
    return _life(
        back,
        "reentry",
        0,
        "join_day",
        scenario,
        dice,
        slot="slot",
        share="1.0D",
        ramp="cast(greatest(1, left_day - join_day) as int)",
        told_days=str(coming.told_days),
        same_handset=f"{dice.u('same handset', *key)} < {coming.same_handset!r}D",
        no_imei=f"{dice.u('no imei', *key)} < {coming.no_imei!r}D",
        old_slot="left_slot",
        kept=dice.between(*coming.kept, "kept", *key),
        paper=f"case when {shows} then old_paper when {dice.u('relative', *key)} < 0.15 then {relative} end",
    )


def _beside(first: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per second number taken by someone who stays: traffic moves for the most part (partial) or not (second number)."""
    coming = scenario.coming
    stayers = first.where("left_day is null and slot = 0 and origin = 'start'").selectExpr(
        "*", f"{dice.u('beside', 'person_id')} as draw"
    )
    chosen = stayers.where(f"draw < {coming.partial + coming.second_number!r}D").selectExpr(
        "person_id",
        "brand",
        "document",
        "paper as old_paper",
        f"draw < {coming.partial!r}D as is_partial",
        f"1 + {dice.below(scenario.days - 60, 'beside day', 'person_id')} as join_day",
    )
    partial = dice.between(0.58, 0.86, "partial", "person_id")
    second = dice.between(0.15, 0.38, "second", "person_id")
    frame = _life(
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
        decoy="if(is_partial, null, 'second_number')",
        paper=f"if({dice.u('same paper', 'person_id')} < 0.5D, old_paper, null)",
    )
    return frame.selectExpr(
        "*", "cast(null as int) as left_day", "cast(null as string) as cause", "cast(null as string) as destination"
    )


def _plan(scenario: CityScenario, dice: Dice) -> str:
    brands = sorted({plan.brand for plan in scenario.plans.values()})
    picks = {
        brand: dice.pick(
            {key: plan.weight for key, plan in scenario.plans.items() if plan.brand == brand}, "plan", "person_id", "slot"
        )
        for brand in brands
    }
    return "case " + " ".join(f"when brand = '{brand}' then {pick}" for brand, pick in picks.items()) + " end"


def _signs(frame: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per life with the signs it shows: fading, calls to the rival's hotline, forwarding. Stayers show false ones."""
    leaving, days, key = scenario.leaving, scenario.days, ("person_id", "slot")
    fades = f"left_day is not null and destination is not null and {dice.u('fade', *key)} < {leaving.fade!r}D"
    length = f"{leaving.fade_days[0]} + {dice.below(leaving.fade_days[1] - leaving.fade_days[0], 'fade days', *key)}"
    dips = f"left_day is null and {dice.u('dip', *key)} < {leaving.false_fade!r}D"
    dip_day = dice.below(days, "dip day", *key)
    rival = "destination = 'competitor'"
    calls = (
        f"({rival} and {dice.u('hotline', *key)} < {leaving.hotline!r}D) or (left_day is null and {dice.u('hotline', *key)} "
        f"< {leaving.false_hotline!r}D)"
    )
    forwards = f"({rival} and {dice.u('forward', *key)} < {leaving.forward!r}D)"
    stays = f"(left_day is null and {dice.u('forward', *key)} < {leaving.false_forward!r}D)"
    window = f"{dice.below(25, 'sign days', *key)}"
    return frame.selectExpr(
        "*",
        f"cast(case when {fades} then greatest(left_day - ({length}), from_day) when {dips} then {dip_day} else {NEVER} end "
        "as int) as dip_from",
        f"cast(case when {fades} then left_day when {dips} then {dip_day} + {length} else {NEVER} end as int) as dip_to",
        f"{dice.between(*leaving.fade_depth, 'depth', *key)} as depth",
        f"cast(case when {calls} then coalesce(left_day, {dip_day}) - 5 - {window} else {NEVER} end as int) as hotline_from",
        f"cast(case when {calls} then coalesce(left_day, {dip_day} + 10) else {NEVER} end as int) as hotline_to",
        f"cast(case when {forwards} then left_day - 3 - {window} when {stays} then {dip_day} else {NEVER} end as int) as "
        "forward_from",
        f"cast(case when {forwards} then left_day + 10 when {stays} then {dip_day} + 20 else {NEVER} end as int) as forward_to",
        f"if({forwards} or {stays}, {people.competitor_number(f'person_id * {people.SLOTS} + {AFTER}')}, null) as forward_number",
    )


NUMBER = (
    "party_id",
    "slot",
    "from_day",
    "to_day",
    "is_own",
    "network",
    "number",
    "user_id",
    "share",
    "ramp",
    "told_share",
    "told_days",
    "imei",
    "imei_next",
    "swap_day",
    "dip_from",
    "dip_to",
    "depth",
    "forward_from",
    "forward_to",
    "forward_number",
    "forward_slot",
    "plan_no",
)


def held(own: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per person and number held, ours or the competitor's: all that events need to know of it."""
    plans = " ".join(f"when plan = '{key}' then {i}" for i, key in enumerate(scenario.plans))
    ours = _to_new(own, scenario, dice).selectExpr(
        "*", "person_id as party_id", f"coalesce(left_day, {NEVER}) as to_day", "'own' as network", f"case {plans} end as plan_no"
    )
    after = own.where("destination = 'competitor'").selectExpr(
        "person_id", f"{AFTER} as slot", "left_day as from_day", f"{NEVER} as to_day"
    )
    from_rival = f"origin = 'newcomer' and {dice.u('from rival', 'person_id')} < 0.4D"
    before = own.where(from_rival).selectExpr("person_id", f"{BEFORE} as slot", f"-{NEVER} as from_day", "from_day as to_day")
    rival = people.competitor_number(f"person_id * {people.SLOTS} + slot")
    theirs = foreign(
        after.unionByName(before).selectExpr(
            "person_id as party_id", "slot", "from_day", "to_day", "'mobile' as network", f"{rival} as number"
        )
    )
    return ours.select(*NUMBER).unionByName(theirs)


def foreign(frame: DataFrame) -> DataFrame:
    """One row per row of ``frame`` (a number of another network) with the columns our numbers have."""
    return frame.selectExpr(
        "*",
        "false as is_own",
        "cast(null as string) as user_id",
        "1.0D as share",
        "1 as ramp",
        "1.0D as told_share",
        "0 as told_days",
        "cast(null as string) as imei",
        "cast(null as string) as imei_next",
        f"{NEVER} as swap_day",
        f"{NEVER} as dip_from",
        f"{NEVER} as dip_to",
        "0.0D as depth",
        f"{NEVER} as forward_from",
        f"{NEVER} as forward_to",
        "cast(null as string) as forward_number",
        "cast(null as int) as forward_slot",
        "0 as plan_no",
    ).select(*NUMBER)


def _to_new(own: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per life of ours; some old numbers forward to the new one for a while after both run."""
    new = own.where("origin = 'reentry'").selectExpr(
        "person_id", "old_slot as slot", "number as new_number", "from_day as new_from"
    )
    joined = own.join(new, on=["person_id", "slot"], how="left")
    to_new = f"new_number is not null and {dice.u('forward old', 'person_id', 'slot')} < {scenario.coming.forward_old!r}D"
    return joined.selectExpr(
        *[c for c in own.columns if c not in ("forward_from", "forward_to", "forward_number")],
        f"cast(if({to_new}, new_from, forward_from) as int) as forward_from",
        f"cast(if({to_new}, greatest(left_day, new_from) + 20, forward_to) as int) as forward_to",
        f"if({to_new}, new_number, forward_number) as forward_number",
        f"if({to_new}, slot + 1, null) as forward_slot",
    )
