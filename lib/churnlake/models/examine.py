"""What is found out about a training once the learner is chosen: by part, what it leans on, and what each group of features brings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.ml import PipelineModel

from churnlake.models.fit import ASSEMBLED, prepared
from churnlake.models.importance import ablated, permuted
from churnlake.models.learners import FEATURES, LABEL
from churnlake.models.parts import WHOLE, Part, by_part, profit
from churnlake.models.settings import ModelsSettings
from churnlake.models.train import Material, Trained
from churnlake.stats.gains import Gains


@dataclass(frozen=True)
class Examined:
    """By part how it ranks, by feature what shuffling it costs, by group of features what leaving it out costs."""

    parts: dict[Part, Gains]
    importance: list[tuple[str, float]]
    ablation: dict[str, float]

    @property
    def whole(self) -> Gains:
        """The ranking of all customers tested."""
        return self.parts[WHOLE]

    def metrics(self, settings: ModelsSettings) -> dict[str, float]:
        """What is said of the ranking beyond its measures, flat."""
        money = {name: value for name, value in profit(self.whole, settings.profit).items() if value is not None}
        shuffled = {f"importance.{name}": value for name, value in self.importance}
        return {**money, **shuffled, **{f"ablation.{_plain(name)}": value for name, value in self.ablation.items()}}


def examined(
    trained: Trained,
    given: Material,
    settings: ModelsSettings,
    high_value_quantile: float,
    groups: Mapping[str, Sequence[str]],
) -> Examined:
    """Of the chosen learner, calibrated without the newest month, on that month.

    Args:
        trained: what was fitted.
        given: what it was taught with; its rows, and so those of the newest month, have parts.BRAND and parts.VALUE.
        settings: what is asked.
        high_value_quantile: share of the customers below the high value tier.
        groups: features by group, for the ablation.
    """
    tiers = (min(settings.low_value_quantile, high_value_quantile), high_value_quantile)
    # from the feature vector on: the rows have it already
    model = PipelineModel(trained.judging.stages[ASSEMBLED:])
    parts = by_part(model, trained.newest, tiers, settings.profit)
    months = {("month", month): gains for month, gains in trained.gains.items()}
    # of the newest month the money is known, too
    months["month", f"{given.split.test.month:%Y-%m}"] = parts[WHOLE]
    importance = permuted(model, trained.newest, trained.profile, settings.importance, settings.seed)
    lost: dict[str, float] = {}
    if settings.ablation:
        # cut from the plan of hundreds of columns: there are as many fits as groups
        ready = given.checkpoint(prepared(given.taught(settings), trained.profile)[0].select(FEATURES, LABEL))
        lost = ablated(trained.champion.candidate, ready, trained.newest, trained.profile, groups)
    return Examined({**parts, **months}, importance, lost)


def _plain(name: str) -> str:
    return name.replace(" ", "_").replace(":", "")
