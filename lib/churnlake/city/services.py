"""Services taken by the month: ring tones, mailbox, packs; who takes which, from when to when."""

from __future__ import annotations

from pyspark.sql import DataFrame

from churnlake.city import habits
from churnlake.city.dice import Dice
from churnlake.city.handsets import able
from churnlake.city.settings import CityScenario

CHANNELS = {"sms": 4, "hotline": 3, "counter": 2, "web": 1}
"""Where services are ordered, by weight."""
SILENCE = 90
"""Days after which a number that fell silent is out of service: nothing is forwarded, its services end, it may be closed."""
SUBSCRIPTION = "user_id string, service string, start_day int, end_day int, channel string, fee_fen int"


def subscriptions(lives: DataFrame, persons: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per user, service and first day of taking it: start_day, end_day (the day after the last; null while held), fee in fen.

    At most two times each. Campaigns are not in it yet: see ``campaigns.subscribed``. Needs of ``persons`` person_id and persona_no.
    """
    if not scenario.services:
        return lives.sparkSession.createDataFrame([], SUBSCRIPTION)
    days, services = scenario.days, list(scenario.services.values())
    key = ("service", "person_id", "slot")
    takers = [service.takers.get(name, service.takers["others"]) for service in services for name in scenario.personas]
    able_to = by_service([f"{can(dice, repr(service.needs), 'person_id')}" for service in services])
    living = lives.where("abnormal is null or abnormal not in ('farmed', 'sp_fraud', 'silent')")
    each = (
        living.join(persons.select("person_id", "persona_no"), on="person_id", how="inner")
        .selectExpr("*", f"{closes(scenario, dice)} as closes", f"explode(sequence(0, {len(services) - 1})) as service_no")
        .selectExpr("*", f"{by_service([repr(name) for name in scenario.services])} as service")
        .where(able_to)
    )
    starts = f"{leaning(scenario, 'service_no', 'persona_no')} * {_daily(scenario, 'monthly_start')}"
    stops = _daily(scenario, "monthly_stop")

    def wait(rate: str, salt: str) -> str:
        return f"cast(1 + least(99999D, -ln(1 - {dice.u(salt, *key)}) / greatest(1e-9D, {rate})) as int)"

    # those with us on the first day took it at some time since they joined
    earlier = f"if(from_day < 0, from_day + cast(floor({dice.u('taken', *key)} * -from_day) as int), from_day)"
    has = f"{dice.u('takes', *key)} < element_at({_doubles(takers)}, service_no * {len(scenario.personas)} + persona_no + 1)"
    each = each.selectExpr("*", f"if({has}, {earlier}, greatest(0, from_day) + {wait(starts, 'start')}) as start_0")
    each = each.selectExpr("*", f"greatest(0, start_0) + {wait(stops, 'stop')} as stop_0")
    each = each.selectExpr("*", f"stop_0 + {wait(starts, 'start again')} as start_1")
    each = each.selectExpr("*", f"start_1 + {wait(stops, 'stop again')} as stop_1")
    turns = ", ".join(
        f"struct({turn} as turn, start_{turn} as start_day, least(stop_{turn}, closes) as stop_day)" for turn in (0, 1)
    )
    taken = each.selectExpr("user_id", "person_id", "slot", "left_day", "service_no", "service", f"inline(array({turns}))")
    return taken.where(f"start_day < least({days}, coalesce(left_day, 99999)) and stop_day > 0").selectExpr(
        "user_id",
        "service",
        "start_day",
        ended("stop_day", days),
        f"{dice.pick(CHANNELS, 'order', *key, 'turn')} as channel",
        f"{by_service([str(service.fee) for service in services])} as fee_fen",
    )


def cancels(scenario: CityScenario, dice: Dice) -> str:
    """SQL of whether a leaver gives a cancel order."""
    draw = dice.u("order", "person_id", "slot")
    return f"(not {prepaid(scenario)} and {draw} < {scenario.leaving.cancel_order!r}D and coalesce(cause, '') <> 'arrears')"


def prepaid(scenario: CityScenario) -> str:
    """SQL of whether a row's ``brand`` pays by card."""
    return f"(brand in ({', '.join(map(repr, scenario.prepaid))}))" if scenario.prepaid else "false"


def stopped(scenario: CityScenario, dice: Dice) -> str:
    """SQL of the day from which a number left behind is out of service, null while it is used: at the counter, for arrears, for silence."""
    return (
        f"case when {cancels(scenario, dice)} then left_day when {prepaid(scenario)} then left_day + {SILENCE} "
        "when cause = 'arrears' then left_day else left_day + 30 end"
    )


def closes(scenario: CityScenario, dice: Dice) -> str:
    """SQL of the day from which a life has no services: that of the cancel order, else some time after the last use."""
    return f"cast(case when left_day is null then 99999 when {cancels(scenario, dice)} then left_day else left_day + {SILENCE} end as int)"


def ended(day: str, days: int) -> str:
    """SQL of end_day: null when it is after the city's days."""
    return f"cast(if({day} < {days}, {day}, null) as int) as end_day"


def can(dice: Dice, needs: str, person: str) -> str:
    """SQL of whether a person's first handset has what a service ``needs``."""
    gprs, mms = (f"{able(dice, what, person)} = 1" for what in ("GPRS", "MMS"))
    return f"case {needs} when 'gprs' then {gprs} when 'mms' then {mms} else true end"


def leaning(scenario: CityScenario, service_no: str, persona_no: str) -> str:
    """SQL of how many times as many of a way of life as of all people take a service; about 1 on average."""
    personas, table = scenario.personas, []
    whole = sum(persona.share for persona in personas.values())
    for service in scenario.services.values():
        shares = [service.takers.get(name, service.takers["others"]) for name in personas]
        mean = sum(share * persona.share for share, persona in zip(shares, personas.values(), strict=True)) / whole
        table += [share / mean if mean else 1.0 for share in shares]
    return f"element_at({_doubles(table)}, {service_no} * {len(personas)} + {persona_no} + 1)"


def _daily(scenario: CityScenario, rate: str) -> str:
    return by_service([f"{getattr(service, rate) / 30.4!r}D" for service in scenario.services.values()])


def by_service(values: list[str]) -> str:
    """SQL of the value for the service in ``service_no``, the values given in the order of the scenario."""
    return f"element_at(array({', '.join(values)}), service_no + 1)"


def _doubles(values: list[float]) -> str:
    return f"array({', '.join(f'{value:.6g}D' for value in values)})"


def file(subscriptions: DataFrame, scenario: CityScenario) -> DataFrame:
    """One row per subscription and delivery that brings something new of it, with ``delivered``: those held on the first day, then changes.

    END_DATE is the last day of the service.
    """

    def date(day: str) -> str:
        return habits.date(scenario, day)

    return habits.told(subscriptions, scenario, "start_day", "end_day - 1").selectExpr(
        "delivered",
        "user_id as USER_ID",
        "service as SERVICE_CODE",
        f"{date('start_day')} as START_DATE",
        f"if(end_day - 1 <= today, {date('end_day - 1')}, null) as END_DATE",
        "channel as ORDER_CHANNEL",
        "fee_fen as MONTH_FEE",
    )
