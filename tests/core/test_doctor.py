"""What doctor says of a machine, of settings and of a lake that something is wrong with; no JVM is started and nothing changes."""

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from churnlake.__main__ import main
from churnlake.core import delta_log, examined, jars, machine
from churnlake.core.contract import INT, STRING, Column, Table
from churnlake.core.finding import FAIL, OK, WARN, Finding
from churnlake.core.key_versions import UNDER_WAY
from churnlake.core.landing import FILES
from churnlake.core.runs import RUNS
from churnlake.core.settings import load
from churnlake.core.storage import HALF
from churnlake.settings import Settings
from churnlake.tables.clean import SMS

KEY = b"thirty-two random bytes or more, as it should be"


class Home:
    """A folder with all that a run needs: key, landing, jars; and what doctor says of it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys = folder, capsys
        self.key = folder / "own.key"
        self.key.write_bytes(KEY)
        self.key.chmod(0o600)
        (folder / "landing" / "sms" / "date=2005-05-01").mkdir(parents=True)
        (folder / "landing" / "sms" / "date=2005-05-01" / "one.csv").write_text("x\n")
        self.lock = {"a.b:one:1.0": hashlib.sha256(b"one").hexdigest(), "a.b:two:2.0": hashlib.sha256(b"two").hexdigest()}
        monkeypatch.setattr(jars, "locked", lambda groups=(): self.lock)
        (folder / "jars").mkdir()
        (folder / "jars" / "one-1.0.jar").write_bytes(b"one")
        (folder / "jars" / "two-2.0.jar").write_bytes(b"two")

    def overrides(self, *more: str) -> list[str]:
        home = self.folder
        return [
            f"store.landing={home}/landing", f"store.lake={home}/lake", f"store.work={home}/work", f"store.exports={home}/exports",
            f"store.key_file={self.key}", "store.allow_demo_key=false", f"spark.jars={home}/jars", "spark.driver_memory=64m",
            f"tracking.uri=sqlite:///{home}/mlflow.db", *more,
        ]  # fmt: skip

    def told(self, *more: str) -> tuple[int, dict[str, str]]:
        """Exit code, and the line of each check."""
        code = main(["doctor", *(part for one in self.overrides(*more) for part in ("--set", one))])
        lines = self.capsys.readouterr().out.splitlines()
        return code, {line.split()[1]: line for line in lines[:-1]}

    def table(self, table: Table, rows: list[dict[str, Any]] | None = None, **properties: str) -> None:
        """A table of the lake as Delta would have left it, of one commit."""
        layer, _, noun = table.name.partition(".")
        folder = self.folder / "lake" / layer / noun
        (folder / "_delta_log").mkdir(parents=True)
        told = {"churnlake.contract": table.fingerprint, **properties}
        fields = [{"name": c.name, "type": c.type.simpleString(), "nullable": True, "metadata": {}} for c in table.stored_columns]
        actions: list[dict[str, Any]] = [
            {"metaData": {"schemaString": json.dumps({"type": "struct", "fields": fields}), "configuration": told}}
        ]
        if rows:
            parquet.write_table(pa.Table.from_pylist(rows), folder / "part.parquet")
            actions.append({"add": {"path": "part.parquet", "partitionValues": {}}})
        (folder / "_delta_log" / f"{0:020}.json").write_text("\n".join(map(json.dumps, actions)))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Home:
    # what the machine at hand has installed or free is not what is asked here
    monkeypatch.setattr(machine, "packages", lambda root: Finding("packages", OK, "not asked"))
    monkeypatch.setattr(machine, "LITTLE_FREE", 0)
    monkeypatch.setattr("churnlake.core.doctor.session", lambda *_: pytest.fail("Spark was started"))
    return Home(tmp_path, monkeypatch, capsys)


def logged(run: str, job: str, state: str, at: int, *slices: str) -> dict[str, Any]:
    """A row of the run log, as Spark leaves it: names within a column in great letters, as in its DDL."""
    written = [{"TABLE_NAME": "clean.sms", "SLICES": list(slices)}]
    moment = pa.scalar(at * 10**6, pa.timestamp("us", "UTC")).as_py()
    return {"run_id": run, "job": job, "state": state, "at": moment, "written": written}


def content(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every path below a folder, when it was last changed, and what a file holds."""
    return {str(p): (p.stat().st_mtime_ns, p.read_bytes() if p.is_file() else b"") for p in sorted(folder.rglob("*"))}


def test_all_is_well_and_nothing_was_changed(home: Home) -> None:
    sqlite3.connect(home.folder / "mlflow.db").close()
    before = content(home.folder)
    code, lines = home.told()
    assert code == 0
    assert {line.split()[0] for line in lines.values()} == {"ok"}, lines
    expected = (
        "python java packages settings jars memory zone key landing feeds lake vault work exports temporary mlflow contracts"
    )
    assert list(lines) == expected.split()
    assert "1 files in" in lines["landing"]
    assert "no lake at" in lines["contracts"]
    assert content(home.folder) == before


def test_no_java_is_one_line_among_others(tmp_path: Path) -> None:
    env = {"PATH": str(tmp_path), "HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    found = subprocess.run([sys.executable, "-m", "churnlake", "doctor"], capture_output=True, text=True, check=False, env=env)
    assert found.returncode == 2
    assert "fail  java        Java not found; install Java 17 or 21" in found.stdout
    assert "\nok    zone" in found.stdout, "the other checks are made all the same"
    assert "Traceback" not in found.stderr


def test_another_java_is_named(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    (tmp_path / "bin" / "java").chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    code, lines = home.told()
    assert code == 2
    assert lines["java"] == "fail  java        Java 11 found, but Spark needs Java 17 or 21; install one and set JAVA_HOME to it"


def test_a_jar_that_is_another_file_and_one_that_lacks(home: Home) -> None:
    (home.folder / "jars" / "two-2.0.jar").write_bytes(b"three")
    code, lines = home.told()
    assert code == 2
    assert "two-2.0.jar in" in lines["jars"]
    assert "is not the file locked; delete it and run make jars" in lines["jars"]
    assert (home.folder / "jars" / "two-2.0.jar").is_file(), "doctor removes nothing"
    (home.folder / "jars" / "one-1.0.jar").unlink()
    assert "one-1.0.jar not in" in home.told()[1]["jars"]


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("store.key_file={home}/none.key", "none.key does not exist; write 32 or more random bytes"),
        ("store.key_file=", "no pseudonym key given; write 32"),
        ("store.key_file=env:NO_SUCH_KEY", "env:NO_SUCH_KEY: no such environment variable; set it"),
        ("store.key_file=[{home}/own.key, {home}/own.key]", "names one key twice; give each key once"),
        ("store.key_file=conf/demo.key", "is the published demonstration key; write 32"),
    ],
)
def test_a_key_that_no_run_would_take(home: Home, setting: str, told: str) -> None:
    code, lines = home.told(setting.format(home=home.folder))
    assert code == 2
    assert lines["key"].startswith("fail")
    assert told in lines["key"]


def test_a_key_too_short_or_open_to_others(home: Home) -> None:
    home.key.chmod(0o644)
    code, lines = home.told()
    assert (code, lines["key"].split()[0]) == (2, "fail")
    assert f"{home.key} is open to every user of this machine; chmod o= {home.key}" in lines["key"]
    assert KEY.decode() not in "".join(lines.values())
    home.key.chmod(0o640)
    assert home.told()[0] == 0
    home.key.write_bytes(b"short")
    assert "holds 5 bytes; write 32" in home.told()[1]["key"]


def test_the_demonstration_key_is_well_where_it_is_allowed(home: Home) -> None:
    code, lines = home.told("store.key_file=conf/demo.key", "store.allow_demo_key=true")
    assert code == 0
    assert "for made-up data only" in lines["key"]


def test_a_folder_that_can_not_be_written_to(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = home.folder / "lake"
    lake.mkdir(mode=0o555)
    if os.geteuid() == 0:
        # root may write everywhere
        real = os.access
        monkeypatch.setattr(os, "access", lambda path, mode: real(path, mode) and not (Path(path) == lake and mode & os.W_OK))
    code, lines = home.told()
    assert code == 2
    assert lines["lake"] == f"fail  lake        {lake} can not be written to; let this user write there, or set store.lake"
    assert lines["work"].startswith("ok")
    code, lines = home.told(f"store.work={home.key}/work")
    assert f"{home.key} is a file" in lines["work"]


def test_little_room_is_a_warning_and_none_a_failure(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "LITTLE_FREE", 1e18)
    code, lines = home.told()
    assert code == 0
    assert lines["work"].startswith("warn")
    monkeypatch.setattr(machine, "LEAST_FREE", 1e18)
    code, lines = home.told()
    assert code == 2
    assert "make room, or set TMPDIR to a larger disk" in lines["temporary"]


def test_no_landing_folder_and_a_wrong_feed_file(home: Home) -> None:
    (home.folder / "feeds").mkdir()
    (home.folder / "feeds" / "sms.yaml").write_text("feed: pigeon\nformat: csv\nnumbers: dialled\nrows: [{}]\n")
    code, lines = home.told(f"store.landing={home.folder}/nowhere", f"store.feeds={home.folder}/feeds")
    assert code == 2
    assert "no folder" in lines["landing"]
    assert "is 'pigeon', but sms.yaml maps sms" in lines["feeds"]


def test_settings_that_can_not_be_leave_the_machine_looked_at(home: Home) -> None:
    code, lines = home.told("store.city_zone=Asia/Nowhere")
    assert code == 2
    assert lines["settings"] == "fail  settings    setting 'store.city_zone': there is no time zone 'Asia/Nowhere'"
    assert list(lines) == ["python", "java", "packages", "settings"]


@pytest.mark.parametrize(
    ("machine_gb", "state", "told"), [(64, OK, "the machine has 64.0 GB"), (5, WARN, "to at most 3g"), (3, FAIL, "at most 2g")]
)
def test_memory_asked_for_beside_that_of_the_machine(machine_gb: float, state: str, told: str) -> None:
    asked = load(Settings, "local").spark.model_copy(update={"driver_memory": "4g"})
    found = machine.memory(asked, machine_gb * 2**30)
    assert found.state == state
    assert told in str(found)


def test_packages_are_held_against_project_and_lock(tmp_path: Path) -> None:
    there = parquet.__name__ and pa.__version__
    project = '[project]\nname = "x"\ndependencies = ["pyarrow{}", "never-heard-of; python_version < \'3\'"]\n'
    (tmp_path / "pyproject.toml").write_text(project.format(">=1"))
    assert machine.packages(tmp_path) == Finding(
        "packages", OK, "the 2 that the project needs; no requirements.lock to hold them against"
    )
    (tmp_path / "requirements.lock").write_text(f"# locked\npyarrow=={there}\nonly-for-tests==1.0\n")
    assert machine.packages(tmp_path) == Finding("packages", OK, "1 of 2 locked ones, of their versions")
    (tmp_path / "requirements.lock").write_text("pyarrow==0.0.1\n")
    moved = machine.packages(tmp_path)
    assert (moved.state, moved.found) == (WARN, f"pyarrow is {there}, not ==0.0.1")
    (tmp_path / "pyproject.toml").write_text(project.format("==0.0.1"))
    assert machine.packages(tmp_path).state == FAIL
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\ndependencies = ["never-heard-of==1.0"]\n')
    assert "never-heard-of is not installed" in str(machine.packages(tmp_path))


def test_a_registry_out_of_reach_is_told_within_seconds_without_its_password(home: Home) -> None:
    began = time.monotonic()
    code, lines = home.told("tracking.uri=http://someone:secret@127.0.0.1:9")
    assert code == 2
    assert time.monotonic() - began < 20
    assert lines["mlflow"].startswith("fail  mlflow      http://someone:***@127.0.0.1:9 does not answer within 5 s")
    (home.folder / "mlflow.db").write_text("no database, but long enough to be taken for one" * 40)
    assert "file is not a database" in home.told()[1]["mlflow"]


def test_contracts_of_the_lake_are_held_against_the_code(home: Home) -> None:
    home.table(SMS)
    home.table(FILES)
    code, lines = home.told()
    assert code == 0
    assert "2 tables lie under those of this code" in lines["contracts"]
    home.table(RUNS, **{"churnlake.contract": "another"})
    before = content(home.folder)
    code, lines = home.told()
    assert code == 2
    assert "quality.runs at" in lines["contracts"]
    assert "run job migrate_lake" in lines["contracts"]
    assert content(home.folder) == before


def test_a_table_half_way_to_another_contract_or_key(home: Home) -> None:
    home.table(SMS, **{"churnlake.contract": f"{HALF} 3 x", "churnlake.key": f"a{UNDER_WAY}b"})
    _, lines = home.told()
    assert "clean.sms is half way to another contract; run job migrate_lake, to finish it" in lines["contracts"]
    assert "clean.sms half way to a new key; run job rotate_key" in lines["pseudonyms"]


def test_optional_columns_more_are_no_fault_and_two_keys_are() -> None:
    old = Table("a.one", "One.", (Column("x", INT, "X.", pseudonym="number"),))
    new = replace(old, columns=(*old.columns, Column("y", STRING, "Y.", optional=True)))
    storage = examined.Storage(examined.NO_SPARK, "lake")
    found = examined.contracts({new: ({"churnlake.contract": old.fingerprint}, ["x"])}, storage)
    assert (found.state, "optional columns are added to a.one" in found.found) == (OK, True)
    assert examined.contracts({new: ({"churnlake.contract": "?"}, ["x"])}, storage).state == FAIL
    two = {old: ({"churnlake.key": "k"}, ["x"]), new: ({"churnlake.key": "l"}, ["x"])}
    # one name for both: by their names tables are told apart
    two = {old: two[old], replace(new, name="a.two"): two[new]}
    assert examined.keys(two).state == FAIL


def test_leases_of_dead_runs_open_batches_and_runs_without_an_end(home: Home) -> None:
    home.table(FILES, [{"path": "sms/date=2005-05-01/one.csv", "feed": "sms", "batch": "b1", "batch_state": "open"}])
    home.table(
        RUNS,
        [logged("r1", "ingest_usage", "open", 1), logged("r2", "build_daily", "open", 1), logged("r3", "build_daily", "done", 2)],
    )
    leases = home.folder / "lake" / "_leases"
    leases.mkdir()
    holder = {"run_id": "r1", "host": "elsewhere", "pid": 1, "until": time.time() - 1}
    (leases / "ingest_usage").write_text(json.dumps(holder))
    before = content(home.folder)
    code, lines = home.told()
    assert code == 0, "the next run mends all three by itself"
    assert "left by runs that are dead: ingest_usage (run r1 on elsewhere, process 1)" in lines["leases"]
    assert lines["batches"] == "warn  batches     b1 of 1 files is open; run ingest_usage, which finishes it first"
    assert "came to no end: ingest_usage (r1, begun 1970-01-01 00:00)" in lines["runs"]
    assert "build_daily" not in lines["runs"], "a later run of it is done"
    assert content(home.folder) == before

    (leases / "ingest_usage").write_text(json.dumps({**holder, "until": time.time() + 60}))
    _, lines = home.told()
    assert {lines[name].split()[0] for name in ("leases", "batches", "runs")} == {"ok"}

    (leases / "ingest_usage").unlink()
    (home.folder / "landing" / "sms" / "date=2005-05-01" / "one.csv").unlink()
    code, lines = home.told()
    assert code == 2
    assert "1 of them are gone" in lines["batches"]


def test_slices_held_back_from_readers_are_named(home: Home) -> None:
    told = [logged("r1", "ingest_usage", "withheld", 1, "b1", "b2"), logged("r1", "ingest_usage", "done", 2, "b3")]
    home.table(RUNS, [*told, logged("r2", "release", "released", 3, "b2"), logged("r3", "ingest_usage", "open", 4, "b1")])
    code, lines = home.told()
    assert code == 0
    line = "warn  slices      held back from readers: clean.sms b1 (withheld); mend them, or python -m churnlake release"
    assert lines["slices"] == line


def test_a_lake_on_its_way_back_stops_everything(home: Home) -> None:
    home.table(RUNS, [logged("r", "restore", "restoring", 0)])
    code, lines = home.told()
    assert code == 2
    assert "python -m churnlake restore finishes that" in lines["runs"]


def test_the_log_of_a_table_is_read_from_its_checkpoint_on(tmp_path: Path) -> None:
    log = tmp_path / "_delta_log"
    log.mkdir()
    for name in ("one", "two", "three"):
        parquet.write_table(pa.table({"x": [name]}), tmp_path / f"{name}.parquet")

    def commit(version: int, *actions: dict[str, Any]) -> None:
        (log / f"{version:020}.json").write_text("\n".join(map(json.dumps, actions)))

    schema = json.dumps({"fields": [{"name": "x"}, {"name": "slice"}]})
    commit(0, {"metaData": {"schemaString": schema, "configuration": {"k": "old"}}})
    parts = pa.map_(pa.string(), pa.string())
    told = pa.table(
        {
            "metaData": pa.array(
                [{"schemaString": schema, "configuration": [("k", "whole")]}, None],
                pa.struct([("schemaString", pa.string()), ("configuration", parts)]),
            ),
            "add": pa.array(
                [None, {"path": "one.parquet", "partitionValues": [("slice", "a")]}],
                pa.struct([("path", pa.string()), ("partitionValues", parts)]),
            ),
        }
    )
    parquet.write_table(told, log / f"{1:020}.checkpoint.parquet")
    commit(1, {"add": {"path": "gone.parquet", "partitionValues": {}}})
    commit(2, {"add": {"path": "two.parquet", "partitionValues": {"slice": "b"}}})
    assert delta_log.described(tmp_path) == ({"k": "whole"}, ["x", "slice"])
    assert delta_log.rows(tmp_path, ["x", "slice"]) == [{"x": "two", "slice": "b"}, {"x": "one", "slice": "a"}]
    commit(
        3, {"remove": {"path": "two.parquet"}}, {"add": {"path": "three.parquet", "partitionValues": {"slice": "c"}}},
        {"metaData": {"schemaString": schema, "configuration": {"k": "new"}}},
    )  # fmt: skip
    assert delta_log.described(tmp_path)[0] == {"k": "new"}
    assert [row["x"] for row in delta_log.rows(tmp_path, ["x"])] == ["three", "one"]
