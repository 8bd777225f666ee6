"""What a lake says of its own warnings: the AUC of the four forecasts, and days of warning before leaving."""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churnlake.core.runs import Days
from churnlake.evaluate.content import lake_of
from churnlake.settings import Settings
from churnlake.tables.stages import FORECASTS_JUDGED, LEAD_TIMES


def judged(spark: SparkSession, settings: Settings, days: Days) -> dict[str, float]:
    """Figures of a lake by name (``figures``)."""
    lake = lake_of(spark, settings, days, FORECASTS_JUDGED, LEAD_TIMES)
    return figures(*[lake.read(table) if lake.has(table) else None for table in (FORECASTS_JUDGED, LEAD_TIMES)])


def figures(forecasts: DataFrame | None, lead_times: DataFrame | None) -> dict[str, float]:
    """Figures by name: ``forecast_<name>_auc`` of the newest time it was judged; of leavings confirmed in the newest month told
    ``warning_days_median``, ``warned_share`` and ``warned_days_median`` (of the warned alone). What is not known has no name.
    """
    found: dict[str, float] = {}
    if forecasts is not None:
        told = forecasts.where("roc_auc IS NOT NULL").groupBy("forecast").agg(F.max_by("roc_auc", "known_on").alias("auc"))
        # four forecasts
        found = {f"forecast_{row['forecast']}_auc": float(row["auc"]) for row in told.orderBy("forecast").collect()}
    newest = None if lead_times is None else lead_times.orderBy(F.desc("month")).first()
    if newest is not None:
        found |= {"warning_days_median": float(newest["median_days"]), "warned_share": newest["warned"] / newest["leavers"]}
        if newest["warned_median_days"] is not None:
            found["warned_days_median"] = float(newest["warned_median_days"])
    return found
