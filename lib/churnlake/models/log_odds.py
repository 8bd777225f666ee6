"""A learner's probability as log-odds, the scale on which all learners are calibrated and compared."""

from __future__ import annotations

from pyspark import keyword_only
from pyspark.ml import Transformer
from pyspark.ml.functions import array_to_vector, vector_to_array
from pyspark.ml.param import Param, Params, TypeConverters
from pyspark.ml.util import DefaultParamsReadable, DefaultParamsWritable
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

MARGIN = "margin"
LEAST = 1e-9


class LogOdds(Transformer, DefaultParamsReadable, DefaultParamsWritable):  # type: ignore[misc, type-arg]
    """Adds MARGIN, a vector of one number: the log-odds of the second entry of ``raw_probability``, less ``lowered``.

    A learner taught with positives counted c times says odds c times too high: ``lowered`` is ln c (King and Zeng 2001). It is a stage of the
    pipeline, so that what is kept in the registry says the same wherever it is loaded.
    """

    lowered: Param[float] = Param(Params._dummy(), "lowered", "taken from the log-odds", typeConverter=TypeConverters.toFloat)

    @keyword_only
    def __init__(self, *, lowered: float = 0.0) -> None:
        super().__init__()
        self._setDefault(lowered=0.0)
        self._set(lowered=lowered)

    def _transform(self, dataset: DataFrame) -> DataFrame:
        sure = F.least(F.greatest(vector_to_array(F.col("raw_probability"))[1], F.lit(LEAST)), F.lit(1 - LEAST))
        odds = F.log(sure / (1 - sure)) - F.lit(float(self.getOrDefault(self.lowered)))
        return dataset.withColumn(MARGIN, array_to_vector(F.array(odds)))
