"""The joining check: whom a document and a stated number name at the counter, what the counter is told, and what became of it.

At the counter (t0) nothing is known of how the new number is used; what is known of users is what their register had told by that
day. Later stages ask what the first record (t1: the handset) and the circle (t2) say, and so how often the counter's check was right.
"""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from churnlake.reentry.settings import ReentrySettings

KEY = "activation_key"
LOST_SIM, ANOTHER_NUMBER = "lost_sim", "number"
"""Reasons stated that a reminder answers."""
VERDICT = """CASE
    WHEN known_to IS NULL THEN 'untold'
    WHEN size(both) = 1 THEN 'known'
    WHEN size(both) > 1 OR size(by_document) > 1 OR size(by_number) > 1 OR (size(by_document) = 1 AND size(by_number) = 1) THEN 'several'
    WHEN size(by_number) = 1 AND document_says <> 'of_many' AND by_number[0].document_key <> document_key THEN 'contradicted'
    WHEN size(by_document) = 1 OR size(by_number) = 1 THEN 'known'
    WHEN document_says = 'nobody' OR number_says IN ('not_ours', 'gone_long') THEN 'new'
    ELSE 'untold' END"""
REMINDER = f"""CASE
    WHEN reason = '{LOST_SIM}' THEN 'sim_replacement'
    WHEN wants_new_number OR reason = '{ANOTHER_NUMBER}' THEN 'number_choice'
    WHEN verdict = 'known' AND is_old_held AND NOT is_same_brand THEN 'brand_change'
    ELSE 'none' END"""
"""Which reminder fits: what the customer asks for comes first; only a change of brand is told from who the customer is."""


def checked(activations: DataFrame, register: DataFrame | None, settings: ReentrySettings) -> DataFrame:
    """One row per activation: reentry.joining_checks, but for when it was checked.

    The one user that both document and number name is ``known``; several where they name different ones, or either more than one;
    else whom the document names; else whom the number names, but ``contradicted`` where that one's document is another than the one
    shown. A document of more than ``document_users_most`` users is a firm's or dealer's and names nobody. Who left more than
    ``gap_most_days`` before is no old user any more.

    Args:
        activations: good rows of reference.activations, with ``arrived_at``; each activation once, and few: they are sent to every task.
        register: good rows of reference.subscribers; None where there are none. An activation is held against what was delivered by its day.
        settings: limits.
    """
    asked = F.broadcast(activations)
    if register is None:
        told = activations.withColumn("known_to", F.lit(None).cast("date")).withColumns(
            {name: F.lit(None).cast("array<struct<old_user_id: bigint, document_key: bigint, brand: string, plan_id: string, dealer_id: string, "
                                        "is_held: boolean>>") for name in ("by_document", "by_number")}
            | {"holders": F.lit(0), "gone": F.lit(0)}
        )  # fmt: skip
    else:
        days = register.select("delivered_on").distinct()
        until = asked.select(KEY, "activated_on").join(days, on=F.expr("delivered_on <= activated_on"), how="inner")
        newest = until.groupBy(KEY).agg(F.max("delivered_on").alias("known_to"))
        told = activations.join(newest, on=KEY, how="left").join(_named(asked, register, settings), on=KEY, how="left")
    none = "array()"
    told = told.selectExpr(
        "* except (by_document, by_number, holders, gone)",
        f"coalesce(holders, 0) + 1 > {settings.document_users_most} as is_of_many",
        f"if(coalesce(holders, 0) + 1 > {settings.document_users_most}, {none}, coalesce(by_document, {none})) as by_document",
        f"coalesce(by_number, {none}) as by_number",
        "coalesce(gone, 0) as gone",
    )
    told = told.selectExpr(
        "*",
        "array_intersect(by_document, by_number) as both",
        "CASE WHEN document_key IS NULL THEN 'not_shown' WHEN is_of_many THEN 'of_many' WHEN size(by_document) = 0 THEN 'nobody' "
        "WHEN size(by_document) = 1 THEN 'one_user' ELSE 'several_users' END as document_says",
        "CASE WHEN stated_network IS NULL THEN 'not_stated' WHEN stated_key IS NULL THEN 'no_number' WHEN size(by_number) = 1 THEN 'one_user' "
        "WHEN size(by_number) > 1 THEN 'several_users' WHEN gone > 0 THEN 'gone_long' ELSE 'not_ours' END as number_says",
    )
    told = told.withColumn("verdict", F.expr(VERDICT))
    old = "CASE WHEN verdict = 'known' THEN coalesce(get(both, 0), get(by_document, 0), get(by_number, 0)) END"
    told = told.withColumn("old", F.expr(old))
    named_by = "CASE WHEN size(both) = 1 THEN 'both' WHEN size(by_document) = 1 THEN 'document' ELSE 'number' END"
    return told.selectExpr(
        *("activated_on", KEY, "activated_at", "arrived_at", "user_id", "known_to", "document_says", "number_says", "verdict"),
        f"CASE WHEN verdict = 'known' THEN {named_by} END as named_by",
        "old.old_user_id",
        "old.dealer_id = dealer_id as is_same_dealer",
        "old.plan_id = plan_id as is_same_plan",
        "old.brand = brand as is_same_brand",
        "old.is_held as is_old_held",
        "bonus_yuan",
    )


def _named(asked: DataFrame, register: DataFrame, settings: ReentrySettings) -> DataFrame:
    """One row per activation that names somebody: ``by_document`` and ``by_number``, users of before as last told by then and not long gone;
    ``holders``, how many others joined with the document, and ``gone``, how many holders of the number left too long ago."""
    says = "explode(filter(array(struct('document' as way, document_key as id), struct('number' as way, {0} as id)), w -> w.id is not null)) as says"
    mine = asked.selectExpr(KEY, "activated_on", "user_id", says.format("stated_key"))
    theirs = register.selectExpr("user_id as old_user_id", "delivered_on", "joined_on", says.format("number_key"))
    met = theirs.join(F.broadcast(mine), on="says", how="inner")
    met = met.where("delivered_on <= activated_on AND joined_on < activated_on AND old_user_id <> user_id")
    met = met.select(KEY, "activated_on", "old_user_id", F.col("says.way").alias("way")).distinct()
    known = register.selectExpr("user_id as old_user_id", "delivered_on", *LAST_TOLD)
    last = known.join(F.broadcast(met), on="old_user_id", how="inner").where("delivered_on <= activated_on")
    last = last.groupBy(KEY, "activated_on", "old_user_id", "way").agg(
        F.expr(f"max_by(struct({', '.join(LAST_TOLD)}), delivered_on) as last")
    )
    last = last.selectExpr(
        "*",
        f"coalesce(datediff(activated_on, least(last.left_on, to_date(last.valid_to))) > {settings.gap_most_days}, false) as is_gone",
        "struct(old_user_id, last.document_key, last.brand, last.plan_id, last.dealer_id, "
        "last.left_on is null and last.valid_to is null as is_held) as old",
    )
    users = "sort_array(collect_list(old) filter (where way = '{0}' and not is_gone)) as by_{0}"
    return last.groupBy(KEY).agg(
        F.expr(users.format("document")),
        F.expr(users.format("number")),
        F.expr("count_if(way = 'document') as holders"),
        F.expr("count_if(way = 'number' and is_gone) as gone"),
    )


LAST_TOLD = ("document_key", "brand", "plan_id", "dealer_id", "valid_to", "left_on")
"""What the newest delivery by then says of a user."""


def reminders(activations: DataFrame, checks: DataFrame) -> DataFrame:
    """One row per activation: reentry.counter_reminders, all that the counter sees. ``activations`` with the operator's ``activation_id``."""
    asked = activations.select(KEY, "activation_id", "wants_new_number", "reason")
    told = checks.join(asked, on=KEY, how="inner")
    return told.selectExpr("activated_on", "activation_id", "user_id", f"{REMINDER} as reminder")


def follow_ups(checks: DataFrame, joiners: DataFrame, pairs: DataFrame, matches: DataFrame) -> DataFrame:
    """One row per activation and stage of its joiner: reentry.joining_follow_ups.

    On the day of the first record (stage 0) the handset speaks: of the old users that ran on it before the one with the fewest
    others, then the best odds, then the smallest key. Later the match of the stage does.

    Args:
        checks: reentry.joining_checks.
        joiners, pairs, matches: reentry.joiners, pairs and matches known on the days asked for.
    """
    first = Window.partitionBy("user_id", "stage_days").orderBy("imei_users", F.desc("odds"), "old_user_id")
    by_handset = pairs.where("stage_days = 0 AND has_same_imei").withColumn("turn", F.row_number().over(first)).where("turn = 1")
    by_handset = by_handset.select("user_id", "stage_days", "old_user_id", F.lit(None).cast("double").alias("probability"))
    by_all = matches.where("stage_days > 0").select("user_id", "stage_days", "old_user_id", "probability")
    found = by_handset.unionByName(by_all).withColumnRenamed("old_user_id", "found_user_id")
    asked = checks.select(KEY, "activated_on", "user_id", "verdict", "named_by", "old_user_id")
    due = (
        joiners.select("known_on", "user_id", "stage_days", "scope")
        .join(asked, on="user_id", how="inner")
        .where("activated_on <= known_on")
    )
    due = due.join(found, on=["user_id", "stage_days"], how="left")
    outcome = (
        "CASE WHEN found_user_id IS NULL THEN if(scope = 'scored', 'nobody', 'too_little') WHEN old_user_id IS NULL THEN 'found' "
        "WHEN old_user_id = found_user_id THEN 'same' ELSE 'other' END as outcome"
    )
    return due.selectExpr(
        *("known_on", KEY, "user_id", "stage_days", "verdict", "named_by", outcome, "found_user_id as old_user_id", "probability")
    )


def bonus_reviews(checks: DataFrame, reviews: DataFrame | None) -> DataFrame:
    """One row per activation with a bonus whose customer is known: reentry.bonus_reviews.

    What a person decided last holds; nothing else decides. Two people who decided differently on that day leave it to be reviewed.
    """
    due = checks.where("verdict = 'known' AND bonus_yuan > 0").select(KEY, "activated_on", "user_id", "bonus_yuan")
    if reviews is None:
        absent = {"decision": "string", "decided_on": "date", "reviewer_key": "bigint"}
        decided = due.withColumns({name: F.lit(None).cast(kind) for name, kind in absent.items()})
    else:
        of_day = reviews.groupBy(KEY, "decided_on").agg(
            F.expr("if(min(decision) = max(decision), min(decision), null) as decision"),
            F.min("reviewer_key").alias("reviewer_key"),
        )
        last = of_day.groupBy(KEY).agg(F.expr("max_by(struct(decision, decided_on, reviewer_key), decided_on) as last"))
        decided = due.join(last.select(KEY, "last.*"), on=KEY, how="left")
    is_decided = "decision IS NOT NULL"
    return decided.selectExpr(
        *(KEY, "activated_on", "user_id", "bonus_yuan"),
        "CASE decision WHEN 'withhold' THEN 'withheld' WHEN 'pay' THEN 'paid' ELSE 'to_review' END as state",
        *(f"if({is_decided}, {name}, null) as {name}" for name in ("decided_on", "reviewer_key")),
    )
