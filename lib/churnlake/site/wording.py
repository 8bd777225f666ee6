"""How figures are written on pages."""

from __future__ import annotations

from typing import Any


def count(value: Any) -> str:
    """A count with thin groups of three.

    >>> count(24734616)
    '24,734,616'
    """
    return "–" if value is None else f"{int(value):,}"


def many(number: int, one: str, more: str = "") -> str:
    """So many of a thing, in the singular where it is one.

    >>> many(1, "slice"), many(2, "slice"), many(1, "model serves", "models serve")
    ('1 slice', '2 slices', '1 model serves')
    """
    return f"{number:,} {one if number == 1 else more or f'{one}s'}"


def share(value: Any, places: int = 1) -> str:
    """A share of one as per cent.

    >>> share(0.2313)
    '23.1 %'
    """
    return "–" if value is None else f"{100 * float(value):.{places}f} %"


def yuan(value: Any) -> str:
    """An amount in yuan, without fen.

    >>> yuan(1234.5)
    '¥1,234'
    """
    return "–" if value is None else f"¥{float(value):,.0f}"


def month(value: Any) -> str:
    """A month by name.

    >>> import datetime
    >>> month(datetime.date(2005, 5, 1))
    'May 2005'
    """
    return "–" if value is None else f"{value:%B %Y}"


def day(value: Any) -> str:
    """A day as ISO 8601 writes it.

    >>> import datetime
    >>> day(datetime.date(2005, 5, 1))
    '2005-05-01'
    """
    return "–" if value is None else f"{value:%Y-%m-%d}"


def number(value: Any) -> str:
    """A number to three figures, whole ones with groups of three.

    >>> number(1234.5), number(12.345), number(0.00123), number(-0.5), number(0)
    ('1,234', '12.3', '0.00123', '-0.5', '0')
    """
    if value is None:
        return "–"
    size = abs(float(value))
    return (
        f"{float(value):,.0f}" if size >= 1000 else f"{float(value):.3g}" if size >= 1e-4 or not size else f"{float(value):.1e}"
    )


def words(name: Any) -> str:
    """A name of the tables as words.

    >>> words("bonus_twice")
    'bonus twice'
    """
    return "–" if name is None else str(name).replace("_", " ")
