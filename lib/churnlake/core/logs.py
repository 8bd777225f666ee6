"""The house's own log, as text or as JSON, and which code wrote it."""

from __future__ import annotations

import datetime as dt
import json
import logging
import pkgutil
import re
import subprocess
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from churnlake.core.errors import SettingsError

logger = logging.getLogger("churnlake")
NUMBER = re.compile(
    # a hash, as ids of runs and batches are, stands by itself and is no mobile number, IMEI or IMSI with a letter beside it
    r"(?P<kept>(?<![0-9A-Za-z])(?![a-f]?(?:(?:86)?1[3-9]\d{9}|\d{14,15})[a-f]?(?![0-9A-Za-z]))(?=\d*[a-f])[0-9a-f]{8,}(?![0-9A-Za-z])"
    r"|(?<!\d)0{13}\d{7}(?=\.(?:json|crc|checkpoint))"
    r"|(?<!\d)\d{1,6}\.\d+"
    r"|(?<!\d)(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?!\d))"
    # +86 138-1234-5678, as people write a mobile number
    r"|(?:\+?86[ -]?)?(?<!\d)1[3-9]\d([ -])\d{4}\2\d{4}(?!\d)"
    r"|\+?\d{7,}"
)
"""Seven digits or more, or a mobile number in groups; ``kept``: what is a hash, a commit of Delta's log, a fraction or a day."""


def without_numbers(text: str) -> str:
    """A text with every number of seven digits or more, which may be a person's, but for days, blanked out. Who tells a count sets it in
    groups (``{rows:,}``), or a million is blanked as well.

    >>> without_numbers("The value '13812345678' of sms/20050501.csv cannot be cast; 200,000 rows")
    "The value '#' of sms/20050501.csv cannot be cast; 200,000 rows"
    """
    return NUMBER.sub(lambda found: found["kept"] or "#", text)


_run: dict[str, str] = {}


def of_run(**facts: str | None) -> None:
    """Say which run the lines of the log are of from now on; without facts, of none. One process has one run at a time, in many threads."""
    _run.clear()
    _run.update({name: value for name, value in facts.items() if value})


class TextLines(logging.Formatter):
    """Lines for people: time, level, logger, message, and the trace of an exception below."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """The line, without numbers of persons."""
        return without_numbers(super().format(record))


class JsonLines(logging.Formatter):
    """A JSON object a line, for who collects logs: time (UTC), level, logger, message; of a run its run_id, job, chain and days; then what
    ``extra={"fields": {...}}`` told beside the message, as table and slices; and the trace of an exception.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The object, without numbers of persons."""
        at = dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        told: dict[str, Any] = {
            "time": at,
            "level": record.levelname,
            "logger": record.name,
            "message": without_numbers(record.getMessage()),
        }
        told |= {**_run, **getattr(record, "fields", {})}
        if record.exc_info:
            told["exception"] = without_numbers(self.formatException(record.exc_info))
        return json.dumps(told, ensure_ascii=False, default=str)


FORMATS: dict[str, type[logging.Formatter]] = {"text": TextLines, "json": JsonLines}


def log_to(folder: Path, log_format: str) -> None:
    """Send the house's own log to churnlake.log in the folder; nothing to the screen; its lines are of no run yet.

    Raises SettingsError where it can not lie there.
    """
    of_run()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"no log can be written to {folder} ({error.strerror}); set store.work to a folder that can"
        ) from error
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    # the name of a file may be no UTF-8: its line is not lost for that
    handler = logging.FileHandler(folder / "churnlake.log", encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(FORMATS[log_format]())
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    # pyspark repeats every analysis error on the screen as JSON; the trace is in our log already
    for name in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
        logging.getLogger(name).disabled = True


@cache
def revision() -> str | None:
    """The git revision of the sources, None where there is no git. Sources that were packed for a cluster say it in a file."""
    with suppress(OSError):
        if told := pkgutil.get_data("churnlake", "revision.txt"):
            return told.decode() or None
    try:
        found = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None
