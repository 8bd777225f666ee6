"""The lives of the numbers people hold, from joining to leaving and coming back."""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from churnlake.city import discontent, events, joining, people, services
from churnlake.city.dice import Dice, Shuffle, by_key
from churnlake.city.discontent import NEVER
from churnlake.city.handsets import carried
from churnlake.city.settings import CityScenario

RETURNS = 2
"""A person comes back at most so many times within the city's days."""
BESIDE, BEFORE, AFTER = 4, 5, 6
"""Slots of the competitor's number held beside ours, before joining us and after leaving us."""
EASY = (8, 6, 9, 1, 5, 7, 3, 2, 0, 4)
"""Last digit, three times over, of the numbers chosen first."""
SERIAL = f"person_id * {people.SLOTS} + slot"
"""SQL of the serial of a life's own number."""
CHOSEN = 0.02
"""Share of all who chose such a number when they joined."""


def lives(
    persons: DataFrame,
    contacts: DataFrame,
    scenario: CityScenario,
    dice: Dice,
    checkpoint: Callable[[DataFrame, str], DataFrame],
) -> DataFrame:
    """One row per person and number held: from when to when, why left, what it looks like, which signs it shows.

    Days count from the first day. ``from_day`` is the first day of use, ``left_day`` the day after the last (null: beyond).
    ``contacts`` are the pairs close enough, before anybody came back: who goes to the competitor makes some of them discontented.
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
    first = last = through(begun, None, "starters_alone")
    for turn in range(scenario.leaving.contagion_rounds):
        infected = checkpoint(discontent.caught(last, contacts, scenario, dice), f"caught_{turn}")
        first = through(begun, infected, f"starters_{turn}")
        leavers = first.where("left_day is not null and destination <> 'renumbered'")
        joined = through(joining.newcomers(persons, leavers, scenario, dice), infected, f"newcomers_{turn}")
        last = first.unionByName(joined)
    known = last
    for turn in range(RETURNS):
        last = through(joining.returns(last, scenario, dice), None, f"returns_{turn}")
        known = known.unionByName(last)
    # a second number is kept as long as the city lasts, and nothing makes its holder discontented with it
    beside = discontent.times(joining.beside(first, scenario, dice).withColumn("caught", F.lit(None).cast("int")), scenario, dice)
    stay = {"left_day": "int", "cause": "string", "destination": "string"}
    beside = beside.withColumns({name: F.lit(None).cast(kind) for name, kind in stay.items()})
    beside = beside.withColumns({"onset": F.lit(NEVER), "relief": F.lit(NEVER), "risk": F.lit(0.0)})
    beside = beside.withColumn("times", F.expr("filter(times, t -> false)"))
    known = known.unionByName(beside)
    known = _with_chosen(known.where(f"from_day < {days}"), dice).selectExpr(
        *known.columns,
        f"{_plan(scenario, dice)} as plan",
        "true as is_own",
        f"coalesce(chosen, {people.own_number('held')}) as number",
        f"{people.user_id(SERIAL)} as user_id",
    )

    def rival_number(person: str) -> str:
        return people.competitor_number(f"{person} * {people.SLOTS} + {AFTER}")

    return discontent.signs(carried(known, dice, days), scenario, dice, rival_number)


def _with_chosen(lives: DataFrame, dice: Dice) -> DataFrame:
    """One row per life, with the number ``chosen`` where one easy to remember was wanted: 139, five digits, one digit thrice.

    ``held`` is the serial of the number: its own, or that of the life whose number it took over (``number_of``), with what was
    chosen for that one.
    """
    wants = f"number_of is null and (motive = 'number' or {dice.u('chooses', 'person_id', 'slot')} < {CHOSEN!r}D)"
    # few choose one: a window over all of them is small
    turn = F.row_number().over(Window.orderBy("person_id", "slot")) - 1
    digit = f"element_at(array({', '.join(map(str, EASY))}), cast(pmod(turn div 100000, {len(EASY)}) + 1 as int))"
    chosen = lives.where(wants).select("person_id", "slot").withColumn("turn", turn)
    chosen = chosen.selectExpr(
        f"{SERIAL} as held", f"13900000000L + {Shuffle(100_000, 37).forth('pmod(turn, 100000)')} * 1000 + 111 * {digit} as chosen"
    )
    return lives.withColumn("held", F.expr(f"coalesce(number_of, {SERIAL})")).join(chosen, on="held", how="left")


def _plan(scenario: CityScenario, dice: Dice) -> str:
    """SQL of the plan of a life: by weight; the dearer the rarer for those who came back for a cheaper one."""
    picks = {}
    for brand in scenario.brands:
        plans = {key: plan for key, plan in scenario.plans.items() if plan.brand == brand}
        usual = dice.pick({key: plan.weight for key, plan in plans.items()}, "plan", "person_id", "plan_slot")
        cheap = dice.pick(
            {key: plan.weight / max(1, plan.local) ** 3 for key, plan in plans.items()}, "plan", "person_id", "plan_slot"
        )
        picks[brand] = f"if(motive = 'plan', {cheap}, {usual})"
    return "case " + " ".join(f"when brand = '{brand}' then {pick}" for brand, pick in picks.items()) + " end"


def _plan_no(scenario: CityScenario) -> str:
    """SQL of the number of a life's plan."""
    return by_key("plan", {key: number for number, key in enumerate(scenario.plans)}, "null")


def held(own: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per person and number held, ours or the competitor's: all that events need to know of it."""
    two = f"slot = 0 and abnormal is null and {dice.u('rival beside', 'person_id')} < {scenario.coming.rival_beside!r}D"
    ours = _to_new(own, scenario, dice).selectExpr(
        *[c for c in own.columns if c not in ("share", "told_share", "told_days")],
        "forward_slot",
        "forward_life",
        "person_id as party_id",
        f"coalesce(left_day, {NEVER}) as to_day",
        f"{_plan_no(scenario)} as plan_no",
        # some are called at, and call from, a second telephone of the competitor
        f"if({two}, 0.8D, share) as share",
        f"if({two}, 0.8D, told_share) as told_share",
        f"if({two}, 1, told_days) as told_days",
    )
    first = own.where("slot = 0").selectExpr("person_id", f"{two} as two", "origin", "from_day")
    beside = first.where("two").selectExpr("person_id", f"{BESIDE} as slot", f"-{NEVER} as from_day", f"{NEVER} as to_day")
    gone = own.where("destination = 'competitor'").join(beside.select("person_id"), on="person_id", how="left_anti")
    after = gone.selectExpr("person_id", f"{AFTER} as slot", "left_day as from_day", f"{NEVER} as to_day")
    from_rival = f"origin = 'newcomer' and not two and {dice.u('from rival', 'person_id')} < 0.4D"
    before = first.where(from_rival).selectExpr("person_id", f"{BEFORE} as slot", f"-{NEVER} as from_day", "from_day as to_day")
    rival = people.competitor_number(SERIAL)
    theirs = events.foreign(
        beside.unionByName(after)
        .unionByName(before)
        .selectExpr("person_id as party_id", "slot", "from_day", "to_day", f"{rival} as number")
    )
    return ours.select(*theirs.columns).unionByName(theirs)


def _to_new(own: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per life of ours; some old numbers forward to the new one for a while after both run."""
    about = f"named_struct('handset_owner', handset_owner, 'handset_turn', handset_turn, 'swap_day', swap_day, 'plan_no', {_plan_no(scenario)}) as new_life"
    returned = own.where("origin = 'reentry'").selectExpr(
        "person_id",
        "old_slot as slot",
        "number as new_number",
        "slot as new_slot",
        "from_day as new_from",
        "motive as new_motive",
        about,
    )
    merges = f"origin = 'second_number' and {dice.u('merged', 'person_id')} < {scenario.coming.merged!r}D"
    beside = own.where(merges).selectExpr(
        "person_id",
        "old_slot as slot",
        "number as new_number",
        "slot as new_slot",
        "from_day as new_from",
        "'merge' as new_motive",
        about,
    )
    joined = own.join(returned.unionByName(beside), on=["person_id", "slot"], how="left")
    # who wanted another number wants to be reached all the same; who holds two merges them
    share = f"case new_motive when 'merge' then 1.0D when 'number' then {3 * scenario.coming.forward_old!r}D else {scenario.coming.forward_old!r}D end"
    to_new = f"new_number is not null and {dice.u('forward old', 'person_id', 'slot')} < {share}"
    ends = f"if({to_new}, if(new_motive = 'merge', {NEVER}, greatest(left_day, new_from) + 20), forward_to)"
    # a number out of service, or handed on, forwards no more; least passes over null
    given_on = f"destination is distinct from 'back' and {joining.handed_on(dice)}"
    ends = f"least({ends}, if({given_on}, left_day, {services.stopped(scenario, dice)}))"
    return joined.selectExpr(
        *[c for c in own.columns if c not in ("forward_from", "forward_to", "forward_number")],
        f"cast(if({to_new}, new_from, forward_from) as int) as forward_from",
        f"cast({ends} as int) as forward_to",
        f"if({to_new}, new_number, forward_number) as forward_number",
        f"cast(if({to_new}, new_slot, null) as int) as forward_slot",
        f"if({to_new}, new_life, null) as forward_life",
    )
