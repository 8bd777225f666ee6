"""Reference data of the landing contract -> reference tables: pseudonyms for ids, yes and no for true and false."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from churnlake.core.contract import TRACE, Table
from churnlake.core.pseudonyms import Key
from churnlake.landing import numbers
from churnlake.landing.clean import own_number, with_own
from churnlake.landing.settings import LandingSettings
from churnlake.tables.reference import (
    ACTIVATIONS,
    ANSWERS,
    BILLS,
    CELLS,
    HANDSETS,
    JOINING_REVIEWS,
    OPT_OUTS,
    PLANS,
    RECHARGES,
    SUBSCRIBERS,
    SUBSCRIPTIONS,
    TOUCHES,
)


def subscribers(raw: DataFrame, key: Key, settings: LandingSettings, zone: str, opaque: bool) -> DataFrame:
    """One row per row of raw.subscribers: the columns of reference.subscribers without ``batch``, and the trace."""
    told = with_own(raw, "number", settings, opaque)
    rural, rural_lost = _yes(F.col("is_rural"))
    lost = {"number": F.col("number").isNotNull() & F.col("own").isNull(), "is_rural": rural_lost}
    beauty = F.lit("plain") if opaque else numbers.beauty(F.col("own"), settings)
    found = {
        "user_id": key.pseudonym(F.col("user_id"), "user"),
        "number_key": key.pseudonym(F.col("own"), "number"),
        "number_beauty": F.when(F.col("own").isNotNull(), beauty),
        "imsi_key": key.pseudonym(F.col("imsi"), "imsi"),
        "customer_key": key.pseudonym(F.col("customer_id"), "customer"),
        "account_key": key.pseudonym(F.col("account_id"), "account"),
        # letters of a document number are written in both cases
        "document_key": key.pseudonym(F.upper("document"), "document"),
        "is_rural": rural,
    }
    return _reference(told, SUBSCRIBERS, found, lost)


def plans(raw: DataFrame, key: Key, settings: LandingSettings, zone: str, opaque: bool) -> DataFrame:
    """One row per row of raw.plans: the columns of reference.plans without ``batch``, and the trace."""
    return _reference(raw, PLANS, {}, {})


def bills(raw: DataFrame, key: Key, settings: LandingSettings, zone: str, opaque: bool) -> DataFrame:
    """One row per row of raw.bills: the columns of reference.bills without ``batch``, and the trace."""
    return _reference(raw, BILLS, {"user_id": key.pseudonym(F.col("user_id"), "user")}, {})


def recharges(raw: DataFrame, key: Key, settings: LandingSettings, zone: str, opaque: bool) -> DataFrame:
    """One row per row of raw.recharges: the columns of reference.recharges without ``batch``, and the trace.

    ``zone`` is the city's: ``day`` is counted there.
    """
    found = {
        "recharge_key": _by_id(RECHARGES, F.col("recharge_id")),
        "user_id": key.pseudonym(F.col("user_id"), "user"),
        "day": F.to_date(F.from_utc_timestamp("recharged_at", zone)),
    }
    return _reference(raw, RECHARGES, found, {})


def subscriptions(raw: DataFrame, key: Key, settings: LandingSettings, zone: str, opaque: bool) -> DataFrame:
    """One row per row of raw.subscriptions: the columns of reference.subscriptions without ``batch``, and the trace."""
    return _reference(raw, SUBSCRIPTIONS, {"user_id": key.pseudonym(F.col("user_id"), "user")}, {})


def touches(raw: DataFrame, key: Key, settings: LandingSettings, zone: str, opaque: bool) -> DataFrame:
    """One row per row of raw.touches: the columns of reference.touches without ``batch``, and the trace."""
    reached, reached_lost = _yes(F.col("is_reached"))
    found = {
        "touch_key": _by_id(TOUCHES, F.col("touch_id")),
        "user_id": key.pseudonym(F.col("user_id"), "user"),
        "is_reached": reached,
    }
    return _reference(raw, TOUCHES, found, {"is_reached": reached_lost})


def answers(raw: DataFrame, key: Key, settings: LandingSettings, zone: str, opaque: bool) -> DataFrame:
    """One row per row of raw.answers: the columns of reference.answers without ``batch``, and the trace.

    What a user says of its old number is hearsay: one that can be no user's is left out and is no fault of the row.
    """
    found = {
        "answer_key": _by_id(ANSWERS, F.col("answer_id")),
        "user_id": key.pseudonym(F.col("user_id"), "user"),
        "old_number_key": key.pseudonym(F.col("own"), "number"),
    }
    return _reference(with_own(raw, "old_number", settings, opaque), ANSWERS, found, {})


def opt_outs(raw: DataFrame, key: Key, settings: LandingSettings, zone: str, opaque: bool) -> DataFrame:
    """One row per row of raw.opt_outs: the columns of reference.opt_outs without ``batch``, and the trace."""
    return _reference(raw, OPT_OUTS, {"user_id": key.pseudonym(F.col("user_id"), "user")}, {})


def activations(raw: DataFrame, key: Key, settings: LandingSettings, zone: str, opaque: bool) -> DataFrame:
    """One row per row of raw.activations: the columns of reference.activations, and the trace.

    ``zone`` is the city's: ``activated_on`` is counted there. What a customer says of another number is hearsay: one that can be no
    user's is left out and is no fault of the row; ``stated_network`` tells of what kind it was.
    """
    told = numbers.with_parties(raw, ["number", "stated_number"], settings, opaque).withColumn("own", own_number("number"))
    wants, wants_lost = _yes(F.col("wants_new_number"))
    found = {
        # a line's plain hash would let anyone test guesses of the numbers in it
        "line_key": key.pseudonym(F.col("line_key"), "line"),
        "activation_key": activation_key(),
        "activated_on": F.to_date(F.from_utc_timestamp("activated_at", zone)),
        "user_id": key.pseudonym(F.col("user_id"), "user"),
        "number_key": key.pseudonym(F.col("own"), "number"),
        "document_key": key.pseudonym(F.upper("document"), "document"),
        "stated_key": key.pseudonym(own_number("stated_number"), "number"),
        "stated_network": F.when(F.col("stated_number").isNotNull(), F.coalesce("stated_number_network", F.lit("unknown"))),
        "wants_new_number": wants,
    }
    lost = {"number": F.col("number").isNotNull() & F.col("own").isNull(), "wants_new_number": wants_lost}
    return _reference(told, ACTIVATIONS, found, lost)


def activation_key() -> Column:
    """The 64-bit key of an activation, of a column ``activation_id``."""
    return _by_id(ACTIVATIONS, F.col("activation_id"))


def joining_reviews(raw: DataFrame, key: Key, settings: LandingSettings, zone: str, opaque: bool) -> DataFrame:
    """One row per row of raw.joining_reviews: the columns of reference.joining_reviews without ``batch``, and the trace."""
    found = {"activation_key": activation_key(), "reviewer_key": key.pseudonym(F.col("reviewer"), "reviewer")}
    return _reference(raw, JOINING_REVIEWS, found, {})


def handsets(raw: DataFrame, key: Key, settings: LandingSettings, zone: str, opaque: bool) -> DataFrame:
    """One row per row of raw.handsets: the columns of reference.handsets without ``batch``, and the trace."""
    found, lost = {}, {}
    for name in ("has_gprs", "has_mms", "has_java"):
        found[name], lost[name] = _yes(F.col(name))
    return _reference(raw, HANDSETS, found, lost)


def cells(raw: DataFrame, key: Key, settings: LandingSettings, zone: str, opaque: bool) -> DataFrame:
    """One row per row of raw.cells: the columns of reference.cells without ``batch``, and the trace."""
    found, lost = {}, {}
    for name in ("latitude", "longitude"):
        found[name] = F.col(name).try_cast("double")
        lost[name] = F.col(name).isNotNull() & found[name].isNull()
    return _reference(raw, CELLS, found, lost)


def _by_id(table: Table, operators_id: Column) -> Column:
    """The 64-bit key of a row that the operator gave an id, unique within the table; null without one."""
    return F.when(operators_id.isNotNull(), F.xxhash64(F.lit(table.name), operators_id))


def _yes(text: Column) -> tuple[Column, Column]:
    """True for yes, false for no, else null; and whether a text was there that is neither."""
    said = F.lower(text)
    return F.when(said == "yes", True).when(said == "no", False), text.isNotNull() & ~said.isin("yes", "no")


def _reference(rows: DataFrame, table: Table, found: dict[str, Column], lost: dict[str, Column]) -> DataFrame:
    """One row per row, with the table's columns except batch, and the trace; ``lost`` fields are added to ``unreadable``."""
    unreadable = F.col("unreadable")
    for name, is_lost in lost.items():
        unreadable = F.when(is_lost, F.array_append(unreadable, F.lit(name))).otherwise(unreadable)
    made = {**found, "unreadable": unreadable}
    names = [*(name for name in table.names if name != "batch"), *TRACE]
    return rows.select(*(made.get(name, F.col(name)).alias(name) for name in names))
