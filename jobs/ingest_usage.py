"""Take in new files of voice, SMS, MMS and WAP records: pseudonymise, judge, drop repeats."""

from churnlake.core.job import Run
from churnlake.core.lake import Lake
from churnlake.landing import clean
from churnlake.tables.clean import MMS, SMS, VOICE, WAP
from churnlake.tables.raw import RAW_MMS, RAW_SMS, RAW_VOICE, RAW_WAP
from jobs import job


@job(may_read=(RAW_VOICE, RAW_SMS, RAW_MMS, RAW_WAP), writes=(VOICE, SMS, MMS, WAP))
def ingest_usage(lake: Lake, run: Run) -> None:
    """One row per record delivered, into the clean tables."""
    store = run.settings.store
    cleaned = {}
    for raw, table, clean_of in clean.FEEDS:
        if lake.has(raw):
            opaque = lake.landing.feed(raw).is_opaque
            rows = clean_of(lake.read(raw), lake.key, run.settings.landing, store.city_zone, opaque)
            cleaned[table] = clean.in_time(rows, store.looks_back_days)
    lake.write_all(cleaned)


if __name__ == "__main__":
    ingest_usage.main()
