"""Teach the learners each target, judge them on the newest labelled month, keep the best as champion or challenger."""

from pathlib import Path

from churnlake.campaigns.lists import willing
from churnlake.churn.labels import closes_on
from churnlake.churn.leaving import ACTIVE_BY, is_active
from churnlake.core.errors import MissingInputError
from churnlake.core.job import Run
from churnlake.core.lake import Lake
from churnlake.core.tracking import Tracker
from churnlake.models.frame import BESIDE
from churnlake.models.hazard_lesson import learn_hazard
from churnlake.models.lesson import Lesson, Row, Tiers, asked, offered
from churnlake.models.parts import judged_frame
from churnlake.models.train import REGISTERED, report
from churnlake.models.winback import responses
from churnlake.tables.churn import LABELS, LEAVINGS, MODELS
from churnlake.tables.daily import USAGE
from churnlake.tables.features import MONTHLY, SELECTION
from churnlake.tables.judged import JUDGED
from churnlake.tables.reentry import MATCHES
from churnlake.tables.reference import OPT_OUTS, TOUCHES
from jobs import job

ANSWERED = (TOUCHES, LEAVINGS, USAGE, MATCHES)
"""Contacts, and what tells whether who had left came back."""


@job(reads=(MONTHLY, SELECTION, LABELS), may_read=(OPT_OUTS, *BESIDE, *ANSWERED), writes=(MODELS, JUDGED))
def train_model(lake: Lake, run: Run) -> None:
    """One row per target and learner fitted, into churn.models, and per part of the customers, into churn.judged; models, into the registry.

    Taught are the modelling indicators of the newest selection not later than the newest month taught with, how far a user's own
    use has fallen, how many neighbours have, and the stage of leaving at the month's end.
    """
    settings, last = run.settings, run.days.last
    labels, features = lake.read(LABELS), lake.read(MONTHLY)
    if lake.has(OPT_OUTS):
        features = willing(features, lake.read(OPT_OUTS))
    more = {table: lake.read(table) for table in BESIDE if lake.has(table)}
    for table, what in BESIDE.items():
        if table not in more:
            run.leaves_out(what, table)
    if all(lake.has(table) for table in ANSWERED):
        touches, leavings, usage, matches = (lake.read(table) for table in ANSWERED)
        labels = labels.unionByName(responses(touches, leavings, usage, matches, settings.models.winback_days, last))
    tiers = Tiers(settings.campaigns.value_feature, settings.campaigns.value_quantile)
    trackers = {target: Tracker(settings.tracking, REGISTERED[target]) for target in settings.models.targets}
    # read and joined once, not for each target
    labels, selection = lake.checkpoint(labels), lake.checkpoint(lake.read(SELECTION))
    kept = {"brand", tiers.feature, *ACTIVE_BY, *(name for tracker in trackers.values() for name in asked(tracker))}
    given = Lesson(
        lake.checkpoint(offered(features, selection, labels, kept)), labels, selection,
        {table: lake.checkpoint(rows) for table, rows in more.items()}, last,
        settings.models, tiers, settings.privacy.least_shown, lake.checkpoint, lake.versions_read,
        is_active(settings.churn), lambda month, target: closes_on(month, settings.churn, target),
    )  # fmt: skip
    before = [lake.read(table) if lake.has(table) else None for table in (MODELS, JUDGED)]
    models: list[Row] = []
    judged: list[Row] = []
    for target, tracker in trackers.items():
        try:
            learnt = learn_hazard(given, tracker, before[1]) if target == "hazard" else given.learnt(target, tracker, *before)
        except MissingInputError as error:
            # a young lake has nothing to teach yet; the rest of the chain goes on without this model
            run.left_out.append(f"training of {target}: {error}")
            continue
        models, judged = models + learnt.models, judged + learnt.judged
        run.facts.setdefault("told", []).append(f"{target}: {learnt.told}")
        if learnt.promoted:
            tracker.keep(learnt.promoted, Path(settings.store.work) / "champions" / tracker.name)
    if judged:
        lake.write_all({MODELS: report(models, features), JUDGED: judged_frame(judged, features)})


if __name__ == "__main__":
    train_model.main()
