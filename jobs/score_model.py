"""Score the users of each month with each target's champion: probability, place, reasons; and watch what it sees."""

from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churnlake.campaigns.lists import willing
from churnlake.churn.leaving import is_active
from churnlake.core.job import Run
from churnlake.core.lake import Lake
from churnlake.models.frame import BESIDE, beside, features_of
from churnlake.models.hazard import hazards
from churnlake.models.serving import refusal, serving
from churnlake.models.train import REGISTERED
from churnlake.models.watch import Limits, drift_frame
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
    active = is_active(settings.churn)
    known = lake.read(MONTHLY)
    if lake.has(OPT_OUTS):
        known = willing(known, lake.read(OPT_OUTS))
    now = F.col("month") == F.lit(months[-1])
    more = {table: lake.read(table) for table in BESIDE if lake.has(table)}
    watched, told, scored, moved, made = settings.understanding, run.facts.setdefault("told", []), [], [], {}
    limits = Limits(watched.moderate_drift, watched.great_drift, watched.chance_deviations)
    count = known.where(now).where(active).count()
    for target in settings.models.targets if count else ():
        champion = serving(settings.tracking, REGISTERED[target], settings.models.fall_back_to)
        why = refusal(champion, run.days.last)
        if champion is None or why:
            run.left_out.append(f"scoring of {target}: {why}")
            continue
        if champion.is_fallback:
            told.append(f"{target}: MLflow can not be reached; scored by the copy of version {champion.version}")
        given = known
        for table, what in BESIDE.items():
            names = [name for name in features_of(table)[0] if name in champion.takes[0]]
            if names and table not in more:
                run.leaves_out(f"{what}, which the champion of {target} was taught with", table)
            given = beside(given, more.get(table), names) if names else given
        given = gone(given, lake.read(LEAVINGS), months[-1]) if target == WINBACK else given.where(now).where(active)
        champion.check(given)
        if target == "hazard":
            made[HAZARDS] = hazards(champion.pipeline, given, *champion.takes, champion.version)
            continue
        scored.append(champion.scores(given, target, settings.models))
        users = given.count() if target == WINBACK else count
        rows, advice = champion.moved(given, users, months[-1], target, settings.models, limits)
        moved += rows
        told += [f"{target}: {advice}"] if advice else []
    if not count:
        run.left_out.append(f"scoring: no active user has features of {months[-1]:%Y-%m}; run job build_features over it first")
    if scored:
        made |= {SCORES: reduce(DataFrame.unionByName, scored), DRIFT: drift_frame(moved, known)}
    lake.write_all(made)


if __name__ == "__main__":
    score_model.main()
