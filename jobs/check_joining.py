"""Check activations at the counter (t0) as their files come: who is a customer of ours already, and what the counter may say."""

from pyspark.sql import functions as F

from churnlake.core.job import Run
from churnlake.core.lake import Lake
from churnlake.core.streaming import arrived, follow
from churnlake.landing import clean, reference
from churnlake.reentry import joining
from churnlake.tables.joining import COUNTER_REMINDERS, JOINING_CHECKS
from churnlake.tables.raw import RAW_ACTIVATIONS
from churnlake.tables.reference import ACTIVATIONS, SUBSCRIBERS
from jobs import job


@job(may_read=(RAW_ACTIVATIONS, SUBSCRIBERS), writes=(ACTIVATIONS, JOINING_CHECKS, COUNTER_REMINDERS), streams=True)
def check_joining(lake: Lake, run: Run) -> None:
    """One row per line into reference.activations; of each activation one into reentry.joining_checks, one into reentry.counter_reminders."""
    settings, store = run.settings.reentry, run.settings.store
    if not lake.has(SUBSCRIBERS):
        run.leaves_out("whom documents and numbers name", SUBSCRIBERS)

    def take() -> None:
        raw = lake.read(RAW_ACTIVATIONS)
        opaque = lake.landing.feed(RAW_ACTIVATIONS).is_opaque
        rows = reference.activations(raw, lake.key, run.settings.landing, store.city_zone, opaque)
        lake.merge(ACTIVATIONS, clean.in_time(rows, store.looks_back_days, "activated_on"))
        new = lake.checkpoint(arrived(lake, RAW_ACTIVATIONS, ACTIVATIONS))
        register = lake.read(SUBSCRIBERS, as_of_run=False) if lake.has(SUBSCRIBERS) else None
        checks = joining.checked(new, register, settings).withColumn("checked_at", F.current_timestamp())
        lake.merge(JOINING_CHECKS, checks)
        ids = raw.select(reference.activation_key().alias("activation_key"), "activation_id").distinct()
        said = lake.read(JOINING_CHECKS, as_of_run=False).join(
            F.broadcast(new.select("activation_key")), on="activation_key", how="left_semi"
        )
        lake.merge(COUNTER_REMINDERS, joining.reminders(new.join(ids, on="activation_key", how="inner"), said))

    follow(
        lake,
        run,
        RAW_ACTIVATIONS,
        ACTIVATIONS,
        take,
        every_seconds=settings.joining.every_seconds,
        files_a_batch=settings.joining.files_a_batch,
    )


if __name__ == "__main__":
    check_joining.main()
