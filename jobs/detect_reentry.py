"""Find joiners who are customers that left, or are leaving, under another number."""

from pyspark.sql import functions as F

from churnlake.circles import groups
from churnlake.core.job import Run
from churnlake.core.lake import Lake
from churnlake.reentry import assignment, candidates, evidence, joiners
from churnlake.tables.churn import LEAVINGS
from churnlake.tables.circles import PEERS, SIGNATURES
from churnlake.tables.daily import DEVICES, EDGES, PLACES, USAGE
from churnlake.tables.reentry import JOINERS, MATCHES, PERSONS
from churnlake.tables.reference import LIVES, SUBSCRIBERS
from jobs import job


@job(
    reads=(USAGE, EDGES, PLACES, DEVICES, SIGNATURES, PEERS, LEAVINGS),
    may_read=(LIVES, SUBSCRIBERS),
    writes=(JOINERS, MATCHES, PERSONS),
)
def detect_reentry(lake: Lake, run: Run) -> None:
    """One row per joiner and stage; one per match; one per user of several of a person."""
    settings = run.settings.reentry
    since = joiners.first_day_needed(run.days, settings)
    own = lake.checkpoint(joiners.own_days(lake.read(USAGE, first=since)))
    edges, devices, places = (lake.read(table, first=since) for table in (EDGES, DEVICES, PLACES))
    lives = lake.read(LIVES) if lake.has(LIVES) else None
    begins = lake.read(USAGE).agg(F.min("day").alias("day")).collect()[0]["day"]
    due = lake.checkpoint(joiners.joiners(own, lives, begins or run.days.first, run.days, settings))
    met = lake.checkpoint(joiners.circles(due, edges))

    document = None
    if lake.has(SUBSCRIBERS):
        document = candidates.by_document(due, lake.read(SUBSCRIBERS), settings)
    else:
        run.leaves_out("document evidence", SUBSCRIBERS)
    told = lake.checkpoint(candidates.telling(met, lake.read(PEERS), settings))
    circle = candidates.by_circle(told, lake.read(SIGNATURES), settings)
    pairs = lake.checkpoint(evidence.gather(told, circle, candidates.by_handset(due, devices, settings), document, settings))
    weighed = lake.checkpoint(evidence.with_old_use(pairs, own, settings))
    weighed = evidence.with_talk(evidence.with_places(weighed, places), edges)
    likely = evidence.with_probability(weighed, settings).where(F.col("probability") >= settings.least_probability)

    before = lake.read(MATCHES).where(F.col("known_on") < F.lit(run.days.first)) if lake.has(MATCHES) else None
    assigned = assignment.assign(likely, before, lake.checkpoint)
    lake.write(JOINERS, joiners.scopes(due, met, pairs, settings))
    lake.write(MATCHES, assignment.matches(assigned, lake.read(LEAVINGS)))
    final = lake.read(MATCHES, as_of_run=False).where(F.col("stage_days") == max(settings.stages))
    lake.write(PERSONS, groups.persons(final, lake.checkpoint))


if __name__ == "__main__":
    detect_reentry.main()
