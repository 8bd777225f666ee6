"""From people in touch to the records a switch writes: calls, messages and WAP sessions, one record for each of our parties."""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.city import habits
from churnlake.city.dice import Dice
from churnlake.city.discontent import NEVER
from churnlake.city.leaving import foreign
from churnlake.city.people import HUBS, SLOTS
from churnlake.city.settings import CityScenario

LIFE = (
    "from_day",
    "slot",
    "to_day",
    "is_own",
    "share",
    "ramp",
    "told_share",
    "told_days",
    "dip_from",
    "dip_to",
    "depth",
    "pace",
    "forward_from",
    "forward_to",
    "forward_slot",
)
TRAITS = ("activity", "sms_lean", "mms_lean", "wap_lean", "persona_no", "away_from", "away_to", "home_cell", "work_cell")
EVENT = ("a", "b", "service", "n")
MOST_LIVES = 5
"""A newcomer from the competitor who comes back twice and then goes there holds five numbers."""
SITES = ("news", "ring_tone", "picture", "game", "mail", "chat", "stock", "weather")


def numbers(
    persons: DataFrame, held: DataFrame, offnet: DataFrame, hubs: DataFrame, scenario: CityScenario, dice: Dice
) -> DataFrame:
    """One row per party and number, ours or not, that can call or be called; with the party's habits."""
    ours = held.join(persons.selectExpr("person_id as party_id", *TRAITS), on="party_id", how="inner")
    theirs = foreign(
        offnet.unionByName(hubs).selectExpr("*", "0 as slot", f"-{NEVER} as from_day", f"{NEVER} as to_day")
    ).selectExpr(
        "*",
        f"exp(0.5 * {dice.normal('activity', 'party_id')}) as activity",
        "case network when 'mobile' then 0.8D when 'far' then 0.3D when 'phs' then 0.3D else 0.0D end as sms_lean",
        "case network when 'mobile' then 0.4D else 0.0D end as mms_lean",
        "0.0D as wap_lean",
        f"cast({dice.below(len(scenario.personas), 'persona', 'party_id')} as int) as persona_no",
        f"{NEVER} as away_from",
        f"{NEVER} as away_to",
        "0 as home_cell",
        "0 as work_cell",
    )
    return ours.unionByName(theirs)


def parties(numbers: DataFrame, scenario: CityScenario) -> DataFrame:
    """One row per party: its ``lives`` in order of time, thin, for they ride along with every event; and its habits.

    ``mine`` is the share of the days it holds a number of ours, ``present`` of any network.
    """
    days = scenario.days
    span = f"greatest(0, least({days}, to_day) - greatest(0, from_day))"
    return (
        numbers.where(f"from_day < {days}")
        .groupBy("party_id", *TRAITS[:7])
        .agg(
            F.expr(f"array_sort(collect_list(struct({', '.join(LIFE)})))").alias("lives"),
            F.expr(f"least(1.0D, sum(if(is_own, {span}, 0)) / {days})").alias("mine"),
            F.expr(f"least(1.0D, sum({span}) / {days})").alias("present"),
        )
    )


def rated(ties: DataFrame, parties: DataFrame, first_hub: int) -> DataFrame:
    """One row per pair in touch: the lives and habits of both, who starts how often, and the relative weight of each service."""
    names = [name for name in parties.columns if name != "party_id"]
    a = parties.selectExpr("party_id as a", *[f"{name} as a_{name}" for name in names])
    b = parties.selectExpr("party_id as b", *[f"{name} as b_{name}" for name in names])
    touch = "strength * sqrt(a_activity * b_activity)"
    people_touch = "kind not in ('hub', 'wap', 'sp')"
    rates = [f"element_at(array({', '.join(f'{hub[i]!r}D' for hub in HUBS)}), cast(b - {first_hub} + 1 as int))" for i in (3, 4)]
    return (
        ties.join(a, on="a", how="inner")
        .join(b, on="b", how="inner")
        .selectExpr(
            "a",
            "b",
            "kind",
            "from_day",
            "to_day",
            "strength",
            "a_lives",
            "b_lives",
            "a_persona_no",
            "b_persona_no",
            "a_away_from",
            "a_away_to",
            "b_away_from",
            "b_away_to",
            "a_mine * b_present + b_mine * a_present as ends",
            "a_activity / (a_activity + b_activity) as a_starts",
            f"if({people_touch}, {touch}, 0.0D) as voice",
            f"if({people_touch}, {touch} * sqrt(a_sms_lean * b_sms_lean), 0.0D) as sms",
            f"if({people_touch}, {touch} * sqrt(a_mms_lean * b_mms_lean), 0.0D) as mms",
            "if(kind = 'wap', a_activity * a_wap_lean, 0.0D) as wap",
            f"if(kind = 'hub', {rates[0]}, 0.0D) as hub_voice",
            f"if(kind in ('hub', 'sp'), {rates[1]}, 0.0D) as hub_sms",
        )
    )


def levels(rated: DataFrame, parties: DataFrame, scenario: CityScenario) -> list[float]:
    """Events a day for one unit of weight, by service, so that our users have the records per day the scenario asks for.

    Sums whole millionths, so that their order does not matter.
    """
    days = scenario.days
    window = f"greatest(0, least({days}, to_day) - greatest(0, from_day)) / {days}"
    sums = rated.selectExpr(
        *[f"sum(cast(round(1e6D * {s} * {window} * ends) as bigint)) as {s}" for s in habits.SERVICES]
    ).first()
    users = parties.selectExpr("sum(cast(round(1e6D * mine) as bigint)) as mine").first()
    assert sums is not None
    assert users is not None
    target = {s: scenario.records.mix[s] * scenario.records.per_user_day * float(users["mine"]) for s in habits.SERVICES}
    return [target[s] / sums[s] if sums[s] else 0.0 for s in habits.SERVICES]


def events(rated: DataFrame, level: list[float], scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per call, message or session that takes place: day, second, and the number (party and slot) of both sides.

    ``third_slot`` is the called party's own number a call was forwarded to.
    """
    services = habits.SERVICES
    hub = {"voice": "hub_voice", "sms": "hub_sms"}
    means = {
        service: f"({unit!r}D * {service} + {hub.get(service, '0.0D')}) * {habits.total(scenario, service)!r}D"
        for service, unit in zip(services, level, strict=True)
    }
    who = ("a_lives", "b_lives", "a_persona_no", "b_persona_no", "a_away_from", "a_away_to", "b_away_from", "b_away_to")
    pair = ("a", "b", "kind", "from_day", "to_day", "strength", "a_starts", *who)
    planned = rated.selectExpr(*pair, *[f"{mean} as {service}_mean" for service, mean in means.items()])
    counts = ", ".join(dice.poisson(f"{service}_mean", service, "a", "b") for service in services)
    each = planned.selectExpr(*pair, f"posexplode(array({counts})) as (service, times)")
    each = each.where("times > 0").selectExpr("*", "explode(sequence(1, times)) as n")
    tables = " ".join(f"when {i} then {habits.day_table(scenario, service)}" for i, service in enumerate(services))
    slot = dice.below(habits.DAY_SLOTS, "day", *EVENT)
    starts = f"case when kind = 'hub' then service = 0 when kind in ('wap', 'sp') then true else {dice.u('caller', *EVENT)} < a_starts end"
    dated = settled(
        each,
        (*EVENT, "from_day", "to_day", "strength", *who),
        day=f"element_at(case service {tables} end, cast(1 + {slot} as int))",
        is_a=starts,
    )
    dated = dated.where("day >= from_day and day < to_day")
    away = "(day >= a_away_from and day < a_away_to) or (day >= b_away_from and day < b_away_to)"
    roles = settled(
        dated,
        (*EVENT, "day", "strength", "is_a"),
        persona_no="if(is_a, a_persona_no, b_persona_no)",
        someone_away=away,
        calls="if(is_a, a_lives, b_lives)",
        rings="if(is_a, b_lives, a_lives)",
    )
    facts = (*EVENT, "day", "strength", "is_a", "persona_no", "someone_away")
    found = settled(roles, (*facts, "calls", "rings"), newest=_last("calls", _in_use), told=_last("rings", _told(dice)))
    older = _last("calls", lambda life, at: f"{at} < newest and {_in_use(life, at)}")
    share = "get(calls, newest).share * least(1.0D, (day - get(calls, newest).from_day + 1) / get(calls, newest).ramp)"
    chosen = f"case when {dice.u('which', *EVENT)} < {share} then newest else greatest({older}, if({older} < 0, newest, -1)) end"
    lived = found.where("newest >= 0 and told >= 0")
    lived = settled(lived, facts, from_life=f"get(calls, {chosen})", to_life="get(rings, told)")
    keeps = f"{_level('from_life')} * (1 - 0.5D * (1 - {_level('to_life')})) * if(someone_away, 0.6D, 1.0D)"
    lived = lived.where(f"{dice.u('thin', *EVENT)} < {keeps}")
    hour = (
        f"element_at({habits.hour_table(scenario)}, cast(1 + (persona_no * 2 + element_at({habits.weekend_table(scenario)}, "
        "day + 1)) "
        f"* {habits.HOUR_SLOTS} + {dice.below(habits.HOUR_SLOTS, 'hour', *EVENT)} as int))"
    )
    forwarded = "service = 0 and to_life.forward_from <= day and day < to_life.forward_to"
    return lived.selectExpr(
        *EVENT,
        "day",
        "strength",
        f"cast({hour} * 3600 + {dice.below(3600, 'second', *EVENT)} as int) as second",
        "if(is_a, a, b) as caller",
        "if(is_a, b, a) as called",
        "from_life.slot as caller_slot",
        "to_life.slot as called_slot",
        f"{forwarded} as is_forwarded",
        f"if({forwarded}, to_life.forward_slot, null) as third_slot",
        "from_life.is_own as from_own",
        "to_life.is_own as to_own",
    )


def settled(frame: DataFrame, keep: tuple[str, ...], **columns: str) -> DataFrame:
    """One row per row of ``frame``: the columns kept, and new ones worked out exactly once a row.

    A generator of one row stands between these and what follows: without it the optimiser pastes their text into each
    filter and each use, and the cost doubles at every step.
    """
    struct = ", ".join(f"{sql} as {name}" for name, sql in columns.items())
    return frame.selectExpr(*keep, f"inline(array(struct({struct})))")


def _last(lives: str, holds: Callable[[str, int], str]) -> str:
    """SQL of the place of the newest life for which a condition holds, -1 when none.

    Written out for each place: a lambda would take the whole stage out of code generation, and this runs for every event.
    """
    cases = " ".join(f"when {holds(f'get({lives}, {at})', at)} then {at}" for at in reversed(range(MOST_LIVES)))
    return f"(case {cases} else -1 end)"


def _in_use(life: str, at: int) -> str:
    return f"({life}.from_day <= day and day < {life}.to_day)"


def _told(dice: Dice) -> Callable[[str, int], str]:
    """A life that may be called: in use or forwarded, and the caller was told of it."""

    def holds(life: str, at: int) -> str:
        forwards = f"({life}.from_day <= day and {life}.forward_from <= day and day < {life}.forward_to)"
        heard = (
            f"({dice.u('told', 'a', 'b', f'{life}.slot')} < {life}.told_share "
            f"and day >= {life}.from_day + floor({dice.u('told day', 'a', 'b', f'{life}.slot')} * {life}.told_days))"
        )
        return f"({_in_use(life, at)} or {forwards}) and ({life}.told_days = 0 or {heard})"

    return holds


def _level(life: str) -> str:
    dip = f"least(1.0D, (day - {life}.dip_from + 1) / {life}.pace)"
    return f"if(day >= {life}.dip_from and day < {life}.dip_to, 1 - {life}.depth * {dip}, 1.0D)"


def records(events: DataFrame, numbers: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per record of one of our users: an on-net call has two, one of each party; three when forwarded to our number.

    ``side`` is 0 for the caller's record, 1 for the called party's, 2 for the number a call was forwarded to.
    """
    shape = scenario.records
    rung = events.selectExpr(
        *EVENT,
        "day",
        "second",
        "strength",
        "is_forwarded",
        "third_slot",
        "caller",
        "called",
        "caller_slot",
        "called_slot",
        "from_own",
        "to_own",
        "explode(array(0, 1, 2)) as side",
    )
    rung = rung.where("case side when 0 then from_own when 1 then to_own else third_slot is not null end").selectExpr(
        *EVENT,
        "day",
        "second",
        "strength",
        "side",
        "is_forwarded and side = 1 as is_forwarded",
        "if(side = 0, caller, called) as party_id",
        "case side when 0 then caller_slot when 1 then called_slot else third_slot end as slot",
        "if(side = 0, called, caller) as peer_id",
        "if(side = 0, called_slot, caller_slot) as peer_slot",
    )
    mine = numbers.where("is_own").select(
        "party_id",
        "slot",
        "user_id",
        "plan_no",
        "number",
        "imei",
        "imei_next",
        "swap_day",
        "forward_number",
        "away_from",
        "away_to",
        "home_cell",
        "work_cell",
        "to_day",
    )
    theirs = numbers.selectExpr("party_id as peer_id", "slot as peer_slot", "number as peer", "network as peer_network")
    placed = rung.join(mine, on=["party_id", "slot"], how="inner").join(theirs, on=["peer_id", "peer_slot"], how="inner")
    placed = placed.where("side < 2 or day < to_day")
    key = (*EVENT, "side")
    work = f"element_at({habits.weekend_table(scenario)}, day + 1) = 0 and second between 32400 and 64800"
    at = dice.u("place", *key)
    cell = (
        f"case when {at} < 0.12 then cast({dice.below(scenario.cells, 'elsewhere', *key)} as int) "
        f"when ({work}) and {at} < 0.85 then work_cell else home_cell end"
    )
    length = f"{shape.seconds_median!r}D * pow(strength, 0.15) * exp({shape.seconds_sigma!r}D * {dice.normal('seconds', *EVENT)})"
    sites = "array(" + ", ".join(f"'{site}'" for site in SITES) + ")"
    told = placed.selectExpr(
        "*",
        "day >= away_from and day < away_to as roams",
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
    price = {name: f"element_at({array}, plan_no + 1)" for name, array in prices.items()}
    return told.selectExpr(
        "cast(service as int) as service",
        "day",
        "second",
        "side",
        "user_id",
        "plan_no",
        f"lpad(hex(xxhash64({dice.seed}L, 'record', {', '.join(key)})), 16, '0') as record_no",
        f"case when {dice.u('own form', *key)} < 0.03 then concat('86', number) else number end as number",
        f"{_dialled(ip)} as peer",
        "if(is_forwarded, 2, if(side = 0, 0, 1)) as direction",
        "if(service = 0 and not answered, 0, lasts) as seconds",
        "case when roams then 'R' when peer_network = 'far' then 'L' else 'D' end as class",
        "if(roams, null, concat('41', lpad(cell div 20 + 1, 3, '0'), '-', lpad(cell + 1, 5, '0'))) as cell",
        f"if({dice.u('imei', *key)} < {shape.imei_missing!r}D, null, if(day >= swap_day, imei_next, imei)) as imei",
        "if(is_forwarded, forward_number, null) as forwarded_to",
        f"case when answered then if({dice.u('dropped', *EVENT)} < 0.02, 4, 0) else cast(1 + "
        f"{dice.below(3, 'release', *EVENT)} as int) end as release",
        f"cast(case service when 0 then if(answered, ceil(lasts / 60.0D), 0) * case when roams then {price['roaming']} "
        f"when peer_network = 'far' and side = 0 then {price['long_distance']} * if({ip}, 0.5D, 1.0D) else {price['local']} end "
        f"when 1 then if(side = 0, {price['sms']}, 0) when 2 then if(side = 0, 90, 0) else ceil(lasts * 0.3D) end as int) "
        "as fee_fen",
        f"case service when 2 then cast(8000 + round(22000 * -ln(1 - {dice.u('bytes', *EVENT)})) as bigint) "
        f"when 3 then cast(2000 + lasts * 150 as bigint) end as bytes",
        f"if(service = 3, element_at({sites}, cast(1 + floor({len(SITES)} * pow({dice.u('site', *EVENT)}, 1.6)) as int)), "
        "null) as site",
    )


def _dialled(ip: str) -> str:
    """SQL of the other party's number as the switch wrote it: with country code, area code, IP prefix, or bare."""
    return (
        "case when peer_network in ('own', 'mobile') then case when form < 0.86 then peer when form < 0.90 then "
        "concat('+86', peer) "
        "when form < 0.94 then concat('0086', peer) when form < 0.97 then concat('86', peer) else concat('0', peer) end "
        "when peer_network in ('fixed', 'phs') then if(form < 0.7, substring(peer, 4), peer) "
        f"when {ip} then concat(case when form < 0.24 then '17951' when form < 0.32 then '17911' else '12593' end, peer) "
        "else peer end"
    )


def partition_count(scenario: CityScenario) -> int:
    """Slices that keep a task's work near a million records; never fewer than 8."""
    first, last = scenario.written
    expected = scenario.persons * (last - first + 1) * scenario.records.per_user_day
    return max(8, min(512, round(expected / 500_000)))


def spread(rated: DataFrame, slices: int) -> DataFrame:
    """One row per pair, dealt out evenly: few rows here become very many."""
    return rated.repartition(slices, F.expr(f"xxhash64(a, b, {SLOTS})"))
