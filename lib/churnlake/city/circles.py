"""Who is in touch with whom: households, neighbours, colleagues, chance acquaintances, people of other networks, hubs."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.city import people
from churnlake.city.dice import Dice, Shuffle
from churnlake.city.discontent import NEVER
from churnlake.city.settings import CityScenario

PAIR = ("a", "b", "kind", "from_day", "to_day")


def contacts(persons: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per pair in touch before anybody changes numbers: party ids a < b, kind, from_day, to_day."""
    sought = persons.select("person_id", "household", "neighbourhood", "stubs")
    drawn = _households(sought, scenario).unionByName(_sought(sought, scenario, dice))
    return _turnover(_pairs(drawn), scenario, dice)


def ties(old: DataFrame, persons: DataFrame, lives: DataFrame, hubs: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per pair in touch: party ids a < b, kind, strength, and the days between which they are in touch.

    ``old`` are the ``contacts``; to them come those of decoys and returners, and those returners let go end.
    """
    returns = lives.where("origin = 'reentry'").select("person_id", "slot", F.col("from_day").alias("join_day"), "kept")
    sought = persons.select("person_id", "household", "neighbourhood", "stubs")
    pairs = old.unionByName(_copied(old, lives, scenario, dice)).unionByName(_new(sought, returns, scenario, dice))
    pairs = _pairs(pairs)
    pairs = _cut(_cut(pairs, "a", returns, dice), "b", returns, dice)
    strength = (
        "case "
        + " ".join(f"when kind = '{kind}' then {tie!r}D" for kind, tie in scenario.circles.ties.items())
        + " else 0.8D end"
    )
    known = pairs.where("to_day > from_day").selectExpr(
        *PAIR, f"{strength} * exp({scenario.circles.tie_sigma!r}D * {dice.normal('tie', 'a', 'b')}) as strength"
    )
    return known.unionByName(_hubs(persons, lives, hubs, scenario, dice))


def _pairs(drawn: DataFrame) -> DataFrame:
    """One row per pair, however often it was drawn: the closest kind, the longest time."""
    order = "array('household', 'neighbour', 'colleague', 'wide', 'offnet', 'copied', 'new')"
    return (
        drawn.where("a <> b")
        .selectExpr(
            "least(a, b) as a",
            "greatest(a, b) as b",
            f"cast(array_position({order}, kind) as int) as closeness",
            "from_day",
            "to_day",
        )
        .groupBy("a", "b")
        .agg(F.min("closeness").alias("closeness"), F.min("from_day").alias("from_day"), F.max("to_day").alias("to_day"))
        .selectExpr("a", "b", f"element_at({order}, closeness) as kind", "from_day", "to_day")
    )


def _always(frame: DataFrame, a: str, b: str, kind: str) -> DataFrame:
    return frame.selectExpr(f"{a} as a", f"{b} as b", f"{kind} as kind", f"-{NEVER} as from_day", f"{NEVER} as to_day")


def _households(persons: DataFrame, scenario: CityScenario) -> DataFrame:
    size = scenario.circles.household
    mates = persons.selectExpr("person_id", f"explode(transform(sequence(0, {size - 1}), i -> household * {size} + i)) as mate")
    return _always(mates.where(f"person_id < mate and mate < {scenario.persons}"), "person_id", "mate", "'household'")


def _target(scenario: CityScenario, dice: Dice, kind: str, *key: str) -> str:
    """SQL of the party a person finds, by the way they meet. Some people are found more often: the square of the draw."""
    circles, count = scenario.circles, scenario.persons
    seats, crowd = people.workplace(scenario), Shuffle(count, 5)
    draw = dice.u("target", *key)
    pool = people.offnet_people(scenario)
    near = f"pmod({people.neighbourhood(scenario, 'person_id')} * 31 + cast(floor(pow({draw}, 2) * 45) as bigint), {pool}L)"
    seat = (
        f"({seats.forth('person_id')} div {circles.colleagues}) * {circles.colleagues} + cast(floor({draw} * "
        f"{circles.colleagues}) as bigint)"
    )
    return (
        f"case {kind} when 'neighbour' then least({count - 1}, neighbourhood * {circles.neighbours} "
        f"+ cast(floor({draw} * {circles.neighbours}) as bigint)) "
        f"when 'colleague' then {seats.back(f'least({count - 1}, {seat})')} "
        f"when 'wide' then {crowd.back(f'cast(floor(pow({draw}, 2) * {count}) as bigint)')} "
        f"else {count} + if({dice.u('near', *key)} < 0.7, {near}, cast(floor(pow({draw}, 1.5) * {pool}) as bigint)) end"
    )


def _sought(persons: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    stubs = persons.selectExpr("person_id", "neighbourhood", "explode(sequence(1, stubs)) as stub")
    stubs = stubs.selectExpr("*", dice.pick(scenario.circles.kinds, "kind", "person_id", "stub") + " as way")
    return _always(stubs, "person_id", _target(scenario, dice, "way", "person_id", "stub"), "way")


def _turnover(pairs: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per pair; contacts of everyone begin and end, not only of those who change numbers."""
    share, days = scenario.circles.turnover, scenario.days
    lasts = "kind = 'household'"
    return pairs.selectExpr(
        "a",
        "b",
        "kind",
        f"cast(if(not ({lasts}) and {dice.u('begins', 'a', 'b')} < {share!r}D, {dice.below(days, 'begin', 'a', 'b')}, "
        "from_day) as int) as from_day",
        f"cast(if(not ({lasts}) and {dice.u('ends', 'a', 'b')} < {share!r}D, {dice.below(days, 'end', 'a', 'b')}, to_day) "
        "as int) as to_day",
    )


def _copied(pairs: DataFrame, lives: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per contact that a joiner shares with the person it is like: the hardest decoys."""
    shares = " ".join(f"when '{kind}' then {share!r}D" for kind, share in scenario.coming.copied.items())
    like = lives.where("slot = 0 and like_person is not null").selectExpr(
        "person_id", "like_person", f"case decoy {shares} else 0D end as copied"
    )
    like = like.where("copied > 0")
    sides = pairs.selectExpr("a as like_person", "b as contact", "from_day", "to_day").unionByName(
        pairs.selectExpr("b as like_person", "a as contact", "from_day", "to_day")
    )
    shared = like.join(sides, on="like_person", how="inner").where(f"{dice.u('copied', 'person_id', 'contact')} < copied")
    copied = shared.selectExpr("person_id as a", "contact as b", "'copied' as kind", "from_day", "to_day")
    return copied.unionByName(_always(like, "person_id", "like_person", "'household'"))


def _new(persons: DataFrame, returns: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per contact that a returner makes at the time of the new number."""
    key = ("person_id", "slot", "stub")
    share = scenario.coming.new_contacts
    stubs = persons.join(returns, on="person_id", how="inner").selectExpr(
        "person_id",
        "neighbourhood",
        "slot",
        "join_day",
        f"explode(sequence(1, cast(ceil(2 * stubs * {share!r}D) as int))) as stub",
    )
    stubs = stubs.selectExpr("*", dice.pick(scenario.circles.kinds, "new kind", *key) + " as way")
    return stubs.selectExpr(
        "person_id as a",
        f"{_target(scenario, dice, 'way', *key)} as b",
        "'new' as kind",
        "join_day as from_day",
        f"{NEVER} as to_day",
    )


def _cut(pairs: DataFrame, side: str, returns: DataFrame, dice: Dice) -> DataFrame:
    """One row per pair; those a returner lets go end on the day of the new number."""
    turns = returns.groupBy(F.col("person_id").alias(side)).agg(
        F.expr("array_sort(collect_list(struct(slot, join_day, kept)))").alias("turns")
    )
    lost = f"r.join_day > from_day and kind <> 'household' and {dice.u('kept', side, 'a', 'b', 'r.slot')} >= r.kept"
    cut_day = f"array_min(transform(filter(turns, r -> {lost}), r -> r.join_day))"
    return pairs.join(turns, on=side, how="left").selectExpr("a", "b", "kind", "from_day", f"least(to_day, {cut_day}) as to_day")


def _hubs(persons: DataFrame, lives: DataFrame, hubs: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per person and hub in touch; ``strength`` is unused, hubs have rates of their own."""
    first = scenario.persons + people.offnet_people(scenario)
    shares = "array(" + ", ".join(f"{hub[2]!r}D" for hub in people.HUBS) + ")"
    met = persons.crossJoin(F.broadcast(hubs.select(F.col("party_id").alias("hub")))).where(
        f"{dice.u('hub', 'person_id', 'hub')} < {scenario.circles.hubs!r}D * element_at({shares}, cast(hub - {first} + 1 as int))"
    )
    rival = people.hub_id(scenario, "competitor_hotline")
    wap = people.hub_id(scenario, "wap")
    asked = (
        lives.where(f"hotline_from < {NEVER}")
        .groupBy("person_id")
        .agg(F.min("hotline_from").alias("from_day"), F.max("hotline_to").alias("to_day"))
    )
    return (
        _always(met, "person_id", "hub", "'hub'")
        .unionByName(asked.selectExpr("person_id as a", f"{rival}L as b", "'hub' as kind", "from_day", "to_day"))
        .unionByName(
            _always(persons.where("abnormal = 'sp_fraud'"), "person_id", f"{people.hub_id(scenario, 'provider')}L", "'sp'")
        )
        .unionByName(_always(persons.where("wap_lean > 0"), "person_id", f"{wap}L", "'wap'"))
        .selectExpr(*PAIR, "1.0D as strength")
    )
