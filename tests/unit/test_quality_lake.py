"""Days of a hamlet judged: what a failed check tells, what is hidden for it, and how it comes back."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from hamlet import LINEAGE, NUMBERS, SMS, TABLES, Hamlet, key_files
from pyspark.sql import SparkSession

from churnlake.core.job import Report
from churnlake.core.lake import Lake, Scope
from churnlake.core.release import release
from churnlake.core.runs import Days
from churnlake.evaluate.leaks import leaks
from churnlake.tables.clean import SMS as SMS_TABLE

FIRST, THIN = dt.date(2005, 5, 9), dt.date(2005, 5, 13)
"""A week of work days; on the last one a fifth of the usual records comes."""
USUAL = 400


def run(hamlet: Hamlet, name: str, first: dt.date = FIRST, last: dt.date = THIN) -> Report:
    job = next(job for job in LINEAGE.jobs if job.name == name)
    return job.run(hamlet.spark, hamlet.settings, Days(first, last), makers=LINEAGE.makers)


def summary(hamlet: Hamlet) -> Any:
    return json.loads((hamlet.home / "work" / "quality" / "summary.json").read_text(encoding="utf-8"))


def deliver(hamlet: Hamlet, day: dt.date, count: int, broken: int = 0, name: str = "a.csv") -> None:
    lines = [
        f"{day:%d}{name[0]}{i},{NUMBERS[f'user-{i % 5}']},{NUMBERS[f'user-{(i + 1) % 5}']},"
        f"{day} {i % 24:02}:{i % 60:02}:00,{'out' if i >= broken else 'sent 13901234560 Wang'}"
        for i in range(count)
    ]
    hamlet.deliver("sms", day.day, name, SMS + "\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def hamlet(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Hamlet:
    home = tmp_path_factory.mktemp("judged")
    # so few numbers repeat themselves, and so few days teach: what is judged here is what follows from a verdict
    bands = ["quality.band_least_days=4", "quality.new_normal_days=30", "quality.least_rows=40"]
    found = Hamlet(spark, home, key_files(home, 1), bands)
    for n in range(4):
        deliver(found, FIRST + dt.timedelta(n), USUAL, broken=30 if n == 3 else 0)
    deliver(found, THIN, USUAL // 5, broken=2)
    run(found, "ingest_usage")
    return found


def days_seen(hamlet: Hamlet) -> tuple[set[dt.date], str]:
    """The days that readers of clean.sms see, and what they are told of others."""
    lake = Lake(hamlet.spark, hamlet.settings.store, Scope("test", Days(FIRST, THIN), TABLES, ()))
    days = {row["day"] for row in lake.read(SMS_TABLE).select("day").distinct().collect()}
    return days, "".join(lake.why_skipped(name) for name in lake.skipped)


def test_a_day_of_a_fifth_of_its_volume_is_hidden_until_released_and_not_hidden_again(hamlet: Hamlet) -> None:
    week = {FIRST + dt.timedelta(n) for n in range(4)}
    told = run(hamlet, "check_quality").facts["failed"]
    (line,) = [line for line in told if line.startswith("error")]
    assert line.startswith("error 2005-05-13 clean.sms: rows of the day, against past days (rows 78, expected ")
    assert "file sms/date=2005-05-13/a.csv, 2 of its 80 rows of that day set aside; touches daily.usage, daily.edges and " in line
    release_it = "python -m churnlake release --table clean.sms --slice 2005-05-13 --why TEXT"
    assert told[-1] == f"withdrawn from readers: clean.sms 2005-05-13; mend it or let it be seen: {release_it}"
    assert summary(hamlet)["withdrawn"] == {"clean.sms": ["2005-05-13"]}
    assert days_seen(hamlet) == (week, f"2005-05-13 withdrawn, mend it or let it be seen: {release_it}"), (
        "a warning hides nothing"
    )
    run(hamlet, "publish_site")
    page = (hamlet.home / "work" / "site" / "quality.html").read_text(encoding="utf-8")
    assert release_it in page
    assert "<code>99x99,9{11},9{11},9999-99-99 99:99:99,xxxx 9{11} Xxxx</code>" in page, "30 lines are enough for a sample"
    assert page.count('<td class="shapes"><code>') == 1, "2 lines are not"
    assert leaks(hamlet.settings).hits == []
    release(hamlet.spark, hamlet.settings, SMS_TABLE, ["2005-05-13"], "a strike, known")
    assert days_seen(hamlet) == ({*week, THIN}, "")
    told = run(hamlet, "check_quality", THIN, THIN).facts["failed"]
    assert [line.split()[0] for line in told if not line.startswith("warn")] == ["error"], "as bad as before, and let through"
    assert "since 2005-05-09" in next(line for line in told if "on-net share" in line), "known from an earlier run"
    assert days_seen(hamlet) == ({*week, THIN}, "")
