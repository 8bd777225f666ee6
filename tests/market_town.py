"""A town whose market the tests look at: campaigns with planted effects, and people who joined for reasons known."""

from __future__ import annotations

import datetime as dt

from pyspark.sql import DataFrame, SparkSession

from churnlake.city.dice import Dice
from churnlake.city.market import Campaign
from churnlake.city.settings import CityScenario, scenario

DICE, USERS = Dice(7), 4000


def _campaign(
    name: str, outcome: str, day: dt.date, days: int, persuadable: float, sleeping_dog: float, **more: object
) -> Campaign:
    return Campaign.model_validate(
        {
            "name": name, "outcome": outcome, "day": day, "days": days, "share": 0.9, "target": 0.6, "reach": 0.8, "channel": "phone",
            "persuadable": persuadable, "sleeping_dog": sleeping_dog, **more,
        }
    )  # fmt: skip


CARE = _campaign("care", "leave", dt.date(2005, 4, 1), 45, 0.9, 0.02)
TOP_UP = _campaign("top_up", "recharge", dt.date(2005, 2, 1), 30, 0.4, 0.2)
GIFT = _campaign("gift", "recharge", dt.date(2005, 5, 1), 30, 0.0, 0.0)
TRIAL = _campaign("trial", "service", dt.date(2005, 3, 1), 60, 0.3, 0.3, service="ring_tone")


def make_town() -> CityScenario:
    """Many leave, so that few people show what a campaign does."""
    tiny = scenario("tiny")
    leaving = tiny.leaving.model_copy(update={"monthly": 0.25})
    return tiny.model_copy(update={"leaving": leaving, "campaigns": (CARE, TOP_UP, GIFT, TRIAL), "users": USERS})


def make_joiners(spark: SparkSession) -> DataFrame:
    """One row per user, half of them back under a new number; some discontented, some gone, some with us for long."""
    return spark.range(USERS).selectExpr(
        "concat('U', id) as user_id", "id div 2 as person_id", "cast(id % 2 as int) as slot",
        "case when id % 20 = 19 then 'renumbered' when id % 2 = 1 then 'reentry' when id % 4 = 0 then 'newcomer' else 'start' end as origin",
        "if(id % 2 = 1, 0, null) as old_slot", "element_at(array('gotone', 'easyown', 'mzone'), cast(1 + (id div 2) % 3 as int)) as brand",
        "cast(if(id % 4 = 2, -100, 10 + id % 120) as int) as from_day", "cast(if(id % 50 = 1, 130, null) as int) as left_day",
        "if(id % 2 = 1 and id % 20 <> 19, element_at(array('plan', 'brand', 'lost_sim'), cast(1 + (id div 2) % 3 as int)), null) as motive",
        "if(id % 2 = 1, id % 4 = 1, null) as is_unaware", "13800000000 + id as number",
        "20 as onset", "array(named_struct('start', 20, 'end', if(id % 8 < 3, 160, 30), 'cause', 0, 'leaves', false)) as times",
    )  # fmt: skip
