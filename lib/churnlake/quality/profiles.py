"""Profiles: what each table looked like on each day, in columns that checks can judge. FlowKit's ingest checks are the model."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import pandas as pd
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from churnlake.core.contract import Table
from churnlake.core.quality import profile
from churnlake.quality.settings import QualitySettings
from churnlake.tables.churn import LABELS
from churnlake.tables.churn import SCORES as CHURN_SCORES
from churnlake.tables.clean import ACCOUNT_DAY, RECORDS, VOICE
from churnlake.tables.daily import EDGES, USAGE
from churnlake.tables.raw import FILES
from churnlake.tables.reentry import JOINERS, MATCHES
from churnlake.tables.reference import LIVES

USAGE_OF: Mapping[str, tuple[str, ...]] = {
    "clean.voice": ("voice_out_calls", "voice_in_calls", "voice_in_missed_calls", "voice_forwarded_calls"),
    "clean.sms": ("sms_out_messages", "sms_in_messages"),
    "clean.mms": ("mms_out_messages", "mms_in_messages"),
    "clean.wap": ("wap_sessions",),
}
"""The counts of daily.usage that together count each record of a clean table once, but calls made and not answered."""
COUNTABLE = "not (direction = 'out' and seconds = 0)"


def profiles(frames: Mapping[Table, DataFrame], last: dt.date, settings: QualitySettings) -> dict[str, DataFrame]:
    """By table name, a profile with one row per day (monthly tables: per month).

    Args:
        frames: The tables there are; of a ledger table every row with its state, of others the rows readers see.
            Used as references when there: raw.files, reference.lives, reentry.joiners, churn.labels.
        last: Last day the report covers.
        settings: What counts as late.
    """
    found: dict[str, DataFrame] = {}
    for table in RECORDS:
        if table in frames:
            days = record_days(table, frames[table], settings.late_days, settings.least_rows)
            if FILES in frames:
                days = with_accounting(days, frames[table], frames[FILES], table.name.partition(".")[2])
            found[table.name] = with_calendar(days, last)
    for table in frames:
        if table == USAGE:
            found[table.name] = with_calendar(usage_days(frames[table], frames.get(LIVES)), last)
        elif table == EDGES:
            found[table.name] = with_calendar(edge_days(frames[table], frames.get(LIVES)), last)
        elif table == MATCHES:
            found[table.name] = match_days(frames[table], frames.get(JOINERS))
        elif table == CHURN_SCORES:
            found[table.name] = score_months(frames[table], frames.get(LABELS))
        elif table.name == "features.monthly":
            found[table.name] = feature_months(table, frames[table], frames.get(USAGE))
    return found


def record_days(table: Table, ledger: DataFrame, late_days: int, least_rows: int) -> DataFrame:
    """One row per event day of a record table: rows by state, users, shares.

    Shares are of good rows, but ``bad_share`` and ``duplicate_share`` of all. Days with fewer than ``least_rows`` to take
    a share of are pooled and all bear the pooled share: two faults in a hundred rows are chance, not a broken feed.
    ``countable_rows`` are those that daily.usage has a count for.
    """
    names = set(table.names)
    rows = ledger.withColumn("day", F.expr(ACCOUNT_DAY))
    good = rows.where("state = 'good'")
    whole = "count_if(state = 'good')"

    def part(condition: str) -> str:
        return f"count_if(state = 'good' and {condition})"

    shares = {
        "bad_share": ("count_if(state = 'bad')", "count(1)"),
        "duplicate_share": ("count_if(state = 'duplicate')", "count(1)"),
        "late_share": (part(f"datediff(delivered_on, day) > {late_days}"), whole),
        "null_fee_share": (part("fee_yuan is null"), whole),
    }
    if "peer_key" in names:
        shares["null_peer_share"] = (part("peer_key is null and peer_service is null"), whole)
        shares["on_net_share"] = (part("peer_network = 'own'"), whole)
        shares["on_net_skew"] = (
            part("peer_network = 'own' and direction = 'out'"),
            part("peer_network = 'own' and direction <> 'out'"),
        )
    device = ["imei_key"] if "imei_key" in names else []
    if device:
        shares["null_imei_share"] = (part("imei_key is null"), whole)
    days = rows.groupBy("day").agg(
        F.expr(f"{whole} as rows"),
        F.expr(f"{part(COUNTABLE) if table == VOICE else whole} as countable_rows"),
        *[F.expr(some).alias(f"some_{name}") for name, (some, _) in shares.items()],
        *[F.expr(of).alias(f"of_{name}") for name, (_, of) in shares.items()],
    )
    for name in shares:
        sums = [f"sum(if(of_{name} < {least_rows}, {side}_{name}, 0)) over ()" for side in ("some", "of")]
        pooled = f"if(of_{name} < {least_rows}, try_divide({', '.join(sums)}), some_{name} / of_{name})"
        days = days.withColumn(name, F.expr(f"abs({pooled} - 1)" if name.endswith("_skew") else pooled))
    days = days.drop(*[f"{side}_{name}" for name in shares for side in ("some", "of")])
    # several distinct counts over records would copy every row once for each: count in short steps instead
    keys = good.groupBy("day", "record_key").count().groupBy("day").agg(F.expr("sum(count) - count(1) as repeated_keys"))
    users = good.groupBy("day", "number_key", *device).count()
    counted = users.groupBy("day").agg(F.expr("count(distinct number_key) as users"))
    days = days.join(keys, on="day", how="left").join(counted, on="day", how="left")
    if "seconds" in names:
        lengths = good.where("seconds > 0").groupBy("day", "seconds").count().groupBy("day")
        days = days.join(lengths.agg(F.expr("percentile(seconds, 0.5, count) as median_seconds")), on="day", how="left")
    if device:
        # no filter on the handset here: it would split one shuffle that both counts can use into two
        shared = users.groupBy("day", "imei_key").agg(F.expr("if(imei_key is null, 0, count(1)) as sharing"))
        days = days.join(shared.groupBy("day").agg(F.expr("nullif(max(sharing), 0) as users_per_imei")), on="day", how="left")
    return days


def with_accounting(days: DataFrame, ledger: DataFrame, files: DataFrame, feed: str) -> DataFrame:
    """The day profile with ``unaccounted_rows``: lines delivered that day less rows in the ledger, whatever their state.

    Lines were counted apart from Spark. Files that could not be read have a note and no rows: they count as
    ``unreadable_files``.
    """
    arrived = (
        files.where((F.col("feed") == feed) & (F.col("batch_state") == "done"))
        .groupBy(F.col("delivered_on").alias("day"))
        .agg(
            F.expr("sum(if(note is null, lines * rows_per_line, 0)) as delivered_rows"),
            F.expr("count_if(note is not null) as unreadable_files"),
        )
    )
    entered = ledger.groupBy(F.col("delivered_on").alias("day")).agg(F.count(F.lit(1)).alias("entered_rows"))
    account = arrived.join(entered, on="day", how="full").selectExpr(
        "day", "unreadable_files", "coalesce(delivered_rows, 0) - coalesce(entered_rows, 0) as unaccounted_rows"
    )
    return days.join(account, on="day", how="full")


def with_calendar(days: DataFrame, last: dt.date) -> DataFrame:
    """One row per day of the profile and per calendar day missing between two days that have rows; the missing have 0 rows.

    ``volume`` is the day's rows over the median of its weekday, ``days_behind`` how far it lies before ``last``. Both
    and ``rows`` are null on a day that has good rows neither itself nor a gap to show: deliveries, rows set aside.
    """
    after = Window.orderBy("day").rowsBetween(1, Window.unboundedFollowing)
    weekday = Window.partitionBy(F.expr("dayofweek(slice_day)"))
    names = [name for name in days.columns if name not in ("day", "rows")]
    return (
        days.withColumn("rows", F.expr("nullif(rows, 0)"))
        .withColumn("next_day", F.min(F.expr("if(rows > 0, day, null)")).over(after))
        .withColumn(
            "slice_day", F.expr("explode(if(rows > 0 and next_day > day, sequence(day, date_sub(next_day, 1)), array(day)))")
        )
        .withColumns({name: F.expr(f"if(slice_day = day, {name}, null)") for name in names})
        .withColumn("rows", F.expr("if(slice_day = day, rows, 0)"))
        .withColumn("volume", F.try_divide("rows", F.expr("percentile(rows, 0.5)").over(weekday)))
        .withColumn("days_behind", F.when(F.col("rows") > 0, F.datediff(F.lit(last), F.col("slice_day"))))
        .select(F.col("slice_day").alias("day"), "rows", "volume", "days_behind", *names)
    )


def usage_days(usage: DataFrame, lives: DataFrame | None) -> DataFrame:
    """One row per day of daily.usage: the contract's profile, strangers, records counted by service."""
    totals = {_noun(name): " + ".join(columns) for name, columns in USAGE_OF.items() if set(columns) <= set(usage.columns)}
    days = profile(USAGE, usage, "day", *[F.expr(f"sum({total}) as {service}_counted") for service, total in totals.items()])
    return _with_strangers(days, usage, lives)


def reconciled(collected: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The profiles, that of daily.usage with ``<service>_excess``: records its users' counts add up to, less those clean.

    In memory: both sides are already one row per day, and each was one pass over its table.
    """
    found = dict(collected)
    usage = found.get(USAGE.name)
    if usage is None:
        return found
    usage = usage.set_index("day", drop=False)
    for name in USAGE_OF:
        counted = f"{_noun(name)}_counted"
        if name in found and counted in usage:
            days = found[name].dropna(subset=["rows"]).set_index("day")["countable_rows"].fillna(0).astype("float64")
            usage[f"{_noun(name)}_excess"] = usage[counted].astype("float64").fillna(0) - days.reindex(usage.index).fillna(0)
    return {**found, USAGE.name: usage.reset_index(drop=True)}


def edge_days(edges: DataFrame, lives: DataFrame | None) -> DataFrame:
    """One row per day of daily.edges: the contract's profile, strangers, on-net calls made against received."""
    on_net = [F.expr(f"sum(if(peer_network = 'own', {c}, 0)) as {c}") for c in ("voice_out_calls", "voice_in_calls")]
    days = profile(EDGES, edges, "day", *on_net)
    days = days.withColumn("on_net_skew", F.expr("abs(voice_out_calls / nullif(voice_in_calls, 0) - 1)"))
    return _with_strangers(days, edges.select("day", "user_id").distinct(), lives)


def feature_months(table: Table, features: DataFrame, usage: DataFrame | None) -> DataFrame:
    """One row per month of features.monthly: the contract's profile, and users who have no day of use in that month."""
    months = profile(table, features, "month")
    if usage is not None:
        users = usage.select(F.trunc("day", "MM").alias("month"), "user_id").distinct()
        idle = features.select("month", "user_id").join(users, on=["month", "user_id"], how="left_anti")
        months = months.join(idle.groupBy("month").agg(F.count(F.lit(1)).alias("idle_users")), on="month", how="left")
        months = months.withColumn("idle_users", F.expr("coalesce(idle_users, 0)"))
    return months


def score_months(scores: DataFrame, labels: DataFrame | None) -> DataFrame:
    """One row per month scored: the contract's profile, mean probability, gaps in the ranking, the rate seen later."""
    months = profile(CHURN_SCORES, scores, "month", F.sum("probability").alias("probabilities"))
    ends = scores.groupBy("month").agg(F.expr("max(place) as last_place"), F.expr("count(distinct place) as places"))
    months = months.join(ends, on="month", how="left").withColumns(
        {
            "mean_probability": F.expr("probabilities / rows"),
            "ranking_gaps": F.expr("greatest(last_place - rows, 0) + (rows - places)"),
        }
    )
    if labels is not None:
        seen = labels.groupBy("month").agg(F.expr("avg(cast(has_left_for_good as int)) as seen_rate"))
        months = months.join(seen, on="month", how="left")
        months = months.withColumn("rate_skew", F.expr("abs(mean_probability / nullif(seen_rate, 0) - 1)"))
    return months.drop("probabilities", "last_place", "places")


def match_days(matches: DataFrame, joiners: DataFrame | None) -> DataFrame:
    """One row per day matches became known: the contract's profile, old users matched twice, matches of joiners not scored."""
    days = profile(MATCHES, matches, "known_on", F.sum("probability").alias("probabilities"))
    gaps = matches.groupBy("known_on").agg(F.min("gap_days").alias("least_gap_days"), F.max("gap_days").alias("most_gap_days"))
    days = days.join(gaps, on="known_on", how="left")
    days = days.withColumn("mean_probability", F.expr("probabilities / rows")).drop("probabilities")
    again = Window.partitionBy("stage_days", "old_user_id").orderBy("known_on", "user_id")
    turns = matches.withColumn("turn", F.row_number().over(again)).groupBy("known_on")
    days = days.join(turns.agg(F.expr("count_if(turn > 1) as shared_old_users")), on="known_on", how="left")
    if joiners is not None:
        scored = joiners.where("scope = 'scored'").select("user_id", "stage_days")
        loose = matches.join(scored, on=["user_id", "stage_days"], how="left_anti").groupBy("known_on")
        days = days.join(loose.agg(F.count(F.lit(1)).alias("unscored_rows")), on="known_on", how="left")
        days = days.withColumn("unscored_rows", F.expr("coalesce(unscored_rows, 0)"))
    return days


def _with_strangers(days: DataFrame, users: DataFrame, lives: DataFrame | None) -> DataFrame:
    """The day profile with the share of its users who have no life in reference.lives, where lives are known."""
    if lives is None:
        return days
    known = lives.select("user_id", F.lit(True).alias("is_known"))
    seen = users.select("day", "user_id").join(known, on="user_id", how="left").groupBy("day")
    return days.join(seen.agg(F.expr("count_if(is_known is null) / count(1) as stranger_share")), on="day", how="left")


def _noun(table_name: str) -> str:
    return table_name.partition(".")[2]
