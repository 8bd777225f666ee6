"""Profiles: what each table looked like on each day, in columns that checks can judge. FlowKit's ingest checks are the model."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from churnlake.core.contract import Table
from churnlake.core.quality import profile
from churnlake.core.runs import Days
from churnlake.quality.measures import RATIOS, shares, sums
from churnlake.quality.settings import QualitySettings
from churnlake.tables.churn import LABELS, NEXT_MONTH
from churnlake.tables.churn import SCORES as CHURN_SCORES
from churnlake.tables.clean import ACCOUNT_DAY, RECORDS, VOICE
from churnlake.tables.daily import EDGES, USAGE
from churnlake.tables.raw import FILES
from churnlake.tables.reentry import JOINERS, MATCHES
from churnlake.tables.reference import CELLS, HANDSETS, LIVES, SUBSCRIBERS

USAGE_OF: Mapping[str, tuple[str, ...]] = {
    "clean.voice": ("voice_out_calls", "voice_in_calls", "voice_in_missed_calls", "voice_forwarded_calls"),
    "clean.sms": ("sms_out_messages", "sms_in_messages"),
    "clean.mms": ("mms_out_messages", "mms_in_messages"),
    "clean.wap": ("wap_sessions",),
}
"""The counts of daily.usage that together count each record of a clean table once, but calls made and not answered."""
COUNTABLE = "not (direction = 'out' and seconds = 0)"


def profiles(frames: Mapping[Table, DataFrame], days: Days, settings: QualitySettings) -> dict[str, DataFrame]:
    """By table name, a profile with one row per day of ``days`` (monthly tables: per month that ends in them).

    Args:
        frames: The tables there are; of a ledger table every row with its state, of others the rows readers see.
            Used as references when there: raw.files, reference.lives, cells and handsets, reentry.joiners, churn.labels.
        days: The days to profile; records of other days are not read.
        settings: What counts as late, and which share of keys is looked at for repeats.
    """
    found: dict[str, DataFrame] = {}
    for table in RECORDS:
        if table in frames:
            ledger = frames[table].where(_within("day", days) | _within("delivered_on", days))
            rows = record_days(table, _with_references(ledger, frames), settings.late_days, frames.get(LIVES))
            if FILES in frames:
                files = frames[FILES].where(_within("delivered_on", days))
                delivered = ledger.where(_within("delivered_on", days))
                rows = with_accounting(rows, delivered, files, table.name.partition(".")[2])
            found[table.name] = rows.where(_within("day", days))
    for table in frames:
        rows = frames[table]
        if table == USAGE:
            found[table.name] = usage_days(rows.where(_within("day", days)), frames.get(LIVES))
        elif table == EDGES:
            found[table.name] = edge_days(rows.where(_within("day", days)), frames.get(LIVES))
        elif table == SUBSCRIBERS:
            found[table.name] = subscriber_days(rows.where(_within("delivered_on", days)))
        elif table == MATCHES:
            # an old user matched before is one matched twice: earlier matches count
            found[table.name] = match_days(rows, frames.get(JOINERS)).where(_within("known_on", days))
        elif table == CHURN_SCORES:
            found[table.name] = score_months(rows.where(_within("last_day(month)", days)), frames.get(LABELS))
        elif table.name == "features.monthly":
            found[table.name] = feature_months(table, rows.where(_within("last_day(month)", days)), frames.get(USAGE))
    return found


def profile_rows(collected: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per day, table and measure of the profiles, as quality.profiles keeps them; what has no value has no row.

    A measure ``x`` is taken over ``of_x`` where the profile has that, else over the day's rows.
    """
    found = []
    for table, wide in collected.items():
        by, *names = [name for name in wide.columns if not name.startswith("of_")]
        days = pd.to_datetime(wide[by]) + pd.offsets.MonthEnd(0) if by == "month" else pd.to_datetime(wide[by])
        rows = pd.to_numeric(wide["rows"]).fillna(0.0)
        for name in names:
            weight = pd.to_numeric(wide[f"of_{name}"]).fillna(0.0) if f"of_{name}" in wide else rows
            values = pd.to_numeric(wide[name]).astype("float64")
            found.append(
                pd.DataFrame({"day": days.dt.date, "table_name": table, "measure": name, "value": values, "weight": weight})
            )
    if not found:
        return pd.DataFrame(columns=["day", "table_name", "measure", "value", "weight"])
    return pd.concat(found, ignore_index=True).dropna(subset=["value"]).astype({"weight": "float64"})


def record_days(table: Table, ledger: DataFrame, late_days: int, lives: DataFrame | None = None) -> DataFrame:
    """One row per day of a record table: rows by state, users, shares, means; ``of_<share>`` is what a share is taken over.

    Shares are of good rows, but ``bad_share`` and ``duplicate_share`` of all. ``countable_rows`` are those that daily.usage
    has a count for. Records are first summed up by their codes and hour, so that some thousand rows a day are left to
    take shares of; numbers and handsets are counted from one row per number. ``repeated_keys`` looks at one key in
    sixteen: the ledger has set repeats aside already, and every key would have to be dealt out anew.
    """
    names = set(table.names)
    rows = ledger.withColumn("day", F.expr(ACCOUNT_DAY))
    codes = [
        name
        for name in ("state", "hour", "direction", "call_class", "release_cause", "peer_network")
        if name in ("state", *names)
    ]
    made = {name: sql for name, sql in sums(table, late_days).items() if not sql.startswith("is_") or sql in rows.columns}
    minute = "hour * 60 + minute(started_at)"
    countable = COUNTABLE if table == VOICE else "true"
    mixed = rows.groupBy("day", *codes).agg(
        F.count(F.lit(1)).alias("n"),
        F.expr(f"count_if({countable})").alias("countable"),
        F.expr(f"min({minute})").alias("first_minute"),
        F.expr(f"max({minute})").alias("last_minute"),
        *[F.expr(f"sum({sql if _is_number(name) else f'if({sql}, 1, 0)'}) as {name}") for name, sql in made.items()],
    )
    asked = shares(table)
    whole = "sum(if(state = 'good', n, 0))"
    days = mixed.groupBy("day").agg(
        F.expr(f"{whole} as rows"),
        F.expr("sum(if(state = 'good', countable, 0)) as countable_rows"),
        F.expr("min(if(state = 'good', first_minute, null)) as first_minute"),
        F.expr("max(if(state = 'good', last_minute, null)) as last_minute"),
        *[F.expr(f"sum(if({of}, n, 0)) as of_{name}") for name, (_, of) in asked.items()],
        *[F.expr(f"sum(if({some}, n, 0)) / nullif(of_{name}, 0) as {name}") for name, (some, _) in asked.items()],
        *([F.expr("sum(if(state = 'good' and direction <> 'out', n, 0)) as in_rows")] if "direction" in names else []),
        *([F.expr(f"sum(if({_on_net('=')}, n, 0)) as of_on_net_skew")] if "peer_network" in names else []),
        *([F.expr(f"sum(if({_on_net('<>')}, n, 0)) as on_net_in")] if "peer_network" in names else []),
        *[F.expr(f"sum(if(state = 'good', {name}, 0)) as sum_{name}") for name in made],
    )
    for name, (some, of) in RATIOS.items():
        if some in made:
            days = days.withColumn(name, F.expr(f"sum_{some} / nullif({of}, 0)")).withColumn(f"of_{name}", F.col(of))
    if "peer_network" in names:
        days = days.withColumn("on_net_skew", F.expr("abs(of_on_net_skew / nullif(on_net_in, 0) - 1)"))
    days = days.drop("in_rows", "on_net_in", *[f"sum_{name}" for name in made])
    good = rows.where("state = 'good'")
    some_keys = good.where("pmod(record_key, 16) = 1").groupBy("day", "record_key").count()
    keys = some_keys.groupBy("day").agg(F.expr("sum(count) - count(1) as repeated_keys"))
    device = ["imei_key"] if "imei_key" in names else []
    users = good.groupBy("day", "number_key", *device).agg(F.count(F.lit(1)).alias("n"))
    numbers = users.select("day", "number_key").distinct()
    counts = [F.count(F.lit(1)).alias("users")]
    if lives is not None:
        known = lives.select("number_key", F.lit(True).alias("is_known")).distinct()
        numbers = numbers.join(known, on="number_key", how="left")
        counts.append(F.expr("count_if(is_known is null) / count(1) as stranger_share"))
    days = days.join(keys, on="day", how="left").join(numbers.groupBy("day").agg(*counts), on="day", how="left")
    days = days.withColumn("repeated_keys", F.expr("if(rows > 0, coalesce(repeated_keys, 0), null)"))
    days = days.withColumns({"records_per_user": F.expr("rows / users"), "of_records_per_user": F.col("users")})
    if lives is not None:
        days = days.withColumn("of_stranger_share", F.col("users"))
    if "seconds" in names:
        lengths = good.where("seconds > 0").groupBy("day", "seconds").count().groupBy("day")
        days = days.join(lengths.agg(F.expr("percentile(seconds, 0.5, count) as median_seconds")), on="day", how="left")
    if device:
        # no filter on the handset here: it would split one shuffle that both counts can use into two
        shared = users.groupBy("day", "imei_key").agg(
            F.expr("if(imei_key is null, 0, count(1)) as sharing"), F.expr("if(imei_key is null, 0, sum(n)) as calls")
        )
        most = shared.groupBy("day").agg(F.expr("nullif(max(sharing), 0) as users_per_imei"), F.expr("max(calls) as top_calls"))
        days = days.join(most, on="day", how="left")
        days = days.withColumn("top_imei_share", F.expr("top_calls / nullif(rows, 0)")).drop("top_calls")
    return days


def _is_number(name: str) -> bool:
    return name in ("fee", "seconds", "bytes")


def _on_net(which: str) -> str:
    return f"state = 'good' and peer_network = 'own' and direction {which} 'out'"


def _within(day: str, days: Days) -> SparkColumn:
    return F.expr(f"{day} between date'{days.first}' and date'{days.last}'")


def _with_references(ledger: DataFrame, frames: Mapping[Table, DataFrame]) -> DataFrame:
    """The records, with whether their cell and handset type are in no register, where there is one."""
    for column, flag, table in (("cell_id", "is_unknown_cell", CELLS), ("tac", "is_unknown_tac", HANDSETS)):
        if column in ledger.columns and table in frames:
            known = frames[table].where("state = 'good'").select(column, F.lit(False).alias(flag)).distinct()
            ledger = ledger.join(F.broadcast(known), on=column, how="left")
            ledger = ledger.withColumn(flag, F.expr(f"{column} is not null and {flag} is null"))
    return ledger


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


def subscriber_days(register: DataFrame) -> DataFrame:
    """One row per delivery day of reference.subscribers: good rows, and the most users that one SIM stands for at that time."""
    good = register.where("state = 'good'")
    # of a user there is one good row a delivery
    sims = good.groupBy("delivered_on", "imsi_key").agg(
        F.count(F.lit(1)).alias("n"), F.expr("count_if(valid_to is null or to_date(valid_to) > delivered_on) as held")
    )
    most = F.expr("nullif(max(if(imsi_key is null, 0, held)), 0) as users_per_imsi")
    return sims.groupBy("delivered_on").agg(F.sum("n").alias("rows"), most)


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
    """One row per month scored: of leaving in the month after, the contract's profile, mean probability, gaps in the ranking, the rate seen later."""
    scores = scores.where(F.col("target") == NEXT_MONTH)
    months = profile(CHURN_SCORES, scores, "month", F.sum("probability").alias("probabilities"))
    ends = scores.groupBy("month").agg(F.expr("max(place) as last_place"), F.expr("count(distinct place) as places"))
    months = months.join(ends, on="month", how="left").withColumns(
        {
            "mean_probability": F.expr("probabilities / rows"),
            "ranking_gaps": F.expr("greatest(last_place - rows, 0) + (rows - places)"),
        }
    )
    if labels is not None:
        of_target = labels.where(F.col("target") == NEXT_MONTH).groupBy("month")
        seen = of_target.agg(F.expr("avg(cast(has_churned_for_good as int)) as seen_rate"))
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
