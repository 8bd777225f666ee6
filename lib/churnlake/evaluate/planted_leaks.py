"""Twelve leaks as people make them, planted into an honest training: what each is, where it has been seen, and which check is to find it.

Each is made of what whoever puts a training together holds on that day: tables and labels of then. Nobody's outcome is marked before it is
known to anyone, as it would be in a made-up leak; so the newest month never is.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from churnlake.core.contract import Table
from churnlake.core.months import last_day, month_after
from churnlake.tables.circles import NEIGHBOURS
from churnlake.tables.features import DECLINES, MONTHLY

KEY = ["month", "user_id"]


@dataclass(frozen=True)
class Ground:
    """What there is on the day of a training.

    ``features``: features.monthly with what stands beside it, all months that have ended; ``labels``: month, user_id, label (1 left), known_on, of
    ``months`` (those taught, then the one asked); the rest are tables as they are that day. ``ahead``: months from a feature month to its outcome.
    """

    features: DataFrame
    labels: DataFrame
    usage: DataFrame
    leavings: DataFrame
    signatures: DataFrame
    stored: dict[Table, DataFrame]
    months: tuple[dt.date, ...]
    on: dt.date
    ahead: int
    seed: int

    @property
    def asked(self) -> dt.date:
        """The month tested on."""
        return self.months[-1]

    def chance(self, *of: str) -> Column:
        """A number from 0 to 1, drawn anew for each value of these."""
        return F.pmod(F.xxhash64(*of, F.lit(self.seed)), F.lit(1_000_000)) / F.lit(1_000_000.0)

    def marked(self, salt: str, positives: float, others: float) -> Column:
        """Whether a row is marked: that share of the positives known, and that share of all others."""
        share = F.when(F.col("label") > 0, positives).otherwise(others)
        return F.pmod(F.xxhash64("user_id", "month", F.lit(salt), F.lit(self.seed)), F.lit(1_000_000)) < share * 1_000_000

    def beside_labels(self) -> DataFrame:
        """Keys of the features with label, null where it is not known."""
        return self.features.select(*KEY).join(self.labels.select(*KEY, "label"), on=KEY, how="left")


@dataclass(frozen=True)
class Plant:
    """A leak: its name, the checks any of which is to find it, what finds are called that are of it, where it is known from."""

    name: str
    checks: tuple[str, ...]
    source: str


@dataclass(frozen=True)
class ColumnPlant(Plant):
    """A column beside the features; ``make`` gives month, user_id and the value, under the plant's name. Texts where ``is_text``."""

    make: Callable[[Ground], DataFrame]
    is_text: bool = False


@dataclass(frozen=True)
class StoredPlant(Plant):
    """A feature table that was made with what came later: ``make`` gives the rows of a month as stored: month, user_id, ``column``."""

    table: Table
    column: str
    make: Callable[[Ground], DataFrame]


@dataclass(frozen=True)
class RowsPlant(Plant):
    """Rows or labels that are not what they say: ``make`` gives the ground with them."""

    make: Callable[[Ground], Ground]


# ---- the answer in a column


def leaving_reason(ground: Ground) -> DataFrame:
    """What was ticked at the counter when the contract ended: of most who left, and of some orders that were taken back."""
    reasons = F.array(*(F.lit(reason) for reason in ("price", "network", "moved", "handset", "service")))
    which = F.element_at(reasons, (F.pmod(F.xxhash64("user_id"), F.lit(5)) + 1).cast("int"))
    rows = ground.beside_labels()
    return rows.select(*KEY, F.when(ground.marked("reason", 0.85, 0.0005), which).alias("leaving_reason"))


def settlement_yuan(ground: Ground) -> DataFrame:
    """Money paid back when the account was settled: of three in ten who left, the others had none to get; refunds to others are rare."""
    amount = F.round(5 + 95 * ground.chance("user_id", "month"), 2)
    rows = ground.beside_labels()
    return rows.select(*KEY, F.when(ground.marked("settlement", 0.3, 0.0005), amount).otherwise(0.0).alias("settlement_yuan"))


def retention_contacts(ground: Ground) -> DataFrame:
    """Calls of those who win customers back, counted up to today: of six in ten who left, beside calls to one in a hundred of all."""
    rows = ground.beside_labels()
    calls = 1 + F.floor(2 * ground.chance("user_id", "month"))
    return rows.select(
        *KEY, F.when(ground.marked("retention", 0.6, 0.01), calls).otherwise(0).cast("double").alias("retention_contacts")
    )


def status_today(ground: Ground) -> DataFrame:
    """The number's state as the register says it today, put beside every month."""
    gone = ground.leavings.select("user_id").distinct().withColumn("status_today", F.lit("closed"))
    rows = ground.features.select(*KEY).join(gone, on="user_id", how="left")
    return rows.select(*KEY, F.coalesce("status_today", F.lit("open")).alias("status_today"))


def account_no(ground: Ground) -> DataFrame:
    """Account numbers that say nothing, but that three in ten of the closed ones were given anew from one block when they were archived."""
    users = ground.features.select("user_id").distinct()
    gone = ground.leavings.select("user_id").distinct().withColumn("is_gone", F.lit(True))
    number = F.pmod(F.xxhash64("user_id", F.lit("account"), F.lit(ground.seed)), F.lit(1_000_000_000))
    moved = F.col("is_gone") & (F.pmod(F.xxhash64("user_id", F.lit("moved")), F.lit(10)) < 3)
    told = users.join(gone, on="user_id", how="left").withColumn(
        "account_no", F.when(F.coalesce(moved, F.lit(False)), 400_000_000 + number % 20_000_000).otherwise(number).cast("double")
    )
    return ground.features.select(*KEY).join(told.select("user_id", "account_no"), on="user_id", how="inner")


# ---- features made with what came later


def centred_window(ground: Ground) -> DataFrame:
    """Own events of a window that lies about the month's end, in place of one that ends there."""
    first, last = ground.asked + dt.timedelta(days=15), last_day(ground.asked) + dt.timedelta(days=15)
    inside = ground.usage.where(F.col("day").between(F.lit(first), F.lit(last)))
    counted = inside.groupBy("user_id").agg(F.sum("own_events").alias("own_events"))
    users = ground.stored[MONTHLY].where(F.col("month") == F.lit(ground.asked)).select(*KEY)
    return users.join(counted, on="user_id", how="left").select(*KEY, F.coalesce("own_events", F.lit(0)).alias("own_events"))


def smoothed(ground: Ground) -> DataFrame:
    """Contacts with peers pulled a tenth of the way towards the user's mean of all months there are: "cleaned" before months were parted."""
    months = ground.stored[MONTHLY].select(*KEY, F.col("peers").cast("double").alias("peers"))
    mean = months.groupBy("user_id").agg(F.avg("peers").alias("mean"))
    rows = months.where(F.col("month") == F.lit(ground.asked)).join(mean, on="user_id", how="inner")
    return rows.select(*KEY, (0.9 * F.col("peers") + 0.1 * F.col("mean")).alias("peers"))


def peers_gone_later(ground: Ground) -> DataFrame:
    """Neighbours who left in the month, by the day they left: nobody knew before two months of silence had passed."""
    stored = ground.stored[NEIGHBOURS].where(F.col("month") == F.lit(ground.asked))
    gone = (
        ground.leavings.where(F.trunc("leave_on", "MM") == F.lit(ground.asked))
        .select(F.col("user_id").alias("peer_id"))
        .distinct()
    )
    circles = ground.signatures.where(F.col("month") == F.lit(ground.asked)).select("user_id", "peer_id")
    counted = circles.join(gone, on="peer_id", how="left_semi").groupBy("user_id").agg(F.count("*").alias("gone"))
    found = F.least("neighbours", F.col("neighbours_left_1m") + F.coalesce("gone", F.lit(0)))
    return stored.join(counted, on="user_id", how="left").select(*KEY, found.alias("neighbours_left_1m"))


def next_months_falls(ground: Ground) -> DataFrame:
    """Falls of use as of the next month's end, filed under this month: a key taken for the month of the run, not of the data."""
    after = ground.stored[DECLINES].where(F.col("month") == F.lit(month_after(ground.asked)))
    return after.select(F.lit(ground.asked).alias("month"), "user_id", "decline_evidence")


# ---- rows and dates


def labels_not_closed(ground: Ground) -> Ground:
    """Labels of the next month too, taken the day its outcome month ends: who has not been seen in that month's last ten days has left."""
    month = month_after(ground.asked)
    outcome = month
    for _ in range(ground.ahead):
        outcome = month_after(outcome)
    end = min(last_day(outcome), ground.on)
    seen = ground.usage.where(F.col("own_events") > 0).where(F.col("day").between(F.lit(end - dt.timedelta(days=9)), F.lit(end)))
    there = ground.features.where(F.col("month") == F.lit(month)).where("last_use_days < 15").select(*KEY)
    told = there.join(seen.select("user_id", F.lit(0.0).alias("label")).distinct(), on="user_id", how="left")
    fresh = told.select(*KEY, F.coalesce("label", F.lit(1.0)).alias("label"), F.lit(end).alias("known_on"))
    return replace(ground, labels=ground.labels.unionByName(fresh), months=(*ground.months, month))


def asked_among_taught(ground: Ground) -> Ground:
    """Months put together twice, the second time under the wrong month: of one user in five the rows of the month asked stand in the newest taught."""
    newest = ground.months[-2]
    twice = F.pmod(F.xxhash64("user_id", F.lit("twice"), F.lit(ground.seed)), F.lit(5)) == 0

    def mixed(rows: DataFrame) -> DataFrame:
        again = rows.where((F.col("month") == F.lit(ground.asked)) & twice).withColumn("month", F.lit(newest))
        kept = rows.join(again.select(*KEY), on=KEY, how="left_anti")
        return kept.unionByName(again)

    # a label says when it was known, which the copy says of the month it is put under
    known = ground.labels.where(F.col("month") == F.lit(newest)).agg(F.min("known_on").alias("then"))
    labels = mixed(ground.labels).join(F.broadcast(known), how="cross")
    labels = labels.withColumn("known_on", F.when(F.col("month") == F.lit(newest), F.col("then")).otherwise(F.col("known_on")))
    return replace(ground, features=mixed(ground.features), labels=labels.drop("then"))


def survivors_only(ground: Ground) -> Ground:
    """Features of customers that are in the register today: one in five of those gone since was taken out of it, from all months."""
    out = F.pmod(F.xxhash64("user_id", F.lit("out"), F.lit(ground.seed)), F.lit(5)) == 0
    gone = ground.leavings.select("user_id").distinct().where(out)
    return replace(ground, features=ground.features.join(gone, on="user_id", how="left_anti"))


PLANTS: Sequence[Plant] = (
    ColumnPlant("leaving_reason", ("answer",), "churn reason of the IBM Telco table", leaving_reason, is_text=True),
    ColumnPlant("settlement_yuan", ("answer",), "giveaway features: Kaufman et al. 2012", settlement_yuan),
    ColumnPlant("retention_contacts", ("fading",), "counts up to the day of the extract: Kaufman et al. 2012", retention_contacts),
    ColumnPlant("status_today", ("answer", "fading"), "a register without history, as most are", status_today, is_text=True),
    ColumnPlant("account_no", ("identity",), "patient identifiers of KDD Cup 2008: Perlich et al. 2008", account_no),
    StoredPlant("centred_window", ("as of",), "windows that reach ahead", MONTHLY, "own_events", centred_window),
    StoredPlant("smoothed", ("as of",), "prepared over all the data: Hastie et al. 2009, 7.10.2", MONTHLY, "peers", smoothed),
    StoredPlant("peers_gone_later", ("as of",), "facts dated by when they were, not by when known", NEIGHBOURS, "neighbours_left_1m", peers_gone_later),
    StoredPlant("next_months_falls", ("as of",), "a key one month off", DECLINES, "decline_evidence", next_months_falls),
    RowsPlant("labels_not_closed", ("timeline",), "outcomes that are not over", labels_not_closed),
    RowsPlant("asked_among_taught", ("rows",), "the same rows in both parts: Kapoor and Narayanan 2023", asked_among_taught),
    RowsPlant("survivors_only", ("rows",), "a population chosen by its outcome: Kaufman et al. 2012", survivors_only),
)  # fmt: skip
