"""A dry run on a lake there is: it foretells what the run then does, and leaves no trace; and what doctor reads of real tables."""

from pathlib import Path

import pytest
from hamlet import LINEAGE, Hamlet, key_files, sms
from pyspark.sql import SparkSession

from churnlake.__main__ import main
from churnlake.core.dry_run import plans
from churnlake.tables.clean import SMS


def content(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every path below a folder, when it was last changed, and what a file holds."""
    return {str(p): (p.stat().st_mtime_ns, p.read_bytes() if p.is_file() else b"") for p in sorted(folder.rglob("*"))}


@pytest.mark.parametrize(
    "chain", [("ingest_usage",), pytest.param(("ingest_usage", "build_daily"), marks=pytest.mark.heavy)], ids=["intake", "chain"]
)
def test_what_it_foretells_is_what_the_run_then_does(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str], chain: tuple[str, ...]
) -> None:
    hamlet = Hamlet(spark, tmp_path, key_files(tmp_path, 1))
    store = hamlet.settings.store
    given = [
        f"store.landing={store.landing}", f"store.lake={store.lake}", f"store.work={store.work}", f"store.feeds={store.feeds}",
        f"store.key_file={hamlet.keys[0]}", "store.allow_demo_key=false",
    ]  # fmt: skip
    arguments = [part for one in given for part in ("--set", one)]
    jobs = [job for job in LINEAGE.jobs if job.name in chain]
    hamlet.deliver("sms", 1, "one.csv", sms(("a", 1, 0, "1")))
    for job in jobs:
        job.run(spark, hamlet.settings, None, makers=LINEAGE.makers)
    hamlet.deliver("sms", 2, "two.csv", sms(("b", 2, 0, "1")))
    hamlet.deliver("sms", 3, "three.csv", sms(("c", 3, 1, "0")))

    before = content(tmp_path)
    assert main(["run", "--dry-run", "--only", "ingest_usage", *arguments]) == 0
    out, err = capsys.readouterr()
    foretold = {plan.job.name: plan for plan in plans(spark, hamlet.settings, jobs, None)}
    assert content(tmp_path) == before, "no table, no log, no lease"
    assert "the run log is asked by Spark" in err
    assert "raw.sms 2 files (0.0 MB); 1 taken in before" in out
    assert str(foretold[chain[-1]]).splitlines()[0].endswith("2005-05-02..2005-05-03")
    assert [plan.is_about for plan in foretold.values()] == [False, True][: len(chain)]

    for job in jobs:
        report = job.run(spark, hamlet.settings, None, makers=LINEAGE.makers)
        plan = foretold[job.name]
        written = {w.table.name: w.slices for w in report.written}
        assert {table.name: slices for table, slices in plan.slices} == written, job.name
        assert report.days == plan.days
    assert [w for w in foretold["ingest_usage"].slices if w[0] == SMS], "there was something to foretell"

    # nothing more is waiting: nothing is foretold
    nothing = {plan.job.name: plan for plan in plans(spark, hamlet.settings, jobs, None)}
    assert not any(plan.slices for plan in nothing.values())
    assert "build_daily" not in nothing or str(nothing["build_daily"].days) == "no day"

    (tmp_path / "key-0").chmod(0o600)
    before = content(tmp_path)
    assert main(["doctor", *arguments]) == 0
    lines = {line.split()[1]: line for line in capsys.readouterr().out.splitlines()}
    assert "written, none held back from readers" in lines["slices"]
    assert "tables lie under those of this code" in lines["contracts"]
    assert lines["batches"].startswith("ok    batches     2 of 3 files, all done")
    assert f"the newest {chain[-1]} at" in lines["runs"]
    assert content(tmp_path) == before
