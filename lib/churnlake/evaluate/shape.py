"""The shape of a network's use: figures that any lake can be compared by, a made-up city or the records of real people."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.tables.daily import CONTACTS

SPAN_DAYS = 28
"""Figures are of four weeks: as long as the Copenhagen study, and near enough to a month."""
LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9, 0.99)
MOST = 20
"""The last class of a distribution: so many or more."""
FEW = 8
"""The in-degree that about 90 % of numbers stay within in a month (Communities of Interest, AT&T)."""
Shape = dict[str, Any]


def span_to(last: dt.date) -> tuple[dt.date, dt.date]:
    """First and last day of the four weeks that end on a day."""
    return last - dt.timedelta(days=SPAN_DAYS - 1), last


def shape(events: DataFrame, usage: DataFrame, edges: DataFrame, first: dt.date) -> Shape:
    """The figures of the four weeks from ``first``, all shares 0..1, as values that JSON can hold.

    Users are those with a record in the weeks; a day on which a user had no record counts as a day without calls. Calls are
    the answered ones, made and received. A contact is a party met by an answered call or a message; service numbers are none.
    ``contacts_kept`` is the share of the contacts of the first half met again in the second, of users with contacts in both.

    Args:
        events: one row per clean record (usage.daily.events).
        usage: daily.usage, or one like it.
        edges: daily.edges, likewise.
        first: first day of the weeks.
    """
    last = first + dt.timedelta(days=SPAN_DAYS - 1)
    within = F.col("day").between(F.lit(first), F.lit(last))
    return {
        "first_day": str(first),
        "last_day": str(last),
        **_records(events.where(within)),
        **_days(usage.where(within)),
        **_contacts(edges.where(within), first + dt.timedelta(days=SPAN_DAYS // 2)),
    }


def _records(events: DataFrame) -> Shape:
    """Record mix, share of calls and SMS by hour, length of answered calls."""
    length = "if(service = 'voice' AND seconds > 0, floor(log2(seconds)), null)"
    rows = events.groupBy("service", "hour", F.expr(length).cast("int").alias("length")).agg(F.count("*").alias("n")).collect()
    mix: dict[str, int] = {}
    hours, lengths = [0] * 24, dict[int, int]()
    for row in rows:
        mix[row["service"]] = mix.get(row["service"], 0) + row["n"]
        if row["service"] in ("voice", "sms"):
            hours[row["hour"]] += row["n"]
        if row["length"] is not None:
            lengths[row["length"]] = lengths.get(row["length"], 0) + row["n"]
    levels = ", ".join(map(str, LEVELS))
    calls = events.where("service = 'voice' AND seconds > 0")
    found = calls.agg(F.expr(f"percentile_approx(seconds, array({levels}), 10000)").alias("q")).first()
    quantiles = found["q"] if found else None
    return {
        "records": sum(mix.values()),
        "mix": {service: _over(mix.get(service, 0), sum(mix.values())) for service in ("voice", "sms", "mms", "wap")},
        "hours": [_over(n, sum(hours)) for n in hours],
        "call_seconds": {
            "quantiles": dict(zip(map(_name, LEVELS), quantiles, strict=True)) if quantiles else {},
            # each class is twice as long as the one before
            "from": [2**k for k in sorted(lengths)],
            "shares": [_over(lengths[k], sum(lengths.values())) for k in sorted(lengths)],
        },
    }


def _days(usage: DataFrame) -> Shape:
    """Users, and how calls spread over their days."""
    users = usage.select("user_id").distinct().count()
    calls = usage.groupBy((F.col("voice_out_calls") + F.col("voice_in_calls")).alias("calls")).agg(F.count("*").alias("n"))
    counts = {int(row["calls"]): int(row["n"]) for row in calls.collect()}
    seen, grid = sum(counts.values()), users * SPAN_DAYS
    counts[0] = counts.get(0, 0) + grid - seen
    return {
        "users": users,
        "user_days_with_record": _over(seen, grid),
        "calls_per_user_day": {**distribution(counts), "none": _over(counts[0], grid)},
    }


def _contacts(edges: DataFrame, half: dt.date) -> Shape:
    """Contacts of a user, how many go both ways and last, how many are off-net; users that a number is met by."""
    later = F.col("day") >= F.lit(half)
    pairs = edges.where(f"{CONTACTS} > 0").groupBy("user_id", "peer_id").agg(
        F.expr("sum(voice_out_calls + message_out) > 0").alias("goes"),
        F.expr("sum(voice_in_calls + message_in) > 0").alias("comes"),
        F.bool_or(~later).alias("is_first"),
        F.bool_or(later).alias("is_second"),
        F.expr("bool_and(peer_network <> 'own')").alias("is_offnet"),
    )  # fmt: skip
    users = pairs.groupBy("user_id").agg(
        F.count("*").alias("contacts"),
        F.expr("count_if(goes AND comes)").alias("mutual"),
        F.expr("count_if(is_offnet)").alias("offnet"),
        F.expr("count_if(comes)").alias("callers"),
        F.expr("count_if(is_first)").alias("met_first"),
        F.expr("count_if(is_second)").alias("met_second"),
        F.expr("count_if(is_first AND is_second)").alias("met_twice"),
    )
    lasting = "met_first > 0 AND met_second > 0"
    sums = users.groupBy("contacts").agg(
        F.count("*").alias("users"),
        *[F.sum(name).alias(name) for name in ("mutual", "offnet")],
        F.expr(f"sum(if({lasting}, met_first, 0))").alias("met_first"),
        F.expr(f"sum(if({lasting}, met_twice, 0))").alias("met_twice"),
        F.expr(f"count_if(callers BETWEEN 1 AND {FEW})").alias("called_by_few"),
        F.expr("count_if(callers > 0)").alias("called"),
    )
    rows = sums.collect()
    total = {name: sum(row[name] for row in rows) for name in sums.columns[1:]}
    met = sum(row["contacts"] * row["users"] for row in rows)
    # an on-net call shows in both users' rows: each arrow once
    arrows = pairs.where("goes").select(F.col("user_id").alias("caller"), F.col("peer_id").alias("called"))
    arrows = arrows.unionByName(pairs.where("comes").select(F.col("peer_id").alias("caller"), F.col("user_id").alias("called")))
    degrees = arrows.distinct().groupBy("called").agg(F.count("*").alias("degree"))
    called = {int(row["degree"]): int(row["n"]) for row in degrees.groupBy("degree").agg(F.count("*").alias("n")).collect()}
    return {
        "contacts": distribution({int(row["contacts"]): int(row["users"]) for row in rows}),
        "reciprocity": _over(total["mutual"], met),
        "contacts_kept": _over(total["met_twice"], total["met_first"]),
        "offnet_contacts": _over(total["offnet"], met),
        "in_degree": {
            **distribution(called),
            "few": _over(sum(n for degree, n in called.items() if degree <= FEW), sum(called.values())),
            "users_few": _over(total["called_by_few"], total["called"]),
        },
    }


def distribution(counts: Mapping[int, int]) -> Shape:
    """Mean, quantiles and shares by value (0 to MOST or more) of whole numbers, from how often each value is there.

    >>> found = distribution({0: 3, 2: 1})
    >>> found["mean"], found["quantiles"]["0.75"], found["shares"][:3]
    (0.5, 0, [0.75, 0.0, 0.25])
    """
    total = sum(counts.values())
    quantiles, reached, levels = {}, 0, list(LEVELS)
    for value in sorted(counts):
        reached += counts[value]
        while levels and reached >= levels[0] * total:
            quantiles[_name(levels.pop(0))] = value
    shares = [0.0] * (MOST + 1)
    for value, count in counts.items():
        shares[min(value, MOST)] += count / total if total else 0.0
    return {
        "mean": _over(sum(value * count for value, count in counts.items()), total),
        "quantiles": quantiles if total else {},
        "shares": shares,
    }


def _name(level: float) -> str:
    return f"{level:g}"


def _over(part: float, whole: float) -> float | None:
    return float(part) / float(whole) if whole else None
