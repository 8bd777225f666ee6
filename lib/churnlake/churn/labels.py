"""What the model is taught of leaving: who left in the month after or the one after that, naive and corrected for those who came back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.churn.leaving import is_active
from churnlake.churn.revenue import REVENUE
from churnlake.churn.settings import ChurnSettings, PassiveSettings
from churnlake.core.frames import only
from churnlake.core.months import month_after
from churnlake.core.runs import Days
from churnlake.tables.churn import TARGETS

AHEAD = {"leave_t1": 1, "leave_t2": 2, REVENUE: 1}
"""By target, how many months after the feature month its outcome lies."""


def label_months(days: Days, settings: ChurnSettings, target: str = TARGETS[0]) -> list[dt.date]:
    """Feature months whose labels of the target close within the days of the run."""
    months = []
    month = (days.first - dt.timedelta(days=settings.label_closes_days + 130)).replace(day=1)
    while month <= days.last:
        if days.first <= closes_on(month, settings, target) <= days.last:
            months.append(month)
        month = month_after(month)
    return months


def closes_on(month: dt.date, settings: ChurnSettings, target: str = TARGETS[0]) -> dt.date:
    """Day on which the labels of a feature month close: so many days after the end of the outcome month."""
    waits = settings.revenue.closes_days if target == REVENUE else settings.label_closes_days
    return month_after(outcome_of(month, target)) + dt.timedelta(days=waits - 1)


def outcome_of(month: dt.date, target: str) -> dt.date:
    """The month in which the target of a feature month comes true or not."""
    for _ in range(AHEAD[target]):
        month = month_after(month)
    return month


def leaving_labels(
    features: DataFrame,
    usage: DataFrame,
    leavings: DataFrame,
    matches: DataFrame | None,
    asked: Mapping[str, Sequence[dt.date]],
    settings: ChurnSettings,
    bills: DataFrame | None = None,
    subscribers: DataFrame | None = None,
) -> DataFrame:
    """One row per target and user active in the feature month of whom it is decided, when the label closes, whether the user left.

    Active: an own outgoing event within the month's last days, and not suspended. Left: a leaving that began in the outcome month,
    and none before in the months since the feature month, confirmed by the closing day. Not so: one that began earlier, which is
    a row too, for the forecast is of all who were active then; or an own event after the outcome month. None of these: undecided, no
    row. Left for good: left, and by the closing day not found again under another number (re-entry matches of any stage).

    Kind, of those who left: ``passive`` where a bill of the last ``arrears_months`` up to that of leaving was unpaid, or the number was
    suspended within ``suspended_within_days`` of its last use, as told by the closing day; else ``active``.

    Args:
        features: features.monthly, of the label months at least.
        usage: daily.usage from the first feature month on.
        leavings: churn.leavings.
        matches: reentry.matches; without them nobody is known to be back.
        asked: by target, the feature months to label.
        settings: definitions.
        bills: reference.bills, where they are delivered.
        subscribers: reference.subscribers, where they are delivered; without either there are no kinds.
    """
    targets = [F.when(F.col("month").isin(list(months)), F.lit(target)) for target, months in asked.items() if months]
    ahead = "CASE target " + " ".join(f"WHEN '{target}' THEN {AHEAD[target]}" for target in asked) + " END"
    active = features.where(is_active(settings)).select(
        "month", "user_id", F.explode(F.array_compact(F.array(*targets))).alias("target")
    )
    active = active.withColumn("outcome_from", F.expr(f"add_months(month, {ahead})"))
    active = active.withColumn("outcome_to", F.last_day("outcome_from"))
    active = active.withColumn("known_on", F.date_add("outcome_to", settings.label_closes_days))
    left = leavings.select("user_id", "leave_on", F.col("known_on").alias("left_known_on"))
    key = ["month", "user_id", "target"]
    gone = active.join(left, how="inner", on="user_id").where(
        "leave_on BETWEEN add_months(month, 1) AND outcome_to AND left_known_on <= known_on"
    )
    gone = gone.groupBy(*key).agg(F.min("leave_on").alias("leave_on"))
    last_seen = usage.where("own_events > 0").select("user_id", "day")
    seen = (
        active.join(last_seen, how="inner", on="user_id")
        .where("day > outcome_to AND day <= known_on")
        .select(*key)
        .distinct()
        .withColumn("was_seen", F.lit(True))
    )
    rows = active.join(gone, on=key, how="left").join(seen, on=key, how="left")
    decided = rows.where("leave_on IS NOT NULL OR was_seen")
    decided = decided.withColumn("has_churned", F.expr("coalesce(leave_on >= outcome_from, false)"))
    churned = decided.where("has_churned").select(*key, "known_on", "leave_on")
    told = decided.join(_back(churned, matches, key), on=key, how="left")
    told = told.join(_passive(churned, usage, bills, subscribers, key, settings.passive), on=key, how="left")
    kind = "CASE WHEN has_churned THEN if(is_passive, 'passive', 'active') END"
    return told.select(
        "known_on",
        *key,
        "has_churned",
        F.expr("has_churned AND is_back IS NULL").alias("has_churned_for_good"),
        F.lit(None).cast("string").alias("kind") if bills is None and subscribers is None else F.expr(kind).alias("kind"),
    )


def _back(churned: DataFrame, matches: DataFrame | None, key: list[str]) -> DataFrame:
    """One row per label of a leaver found again under another number by its closing day, with ``is_back``."""
    if matches is None:
        return churned.where("false").select(*key).withColumn("is_back", F.lit(True))
    back = matches.select(F.col("old_user_id").alias("user_id"), F.col("known_on").alias("back_known_on"))
    found = churned.join(back, how="inner", on="user_id").where("back_known_on <= known_on")
    return found.select(*key).distinct().withColumn("is_back", F.lit(True))


def _passive(
    churned: DataFrame,
    usage: DataFrame,
    bills: DataFrame | None,
    subscribers: DataFrame | None,
    key: list[str],
    how: PassiveSettings,
) -> DataFrame:
    """One row per label of a leaver, with ``is_passive``: in debt, or suspended while the number was still used."""
    rows = churned
    rows = rows.withColumn("owes", F.lit(False)) if bills is None else _with_debt(rows, bills, key, how)
    rows = (
        rows.withColumn("was_cut", F.lit(False)) if subscribers is None else _with_suspension(rows, usage, subscribers, key, how)
    )
    return rows.select(*key, F.expr("owes OR was_cut").alias("is_passive"))


def _with_debt(rows: DataFrame, bills: DataFrame, key: list[str], how: PassiveSettings) -> DataFrame:
    owed = bills.where(f"arrears_yuan >= {how.least_arrears_yuan}")
    owed = owed.select("user_id", F.col("month").alias("billed"), "delivered_on")
    due = f"billed BETWEEN add_months(trunc(leave_on, 'MM'), {1 - how.arrears_months}) AND leave_on AND delivered_on <= known_on"
    found = rows.join(owed, on="user_id", how="inner").where(due).select(*key).distinct().withColumn("owes", F.lit(True))
    return rows.join(found, on=key, how="left").withColumn("owes", F.expr("coalesce(owes, false)"))


def _with_suspension(
    rows: DataFrame, usage: DataFrame, subscribers: DataFrame, key: list[str], how: PassiveSettings
) -> DataFrame:
    told = subscribers.where("status = 'suspended' AND status_since IS NOT NULL")
    told = told.select("user_id", "status_since", "delivered_on")
    cut = rows.join(told, on="user_id", how="inner").where("delivered_on <= known_on")
    # the leaving may be dated by the suspension itself: when the number was last used says which came first
    own = only(usage.where("own_events > 0").select("user_id", "day"), cut.select("user_id"))
    used = cut.join(own, on="user_id", how="inner").where("day <= status_since").groupBy(*key, "status_since")
    late = f"datediff(status_since, last_on) <= {how.suspended_within_days}"
    near = used.agg(F.max("day").alias("last_on")).where(late).select(*key).distinct().withColumn("was_cut", F.lit(True))
    return rows.join(near, on=key, how="left").withColumn("was_cut", F.expr("coalesce(was_cut, false)"))
