"""What the values of a scenario file may be."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, Field

T = TypeVar("T", bound=Iterable[Any])


def rises(ends: Iterable[Any]) -> Any:
    """The two ends as they are. Raises ValueError when the first is more than the last."""
    least, most = ends
    if least > most:
        raise ValueError(f"goes from {least} to {most}; the first must not be more than the last")
    return ends


def _some(weights: Any) -> Any:
    if not sum(weights.values() if isinstance(weights, dict) else weights) > 0:
        raise ValueError("must not all be 0")
    return weights


def _within_one(shares: dict[str, float]) -> dict[str, float]:
    if sum(shares.values()) > 1 + 1e-9:
        raise ValueError("must not add up to more than 1")
    return shares


def only(*known: str) -> AfterValidator:
    """Refuses a key that is not one of these."""
    return AfterValidator(lambda given: refuse_unknown(given, known))


def refuse_unknown(given: T, known: Iterable[str], what: str = "kind", where: str = "") -> T:
    """``given`` as it is. Raises ValueError naming (after ``where``) those of its keys that are not among the known, and these."""
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise ValueError(f"{where}knows no {what} {', '.join(unknown)}; there are {', '.join(known)}")
    return given


def each(*known: str) -> AfterValidator:
    """Refuses all keys but exactly these."""

    def check(given: dict[str, float]) -> dict[str, float]:
        if set(given) != set(known):
            raise ValueError(f"needs a number for each of {', '.join(known)}, and for nothing else")
        return given

    return AfterValidator(check)


Share = Annotated[float, Field(ge=0, le=1)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Code = Annotated[str, Field(pattern="^[a-z0-9_]+$")]
Key = Annotated[str, Field(pattern="^[A-Za-z0-9_]+$")]
Fen = Annotated[int, Field(ge=0, le=10_000_000)]
Range = AfterValidator(rises)
"""Marks two values of which the first is not more than the second."""
Shares = Annotated[dict[str, Share], AfterValidator(_within_one)]
Weights = Annotated[dict[str, Amount], AfterValidator(_some)]
Marks = Annotated[tuple[Amount, ...], Field(min_length=5, max_length=5), AfterValidator(_some)]
Hours = Annotated[tuple[Amount, ...], Field(min_length=24, max_length=24), AfterValidator(_some)]
