"""The session: one for all, and stopped by nobody who did not start it."""

import pytest
from pyspark.sql import SparkSession

from churnlake.core.errors import SettingsError
from churnlake.core.session import session
from churnlake.core.settings import load
from churnlake.settings import Settings


def test_who_lost_sight_of_the_session_neither_starts_nor_stops_one(spark: SparkSession) -> None:
    # what a thread finds whose connection to the JVM broke and was made anew
    of_jvm = SparkSession._get_j_spark_session_class(spark._jvm)
    of_jvm.clearActiveSession()
    try:
        assert SparkSession.getActiveSession() is None
        with session(load(Settings, "local").spark) as found:
            assert found is spark
        assert spark.range(3).count() == 3
    finally:
        of_jvm.setActiveSession(spark._jsparkSession)


def test_a_session_of_others_without_the_listener_can_send_no_events(spark: SparkSession) -> None:
    asked = load(Settings, "local", ["spark.openlineage=http://receiver:5000"]).spark
    with pytest.raises(SettingsError, match="Spark was started without its listener"), session(asked):
        pass
