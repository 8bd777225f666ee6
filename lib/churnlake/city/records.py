"""From people in touch to the records a switch writes: calls, messages and WAP sessions, one record for each of our parties."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.city import habits
from churnlake.city.dice import Dice
from churnlake.city.leaving import NEVER, foreign
from churnlake.city.people import HUBS, SLOTS
from churnlake.city.settings import CityScenario

PARTY = (
    "lives",
    "activity",
    "sms_lean",
    "mms_lean",
    "wap_lean",
    "persona_no",
    "home_cell",
    "work_cell",
    "away_from",
    "away_to",
    "mine",
    "present",
)
EVENT = ("a", "b", "service", "n")
SITES = ("news", "ring_tone", "picture", "game", "mail", "chat", "stock", "weather")


def parties(
    persons: DataFrame, held: DataFrame, offnet: DataFrame, hubs: DataFrame, scenario: CityScenario, dice: Dice
) -> DataFrame:
    """One row per party that can call or be called, ours or not: its numbers in time and its habits.

    ``mine`` is the share of the days it holds a number of ours, ``present`` of any network.
    """
    days = scenario.days
    span = f"greatest(0, least({days}, l.to_day) - greatest(0, l.from_day))"
    ours = (
        persons.join(held, on="person_id", how="inner")
        .withColumnRenamed("person_id", "party_id")
        .selectExpr(
            "*",
            f"least(1.0D, aggregate(filter(lives, l -> l.is_own), 0, (t, l) -> t + {span}) / {days}) as mine",
            f"least(1.0D, aggregate(lives, 0, (t, l) -> t + {span}) / {days}) as present",
        )
    )
    alone = foreign(offnet.unionByName(hubs).selectExpr("*", "0 as slot", f"-{NEVER} as from_day", f"{NEVER} as to_day"))
    fields = ours.schema["lives"].dataType.elementType.fieldNames()  # type: ignore[attr-defined]
    theirs = alone.selectExpr(
        "party_id",
        f"array(struct({', '.join(fields)})) as lives",
        f"exp(0.5 * {dice.normal('activity', 'party_id')}) as activity",
        "case network when 'mobile' then 0.8D when 'far' then 0.3D when 'phs' then 0.3D else 0.0D end as sms_lean",
        "case network when 'mobile' then 0.4D else 0.0D end as mms_lean",
        "0.0D as wap_lean",
        f"cast({dice.below(len(scenario.personas), 'persona', 'party_id')} as int) as persona_no",
        "0 as home_cell",
        "0 as work_cell",
        f"{NEVER} as away_from",
        f"{NEVER} as away_to",
        "0.0D as mine",
        "1.0D as present",
    )
    return ours.select("party_id", *PARTY).unionByName(theirs.select("party_id", *PARTY))


def rated(ties: DataFrame, parties: DataFrame, first_hub: int) -> DataFrame:
    """One row per pair in touch with both parties and the relative weight of each service between them."""
    side = f"struct(party_id, {', '.join(PARTY)})"
    a = parties.selectExpr("party_id as a", f"{side} as one")
    b = parties.selectExpr("party_id as b", f"{side} as other")
    touch = "strength * sqrt(one.activity * other.activity)"
    people_touch = "kind not in ('hub', 'wap')"
    rates = [f"element_at(array({', '.join(f'{hub[i]!r}D' for hub in HUBS)}), cast(b - {first_hub} + 1 as int))" for i in (3, 4)]
    return (
        ties.join(a, on="a", how="inner")
        .join(b, on="b", how="inner")
        .selectExpr(
            "*",
            f"if({people_touch}, {touch}, 0.0D) as voice",
            f"if({people_touch}, {touch} * sqrt(one.sms_lean * other.sms_lean), 0.0D) as sms",
            f"if({people_touch}, {touch} * sqrt(one.mms_lean * other.mms_lean), 0.0D) as mms",
            "if(kind = 'wap', one.activity * one.wap_lean, 0.0D) as wap",
            f"if(kind = 'hub', {rates[0]}, 0.0D) as hub_voice",
            f"if(kind = 'hub', {rates[1]}, 0.0D) as hub_sms",
        )
    )


def levels(rated: DataFrame, parties: DataFrame, scenario: CityScenario) -> list[float]:
    """Events a day for one unit of weight, by service, so that our users have the records per day the scenario asks for.

    Sums whole millionths, so that their order does not matter.
    """
    days = scenario.days
    window = f"greatest(0, least({days}, to_day) - greatest(0, from_day)) / {days}"
    ends = "(one.mine * other.present + other.mine * one.present)"
    sums = rated.selectExpr(
        *[f"sum(cast(round(1e6D * {s} * {window} * {ends}) as bigint)) as {s}" for s in habits.SERVICES]
    ).first()
    users = parties.selectExpr("sum(cast(round(1e6D * mine) as bigint)) as mine").first()
    assert sums is not None
    assert users is not None
    target = {s: scenario.records.mix[s] * scenario.records.per_user_day * float(users["mine"]) for s in habits.SERVICES}
    return [target[s] / sums[s] if sums[s] else 0.0 for s in habits.SERVICES]


def events(rated: DataFrame, level: list[float], scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per call, message or session that takes place: day, second, caller and called with the number each one uses."""
    services = habits.SERVICES
    hub = {"voice": "hub_voice", "sms": "hub_sms"}
    counts = []
    for service, unit in zip(services, level, strict=True):
        mean = f"{service}_mean"
        counts.append(
            (
                f"({unit!r}D * {service} + {hub.get(service, '0.0D')}) * {habits.total(scenario, service)!r}D as {mean}",
                dice.poisson(mean, service, "a", "b"),
            )
        )
    planned = rated.selectExpr("a", "b", "kind", "from_day", "to_day", "strength", "one", "other", *[mean for mean, _ in counts])
    each = planned.selectExpr(
        "a",
        "b",
        "kind",
        "from_day",
        "to_day",
        "strength",
        "one",
        "other",
        f"posexplode(array({', '.join(count for _, count in counts)})) as (service, times)",
    )
    each = each.where("times > 0").selectExpr("*", "explode(sequence(1, times)) as n")
    tables = " ".join(f"when {i} then {habits.day_table(scenario, service)}" for i, service in enumerate(services))
    slot = dice.below(habits.DAY_SLOTS, "day", *EVENT)
    starts = (
        f"case when kind = 'hub' then service = 0 when kind = 'wap' then true "
        f"else {dice.u('caller', *EVENT)} * (one.activity + other.activity) < one.activity end"
    )
    dated = settled(
        each,
        (*EVENT, "kind", "from_day", "to_day", "strength", "one", "other"),
        day=f"element_at(case service {tables} end, cast(1 + {slot} as int))",
        is_one=starts,
    )
    dated = dated.where("day >= from_day and day < to_day")
    roles = settled(dated, (*EVENT, "strength", "day"), caller="if(is_one, one, other)", called="if(is_one, other, one)")
    lived = settled(
        roles, (*EVENT, "strength", "day", "caller", "called"), calling=_active("caller", False), ringing=_called(dice)
    )
    lived = settled(
        lived, (*EVENT, "strength", "day", "caller", "called"), from_life=_calling(dice), to_life="try_element_at(ringing, -1)"
    )
    lived = lived.where("from_life is not null and to_life is not null")
    keeps = (
        f"{_level('from_life')} * (1 - 0.5D * (1 - {_level('to_life')})) * if({_away('caller')} or {_away('called')}, 0.6D, 1.0D)"
    )
    lived = lived.where(f"{dice.u('thin', *EVENT)} < {keeps}")
    hour = (
        f"element_at({habits.hour_table(scenario)}, cast(1 + (caller.persona_no * 2 + element_at({habits.weekend_table(scenario)}, day + 1)) "
        f"* {habits.HOUR_SLOTS} + {dice.below(habits.HOUR_SLOTS, 'hour', *EVENT)} as int))"
    )
    return settled(
        lived,
        (*EVENT, "strength", "day", "caller", "called", "from_life", "to_life"),
        second=f"cast({hour} * 3600 + {dice.below(3600, 'second', *EVENT)} as int)",
    )


def settled(frame: DataFrame, keep: tuple[str, ...], **columns: str) -> DataFrame:
    """One row per row of ``frame``: the columns kept, and new ones worked out exactly once a row.

    A generator of one row stands between these and what follows: without it the optimiser pastes their text into each
    filter and each use, and the cost doubles at every step.
    """
    struct = ", ".join(f"{sql} as {name}" for name, sql in columns.items())
    return frame.selectExpr(*keep, f"inline(array(struct({struct})))")


def _active(party: str, rings: bool) -> str:
    """SQL of a party's numbers in use on the day, in order of time; one that forwards still ``rings``."""
    used = "l.from_day <= day and day < l.to_day"
    return (
        f"filter({party}.lives, l -> {used})"
        if not rings
        else (f"filter({party}.lives, l -> ({used}) or (l.from_day <= day and l.forward_from <= day and day < l.forward_to))")
    )


def _calling(dice: Dice) -> str:
    """SQL of the life a caller calls from: the newest by its share of the traffic, else the one before."""
    newest = "try_element_at(calling, -1)"
    share = f"{newest}.share * least(1.0D, (day - {newest}.from_day + 1) / {newest}.ramp)"
    return f"case when size(calling) < 2 then {newest} when {dice.u('which', *EVENT)} < {share} then {newest} else try_element_at(calling, -2) end"


def _called(dice: Dice) -> str:
    """SQL of the lives that may be called: those in use that the caller was told of."""
    return (
        f"filter({_active('called', True)}, l -> l.told_days = 0 or ({dice.u('told', 'a', 'b', 'l.slot')} < l.told_share "
        f"and day >= l.from_day + floor({dice.u('told day', 'a', 'b', 'l.slot')} * l.told_days)))"
    )


def _level(life: str) -> str:
    dip = f"least(1.0D, (day - {life}.dip_from + 1) / greatest(1, {life}.dip_to - {life}.dip_from))"
    return f"if(day >= {life}.dip_from and day < {life}.dip_to, 1 - {life}.depth * {dip}, 1.0D)"


def _away(party: str) -> str:
    return f"(day >= {party}.away_from and day < {party}.away_to)"


def records(events: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per record of one of our users: an on-net call has two, one of each party; three when forwarded to our number.

    ``side`` is 0 for the caller's record, 1 for the called party's, 2 for the party a call was forwarded to.
    """
    shape = scenario.records
    forwarded = "service = 0 and to_life.forward_from <= day and day < to_life.forward_to"
    third = f"if({forwarded}, try_element_at(filter(called.lives, l -> l.is_own and l.number = to_life.forward_number "
    third += "and l.from_day <= day and day < l.to_day), 1), null)"
    sides = "filter(array(if(from_life.is_own, 0, -1), if(to_life.is_own, 1, -1), if(third is not null, 2, -1)), s -> s >= 0)"
    rung = events.selectExpr("*", f"{third} as third").selectExpr("*", f"explode({sides}) as side")
    placed = rung.selectExpr(
        *EVENT,
        "day",
        "second",
        "side",
        "strength",
        "to_life.forward_number",
        f"({forwarded}) and side = 1 as is_forwarded",
        "case side when 0 then from_life when 1 then to_life else third end as life",
        "if(side = 0, caller, called) as party",
        "if(side = 0, to_life.number, from_life.number) as peer",
        "if(side = 0, to_life.network, from_life.network) as peer_network",
    )
    key = (*EVENT, "side")
    work = f"element_at({habits.weekend_table(scenario)}, day + 1) = 0 and second between 32400 and 64800"
    at = dice.u("place", *key)
    cell = (
        f"case when {at} < 0.12 then cast({dice.below(scenario.cells, 'elsewhere', *key)} as int) "
        f"when ({work}) and {at} < 0.85 then party.work_cell else party.home_cell end"
    )
    length = f"{shape.seconds_median!r}D * pow(strength, 0.15) * exp({shape.seconds_sigma!r}D * {dice.normal('seconds', *EVENT)})"
    sites = "array(" + ", ".join(f"'{site}'" for site in SITES) + ")"
    told = placed.selectExpr(
        "*",
        f"{_away('party')} as roams",
        f"{dice.u('answered', *EVENT)} < {shape.answered!r}D as answered",
        f"case service when 0 then cast(least(7200, greatest(1, round({length}))) as int) "
        f"when 3 then cast(20 + round(180 * -ln(1 - {dice.u('session', *EVENT)})) as int) else 0 end as lasts",
        f"{dice.u('form', *key)} as form",
        f"{cell} as cell",
    )
    ip = "(side = 0 and peer_network = 'far' and form < 0.4)"
    prices = {
        name: "array(" + ",".join(str(getattr(plan, name)) for plan in scenario.plans.values()) + ")"
        for name in ("local", "long_distance", "roaming", "sms")
    }
    price = {name: f"element_at({array}, life.plan_no + 1)" for name, array in prices.items()}
    return told.selectExpr(
        "cast(service as int) as service",
        "day",
        "second",
        "side",
        "life.user_id",
        "life.plan_no",
        f"lower(lpad(hex(xxhash64({dice.seed}L, 'record', {', '.join(key)})), 16, '0')) as record_no",
        f"case when {dice.u('own form', *key)} < 0.03 then concat('86', life.number) else life.number end as number",
        f"{_dialled(ip)} as peer",
        "if(is_forwarded, 2, if(side = 0, 0, 1)) as direction",
        "if(service = 0 and not answered, 0, lasts) as seconds",
        "case when roams then 'R' when peer_network = 'far' then 'L' else 'D' end as class",
        "if(roams, null, concat('41', lpad(cell div 20 + 1, 3, '0'), '-', lpad(cell + 1, 5, '0'))) as cell",
        f"if({dice.u('imei', *key)} < {shape.imei_missing!r}D, null, if(day >= life.swap_day, life.imei_next, life.imei)) as imei",
        "if(is_forwarded, forward_number, null) as forwarded_to",
        f"case when answered then if({dice.u('dropped', *EVENT)} < 0.02, 4, 0) else cast(1 + {dice.below(3, 'release', *EVENT)} as int) end as release",
        f"cast(case service when 0 then if(answered, ceil(lasts / 60.0D), 0) * case when roams then {price['roaming']} "
        f"when peer_network = 'far' and side = 0 then {price['long_distance']} * if({ip}, 0.5D, 1.0D) else {price['local']} end "
        f"when 1 then if(side = 0, {price['sms']}, 0) when 2 then if(side = 0, 90, 0) else ceil(lasts * 0.3D) end as int) as fee_fen",
        f"case service when 2 then cast(8000 + round(22000 * -ln(1 - {dice.u('bytes', *EVENT)})) as bigint) "
        f"when 3 then cast(2000 + lasts * 150 as bigint) end as bytes",
        f"if(service = 3, element_at({sites}, cast(1 + floor({len(SITES)} * pow({dice.u('site', *EVENT)}, 1.6)) as int)), null) as site",
    )


def _dialled(ip: str) -> str:
    """SQL of the other party's number as the switch wrote it: with country code, area code, IP prefix, or bare."""
    return (
        f"case when peer_network in ('own', 'mobile') then case when form < 0.86 then peer when form < 0.90 then concat('+86', peer) "
        "when form < 0.94 then concat('0086', peer) when form < 0.97 then concat('86', peer) else concat('0', peer) end "
        "when peer_network in ('fixed', 'phs') then if(form < 0.7, substring(peer, 4), peer) "
        f"when {ip} then concat(case when form < 0.24 then '17951' when form < 0.32 then '17911' else '12593' end, peer) else peer end"
    )


def partition_count(scenario: CityScenario) -> int:
    """Slices that keep a task's work near a million records; never fewer than 8."""
    expected = scenario.persons * scenario.days * scenario.records.per_user_day
    return max(8, min(512, round(expected / 500_000)))


def spread(rated: DataFrame, slices: int) -> DataFrame:
    """One row per pair, dealt out evenly: few rows here become very many."""
    return rated.repartition(slices, F.expr(f"xxhash64(a, b, {SLOTS})"))
