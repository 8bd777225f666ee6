"""Settings of data understanding."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from churnlake.core.settings import Count, Model, NonEmpty, Share

AtLeastOne = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]


class UnderstandingSettings(Model):
    """How a month is sampled and profiled, what makes an indicator fit for models, who is abnormal.

    ``abnormal``: by kind, the SQL condition over features.monthly that makes a user of that kind.
    """

    sample_users: AtLeastOne
    sample_by: str
    seed: int
    bins: Annotated[int, Field(ge=2)]
    levels: AtLeastOne
    most_missing: Share
    most_common: Share
    most_levels_share: Share
    most_correlation: Share
    least_pairs: Annotated[int, Field(ge=2)]
    moderate_drift: Positive
    great_drift: Positive
    chance_deviations: Annotated[float, Field(ge=0)]
    outlier_reach: Positive
    least_outlier_rows: Count
    least_outlier_spread: Positive
    least_marks: AtLeastOne
    marks_named: AtLeastOne
    abnormal: dict[str, NonEmpty]
