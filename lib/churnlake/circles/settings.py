"""Settings of circles."""

from typing import Annotated

from pydantic import Field

from churnlake.core.settings import Model


class CircleSettings(Model):
    """The decayed signature: weekly decay, how far back it looks, how many peers it keeps."""

    weekly_decay: Annotated[float, Field(gt=0, le=1)]
    horizon_weeks: Annotated[int, Field(ge=1)]
    peers_kept: Annotated[int, Field(ge=1)]
