"""Blocks of candidates: counted by hand, with what settings leave out told apart."""

import datetime as dt

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from churnlake.core.settings import load
from churnlake.core.testing import rows
from churnlake.reentry import blocks
from churnlake.settings import Settings
from churnlake.tables.circles import PEERS, SIGNATURES
from churnlake.tables.daily import DEVICES, EDGES
from churnlake.tables.reference import SUBSCRIBERS

SETTINGS = load(Settings, "local").reentry
JOINED, KNOWN, MONTH = dt.date(2005, 3, 1), dt.date(2005, 4, 30), dt.date(2005, 4, 1)
FRIEND, HUB = 100, 200


def test_blocks_are_joiners_times_old_users_and_hubs_are_left_out(spark: SparkSession) -> None:
    due = spark.createDataFrame(
        [(user, 60, JOINED, KNOWN) for user in (51, 52, 53)], "user_id long, stage_days int, joined_on date, known_on date"
    )
    met = [(51, FRIEND), (52, FRIEND), (51, HUB), (52, HUB), (53, HUB)]
    edges = rows(spark, EDGES, *[{"user_id": user, "peer_id": peer, "day": JOINED, "voice_out_calls": 1} for user, peer in met])
    olds = [(1, FRIEND), (2, FRIEND), (3, FRIEND), (1, HUB), (2, HUB)]
    circles = [
        {"month": MONTH, "user_id": user, "peer_id": peer, "share": 0.5, "strength": 10, "place": 1} for user, peer in olds
    ]
    known = [(FRIEND, 5), (HUB, SETTINGS.hub_users + 1)]
    peers = rows(spark, PEERS, *[{"month": MONTH, "peer_id": peer, "users": users, "strength": 1} for peer, users in known])
    seen = [(51, 7), (1, 7), (2, 7), (53, 8), *((user, 9) for user in (52, *range(1, SETTINGS.imei_users_most + 1)))]
    devices = rows(spark, DEVICES, *[{"user_id": user, "imei_key": imei, "day": JOINED, "voice_calls": 1} for user, imei in seen])
    papers = rows(spark, SUBSCRIBERS, *[{"user_id": user, "document_key": 70} for user in (51, 3)])
    tables = {EDGES: edges, SIGNATURES: rows(spark, SIGNATURES, *circles), PEERS: peers, DEVICES: devices, SUBSCRIBERS: papers}
    found = blocks.blocks(due, tables, SETTINGS).localCheckpoint()
    told = {
        (r["kind"], r["block"]): (r["as_of"], r["joiners"], r["old_users"], r["comparisons"], r["is_left_out"])
        for r in found.collect()
    }
    assert told == {
        ("peer", FRIEND): (MONTH, 2, 3, 6, False),
        ("peer", HUB): (MONTH, 3, 2, 6, True),
        ("handset", 7): (MONTH, 1, 2, 2, False),
        ("handset", 9): (MONTH, 1, SETTINGS.imei_users_most, SETTINGS.imei_users_most, True),
        ("document", 70): (MONTH, 1, 1, 1, False),
    }
    of_peers = blocks.summary(found).where("kind = 'peer'").collect()
    assert [(r["is_left_out"], r["blocks"], r["comparisons"], r["most_share"]) for r in of_peers] == [
        (False, 1, 6, 1.0),
        (True, 1, 6, 1.0),
    ]


def test_the_worst_are_told_in_order_and_no_more_than_told(spark: SparkSession) -> None:
    each = [("peer", MONTH, block, block, 2, False, block * 2) for block in range(1, 31)]
    found = spark.createDataFrame(
        each, "kind string, as_of date, block long, joiners long, old_users long, is_left_out boolean, comparisons long"
    )
    worst = blocks.worst(found.orderBy(F.rand(1))).collect()
    assert [row["block"] for row in worst] == list(range(30, 30 - blocks.TOLD, -1))
