"""All settings: the kernel's and each domain's, composed. Values stand in conf/."""

from typing import Annotated

from pydantic import Field

from churnlake.campaigns.settings import CampaignsSettings
from churnlake.churn.settings import ChurnSettings
from churnlake.circles.settings import CircleSettings
from churnlake.core.settings import CoreSettings, Model
from churnlake.landing.settings import LandingSettings
from churnlake.models.settings import ModelsSettings
from churnlake.quality.settings import QualitySettings
from churnlake.reentry.settings import ReentrySettings
from churnlake.understanding.settings import UnderstandingSettings
from churnlake.usage.settings import UsageSettings


class CityChoice(Model):
    """Which synthetic city generate_city makes, and where its truth goes."""

    scenario: str
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    truth: str


class PrivacySettings(Model):
    """Whom to erase, and how few persons a page may show."""

    erase_users: tuple[str, ...]
    erase_file: str
    least_shown: Annotated[int, Field(ge=1)]


class RunnerSettings(Model):
    """Seconds each job may take on the demonstration city, 2 cores."""

    budgets: dict[str, float]


class Settings(CoreSettings):
    """Everything that can be set."""

    landing: LandingSettings
    usage: UsageSettings
    circles: CircleSettings
    churn: ChurnSettings
    reentry: ReentrySettings
    understanding: UnderstandingSettings
    models: ModelsSettings
    campaigns: CampaignsSettings
    quality: QualitySettings
    privacy: PrivacySettings
    city: CityChoice
    runner: RunnerSettings
