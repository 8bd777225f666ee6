"""Activations as the counter or dealer sends them: who joins, what is shown, and what is said, which is not always so."""

from __future__ import annotations

from pyspark.sql import DataFrame

from churnlake.city import habits, people
from churnlake.city.dice import Dice, by_key
from churnlake.city.market import Counter
from churnlake.city.money import BRAND_CODES
from churnlake.city.registers import at_the_counter
from churnlake.city.settings import CityScenario
from churnlake.city.society import MOTIVES

OPENS, CLOSES = 8, 20
"""Hours in which cards are sold. First use is told by the day: a call of that morning may come before."""
WRITTEN = {"plain": 0.84, "spaced": 0.08, "abroad": 0.08}
"""How a number is written down: its digits, in groups, with the country's code before it."""
LATEST_REVIEW, STAFF = 10, 12
"""Days within which a bonus is looked at, and employees who do."""
FIRST_TIME = "first"
"""Reason told by those who come for the first time."""


def activations(lives: DataFrame, scenario: CityScenario, said: Counter, dice: Dice) -> DataFrame:
    """One row per user that began within the written days, as the operator's own file writes it, with ``delivered``.

    Dealer, branch, channel, plan, brand, document and bonus are those of the register of subscribers. Who was with us before may
    name a number: that of the life before (``old_slot``), or wrongly that of another.
    """
    key = ("person_id", "slot")
    first, last = scenario.written
    joined = lives.where(f"origin <> 'start' and from_day between {first} and {last}")
    old = lives.selectExpr("person_id", "slot as old_slot", "cast(number as string) as old_number")
    joined = joined.join(old, on=["person_id", "old_slot"], how="left")
    shares = {motive: share for motive, share in said.states_number.items() if motive != "others"}
    states = by_key(
        "motive", {motive: float(share) for motive, share in shares.items()}, f"{float(said.states_number['others'])!r}D"
    )
    neighbour = f"pmod(person_id + 1 + {dice.below(7, 'neighbour', *key)}, {scenario.persons})"
    others = f"cast({people.own_number(f'({neighbour} * {people.SLOTS})')} as string)"
    is_wrong = f"old_number is null or {dice.u('wrong number', *key)} < {said.wrong_number!r}D"
    told = joined.selectExpr(
        "*",
        f"{dice.u('states number', *key)} < if(old_number is null, {said.stranger_states!r}D, {states}) as states",
        f"if({is_wrong}, {others}, old_number) as stated",
    )
    cut = f"substring(stated, 1, {dice.below(3, 'lost digit', *key)} + 8)"
    form = dice.pick(WRITTEN, "written", *key)
    written = (
        f"case {form} when 'spaced' then concat_ws(' ', substring(stated, 1, 3), substring(stated, 4, 4), substring(stated, 8, 4)) "
        "when 'abroad' then concat('+86', stated) else stated end"
    )
    stated = f"if(states, if({dice.u('badly written', *key)} < {said.badly_written!r}D, {cut}, {written}), null)"
    known = "array(" + ", ".join(repr(motive) for motive in MOTIVES) + ")"
    other = f"element_at({known}, cast(1 + {dice.below(len(MOTIVES), 'other reason', *key)} as int))"
    own = f"coalesce(motive, if(old_number is null, '{FIRST_TIME}', 'other'))"
    reason = f"if({dice.u('tells reason', *key)} < {said.tells_reason!r}D, if({dice.u('own reason', *key)} < {said.reason_truth!r}D, {own}, {other}), null)"
    # who lives from bonuses or farms cards does not tell
    hides = "(abnormal in ('flea', 'farmed') or decoy = 'farmed')"
    second = f"cast({OPENS * 3600} + {dice.below((CLOSES - OPENS) * 3600, 'activated', *key)} as int)"
    sold = at_the_counter(dice)
    wants = f"motive <=> 'number' or {dice.u('wants other', *key)} < {said.wants_other!r}D"
    return told.selectExpr(
        f"element_at({habits.delivery_table(scenario)}, cast(from_day div {scenario.delivery_days} + 1 as int)) as delivered",
        f"{_act_no(dice)} as ACT_NO",
        f"concat(element_at({habits.date_table(scenario)}, from_day + 1), {_clock(second)}) as ACT_TIME",
        "user_id as USER_ID",
        "number as MSISDN",
        "paper as ID_CARD",
        f"if({hides}, null, {stated}) as OLD_MSISDN",
        f"{by_key('brand', {brand: repr(code) for brand, code in BRAND_CODES.items()}, 'brand')} as BRAND_CODE",
        "plan as PLAN_CODE",
        *(f"{sql} as {name}" for name, sql in sold.items()),
        f"if({wants}, 'Y', 'N') as NEW_NUMBER",
        f"if({hides}, null, {reason}) as REASON",
    )


def reviews(lives: DataFrame, scenario: CityScenario, said: Counter, dice: Dice) -> DataFrame:
    """One row per decision of an employee on a joining bonus, as the operator's own file writes it, with ``delivered``.

    People look at what the counter could know, that a document was shown before, and some days later.
    """
    key = ("person_id", "slot")
    first, last = scenario.written
    old = lives.selectExpr("person_id", "slot as old_slot", "paper as old_paper")
    joined = lives.where(f"origin <> 'start' and from_day >= {first}").join(old, on=["person_id", "old_slot"], how="inner")
    given = joined.where(
        f"paper = old_paper and {at_the_counter(dice)['BONUS_FEN']} is not null and {dice.u('reviewed', *key)} < {said.reviewed!r}D"
    )
    decided = given.selectExpr("*", f"cast(from_day + 1 + {dice.below(LATEST_REVIEW, 'review day', *key)} as int) as day").where(
        f"day <= {last}"
    )
    return decided.selectExpr(
        f"element_at({habits.delivery_table(scenario)}, cast(day div {scenario.delivery_days} + 1 as int)) as delivered",
        f"{_act_no(dice)} as ACT_NO",
        f"{habits.date(scenario, 'day')} as DECIDE_DATE",
        f"if({dice.u('withheld', *key)} < {said.withheld!r}D, 'W', 'P') as DECISION",
        f"concat('E', lpad({dice.below(STAFF, 'staff', *key)}, 4, '0')) as STAFF_NO",
    )


def _act_no(dice: Dice) -> str:
    """SQL of the operator's id of an activation."""
    return f"concat('V', lpad(hex(xxhash64({dice.seed}L, 'activation', person_id, slot)), 16, '0'))"


def _clock(second: str) -> str:
    """SQL of a second of the day as six digits."""
    return f"lpad({second} div 3600, 2, '0'), lpad({second} div 60 % 60, 2, '0'), lpad({second} % 60, 2, '0')"
