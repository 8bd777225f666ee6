"""Reasons in words: what callers and readers of pages are told."""

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from churnlake.models.frame import BESIDE, features_of
from churnlake.tables.meanings import FLAGS, MEANINGS, in_words


def test_reasons_are_told_as_sentences(spark: SparkSession) -> None:
    told = {
        "peers_lost high (+1.0 sd)": "Peers of the month before not met any more: more than most",
        "peers_lost low (-0.4 sd)": "Peers of the month before not met any more: somewhat less than most",
        "voice_out_calls low (-3.2 sd)": "Calls made and answered: far less than most",
        "stage_days high (+6.1 sd)": "Days in a warning or alarm stage: far more than most",
        "sign_hotline high (+5.0 sd)": "The competitor's hotline was called",
        "is_new low (-0.5 sd)": f"Not so: {MEANINGS['is_new']}",
        "brand is EasyOwn": "brand is EasyOwn",
        "of_my_own high (+2.0 sd)": "of_my_own high (+2.0 sd)",
    }
    given = spark.createDataFrame([(list(told),), ([],), (None,)], "reasons array<string>")
    assert [row[0] for row in given.select(in_words(F.col("reasons"))).collect()] == [list(told.values()), [], None]


def test_every_feature_beside_the_indicators_has_words_and_no_two_the_same() -> None:
    names = [name for table in BESIDE for name in features_of(table)[0]]
    assert set(names) <= set(MEANINGS)
    assert len({MEANINGS[name] for name in names}) == len(names)
    assert not [name for name in names if MEANINGS[name].startswith("Of these")]
    assert set(MEANINGS) >= FLAGS
