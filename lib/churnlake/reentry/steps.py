"""The seven steps of re-entry as figures, each with the gate it is held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.reentry.settings import ReentrySettings
from churnlake.stats import proportions
from churnlake.tables.control import PARTS_OF_ADDS
from churnlake.tables.motives import RULED

MONTH = ["known_on", "month"]


@dataclass(frozen=True)
class Gate:
    """What a measure must reach: in words, the SQL that says whether it does (null: nothing to judge by), and SQL of why."""

    words: str
    passed: str
    why: str


@dataclass(frozen=True)
class Measure:
    """One figure of a step: SQL of its value, of its interval and of the persons it tells of."""

    name: str
    value: str
    low: str = "null"
    high: str = "null"
    persons: str = "null"
    gate: Gate | None = None


def at_least(value: str, least: float, what: str) -> Gate:
    """A gate that a share must reach."""
    return _share_gate(value, f"{value} >= {least}", f"at least {least:.0%} {what}")


def at_most(value: str, most: float, what: str) -> Gate:
    """A gate that a share must not pass."""
    return _share_gate(value, f"{value} <= {most}", f"at most {most:.0%} {what}")


def equal(value: str, other: str, what: str) -> Gate:
    """A gate that two counts must be the same."""
    return Gate(what, f"{value} = {other}", f"concat(cast({value} as bigint), ' and ', cast({other} as bigint))")


def definition(wide: DataFrame, settings: ReentrySettings) -> DataFrame:
    """Step 1: the rules, and how many are back under each window of days between the old number's last use and the join.

    ``wide``: one row per joiner of the final stage, with gap_days and kind of who is back under the widest window (windows.with_windows).
    """
    how = settings.control
    widest = max(how.windows_days)
    counts = {days: f"count_if(gap_days <= {days})" for days in sorted({*how.windows_days, settings.gap_most_days})}
    found = wide.groupBy(*MONTH).agg(
        *(F.expr(sql).alias(f"gap_{days}") for days, sql in counts.items()),
        *(F.expr(f"count_if(kind = '{kind}')").alias(kind) for kind in ("full", "partial")),
        F.expr("count_if(is_multiple)").alias("multiple"),
    )
    share = f"(gap_{settings.gap_most_days} / nullif(gap_{widest}, 0))"
    rules = {
        "rule_gap_least_days": settings.gap_least_days, "rule_gap_most_days": settings.gap_most_days,
        "rule_full_level": settings.full_level, "rule_partial_level": settings.partial_level,
    }  # fmt: skip
    gate = at_least(
        share, how.gates.least_window_share, f"of those back within {widest} days are within the rule's {settings.gap_most_days}"
    )
    return _rows(found, 1, [
        *(Measure(name, repr(float(value))) for name, value in rules.items()),
        *(Measure(f"back_within_{days}_days", f"gap_{days}", persons=f"gap_{days}") for days in counts),
        *(Measure(f"{name}_replacement" if name != "multiple" else name, name, persons=name) for name in ("full", "partial", "multiple")),
        Measure("window_share", share, gate=gate),
    ])  # fmt: skip


def scope(joined: DataFrame, settings: ReentrySettings) -> DataFrame:
    """Step 2: each joiner is exactly one of scored, too little evidence, or excluded. ``joined``: joiners of the final stage."""
    scopes = ("scored", "too_little", "excluded")
    found = joined.groupBy(*MONTH).agg(
        F.count_distinct("user_id").alias("joiners"), *(F.expr(f"count_if(scope = '{s}')").alias(s) for s in scopes)
    )
    share = "(scored / joiners)"
    return _rows(found, 2, [
        Measure("joiners", "joiners", persons="joiners", gate=equal(f"({' + '.join(scopes)})", "joiners", "every joiner is one of the three")),
        *(Measure(name, name, persons=name) for name in scopes),
        Measure("scored_share", share, gate=at_least(share, settings.control.gates.least_scored_share, "of joiners scored")),
    ])  # fmt: skip


def circle_alone(joined: DataFrame, named: DataFrame, settings: ReentrySettings) -> DataFrame:
    """Step 3: whom the circle alone names (verification.by_circle), and how sure it is of them."""
    found = joined.join(named, on="user_id", how="left").groupBy(*MONTH).agg(
        F.count("circle_probability").alias("named"), F.avg("circle_probability").alias("sure"),
        F.expr("count_if(peers = 0)").alias("without"),
    )  # fmt: skip
    gate = at_least("sure", settings.control.gates.least_circle_probability, "mean probability of those named")
    return _rows(found, 3, [
        Measure("named_by_circle", "named", persons="named"), Measure("without_circle", "without", persons="without"),
        Measure("circle_mean_probability", "sure", persons="named", gate=gate),
    ])  # fmt: skip


def handset_alone(joined: DataFrame, named: DataFrame, devices: DataFrame, settings: ReentrySettings) -> DataFrame:
    """Step 4: whom the handset alone names (verification.by_handset), and what hygiene leaves aside: clones, shops, none told."""
    how = settings.control.gates
    key = ["known_on", "imei_key"]
    days = devices.select("user_id", "day", "imei_key")
    mine = joined.select("user_id", "known_on", "joined_on", F.date_add("joined_on", max(settings.stages)).alias("until"))
    mine = mine.join(days, on="user_id", how="inner").where("day BETWEEN joined_on AND until").select("user_id", *key).distinct()
    seen = days.join(mine.select(*key).distinct(), on="imei_key", how="inner").where("day <= known_on")
    users = seen.groupBy(*key).agg(F.count_distinct("user_id").alias("users"))
    seen = mine.join(users, on=key, how="inner").groupBy("user_id").agg(
        F.lit(True).alias("is_seen"), F.expr(f"min(users > {settings.imei_users_most})").alias("is_left_out")
    )  # fmt: skip
    found = joined.join(seen, on="user_id", how="left").join(named, on="user_id", how="left").groupBy(*MONTH).agg(
        F.count("*").alias("joiners"), F.expr("count_if(is_seen)").alias("seen"), F.expr("count_if(is_left_out)").alias("left_out"),
        F.count("olds").alias("named"), F.expr("count_if(olds = 1)").alias("alone"),
    )  # fmt: skip
    known, crowd = "(seen / joiners)", "(left_out / nullif(seen, 0))"
    return _rows(found, 4, [
        Measure("named_by_handset", "named", persons="named"), Measure("one_old_user", "alone", persons="alone"),
        Measure("handset_known_share", known, persons="seen", gate=at_least(known, how.least_handset_share, "of joiners seen on a handset")),
        Measure("left_out", "left_out", persons="left_out"),
        Measure("left_out_share", crowd, gate=at_most(crowd, how.most_handsets_left_out, "of them on crowded handsets alone")),
    ])  # fmt: skip


def combined(
    joined: DataFrame, matches: DataFrame, circle: DataFrame, handset: DataFrame, drawn: DataFrame, settings: ReentrySettings
) -> DataFrame:
    """Step 5: both ways beside each other, one to one, and how many there are by two lists that do not know of each other.

    The lists are of the matches that the circle alone, and that the handset alone, names as well (Chapman 1951).

    Args:
        joined: joiners of the final stage, by month told.
        matches: of the final stage (reentry.matches).
        circle: verification.by_circle.
        handset: verification.by_handset.
        drawn: reentry.callbacks.
        settings: gates.
    """
    how = settings.control
    pair = ["user_id", "old_user_id"]
    told = matches.select(*pair, F.lit(True).alias("is_match"))
    told = told.join(circle.select(*pair, F.lit(True).alias("by_circle")), on=pair, how="left")
    told = told.join(handset.select(*pair, F.lit(True).alias("by_handset")), on=pair, how="left")
    called = drawn.select("user_id", F.lit(True).alias("is_drawn"))
    rows = joined.join(told, on="user_id", how="left").join(called, on="user_id", how="left")
    found = rows.groupBy(*MONTH).agg(
        F.count("is_match").alias("matches"), F.count_distinct("old_user_id").alias("olds"), F.count("by_circle").alias("first"),
        F.count("by_handset").alias("second"), F.expr("count_if(by_circle AND by_handset)").alias("both"),
        F.expr("count_if(is_match AND by_circle IS NULL AND by_handset IS NULL)").alias("neither"), F.count("is_drawn").alias("drawn"),
    )  # fmt: skip
    total, low, high = proportions.chapman("first", "second", "both", how.deviations)
    lists = "first > 0 AND second > 0 AND both > 0"
    found = found.withColumns(
        {name: F.expr(f"if({lists}, {sql}, null)") for name, sql in (("total", total), ("low", low), ("high", high))}
    )
    recall = "((first + second - both) / total)"
    return _rows(found, 5, [
        Measure("matches", "matches", persons="matches", gate=equal("matches", "olds", "every old user is matched once")),
        Measure("by_both", "both", persons="both"), Measure("by_circle_alone", "first - both", persons="first - both"),
        Measure("by_handset_alone", "second - both", persons="second - both"), Measure("by_their_sum_alone", "neither", persons="neither"),
        Measure("there_are", "total", "low", "high", persons="first + second - both"),
        Measure("recall_by_two_lists", recall, "((first + second - both) / high)", "((first + second - both) / low)", persons="first + second - both",
                gate=at_least(recall, how.gates.least_recall, "of those there are by two lists are found")),
        Measure("callbacks_drawn", "drawn", persons="drawn"),
    ])  # fmt: skip


def called_back(verdicts: DataFrame, settings: ReentrySettings) -> DataFrame:
    """Step 5 once the calls are over: what those called said (verification.verdicts)."""
    gates = settings.control.gates
    enough = f"answered >= {gates.least_answers}"
    gate = Gate(
        f"precision may be at least {gates.least_precision:.0%}, by {gates.least_answers} answers or more",
        f"if({enough}, high >= {gates.least_precision}, null)",
        f"if(answered > 0, concat(answered, ' matches answered', if({enough}, '', ': too few to judge by')), 'no match called back has answered')",
    )
    found = verdicts.withColumnRenamed("closes_on", "known_on")
    return _rows(found, 5, [
        Measure("callbacks_answered", "answered", persons="answered"), Measure("callbacks_right", "coalesce(right, 0)", persons="coalesce(right, 0)"),
        Measure("precision_by_callbacks", "precision", "low", "high", persons="answered", gate=gate),
    ])  # fmt: skip


def motives(joined: DataFrame, told: DataFrame, settings: ReentrySettings) -> DataFrame:
    """Step 6: why they came back, by rule. ``joined``: joiners of the final stage; ``told``: reentry.motives."""
    why = told.select("user_id", "motive", F.col("known_on").alias("told_on"))
    rows = joined.join(why, on="user_id", how="left").withColumn("motive", F.expr("if(told_on <= known_on, motive, null)"))
    counts = [F.expr(f"count_if(motive = '{name}')").alias(name) for name in RULED]
    found = rows.groupBy(*MONTH).agg(F.count("motive").alias("matches"), *counts)
    share = "(unknown / nullif(matches, 0))"
    return _rows(found, 6, [
        *(Measure(f"motive_{name}", name, persons=name) for name in RULED),
        Measure("unknown_share", share, gate=at_most(share, settings.control.gates.most_unknown_motives, "of matches without a motive")),
    ])  # fmt: skip


def use(
    gross: DataFrame, net: DataFrame, bonuses: DataFrame, funnel: DataFrame, joined: DataFrame, fleas: DataFrame | None
) -> DataFrame:
    """Step 7: gross adds taken apart, net adds and churn corrected, what bonuses paid twice cost, how many dealers stand out.

    ``gross``, ``net``, ``bonuses``, ``funnel`` and ``fleas`` are the tables of those names, the last where recharges are told; ``joined`` is reentry.parts.
    """
    found = joined.groupBy(*MONTH).agg(F.count("*").alias("joiners"))
    parts = gross.where("dimension = 'all'").groupBy(*MONTH).agg(
        F.sum("counted").alias("counted"),
        *(F.expr(f"coalesce(max({name}) FILTER (WHERE part = '{part}'), 0)").alias(f"{part}_{name}")
          for part in PARTS_OF_ADDS for name in ("counted", "expected", "low", "high")),
    )  # fmt: skip
    paid = bonuses.groupBy(*MONTH).agg(
        F.sum("twice").alias("twice"), F.sum("twice_yuan").alias("twice_yuan"), F.sum("bonus_yuan").alias("bonus_yuan")
    )
    out = funnel.where("level = 'dealer'").groupBy(*MONTH).agg(
        F.expr("count_if(is_flagged AND measure = 'reentry')").alias("out_reentry"),
        F.expr("count_if(is_flagged AND measure = 'farmed')").alias("out_farmed"),
    )  # fmt: skip
    for more in (parts, net.drop("joiners"), paid, out):
        found = found.join(more, on=MONTH, how="left")
    hop = [Measure("fleas", "hoppers", persons="hoppers")] if fleas is not None else []
    if fleas is not None:
        found = found.join(fleas.groupBy(*MONTH).agg(F.count("*").alias("hoppers")), on=MONTH, how="left").na.fill(
            0, subset=["hoppers"]
        )
    found = found.na.fill(0, subset=["twice", "twice_yuan", "bonus_yuan", "out_reentry", "out_farmed"])
    gate = equal("counted", "joiners", "the parts of gross adds are all joiners")
    return _rows(found, 7, [
        Measure("gross_adds", "joiners", persons="joiners", gate=gate),
        *(Measure(part, f"{part}_expected", f"{part}_low", f"{part}_high", persons=f"{part}_counted") for part in PARTS_OF_ADDS),
        Measure("net_adds", "net_adds", persons="joiners"),
        Measure("true_net_adds", "true_net_adds", "true_net_adds_low", "true_net_adds_high", persons="joiners"),
        Measure("churn_rate", "churn_rate", persons="leavers"),
        Measure("true_churn_rate", "true_churn_rate", "true_churn_rate_low", "true_churn_rate_high", persons="leavers"),
        Measure("bonus_yuan", "bonus_yuan"), Measure("bonus_twice_yuan", "twice_yuan", persons="twice"),
        Measure("dealers_flagged_by_reentry", "out_reentry"), Measure("dealers_flagged_by_farmed", "out_farmed"), *hop,
    ])  # fmt: skip


def value(moves: DataFrame) -> DataFrame:
    """Step 7 once bills are in: what customers come back pay less a month (reentry.plan_moves)."""
    found = moves.groupBy(*MONTH).agg(F.sum("billed").alias("billed"), F.sum("lost_yuan").alias("lost"))
    return _rows(found, 7, [Measure("monthly_value_lost_yuan", "lost", persons="billed")])


def together(parts: Sequence[DataFrame]) -> DataFrame:
    """One row per month, step and measure of them all."""
    return reduce(DataFrame.unionByName, parts)


def _rows(found: DataFrame, step: int, measures: Sequence[Measure]) -> DataFrame:
    """One row per month and measure (reentry.steps), from one row per month."""

    def text(words: str) -> str:
        return "'" + words.replace("'", "\\'") + "'"

    each = []
    for one in measures:
        gate = one.gate or Gate("", "null", "null")
        words = text(gate.words) if one.gate else "null"
        each.append(
            f"struct('{one.name}' as measure, cast({one.value} as double) as value, cast({one.low} as double) as low, "
            f"cast({one.high} as double) as high, cast({one.persons} as bigint) as persons, cast({words} as string) as gate, "
            f"cast({gate.passed} as boolean) as passed, cast({gate.why} as string) as why)"
        )
    rows = found.selectExpr(*MONTH, f"{step} as step", f"inline(array({', '.join(each)}))")
    return rows.withColumns({name: F.expr(f"round({name}, 6)") for name in ("value", "low", "high")})


def _share_gate(value: str, passed: str, words: str) -> Gate:
    return Gate(words, passed, f"if({value} IS NULL, 'there is nothing to judge by', concat(round(100 * {value}, 1), ' %'))")
