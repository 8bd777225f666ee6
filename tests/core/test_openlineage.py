"""Lineage of columns by OpenLineage's events: what a session is told, which jar it needs, and what an event says; no Spark."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_up_site import made_up

from churnlake.__main__ import main
from churnlake.core import jars
from churnlake.core.errors import MissingInputError, SettingsError
from churnlake.core.landing_files import for_spark
from churnlake.core.lineage import Lineage
from churnlake.core.openlineage import FILE, LISTENER, by_table, columns_of, conf
from churnlake.core.settings import load
from churnlake.settings import Settings
from churnlake.site.pages import pages


def used(path: str, column: str, kind: str, how: str) -> dict[str, Any]:
    """A column that another comes from, as an event names it."""
    by = {"type": kind, "subtype": how, "description": "", "masking": False}
    return {"namespace": "file", "name": path, "field": column, "transformations": [by]}


def event(
    at: str, written: str, fields: dict[str, list[dict[str, Any]]], every: list[dict[str, Any]], state: str = "COMPLETE"
) -> str:
    """A line of the file of events."""
    told = {"columnLineage": {"fields": {name: {"inputFields": found} for name, found in fields.items()}, "dataset": every}}
    output = {"namespace": "file", "name": written, "facets": told if fields else {}}
    return json.dumps({"eventType": state, "eventTime": at, "run": {}, "job": {}, "inputs": [], "outputs": [output]}) + "\n"


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """Two writes of daily.usage and one of another table."""
    lake, land = tmp_path / "lake", tmp_path / "landing"
    voice, lives = f"{lake}/clean/voice", f"{lake}/reference/lives"
    calls = [used(voice, "direction", "INDIRECT", "CONDITIONAL"), used(voice, "seconds", "DIRECT", "AGGREGATION")]
    rows = [
        used(voice, "state", "INDIRECT", "FILTER"),
        used(lives, "msisdn_key", "INDIRECT", "JOIN"),
        used(voice, "msisdn_key", "INDIRECT", "JOIN"),
    ]
    path = tmp_path / "work" / "logs" / FILE
    path.parent.mkdir(parents=True)
    path.write_text(
        event("2005-05-02T05:00:00Z", f"{lake}/daily/usage", {"user_id": [used(lives, "before", "DIRECT", "IDENTITY")]}, [])
        + event("2005-05-03T05:00:00Z", f"{lake}/daily/usage", {"user_id": [used(lives, "user_id", "DIRECT", "IDENTITY")], "voice_out_seconds": calls}, rows)
        + event("2005-05-03T05:00:01Z", f"{lake}/daily/usage", {}, [])
        + event("2005-05-03T05:00:02Z", f"{lake}/clean/voice", {"seconds": [used(f"{land}/voice/date=2005-05-02", "_c3", "DIRECT", "TRANSFORMATION")]}, [])
    )  # fmt: skip
    return path


def of(tmp_path: Path) -> list[str]:
    return [f"store.lake={tmp_path}/lake", f"store.landing={tmp_path}/landing", f"store.work={tmp_path}/work"]


def test_the_newest_event_tells_what_columns_come_from(events: Path, tmp_path: Path) -> None:
    places = Lineage.of_package().places(load(Settings, "local", of(tmp_path)).store)
    found = columns_of("daily.usage", events, places)
    assert found.at == "2005-05-03T05:00:00Z"
    assert found.of["user_id"] == ("reference.lives.user_id",)
    assert found.of["voice_out_seconds"] == ("clean.voice.direction (conditional)", "clean.voice.seconds (aggregation)")
    assert found.every == ("clean.voice.msisdn_key (join)", "clean.voice.state (filter)", "reference.lives.msisdn_key (join)")
    assert columns_of("clean.voice", events, places).of["seconds"] == ("raw.voice._c3 (transformation)",)
    with pytest.raises(MissingInputError, match=r"tells of the columns of daily\.edges; run the job that makes daily\.edges"):
        columns_of("daily.edges", events, places)


def test_events_half_written_by_a_killed_run_are_passed_over(events: Path, tmp_path: Path) -> None:
    places = Lineage.of_package().places(load(Settings, "local", of(tmp_path)).store)
    before = by_table(events, places)
    last = events.read_text().splitlines(keepends=True)[0]
    # cut in its middle, within a character of several bytes; the next run's first event follows on the same line
    events.write_bytes(events.read_bytes() + last[: len(last) // 2].encode() + "重".encode()[:1] + last.encode())
    assert by_table(events, places) == before
    with events.open("a") as more:
        more.write(last)
    assert by_table(events, places)["daily.usage"].at == "2005-05-02T05:00:00Z"


def test_the_page_of_lineage_shows_them_where_a_run_told(events: Path, tmp_path: Path) -> None:
    found = by_table(events, Lineage.of_package().places(load(Settings, "local", of(tmp_path)).store))
    page = pages(replace(made_up(), columns=found))["lineage.html"]
    assert "<code>clean.voice.seconds (aggregation)</code>" in page
    assert "written 2005-05-03 05:00" in page
    assert "What columns come from" not in pages(made_up())["lineage.html"]


def test_places_of_a_lake_elsewhere_have_no_scheme() -> None:
    places = Lineage.of_package().places(load(Settings, "local", ["store.lake=s3://bucket/lake"]).store)
    assert places["/lake/daily/usage"] == "daily.usage"
    assert places["/lake-vault/numbers"] == "vault.numbers"


def test_landing_files_are_known_by_the_path_that_spark_is_told(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "landing").symlink_to("elsewhere")
    places = Lineage.of_package().places(load(Settings, "local", of(tmp_path)).store)
    told = for_spark(tmp_path / "landing" / "voice" / "date=2005-05-02" / "a.csv").removeprefix("file://")
    assert [name for place, name in places.items() if told.startswith(f"{place}/")] == ["raw.voice"]


@pytest.mark.parametrize("name", ["lake/daily/usage", "/lake/daily/usage/"])
def test_a_table_in_an_object_store_is_known_by_its_key(tmp_path: Path, name: str) -> None:
    places = Lineage.of_package().places(load(Settings, "local", ["store.lake=s3a://bucket/lake"]).store)
    file = tmp_path / FILE
    file.write_text(event("2005-05-03T05:00:00Z", name, {"day": [used("lake/clean/sms", "day", "DIRECT", "IDENTITY")]}, []))
    assert by_table(file, places)["daily.usage"].of == {"day": ("clean.sms.day",)}


def test_the_command_prints_them(events: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["lineage", "--columns", "daily.usage", *(part for one in of(tmp_path) for part in ("--set", one))]
    assert main(asked) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "daily.usage as written at 2005-05-03T05:00:00Z"
    assert told[1].split() == ["user_id", "reference.lives.user_id"]
    assert told[-1].startswith("  which rows: clean.voice.msisdn_key (join), ")
    events.unlink()
    assert main(asked) == 2
    assert "--set spark.openlineage=file first" in capsys.readouterr().err
    assert main(["lineage", "--columns", "daily.usages"]) == 2


def test_a_session_is_told_where_to_send_them(tmp_path: Path) -> None:
    to_file = conf("file", tmp_path, {})
    assert to_file["spark.extraListeners"] == LISTENER
    assert (to_file["spark.openlineage.transport.type"], to_file["spark.openlineage.transport.location"]) == (
        "file",
        f"{tmp_path}/{FILE}",
    )
    to_url = conf("http://receiver:5000", None, {"spark.extraListeners": "a.B", "spark.openlineage.namespace": "ours"})
    assert (to_url["spark.openlineage.transport.type"], to_url["spark.openlineage.transport.url"]) == (
        "http",
        "http://receiver:5000",
    )
    assert (to_url["spark.extraListeners"], to_url["spark.openlineage.namespace"]) == (f"a.B,{LISTENER}", "ours")
    with pytest.raises(SettingsError, match="needs a folder of logs"):
        conf("file", None, {})


def test_it_is_off_unless_asked_for_and_says_what_it_takes() -> None:
    assert load(Settings, "local").spark.groups == ()
    assert load(Settings, "local", ["spark.openlineage=https://receiver"]).spark.groups == ("openlineage",)
    with pytest.raises(SettingsError, match="give file, the URL of a receiver"):
        load(Settings, "local", ["spark.openlineage=console"])


def test_a_jar_for_a_purpose_is_asked_for_with_it_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = tmp_path / "jars.lock"
    lock.write_text("# coordinate  sha256\na:core:1 00\nb:more:2 11 openlineage\n")
    monkeypatch.setattr(jars, "lock_file", lambda: lock)
    (tmp_path / "core-1.jar").touch()
    assert jars.installed(str(tmp_path)) == [f"{tmp_path}/core-1.jar"]
    with pytest.raises(SettingsError, match=r"more-2\.jar not in .*; run make jars JAR_GROUPS='openlineage' once"):
        jars.installed(str(tmp_path), ["openlineage"])
