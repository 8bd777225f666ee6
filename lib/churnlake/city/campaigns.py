"""Campaigns against control groups: whom chance puts in which arm, who is reached, and what that does to each of them.

Every assigned user has two outcomes, without contact (``y0``) and with it (``y1``), whether what the campaign is about comes about:
the user leaves, buys a card, takes the service. They differ for the ``persuadable`` (it would go wrong, but for the contact) and for
``sleeping_dog`` (it would go well, but for the contact); the ``lost`` and the ``sure`` are as they are. Only those reached change.
"""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churnlake.city import money, services
from churnlake.city.dice import Dice
from churnlake.city.market import Campaign
from churnlake.city.settings import CityScenario

MEMBER = 30
"""Days with us before the campaign, at least."""
WOKEN = 7
"""Days a sleeping dog stays after the contact, at least."""
ASSIGNED = "array<struct<campaign string, is_target boolean, is_reached boolean, effect string, y0 boolean, y1 boolean>>"


def held(scenario: CityScenario) -> list[tuple[int, Campaign]]:
    """The campaigns that are seen through in the city's time, with the number of their day.

    Recharges are known of days whose records are written only, and a city without services has none to offer.
    """
    found = []
    for campaign in scenario.campaigns:
        day = (campaign.day - scenario.first_day).days
        first, last = scenario.written if campaign.outcome == "recharge" else (0, scenario.days - 1)
        if first <= day and day + campaign.days <= last and (campaign.service is None or campaign.service in scenario.services):
            found.append((day, campaign))
    return found


def deliveries(scenario: CityScenario) -> list[str]:
    """The deliveries that bring touches."""
    return scenario.delivered_on(campaign.day for _, campaign in held(scenario))


def cared(frame: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per life, its ``times`` of discontent after the campaigns against leaving; ``campaigns`` are those it was assigned to.

    Who is persuaded is content from the campaign's day on; a woken sleeping dog is discontented from then on, and leaves within the
    window. Lives by a rule (``ruled``) are not to be moved. Needs of each life what ``discontent.times`` knows before it looks for
    the last day.
    """
    causes = list(scenario.leaving.causes)
    cause = causes.index("quality") if "quality" in causes else 0
    frame = frame.selectExpr("*", f"cast(array() as {ASSIGNED}) as campaigns")
    for day, campaign in held(scenario):
        if campaign.outcome != "leave":
            continue
        name, until = f"'{campaign.name}'", day + campaign.days
        brands = f"brand in ({', '.join(map(repr, campaign.brands))})" if campaign.brands else "true"
        # the first time that makes leave is the last of all
        frame = frame.selectExpr(
            "*", f"coalesce(get(filter(times, t -> t.leaves and t.end < {scenario.days}), 0).end, 99999) as leaves_on"
        )
        asked = (
            f"slot = 0 and renumber_day is null and {brands} and from_day <= {day - MEMBER} and leaves_on > {day} and "
            f"{dice.u('assigned', name, 'person_id')} < {campaign.share!r}D"
        )
        effect = _effect(
            f"leaves_on <= {until}", f"if(ruled is null, {campaign.persuadable!r}D, 0D)", f"if(ruled is null, {campaign.sleeping_dog!r}D, 0D)",
            dice.u("effect", name, "person_id"),
        )  # fmt: skip
        frame = frame.selectExpr("*", f"coalesce({asked}, false) as asked", f"leaves_on <= {until} as y0", f"{effect} as effect")
        frame = frame.selectExpr(
            "*",
            f"{dice.u('arm', name, 'person_id')} < {campaign.target!r}D as is_target",
            f"{_reached(dice, name, f'{campaign.target!r}D', f'{campaign.reach!r}D')} as is_reached",
        )
        before = (
            f"transform(filter(times, t -> t.start < {day}), t -> if(t.end <= {day}, t, "
            f"named_struct('start', t.start, 'end', {day}, 'cause', t.cause, 'leaves', false)))"
        )
        end = f"cast({day + WOKEN} + {dice.below(campaign.days - WOKEN + 1, 'woken', name, 'person_id')} as int)"
        woken = f"array(named_struct('start', {day}, 'end', {end}, 'cause', {cause}, 'leaves', true))"
        answer = f"named_struct('campaign', {name}, 'is_target', is_target, 'is_reached', is_reached, 'effect', effect, 'y0', y0, 'y1', {_y1('true')})"
        extra = ("times", "campaigns", "leaves_on", "asked", "y0", "effect", "is_target", "is_reached")
        frame = frame.selectExpr(
            *[column for column in frame.columns if column not in extra],
            f"case when not (asked and is_reached) then times when effect = 'persuadable' then {before} "
            f"when effect = 'sleeping_dog' then concat({before}, {woken}) else times end as times",
            f"if(asked, concat(campaigns, array({answer})), campaigns) as campaigns",
        )
    return frame


def _effect(wrong: str, persuadable: str, sleeping_dog: str, draw: str) -> str:
    """SQL of what the contact does to a user, for whom it goes ``wrong`` without it or not."""
    return f"if({wrong}, if({draw} < {persuadable}, 'persuadable', 'lost'), if({draw} < {sleeping_dog}, 'sleeping_dog', 'sure'))"


def _y1(wrong: str) -> str:
    """SQL of the outcome with contact; ``wrong`` is the outcome nobody wants."""
    return f"case effect when 'persuadable' then not {wrong} when 'sleeping_dog' then {wrong} else y0 end"


def _reached(dice: Dice, campaign: str, target: str, reach: str) -> str:
    return f"{dice.u('arm', campaign, 'person_id')} < {target} and {dice.u('reached', campaign, 'person_id')} < {reach}"


def _plan(spark: SparkSession, scenario: CityScenario) -> DataFrame:
    """One row per campaign held."""
    names = list(scenario.services)
    rows = [
        (
            campaign.name,
            campaign.outcome,
            campaign.service,
            names.index(campaign.service) if campaign.service else None,
            scenario.services[campaign.service].needs if campaign.service else "",
            list(campaign.brands or (scenario.prepaid if campaign.outcome == "recharge" else scenario.brands)),
            day,
            day + campaign.days,
            campaign.share,
            campaign.target,
            campaign.reach,
            campaign.persuadable,
            campaign.sleeping_dog,
            campaign.channel,
            f"{campaign.day:%Y%m%d}",
            scenario.delivered_on([campaign.day])[0],
        )
        for day, campaign in held(scenario)
    ]
    return spark.createDataFrame(
        rows,
        "campaign string, outcome string, offered string, service_no int, needs string, brands array<string>, day int, until int, "
        "share double, target double, reach double, persuadable double, sleeping_dog double, touch_channel string, assigned string, "
        "delivered string",
    )


def responses(
    lives: DataFrame, persons: DataFrame, subscriptions: DataFrame, recharges: DataFrame, scenario: CityScenario, dice: Dice
) -> DataFrame:
    """One row per user and campaign it was assigned to: in which arm, whether reached, its ``effect`` and both outcomes.

    ``subscriptions`` and ``recharges`` are those without any campaign; campaigns against leaving have been answered in ``lives``.
    Assigned are first lives with us for a month at least; for a service only those who do not have it and whose handset allows it.
    """
    plan = F.broadcast(_plan(lives.sparkSession, scenario))
    own = lives.where("slot = 0 and origin in ('start', 'newcomer')").selectExpr(
        "user_id", "person_id", "brand", "from_day", "left_day", f"{services.closes(scenario, dice)} as closes", "campaigns"
    )
    answered = own.selectExpr("user_id", "person_id", "left_day", "closes", "inline(campaigns)")
    with_us = f"array_contains(brands, brand) and from_day <= day - {MEMBER} and coalesce(left_day, 99999) > day"
    asked = own.join(plan.where("outcome <> 'leave'"), on=F.expr(with_us), how="inner").where(
        f"{dice.u('assigned', 'campaign', 'person_id')} < share and {services.can(dice, 'needs', 'person_id')}"
    )
    asked = asked.join(persons.select("person_id", "persona_no"), on="person_id", how="inner")
    done = recharges.selectExpr(
        "user_id", "'recharge' as did", "cast(null as string) as service", "day as start_day", "day + 1 as end_day"
    )
    done = done.unionByName(subscriptions.selectExpr("user_id", "'service' as did", "service", "start_day", "end_day"))
    met = done.join(
        plan.select("campaign", "outcome", "offered", "day", "until"),
        on=F.expr("did = outcome and service <=> offered and start_day < until and coalesce(end_day, 99999) > day"),
        how="inner",
    )
    met = met.groupBy("user_id", "campaign").agg(
        F.expr("bool_or(start_day >= day)").alias("came"), F.expr("bool_or(start_day < day)").alias("has")
    )
    asked = asked.join(met, on=["user_id", "campaign"], how="left").where("coalesce(has, false) = false")
    # a service is liked by those whose way of life takes it
    liking = (
        f"persuadable * if(service_no is null, 1D, {services.leaning(scenario, 'service_no', 'persona_no')})"
        if scenario.services
        else "persuadable"
    )
    asked = asked.selectExpr(
        "*",
        "coalesce(came, false) as y0",
        f"{dice.u('arm', 'campaign', 'person_id')} < target as is_target",
        f"{_reached(dice, 'campaign', 'target', 'reach')} as is_reached",
        f"{_effect('not coalesce(came, false)', liking, 'sleeping_dog', dice.u('effect', 'campaign', 'person_id'))} as effect",
    ).selectExpr("*", f"{_y1('false')} as y1")
    return asked.select(*answered.columns).unionByName(answered)


def _changed(responses: DataFrame, outcome: str, effect: str, scenario: CityScenario) -> DataFrame:
    """One row per user and campaign whose contact made a difference, with the campaign's ``first`` day and its ``until``."""
    plan = _plan(responses.sparkSession, scenario).selectExpr(
        "campaign", "outcome", "offered", "service_no", "day as first", "until"
    )
    met = responses.where(f"is_reached and effect = '{effect}'")
    return met.join(F.broadcast(plan.where(f"outcome = '{outcome}'")), on="campaign", how="inner")


def recharged(recharges: DataFrame, responses: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per recharge after the campaigns: one more of those persuaded, those in the window dropped of sleeping dogs."""
    woken = _changed(responses, "recharge", "sleeping_dog", scenario).selectExpr("user_id as whose", "first", "until")
    won = _changed(responses, "recharge", "persuadable", scenario)
    day = f"cast(first + {dice.below('least(until, coalesce(left_day, 99999)) - first', 'card', 'campaign', 'person_id')} as int) as day"
    more = won.selectExpr(day, "user_id", *money.bought(dice, "campaign"), f"{money.face(dice)} as face")
    kept = recharges.join(woken, on=F.expr("user_id = whose and day >= first and day < until"), how="left_anti")
    return kept.unionByName(more)


def subscribed(subscriptions: DataFrame, responses: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per subscription after the campaigns: those persuaded take the service in the window, sleeping dogs do not."""
    if not scenario.services:
        return subscriptions
    woken = _changed(responses, "service", "sleeping_dog", scenario).selectExpr("user_id as whose", "offered", "first", "until")
    won = _changed(responses, "service", "persuadable", scenario).selectExpr("*", "user_id as whose")
    # what the persuaded would have taken later they have already
    dropped = woken.unionByName(won.selectExpr("whose", "offered", "first", "99999 as until"))
    start = (
        f"cast(first + {dice.below('least(until, coalesce(left_day, 99999)) - first', 'trial', 'campaign', 'person_id')} as int)"
    )
    offers = list(scenario.services.values())
    rates = services.by_service([f"{max(1e-9, service.monthly_stop / 30.4)!r}D" for service in offers])
    fees = services.by_service([str(service.fee) for service in offers])
    lasts = f"cast(1 + least(99999D, -ln(1 - {dice.u('trial ends', 'campaign', 'person_id')}) / {rates}) as int)"
    more = won.selectExpr(
        "user_id",
        "offered as service",
        f"{start} as start_day",
        f"{lasts} as lasts",
        "closes",
        "campaign",
        "person_id",
        f"{fees} as fee_fen",
    )
    more = more.selectExpr(
        "user_id", "service", "start_day", services.ended("least(start_day + lasts, closes)", scenario.days),
        f"{dice.pick(services.CHANNELS, 'order', 'campaign', 'person_id')} as channel", "fee_fen",
    )  # fmt: skip
    kept = subscriptions.join(
        dropped, on=F.expr("user_id = whose and service = offered and start_day >= first and start_day < until"), how="left_anti"
    )
    return kept.unionByName(more)


def touches(responses: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per user and campaign it was assigned to, as the operator's own file writes it, with ``delivered``.

    ARM T is to be contacted, C left alone; RESULT 1 reached, 0 not. CHANNEL and RESULT are empty for those left alone.
    """
    plan = F.broadcast(_plan(responses.sparkSession, scenario).select("campaign", "touch_channel", "assigned", "delivered"))
    return responses.join(plan, on="campaign", how="inner").selectExpr(
        "delivered",
        f"concat('T', lpad(hex(xxhash64({dice.seed}L, 'touch', campaign, user_id)), 16, '0')) as TOUCH_NO",
        "user_id as USER_ID",
        "campaign as CAMPAIGN_CODE",
        "if(is_target, 'T', 'C') as ARM",
        "assigned as ASSIGN_DATE",
        "if(is_target, touch_channel, null) as CHANNEL",
        "case when is_target then if(is_reached, '1', '0') end as RESULT",
    )


def campaigns_truth(responses: DataFrame) -> DataFrame:
    """One row per user and campaign it was assigned to: what the contact does to the user, and the outcome without it, with it and seen."""
    return responses.selectExpr(
        "user_id", "campaign", "if(is_target, 'T', 'C') as arm", "is_reached", "effect", "y0", "y1", "if(is_reached, y1, y0) as y"
    )
