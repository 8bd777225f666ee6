"""Settings of usage."""

from typing import Annotated

from pydantic import Field

from churnlake.core.settings import Model

Hour = Annotated[int, Field(ge=0, le=24)]


class UsageSettings(Model):
    """How days are cut up: night ends and begins at these hours (home cell by night, work cell by day)."""

    night_from_hour: Hour
    night_to_hour: Hour
