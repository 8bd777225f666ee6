"""The privacy grep finds a value wherever it is planted, and nothing where there is none."""

import gzip
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churnlake.__main__ import main
from churnlake.core.settings import load
from churnlake.evaluate.leaks import leaks
from churnlake.settings import Settings

NUMBER, PEER, IMSI, IMEI, DOCUMENT = "13901234567", "01062345678", "460001234567890", "35391800123456", "11010119700101123X"
HEADER = "RECORD_NO,MSISDN,OPP_NUMBER,START_TIME,CALL_TYPE,DURATION,CALL_CLASS,LAC_CI,IMEI,THIRD_NUMBER,RELEASE,FEE_FEN\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Landing files of two feeds, one packed, and outputs that hold nothing of them."""
    voice, subscribers = (tmp_path / "landing" / feed / "date=2005-05-02" for feed in ("voice", "subscribers"))
    for folder in (voice, subscribers):
        folder.mkdir(parents=True)
    with gzip.open(voice / "a.csv.gz", "wt") as stream:
        # an IP prefix and an area, a hotline, a line cut short, a quote left open
        stream.write(
            HEADER + f'1,"{NUMBER},17951{PEER},20050501101112,0,9,L,c1,{IMEI}7,,0,5\n2,86{NUMBER},10086,20050501101112\n'
        )
    header = Path("conf/feeds/city/subscribers.yaml").read_text().split("rows:")[1]
    names = {
        key: next(line.split(":")[1].strip() for line in header.splitlines() if line.strip(" -").startswith(f"{key}:"))
        for key in ("number", "imsi", "document")
    }
    (subscribers / "b.csv").write_text(",".join(names.values()) + f"\n+86{NUMBER},{IMSI},{DOCUMENT}\n")
    for folder in ("lake", "work/logs", "work/site", "mlruns"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "work/logs/churnlake.log").write_text("2005-05-01 10:11:12,345 ingest_usage took 20050501101112 in\n")
    pq.write_table(
        pa.table({"number_key": [8123456789012345678], "peer_service": ["10086"], "seconds": [9.0]}),
        tmp_path / "lake/part.parquet",
    )
    sqlite3.connect(tmp_path / "mlflow.db").execute("create table runs (note text)").connection.close()
    return tmp_path


def sets(home: Path) -> list[str]:
    return [
        f"store.landing={home}/landing",
        f"store.lake={home}/lake",
        f"store.work={home}/work",
        f"tracking.artifacts={home}/mlruns",
        f"tracking.uri=sqlite:///{home}/mlflow.db",
    ]


def parquet(column: Any) -> Callable[[Path], None]:
    return lambda path: pq.write_table(pa.table({"planted": column}), path)


def database(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("insert into runs values (?)", (f"user {NUMBER} left",))
    connection.commit()


PLANTED: dict[str, tuple[str, Callable[[Path], Any], str]] = {
    "a log": ("work/logs/churnlake.log", lambda p: p.write_text(f"no user {NUMBER} in lives\n"), "numbers"),
    "as it was dialled": ("work/logs/a.log", lambda p: p.write_text(f"0086{NUMBER}"), "numbers"),
    "a page": ("work/site/index.html", lambda p: p.write_text(f"<td>{PEER}</td>"), "numbers"),
    "an IMSI in a page": ("work/site/index.html", lambda p: p.write_text(f"<td>{IMSI}</td>"), "IMSI"),
    "an IMEI with its check digit": ("work/site/a.json", lambda p: p.write_text(f'{{"imei": "{IMEI}7"}}'), "IMEI"),
    "a document": ("work/a.txt", lambda p: p.write_text(DOCUMENT), "documents"),
    "the end of a number": ("work/site/index.html", lambda p: p.write_text(f"<td>***{NUMBER[-8:]}</td>"), "tails of numbers"),
    "a packed log": ("work/logs/old.log.gz", lambda p: p.write_bytes(gzip.compress(NUMBER.encode())), "numbers"),
    "across two chunks": ("work/big.log", lambda p: p.write_bytes(b"x" * ((1 << 24) - 5) + NUMBER.encode() + b"y"), "numbers"),
    "a table's text": ("lake/a.parquet", parquet(pa.array(["a", f"{NUMBER} x"])), "numbers"),
    "a table's array": ("lake/a.parquet", parquet(pa.array([["a"], [NUMBER]])), "numbers"),
    "a table's struct in an array": ("lake/a.parquet", parquet(pa.array([[{"x": NUMBER}]])), "numbers"),
    "a table's map": ("lake/a.parquet", parquet(pa.array([[("k", IMSI)]], pa.map_(pa.string(), pa.string()))), "IMSI"),
    "a table's long": ("lake/a.parquet", parquet(pa.array([None, int(NUMBER)])), "numbers"),
    "a table's double": ("lake/a.parquet", parquet(pa.array([1.0, float(NUMBER)])), "numbers"),
    "a log of commits": ("lake/_delta_log/0.json", lambda p: p.write_text(f'{{"stats": "{NUMBER}"}}'), "numbers"),
    "the vault": ("lake-vault/numbers/a.parquet", parquet(pa.array([NUMBER])), "numbers"),
    "a model": ("mlruns/1/model.bin", lambda p: p.write_bytes(b"\x00\xff" + IMEI.encode() + b"\x00"), "IMEI"),
    "MLflow's database": ("mlflow.db", database, "numbers"),
}


def test_outputs_without_one_are_clean(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = leaks(load(Settings, "local", sets(home)))
    assert found.hits == []
    assert dict(found.values) == {"numbers": 2, "IMSI": 1, "IMEI": 1, "documents": 1}
    assert (found.landing_files, sum(found.files.values())) == (2, 3)
    assert main(["privacy", *[a for s in sets(home) for a in ("--set", s)]]) == 0
    told = capsys.readouterr().out
    assert "looked for 1 IMEI, 1 IMSI, 1 documents, 2 numbers of 2 landing files" in told
    assert told.endswith("none of them stands anywhere\n")


@pytest.mark.parametrize("what", PLANTED)
def test_one_planted_is_found(home: Path, what: str, capsys: pytest.CaptureFixture[str]) -> None:
    name, plant, kind = PLANTED[what]
    (home / name).parent.mkdir(parents=True, exist_ok=True)
    plant(home / name)
    assert main(["privacy", *[a for s in sets(home) for a in ("--set", s)]]) == 3
    out, err = capsys.readouterr()
    assert f"FOUND in {home}/{name}: 1 of {kind}" in out
    assert not [value for value in (NUMBER, PEER, IMSI, IMEI, DOCUMENT) if value in out + err], "it does not print them again"


def test_with_nothing_to_look_for_it_does_not_say_clean(home: Path) -> None:
    for file in (home / "landing").rglob("*.csv*"):
        file.unlink()
    assert main(["privacy", *[a for s in sets(home) for a in ("--set", s)]]) == 2
