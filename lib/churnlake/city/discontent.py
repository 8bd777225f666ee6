"""Discontent, the hidden state behind leaving: when it begins and why, how it ends, whom it infects; and the true hazard."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.city import campaigns
from churnlake.city.dice import Dice, by_key
from churnlake.city.people import neighbourhood
from churnlake.city.settings import CityScenario
from churnlake.city.society import Cause

NEVER = 99_999
EARLIER, LATER = 240, 70
"""Days before the first and after the last on which the clock runs: some are discontented when the record begins."""
SETTLED = 14
"""A new user is content for so many days at least."""
SOON = 0.2
"""Signs begin within this first part of the discontent."""
NEW = 180
"""Days in which a user counts as new."""
FINE = 4
"""Steps a day of the clock's table."""


@dataclass(frozen=True)
class Clock:
    """Time as discontent counts it, by brand: a day of an occasion is worth more than one."""

    scenario: CityScenario

    def _reached(self, brand: str) -> list[float]:
        reached = [0.0]
        for offset in range(-EARLIER, self.scenario.days + LATER):
            day = self.scenario.first_day + dt.timedelta(offset)
            reached.append(reached[-1] + level(self.scenario, day, brand, "leaving"))
        return reached

    def passed(self, day: str) -> str:
        """SQL of the time passed when ``day`` begins, for the brand of the row."""
        size = EARLIER + self.scenario.days + LATER + 1
        table = [value for brand in self.scenario.brands for value in self._reached(brand)]
        place = f"least({size - 1}, greatest(0, {day} + {EARLIER}))"
        return f"element_at({_doubles(table)}, cast(1 + {brand_no(self.scenario)} * {size} + {place} as int))"

    def day(self, passed: str) -> str:
        """SQL of the day on which so much time has passed; NEVER beyond the table."""
        reached = {brand: self._reached(brand) for brand in self.scenario.brands}
        size = math.ceil(max(values[-1] for values in reached.values()) * FINE) + 1
        table: list[int] = []
        for values in reached.values():
            day = 0
            for step in range(size):
                while day + 1 < len(values) and values[day + 1] <= step / FINE:
                    day += 1
                table.append(day - EARLIER if day + 1 < len(values) else NEVER)
        place = f"least({size - 1}, floor(({passed}) * {FINE}))"
        return f"element_at({_ints(table)}, cast(1 + {brand_no(self.scenario)} * {size} + {place} as int))"


def brand_no(scenario: CityScenario) -> str:
    """SQL of the number of a row's ``brand``."""
    return f"(array_position(array({', '.join(map(repr, scenario.brands))}), brand) - 1)"


def level(scenario: CityScenario, day: dt.date, brand: str, what: str) -> float:
    """How many times as often as on a common day discontent begins (``leaving``) or people join (``joining``)."""
    met = [o for o in scenario.occasions if o.first <= day <= o.last and (not o.brands or brand in o.brands)]
    return math.prod(occasion.leaving if what == "leaving" else occasion.joining for occasion in met)


def onset_rate(scenario: CityScenario) -> float:
    """Onsets a day of a person of common risk, so that ``monthly`` of the users leave, contagion included."""
    leaving = scenario.leaving
    leave = sum(share * (1 - leaving.causes[name].stays) for name, share in leaving.onsets.items())
    rival = sum(weight * leaving.causes[name].competitor for name, weight in leaving.weights.items())
    friends = leaving.causes.get("friends")
    follow = leaving.contagion * _carriers(scenario) * (1 - friends.stays) if friends else 0.0
    waves = sum((follow * friends.competitor) ** turn for turn in range(leaving.contagion_rounds)) if friends else 0.0
    caught = rival * follow * waves
    return max(1e-12, leaving.monthly / 30.4 / leave / (1 + caught))


def _carriers(scenario: CityScenario) -> float:
    """Ties by which a person may catch discontent, about: those sought, of any strength, or of all kinds those that are close enough."""
    shape, least = scenario.circles, scenario.leaving.contagion_tie
    sought = 1.6 * shape.stubs
    if not least:
        return sought

    def close(kind: str) -> float:
        far = math.log(max(shape.ties[kind], 1e-9) / least) / max(shape.tie_sigma, 1e-9)
        return (1 + math.erf(far / math.sqrt(2))) / 2

    of_kinds = sum(share * close(kind) for kind, share in shape.kinds.items() if kind != "offnet") / sum(shape.kinds.values())
    return (shape.household - 1) * close("household") + sought * of_kinds


def known_risk(scenario: CityScenario) -> str:
    """SQL of the part of the risk that shows: by brand, and higher for those who came lately; about 1 on average."""
    brand = by_key("brand", scenario.leaving.brand_risk, "1.0D")
    # a quarter of those with us on the first day came in the half year before
    old = 1 / (0.75 + 0.25 * scenario.leaving.new_risk)
    return f"({brand} * if(from_day > -{NEW}, {scenario.leaving.new_risk * old!r}D, {old!r}D))"


def times(lives: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per life with its times of discontent, at most two, and how the last of them ends.

    Adds ``risk``, ``times`` (start, end, cause, leaves), ``onset`` and ``relief`` (first and last day of the one that shows signs,
    NEVER: none), ``cause`` (of that one), ``left_day``, ``destination`` and ``campaigns`` (see ``campaigns.cared``). Needs from_day,
    brand, abnormal, ``caught`` (day on which a contact's leaving makes this user discontented, null: never) and ``renumber_day``.
    """
    clock, leaving, key = Clock(scenario), scenario.leaving, ("person_id", "slot")
    spread = (leaving.person_risk**2 + leaving.block_risk**2) / 2
    # Discontent differs between neighbourhoods (coverage, shops): people alike leave alike without any contagion.
    block = dice.normal("block risk", neighbourhood(scenario, "person_id"))
    risk = f"{known_risk(scenario)} * exp({leaving.person_risk!r}D * {dice.normal('risk', 'person_id')} + {leaving.block_risk!r}D * {block} - {spread!r}D)"
    names = list(leaving.causes)
    friends = names.index("friends") if "friends" in names else 0
    rate = onset_rate(scenario)

    def wait(turn: int) -> str:
        return f"least({NEVER}D, -ln(1 - {dice.u(f'onset {turn}', *key)}) / ({rate!r}D * risk))"

    def drawn(turn: int) -> str:
        return f"cast({dice.pick({str(i): leaving.causes[c].weight for i, c in enumerate(names)}, f'cause {turn}', *key)} as int)"

    def time(turn: int) -> str:
        length = f"1 + floor(-ln(1 - {dice.u(f'length {turn}', *key)}) * {of(scenario, f'cause_{turn}', 'days')})"
        return f"cast(least({NEVER}, start_{turn} + {length}) as int)"

    def goes(turn: int) -> str:
        return f"{dice.u(f'stays {turn}', *key)} >= {of(scenario, f'cause_{turn}', 'stays')} and end_{turn} >= greatest(7, from_day + 21)"

    since = f"greatest(from_day + {SETTLED}, -{EARLIER})"
    frame = lives.selectExpr("*", f"{risk} as risk")
    frame = frame.selectExpr("*", f"{clock.day(f'{clock.passed(since)} + {wait(0)}')} as natural")
    frame = frame.selectExpr(
        "*",
        f"cast(least(natural, if(caught > {since}, caught, {NEVER})) as int) as start_0",
        f"if(caught > {since} and caught < natural, {friends}, {drawn(0)}) as cause_0",
    )
    frame = frame.selectExpr("*", f"{time(0)} as end_0")
    frame = frame.selectExpr("*", f"{goes(0)} as leaves_0")
    rested = clock.passed("end_0 + 10")
    again = f"if(leaves_0 or end_0 + 10 >= {scenario.days}, {NEVER}, {clock.day(f'{rested} + {wait(1)}')})"
    frame = frame.selectExpr("*", f"{again} as start_1", f"{drawn(1)} as cause_1")
    frame = frame.selectExpr("*", f"{time(1)} as end_1")
    frame = frame.selectExpr("*", f"{goes(1)} as leaves_1")
    both = ", ".join(
        f"named_struct('start', start_{t}, 'end', end_{t}, 'cause', cause_{t}, 'leaves', leaves_{t})" for t in (0, 1)
    )
    # those who live by a rule: fleas hop when their bonus ends, farmed cards are thrown away
    term = f"from_day + 60 + {dice.below(25, 'term', *key)}"
    ruled = f"cast(case abnormal when 'flea' then if(from_day < 0, 10 + {dice.below(80, 'flea', *key)}, {term}) when 'farmed' then {term} end as int)"
    bonus = names.index("bonus") if "bonus" in names else 0
    hop = f"named_struct('start', ruled - 12, 'end', ruled, 'cause', {bonus}, 'leaves', true)"
    frame = frame.selectExpr("*", f"{ruled} as ruled")
    frame = frame.selectExpr(
        *lives.columns,
        "risk",
        "ruled",
        f"case when ruled is not null then array({hop}) else filter(array({both}), t -> t.start < {scenario.days} and t.end > 0) end as times",
    )
    frame = campaigns.cared(frame, scenario, dice)
    # of two times the one that makes leave shows its signs, else the first
    frame = frame.selectExpr("*", "coalesce(get(filter(times, t -> t.leaves), 0), get(times, 0)) as shown")
    left = f"if(shown.leaves and shown.end < {scenario.days}, shown.end, null)"
    frame = frame.selectExpr("*", f"{left} as natural_left")
    moved = "slot = 0 and renumber_day > from_day and renumber_day < coalesce(natural_left, 99999)"
    frame = frame.selectExpr("*", f"coalesce({moved}, false) as is_moved", f"{dice.u('destination', *key)} as going")
    back, rival = of(scenario, "shown.cause", "back"), of(scenario, "shown.cause", "competitor")
    place = (
        "case when is_moved then 'renumbered' when natural_left is null then null when abnormal = 'flea' then 'back' when abnormal = "
        f"'farmed' then 'elsewhere' when going < {back} then 'back' when going < {back} + {rival} then 'competitor' else 'elsewhere' end"
    )
    causes = "array(" + ", ".join(f"'{name}'" for name in names) + ")"
    return frame.selectExpr(
        *lives.columns,
        "risk",
        "times",
        f"coalesce(shown.start, {NEVER}) as onset",
        f"coalesce(shown.end, {NEVER}) as relief",
        f"if(is_moved or size(times) = 0, null, element_at({causes}, shown.cause + 1)) as cause",
        "cast(if(is_moved, renumber_day, natural_left) as int) as left_day",
        f"{place} as destination",
        "campaigns",
    )


def of(scenario: CityScenario, cause_no: str, trait: str) -> str:
    """SQL of a trait of the cause with that number."""
    return f"element_at({_doubles([float(getattr(c, trait)) for c in scenario.leaving.causes.values()])}, {cause_no} + 1)"


def by_name(scenario: CityScenario, trait: str) -> str:
    """SQL of a trait of the row's ``cause``, null without one."""
    return by_key("cause", {name: float(getattr(cause, trait)) for name, cause in scenario.leaving.causes.items()}, "null")


def caught(leavers: DataFrame, contacts: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per person made discontented by a contact who went to the competitor: person_id, caught (the day, soon after)."""
    left = leavers.where("destination = 'competitor'").select(F.col("person_id").alias("leaver"), "left_day")
    sides = contacts.selectExpr("a as leaver", "b as person_id", "from_day", "to_day").unionByName(
        contacts.selectExpr("b as leaver", "a as person_id", "from_day", "to_day")
    )
    pair = ("least(leaver, person_id)", "greatest(leaver, person_id)", "leaver")
    met = sides.where(f"person_id < {scenario.persons} and {dice.u('caught', *pair)} < {scenario.leaving.contagion!r}D")
    hit = met.join(left, on="leaver", how="inner").where("left_day between from_day and to_day")
    return hit.groupBy("person_id").agg(
        F.expr(f"cast(min(left_day + 1 + {dice.below(28, 'caught on', *pair)}) as int)").alias("caught")
    )


def hazard(lives: DataFrame, scenario: CityScenario) -> DataFrame:
    """One row per user with us at the end of a month: the true chance of leaving in the next month and in the one after.

    It knows the hidden state (content, or discontented and why) and the person's risk, but not when this one leaves: waits are
    exponential, so the state is all there is to know, but for contagion still to come. A number held beside another has none. Those
    who live by a rule, not by chance, are left out: fleas, farmed cards, companies that change their numbers. ``leaves_t1`` and
    ``leaves_t2`` say what happened, null where the city's days end before.
    """
    clock, rate = Clock(scenario), onset_rate(scenario)
    ends = lives.sparkSession.createDataFrame(month_ends(scenario), "month date, day int, next int, after int")
    own = lives.where("coalesce(abnormal, '') not in ('flea', 'farmed') and renumber_day is null")
    rows = own.join(F.broadcast(ends), on=F.expr("from_day <= day and coalesce(left_day, 99999) > day"), how="inner")
    rows = rows.selectExpr("*", "get(filter(times, t -> t.start <= day and day < t.end), 0) as now")
    begins, middle, over = (clock.passed(f"day + 1{more}") for more in ("", " + next", " + next + after"))
    rows = rows.selectExpr(
        "*",
        f"({rate!r}D * risk * ({middle} - {begins}) / next) as speed_t1",
        f"({rate!r}D * risk * ({over} - {middle}) / after) as speed_t2",
    )

    def new(name: str, cause: Cause, turn: str) -> str:
        # onset and end in a row, each exponential: the chance that both are over, in the second month also for an onset in the first
        pace, speed, days = f"{1 / cause.days!r}D", f"speed_{turn}", {"t1": "next", "t2": "after"}[turn]
        both = f"(1 - ({pace} * exp(-{speed} * {days}) - {speed} * exp(-{pace} * {days})) / ({pace} - {speed}))"
        if turn == "t2":
            begun = f"speed_t1 / ({pace} - speed_t1) * (exp(-speed_t1 * next) - exp(-{pace} * next))"
            both = f"(exp(-speed_t1 * next) * {both} + {begun} * (1 - exp(-{pace} * after)))"
        return f"{scenario.leaving.onsets[name] * (1 - cause.stays)!r}D * {both}"

    causes = scenario.leaving.causes.items()
    length, leaves = of(scenario, "now.cause", "days"), f"(1 - {of(scenario, 'now.cause', 'stays')})"
    old = {
        "t1": f"{leaves} * (1 - exp(-next / {length}))",
        "t2": f"{leaves} * exp(-next / {length}) * (1 - exp(-after / {length}))",
    }
    content = {turn: " + ".join(new(name, cause, turn) for name, cause in causes) for turn in old}
    rows = rows.selectExpr("*", *[f"if(now is null, {content[turn]}, {old[turn]}) as {turn}" for turn in old])
    names = "array(" + ", ".join(f"'{name}'" for name in scenario.leaving.causes) + ")"
    left = "coalesce(left_day, 99999)"
    return rows.selectExpr(
        "user_id", "month", "now is not null as is_discontented", f"if(now is null, null, element_at({names}, now.cause + 1)) as cause",
        "round(t1, 9) as hazard_t1", "round(t2, 9) as hazard_t2",
        f"if(day + next < {scenario.days}, {left} between day + 1 and day + next, null) as leaves_t1",
        f"if(day + next + after < {scenario.days}, {left} between day + next + 1 and day + next + after, null) as leaves_t2",
    )  # fmt: skip


def month_ends(scenario: CityScenario) -> list[tuple[dt.date, int, int, int]]:
    """The months whose last day lies in the city's time: first day, number of the last day, days of the next month and of the one after."""
    found: list[tuple[dt.date, int, int, int]] = []
    first = scenario.first_day.replace(day=1)
    while True:
        starts = [first]
        for _ in range(3):
            starts.append((starts[-1] + dt.timedelta(32)).replace(day=1))
        last = (starts[1] - scenario.first_day).days - 1
        if last >= scenario.days:
            return found
        found.append((first, last, (starts[2] - starts[1]).days, (starts[3] - starts[2]).days))
        first = starts[1]


def signs(frame: DataFrame, scenario: CityScenario, dice: Dice, forward_number: Callable[[str], str]) -> DataFrame:
    """One row per life with the signs it shows: fading, calls to the rival's hotline, forwarding, complaints. The content show false ones.

    Each sign begins at some day of the discontent and ends with it, whatever comes of it: nothing tells when somebody leaves.
    ``pace`` is the number of days in which the fading reaches its ``depth``.
    """
    leaving, days, key = scenario.leaving, scenario.days, ("person_id", "slot")

    def begins(sign: str, share: str, false: float) -> str:
        shows = f"{dice.u(sign, *key)} < {by_name(scenario, share)}"
        length = "greatest(1, relief - onset - 2)"
        mistaken = f"{dice.u(sign, *key)} < {false!r}D"
        return (
            f"cast(case when onset < {NEVER} then if({shows}, onset + floor({length} * {SOON!r}D * {dice.u(sign + ' from', *key)}), {NEVER}) "
            f"when {mistaken} then {dice.below(days, sign + ' day', *key)} else {NEVER} end as int)"
        )

    frame = frame.selectExpr(
        "*",
        f"{begins('fade', 'fade', leaving.false_fade)} as dip_from",
        f"if(abnormal = 'shopper', greatest(0, from_day), {begins('hotline', 'hotline', leaving.false_hotline)}) as hotline_from",
        f"if(abnormal = 'forwarder', greatest(0, from_day), {begins('forward', 'forward', leaving.false_forward)}) as forward_from",
        f"{begins('complaint', 'complaint', leaving.false_complaint)} as complaint_day",
        f"{dice.between(*leaving.fade_depth, 'depth', *key)} as depth",
        f"cast({leaving.fade_days[0]} + {dice.below(leaving.fade_days[1] - leaving.fade_days[0], 'pace', *key)} as int) as pace",
    )

    def ends(began: str, sign: str) -> str:
        passing = f"{began} + 7 + {dice.below(40, sign + ' to', *key)}"
        return f"cast(case when {began} >= {NEVER} then {NEVER} when onset < {NEVER} then relief else {passing} end as int)"

    return frame.selectExpr(
        "*",
        f"{ends('dip_from', 'dip')} as dip_to",
        f"if(abnormal = 'shopper', {NEVER}, {ends('hotline_from', 'hotline')}) as hotline_to",
        f"if(abnormal = 'forwarder', {NEVER}, {ends('forward_from', 'forward')} + if(left_day is null, 0, 10)) as forward_to",
        f"if(forward_from < {NEVER}, {forward_number('person_id')}, null) as forward_number",
    )


def _doubles(values: list[float]) -> str:
    # One literal after constant folding; thousands of array elements would slow down every rule of the optimiser.
    return f"cast(split('{','.join(f'{value:.6g}' for value in values)}', ',') as array<double>)"


def _ints(values: list[int]) -> str:
    return f"cast(split('{','.join(map(str, values))}', ',') as array<int>)"
