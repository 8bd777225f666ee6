"""What it costs: plans and their prices, bills by month, recharges of the prepaid."""

from __future__ import annotations

import datetime as dt
import math

from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from churnlake.city import habits
from churnlake.city.dice import Dice, by_key
from churnlake.city.market import PRICES, Plan
from churnlake.city.services import prepaid
from churnlake.city.settings import CityScenario

FACES = {"3000": 0.35, "5000": 0.40, "10000": 0.25}
"""Face values of recharge cards in fen, by share of users who buy them."""
LEFTOVER = 0.1
"""Of a card's value, what those who use up their balance leave at most."""
BRAND_CODES = {"gotone": "1", "easyown": "2", "mzone": "3"}
PRICE_COLUMNS = {
    "local": "LOCAL_FEE", "long_distance": "TOLL_FEE", "roaming": "ROAM_FEE", "sms": "SMS_FEE", "international": "INTL_FEE", "ip": "IP_FEE",
    "night": "NIGHT_FEE", "mms": "MMS_FEE", "wap": "WAP_FEE",
}  # fmt: skip
PLAN_COLUMNS = (
    "PLAN_CODE", "PLAN_NAME", "BRAND_CODE", "MONTH_FEE", "FREE_MIN", "LOCAL_FEE", "TOLL_FEE", "ROAM_FEE", "SMS_FEE", "FREE_SMS", "INTL_FEE",
    "IP_FEE", "NIGHT_FEE", "MMS_FEE", "WAP_FEE",
)  # fmt: skip


def price(scenario: CityScenario, name: str, day: str, plan_no: str) -> str:
    """SQL of a plan's price on a day, in whole fen; ``day`` and ``plan_no`` count the scenario's days and plans from 0."""

    def on(today: dt.date) -> str:
        prices = [str(_price_on(scenario, plan, name, today)) for plan in scenario.plans.values()]
        return f"element_at(array({', '.join(prices)}), {plan_no} + 1)"

    changes = sorted({o.first for o in scenario.occasions if name in o.prices and o.first > scenario.first_day}, reverse=True)
    if not changes:
        return on(scenario.first_day)
    whens = " ".join(f"when {day} >= {(change - scenario.first_day).days} then {on(change)}" for change in changes)
    return f"case {whens} else {on(scenario.first_day)} end"


def _price_on(scenario: CityScenario, plan: Plan, name: str, today: dt.date) -> int:
    """A plan's price on a day, halves rounded upwards: a tariff change holds from its first day on, for good."""
    met = [o for o in scenario.occasions if o.first <= today and (not o.brands or plan.brand in o.brands)]
    return math.floor(int(getattr(plan, name)) * math.prod(occasion.prices.get(name, 1.0) for occasion in met) + 0.5)


def plans(spark: SparkSession, scenario: CityScenario) -> DataFrame:
    """One row per plan and delivery that brings it, as the operator's own file writes it; money in fen.

    All come on the first day; those whose prices change come again with the delivery that contains the day.
    """
    rows: list[tuple[object, ...]] = []
    known: dict[str, list[int]] = {}
    for today in dict.fromkeys([scenario.first_day, *scenario.deliveries]):
        for key, plan in scenario.plans.items():
            prices = [_price_on(scenario, plan, name, today) for name in PRICES]
            if known.get(key) != prices:
                known[key] = prices
                brand = BRAND_CODES.get(plan.brand, plan.brand)
                about = (key, plan.name, brand, plan.monthly_fee, plan.included_minutes, plan.included_messages)
                rows.append((str(today), *about, *prices))
    texts = [f"{column} string" for column in ("delivered", "PLAN_CODE", "PLAN_NAME", "BRAND_CODE")]
    numbers = [f"{column} int" for column in ("MONTH_FEE", "FREE_MIN", "FREE_SMS", *(PRICE_COLUMNS[name] for name in PRICES))]
    return spark.createDataFrame(rows, ", ".join(texts + numbers)).select("delivered", *PLAN_COLUMNS)


def plan_deliveries(scenario: CityScenario) -> list[str]:
    """The days on which plans are delivered: the first, then those that contain a change of prices."""
    changes = [occasion.first for occasion in scenario.occasions if occasion.prices and occasion.first > scenario.first_day]
    return list(dict.fromkeys([str(scenario.first_day), *scenario.delivered_on(changes)]))


def months(scenario: CityScenario) -> list[tuple[dt.date, int, int]]:
    """First day of each month touched, with the first and last day numbers of it that lie in the city's time."""
    found, day = [], scenario.first_day.replace(day=1)
    while day <= scenario.last_day:
        following = (day + dt.timedelta(32)).replace(day=1)
        found.append(
            (day, max(0, (day - scenario.first_day).days), min(scenario.days, (following - scenario.first_day).days) - 1)
        )
        day = following
    return found


def billed(scenario: CityScenario) -> list[tuple[str, str, int, int]]:
    """Months whose bills are delivered in time: month as eight digits, delivery day, first and last day number."""
    due = []
    for first, start, end in months(scenario):
        delivered = (first + dt.timedelta(32)).replace(day=3)
        if delivered <= scenario.last_day:
            due.append((f"{first:%Y%m%d}", str(delivered), start, end))
    return due


def bills(
    records: DataFrame, lives: DataFrame, scenario: CityScenario, dice: Dice, subscriptions: DataFrame | None = None
) -> DataFrame:
    """One row per user and month billed within the city's time, with ``delivered``: the third day of the next month.

    What is included in the plan, at its prices of the month's last day, is not charged. Services (``subscriptions``, none: nobody
    takes any) cost their fee in every month touched. For days whose records are not written, use is drawn as usual.
    """
    month_no = "case " + " ".join(f"when day <= {last} then {i}" for i, (_, _, last) in enumerate(months(scenario))) + " end"
    kinds = {
        "local": "service = 0 and class = 'D'",
        "toll": "service = 0 and class in ('L', 'I')",
        "roam": "service = 0 and class = 'R'",
        "sms": "service = 1",
        "mms": "service = 2",
        "wap": "service = 3",
    }
    used = (
        records.selectExpr("user_id", f"{month_no} as month_no", "service", "class", "fee_fen")
        .groupBy("user_id", "month_no")
        .agg(*[F.expr(f"sum(if({kind}, fee_fen, 0))").alias(name) for name, kind in kinds.items()])
    )
    numbers = {f"{first:%Y%m%d}": i for i, (first, _, _) in enumerate(months(scenario))}
    first, last = scenario.written

    def unwritten(start: int, end: int) -> float:
        """Share of the days whose records are not written."""
        return 1 - max(0, min(end, last) - max(start, first) + 1) / (end - start + 1)

    calendar = F.broadcast(
        records.sparkSession.createDataFrame(
            [
                (numbers[month], month, delivered, start, end, unwritten(start, end))
                for month, delivered, start, end in billed(scenario)
            ],
            "month_no int, month string, delivered string, start int, end int, unwritten double",
        )
    )
    keys = ", ".join(f"'{key}'" for key in scenario.plans)
    held = lives.selectExpr(
        "user_id",
        "from_day",
        "left_day",
        "brand",
        "cause",
        "abnormal",
        f"cast(array_position(array({keys}), plan) - 1 as int) as plan_no",
    )
    due = held.join(calendar, on=F.expr("from_day <= end and coalesce(left_day, 99999) > start"), how="inner")
    due = due.join(used, on=["user_id", "month_no"], how="left")
    if subscriptions is None:
        due = due.selectExpr("*", "0 as taken")
    else:
        taken = subscriptions.join(calendar, on=F.expr("start_day <= end and coalesce(end_day, 99999) > start"), how="inner")
        taken = taken.groupBy("user_id", "month_no").agg(F.sum("fee_fen").alias("taken"))
        due = due.join(taken, on=["user_id", "month_no"], how="left")
    fee = {name: f"coalesce({name}, 0)" for name in kinds}
    if any(unwritten(start, end) for _, _, start, end in billed(scenario)):
        fee = {name: f"{known} + if(unwritten > 0, {_usual(name, scenario, dice)}, 0)" for name, known in fee.items()}

    def included(what: str, name: str) -> str:
        units = "element_at(array(" + ", ".join(str(getattr(plan, what)) for plan in scenario.plans.values()) + "), plan_no + 1)"
        return f"{units} * {price(scenario, name, 'end', 'plan_no')}"

    monthly = "element_at(array(" + ", ".join(str(plan.monthly_fee) for plan in scenario.plans.values()) + "), plan_no + 1)"
    owes = f"not {prepaid(scenario)} and left_day between start and end + 1 and (cause = 'arrears' or {dice.u('owes', 'user_id')} < 0.1)"
    total = "MONTH_FEE + LOCAL_FEE + TOLL_FEE + ROAM_FEE + MESSAGE_FEE + NEW_FEE"
    return due.selectExpr(
        "delivered",
        "user_id as USER_ID",
        "month as BILL_MONTH",
        f"{monthly} as MONTH_FEE",
        f"greatest(0, {fee['local']} - {included('included_minutes', 'local')}) as LOCAL_FEE",
        f"{fee['toll']} as TOLL_FEE",
        f"{fee['roam']} as ROAM_FEE",
        f"greatest(0, {fee['sms']} - {included('included_messages', 'sms')}) + {fee['mms']} as MESSAGE_FEE",
        f"{fee['wap']} + coalesce(taken, 0) as NEW_FEE",
        f"if({owes}, {total}, 0) as OWED_FEE",
    )


def _usual(name: str, scenario: CityScenario, dice: Dice) -> str:
    """SQL of fees, before what is included, of the ``unwritten`` days of a month: much in one month is much in all."""
    money, key = scenario.money, {"toll": "long_distance", "roam": "roaming"}.get(name, name)
    use = money.usual.get(key)
    if use is None:
        return "0"
    level = (
        f"exp({money.usual_spread!r}D * {dice.normal('usual', 'user_id')} + "
        f"{money.usual_change!r}D * {dice.normal(f'usual {name}', 'user_id', 'month')})"
    )
    held = "(least(end + 1, coalesce(left_day, 99999)) - greatest(start, from_day)) / 30.4D * unwritten"
    units = f"{use.units!r}D * {level} * {held}"
    uses = f"abnormal is distinct from 'silent' and {dice.u(f'uses {name}', 'user_id', 'month')} < {use.share!r}D"
    return f"if({uses}, cast(round({units} * {price(scenario, key, 'end', 'plan_no')}) as bigint), 0)"


def face(dice: Dice) -> str:
    """SQL of the face value of the cards a user buys."""
    return f"cast({dice.pick(FACES, 'face', 'user_id')} as int)"


def recharges(records: DataFrame, lives: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per recharge of a prepaid user, with ``day``: a card is bought whenever what was used passes its face value.

    What is left of the card bought before the record begins is chance, but for most leavers: they leave when a card is used up.
    """
    fees = by_key("plan", {key: plan.monthly_fee for key, plan in scenario.plans.items()}, "null")
    first, last = scenario.written
    own_will = f"left_day <= {last + 1} and cause is distinct from 'lost_sim' and destination is distinct from 'renumbered'"
    users = lives.where(prepaid(scenario)).selectExpr(
        "user_id",
        f"greatest(from_day, {first}) as since",
        f"{fees} as monthly",
        f"{face(dice)} as face",
        "left_day",
        f"coalesce({own_will}, false) and {dice.u('used up', 'user_id')} < {scenario.money.balance_used_up!r}D as uses_up",
    )
    spent = records.groupBy("user_id", "day").agg(F.sum("fee_fen").alias("fen"))
    in_order = Window.partitionBy("user_id").orderBy("day")
    so_far = in_order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    whole = in_order.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    # calls that a number left behind still forwards are not bought for
    used = spent.join(users, on="user_id", how="inner").where("left_day is null or day < left_day").drop("left_day")
    used = used.selectExpr("*", "monthly * (day - since) / 30 as fees").withColumns(
        {"used": F.sum("fen").over(so_far), "all_used": F.sum("fen").over(whole), "all_fees": F.max("fees").over(whole)}
    )
    # at the end the cards bought are used up but for a little
    left = f"pmod(1 - {LEFTOVER!r}D * {dice.u('balance', 'user_id')} - (all_used + all_fees) / face, 1)"
    used = used.selectExpr(
        "*", f"floor((used + fees) / face + if(uses_up, {left}, {dice.u('balance', 'user_id')})) as cards"
    ).withColumn("before", F.lag("cards", 1, 0).over(in_order))
    each = used.where("cards > before").selectExpr("user_id", "day", "face", "explode(sequence(before + 1, cards)) as card")
    return each.selectExpr("day", "user_id", *bought(dice, "card"), "face")


def bought(dice: Dice, card: str) -> tuple[str, str]:
    """SQL of the id and the second of the day of a recharge; ``card`` tells those of a user apart."""
    return (
        f"concat('R', lpad(hex(xxhash64({dice.seed}L, 'recharge', user_id, {card})), 16, '0')) as recharge_id",
        f"cast(28800 + {dice.below(50400, 'recharge time', 'user_id', card)} as int) as second",
    )


def recharge_file(recharges: DataFrame, scenario: CityScenario) -> DataFrame:
    """One row per recharge as the operator's own file writes it, with ``delivered``."""
    time = (
        f"concat(element_at({habits.date_table(scenario)}, day + 1), lpad(second div 3600, 2, '0'), "
        "lpad(second div 60 % 60, 2, '0'), lpad(second % 60, 2, '0'))"
    )
    return recharges.selectExpr(
        f"element_at({habits.delivery_table(scenario)}, cast(day div {scenario.delivery_days} + 1 as int)) as delivered",
        "recharge_id as PAY_NO",
        "user_id as USER_ID",
        f"{time} as PAY_TIME",
        "face as FACE_FEN",
    )
