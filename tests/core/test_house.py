"""Lineage, command line, generated pages and the rules of the house; no JVM needed."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from churnlake.__main__ import main
from churnlake.core.contract import INT, Column, Indicator, Table
from churnlake.core.errors import LineageError
from churnlake.core.job import declare
from churnlake.core.lineage import Lineage
from churnlake.generated import pages
from churnlake.indicators.checks import refuse_wrong
from churnlake.indicators.units import SHARE
from churnlake.settings import Settings

ROOT = Path(__file__).parents[2]
A = Table("a.one", "One.", (Column("x", INT, "X."),))
B = Table("a.two", "Two.", (Column("x", INT, "X."),))


def test_each_job_runs_after_those_whose_tables_it_reads() -> None:
    lineage = Lineage.of_package()
    order = [job.name for job in lineage.jobs]
    for job in lineage.jobs:
        assert all(order.index(above) < order.index(job.name) for above in lineage.upstream(job)), job.name
    assert order[0] == "generate_city"
    asked = [job.name for job in lineage.jobs if job.on_request]
    assert order[-len(asked) :] == asked
    assert order[-len(asked) - 1] == "publish_site"
    chain = [job.name for job in lineage.chain()]
    assert "generate_city" not in chain, "an operator has its own files"
    assert not set(asked) & set(chain)
    assert [job.name for job in lineage.chain("plan_campaigns")] == chain[chain.index("plan_campaigns") :]
    assert [job.name for job in lineage.chain(only="rotate_key")] == ["rotate_key"]
    assert [job.name for job in lineage.chain(until="build_daily")] == ["ingest_reference", "ingest_usage", "build_daily"]


def test_two_makers_and_a_circle_are_refused() -> None:
    def one(lake: object, run: object) -> None:
        """Nothing."""

    def two(lake: object, run: object) -> None:
        """Nothing."""

    with pytest.raises(LineageError, match=r"a\.one is written by one and by two"):
        Lineage.of([declare(Settings, writes=[A])(one), declare(Settings, writes=[A])(two)])
    with pytest.raises(LineageError, match="wait for each other"):
        Lineage.of([declare(Settings, reads=[B], writes=[A])(one), declare(Settings, reads=[A], writes=[B])(two)])


@pytest.mark.parametrize(
    ("argv", "code", "told"),
    [
        (["run", "--dates", "2005-5-1"], 2, "write a day as 2005-05-01"),
        (["run", "--set", "reentry.x=1"], 2, "unknown setting 'reentry.x'"),
        (["run", "--only", "build_dayly"], 2, "no job 'build_dayly'; there are"),
        (["run", "--until", "build_dayly"], 2, "no job 'build_dayly'; there are"),
        (["run", "--until", "build_daily", "--from", "ingest_usage"], 2, "not allowed with argument --until"),
        (["run", "--env", "moon"], 2, "no environment 'moon'"),
        (["run", "--nonsense"], 2, "unrecognized arguments"),
        (["run", "--workflow", "hourly"], 2, "invalid choice: 'hourly'"),
        (["run", "--workflow", "daily", "--only", "build_daily"], 2, "not allowed with argument --workflow"),
        (["rum"], 2, "no command 'rum'"),
        (["ddl", "clean.voise"], 2, "no stored table"),
        (["indicators", "calls"], 0, ""),
        (["foresight", "--users", "0"], 2, "argument --users: 0 is no whole number of at least 1"),
        (["foresight", "--users", "-5"], 2, "argument --users: -5 is no whole number of at least 1"),
        (["indicators", "items", "voice"], 0, ""),
        (["indicators", "items:", "voice"], 0, ""),
        (["indicators", "voice"], 0, ""),
        (["indicators", "voice_out_calls_mon_19"], 0, ""),
        (["indicators", "call"], 2, "no view, type or indicator 'call'; did you mean calls, call peers, "),
        (["indicators", "fee"], 2, "did you mean fee structure, "),
        (["indicators", "peer_entopy"], 2, "did you mean peer_entropy, "),
        (["indicators", "items", "voise"], 2, "did you mean items: voice"),
        (["indicators", "zzzz"], 2, "the views and types are basic, fee structure, "),
        (["tables", "--help"], 0, ""),
        (["ddl", "--nonsense"], 2, "unrecognized arguments: --nonsense"),
        (["dictionary", "--wright"], 2, "unrecognized arguments: --wright"),
        (["explain"], 2, "one of the arguments --user --user-id is required"),
        (["explain", "--user", "1", "--user-id", "2"], 2, "not allowed with argument --user"),
        (["lineage"], 0, ""),
        (["tables"], 0, ""),
        (["ddl"], 0, ""),
    ],
)
def test_the_command_line_answers_without_a_trace(
    argv: list[str], code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(argv) == code
    err = capsys.readouterr().err
    assert told in err
    assert "Traceback" not in err


def test_a_wrong_feed_file_is_told_before_spark_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sms.yaml").write_text("feed: pigeon\nformat: csv\nnumbers: dialled\nrows: [{}]\n")
    monkeypatch.setattr("churnlake.__main__.session", lambda *_: pytest.fail("Spark was started"))
    assert main(["run", "--set", f"store.feeds={tmp_path}", "--set", f"store.work={tmp_path}"]) == 2
    assert f"feed file {tmp_path}/sms.yaml: feed: is 'pigeon', but sms.yaml maps sms" in capsys.readouterr().err


def test_what_a_job_is_declared_by_is_checked_before_spark_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = Indicator("x", SHARE, "X.", monthly="own_events / voice_out_calls")
    build_features = next(job for job in Lineage.of_package().jobs if job.name == "build_features")
    assert build_features.declared == refuse_wrong
    monkeypatch.setattr("churnlake.core.job.session", lambda *_: pytest.fail("Spark was started"))
    code = replace(build_features, declared=lambda: refuse_wrong([wrong])).command(["--set", f"store.work={tmp_path}"])
    assert code == 3
    assert "may not be as they are: x divides by voice_out_calls, which may be 0" in capsys.readouterr().err


def test_a_missing_java_gets_one_line_that_says_what_to_install(tmp_path: Path) -> None:
    env = {"PATH": str(tmp_path), "HOME": str(tmp_path)}
    found = subprocess.run([sys.executable, "-m", "jobs.build_daily"], capture_output=True, text=True, check=False, env=env)
    assert found.returncode == 2
    assert found.stderr.strip().count("\n") == 0
    assert "Java not found; install Java 17 or 21" in found.stderr


def test_asking_what_is_declared_starts_no_jvm() -> None:
    code = "import sys; from churnlake.__main__ import main; [main([c]) for c in ('tables', 'ddl', 'dictionary', 'lineage')]; from pyspark import SparkContext; sys.exit(SparkContext._gateway is not None)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr[-500:]
    assert "Gateway" not in found.stderr


@pytest.mark.parametrize("path", [str(p) for p in pages()])
def test_generated_pages_are_fresh(path: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == pages()[Path(path)], "run make docs"


def test_the_dictionary_has_each_table_once() -> None:
    told = re.findall(r"^### (\S+\.\S+)$", pages()[Path("lib/churnlake/tables/README.md")], flags=re.MULTILINE)
    assert len(told) == len(set(told)) >= len(Lineage.of_package().tables)


def test_the_dictionary_tells_the_unit_of_every_indicator() -> None:
    text = pages()[Path("lib/churnlake/tables/README.md")]
    for table, row in (
        ("features.monthly", "| own_events_7d | bigint | events | yes |"),
        ("features.items", "| voice_out_calls_mon_19 | bigint | calls | yes |"),
        ("daily.usage", "| voice_out_seconds | bigint | seconds |  |"),
    ):
        part = text.partition(f"### {table}\n")[2].partition("\n### ")[0]
        assert "| column | type | unit | null | meaning | may hold |" in part
        assert row in part
        assert re.search(r"^\| user_id \| bigint \|  \|", part, re.MULTILINE), "a key has none"
    assert text.count("| column | type | unit |") == 3


SOURCES = sorted((ROOT / "lib").rglob("*.py")) + sorted((ROOT / "jobs").glob("*.py"))


def test_tables_are_overwritten_in_one_place_and_by_slices_only() -> None:
    found = [
        p
        for p in SOURCES
        if re.search(
            r"""mode\(\s*["']overwrite["']\s*\)|\.overwritePartitions|insertInto|partitionOverwriteMode""", p.read_text()
        )
        and p.parent.name not in ("city", "evaluate")
    ]
    # jobs write by way of the lake alone; a new key, a new contract, an erasure and compaction are no job's result and go over all tables there are;
    # a line repaired goes from one batch to another in one commit, which no write of a run's own slices can do
    assert [p.name for p in found] == [
        "erased.py",
        "erasure.py",
        "lake.py",
        "maintenance.py",
        "repair.py",
        "rewriting.py",
    ]
    for path in found:
        assert path.read_text().count('mode("overwrite")') == path.read_text().count('"replaceWhere"')


@pytest.mark.parametrize(
    ("library", "importer"),
    [("great_expectations", "core/quality.py"), ("mlflow", "core/tracking.py"), ("graphframes", "circles/groups.py")],
)
def test_heavy_libraries_have_one_importer_and_load_late(library: str, importer: str) -> None:
    pattern = re.compile(rf"^(\s*)(?:from|import) {library}", re.MULTILINE)
    found = {
        p.relative_to(ROOT / "lib/churnlake").as_posix(): pattern.findall(p.read_text())
        for p in SOURCES
        if p.is_relative_to(ROOT / "lib") and pattern.search(p.read_text())
    }
    assert list(found) == [importer]
    assert all(indent for indent in found[importer]), "import it inside a function"


def test_no_module_level_column_no_row_udf_no_unstable_ids() -> None:
    for path in SOURCES:
        text = path.read_text()
        assert not re.search(r"^[A-Z_]+ = .*F\.(col|lit|expr)\(", text, re.MULTILINE), path
        assert not re.search(
            r"F\.udf\(|@udf|monotonically_increasing_id|dropDuplicates|partitionOverwriteMode|\bF\.rand\(\)", text
        ), path


def test_files_stay_small_and_names_say_something() -> None:
    assert not [p for p in SOURCES if len(p.read_text().splitlines()) > 400]
    tests = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(tests) == sorted(set(tests)), "pytest takes two tests of one name for one module"
    assert not [p for p in SOURCES if p.stem in {"utils", "helpers", "common", "misc", "util", "helper"}]
