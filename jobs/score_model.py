"""Score the users of each month with the champion: probability, place, reasons."""

from pyspark.sql import functions as F

from churnlake.campaigns.lists import willing
from churnlake.core.job import Run
from churnlake.core.lake import Lake
from churnlake.core.tracking import Tracker
from churnlake.models.fit import Contributions
from churnlake.models.frame import beside, features_of
from churnlake.models.score import score
from churnlake.tables.churn import MODELS, SCORES
from churnlake.tables.circles import NEIGHBOURS
from churnlake.tables.features import MONTHLY
from churnlake.tables.reference import OPT_OUTS
from jobs import job


@job(reads=(MONTHLY,), may_read=(MODELS, OPT_OUTS, NEIGHBOURS), writes=(SCORES,))
def score_model(lake: Lake, run: Run) -> None:
    """One row per user active in the newest month that ends within the run."""
    months = run.months("scoring")
    champion = Tracker(run.settings.tracking).champion() if months else None
    if champion is None:
        run.left_out += ["scoring: no champion in the registry yet"] if months else []
        return
    pipeline, notes = Tracker(run.settings.tracking).load(champion.version)
    active = f"last_use_days < {run.settings.churn.active_within_days} AND coalesce(is_suspended, 0) = 0"
    features = lake.read(MONTHLY, first=months[-1]).where(F.col("month") == F.lit(months[-1])).where(active)
    if lake.has(OPT_OUTS):
        features = willing(features, lake.read(OPT_OUTS))
    given = Contributions.from_notes(notes)
    spread = [name for name in features_of(NEIGHBOURS)[0] if name in given.numeric]
    if spread and not lake.has(NEIGHBOURS):
        run.leaves_out("neighbours who left, which the champion was taught with", NEIGHBOURS)
    features = beside(features, lake.read(NEIGHBOURS, first=months[-1]) if spread and lake.has(NEIGHBOURS) else None, spread)
    lake.write(SCORES, score(features, pipeline, given, champion.version, run.settings.models))


if __name__ == "__main__":
    score_model.main()
