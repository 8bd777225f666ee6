"""Who is in touch with whom: households, neighbours, colleagues, chance acquaintances, people of other networks, hubs."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.city import people
from churnlake.city.dice import Dice, Shuffle, by_key
from churnlake.city.discontent import NEVER
from churnlake.city.settings import CityScenario

PAIR = ("a", "b", "tie", "kind", "from_day", "to_day")
SOUGHT = ("person_id", "household", "neighbourhood", "persona_no", "stubs")
CLOSE = 1.2
"""How much more often a close tie outlasts a change of number."""
COMPLAINING = 5
"""Days in which one who complains calls our own hotline."""
SEEKER = people.MOST_SOUGHT + 12
"""Ties of a pair are told apart: 0 in a household, a's own seeking by its turn, b's by SEEKER and its turn, those of later by kind."""
LATER = {
    kind: 2 * SEEKER + place
    for place, kind in enumerate(
        ("like", "copied", "new", "inherits", "complaint", "lost_sim", "hub", "wap", "sp", "script", "rival")
    )
}


def contacts(persons: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per tie before anybody changes numbers: party ids a < b, number of the tie, kind, from_day, to_day.

    Two people may have several ties: colleagues, each of whom sought the other. Nothing needs them to be one, and so nothing
    needs to be sorted by the ten million.
    """
    sought = persons.select(*SOUGHT)
    drawn = _households(sought, scenario).unionByName(_sought(sought, scenario, dice))
    return _turnover(drawn, scenario, dice)


def ties(old: DataFrame, persons: DataFrame, lives: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per tie: party ids a < b, number of the tie, kind, strength, and the days between which they are in touch.

    ``old`` are the ``contacts``; to them come those of decoys and returners, and those returners let go end.
    """
    returns = lives.where("origin = 'reentry'").select("person_id", "slot", F.col("from_day").alias("join_day"), "kept")
    sought = persons.select(*SOUGHT)
    pairs = old.unionByName(_pairs(_copied(old, lives, scenario, dice).unionByName(_new(sought, returns, scenario, dice))))
    pairs = _cut(_cut(pairs, "a", returns, dice), "b", returns, dice)
    kept = pairs.where("to_day > from_day").selectExpr(*PAIR, f"{_strength(scenario, dice)} as strength")
    return kept.unionByName(_inherited(old, lives, scenario, dice)).unionByName(_hubs(persons, lives, scenario, dice))


def carrying(contacts: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """Those of the ``contacts`` close enough to carry discontent from one to the other."""
    return contacts.where(f"{_strength(scenario, dice)} >= {scenario.leaving.contagion_tie!r}D")


def _strength(scenario: CityScenario, dice: Dice) -> str:
    """SQL of the strength of a tie, by its kind and by how close the two are."""
    known = {**scenario.circles.ties, "like": scenario.circles.ties["household"]}
    of_kind = "case " + " ".join(f"when kind = '{kind}' then {tie!r}D" for kind, tie in known.items()) + " else 0.8D end"
    return f"{of_kind} * exp({scenario.circles.tie_sigma!r}D * {_closeness(dice)})"


def _closeness(dice: Dice) -> str:
    """SQL of how close two people are, standard normal."""
    return dice.normal("tie", "a", "b")


def _pairs(drawn: DataFrame) -> DataFrame:
    """One row per pair and kind, however often it was drawn, for the longest time."""
    ordered = drawn.where("a <> b").selectExpr("least(a, b) as a", "greatest(a, b) as b", "kind", "from_day", "to_day")
    found = ordered.groupBy("a", "b", "kind").agg(F.min("from_day").alias("from_day"), F.max("to_day").alias("to_day"))
    return found.selectExpr("a", "b", f"{_later('kind')} as tie", "kind", "from_day", "to_day")


def _later(kind: str) -> str:
    """SQL of the number of a tie that came later, by its kind."""
    return f"case {kind} " + " ".join(f"when '{name}' then {number}" for name, number in LATER.items()) + " end"


def _always(frame: DataFrame, a: str, b: str, kind: str, tie: str) -> DataFrame:
    return frame.selectExpr(
        f"{a} as a", f"{b} as b", f"{tie} as tie", f"{kind} as kind", f"-{NEVER} as from_day", f"{NEVER} as to_day"
    )


def _households(persons: DataFrame, scenario: CityScenario) -> DataFrame:
    size = scenario.circles.household
    mates = persons.selectExpr("person_id", f"explode(transform(sequence(0, {size - 1}), i -> household * {size} + i)) as mate")
    return _always(mates.where(f"person_id < mate and mate < {scenario.persons}"), "person_id", "mate", "'household'", "0")


def _target(scenario: CityScenario, dice: Dice, kind: str, *key: str) -> str:
    """SQL of the party a person finds, by the way they meet. Some people are found more often: the square of the draw."""
    circles, count = scenario.circles, scenario.persons
    seats, crowd = people.workplace(scenario), Shuffle(count, 5)
    draw = dice.u("target", *key)
    pool = people.offnet_people(scenario)
    block = max(1, round(circles.neighbours * circles.pool))
    near = f"pmod({people.neighbourhood(scenario, 'person_id')} * {block} + cast(floor(pow({draw}, 2) * {2 * block}) as bigint), {pool}L)"
    met = f"if({dice.u('near', *key)} < 0.7, {near}, cast(floor(pow({draw}, 1.5) * {pool}) as bigint))"
    # those of other cities stand in one place of each hundred: who has people there finds one of them
    begin, places = people.FAR
    afar = people.by_persona([persona.far for persona in scenario.personas.values()])
    distant = f"({met}) div 100 * 100 + {begin} + {dice.below(places, 'far place', *key)}"
    seat = (
        f"({seats.forth('person_id')} div {circles.colleagues}) * {circles.colleagues} + cast(floor({draw} * "
        f"{circles.colleagues}) as bigint)"
    )
    return (
        f"case {kind} when 'neighbour' then least({count - 1}, neighbourhood * {circles.neighbours} "
        f"+ cast(floor({draw} * {circles.neighbours}) as bigint)) "
        f"when 'colleague' then {seats.back(f'least({count - 1}, {seat})')} "
        f"when 'wide' then {crowd.back(f'cast(floor(pow({draw}, 2) * {count}) as bigint)')} "
        f"else {count} + if({dice.u('far', *key)} < {afar}, {distant}, {met}) end"
    )


def _sought(persons: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    stubs = persons.selectExpr("person_id", "neighbourhood", "persona_no", "explode(sequence(1, stubs)) as stub")
    stubs = stubs.selectExpr("*", f"{_way(scenario, dice, 'kind', 'person_id', 'stub')} as way")
    met = stubs.selectExpr("person_id", "stub", "way", f"{_target(scenario, dice, 'way', 'person_id', 'stub')} as other")
    met = met.where("person_id <> other")
    tie = f"stub + if(person_id < other, 0, {SEEKER})"
    return _always(met, "least(person_id, other)", "greatest(person_id, other)", "way", tie)


def _way(scenario: CityScenario, dice: Dice, salt: str, *key: str) -> str:
    """SQL of the way in which a contact is met, by the way of life of who seeks it."""
    kinds = scenario.circles.kinds
    rows = [
        {kind: weight * (persona.offnet if kind == "offnet" else 1) for kind, weight in kinds.items()}
        for persona in scenario.personas.values()
    ]
    return dice.pick_by(rows, "persona_no", salt, *key)


def _turnover(pairs: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per tie; contacts of everyone begin and end, not only of those who change numbers."""
    share, days = scenario.circles.turnover, scenario.days
    lasts = "kind = 'household'"
    return pairs.selectExpr(
        "a",
        "b",
        "tie",
        "kind",
        f"cast(if(not ({lasts}) and {dice.u('begins', 'a', 'b', 'tie')} < {share!r}D, {dice.below(days, 'begin', 'a', 'b', 'tie')}, "
        "from_day) as int) as from_day",
        f"cast(if(not ({lasts}) and {dice.u('ends', 'a', 'b', 'tie')} < {share!r}D, {dice.below(days, 'end', 'a', 'b', 'tie')}, to_day) "
        "as int) as to_day",
    )


def _copied(pairs: DataFrame, lives: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per contact that a joiner shares with the person it is like: the hardest decoys."""
    shares = {
        kind: dice.between(*share, "share copied", "person_id")
        for kind, share in scenario.coming.copied.items()
        if kind != "recycled"
    }
    like = lives.where("slot = 0 and like_person is not null").selectExpr(
        "person_id", "like_person", "decoy", f"{by_key('decoy', shares, '0D')} as copied"
    )
    like = like.where("copied > 0")
    sides = pairs.selectExpr("a as like_person", "b as contact", "from_day", "to_day").unionByName(
        pairs.selectExpr("b as like_person", "a as contact", "from_day", "to_day")
    )
    # those who look like others are few beside all ties, here and below
    shared = sides.join(F.broadcast(like), on="like_person", how="inner").where(
        f"{dice.u('copied', 'person_id', 'contact')} < copied"
    )
    copied = shared.selectExpr("person_id as a", "contact as b", "'copied' as kind", "from_day", "to_day")
    likes = _always(like.where("decoy <> 'household'"), "person_id", "like_person", "'like'", "0").drop("tie")
    return copied.unionByName(likes)


def _inherited(pairs: DataFrame, lives: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per contact of somebody gone who still calls the number, which another one has now; ``strength`` is unused."""
    share = dice.between(*scenario.coming.copied.get("recycled", (0.0, 0.0)), "share inherited", "person_id")
    now = lives.where("decoy = 'recycled' and like_person is not null").select("person_id", "like_person", "from_day")
    sides = pairs.selectExpr("a as like_person", "b as contact").unionByName(pairs.selectExpr("b as like_person", "a as contact"))
    call = sides.join(F.broadcast(now), on="like_person", how="inner").where(
        f"contact <> person_id and {dice.u('inherited', 'person_id', 'contact')} < {share}"
    )
    call = call.select("person_id", "contact", "from_day").distinct()
    lasts = f"10 + {dice.below(60, 'inherited until', 'person_id', 'contact')}"
    return call.selectExpr(
        "person_id as a",
        "contact as b",
        f"{LATER['inherits']} as tie",
        "'inherits' as kind",
        "from_day",
        f"cast(from_day + {lasts} as int) as to_day",
        "1.0D as strength",
    )


def _new(persons: DataFrame, returns: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per contact that a returner makes at the time of the new number."""
    key = ("person_id", "slot", "stub")
    share = scenario.coming.new_contacts
    stubs = persons.join(returns, on="person_id", how="inner").selectExpr(
        "person_id",
        "neighbourhood",
        "persona_no",
        "slot",
        "join_day",
        f"explode(sequence(1, cast(ceil(2 * stubs * {share!r}D) as int))) as stub",
    )
    stubs = stubs.selectExpr("*", f"{_way(scenario, dice, 'new kind', *key)} as way")
    return stubs.selectExpr(
        "person_id as a",
        f"{_target(scenario, dice, 'way', *key)} as b",
        "'new' as kind",
        "join_day as from_day",
        f"{NEVER} as to_day",
    )


def _cut(pairs: DataFrame, side: str, returns: DataFrame, dice: Dice) -> DataFrame:
    """One row per tie; those a returner lets go end on the day of the new number."""
    turns = returns.groupBy(F.col("person_id").alias(side)).agg(
        F.expr("sort_array(collect_list(struct(slot, join_day, kept)))").alias("turns")
    )
    # all ties of a pair are kept, or let go, together, and the closer they are the more of them are kept
    stays = f"pow(r.kept, exp(-{CLOSE!r}D * closeness))"
    lost = (
        f"r.join_day > from_day and kind not in ('household', 'like') and {dice.u('kept', side, 'a', 'b', 'r.slot')} >= {stays}"
    )
    cut_day = f"array_min(transform(filter(turns, r -> {lost}), r -> r.join_day))"
    met = pairs.join(F.broadcast(turns), on=side, how="left").selectExpr("*", f"{_closeness(dice)} as closeness")
    return met.selectExpr(*PAIR[:-1], f"if(turns is null, to_day, least(to_day, {cut_day})) as to_day")


def _hubs(persons: DataFrame, lives: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per person and hub in touch; ``strength`` is unused, hubs have rates of their own.

    Of couriers, taxis and shops there is one in each district; a person deals with the same one always.
    """
    first, count = people.first_hub(scenario), people.districts(scenario)
    known = [(kind, hub[4]) for kind, hub in enumerate(people.HUBS) if hub[4] > 0]
    drawn = ", ".join(
        f"if({dice.u(f'hub {kind}', 'person_id')} < {scenario.circles.hubs * share!r}D, {kind}, null)" for kind, share in known
    )
    everywhere = ", ".join(str(kind) for kind, hub in enumerate(people.HUBS) if not hub[3])
    district = f"if(kind in ({everywhere}), 0, pmod(xxhash64(neighbourhood div 16, kind), {count}))"
    met = persons.selectExpr("person_id", "neighbourhood", f"explode(array_compact(array({drawn}))) as kind").selectExpr(
        "person_id", f"{first}L + kind * {count} + {district} as hub"
    )
    rival = people.hub_id(scenario, "competitor_hotline")
    wap = people.hub_id(scenario, "wap")
    asked = (
        lives.where(f"hotline_from < {NEVER}")
        .groupBy("person_id")
        .agg(F.min("hotline_from").alias("from_day"), F.max("hotline_to").alias("to_day"))
    )
    return (
        _always(met, "person_id", "hub", "'hub'", str(LATER["hub"]))
        .unionByName(
            asked.selectExpr(
                "person_id as a", f"{rival}L as b", f"{LATER['rival']} as tie", "'rival' as kind", "from_day", "to_day"
            )
        )
        .unionByName(
            _always(
                persons.where("abnormal = 'sp_fraud'"),
                "person_id",
                f"{people.hub_id(scenario, 'provider')}L",
                "'sp'",
                str(LATER["sp"]),
            )
        )
        .unionByName(_always(persons.where("wap_lean > 0"), "person_id", f"{wap}L", "'wap'", str(LATER["wap"])))
        .unionByName(_scripts(lives, scenario, dice))
        .unionByName(_complaints(lives, scenario))
        .selectExpr(*PAIR, "1.0D as strength")
    )


def _complaints(lives: DataFrame, scenario: CityScenario) -> DataFrame:
    """One row per user and stretch of days with calls to our own hotline: complaints, and lost cards."""
    hotline = f"{people.hub_id(scenario, 'hotline')}L"
    angry = lives.groupBy("person_id").agg(F.min("complaint_day").alias("day")).where(f"day < {NEVER}")
    lost = lives.where("motive = 'lost_sim'").groupBy("person_id").agg(F.min("from_day").alias("day"))
    rows = angry.selectExpr("*", "'complaint' as kind", f"{COMPLAINING} as days").unionByName(
        lost.selectExpr("*", "'lost_sim' as kind", "3 as days")
    )
    return rows.selectExpr(
        "person_id as a", f"{hotline} as b", f"{_later('kind')} as tie", "kind", "day as from_day", "day + days as to_day"
    )


def _scripts(lives: DataFrame, scenario: CityScenario, dice: Dice) -> DataFrame:
    """One row per card a dealer farms and number its calls go to by script: three of the dealer's own."""
    pool = people.offnet_people(scenario)
    lines = lives.where("decoy = 'farmed'").selectExpr("person_id", "explode(array(0, 1, 2)) as line", "dealer")
    called = f"{scenario.persons} + pmod(xxhash64({dice.seed}L, 'script', dealer, line), {pool}L)"
    return _always(lines, "person_id", called, "'script'", f"{LATER['script']} + line")
