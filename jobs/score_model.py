"""Score the users of each month with each target's champion: probability, place, reasons; and watch what it sees."""

from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.campaigns.lists import willing
from churnlake.churn.leaving import is_active
from churnlake.core.job import Run
from churnlake.core.lake import Lake
from churnlake.models.frame import BESIDE, features_of, with_beside
from churnlake.models.hazard import HAZARD
from churnlake.models.score import Asked, hazards, placed, scored, watched
from churnlake.models.serving import champions
from churnlake.models.train import REGISTERED
from churnlake.models.watch import Limits, drift_frame, is_drawn
from churnlake.models.winback import WINBACK, gone
from churnlake.tables.churn import LEAVINGS, MODELS, SCORES
from churnlake.tables.features import MONTHLY
from churnlake.tables.judged import DRIFT, HAZARDS
from churnlake.tables.reference import OPT_OUTS
from jobs import job


@job(reads=(MONTHLY,), may_read=(MODELS, LEAVINGS, OPT_OUTS, *BESIDE), writes=(SCORES, HAZARDS, DRIFT))
def score_model(lake: Lake, run: Run) -> None:
    """One row per target and user active in the newest month that ends within the run; nothing is written before all champions fit."""
    months, settings = run.months("scoring"), run.settings
    if not months:
        return
    known, month, models = lake.read(MONTHLY), months[-1], settings.models
    if lake.has(OPT_OUTS):
        known = willing(known, lake.read(OPT_OUTS))
    count = known.where(F.col("month") == F.lit(month)).where(is_active(settings.churn)).count()
    if not count:
        run.left_out.append(f"scoring: no active user has features of {month:%Y-%m}; run job build_features over it first")
        return
    serves, left_out = champions(settings.tracking, models, REGISTERED, run.days.last)
    run.left_out += left_out
    told = run.facts.setdefault("told", [])
    told += [
        f"{target}: MLflow can not be reached; scored by the copy of version {champion.version}"
        for target, champion in serves.items()
        if champion.is_fallback
    ]
    wanted = {name for champion in serves.values() for name in champion.takes[0]}
    more = {table: lake.read(table) for table in BESIDE if lake.has(table)}
    for table, what in BESIDE.items():
        if table not in more and wanted & set(features_of(table)[0]):
            run.leaves_out(f"{what}, which a champion was taught with", table)
    now, _ = with_beside(known.where(F.col("month") == F.lit(month)).where(is_active(settings.churn)), more, wanted)
    for champion in serves.values():
        champion.check(now)
    hazard = serves.get(HAZARD)
    together = [champion.scoring(target) for target, champion in serves.items() if target not in (HAZARD, WINBACK)]
    parts = []
    if together or hazard:
        parts.append((now, Asked(together, hazard.hazard if hazard else None, is_drawn(count, models.drift, models.seed))))
    if WINBACK in serves:
        seen = gone(with_beside(known, more, wanted)[0], lake.read(LEAVINGS), month)
        one = serves[WINBACK].scoring(WINBACK)
        parts.append((seen, Asked([one], is_watched=is_drawn(seen.count(), models.drift, models.seed))))
    watching = settings.understanding
    limits = Limits(watching.moderate_drift, watching.great_drift, watching.chance_deviations)
    rows, moved, made = [], [], {}
    for features, asked in parts:
        found = lake.checkpoint(scored(features, asked, models))
        if asked.hazard and hazard:
            made[HAZARDS] = hazards(found, hazard.version)
        rows += [placed(found)] if asked.targets else []
        for target in (one.target for one in asked.targets):
            sample = watched(found, asked, target)
            of_columns, advice = serves[target].moved(sample, month, target, models.drift, limits)
            moved += of_columns
            told += [f"{target}: {advice}"] if advice else []
    if rows:
        made |= {SCORES: reduce(DataFrame.unionByName, rows), DRIFT: drift_frame(moved, known)}
    lake.write_all(made)


if __name__ == "__main__":
    score_model.main()
