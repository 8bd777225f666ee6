"""The lives of the numbers people hold, from joining to leaving and coming back."""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.city import discontent, joining, people
from churnlake.city.dice import Dice
from churnlake.city.discontent import NEVER
from churnlake.city.handsets import carried
from churnlake.city.settings import CityScenario

RETURNS = 2
"""A person comes back at most so many times within the city's days."""
BEFORE, AFTER = 5, 6
"""Slots of the competitor's number before joining us and after leaving us."""


def lives(
    persons: DataFrame,
    contacts: DataFrame,
    scenario: CityScenario,
    dice: Dice,
    checkpoint: Callable[[DataFrame, str], DataFrame],
) -> DataFrame:
    """One row per person and number held: from when to when, why left, what it looks like, which signs it shows.

    Days count from the first day. ``from_day`` is the first day of use, ``left_day`` the day after the last (null: beyond).
    ``contacts`` are the pairs in touch before anybody came back: who goes to the competitor makes some of them discontented.
    ``checkpoint`` keeps a frame under a name: each generation of lives is used by several others.
    """
    days = scenario.days

    def through(joined: DataFrame, caught: DataFrame | None, name: str) -> DataFrame:
        with_caught = (
            joined.withColumn("caught", F.lit(None).cast("int"))
            if caught is None
            else joined.join(caught, on="person_id", how="left")
        )
        return checkpoint(discontent.times(with_caught, scenario, dice), name)

    begun = joining.starters(persons, scenario, dice)
    alone = through(begun, None, "starters_alone")
    infected = checkpoint(discontent.caught(alone, contacts, scenario, dice), "caught")
    first = through(begun, infected, "starters")
    leavers = first.where("left_day is not null and destination <> 'renumbered'")
    known = last = first.unionByName(through(joining.newcomers(persons, leavers, scenario, dice), infected, "newcomers"))
    for turn in range(RETURNS):
        last = through(joining.returns(last, scenario, dice), None, f"returns_{turn}")
        known = known.unionByName(last)
    # a second number is kept as long as the city lasts
    beside = discontent.times(joining.beside(first, scenario, dice).withColumn("caught", F.lit(None).cast("int")), scenario, dice)
    stay = {"left_day": "int", "cause": "string", "destination": "string"}
    beside = beside.withColumns({name: F.lit(None).cast(kind) for name, kind in stay.items()})
    beside = beside.withColumns({"onset": F.lit(NEVER), "relief": F.lit(NEVER)})
    known = known.unionByName(beside)
    serial = f"person_id * {people.SLOTS} + slot"
    known = known.where(f"from_day < {days}").selectExpr(
        "*",
        f"{_plan(scenario, dice)} as plan",
        "true as is_own",
        f"coalesce(number_of, {people.own_number(serial)}) as number",
        f"{people.user_id(serial)} as user_id",
    )

    def rival_number(person: str) -> str:
        return people.competitor_number(f"{person} * {people.SLOTS} + {AFTER}")

    return discontent.signs(carried(known, dice, days), scenario, dice, rival_number)


def _plan(scenario: CityScenario, dice: Dice) -> str:
    brands = sorted({plan.brand for plan in scenario.plans.values()})
    picks = {
        brand: dice.pick(
            {key: plan.weight for key, plan in scenario.plans.items() if plan.brand == brand}, "plan", "person_id", "slot"
        )
        for brand in brands
    }
    return "case " + " ".join(f"when brand = '{brand}' then {pick}" for brand, pick in picks.items()) + " end"


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
    "pace",
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
        "1 as pace",
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
