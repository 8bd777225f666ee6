"""Settings of usage."""

from churnlake.core.settings import Model


class UsageSettings(Model):
    """How days are cut up: night ends and begins at these hours (home cell by night, work cell by day)."""

    night_from_hour: int
    night_to_hour: int
