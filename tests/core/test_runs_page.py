"""The page of runs, from a made-up log; no Spark."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace

import pandas as pd
from made_up_runs import ERROR, FIRST, log, row, written
from made_up_site import made_up

from churnlake.site.data import SiteData
from churnlake.site.pages import pages
from churnlake.site.runs import chains_of, runs, runs_of


def told(frame: pd.DataFrame, least: int = 10):  # type: ignore[no-untyped-def]
    return runs_of(json.loads(frame.to_json(orient="records", date_format="iso")), least)


def test_a_run_is_one_entry_whatever_states_it_reached() -> None:
    found = {(run.began.date(), run.job): run for run in told(log())}
    day = FIRST.date()
    assert len(found) == len(told(log())) == 28 * 7 - 2 - 3 + 2, "two and three jobs were not come to, two ran alone"
    done = found[day, "ingest_usage"]
    assert (done.state, done.seconds, done.rows_in, done.rows_out, done.chain) == (
        "done",
        172.4,
        "21,000",
        "42,000",
        "c" + "0" * 11,
    )
    assert next((one.table, one.version, one.rows, one.aside) for one in done.written) == (
        "clean.voice", 30, "14,000", "21 quarantined, 14 duplicates",
    )  # fmt: skip
    assert done.written[3].rows == "fewer than 10", "nor can four be had from the sum, which leaves them out"
    assert done.written[0].slices == "2005-06-01 to 2005-06-02 (2)"
    assert done.began == FIRST + dt.timedelta(seconds=41)
    failed = found[day + dt.timedelta(3), "detect_reentry"]
    assert (failed.state, failed.rows_out) == ("failed", "")
    assert failed.message == ERROR.replace("13812345678", "#")
    assert found[day + dt.timedelta(5), "build_features"].state == "open"
    withheld = found[day + dt.timedelta(7), "ingest_usage"]
    assert (withheld.state, [one.table for one in withheld.written if one.is_withheld]) == ("withheld", ["clean.wap"])
    assert withheld.message == "clean.wap: only 4 of 100 rows are good (gate: 50%)"


def test_chains_come_newest_first_and_runs_of_none_stand_alone() -> None:
    chains = chains_of(told(log()))
    assert [chain.began for chain in chains] == sorted((chain.began for chain in chains), reverse=True)
    assert [len(chain.runs) for chain in chains[:2]] == [7, 7]
    assert chains[0].runs[0].job == "publish_site"
    assert {chain.runs[0].job for chain in chains if not chain.chain} == {"maintain_lake", "release"}
    assert [len(chain.wrong) for chain in chains].count(1) == 3


def test_rows_of_code_that_kept_less_are_read_as_well() -> None:
    old = pd.DataFrame([row("a", "build_daily", "done", FIRST, written=[written("daily.usage", 12, 3)])])
    (run,) = told(old.drop(columns=["chain", "peak_megabytes"]))
    assert (run.state, run.chain, run.megabytes, run.seconds, run.rows_out) == ("done", "", None, None, "12")


def test_a_run_that_wrote_few_rows_alone_tells_no_sum() -> None:
    (run,) = told(pd.DataFrame([row("a", "erase_user", "done", FIRST, written=[written("privacy.erased", 3, 1)])]))
    assert (run.written[0].rows, run.rows_out) == ("fewer than 10", "")
    (run,) = told(pd.DataFrame([row("a", "build_daily", "done", FIRST, written=[written("daily.usage", 0, 1)])]))
    assert run.rows_out == "0"


def test_the_page_tells_errors_and_what_slowed_down_and_names_nobody() -> None:
    page = pages(replace(made_up(), runs=log()))["runs.html"]
    assert "is done" in page
    assert "13812345678" not in page
    assert "somebody" not in page
    assert 'data-job="detect_reentry" data-state="failed"' in page
    slow = {one["job"]: one for one in runs(replace(made_up(), runs=log()))["jobs"]}
    assert slow["build_features"]["times"] > 1.5 > slow["build_daily"]["times"]
    assert '<span class="tag warn">1.6</span>' in page or '<span class="tag warn">1.7</span>' in page
    half = pages(replace(made_up(), runs=log(4)))["runs.html"]
    assert "did not go through: detect_reentry failed" in half
    assert "and not done since" in half
    assert "quality.runs has not been written" in pages(SiteData(last=dt.date(2005, 6, 30)))["runs.html"]
