"""Which of two models serves: the new one only where it finds more than the champion, beyond noise, on the newest month."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame

from churnlake.core.tracking import CHALLENGER, CHAMPION
from churnlake.models.fit import probability
from churnlake.models.learners import LABEL
from churnlake.models.settings import PromotionSettings
from churnlake.stats.comparison import Comparison, compare, joint


@dataclass(frozen=True)
class Verdict:
    """The alias a new version gets, None for none, and why."""

    alias: str | None
    why: str

    @property
    def serves(self) -> bool:
        """Whether it is the champion from now on."""
        return self.alias == CHAMPION


FIRST = Verdict(CHAMPION, "the first of its name")


def compared(new: PipelineModel, champion: PipelineModel, rows: DataFrame, settings: PromotionSettings, seed: int) -> Comparison:
    """How the two rank the same users of a month that neither was taught.

    Args:
        new: the model that wants to serve, from raw columns to probability.
        champion: the one that does.
        rows: one row per user: label and the raw columns of both.
        settings: resamples and level.
        seed: of the resamples.
    """
    scored = new.transform(rows).select(*rows.columns, probability().alias("of_new"))
    scored = champion.transform(scored).select(LABEL, "of_new", probability().alias("of_champion"))
    return ranked(scored, settings, seed)


def ranked(scored: DataFrame, settings: PromotionSettings, seed: int) -> Comparison:
    """How two scores rank the same users: ``scored`` has one row per user, label, of_new and of_champion."""
    return compare(joint(scored, "of_new", "of_champion", LABEL).collect(), settings.resamples, settings.level, seed)


def unfair(tags: Mapping[str, str], known_on: dt.date, month: dt.date) -> Verdict | None:
    """Why a new version can not be compared with the champion of these tags on the month, and what it is then; None where it can."""
    if tags.get("known_on", "") > str(known_on):
        return Verdict(None, f"the champion was taught by what became known on {tags['known_on']}, after {known_on}")
    if str(month) in tags.get("train_months", "").split(","):
        return Verdict(CHALLENGER, f"the champion was taught {month:%Y-%m}, the month that would compare them")
    return None


def verdict(version: str, found: Comparison, settings: PromotionSettings) -> Verdict:
    """What the comparison with the champion of that version says."""
    told = (
        f"area under precision and recall {found.one:.4f} against {found.other:.4f} of champion {version}, difference "
        f"{found.difference:+.4f} ({settings.level:.0%} interval {found.least:+.4f} to {found.most:+.4f})"
    )
    if found.is_better:
        return Verdict(CHAMPION, f"better beyond noise: {told}")
    return Verdict(CHALLENGER, f"not better beyond noise: {told}")
