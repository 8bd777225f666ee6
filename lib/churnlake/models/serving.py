"""The champion as scoring finds it: from the registry, or where that is out of reach and only if told to, the copy kept at its promotion."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame

from churnlake.core.errors import ContractError, UnreachableError
from churnlake.core.settings import TrackingSettings
from churnlake.core.tracking import Tracker, kept
from churnlake.models.fit import Contributions
from churnlake.models.hazard import Hazard
from churnlake.models.score import Scoring
from churnlake.models.settings import DriftSettings, ModelsSettings
from churnlake.models.watch import Limits, Row, advised, drift

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Serving:
    """A champion: its name, version, pipeline and notes, and whether it is the copy rather than the registry's."""

    name: str
    version: str
    pipeline: PipelineModel
    notes: dict[str, Any]
    is_fallback: bool

    @property
    def contributions(self) -> Contributions:
        """What explains its scores."""
        return Contributions.from_notes(self.notes)

    @property
    def known_on(self) -> str:
        """The day whose knowledge it was taught with, as text; empty where the notes do not say."""
        return str(self.notes.get("known_on", ""))

    @property
    def takes(self) -> tuple[list[str], list[str]]:
        """The numbers and the categories that it takes."""
        return list(self.notes["numeric"]), list(self.notes["categories"])

    def check(self, features: DataFrame) -> None:
        """Raise ContractError where columns that it takes are gone."""
        numeric, categories = self.takes
        gone = [name for name in (*numeric, *categories) if name not in features.columns]
        if gone:
            raise ContractError(
                f"version {self.version} of {self.name} takes columns that features no longer have: {', '.join(gone)}; nothing was scored. "
                "Run job train_model, or point the alias champion to a version that fits"
            )

    def scoring(self, target: str) -> Scoring:
        """What scores the target."""
        return Scoring(target, self.pipeline, self.contributions, self.version, self.is_fallback)

    @property
    def hazard(self) -> Hazard:
        """What tells of the two exits, where that is what it was taught."""
        return Hazard(self.pipeline, *self.takes)

    def moved(
        self, sample: DataFrame, month: dt.date, target: str, settings: DriftSettings, limits: Limits
    ) -> tuple[list[Row], str | None]:
        """Rows of churn.drift: how far inputs and scores of a month have moved from the months taught; and why to teach again, if so."""
        if "drift" not in self.notes:
            return [], None
        found = drift(sample, self.notes["drift"], limits)
        rows = [{**row, "month": month, "target": target, "model_version": self.version} for row in found]
        return rows, advised(found, settings)


def serving(tracking: TrackingSettings, name: str, fall_back_to: str) -> Serving | None:
    """The champion of that name, or None while there is none.

    Raises UnreachableError where the registry can not be reached and ``fall_back_to``, the folder with the copies, is not given;
    MissingInputError where it has no copy.
    """
    try:
        tracker = Tracker(tracking, name)
        champion = tracker.champion()
        if champion is None:
            return None
        pipeline, notes = tracker.load(champion.version)
    except UnreachableError as error:
        if not fall_back_to:
            raise UnreachableError(f"{error}; or let the copies kept at promotion score, with models.fall_back_to") from error
        logger.warning("%s: %s", name, error)
        pipeline, notes, version = kept(Path(fall_back_to) / f"{tracking.model_prefix}{name}")
        return Serving(name, version, pipeline, notes, True)
    return Serving(name, champion.version, pipeline, notes, False)


def champions(
    tracking: TrackingSettings, settings: ModelsSettings, registered: Mapping[str, str], last: dt.date
) -> tuple[dict[str, Serving], list[str]]:
    """By target the champion that scores in a run up to that day; and of the other targets, why they are not scored.

    Args:
        tracking: where the registry is.
        settings: which targets, and the folder with copies.
        registered: by target, the name of its model.
        last: the run's last day.

    Raises:
        UnreachableError, MissingInputError: as ``serving``.
    """
    found: dict[str, Serving] = {}
    left_out: list[str] = []
    for target in settings.targets:
        champion = serving(tracking, registered[target], settings.fall_back_to)
        why = refusal(champion, last)
        if champion is None or why:
            left_out.append(f"scoring of {target}: {why}")
        else:
            found[target] = champion
    return found, left_out


def refusal(champion: Serving | None, last: dt.date) -> str | None:
    """Why a run up to that day does not score with the champion, or None."""
    if champion is None:
        return "no champion in the registry yet"
    if champion.known_on > str(last):
        return f"the champion was taught by what became known on {champion.known_on}, after {last}"
    return None
