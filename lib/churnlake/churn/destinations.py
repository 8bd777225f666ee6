"""The leaky bucket: where each leaver went, back to us, to the competitor or elsewhere, by what can be seen from here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.churn.settings import ChurnSettings, DestinationSettings
from churnlake.core.runs import Days
from churnlake.indicators.peers import COMPETITOR
from churnlake.tables.staying import BUCKET, DESTINATIONS, WENT_TO

TURNS = 500
SENT_ON = "voice_forwarded_calls_to_unicom_gsm + voice_forwarded_calls_to_unicom_cdma"
ASKED = "voice_out_calls_to_competitor_hotline"


def due(leavings: DataFrame, days: Days, settings: ChurnSettings) -> DataFrame:
    """One row per leaving to be told within the days: user_id, leave_on, brand, and ``known_on``, the day by which all is told."""
    told = F.greatest("known_on", F.date_add("leave_on", settings.destinations.told_days))
    rows = leavings.select("user_id", "leave_on", "brand", told.alias("known_on"))
    rows = rows.where(F.col("known_on").between(F.lit(days.first), F.lit(days.last)))
    return rows.groupBy("user_id", "leave_on").agg(F.min("known_on").alias("known_on"), F.min("brand").alias("brand"))


def first_leaving(days: Days, settings: ChurnSettings) -> dt.date:
    """First day on which a leaving that is told within the days was confirmed."""
    return days.first - dt.timedelta(days=settings.destinations.told_days)


def evidence(left: DataFrame, matches: DataFrame, successors: DataFrame, usage: DataFrame, settings: ChurnSettings) -> DataFrame:
    """One row per leaving to be told: the columns of ``due``, ``matched``, ``successor``, ``forwarded_calls``, ``competitor_hotline_calls``, ``ratio``.

    ``ratio`` multiplies the likelihood ratios of the three signs, as if each said something of its own (naive Bayes): a successor of
    the competitor's network, calls sent on to the competitor, calls to its hotline. All is as known on the day told.

    Args:
        left: the leavings (``due``).
        matches: reentry.matches up to the last day told.
        successors: reentry.successors.
        usage: daily.usage from ``signs_days`` before the first of the leavings on.
        settings: what each sign weighs.
    """
    how, key = settings.destinations, ["user_id", "leave_on"]
    asked = left.select(*key, "known_on")
    found = matches.select(
        F.col("old_user_id").alias("user_id"),
        F.col("user_id").alias("new_user_id"),
        "stage_days",
        "probability",
        F.col("known_on").alias("told_on"),
    )
    found = asked.join(found, on="user_id", how="inner").where("told_on <= known_on")
    each = found.groupBy(*key, "new_user_id").agg(F.max_by("probability", "stage_days").alias("probability"))
    back = each.groupBy(*key).agg(F.expr("round(least(sum(probability), 1D), 6)").alias("matched"))
    after = successors.select(*key, "peer_network", F.col("known_on").alias("told_on"))
    after = asked.join(after, on=key, how="inner").where("told_on <= known_on")
    after = after.groupBy(*key).agg(F.max(F.expr(COMPETITOR)).alias("is_theirs"))
    signs = usage.where(f"{SENT_ON} > 0 OR {ASKED} > 0").select(
        "user_id", "day", F.expr(SENT_ON).alias("sent_on"), F.col(ASKED).alias("asked")
    )
    within = f"day >= date_sub(leave_on, {how.signs_days}) AND day <= known_on"
    signs = (
        asked.join(signs, on="user_id", how="inner")
        .where(within)
        .groupBy(*key)
        .agg(F.sum("sent_on").alias("forwarded_calls"), F.sum("asked").alias("competitor_hotline_calls"))
    )
    rows = left.join(back, on=key, how="left").join(after, on=key, how="left").join(signs, on=key, how="left")
    rows = rows.na.fill(0, ["matched", "forwarded_calls", "competitor_hotline_calls"])
    rows = rows.withColumn(
        "successor", F.expr("CASE WHEN is_theirs THEN 'competitor' WHEN is_theirs IS NOT NULL THEN 'other' ELSE 'none' END")
    )
    weights = how.successor
    told = (
        f"round(CASE successor WHEN 'competitor' THEN {weights.competitor}D WHEN 'other' THEN {weights.other}D ELSE {weights.none}D END "
        f"* if(forwarded_calls > 0, {how.forwarded.seen}D, {how.forwarded.not_seen}D) "
        f"* if(competitor_hotline_calls > 0, {how.hotline.seen}D, {how.hotline.not_seen}D), 9)"
    )
    return rows.drop("is_theirs").withColumn("ratio", F.expr(told))


def patterns(rows: DataFrame) -> DataFrame:
    """One row per month told and ratio: ``leavers`` not matched, by probability. Ratios are few: products of what the settings say."""
    month = F.trunc("known_on", "MM").alias("month")
    return rows.groupBy(month, "ratio").agg(F.expr("round(sum(1 - matched), 6)").alias("leavers"))


def mix(seen: Sequence[tuple[float, float]], how: DestinationSettings) -> float:
    """The share of those not back who went to the competitor, by the ratios of all of them: the likeliest one, pulled to ``start_share``.

    A mixture of two whose likelihood ratio is known: only the share is learnt (EM, Dempster, Laird and Rubin 1977; the likelihood
    has one top), with ``start_leavers`` leavers of the start beside those seen (MAP).

    Args:
        seen: ratio and how many leavers have it.
        how: the start.
    """
    share, whole = how.start_share, sum(leavers for _, leavers in seen) + how.start_leavers
    for _ in range(TURNS):
        theirs = sum(leavers * share * ratio / (share * ratio + 1 - share) for ratio, leavers in seen)
        newer = (theirs + how.start_leavers * how.start_share) / whole
        if abs(newer - share) < 1e-10:
            break
        share = newer
    return round(share, 6)


def mixes(seen: Sequence[Mapping[str, object]], months: Sequence[dt.date], how: DestinationSettings) -> dict[dt.date, float]:
    """By month told, the share learnt from the leavers told in the ``learns_months`` before it; ``seen``: rows of ``patterns``."""
    found = {}
    for month in months:
        before = [row for row in seen if 0 < _months_between(row["month"], month) <= how.learns_months]  # type: ignore[arg-type]
        found[month] = mix([(float(row["ratio"]), float(row["leavers"])) for row in before], how)  # type: ignore[arg-type]
    return found


def destinations(rows: DataFrame, shares: Mapping[dt.date, float], settings: ChurnSettings) -> DataFrame:
    """One row per leaver (churn.destinations). The matched share is back; the rest may be back unseen, with the competitor or elsewhere.

    Of those not matched ``unseen_back`` are back all the same, whatever else is seen of them; of the others ``mix`` are with the competitor.

    Args:
        rows: leavings with their ``evidence``.
        shares: by month told, the mix.
        settings: the rest.
    """
    unseen = settings.destinations.unseen_back
    learnt = F.coalesce(
        *(F.when(F.trunc("known_on", "MM") == F.lit(m), F.lit(share)) for m, share in shares.items()), F.lit(None).cast("double")
    )
    parts = rows.withColumn("mix", learnt)
    parts = parts.withColumns(
        {
            "of_back": F.lit(float(unseen)),
            "of_theirs": F.expr(f"(1 - {unseen}D) * mix * ratio"),
            "of_rest": F.expr(f"(1 - {unseen}D) * (1 - mix)"),
        }
    )
    whole = "(of_back + of_theirs + of_rest)"
    parts = parts.withColumns(
        {
            "back": F.expr(f"round(matched + (1 - matched) * of_back / {whole}, 6)"),
            "competitor": F.expr(f"round((1 - matched) * of_theirs / {whole}, 6)"),
        }
    )
    parts = parts.withColumn("elsewhere", F.expr("round(greatest(1 - back - competitor, 0D), 6)"))
    likeliest = "CASE " + " ".join(f"WHEN {name} >= greatest({', '.join(WENT_TO)}) THEN '{name}'" for name in WENT_TO) + " END"
    return parts.withColumn("destination", F.expr(likeliest)).select(DESTINATIONS.names)


def bucket_months(days: Days, settings: ChurnSettings) -> list[dt.date]:
    """Months whose bucket is told within the days."""
    return due_months(days, settings.destinations.closes_days)


def due_months(days: Days, waits: int) -> list[dt.date]:
    """First days of the months that ended so many days before one of the days."""
    shifted = [day - dt.timedelta(days=waits) for day in days.each()]
    return [day.replace(day=1) for day in shifted if (day + dt.timedelta(days=1)).day == 1]


def bucket(joiners: DataFrame, told: DataFrame, months: Sequence[dt.date], settings: ChurnSettings) -> DataFrame:
    """One row per month and flow (churn.bucket): gross adds, and leavers by destination.

    Args:
        joiners: reentry.joiners.
        told: churn.destinations up to the last day the months are told.
        months: the months.
        settings: when they are told, and how wide intervals are.
    """
    how = settings.destinations
    closing = F.expr(f"date_add(last_day(month), {how.closes_days})")
    came = joiners.select("user_id", F.trunc("joined_on", "MM").alias("month")).distinct()
    came = came.where(F.col("month").isin(list(months))).groupBy("month").agg(F.count("*").alias("counted"))
    number = F.col("counted").cast("double")
    joined = came.select(
        "month", F.lit("joined").alias("flow"), "counted", number.alias("expected"), number.alias("low"), number.alias("high")
    )
    left = (
        told.withColumn("month", F.trunc("leave_on", "MM"))
        .where(F.col("month").isin(list(months)))
        .where(F.col("known_on") <= closing)
    )
    each = ", ".join(f"'{name}', {name}" for name in WENT_TO)
    parts = left.select("month", "destination", F.expr(f"stack({len(WENT_TO)}, {each}) AS (flow, share)"))
    sums = parts.groupBy("month", "flow").agg(
        F.expr("count_if(destination = flow)").alias("counted"),
        F.sum("share").alias("expected"),
        F.sum(F.expr("share * (1 - share)")).alias("variance"),
        F.count("*").alias("leavers"),
    )
    half = f"{how.deviations} * sqrt(variance)"
    gone = sums.select(
        "month",
        "flow",
        "counted",
        F.expr("round(expected, 6)").alias("expected"),
        F.expr(f"round(greatest(expected - {half}, 0D), 6)").alias("low"),
        F.expr(f"round(least(expected + {half}, leavers), 6)").alias("high"),
    )
    return joined.unionByName(gone).withColumn("known_on", closing).select(BUCKET.names)


def _months_between(first: dt.date, then: dt.date) -> int:
    return (then.year - first.year) * 12 + then.month - first.month
