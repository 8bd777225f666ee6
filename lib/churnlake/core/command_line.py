"""The command line that jobs and commands share: their arguments, and every error as one line and an exit code."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable

from churnlake.core.errors import ChurnlakeError
from churnlake.core.logs import without_numbers
from churnlake.core.session import require_java

logger = logging.getLogger("churnlake")
# before a run knows where to log to, errors are one line on the screen and no more
logger.addHandler(logging.NullHandler())


def settings_arguments(parser: argparse.ArgumentParser, example: str) -> None:
    """Which settings a command is given: the environment, and single ones, of which ``example`` is one."""
    parser.add_argument("--env", default="local", help="settings layer: conf/<env>.yaml over conf/base.yaml (default: local)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help=f"one setting, for example {example}")


def argument_parser(name: str, meaning: str) -> argparse.ArgumentParser:
    """The arguments that all jobs share."""
    parser = argparse.ArgumentParser(prog=name, description=meaning)
    settings_arguments(parser, "reentry.least_probability=0.6")
    parser.add_argument(
        "--dates", default=None, metavar="A..B", help="a day or an inclusive range; left out: what changed since the last run"
    )
    parser.add_argument("--restate", action="store_true", help="rewrite slices that are frozen once made")
    parser.add_argument("--chain", default=None, metavar="ID", help="the chain or workflow run it is part of, for the run log")
    parser.add_argument("--dry-run", action="store_true", help="tell settings, jobs, slices and inputs of the run; write nothing")
    return parser


def guarded(
    name: str,
    parser: argparse.ArgumentParser,
    argv: list[str],
    body: Callable[[argparse.Namespace], None],
    needs_java: bool = True,
) -> int:
    """Parse, run, and turn every error into one clear line and an exit code; the full trace goes to the log.

    What ``needs_java`` is refused without it, but for a dry run, which asks for Java only where it starts Spark.
    """
    try:
        arguments = parser.parse_args(argv)
    except SystemExit as stop:
        return int(stop.code or 0) and 2
    try:
        if needs_java and not getattr(arguments, "dry_run", False):
            require_java()
        body(arguments)
    except ChurnlakeError as error:
        logger.error("%s: %s", name, error, exc_info=True)
        sys.stderr.write(f"{name}: {error}\n")
        return error.exit_code
    except Exception as error:
        logger.error("%s: %s", name, error, exc_info=True)
        where = next((h.baseFilename for h in logger.handlers if isinstance(h, logging.FileHandler)), "the log")
        sys.stderr.write(f"{name} failed: {one_line(error)}; full trace in {where}\n")
        return 1
    return 0


def one_line(error: BaseException) -> str:
    """The first line an error says, cut short; what may be a person's number in it is blanked out."""
    text = next((line for line in str(error).splitlines() if line.strip()), "")
    # of these the text alone is a name that something has not
    if isinstance(error, LookupError) or not text:
        text = ": ".join(filter(None, (type(error).__name__, text)))
    return without_numbers(text)[:300]
