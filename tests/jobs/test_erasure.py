"""Users erased: no trace in any file, every line still accounted for, and nothing that comes later brings them back."""

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hamlet import DAYS, LINEAGE, NUMBERS, Hamlet, key_files, sms
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from churnlake.core import erasure
from churnlake.core.erased import ERASED, ERASURES, roles
from churnlake.core.errors import BusyError, MissingInputError, SettingsError
from churnlake.core.job import Report
from churnlake.core.lake import Lake
from churnlake.core.landing import FILES
from churnlake.core.leases import lease
from churnlake.core.rules import STATE_KNOWN, checks
from churnlake.core.storage import Storage, properties
from churnlake.core.testing import rows as rows_of
from churnlake.evaluate.content import content
from churnlake.tables.clean import SMS
from churnlake.tables.daily import USAGE
from churnlake.tables.reference import LIVES, OPT_OUTS, SUBSCRIBERS
from churnlake.tables.vault import NUMBERS as VAULT

JOBS = ("ingest_reference", "ingest_usage", "build_daily")
HEADER = "user,number,since,until,joined,imsi,document"
ONE, NONE = NUMBERS["user-1"], "13000000000"
GOOD = (("a", 1, 0, "1"), ("b", 1, 1, "0"), ("c", 2, 2, "3"), ("d", 2, 3, "13012345678"), ("h", 2, 1, "2"))
# too few fields, naming two of them; the user's own with a time nobody can read; one that names nobody
BROKEN = f"f,{NUMBERS['user-0']},{ONE},2005-05-02\ng,{ONE},{NUMBERS['user-0']},yesterday,out\ne,139,12,2005-05-02 10:00:00,out\n"


def register(*lives: tuple[str, str, str, str]) -> str:
    """A register of (user, number, since, until)."""
    lines = [f"{user},{number},{since},{until},2005-01-01,46000{number},110101{number}" for user, number, since, until in lives]
    return "\n".join([HEADER, *lines]) + "\n"


def settled(spark: SparkSession, home: Path, keys: list[str]) -> Hamlet:
    """A hamlet in which five people wrote to each other: made once, each test has a copy."""
    made = Path(keys[0]).parent / "hamlet"
    if not made.is_dir():
        first = Hamlet(spark, made, keys)
        first.deliver_subscribers(1)
        first.deliver(
            "opt_outs", 1, "choices.csv", "user,on,choice\nuser-1,2005-05-01,out\nuser-2,2005-05-01,out\nuser-1,2005-05-01\n"
        )
        first.deliver("sms", 2, "first.csv", sms(*GOOD) + BROKEN)
        first.run(*JOBS)
    shutil.copytree(made, home, dirs_exist_ok=True)
    return Hamlet(spark, home, keys, [f"store.exports={home}/exports"])


def erase(hamlet: Hamlet, *users: str, file: str = "") -> Report:
    kept, hamlet.extra = hamlet.extra, [*hamlet.extra, f"privacy.erase_users=[{', '.join(users)}]", f"privacy.erase_file={file}"]
    try:
        return hamlet.run("erase_user")["erase_user"]
    finally:
        hamlet.extra = kept


def traces(hamlet: Hamlet, user: str) -> set[str]:
    """Every pseudonym that stands for a user alone, and its number, as text."""
    number = NUMBERS[user]
    lake = hamlet.lake()
    made = {"user": user, "number": number, "imsi": f"46000{number}", "document": f"110101{number}"}
    asked = hamlet.spark.range(1).select(*[lake.key.renewed(lake.key.pseudonym(F.lit(v), k)).alias(k) for k, v in made.items()])
    row = asked.first()
    assert row is not None
    return {*map(str, row), number, user}


def values(home: Path) -> Iterator[tuple[Path, str]]:
    """Every value in every Parquet file, and every word of every other file, of the lake, the vault and the exports."""
    for path in sorted(
        p for p in home.rglob("*") if p.is_file() and p.relative_to(home).parts[0] in ("lake", "lake-vault", "exports")
    ):
        if path.suffix == ".parquet":
            for column in pq.read_table(path).to_pydict().values():
                yield from ((path, text) for value in column for text in _words(str(value)))
        elif path.suffix != ".crc" or "_delta_log" in path.parts:
            yield from ((path, text) for text in _words(path.read_text(encoding="utf-8", errors="replace")))


def _words(text: str) -> list[str]:
    return "".join(c if c.isalnum() or c == "-" else " " for c in text).split()


def where(hamlet: Hamlet, looked_for: set[str]) -> set[str]:
    return {str(path.relative_to(hamlet.home)) for path, text in values(hamlet.home) if text in looked_for}


def states(hamlet: Hamlet, table: Any = SMS) -> dict[str, int]:
    return {row["state"]: row["count"] for row in hamlet.lake().ledger(table).groupBy("state").count().collect()}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return key_files(tmp_path_factory.mktemp("keys"))


def test_a_user_erased_leaves_no_trace_and_never_comes_back(
    spark: SparkSession, tmp_path: Path, keys: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    hamlet = settled(spark, tmp_path, keys[:1])
    looked_for = traces(hamlet, "user-1")
    before = where(hamlet, looked_for)
    layers = (
        "lake/clean/sms",
        "lake/reference/subscribers",
        "lake/reference/lives",
        "lake/daily/edges",
        "lake/daily/usage",
        "lake-vault/numbers",
    )
    assert all(any(path.startswith(layer) for path in before) for layer in layers), before
    assert any("_delta_log" in path for path in before), "the log tells the least and most of sorted columns"
    came, others = states(hamlet), hamlet.lake().read(USAGE).count()

    # the number stands in a file, not on a command line
    asked = tmp_path / "asked.txt"
    asked.write_text(f"# asked for on paper\nnumber +86{ONE}\n")
    with caplog.at_level(logging.INFO, logger="churnlake"):
        report = erase(hamlet, file=str(asked))
    assert where(hamlet, looked_for) == set()
    assert ONE not in caplog.text
    assert states(hamlet) == {"good": came["good"] - 2, "bad": came["bad"] - 1, "suppressed": 3}
    assert sum(came.values()) == sum(states(hamlet).values()), "in = good + quarantined + duplicates + suppressed"
    assert states(hamlet, OPT_OUTS) == {"good": 1, "suppressed": 1, "bad": 1}

    lake = hamlet.lake()
    left = {row["state"]: row for row in lake.ledger(SMS).where("state = 'suppressed'").collect()}["suppressed"].asDict()
    assert {name for name, value in left.items() if value is not None} == {"batch", "file_id", "delivered_on", "state"}
    # the others' records stay, without the one they wrote to or who wrote to them; broken lines that name nobody stay as they are
    assert lake.read(SMS).where("peer_key IS NULL").count() == 1
    texts = lake.ledger(SMS).where("state = 'bad'").select(lake.key.decrypt(F.col("raw_text")).alias("t")).collect()
    assert sorted(row["t"][:1] if row["t"] else "" for row in texts) == ["", "e"]
    assert lake.read(USAGE).count() < others

    # the proof: who by hash, what, and from which version to which
    (mark,) = lake.read(ERASED).collect()
    proofs = {row["table_name"]: row for row in lake.read(ERASURES).collect()}
    assert {proof["user_hash"] for proof in proofs.values()} == {mark["user_hash"]}
    assert mark["done_at"] >= mark["asked_at"]
    assert {name: proofs[name]["rows"] for name in report.facts["rows"]} == report.facts["rows"]
    assert report.facts["rows"][SMS.name] == 5, "three of its own, one received, one broken line of another that named it"
    assert report.facts["rows"][LIVES.name] == report.facts["rows"][VAULT.name] == report.facts["rows"][SUBSCRIBERS.name] == 1
    assert all(proof["version_before"] < proof["version_after"] for proof in proofs.values())
    usage = lake.read(USAGE).count()

    # nothing to do again, and a number asked for twice is not its next holder's
    again = erase(hamlet, file=str(asked))
    assert again.facts == {"erased_before": 1, "rows": {}, "lines_exported": 0}

    # everything again under other names, with one record more of each side
    header, *lines_of_register = (tmp_path / "landing/subscribers/date=2005-05-01/all.csv").read_text().splitlines()
    hamlet.deliver("subscribers", 3, "again.csv", "\n".join([header, *reversed(lines_of_register)]) + "\n")
    hamlet.deliver("sms", 3, "again.csv", sms(*GOOD, ("n", 3, 1, "0"), ("m", 3, 0, "1")) + BROKEN.replace("f,", "F,"))
    reports = hamlet.run(*JOBS)
    written = {w.table.name: w for r in reports.values() for w in r.written}
    assert (written[SMS.name].suppressed, written[SMS.name].duplicates, written[SMS.name].rows) == (4, 3, 1)
    assert written[SUBSCRIBERS.name].suppressed == 1
    log = lake.log().where("state = 'done' and job = 'ingest_usage'").orderBy(F.desc("at")).first()
    assert log is not None
    assert log["suppressed"] == {SMS.name: 4}
    assert where(hamlet, looked_for - {ONE}) == set()
    assert hamlet.lake().read(LIVES).count() == hamlet.lake().read(VAULT).count() == 4
    lines = hamlet.lake().read(FILES).agg(F.sum("lines")).first()
    found = sum(sum(states(hamlet, table).values()) for table in (SMS, SUBSCRIBERS, OPT_OUTS))
    assert lines is not None
    assert lines[0] == found
    assert hamlet.lake().read(USAGE).count() == usage + 1


@pytest.mark.heavy
def test_an_erasure_killed_anywhere_is_finished_by_the_next_run(
    spark: SparkSession, tmp_path: Path, keys: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    straight, killed = settled(spark, tmp_path / "straight", keys[:1]), settled(spark, tmp_path / "killed", keys[:1])
    looked_for = traces(killed, "user-1")
    wanted = erase(straight, "user-1").facts["rows"]

    real_strike, real_prove, real_forget = erasure._strike, erasure._prove, Storage.forget

    def dies_at(name: str) -> None:
        def strike(lake: Lake, table: Any, *others: Any) -> None:
            real_strike(lake, table, *others)
            if table.name == name:
                raise KeyboardInterrupt

        def forget(storage: Storage, table: Any) -> None:
            if name == f"forget {table.name}":
                raise KeyboardInterrupt
            real_forget(storage, table)

        def prove(*given: Any) -> dict[str, int]:
            if name == "prove":
                raise KeyboardInterrupt
            return real_prove(*given)

        monkeypatch.setattr(erasure, "_strike", strike)
        monkeypatch.setattr(erasure, "_prove", prove)
        monkeypatch.setattr(Storage, "forget", forget)

    dies_at(SMS.name)
    with pytest.raises(KeyboardInterrupt):
        erase(killed, "user-1")
    for moment in (LIVES.name, "prove", f"forget {VAULT.name}"):
        dies_at(moment)
        with pytest.raises(KeyboardInterrupt):
            erase(killed)
        assert killed.lake().read(ERASED).where("done_at IS NULL").count() == 1
    dies_at("nowhere")
    assert erase(killed).facts["rows"] == wanted
    assert where(killed, looked_for) == set()
    apart = {ERASED.name, ERASURES.name}
    found, expected = (content(spark, hamlet.settings, DAYS) for hamlet in (killed, straight))
    assert {t: v for t, v in found.items() if t not in apart} == {t: v for t, v in expected.items() if t not in apart}
    assert found[ERASURES.name][0] == expected[ERASURES.name][0]


@pytest.mark.heavy
def test_a_number_is_erased_for_the_time_it_was_the_users(spark: SparkSession, tmp_path: Path, keys: list[str]) -> None:
    hamlet, three = Hamlet(spark, tmp_path, keys[:1], [f"store.exports={tmp_path}/exports"]), NUMBERS["user-3"]
    handed = ("user-3", three, "2005-01-01 00:00:00", "2005-05-02 00:00:00"), ("user-9", three, "2005-05-03 00:00:00", "")
    hamlet.deliver("subscribers", 3, "all.csv", register(*handed))
    # before, in between when it was nobody's, and after it was handed on
    hamlet.deliver(
        "sms", 4, "a.csv", sms(("a", 1, 3, "0"), ("b", 2, 3, "0"), ("c", 4, 3, "0"), ("d", 1, 0, "3"), ("e", 4, 0, "3"))
    )
    hamlet.run(*JOBS)
    asked = tmp_path / "asked.txt"
    asked.write_text(f"number {three}\n")
    with pytest.raises(SettingsError, match=r"erase_file, line 1: the number had several holders.*add a day") as told:
        erase(hamlet, file=str(asked))
    assert three not in str(told.value)
    asked.write_text(f"number {three} 2005-05-01\n")
    erase(hamlet, file=str(asked))
    lake = hamlet.lake()
    assert states(hamlet) == {"good": 3, "suppressed": 2}
    assert {
        row["day"].day: row["peer_key"] is None
        for row in lake.read(SMS)
        .where("number_key is not null")
        .groupBy("day")
        .agg(F.max("peer_key").alias("peer_key"))
        .collect()
    } == {1: True, 4: False}
    assert lake.read(LIVES).count() == lake.read(VAULT).count() == 1, "the number is the other's still"
    # without a day the number might mean the one erased: it is not taken for its next holder
    asked.write_text(f"number {three}\n")
    with pytest.raises(SettingsError, match="several holders"):
        erase(hamlet, file=str(asked))
    erase(hamlet, "user-9")
    assert states(hamlet) == {"good": 2, "suppressed": 3}
    assert hamlet.lake().read(VAULT).count() == 0


@pytest.mark.heavy
def test_who_takes_the_number_later_is_not_erased_with_it(spark: SparkSession, tmp_path: Path, keys: list[str]) -> None:
    hamlet = settled(spark, tmp_path, keys[:1])
    erase(hamlet, "user-2")
    # also after the key was changed
    hamlet.keys = keys
    hamlet.run("rotate_key")
    two = NUMBERS["user-2"]
    hamlet.deliver(
        "subscribers",
        4,
        "more.csv",
        register(("user-2", two, "2005-01-01 00:00:00", "2005-05-03 00:00:00"), ("user-8", two, "2005-05-04 00:00:00", "")),
    )
    hamlet.deliver("sms", 4, "more.csv", sms(("late", 3, 2, "0"), ("own", 4, 2, "0"), ("to", 4, 0, "2"), ("was", 3, 0, "2")))
    reports = hamlet.run(*JOBS)
    (written,) = reports["ingest_usage"].written
    assert (written.rows, written.suppressed) == (3, 1)
    lake = hamlet.lake()
    fresh = lake.read(SMS).where(f"batch = '{written.slices[0]}'")
    assert {(r.day.day, r.peer_key is None) for r in fresh.collect()} == {(4, False), (3, True)}
    assert lake.read(ERASED).where("own_to < '2006-01-01'").count() == 1
    assert {row["user_id"] for row in lake.read(LIVES).collect()} >= {
        row["user_id"] for row in lake.read(USAGE).where("day = '2005-05-04'").collect()
    }
    assert lake.read(VAULT).count() == 5


def test_nobody_is_erased_for_a_wrong_request(spark: SparkSession, tmp_path: Path, keys: list[str]) -> None:
    hamlet = settled(spark, tmp_path, keys[:1])
    before = content(spark, hamlet.settings, DAYS)
    asked = tmp_path / "asked.txt"
    for text, told in (
        (f"number {NONE}\n", "line 1: no such user in the register"),
        (f"user user-1\nnumber {ONE} yesterday\n", "line 2: write one a line"),
        (f"{ONE}\n", "line 1: write one a line"),
        ("user nobody\n", "line 1: no such user"),
    ):
        asked.write_text(text)
        with pytest.raises((SettingsError, MissingInputError), match=told) as error:
            erase(hamlet, file=str(asked))
        assert ONE not in str(error.value)
        assert NONE not in str(error.value)
    with pytest.raises(MissingInputError, match=r"erase_users, entry 2: no such user"):
        erase(hamlet, "user-1", "user-77")
    with pytest.raises(SettingsError, match="could not be read"):
        erase(hamlet, file=str(tmp_path / "absent"))
    with (
        lease(spark, hamlet.settings.store.lake, "ingest_usage", "other"),
        pytest.raises(BusyError, match="job ingest_usage is running"),
    ):
        erase(hamlet, "user-1")
    assert {t: v for t, v in content(spark, hamlet.settings, DAYS).items() if t in before} == before


@pytest.mark.heavy
def test_a_lake_made_before_there_were_erasures_takes_one(spark: SparkSession, tmp_path: Path, keys: list[str]) -> None:
    hamlet = settled(spark, tmp_path, keys[:1])
    path = hamlet.lake().path(SMS)
    spark.sql(f"ALTER TABLE delta.`{path}` DROP CONSTRAINT {STATE_KNOWN}")
    spark.sql(f"ALTER TABLE delta.`{path}` ADD CONSTRAINT {STATE_KNOWN} CHECK (state IN ('good', 'bad', 'duplicate'))")
    erase(hamlet, "user-0", "user-1")
    # an engine may set the blanks otherwise
    told = properties(spark, path)[f"delta.constraints.{STATE_KNOWN}"]
    assert "".join(told.split()) == "".join(checks(SMS)[STATE_KNOWN].split())
    assert where(hamlet, traces(hamlet, "user-0") | traces(hamlet, "user-1")) == set()


TABLES = [t for t in LINEAGE.tables if t.stored and any(c.pseudonym in ("user", "number", "other") for c in t.columns)]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_rows_of_every_table_that_stand_for_a_user_go_and_others_stay(spark: SparkSession, table: Any) -> None:
    # where a row names its user, that says whose it is, whoever has the number
    own = roles(table, "user") or roles(table, "number")
    keyed = [table.column(name) for name in (*own, *roles(table, "other"))]
    persons = spark.sql(
        "select 11L user_id, 22L number_key, timestamp'1900-01-01' own_from, timestamp'9999-12-31' own_to, 'x' user_hash, false is_shared"
    )
    given = []
    for name in [None, *[c.name for c in keyed]]:
        ids = {c.name: 99 for c in keyed} | (
            {name: 11 if table.column(name).pseudonym == "user" or not table.ledger else 22} if name else {}
        )
        given.append(ids)
    plain = rows_of(spark, table, *given)
    if table.ledger:
        plain = plain.selectExpr(
            "*",
            "'good' state",
            "array('w') reasons",
            "'f' file_id",
            "cast(null as string) kept_in",
            "cast(null as string) raw_text",
        )
    looked = erasure._looked_through(table, plain, persons, None, "Asia/Shanghai")
    kept = erasure._kept(table, looked).collect()
    left = {row[c.name] for row in kept for c in keyed}
    assert not left & {11, 22}, "no trace"
    if table.ledger:
        assert len(kept) == len(given)
        assert sum(row["state"] == "suppressed" for row in kept) == len(own)
    else:
        assert len(kept) == 1, "a partial that says how two people met is about both"
    assert any(all(row[c.name] == 99 for c in keyed) for row in kept)
