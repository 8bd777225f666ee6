"""What it costs: plans, bills by month, recharges of the prepaid."""

from __future__ import annotations

import datetime as dt

from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from churnlake.city import habits
from churnlake.city.dice import Dice
from churnlake.city.settings import CityScenario

PREPAID = ("easyown", "mzone")
FACES = {"3000": 0.35, "5000": 0.40, "10000": 0.25}
"""Face values of recharge cards in fen, by share of users who buy them."""
BRAND_CODES = {"gotone": "1", "easyown": "2", "mzone": "3"}


def plans(spark: SparkSession, scenario: CityScenario) -> DataFrame:
    """One row per plan, as the operator's own file writes it; money in fen."""
    rows = [
        (
            key,
            plan.name,
            BRAND_CODES.get(plan.brand, plan.brand),
            plan.monthly_fee,
            plan.included_minutes,
            plan.local,
            plan.long_distance,
            plan.roaming,
            plan.sms,
        )
        for key, plan in scenario.plans.items()
    ]
    return spark.createDataFrame(
        rows,
        "PLAN_CODE string, PLAN_NAME string, BRAND_CODE string, MONTH_FEE int, FREE_MIN int, LOCAL_FEE int, TOLL_FEE int, "
        "ROAM_FEE int, SMS_FEE int",
    )


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


def bills(records: DataFrame, lives: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per user and month billed within the city's time, with ``delivered``: the third day of the next month."""
    keys = list(scenario.plans)
    month_no = "case " + " ".join(f"when day <= {last} then {i}" for i, (_, _, last) in enumerate(months(scenario))) + " end"
    used = (
        records.selectExpr("user_id", f"{month_no} as month_no", "service", "class", "fee_fen")
        .groupBy("user_id", "month_no")
        .agg(
            F.expr("sum(if(service = 0 and class = 'D', fee_fen, 0))").alias("local"),
            F.expr("sum(if(service = 0 and class = 'L', fee_fen, 0))").alias("toll"),
            F.expr("sum(if(service = 0 and class = 'R', fee_fen, 0))").alias("roam"),
            F.expr("sum(if(service in (1, 2), fee_fen, 0))").alias("message"),
            F.expr("sum(if(service = 3, fee_fen, 0))").alias("new_service"),
        )
    )
    numbers = {f"{first:%Y%m%d}": i for i, (first, _, _) in enumerate(months(scenario))}
    calendar = records.sparkSession.createDataFrame(
        [(numbers[month], month, delivered, start, end) for month, delivered, start, end in billed(scenario)],
        "month_no int, month string, delivered string, start int, end int",
    )
    fee = "element_at(array(" + ",".join(str(p.monthly_fee) for p in scenario.plans.values()) + "), plan_no)"
    free = "element_at(array(" + ",".join(str(p.included_minutes * p.local) for p in scenario.plans.values()) + "), plan_no)"
    plan_no = "array_position(array(" + ",".join(f"'{key}'" for key in keys) + "), plan)"
    held = lives.selectExpr("user_id", "from_day", "left_day", "brand", "cause", f"cast({plan_no} as int) as plan_no")
    due = held.join(F.broadcast(calendar), on=F.expr("from_day <= end and coalesce(left_day, 99999) > start"), how="inner")
    owes = f"brand = 'gotone' and left_day between start and end + 1 and (cause = 'arrears' or {dice.u('owes', 'user_id')} < 0.1)"
    total = "MONTH_FEE + LOCAL_FEE + TOLL_FEE + ROAM_FEE + MESSAGE_FEE + NEW_FEE"
    return due.join(used, on=["user_id", "month_no"], how="left").selectExpr(
        "delivered",
        "user_id as USER_ID",
        "month as BILL_MONTH",
        f"{fee} as MONTH_FEE",
        f"greatest(0, coalesce(local, 0) - {free}) as LOCAL_FEE",
        "coalesce(toll, 0) as TOLL_FEE",
        "coalesce(roam, 0) as ROAM_FEE",
        "coalesce(message, 0) as MESSAGE_FEE",
        "coalesce(new_service, 0) as NEW_FEE",
        f"if({owes}, {total}, 0) as OWED_FEE",
    )


def recharges(records: DataFrame, lives: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per recharge of a prepaid user, with ``day``: a card is bought whenever what was used passes its face value."""
    brands = ", ".join(f"'{brand}'" for brand in PREPAID)
    fees = "case " + " ".join(f"when plan = '{key}' then {plan.monthly_fee}" for key, plan in scenario.plans.items()) + " end"
    users = lives.where(f"brand in ({brands})").selectExpr(
        "user_id",
        "greatest(from_day, 0) as since",
        f"{fees} as monthly",
        f"cast({dice.pick(FACES, 'face', 'user_id')} as int) as face",
    )
    spent = records.groupBy("user_id", "day").agg(F.sum("fee_fen").alias("fen"))
    so_far = Window.partitionBy("user_id").orderBy("day").rowsBetween(Window.unboundedPreceding, Window.currentRow)
    in_order = Window.partitionBy("user_id").orderBy("day")
    used = spent.join(users, on="user_id", how="inner").withColumn("used", F.sum("fen").over(so_far))
    used = used.selectExpr(
        "*", f"floor((used + monthly * (day - since) / 30 + face * {dice.u('balance', 'user_id')}) / face) as cards"
    ).withColumn("before", F.lag("cards", 1, 0).over(in_order))
    each = used.where("cards > before").selectExpr("user_id", "day", "face", "explode(sequence(before + 1, cards)) as card")
    return each.selectExpr(
        "day",
        "user_id",
        f"concat('R', lpad(hex(xxhash64({dice.seed}L, 'recharge', user_id, card)), 16, '0')) as recharge_id",
        f"cast(28800 + {dice.below(50400, 'recharge time', 'user_id', 'card')} as int) as second",
        "face",
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
