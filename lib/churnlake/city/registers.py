"""The operator's registers as delivered: subscribers delivery by delivery, choices to be left alone, cells; and the truth that no job but evaluation reads."""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churnlake.city import habits, handsets
from churnlake.city.dice import Dice, Shuffle, by_key
from churnlake.city.discontent import NEVER
from churnlake.city.leaving import SERIAL
from churnlake.city.money import BRAND_CODES
from churnlake.city.records import cell_id, grid, is_out, out_from
from churnlake.city.services import SILENCE, cancels, prepaid, stopped
from churnlake.city.settings import CityScenario

AREAS = ("Dongcheng", "Xicheng", "Chaoyang", "Haidian", "Fengtai", "Shijingshan", "Tongzhou", "Changping", "Shunyi", "Daxing")
DEALERS = 40
"""Dealers who sell cards; those who farm them come on top."""
OPT_OUT, BACK_IN, BACK_AFTER = 0.02, 0.2, 30
"""Users who ask to be left alone, those of them who take it back, and after how many days."""
GOLD, SILVER = 30_000, 9_000
"""Monthly fees in fen from which a customer is ranked."""


def cells(spark: SparkSession, scenario: CityScenario) -> DataFrame:
    """One row per cell: its position on a rough grid around the centre, and its district."""
    dice = Dice(0)
    side = grid(scenario)
    areas = "array(" + ", ".join(f"'{area}'" for area in AREAS) + ")"
    return spark.range(scenario.cells).selectExpr(
        f"{cell_id('id')} as CELL_ID",
        f"format_string('%.6f', 39.78D + 0.26D * (id div {side}) / {side} + 0.01D * {dice.u('latitude', 'id')}) as LAT",
        f"format_string('%.6f', 116.22D + 0.36D * pmod(id, {side}) / {side} + 0.01D * {dice.u('longitude', 'id')}) as LON",
        f"element_at({areas}, cast(1 + pmod(id div 6, {len(AREAS)}) as int)) as DISTRICT",
    )


def subscribers(persons: DataFrame, lives: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per user and delivery that brings something new of it, with ``delivered``: all on the first day, then changes."""
    key = ("person_id", "slot")
    about = persons.select("person_id", "birth_year", "gender", "is_rural", "persona", "workplace")
    # the next life of the same number, if there is one: it must have been given up by then
    again = lives.where("number_of is not null").selectExpr("number", "from_day as next_from")
    old = lives.where("number_of is null").join(again, on="number", how="left")
    all_lives = old.unionByName(lives.where("number_of is not null").selectExpr("*", "cast(null as int) as next_from"))
    orders = cancels(scenario, dice)
    ends = f"least(case when {orders} then left_day else left_day + {SILENCE} + {dice.below(90, 'closing', *key)} end, coalesce(next_from, 99999))"
    known = all_lives.join(about, on="person_id", how="inner").selectExpr(
        "*",
        f"cast(if(left_day is null, 99999, {ends}) as int) as closed",
        f"cast(if({prepaid(scenario)} or {orders}, 99999, coalesce({stopped(scenario, dice)}, 99999)) as int) as stopped",
    )
    due = habits.told(known, scenario, "from_day", "stopped", "closed")
    # fleas have found a bonus of two months
    term = "if(abnormal in ('flea', 'farmed'), 60, 180)"
    sold = at_the_counter(dice)
    knows = f"(paper is not null or {dice.u('told age', *key)} < 0.35)"
    levels = [(key, plan.monthly_fee) for key, plan in scenario.plans.items()]
    vip = by_key("plan", {key: "'gold'" if fee >= GOLD else "'silver'" for key, fee in levels if fee >= SILVER}, "null")

    def date(day: str) -> str:
        return habits.date(scenario, day)

    return due.selectExpr(
        "delivered",
        "user_id as USER_ID",
        "number as MSISDN",
        f"concat({date('from_day')}, '000000') as EFF_TIME",
        f"if(closed <= today, concat({date('closed')}, '000000'), null) as EXP_TIME",
        f"concat('46000', lpad({Shuffle(10_000_000_000, 23).forth(SERIAL)}, 10, '0')) as IMSI",
        f"concat('C', lpad({Shuffle(100_000_000, 29).forth(SERIAL)}, 8, '0')) as CUST_ID",
        f"concat('A', lpad({Shuffle(100_000_000, 31).forth(SERIAL)}, 8, '0')) as ACCT_ID",
        "paper as ID_CARD",
        f"{by_key('brand', {brand: repr(code) for brand, code in BRAND_CODES.items()}, 'brand')} as BRAND_CODE",
        "plan as PLAN_CODE",
        f"{date('from_day')} as OPEN_DATE",
        f"if(closed <= today, {date('closed')}, null) as CLOSE_DATE",
        "case when closed <= today then 'C' when stopped <= today then 'S' else 'A' end as STATE",
        f"case when closed <= today then {date('closed')} when stopped <= today then {date('stopped')} else "
        f"{date('from_day')} end as STATE_DATE",
        *(f"{sql} as {name}" for name, sql in sold.items()),
        f"if({sold['BONUS_FEN']} is not null, {date(f'from_day + {term}')}, null) as BONUS_END",
        "if(persona = 'business' and pmod(workplace, 3) = 0, concat('G', lpad(workplace, 6, '0')), null) as GROUP_CODE",
        f"{vip} as VIP_LEVEL",
        f"if(not {prepaid(scenario)}, cast(100 + {dice.below(400, 'points', *key)} + (today - from_day) * 3 as int), null) as SCORE",
        f"if({knows}, birth_year, null) as BIRTH_YEAR",
        f"if({knows}, if(gender = 'f', '2', '1'), null) as SEX",
        "if(is_rural, 'Y', 'N') as RURAL",
        f"if(not {prepaid(scenario)}, {dice.pick({'A': 2, 'B': 5, 'C': 2, 'D': 1}, 'credit', *key)}, null) as CREDIT",
    )


def at_the_counter(dice: Dice) -> dict[str, str]:
    """SQL of where a card was sold, by whom and with which bonus, by column: the same in every register that tells of it."""
    key = ("person_id", "slot")
    # fleas and farmed cards come from a few dealers
    dealer = (
        f"case when decoy = 'farmed' then {DEALERS} + dealer when abnormal = 'flea' or motive = 'dealer' then "
        f"{dice.below(3, 'flea dealer', 'person_id')} else {dice.below(DEALERS, 'dealer', *key)} end"
    )
    bonus = f"origin <> 'start' and (abnormal in ('flea', 'farmed') or motive = 'bonus' or {dice.u('bonus', *key)} < 0.6)"
    return {
        "CHANNEL": dice.pick({"counter": 4, "dealer": 5, "phone": 1, "web": 0.5}, "channel", *key),
        "DEALER": f"concat('D', lpad({dealer}, 4, '0'))",
        "BRANCH": f"concat('B', lpad({dice.below(8, 'branch', *key)}, 2, '0'))",
        "BONUS_FEN": f"if({bonus}, cast(5000 * (1 + {dice.below(4, 'bonus size', *key)}) as int), null)",
    }


def opt_outs(lives: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per choice of a user to be left alone (O) or no longer (I), with ``delivered``."""
    first, last = scenario.written
    key = ("person_id", "slot")
    chosen = lives.where(f"{dice.u('opt out', *key)} < {OPT_OUT}").selectExpr(
        "user_id",
        "left_day",
        f"cast(greatest(from_day, {first}) + {dice.below(last + 1 - first, 'opt out day', *key)} as int) as day",
        f"{dice.u('opt back in', *key)} < {BACK_IN} as is_back",
    )
    back = f"if(is_back, array(struct(day, 'O' as choice), struct(day + {BACK_AFTER} as day, 'I' as choice)), array(struct(day, 'O' as choice)))"
    each = chosen.selectExpr("user_id", "left_day", f"inline({back})")
    return each.where(f"day <= {last} and (left_day is null or day < left_day)").selectExpr(
        f"element_at({habits.delivery_table(scenario)}, cast(day div {scenario.delivery_days} + 1 as int)) as delivered",
        "user_id as USER_ID",
        f"{habits.date(scenario, 'day')} as CHOSEN_ON",
        "choice as CHOICE",
    )


def users_truth(lives: DataFrame, persons: DataFrame, scenario: CityScenario) -> DataFrame:
    """One row per user: whose it is and how that person lives, from when to when it was really used, why it was left and where the
    person went; ``was_caught`` tells whom a contact's leaving made discontented; ``discontented_on`` when the discontent began that shows its
    signs; ``fades_on``, ``fades_to`` and ``fade_depth`` when it used the number less, and by how much."""
    first = scenario.first_day
    return lives.join(persons.select("person_id", "persona"), on="person_id", how="inner").selectExpr(
        "user_id",
        "person_id",
        "origin",
        "brand",
        "plan",
        f"date_add(date'{first}', from_day) as joined_on",
        f"if(left_day is null, null, date_add(date'{first}', left_day)) as left_on",
        "cause",
        "destination",
        f"if(onset >= {NEVER}, null, date_add(date'{first}', onset)) as discontented_on",
        f"if(dip_from >= {NEVER}, null, date_add(date'{first}', dip_from)) as fades_on",
        f"if(dip_to >= {NEVER}, null, date_add(date'{first}', dip_to)) as fades_to",
        f"if(dip_from >= {NEVER}, null, depth) as fade_depth",
        "caught is not null as was_caught",
        "abnormal",
        "persona",
    )


def reentries_truth(lives: DataFrame, scenario: CityScenario) -> DataFrame:
    """One row per user that is another user come back under a new number, full or partial."""
    first = scenario.first_day
    old = lives.selectExpr(
        "person_id",
        "slot as old_slot",
        "user_id as old_user_id",
        "left_day as old_left",
        "handset_owner as old_owner",
        "handset_turn as old_handset_turn",
        "swap_day as old_swap_day",
        "paper as old_paper",
    )
    new = lives.where("origin in ('reentry', 'partial')").selectExpr(
        "person_id",
        "old_slot",
        "user_id",
        "origin",
        "from_day",
        "handset_owner",
        "handset_turn",
        "swap_day",
        "paper",
        "motive",
        "is_unaware",
    )
    last_used = handsets.used_on("least(old_left - 1, from_day)", "old_{}".format)
    return new.join(old, on=["person_id", "old_slot"], how="inner").selectExpr(
        "old_user_id",
        "user_id as new_user_id",
        "person_id",
        f"date_add(date'{first}', from_day) as joined_on",
        f"if(old_left is null, null, date_add(date'{first}', old_left)) as old_left_on",
        "from_day - old_left as gap_days",
        f"coalesce(handset_owner = old_owner and {last_used} = {handsets.used_on('from_day')}, false) as same_handset",
        "coalesce(paper = old_paper, false) as same_document",
        "if(origin = 'partial', 'partial', 'full') as kind",
        "motive",
        "is_unaware",
    )


def decoys_truth(lives: DataFrame) -> DataFrame:
    """One row per joiner who looks like another user without being that person, with the kind and whom it is like, null for nobody."""
    first = lives.where("slot = 0").select(F.col("person_id").alias("like_person"), F.col("user_id").alias("like_user_id"))
    decoys = lives.where("decoy is not null").selectExpr(
        "user_id", "decoy as kind", "coalesce(like_person, if(slot > 0, person_id, null)) as like_person"
    )
    return decoys.join(first, on="like_person", how="left").select("user_id", "kind", "like_user_id")


def outages_truth(spark: SparkSession, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per cell and day on which it was out of order: first and last hour."""
    first, last = scenario.written
    days = spark.range(first, last + 1).selectExpr("cast(id as int) as day")
    cells = spark.range(scenario.cells).selectExpr("cast(id as int) as near")
    out = cells.crossJoin(days).where(is_out(scenario, dice, "near"))
    hour = out_from(dice, "near")
    return out.selectExpr(
        f"{cell_id('near')} as cell_id",
        f"date_add(date'{scenario.first_day}', day) as day",
        f"cast({hour} as int) as from_hour",
        f"cast({hour} + 4 as int) as to_hour",
    )
