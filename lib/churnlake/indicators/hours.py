"""Hours of the day: how many calls and messages in each, three hours a 64-bit word of 20 bits each.

As columns of their own the 24 hours of four kinds would be 96 sums a record; as words they are 32, and add up like any count
as long as no hour of one user holds more than a million (``LIMIT``).
"""

from churnlake.core.contract import Indicator
from churnlake.indicators.formulas import total
from churnlake.indicators.units import WORD

KINDS = {
    "voice_out_calls": ("calls made and answered", "service = 'voice' and direction = 'out' and seconds > 0"),
    "voice_in_calls": ("calls received and answered", "service = 'voice' and direction = 'in' and seconds > 0"),
    "sms_out_messages": ("SMS sent", "service = 'sms' and direction = 'out'"),
    "sms_in_messages": ("SMS received", "service = 'sms' and direction = 'in'"),
}
"""What is counted by the hour: the words for it and the condition on a record."""
BITS, EACH = 20, 3
LIMIT = 1 << BITS
WORDS = 24 // EACH

HOURS = tuple(
    Indicator(
        f"{kind}_hours_{word}",
        WORD,
        f"{words[0].upper()}{words[1:]} in each hour from {EACH * word}:00 to {EACH * (word + 1)}:00, three counts in one number.",
        # hour_unit is 1, 2^20 or 2^40 by the hour's place in its word
        daily=total(f"{condition} and hour >= {EACH * word} and hour < {EACH * (word + 1)}", "hour_unit"),
    )
    for kind, (words, condition) in KINDS.items()
    for word in range(WORDS)
)
HOUR_UNIT = f"case hour % {EACH} when 0 then 1 when 1 then {LIMIT} else {LIMIT * LIMIT} end"
"""SQL of what a record adds to the word of its hour."""


def at(kind: str, hour: int, of: str = "") -> str:
    """SQL of the count of a kind in one hour, from the words whose names begin with ``of``."""
    word = f"{of}{kind}_hours_{hour // EACH}"
    place = hour % EACH
    shifted = f"shiftright({word}, {BITS * place})" if place else word
    return shifted if place == EACH - 1 else f"({shifted} & {LIMIT - 1})"


def within(kind: str, start: int, end: int, of: str = "") -> str:
    """SQL of the count of a kind from one hour up to another, over midnight where the end is earlier."""
    hours = [hour % 24 for hour in range(start, end if end > start else end + 24)]
    return " + ".join(at(kind, hour, of) for hour in hours)


def every(kind: str) -> str:
    """SQL of the array of a kind's 24 counts."""
    return f"array({', '.join(at(kind, hour) for hour in range(24))})"
