"""What one check of doctor found, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from churnlake.core.errors import ChurnlakeError

OK, WARN, FAIL = "ok", "warn", "fail"


@dataclass(frozen=True)
class Finding:
    """What one check found; ``todo`` says what to do where it is not right."""

    what: str
    state: str
    found: str
    todo: str = ""

    def __str__(self) -> str:
        """One line."""
        return f"{self.state:<5} {self.what:<11} {self.found}" + (f"; {self.todo}" if self.todo else "")


def ok(what: str, found: str) -> Finding:
    """All is well."""
    return Finding(what, OK, found)


def asked(what: str, check: Callable[[], Finding]) -> Finding:
    """What the check finds; what it raises is what is wrong, and what to do where it is one of the house's errors."""
    try:
        return check()
    except ChurnlakeError as error:
        return wrong(what, error)
    except Exception as error:
        return Finding(what, FAIL, f"could not be looked at ({type(error).__name__}: {' '.join(str(error).split())[:200]})")


def wrong(what: str, error: ChurnlakeError) -> Finding:
    """An error of the house as a finding: up to its first semicolon it says what is wrong, then what to do."""
    found, _, todo = str(error).partition("; ")
    return Finding(what, FAIL, found, todo)
