"""Why leavers left, as probabilities of causes: what each shows, beside how many show it who stay, or who left for something else.

What leavers show says little until it is known how often those show it who stay. No cause is taught; none is read from an answer. How
many leavers each cause has, and how many of them show what speaks for it, is learnt from leavers alone (``mixture``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from churnlake.churn import mixture
from churnlake.churn.settings import CauseSettings, ChurnSettings
from churnlake.core.months import last_day, month_before
from churnlake.tables.causes import (
    ALL,
    CAUSE_MONTHS,
    CAUSE_NAMES,
    CIRCUMSTANCES,
    EVIDENCE,
    EVIDENCE_CAUSES,
    LEAVER_CAUSES,
    UNKNOWN,
)

START = dt.date(1970, 1, 1)
"""Month of what is taken for likely before any leaver was seen."""


def evidence(
    shown: DataFrame, leavings: DataFrame, before: DataFrame | None, months: Mapping[dt.date, dt.date], settings: CauseSettings
) -> DataFrame:
    """One row per month, cause and piece of evidence (churn.evidence): who showed it, who of them left, how many were to be expected.

    Expected is, by brand and whether new, the rate at which those left who did not show it. ``attributable_share`` (the attributable
    fraction among the exposed, Miettinen 1974, by indirect standardisation) sums up this month and the ``evidence_months`` - 1 before
    it, less what chance makes, so that few tell little.

    Args:
        shown: ``held`` of the feature months.
        leavings: churn.leavings as known at each month's end.
        before: churn.evidence of the months before; None without any.
        months: by month at whose end this is told, the feature month whose outcome is told by then.
        settings: how many months count.
    """
    told = [F.struct(F.lit(month).alias("month"), F.lit(of).alias("feature_month")) for month, of in months.items()]
    asked = shown.where("is_active").withColumnRenamed("month", "of").withColumn("told", F.explode(F.array(*told)))
    asked = asked.where("told.feature_month = of").select("told.month", "of", "user_id", "brand", "is_new", "held")
    left = leavings.select("user_id", "leave_on", "known_on")
    gone = asked.select("month", "of", "user_id").join(left, on="user_id", how="inner")
    gone = gone.where("trunc(leave_on, 'MM') = add_months(of, 1) AND known_on <= last_day(month)")
    gone = gone.select("month", "user_id").distinct().withColumn("has_left", F.lit(1))
    outcome = asked.join(gone, on=["month", "user_id"], how="left").withColumn("has_left", F.coalesce("has_left", F.lit(0)))
    stratum = ["month", "of", "brand", "is_new"]
    every = outcome.groupBy(*stratum).agg(F.count("*").alias("all_users"), F.sum("has_left").alias("all_left"))
    by_piece = outcome.withColumn("piece", F.explode(_pieces("held")))
    with_it = by_piece.groupBy(*stratum, "piece").agg(F.count("*").alias("users"), F.sum("has_left").alias("left_users"))
    # of a stratum in which everybody shows it nobody is left to compare with
    compared = with_it.join(every, on=stratum, how="inner").where("all_users > users")
    rate = "(all_left - left_users) / cast(all_users - users as double)"
    summed = compared.groupBy("month", "of", "piece").agg(
        F.sum("users").alias("users"), F.sum("left_users").alias("left_users"),
        # as a decimal: a sum of doubles depends on their order
        F.expr(f"cast(sum(cast(users * {rate} as decimal(18,6))) as double)").alias("expected_users"),
    )  # fmt: skip
    now = summed.select(
        "month", F.col("of").alias("feature_month"), "piece.cause", "piece.evidence", "users", "left_users", "expected_users",
    )  # fmt: skip
    rows = now.withColumn("is_now", F.lit(True))
    if before is not None:
        past = before.where(~F.col("month").isin(list(months))).select(*now.columns)
        rows = rows.unionByName(past.withColumn("is_now", F.lit(False)))
    of_piece = Window.partitionBy("cause", "evidence").orderBy(F.expr("year(month) * 12 + month(month)"))
    lately = of_piece.rangeBetween(1 - settings.evidence_months, 0)
    seen, due = F.sum("left_users").over(lately), F.sum("expected_users").over(lately)
    # what chance makes of so many expected is taken off: one standard deviation, half a leaver at least
    share = F.round(F.greatest(F.lit(0.0), (seen - due - F.sqrt(due + 0.25)) / F.greatest(seen, F.lit(1))), 6)
    return rows.withColumn("attributable_share", share).where("is_now").select(EVIDENCE.names)


def _pieces(held_column: str) -> Column:
    """Array of what is counted for a user: each piece of evidence that anybody can show, and each cause that any speaks for."""
    of = ", ".join(f"'{name}', '{cause}'" for name, cause in CIRCUMSTANCES.items())
    each = f"transform({held_column}, e -> named_struct('cause', map({of})[e], 'evidence', e))"
    whole = f"transform(array_distinct(transform({held_column}, e -> map({of})[e])), c -> named_struct('cause', c, 'evidence', '{ALL}'))"
    return F.expr(f"concat({each}, {whole})")


def first_confirmed(days: Sequence[dt.date], months: Sequence[dt.date], settings: CauseSettings) -> dt.date:
    """First day on which leavings were confirmed that are explained on these days or taught from at these months' ends."""
    return min([*days, *(_back(month, settings.learnt_months - 1) for month in months)])


def months_needed(gone: Sequence[dt.date], others: Sequence[dt.date], settings: CauseSettings) -> list[dt.date]:
    """Months whose evidence is needed: those that tell of leavings, as far as these look back, and others."""
    near = {_back(month, ago) for month in gone for ago in range(settings.looks_back_months + 1)}
    return sorted(near | set(others))


def _back(month: dt.date, months: int) -> dt.date:
    for _ in range(months):
        month = month_before(month)
    return month


def learnt(told: DataFrame, months: Sequence[dt.date], settings: CauseSettings) -> list[dict[str, object]]:
    """Rows of churn.cause_weights of these months, each learnt from the leavers confirmed in it or the ``learnt_months`` - 1 before.

    Of more than ``learnt_leavers_most`` those with the smallest hashes are taken: the same whatever the order of rows.

    Args:
        told: ``evidence.pieces`` of these leavers.
        months: the months.
        settings: how far back, how many, and what is taken for likely at the start.
    """
    found: list[dict[str, object]] = []
    for month in months:
        since = _back(month, settings.learnt_months - 1)
        of = told.where(F.col("known_on").between(F.lit(since), F.lit(last_day(month))))
        leavers = of.groupBy("known_on", "user_id").agg(
            F.collect_list(F.struct("evidence", "is_held", "usual_share")).alias("pieces")
        )
        # of a bounded number of leavers
        drawn = leavers.orderBy(F.xxhash64("user_id", "known_on"), "user_id").limit(settings.learnt_leavers_most).collect()
        rows = [{piece["evidence"]: (bool(piece["is_held"]), piece["usual_share"]) for piece in row["pieces"]} for row in drawn]
        found += [
            {"month": month, "cause": cause, "evidence": name, "share": share, "leavers": len(rows)}
            for (cause, name), share in mixture.learn(rows, settings).items()
        ]
    return found


def causes(leavings: DataFrame, told: DataFrame, weights: DataFrame, settings: CauseSettings) -> DataFrame:
    """One row per leaver and confirmation (churn.causes): the probability of each cause, the likeliest, the evidence that holds.

    Bayes' rule, with evidence taken as independent among leavers of one cause. A cause that a piece of evidence does not speak for
    shows it as often as those who stay, or, of what only leavers show, as leavers of other causes.

    Args:
        leavings: churn.leavings to be explained.
        told: ``evidence.pieces`` of them.
        weights: churn.cause_weights of months before the leavings were confirmed, and those of the start (``starting``).
        settings: what is taken for likely at the start.
    """
    left = leavings.select("known_on", "user_id", "leave_on")
    # one row per evidence and month: a column for each cause
    each = [F.max(F.expr(f"if(cause = '{cause}', share, null)")).alias(cause) for cause in (*CAUSE_NAMES, UNKNOWN)]
    wide = weights.groupBy("month", "evidence").agg(*each)
    days = left.select("known_on").distinct().join(weights.select("month").distinct(), how="cross")
    newest = (
        days.where(f"month = date'{START}' OR last_day(month) <= known_on").groupBy("known_on").agg(F.max("month").alias("month"))
    )
    asked = F.broadcast(newest.join(wide, on="month", how="inner").drop("month"))
    at = told.join(asked, on=["known_on", "evidence"], how="inner")
    # where no cause speaks: how usual it is
    at = at.withColumn(UNKNOWN, F.coalesce("usual_share", UNKNOWN))
    ratios = {
        cause: F.expr(
            f"cast(round(coalesce(if(is_held, ln({cause} / {UNKNOWN}), ln((1 - {cause}) / (1 - {UNKNOWN}))), 0D), 9) as decimal(18,9))"
        )
        for cause in CAUSE_NAMES
    }
    order = F.create_map(*[F.lit(x) for pair in ((name, turn) for turn, name in enumerate(EVIDENCE_CAUSES)) for x in pair])
    spoken = at.withColumns({f"{cause}_ratio": ratio for cause, ratio in ratios.items()}).withColumn(
        "most", F.expr(f"greatest({', '.join(f'{cause}_ratio' for cause in CAUSE_NAMES)})")
    )
    listed = F.array_sort(
        F.collect_list(F.expr("if(is_held, named_struct('w', -most, 'turn', turn, 'evidence', evidence), null)"))
    )
    summed = (
        spoken.withColumn("turn", order[F.col("evidence")])
        .groupBy("known_on", "user_id")
        .agg(listed.alias("listed"), *[F.sum(f"{cause}_ratio").alias(f"{cause}_ratio") for cause in CAUSE_NAMES])
    )
    prior = asked.where(f"evidence = '{ALL}'").drop("evidence")
    rows = left.join(summed, on=["known_on", "user_id"], how="left").join(prior, on="known_on", how="inner")
    odds = {cause: f"({cause} * exp(cast(coalesce({cause}_ratio, 0) as double)))" for cause in CAUSE_NAMES}
    whole = f"({' + '.join(odds.values())} + {UNKNOWN})"
    shared = rows.withColumns({f"{cause}_share": F.expr(f"round({sql} / {whole}, 6)") for cause, sql in odds.items()})
    named = " + ".join(f"{cause}_share" for cause in CAUSE_NAMES)
    shared = shared.withColumn(f"{UNKNOWN}_share", F.expr(f"round(greatest(1 - ({named}), 0D), 6)"))
    best = ", ".join(
        f"named_struct('s', {cause}_share, 'turn', {-at}, 'cause', '{cause}')" for at, cause in enumerate((*CAUSE_NAMES, UNKNOWN))
    )
    return shared.withColumn("best", F.expr(f"array_max(array({best}))")).select(
        "known_on", "user_id", "leave_on", F.col("best.cause").alias("cause"), F.col("best.s").alias("share"),
        *[f"{cause}_share" for cause in (*CAUSE_NAMES, UNKNOWN)],
        F.expr("coalesce(transform(listed, e -> e.evidence), array())").alias("evidence"),
    ).select(LEAVER_CAUSES.names)  # fmt: skip


def starting(settings: CauseSettings) -> list[dict[str, object]]:
    """Rows as those of churn.cause_weights for whom no month tells yet: what is taken for likely at the start."""
    return [
        {"month": START, "cause": cause, "evidence": name, "share": share, "leavers": 0}
        for (cause, name), share in mixture.start(settings).items()
    ]


def by_month(
    told: DataFrame, shown: DataFrame, weights: DataFrame, months: Sequence[dt.date], settings: CauseSettings
) -> DataFrame:
    """One row per month and cause (churn.cause_months).

    Args:
        told: churn.causes of leavings confirmed in these months.
        shown: ``held`` of them.
        weights: churn.evidence of them.
        months: first days of the months to make.
        settings: what mending a cause costs a user.
    """
    costs = F.create_map(*[F.lit(x) for cause in CAUSE_NAMES for x in (cause, settings.mend_yuan[cause])])
    confirmed = told.withColumn("month", F.trunc("known_on", "MM")).where(F.col("month").isin(list(months)))
    shares = ", ".join(f"named_struct('cause', '{cause}', 'share', {cause}_share)" for cause in CAUSE_NAMES)
    each = confirmed.select("month", F.col("cause").alias("likeliest"), F.expr(f"inline(array({shares}))"))
    left = each.groupBy("month", "cause").agg(
        F.count_if(F.col("cause") == F.col("likeliest")).alias("leavers"),
        F.expr("cast(sum(cast(share as decimal(18,6))) as double)").alias("expected_leavers"),
    )
    pieces = (
        shown.where("is_active").select("month", F.explode(_pieces("held")).alias("piece")).where(f"piece.evidence = '{ALL}'")
    )
    affected = pieces.groupBy("month", "piece.cause").agg(F.count("*").alias("users"))
    rated = weights.where(f"evidence = '{ALL}'").select(
        "month", "cause", F.col("users").alias("shown_users"), "left_users", "expected_users"
    )
    # every cause has its row in every month that anybody left in or shows anything in
    base = left.select("month").unionByName(affected.select("month")).distinct()
    base = base.where(F.col("month").isin(list(months))).withColumn(
        "cause", F.explode(F.array(*[F.lit(cause) for cause in CAUSE_NAMES]))
    )
    rows = base
    for frame in (left, affected, rated):
        rows = rows.join(frame, on=["month", "cause"], how="left")
    rows = rows.fillna(0, ["leavers", "expected_leavers", "users"])
    beyond = F.expr("coalesce(greatest(left_users - expected_users, 0D) / nullif(shown_users, 0), 0D)")
    rows = rows.withColumn("kept_users", F.round(F.col("users") * beyond, 6))
    every = confirmed.groupBy("month").agg(F.count("*").alias("all_leavers"))
    joined = rows.join(every, on="month", how="left")
    return joined.select(
        "month", "cause", "leavers", "expected_leavers", "users",
        F.expr("round(left_users / nullif(expected_users, 0D), 6)").alias("severity_ratio"),
        (F.col("users") * costs[F.col("cause")]).cast("decimal(12,2)").alias("mend_yuan"), "kept_users",
        F.expr("round(least(kept_users / nullif(all_leavers, 0), 1D), 6)").alias("lift_share"),
    ).select(CAUSE_MONTHS.names)  # fmt: skip


def feature_month(end: dt.date, settings: ChurnSettings) -> dt.date:
    """The newest month whose outcome, of the month after it, is told on ``end``: ``label_closes_days`` after that one's end."""
    closed = end - dt.timedelta(days=settings.label_closes_days - 1)
    return month_before(month_before(closed))
