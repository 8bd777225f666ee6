"""The house's own log, and which code wrote it."""

from __future__ import annotations

import logging
import re
import subprocess
from functools import cache
from pathlib import Path

from churnlake.core.errors import SettingsError

logger = logging.getLogger("churnlake")
NUMBER = re.compile(r"(?<![\w.])\+?(?!(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\b)\d{7,}(?!\w)")


def without_numbers(text: str) -> str:
    """A text with every number of seven digits or more, which may be a person's, but for days, blanked out.

    >>> without_numbers("The value '13812345678' of sms/20050501.csv cannot be cast; 200,000 rows")
    "The value '#' of sms/20050501.csv cannot be cast; 200,000 rows"
    """
    return NUMBER.sub("#", text)


def log_to(folder: Path) -> None:
    """Send the house's own log to churnlake.log in the folder; nothing to the screen. Raises SettingsError where it can not lie there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"no log can be written to {folder} ({error.strerror}); set store.work to a folder that can"
        ) from error
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    handler = logging.FileHandler(folder / "churnlake.log", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    # pyspark repeats every analysis error on the screen as JSON; the trace is in our log already
    for name in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
        logging.getLogger(name).disabled = True


@cache
def revision() -> str | None:
    """The git revision of the sources, None where there is no git."""
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
