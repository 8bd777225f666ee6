"""The house's log, as text and as JSON: what a line tells, of which run, and that no number of a person stands in it; no Spark."""

from __future__ import annotations

import datetime as dt
import json
import logging
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from churnlake.core.command_line import one_line
from churnlake.core.errors import SettingsError
from churnlake.core.logs import log_to, of_run, without_numbers
from churnlake.core.settings import load
from churnlake.core.written import Written
from churnlake.settings import Settings
from churnlake.tables.clean import SMS

logger = logging.getLogger("churnlake.somewhere")


@pytest.fixture
def lines(tmp_path: Path) -> Iterator[Callable[[str], list[str]]]:
    """Begins a log of a format; what was written to it until asked again."""
    house = logging.getLogger("churnlake")
    before = house.handlers[:], house.level, house.propagate

    def begun(log_format: str) -> list[str]:
        for handler in house.handlers:
            house.removeHandler(handler)
        log_to(tmp_path, log_format)
        return read()

    def read() -> list[str]:
        return (tmp_path / "churnlake.log").read_text(encoding="utf-8").splitlines()

    begun.read = read  # type: ignore[attr-defined]
    yield begun
    for handler in house.handlers[:]:
        house.removeHandler(handler)
        handler.close()
    house.handlers, house.level, house.propagate = before
    of_run()


def fail() -> None:
    try:
        int("13812345678x")
    except ValueError as error:
        logger.error("ingest_usage: %s", error, exc_info=True)


def told(lines: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines.read()]


def test_a_line_of_json_tells_when_what_and_of_which_run(lines: Any) -> None:
    of_run(run_id="a0", job="one that failed in this process before")
    lines("json")
    logger.warning("before any run")
    of_run(run_id="a1", job="ingest_usage", chain=None, days="2005-05-01")
    wrote = Written(SMS, ["2f8a"], 7, 20_000_000, bad=3, seconds=4.26)
    logger.info("%s in 1 slices", wrote.states(), extra={"fields": wrote.told()})
    before, line = told(lines)
    assert set(before) == {"time", "level", "logger", "message"}
    assert (before["level"], before["logger"]) == ("WARNING", "churnlake.somewhere")
    assert dt.datetime.fromisoformat(line["time"]).tzinfo is not None
    assert line["time"].endswith("Z")
    assert line["message"] == "clean.sms: 20,000,000 good, 3 bad, 0 duplicate, 0 suppressed in 1 slices"
    of = {"run_id": "a1", "job": "ingest_usage", "days": "2005-05-01"}
    what = {
        "table": "clean.sms",
        "version": 7,
        "rows": 20_000_000,
        "bad": 3,
        "duplicates": 0,
        "suppressed": 0,
        "slices": ["2f8a"],
        "seconds": 4.3,
    }
    assert {name: line[name] for name in (*of, *what)} == of | what


def test_an_exception_is_a_field_and_its_trace_one_line(lines: Any) -> None:
    lines("json")
    of_run(run_id="a1", job="ingest_usage")
    fail()
    (line,) = told(lines)
    assert line["run_id"] == "a1", "the line that reports what went wrong is of the run it went wrong in"
    assert line["message"] == "ingest_usage: invalid literal for int() with base 10: '#x'"
    assert line["exception"].startswith("Traceback")
    assert "ValueError" in line["exception"]


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_no_number_that_may_be_a_persons_is_logged(lines: Any, log_format: str) -> None:
    lines(log_format)
    try:
        raise ValueError("The value '+8613812345678' of IMSI 460001234567890 can not be cast")
    except ValueError as error:
        logger.error("ingest_usage: %s", error, exc_info=True)
    text = "\n".join(lines.read())
    assert "ValueError" in text
    assert "13812345678" not in text
    assert "460001234567890" not in text


def test_text_is_what_it_was(lines: Any) -> None:
    lines("text")
    of_run(run_id="a1", job="ingest_usage")
    logger.info("%s begins", "ingest_usage", extra={"fields": {"rows": 3}})
    (line,) = lines.read()
    assert line.endswith(" INFO churnlake.somewhere ingest_usage begins")


def test_days_counts_and_names_stay() -> None:
    kept = "2005-05-01 sms/20050501.csv of batch 2f8a1234567890ab, 20,000,000 rows, 0.123456789, version 123456, _delta_log/00000000000000000012.json"
    assert without_numbers(kept) == kept
    assert without_numbers("tel:8612345678, (0571)87654321, no.13812345678") == "tel:#, (0571)#, no.#"


@pytest.mark.parametrize(
    "text",
    [
        "phone13812345678.csv",
        "13812345678before",
        "e13812345678",
        "460001234567890f",
        "+86 138 1234 5678",
        "138-1234-5678",
        "86-138 1234 5678",
    ],
)
def test_a_number_is_seen_beside_letters_and_in_groups(text: str) -> None:
    assert not re.search(r"\d{4}", without_numbers(text)), without_numbers(text)


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_file_whose_name_is_no_utf8_is_told_of(lines: Any, log_format: str) -> None:
    lines(log_format)
    logger.info("%s is still being written", os.fsdecode(b"\xbb\xb0\xb5\xa5.csv"))
    (line,) = lines.read()
    assert ".csv is still being written" in line


def test_the_format_is_a_setting() -> None:
    assert load(Settings, "local").store.log_format == "text"
    assert {load(Settings, env, ["store.key_file=x"]).store.log_format for env in ("cluster", "databricks")} == {"json"}
    with pytest.raises(SettingsError, match=r"'store\.log_format': input should be 'text' or 'json'"):
        load(Settings, "local", ["store.log_format=xml"])


def test_an_error_of_one_line_says_what_it_is_of() -> None:
    assert one_line(KeyError("table_name")) == "KeyError: 'table_name'"
    assert one_line(ValueError()) == "ValueError"
    assert one_line(ValueError("\nno caller 13812345678\nmore")) == "no caller #"
