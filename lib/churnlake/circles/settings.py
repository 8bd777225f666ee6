"""Settings of circles."""

from churnlake.core.settings import Model


class CircleSettings(Model):
    """The decayed signature: weekly decay, how far back it looks, how many peers it keeps."""

    weekly_decay: float
    horizon_weeks: int
    peers_kept: int
