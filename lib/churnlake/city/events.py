"""From people in touch to what happens between them: how often, on which day, between which of their numbers."""

from __future__ import annotations

import math
from collections.abc import Callable

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.city import habits, people
from churnlake.city.dice import Dice
from churnlake.city.discontent import NEVER
from churnlake.city.settings import CityScenario
from churnlake.city.society import SERVICES

FOREIGN = {
    "from_day": f"-{NEVER}",
    "slot": "0",
    "to_day": f"{NEVER}",
    "is_own": "false",
    "share": "1.0D",
    "ramp": "1",
    "told_share": "1.0D",
    "told_days": "0",
    "dip_from": f"{NEVER}",
    "dip_to": f"{NEVER}",
    "depth": "0.0D",
    "pace": "1",
    "forward_from": f"{NEVER}",
    "forward_to": f"{NEVER}",
    "forward_slot": "cast(null as int)",
    "forward_number": "cast(null as bigint)",
    "forward_life": "cast(null as struct<handset_owner: bigint, handset_turn: int, swap_day: int, plan_no: int>)",
    "number": "number",
    "handset_owner": "cast(null as bigint)",
    "handset_turn": "0",
    "swap_day": f"{NEVER}",
    "plan_no": "0",
}
"""What events need to know of a number, and the SQL of it for one of another network, which has always been and does nothing special."""
LIFE = tuple(FOREIGN)
LEANS = ("activity", "sms_lean", "mms_lean", "wap_lean")
"""How much a party talks and writes, beside others."""
HABITS = ("network", "persona_no", "away_from", "away_to", "home_cell", "work_cell")
EVENT = ("a", "b", "tie", "service", "n")
"""What names an event: the tie, the service by number, and which of its it is."""
PAIR = ("a", "b", "tie", "kind", "from_day", "to_day", "strength", "a_starts")
MOST_LIVES = 5
"""A newcomer from the competitor who comes back twice and then goes there holds five numbers."""
TURN, BURST, MOST_OF_BOUT = 1_000_000, 10_000, 64
"""Bouts of a tie are numbered service * TURN + bout, messages that tell a new number from BURST on; a bout has so many events at most."""
RATES = {"script": (1.2, 0.0), "complaint": (0.5, 0.0), "lost_sim": (0.5, 0.0), "rival": (0.07, 0.0), "inherits": (0.04, 0.03)}
"""Calls and messages a day of touches that have a rate of their own, whoever they are."""
ERRANDS = "'complaint', 'lost_sim', 'rival'"
"""SQL of the kinds of calls that people make for a reason: who uses the number less and less still makes them."""
OWN_RATE = ", ".join(f"'{kind}'" for kind in ("hub", "wap", "sp", *RATES))
"""SQL of the kinds of ties that are none between people who know each other."""
SOMEONE_AWAY = "((day >= a_away_from and day < a_away_to) or (day >= b_away_from and day < b_away_to))"
ENOUGH = 200_000
"""Persons whose ties tell how much all talk."""
BY_MESSAGE = 0.6
"""Share of contacts who are told a new number by a message."""
GREETED = 0.9
"""Share of contacts whom a greeter writes to."""


def foreign(frame: DataFrame) -> DataFrame:
    """One row per row of ``frame`` (party_id, slot, from_day, to_day, number of another network) with all columns of a life."""
    known = ("slot", "from_day", "to_day", "number")
    return frame.selectExpr("party_id", *[name if name in known else f"{sql} as {name}" for name, sql in FOREIGN.items()])


def parties(persons: DataFrame, held: DataFrame, scenario: CityScenario) -> DataFrame:
    """One row per person who holds a number in the city's days: its ``lives`` (numbers held) in order of time, and its habits.

    ``mine`` is the share of the days it holds a number of ours, ``present`` of any network; ``network`` is that of the numbers
    that are not ours. People of other networks and hubs are in no table: all that is known of one follows from its id.
    """
    days = scenario.days
    span = f"greatest(0, least({days}, to_day) - greatest(0, from_day))"
    lives = (
        held.where(f"from_day < {days}")
        .groupBy("party_id")
        .agg(
            F.expr(f"sort_array(collect_list(struct({', '.join(LIFE)})))").alias("lives"),
            F.expr(f"least(1.0D, sum(if(is_own, {span}, 0)) / {days})").alias("mine"),
            F.expr(f"least(1.0D, sum({span}) / {days})").alias("present"),
        )
    )
    traits = persons.selectExpr("person_id as party_id", *LEANS, "'mobile' as network", *HABITS[1:])
    return lives.join(traits, on="party_id", how="inner")


def _foreign_traits(scenario: CityScenario, dice: Dice) -> dict[str, str]:
    """By trait of party ``b`` the SQL of it when that is no person of ours."""
    network = people.foreign_network(scenario, "b")
    life = ", ".join(
        f"{sql} as {name}" for name, sql in (FOREIGN | {"number": people.foreign_number(scenario, dice, "b")}).items()
    )
    return {
        "lives": f"array(struct({life}))",
        "mine": "0.0D",
        "present": "1.0D",
        "activity": f"exp(0.5 * {dice.normal('activity', 'b')})",
        "sms_lean": f"case {network} when 'mobile' then 0.8D when 'far' then 0.3D when 'phs' then 0.3D else 0.0D end",
        "mms_lean": f"case {network} when 'mobile' then 0.4D else 0.0D end",
        "wap_lean": "0.0D",
        "network": network,
        "persona_no": f"cast({dice.below(len(scenario.personas), 'persona', 'b')} as int)",
        "away_from": f"{NEVER}",
        "away_to": f"{NEVER}",
        "home_cell": "0",
        "work_cell": "0",
    }


def with_b(pairs: DataFrame, parties: DataFrame, names: tuple[str, ...], scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per pair, with those traits of b, ours or not. Persons without a number in the city's days drop out."""
    b = parties.selectExpr("party_id as b", "true as is_ours", *[f"{name} as b_{name}" for name in names])
    found = pairs.join(b, on="b", how="left").where(f"is_ours or b >= {scenario.persons}")
    foreign = _foreign_traits(scenario, dice)
    return found.selectExpr(*pairs.columns, *[f"if(is_ours, b_{name}, {foreign[name]}) as b_{name}" for name in names])


def rated(ties: DataFrame, parties: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per tie: who starts how often, and the relative weight of each service; thin, for ties are many."""
    names = (*LEANS, "mine", "present")
    # some 80 bytes a person: a big city's fit into memory, and its ties need not be shuffled for them
    thin = F.broadcast(parties.select("party_id", *names))
    a = thin.selectExpr("party_id as a", *[f"{name} as a_{name}" for name in names])
    touch = "strength * sqrt(a_activity * b_activity)"
    hub = f"{people.hub_no(scenario, 'b')} + 1"
    rates = []
    for place in (0, 1):
        of_hub = f"element_at(array({', '.join(f'{row[5 + place]!r}D' for row in people.HUBS)}), {hub})"
        own = " ".join(f"when '{kind}' then {rate[place]!r}D" for kind, rate in RATES.items())
        kinds = "'hub', 'sp'" if place else "'hub'"
        rates.append(f"case when kind in ({kinds}) then {of_hub} else case kind {own} else 0.0D end end")
    return (
        with_b(ties, thin, names, scenario, dice)
        .join(a, on="a", how="inner")
        .selectExpr(
            "a",
            "b",
            "tie",
            "kind",
            "from_day",
            "to_day",
            "strength",
            "a_mine * b_present + b_mine * a_present as ends",
            f"case when kind in ('wap', 'sp', 'script', {ERRANDS}) then 1.0D when kind = 'inherits' then 0.0D "
            "else sqrt(a_activity) / (sqrt(a_activity) + sqrt(b_activity)) end as a_starts",
            f"if(kind not in ({OWN_RATE}), {touch}, 0.0D) as voice",
            f"if(kind not in ({OWN_RATE}), {touch} * sqrt(a_sms_lean * b_sms_lean), 0.0D) as sms",
            f"if(kind not in ({OWN_RATE}), {touch} * sqrt(a_mms_lean * b_mms_lean), 0.0D) as mms",
            "if(kind = 'wap', a_activity * a_wap_lean, 0.0D) as wap",
            f"{rates[0]} as own_voice",
            f"{rates[1]} as own_sms",
        )
    )


def levels(rated: DataFrame, parties: DataFrame, scenario: CityScenario) -> list[float]:
    """Events a day for one unit of weight, by service, so that our users have the records per day the scenario asks for.

    Sums whole millionths, so that their order does not matter. Of a big city's ties a part is enough to know it by.
    """
    days, parts = scenario.days, max(1, scenario.persons // ENOUGH)
    rated = rated.where(f"pmod(xxhash64(a, b, tie), {parts}) = 0")
    window = f"greatest(0, least({days}, to_day) - greatest(0, from_day)) / {days}"
    sums = rated.selectExpr(*[f"sum(cast(round(1e6D * {s} * {window} * ends) as bigint)) as {s}" for s in SERVICES]).first()
    users = parties.selectExpr("sum(cast(round(1e6D * mine) as bigint)) as mine").first()
    assert sums is not None
    assert users is not None
    target = {s: scenario.records.mix[s] * scenario.records.per_user_day * float(users["mine"]) for s in SERVICES}
    return [target[s] / sums[s] / parts if sums[s] else 0.0 for s in SERVICES]


def planned(rated: DataFrame, level: list[float], scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per pair with any event on the days written: how many bouts of each service; ``burst`` is null.

    People who know each other talk in bouts, several times on one day and then not for many (Barabasi 2005). Pairs without any, on
    a single day nearly all, are passed over before anything wide is joined to them.
    """
    own = {"voice": "own_voice", "sms": "own_sms"}
    means = [
        f"({unit / scenario.records.bout[service]!r}D * {service} + {own.get(service, '0.0D')}) * {habits.total(scenario, service)!r}D "
        f"as {service}_mean"
        for service, unit in zip(SERVICES, level, strict=True)
    ]
    key = ("a", "b", "tie")
    pairs = rated.selectExpr(*PAIR, *means)
    pairs = pairs.where(" or ".join(dice.some(f"{service}_mean", service, *key) for service in SERVICES))
    counts = [f"cast({dice.poisson(f'{service}_mean', service, *key)} as int) as {service}" for service in SERVICES]
    return pairs.selectExpr(*PAIR, *counts, "cast(null as int) as burst", "cast(null as int) as burst_day")


def bursts(ties: DataFrame, lives: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per message by which somebody who came back tells a contact the new number, or greets it on a holiday, as ``planned``.

    ``burst`` is the slot of that number and one more, positive when ``a`` sends, negative when ``b`` does.
    """
    first, last = scenario.written
    back = lives.where("origin = 'reentry'").selectExpr(
        "person_id", "cast(slot as int) as slot", "from_day as since", "told_days", f"{BY_MESSAGE!r}D as share"
    )
    eves = ", ".join(map(str, habits.greetings(scenario))) or "null"
    greets = lives.where("decoy = 'greeter'").selectExpr(
        "person_id", "cast(slot as int) as slot", f"array_min(filter(array({eves}), eve -> eve >= from_day)) as since", "0 as told_days",
        f"{GREETED!r}D as share",
    )  # fmt: skip
    back = back.unionByName(greets)
    found = None
    for side, sign in (("a", ""), ("b", "-")):
        met = ties.where(f"kind not in ({OWN_RATE})").join(
            F.broadcast(back.withColumnRenamed("person_id", side)), on=side, how="inner"
        )
        # the day on which this contact hears of it: see told
        heard = f"since + floor({dice.u('told day', 'a', 'b', 'slot')} * told_days)"
        some = met.selectExpr(*PAIR[:-1], f"{sign}(slot + 1) as burst", f"cast({heard} as int) as burst_day", "share").where(
            f"{dice.u('by message', 'a', 'b', 'burst')} < share and burst_day >= from_day and burst_day < to_day "
            f"and burst_day between {first} and {last}"
        )
        found = some if found is None else found.unionByName(some)
    assert found is not None
    none = [f"{int(service == 'sms')} as {service}" for service in SERVICES]
    return found.selectExpr(*PAIR[:-1], "1.0D as a_starts", *none, "burst", "burst_day")


def events(pairs: DataFrame, parties: DataFrame, scenario: CityScenario, dice: Dice, slices: int) -> DataFrame:
    """One row per call, message or session that takes place: day, second, the numbers and habits of both sides.

    ``pairs`` are those ``planned``, and ``bursts``; few rows here become very many, in ``slices`` tasks. ``from`` and ``to`` are
    the lives of the two numbers.
    """
    # what happened is worked out in steps, each once: see ``generate._as_written``
    columns = ("lives", *HABITS)
    a = parties.selectExpr("party_id as a", *[f"{name} as a_{name}" for name in columns])
    turns = ", ".join(
        f"if({service} > 0, sequence({number * TURN} + 1 + first, {number * TURN} + first + {service}), array())"
        for number, service in enumerate(SERVICES)
    )
    first = f"if(burst is null, 0, {BURST} + abs(burst) * 2 + if(burst > 0, 1, 0))"
    # last by a, a person: b may be a hub that half the city deals with
    wide = with_b(pairs.selectExpr("*", f"{first} as first"), parties, columns, scenario, dice)
    wide = wide.repartition(slices, "a").join(a, on="a", how="inner")
    each = wide.selectExpr("*", f"explode(concat({turns})) as turn")
    each = each.selectExpr("*", f"turn div {TURN} as service", f"turn % {TURN} as bout")
    tables = " ".join(f"when {i} then {habits.day_table(scenario, service)}" for i, service in enumerate(SERVICES))
    bout = ("a", "b", "tie", "service", "bout")
    slot = dice.below(habits.DAY_SLOTS, "day", *bout)
    dated = each.selectExpr("*", f"coalesce(burst_day, element_at(case service {tables} end, cast(1 + {slot} as int))) as day")
    dated = dated.where("day >= from_day and day < to_day")
    # geometric: another one follows with the same chance each time
    scales = [1 / math.log(1 - 1 / mean) if mean > 1 else 0.0 for mean in (scenario.records.bout[s] for s in SERVICES)]
    scale = "case service " + " ".join(f"when {i} then {value!r}D" for i, value in enumerate(scales)) + " end"
    more = f"if(burst is not null or (kind in ({OWN_RATE}) and service < 3), 0, floor(ln(1 - {dice.u('bout', *bout)}) * {scale}))"
    turn = f"explode(sequence(0, cast(least({MOST_OF_BOUT - 1}, {more}) as int))) as turn_of_bout"
    talked = dated.selectExpr("*", turn).selectExpr("*", f"bout * {MOST_OF_BOUT} + turn_of_bout as n")
    starts = f"case when burst is not null then burst > 0 when kind = 'hub' then service = 0 else {dice.u('caller', *EVENT)} < a_starts end"
    roles = talked.selectExpr("*", f"{starts} as is_a").selectExpr(
        *EVENT,
        "day",
        "kind",
        "burst",
        "strength",
        "is_a",
        f"{SOMEONE_AWAY} as someone_away",
        "if(is_a, a_lives, b_lives) as calls",
        "if(is_a, b_lives, a_lives) as rings",
        *[f"if(is_a, a_{name}, b_{name}) as from_{name}" for name in HABITS],
        *[f"if(is_a, b_{name}, a_{name}) as to_{name}" for name in HABITS],
    )
    rest = [name for name in roles.columns if name not in ("calls", "rings")]
    found = roles.selectExpr("*", f"{latest('calls', in_use)} as newest", f"{latest('rings', told(dice, 'service = 0'))} as told")
    found = found.where("newest >= 0 and told >= 0")
    chosen = f"if(burst is not null, newest, {used('calls', 'newest', dice.u('which', *EVENT))})"
    lived = found.selectExpr(*rest, f"get(calls, {chosen}) as from", "get(rings, told) as to")
    growth = _growth(scenario)
    keeps = f"{dipped('from')} * (1 - 0.5D * (1 - {dipped('to')})) * if(someone_away, 0.6D, 1.0D) * {growth}"
    keeps = f"if(kind in ({ERRANDS}), 1.0D, {keeps})"
    lived = lived.where(f"burst is not null or {dice.u('thin', *EVENT)} < {keeps}")
    hour = (
        f"element_at({habits.hour_table(scenario)}, cast(1 + (from_persona_no * 2 + element_at({habits.weekend_table(scenario)}, "
        f"day + 1)) * {habits.HOUR_SLOTS} + {dice.below(habits.HOUR_SLOTS, 'hour', *EVENT)} as int))"
    )
    forwarded = "service = 0 and to.forward_from <= day and day < to.forward_to"
    return lived.selectExpr(
        *EVENT,
        "day",
        "kind",
        "strength",
        f"cast({hour} * 3600 + {dice.below(3600, 'second', *EVENT)} as int) as second",
        "if(is_a, a, b) as caller",
        "if(is_a, b, a) as called",
        "from",
        "to",
        f"{forwarded} as is_forwarded",
        *[f"{side}_{name}" for side in ("from", "to") for name in HABITS],
    )


def latest(lives: str, holds: Callable[[str, int], str]) -> str:
    """SQL of the place of the newest life for which a condition holds, -1 when none.

    Written out for each place: a lambda would be interpreted, and this runs for every event. Nearly all have one life.
    """
    cases = " ".join(f"when {holds(f'get({lives}, {at})', at)} then {at}" for at in reversed(range(MOST_LIVES)))
    return f"(case when size({lives}) = 1 then if({holds(f'get({lives}, 0)', 0)}, 0, -1) {cases} else -1 end)"


def used(lives: str, newest: str, draw: str) -> str:
    """SQL of the place of the life that is used: the newest, or an older one still in use for what the newest one's share leaves."""
    older = latest(lives, lambda life, at: f"{at} < {newest} and {in_use(life, at)}")
    life = f"get({lives}, {newest})"
    share = f"{life}.share * least(1.0D, (day - {life}.from_day + 1) / {life}.ramp)"
    return f"if(size({lives}) = 1 or {draw} < {share}, {newest}, greatest({older}, if({older} < 0, {newest}, -1)))"


def in_use(life: str, at: int) -> str:
    """SQL of whether a life is one of ``day``."""
    return f"({life}.from_day <= day and day < {life}.to_day)"


def told(dice: Dice, is_call: str) -> Callable[[str, int], str]:
    """SQL, by life, of whether it may be called on ``day``: in use or, for a call, forwarded, and the caller was told of it."""

    def holds(life: str, at: int) -> str:
        forwards = f"({is_call} and {life}.from_day <= day and {life}.forward_from <= day and day < {life}.forward_to)"
        heard = (
            f"({dice.u('told', 'a', 'b', f'{life}.slot')} < {life}.told_share "
            f"and day >= {life}.from_day + floor({dice.u('told day', 'a', 'b', f'{life}.slot')} * {life}.told_days))"
        )
        return f"({in_use(life, at)} or {forwards}) and ({life}.told_days = 0 or {heard})"

    return holds


def dipped(life: str) -> str:
    """SQL of the level of use of a life on ``day``: below 1 while it fades."""
    dip = f"least(1.0D, (day - {life}.dip_from + 1) / {life}.pace)"
    return f"if(day >= {life}.dip_from and day < {life}.dip_to, 1 - {life}.depth * {dip}, 1.0D)"


def _growth(scenario: CityScenario) -> str:
    """SQL of the level of a way of life that talks more, or less, from month to month; 1 at its highest."""
    rates = [persona.growth for persona in scenario.personas.values()]
    if not any(rates):
        return "1.0D"
    days = scenario.days
    values = [f"pow({1 + rate!r}D, (day - {days if rate > 0 else 0}) / 30.4D)" if rate else "1.0D" for rate in rates]
    return (
        "case from_persona_no "
        + " ".join(f"when {i} then {value}" for i, value in enumerate(values) if rates[i])
        + " else 1.0D end"
    )
