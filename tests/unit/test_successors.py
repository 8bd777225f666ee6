"""A leaver's number at another network: the one its circle began to meet as the old number fell silent."""

import datetime as dt

import pytest
from pyspark.sql import DataFrame, SparkSession

from churnlake.core.runs import Days
from churnlake.core.settings import load
from churnlake.reentry import elsewhere
from churnlake.settings import Settings

SETTINGS = load(Settings, "local").reentry
LEFT, CONFIRMED = dt.date(2005, 4, 10), dt.date(2005, 6, 9)
LEAVER, FRIENDS, NEW, OLD_FRIEND, HOTLINE = 1, (11, 12, 13), 901, 902, 903


def cut(frame: DataFrame) -> DataFrame:
    return frame.localCheckpoint()


@pytest.fixture(scope="module")
def left(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame([(LEAVER, LEFT, CONFIRMED)], "user_id long, leave_on date, known_on date")


@pytest.fixture(scope="module")
def signatures(spark: SparkSession) -> DataFrame:
    rows = [(dt.date(2005, 3, 1), LEAVER, peer, 100, 0.3, place) for place, peer in enumerate(FRIENDS, 1)]
    return spark.createDataFrame(rows, "month date, user_id long, peer_id long, strength long, share double, place int")


def met_away(spark: SparkSession, *met: tuple[int, int, dt.date], network: str = "unicom") -> DataFrame:
    """Who of ours met which number of another network when; of daily edges, where friends of ours stand beside."""
    rows = [(user, number, day, network) for user, number, day in met]
    rows += [(11, 12, day, "own") for _, _, day in met]
    daily = spark.createDataFrame(rows, "user_id long, peer_id long, day date, peer_network string")
    return elsewhere.away(daily, SETTINGS, cut)


def all_met(number: int, day: dt.date, *more: int) -> list[tuple[int, int, dt.date]]:
    return [(user, number, day) for user in (*FRIENDS, *more)]


def test_the_number_that_a_circle_meets_since_is_named_with_its_network(
    spark: SparkSession, left: DataFrame, signatures: DataFrame
) -> None:
    since = LEFT + dt.timedelta(days=5)
    found = elsewhere.successors(left, signatures, met_away(spark, *all_met(NEW, since, 77)), SETTINGS, cut).collect()
    assert [(row["user_id"], row["leave_on"], row["known_on"], row["peer_id"], row["peer_network"]) for row in found] == [
        (LEAVER, LEFT, CONFIRMED, NEW, "unicom")
    ]
    assert (found[0]["shared_peers"], found[0]["peer_users"]) == (3, 4)
    assert found[0]["likeness"] == pytest.approx(0.9 * (3 / 4) ** 0.5, abs=1e-6)


@pytest.mark.parametrize(
    ("why", "met"),
    [
        ("a friend of another network was there all along", [*all_met(OLD_FRIEND, LEFT + dt.timedelta(days=5)), (11, OLD_FRIEND, LEFT - dt.timedelta(days=40))]),
        ("one of the circle alone met it", [(11, NEW, LEFT + dt.timedelta(days=5))]),
        ("it is seen after the day all is told", all_met(NEW, CONFIRMED + dt.timedelta(days=1))),
        ("half the city meets it", all_met(HOTLINE, LEFT + dt.timedelta(days=5), *range(1000, 1100))),
    ],
)  # fmt: skip
def test_no_other_number_is(
    spark: SparkSession, left: DataFrame, signatures: DataFrame, why: str, met: list[tuple[int, int, dt.date]]
) -> None:
    assert elsewhere.successors(left, signatures, met_away(spark, *met), SETTINGS, cut).isEmpty(), why


def test_of_two_the_one_more_of_the_circle_meets(spark: SparkSession, left: DataFrame, signatures: DataFrame) -> None:
    since = LEFT + dt.timedelta(days=5)
    met = [*all_met(NEW, since), (11, 950, since), (12, 950, since)]
    found = elsewhere.successors(left, signatures, met_away(spark, *met), SETTINGS, cut).collect()
    assert [row["peer_id"] for row in found] == [NEW]


def test_enough_days_are_read() -> None:
    days = Days(dt.date(2005, 6, 1), dt.date(2005, 6, 30))
    assert (days.first - elsewhere.first_day_needed(days, SETTINGS)).days >= SETTINGS.successor_days + SETTINGS.circle_days
