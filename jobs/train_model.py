"""Teach both learners who leaves next month, judge them on the newest labelled month, keep the better as champion."""

from churnlake.campaigns.lists import willing
from churnlake.core.errors import MissingInputError
from churnlake.core.job import Run
from churnlake.core.lake import Lake
from churnlake.core.tracking import Tracker
from churnlake.models.frame import beside, features_of, labelled, selected, taught_months
from churnlake.models.train import report, train
from churnlake.tables.churn import LABELS, MODELS
from churnlake.tables.circles import NEIGHBOURS
from churnlake.tables.features import MONTHLY, SELECTION
from churnlake.tables.reference import OPT_OUTS
from jobs import job


@job(reads=(MONTHLY, SELECTION, LABELS), may_read=(OPT_OUTS, NEIGHBOURS), writes=(MODELS,))
def train_model(lake: Lake, run: Run) -> None:
    """One row per learner fitted, into churn.models; the champion, into the registry.

    Taught are the modelling indicators of the newest selection not later than the newest month taught with, and how many of a
    user's neighbours have left.
    """
    settings = run.settings.models
    labels, features, selection = lake.read(LABELS), lake.read(MONTHLY), lake.read(SELECTION)
    if lake.has(OPT_OUTS):
        features = willing(features, lake.read(OPT_OUTS))
    try:
        numeric, categories = selected(selection, taught_months(features, labels, settings)[-1], MONTHLY)
        if lake.has(NEIGHBOURS):
            spread, _ = features_of(NEIGHBOURS)
            features, numeric = beside(features, lake.read(NEIGHBOURS), spread), [*numeric, *spread]
        else:
            run.leaves_out("neighbours who left", NEIGHBOURS)
        trained = train(
            labelled(features, labels, settings.label, numeric, categories),
            numeric,
            categories,
            settings,
            lake.checkpoint,
        )
    except MissingInputError as error:
        # a young lake has nothing to teach yet; the rest of the chain goes on without a model
        run.left_out.append(f"training: {error}")
        return
    version = Tracker(run.settings.tracking).log_model(
        trained.champion.pipeline, f"churn {run.days.last}", training_key=trained.training_key, params=trained.params(), metrics=trained.metrics(),
        numeric=trained.numeric, categories=trained.categories, inputs=lake.versions_read, notes=trained.contributions.to_notes(),
    )  # fmt: skip
    lake.write(MODELS, report(trained, run.days.last, version.version, labels))
    run.facts["champion"] = trained.champion.learner


if __name__ == "__main__":
    train_model.main()
