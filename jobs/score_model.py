"""Score the users of each month with each target's champion: probability, place, reasons; and watch what it sees."""

from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.campaigns.lists import willing
from churnlake.churn.leaving import is_active
from churnlake.core.job import Run
from churnlake.core.lake import Lake
from churnlake.models.frame import BESIDE, beside, features_of
from churnlake.models.hazard import HAZARD
from churnlake.models.score import hazards, placed, scored, scores
from churnlake.models.serving import champions
from churnlake.models.train import REGISTERED
from churnlake.models.watch import Limits, drawn, drift_frame
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
    for table, what in BESIDE.items():
        names = [name for name in features_of(table)[0] if any(name in champion.takes[0] for champion in serves.values())]
        more = lake.read(table) if lake.has(table) else None
        if names and more is None:
            run.leaves_out(f"{what}, which a champion was taught with", table)
        known = beside(known, more, names) if names else known
    now = known.where(F.col("month") == F.lit(month)).where(is_active(settings.churn))
    for champion in serves.values():
        champion.check(now)
    together = [champion.scoring(target) for target, champion in serves.items() if target not in (HAZARD, WINBACK)]
    hazard = serves.get(HAZARD)
    rows, moved, made = [], [], {}
    if together or hazard:
        found = lake.checkpoint(scored(now, together, hazard.hazard if hazard else None, models))
        rows = [placed(found)] if together else []
        made = {HAZARDS: hazards(found, hazard.version)} if hazard else {}
    watched = settings.understanding
    limits = Limits(watched.moderate_drift, watched.great_drift, watched.chance_deviations)
    sample = lake.checkpoint(drawn(now, count, models.drift, models.seed)) if together else now
    for target, champion in serves.items():
        if target == HAZARD:
            continue
        seen, users = sample, count
        if target == WINBACK:
            seen = gone(known, lake.read(LEAVINGS), month)
            users = seen.count()
            rows.append(scores(seen, [champion.scoring(target)], models))
        of_columns, advice = champion.moved(seen, users, month, target, models, limits)
        moved += of_columns
        told += [f"{target}: {advice}"] if advice else []
    if rows:
        made |= {SCORES: reduce(DataFrame.unionByName, rows), DRIFT: drift_frame(moved, known)}
    lake.write_all(made)


if __name__ == "__main__":
    score_model.main()
