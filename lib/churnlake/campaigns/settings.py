"""Settings of the campaign lists."""

from __future__ import annotations

from typing import Literal

from churnlake.core.settings import Model


class CampaignsSettings(Model):
    """Who is worth a contact, how many can be made, and how many are left alone."""

    value_feature: str
    value_quantile: float
    propensity_share: float
    cells: tuple[Literal["care_and_retain", "retain", "care", "passive"], ...]
    capacity: int
    control_share: float
    seed: int
