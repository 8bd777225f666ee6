"""The house's own log, and which code wrote it."""

from __future__ import annotations

import logging
import pkgutil
import subprocess
from contextlib import suppress
from functools import cache
from pathlib import Path

from churnlake.core.errors import SettingsError

logger = logging.getLogger("churnlake")


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
