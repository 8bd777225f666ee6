"""A dry run tells what a run would do, and leaves no trace of itself; no JVM where there is no lake yet."""

from pathlib import Path

import pytest

from churnlake.__main__ import main
from churnlake.core.settings import load
from churnlake.core.shown import differing, shown
from churnlake.settings import Settings
from jobs.build_daily import build_daily
from jobs.generate_city import generate_city
from jobs.ingest_usage import ingest_usage
from jobs.maintain_lake import maintain_lake

SMS = "feed: sms\nformat: csv\nnumbers: dialled\nrows:\n  - record_id: id\n    number: number\n    peer_number: peer\n    direction: way\n"
SMS += "    started_at: {column: time, zone: Asia/Shanghai}\n"


def content(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every path below a folder, when it was last changed, and what a file holds."""
    return {str(p): (p.stat().st_mtime_ns, p.read_bytes() if p.is_file() else b"") for p in sorted(folder.rglob("*"))}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of files waiting and nothing else, which is the current folder, too."""
    for name in ("churnlake.core.dry_run", "churnlake.core.job", "churnlake.__main__"):
        monkeypatch.setattr(f"{name}.session", lambda *_: pytest.fail("Spark was started"))
    home = tmp_path / "home"
    (home / "feeds").mkdir(parents=True)
    (home / "feeds" / "sms.yaml").write_text(SMS)
    for day in (1, 2):
        folder = home / "landing" / "sms" / f"date=2005-05-{day:02}"
        folder.mkdir(parents=True)
        (folder / "one.csv").write_text(f"id,number,peer,time,way\n{day},13901234567,13901234568,2005-05-01 10:00:00,out\n")
    (home / "own.key").write_bytes(b"k" * 40)
    monkeypatch.chdir(home)
    return home


def given(home: Path, *more: str) -> list[str]:
    told = [
        f"store.landing={home}/landing", f"store.lake={home}/lake", f"store.work={home}/work", f"store.exports={home}/exports",
        f"store.feeds={home}/feeds", f"store.key_file={home}/own.key", f"tracking.uri=sqlite:///{home}/mlflow.db", *more,
    ]  # fmt: skip
    return ["--dry-run", *(part for one in told for part in ("--set", one))]


def block(out: str, job: str) -> str:
    """What is said of one job."""
    lines = out.partition("nothing is written.\n")[2].splitlines()
    start = next(place for place, line in enumerate(lines) if line.split()[:1] == [job])
    return "\n".join([lines[start], *(line for line in _while_indented(lines[start + 1 :]))])


def _while_indented(lines: list[str]) -> list[str]:
    end = next((place for place, line in enumerate(lines) if not line.startswith(" ")), len(lines))
    return lines[:end]


def test_a_chain_on_a_lake_not_made_yet(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = content(home.parent)
    assert main(["run", *given(home)]) == 0
    out = capsys.readouterr().out
    assert content(home.parent) == before, "no table, no log, no lease, no registry"
    usage = block(out, "ingest_usage")
    assert "ingest_usage         2005-05-01..2005-05-02" in usage
    assert "takes in      raw.sms 2 files (0.0 MB)" in usage
    assert "has no feed   raw.voice, raw.mms, raw.wap" in usage
    assert "may write     clean.sms: " in usage
    assert "will not      clean.voice, clean.mms, clean.wap: no file to take in" in usage
    assert "takes in      no new file" in block(out, "ingest_reference")
    daily = block(out, "build_daily")
    assert daily.startswith("build_daily          about 2005-05-01..2005-05-02")
    assert (
        "may write     daily.usage, daily.edges, daily.forwards, daily.places, daily.devices: 2 slices, 2005-05-01 to 2005-05-02"
        in daily
    )
    assert "will not      features.monthly, features.items, features.declines: no month ends" in block(out, "build_features")
    assert "would wait    no features.monthly yet, and build_features would make none" in block(out, "label_churn")
    assert f"* store.landing = {home}/landing  (landing)" in out
    assert "\n  store.city_zone = Asia/Shanghai\n" in out


def test_dates_are_those_of_the_run(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", *given(home), "--dates", "2005-05-01..2005-05-31"]) == 0
    out = capsys.readouterr().out
    assert block(out, "build_daily").startswith("build_daily          2005-05-01..2005-05-31")
    assert "features.monthly, features.items, features.declines: 2005-05-01" in block(out, "build_features")


def test_what_is_missing_is_named_with_who_makes_it_and_stops(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = content(home.parent)
    assert main(["run", *given(home), "--from", "build_circles"]) == 2
    told = capsys.readouterr()
    assert "would stop    daily.edges does not exist yet; run job build_daily first" in block(told.out, "build_circles")
    assert "not reached: find_signs, label_leaving" in told.out
    assert "run: a run would stop at build_circles: daily.edges does not exist yet; run job build_daily first" in told.err
    assert build_daily.command(given(home)) == 2
    assert "none of the tables it reads is there; run job ingest_usage first" in capsys.readouterr().err
    assert ingest_usage.command(given(home, f"store.landing={home}/nowhere")) == 2
    assert "a run would stop at ingest_usage: landing folder" in capsys.readouterr().err
    assert content(home.parent) == before


def test_every_job_answers_on_its_own(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = content(home.parent)
    assert ingest_usage.command([*given(home), "--dates", "2005-05-01"]) == 0
    out = capsys.readouterr().out
    assert "Dry run of 1 job, in this order; nothing is written.\ningest_usage         2005-05-01\n" in out
    assert "raw.sms 1 files" in out, "what was delivered later waits for another run"
    assert generate_city.command(given(home)) == 0
    assert "writes        no table" in capsys.readouterr().out
    assert maintain_lake.command(given(home)) == 0
    assert "only the job itself can tell" in capsys.readouterr().out
    assert content(home.parent) == before


def test_it_needs_no_java_before_there_is_a_lake(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(home))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr("churnlake.core.session._running", lambda: None)
    assert main(["run", *given(home)]) == 0
    assert main(["run", *given(home)[1:]]) == 2, "a run does"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("reentry.least_overlapp=0.4", "unknown setting 'reentry.least_overlapp'"),
        ("store.key_file=conf/none.key", "pseudonym key file conf/none.key does not exist"),
        ("store.feeds=./nowhere", "no feed files in "),
    ],
)
def test_what_stops_a_run_before_it_starts_stops_a_dry_run(
    home: Path, wrong: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = content(home.parent)
    assert main(["run", *given(home, wrong)]) == 2
    assert ingest_usage.command(given(home, wrong)) == 2
    assert told in capsys.readouterr().err
    assert content(home.parent) == before


def test_no_secret_is_shown(tmp_path: Path) -> None:
    secret = "Zs3cretZ"
    settings = load(
        Settings,
        "local",
        [
            f"spark.conf={{spark.hadoop.fs.s3a.secret.key: {secret}, spark.hadoop.fs.s3a.endpoint: here}}",
            f"spark.java_options=-Dsome.password={secret} -Da=b", f"tracking.uri=http://me:{secret}@host:80/x",
            f"privacy.erase_users=[{secret}]", f"store.key_file={secret}",
        ],
    )  # fmt: skip
    text = "\n".join(differing(settings, load(Settings, "base")))
    assert secret not in text
    for line in (
        "* spark.conf.spark.hadoop.fs.s3a.secret.key = ***  (not there)",
        "* spark.conf.spark.hadoop.fs.s3a.endpoint = here  (not there)",
        '* spark.java_options = -Dsome.password=*** -Da=b  ("")',
        "* tracking.uri = http://me:***@host:80/x  (sqlite:///mlflow.db)",
        "* privacy.erase_users = 1 users  (0 users)",
        '* store.key_file = ***  ("")',
    ):
        assert line in text.splitlines(), line
    assert shown("store.key_file", ["env:KEY", "/secrets/a.key", "s3://x/b.key"]) == "env:KEY, /secrets/a.key, s3://x/b.key"
