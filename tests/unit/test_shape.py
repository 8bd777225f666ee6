"""The shape of a lake against the same figures worked out by pandas from the list of calls."""

from __future__ import annotations

import datetime as dt
import random

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from churnlake.core.testing import rows
from churnlake.evaluate.shape import FEW, SPAN_DAYS, distribution, shape
from churnlake.tables.clean import SMS, VOICE
from churnlake.usage import daily

FIRST = dt.date(2005, 6, 3)
OURS, OTHERS = range(1, 16), range(100, 110)


def records() -> pd.DataFrame:
    """One row per record: calls and SMS among 15 users of ours and 10 numbers of others; on-net ones twice; some out of the weeks."""
    draw, found = random.Random(7), []
    for _ in range(500):
        a = draw.choice(OURS)
        b = draw.choice([n for n in (*OURS, *OTHERS) if n != a])
        day, hour = FIRST + dt.timedelta(days=draw.randrange(-3, SPAN_DAYS + 3)), draw.randrange(24)
        service = draw.choice(["voice", "voice", "sms"])
        seconds = draw.choice([0, 5, 40, 300]) if service == "voice" else None
        goes_out = draw.random() < 0.6 or b in OURS
        found.append((a, b, day, hour, service, seconds, "out" if goes_out else "in"))
        if b in OURS:
            found.append((b, a, day, hour, service, seconds, "in"))
    # one number that very many are in touch with
    found += [(user, 999, FIRST, 12, "sms", None, "out") for user in OURS]
    return pd.DataFrame(found, columns=["user", "peer", "day", "hour", "service", "seconds", "direction"])


def test_figures_are_those_of_pandas(spark: SparkSession) -> None:
    every = records()
    tables = {}
    for table, service in ((VOICE, "voice"), (SMS, "sms")):
        given = [
            {
                "number_key": r.user, "peer_key": r.peer, "peer_network": "own" if r.peer in OURS else "fixed", "day": r.day, "hour": r.hour,
                "direction": r.direction, **({"seconds": int(r.seconds)} if service == "voice" else {}),
            }
            for r in every[every.service == service].itertuples()
        ]  # fmt: skip
        tables[table.name] = rows(spark, table, *given)
    events = daily.events(tables)
    found = shape(events, daily.usage(events), daily.edges(events), FIRST)

    last = FIRST + dt.timedelta(days=SPAN_DAYS - 1)
    within = every[(every.day >= FIRST) & (every.day <= last)]
    users = within.user.nunique()
    assert (found["users"], found["records"], found["last_day"]) == (users, len(within), str(last))
    assert found["mix"]["voice"] == pytest.approx((within.service == "voice").mean())
    assert found["hours"] == pytest.approx([(within.hour == hour).mean() for hour in range(24)])
    answered = within[(within.service == "voice") & (within.seconds > 0)]
    assert found["call_seconds"]["quantiles"]["0.5"] == answered.seconds.quantile(0.5, interpolation="lower")
    assert sum(found["call_seconds"]["shares"]) == pytest.approx(1)

    grid = answered.groupby(["user", "day"]).size().tolist()
    grid += [0] * (users * SPAN_DAYS - len(grid))
    assert found["calls_per_user_day"]["mean"] == pytest.approx(np.mean(grid))
    assert found["calls_per_user_day"]["none"] == pytest.approx(np.mean([n == 0 for n in grid]))
    assert found["user_days_with_record"] == pytest.approx(within.groupby(["user", "day"]).ngroups / users / SPAN_DAYS)

    met = within[(within.service == "sms") | (within.seconds > 0)]
    pairs = met.groupby(["user", "peer"])
    assert found["contacts"]["mean"] == pytest.approx(met.groupby("user").peer.nunique().mean())
    assert found["reciprocity"] == pytest.approx((pairs.direction.nunique() == 2).mean())
    assert found["offnet_contacts"] == pytest.approx(np.mean([peer not in OURS for _, peer in pairs.groups]))
    half = FIRST + dt.timedelta(days=SPAN_DAYS // 2)
    early, late = ({(r.user, r.peer) for r in met[side].itertuples()} for side in (met.day < half, met.day >= half))
    both = {user for user, _ in early} & {user for user, _ in late}
    early = {pair for pair in early if pair[0] in both}
    assert found["contacts_kept"] == pytest.approx(len(early & late) / len(early))

    arrows = {(r.user, r.peer) if r.direction == "out" else (r.peer, r.user) for r in met.itertuples()}
    degrees = pd.Series([called for _, called in arrows]).value_counts()
    assert found["in_degree"]["few"] == pytest.approx((degrees <= FEW).mean())
    ours = met[met.direction == "in"].groupby("user").peer.nunique()
    assert found["in_degree"]["users_few"] == pytest.approx((ours <= FEW).mean())


def test_a_distribution_of_nothing_is_empty() -> None:
    found = distribution({})
    assert (found["mean"], found["quantiles"], sum(found["shares"])) == (None, {}, 0)
    assert distribution({30: 1})["shares"][-1] == 1
