"""A lake that only Spark reaches, asked by a URI of this machine's own disk: what is done there by Hadoop's file system."""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from churnlake.core import checkpoints
from churnlake.core.landing_files import for_spark
from churnlake.core.leases import _HadoopFiles, _parsed, _text
from churnlake.core.storage import Storage
from churnlake.tables.clean import SMS


def test_a_lease_taken_over_meanwhile_is_given_back(spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = _HadoopFiles(spark, f"file://{tmp_path}")
    assert files.create("job", _text({"run_id": "dead"}))
    assert not files.create("job", _text({"run_id": "second"}))
    assert files.set_aside("job", "dead")
    assert files.create("job", _text({"run_id": "alive"}))
    # looked at before "alive" took it
    look, seen = files.read, iter([_text({"run_id": "dead"})])
    monkeypatch.setattr(files, "read", lambda job: next(seen, None) or look(job))
    assert not files.set_aside("job", "dead")
    assert _parsed(files.read("job"))["run_id"] == "alive"
    files.remove("job")
    assert files.read("job") == ""
    assert [path for path in (tmp_path / "_leases").iterdir() if not path.name.endswith(".crc")] == []


def test_a_table_is_made_where_a_run_was_killed_before_its_first_commit(spark: SparkSession, tmp_path: Path) -> None:
    storage = Storage(spark, f"file://{tmp_path}")
    (tmp_path / "clean" / "sms" / "_delta_log" / "_staged_commits").mkdir(parents=True)
    assert not storage.exists(SMS)
    assert storage.create(SMS)["churnlake.contract"] == SMS.fingerprint
    assert storage.version(SMS) == 0
    assert storage.create(SMS)["churnlake.contract"] == SMS.fingerprint


def test_rows_kept_on_a_cluster_are_files_and_go_when_the_job_ends(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with checkpoints.kept_in_lake(spark, str(tmp_path / "lake")):
        assert not (tmp_path / "lake").exists(), "one process keeps them in its session"
    monkeypatch.setattr(checkpoints, "_is_on_cluster", lambda _: True)
    before = spark.sparkContext.getCheckpointDir()
    with monkeypatch.context() as unset:
        unset.setattr(checkpoints, "_is_told", lambda _: False)
        with checkpoints.kept_in_lake(spark, str(tmp_path / "lake")):
            kept = checkpoints.checkpointed(spark.range(6).repartition(3).selectExpr("id * 2 as twice"))
            assert sorted(row["twice"] for row in kept.collect()) == [0, 2, 4, 6, 8, 10]
            assert len(list((tmp_path / "lake" / "_kept").rglob("part-*"))) == 3
            (tmp_path / "lake" / "_kept" / "of-a-run-killed").mkdir()
            assert checkpoints.clear_kept(spark, str(tmp_path / "lake")) == 1
            assert len(list((tmp_path / "lake" / "_kept").rglob("part-*"))) == 3, "not its own"
    assert list((tmp_path / "lake" / "_kept").iterdir()) == []
    spark.sparkContext.setCheckpointDir(str(Path(before or tmp_path).parent))


def test_a_file_of_this_machine_is_never_looked_for_in_a_cluster_s_own_store(spark: SparkSession, tmp_path: Path) -> None:
    file = tmp_path / "with space" / "a.csv"
    file.parent.mkdir()
    file.write_text("x\n")
    name, default = "fs.defaultFS", spark.sparkContext._jsc.hadoopConfiguration().get("fs.defaultFS")
    spark.sparkContext._jsc.hadoopConfiguration().set(name, "hdfs://nowhere:8020")
    try:
        assert spark.read.text(for_spark(file)).collect()[0]["value"] == "x"
    finally:
        spark.sparkContext._jsc.hadoopConfiguration().set(name, default)
