"""The tiny city's motives, feed and explanations: keys, months, persons, and odds that add up."""

import pytest
from conftest import City
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from churnlake.__main__ import main
from churnlake.core.runs import Days
from churnlake.evaluate import motives
from churnlake.reentry import explain
from churnlake.tables.motives import FEED, MOTIVE_SHARES, MOTIVES
from churnlake.tables.reentry import JOINERS, MATCHES, PAIRS, PERSONS, WEIGHTS
from churnlake.tables.reference import LIVES


def test_every_final_match_has_a_motive_and_stands_in_the_feed_of_its_month(spark: SparkSession, city: City) -> None:
    lake = city.lake(spark)
    final = lake.read(MATCHES).where("stage_days = 60").select("known_on", "user_id", "old_user_id")
    told = lake.read(MOTIVES).select("known_on", "user_id", "old_user_id")
    assert not final.isEmpty()
    assert final.exceptAll(told).isEmpty()
    assert told.exceptAll(final).isEmpty()
    feed = lake.read(FEED)
    # the days end with a month: all of them are complete
    assert feed.count() == final.count()
    assert feed.groupBy(*FEED.key).count().where("count > 1").isEmpty()
    assert feed.where("month <> trunc(known_on, 'MM') OR time_id <> year(month) * 100 + month(month) OR reason = ''").isEmpty()
    lives = lake.read(LIVES).select("user_id", F.col("number_key").alias("held"))
    assert feed.join(lives, on="user_id", how="inner").where("held = number_key").count() == feed.count()
    shares = lake.read(MOTIVE_SHARES).where("motive = 'all'").orderBy(F.desc("month")).first()
    assert shares is not None
    assert shares["matches"] == final.count(), "all are of the last half year"


def test_persons_of_the_feed_are_those_of_connected_components(spark: SparkSession, city: City) -> None:
    lake = city.lake(spark)
    both = lake.read(FEED).join(lake.read(PERSONS), on="user_id", how="inner")
    assert both.count() == lake.read(FEED).count()
    assert both.groupBy("unique_user_id").agg(F.count_distinct("person_id").alias("n")).where("n > 1").isEmpty()
    assert both.groupBy("person_id").agg(F.count_distinct("unique_user_id").alias("n")).where("n > 1").isEmpty()


def test_what_is_explained_adds_up_to_the_odds_of_every_pair(spark: SparkSession, city: City) -> None:
    lake = city.lake(spark)
    learnt = [row.asDict() for row in lake.read(WEIGHTS).collect()]
    found = explain.with_parts(lake.read(PAIRS), learnt, city.settings.reentry)
    summed = "aggregate(parts, 0D, (sum, part) -> sum + part.adds)"
    apart = found.selectExpr("*", f"{summed} as summed").where("summed <> log_odds OR odds <> odds_now")
    assert apart.isEmpty(), apart.select("user_id", "old_user_id", "stage_days", "odds", "odds_now").head(3)


def test_the_command_explains_a_match_and_names_no_number(
    spark: SparkSession, city: City, capsys: pytest.CaptureFixture[str]
) -> None:
    sets = [argument for override in city.overrides for argument in ("--set", override)]
    lake = city.lake(spark)
    match = lake.read(MATCHES).where("stage_days = 60").orderBy("user_id").first()
    assert match is not None
    assert main(["explain", "--user", str(match["user_id"]), *sets]) == 0
    text = capsys.readouterr().out
    assert f"old user {match['old_user_id']}" in text
    assert f"Verdict: match of probability {match['probability']:.3f}" in text
    assert "Motive by rule: " in text
    assert "settings were changed since" not in text
    assert main(["explain", "--user", "1", *sets]) == 2
    assert "no user 1 in reentry.joiners" in capsys.readouterr().err
    few = lake.read(JOINERS).where("scope = 'too_little'").first()
    if few is not None:
        main(["explain", "--user", str(few["user_id"]), *sets])
        told = capsys.readouterr()
        assert "too little evidence" in told.out + told.err or "Verdict" in told.out


def test_motives_stand_beside_planted_ones(spark: SparkSession, city: City) -> None:
    found = motives.judged(spark, city.settings, Days(city.days.first, city.days.last))
    assert found.matches > 0
