"""Time: parts of the day, hours, days of the week."""

from collections.abc import Iterable

from churnlake.core.contract import Indicator, Unit
from churnlake.indicators.formulas import MADE, RECEIVED, of_entropy, share, total
from churnlake.indicators.hours import KINDS, at, every, within
from churnlake.indicators.units import CALLS, CLOCK, HOURS, MESSAGES, NATS, SECONDS, SHARE, YUAN

BANDS = {"dawn": (0, 6), "morning": (6, 12), "afternoon": (12, 18), "evening": (18, 24)}
WEEKDAYS = {
    "mon": "Mondays",
    "tue": "Tuesdays",
    "wed": "Wednesdays",
    "thu": "Thursdays",
    "fri": "Fridays",
    "sat": "Saturdays",
    "sun": "Sundays",
}
BY_WEEKDAY: dict[str, tuple[Unit, str]] = {
    "voice_out_calls": (CALLS, "calls made"),
    "voice_out_seconds": (SECONDS, "seconds of calls made"),
    "voice_in_calls": (CALLS, "calls received"),
    "sms_out_messages": (MESSAGES, "SMS sent"),
}
COUNTED = {"voice_out_calls": CALLS, "voice_in_calls": CALLS, "sms_out_messages": MESSAGES, "sms_in_messages": MESSAGES}
NOCTURNAL = (19, 7)
"""Night of bandicoot and cider."""


def by_weekday(name: str, unit: Unit, words: str, formula: str) -> tuple[Indicator, ...]:
    """The sum of a formula over a user's day on each day of the week of the month."""
    return tuple(
        Indicator(
            f"{name}_{day}",
            unit,
            f"{words} on {days}.",
            over="days",
            monthly=total(f"in_month and weekday = {at}", formula),
        )
        for at, (day, days) in enumerate(WEEKDAYS.items(), 1)
    )


def _entropy_of(whole: str, parts: Iterable[str]) -> str:
    """Entropy of counts that are each written out: folded as an array, Spark interprets them value by value."""
    added = " + ".join(f"if({n} > 0, {n} * ln({n}), 0D)" for n in parts)
    return of_entropy(whole, added)


def _hour_entropy(kind: str) -> str:
    return _entropy_of(kind, (at(kind, hour) for hour in range(24)))


def _weekday_entropy(name: str) -> str:
    return _entropy_of(name, (f"{name}_{day}" for day in WEEKDAYS))


def _hours_with_any(kind: str) -> str:
    return " + ".join(f"if({at(kind, hour)} > 0, 1, 0)" for hour in range(24))


TIME = (
    *(
        Indicator(
            f"{kind}_{band}",
            COUNTED[kind],
            f"{words[0].upper()}{words[1:]} from {start}:00 to {end}:00.",
            monthly=within(kind, start, end),
        )
        for kind, (words, _) in KINDS.items()
        for band, (start, end) in BANDS.items()
    ),
    *(
        Indicator(
            f"{kind}_{band}_share", SHARE, f"Part of {words} that falls in the {band}.", monthly=share(f"{kind}_{band}", kind)
        )
        for kind, (words, _) in KINDS.items()
        for band in BANDS
    ),
    *(
        Indicator(
            f"voice_{way}_seconds_{band}",
            SECONDS,
            f"Seconds of calls {words} from {start}:00 to {end}:00.",
            daily=total(f"{answered} and hour >= {start} and hour < {end}", "seconds"),
        )
        for way, words, answered in (("out", "made", MADE), ("in", "received", RECEIVED))
        for band, (start, end) in BANDS.items()
    ),
    Indicator(
        "voice_out_calls_night", CALLS, "Calls made and answered from 20:00 to 04:00.", monthly=within("voice_out_calls", 20, 4)
    ),
    Indicator(
        "voice_out_calls_night_share",
        SHARE,
        "Part of calls made between 20:00 and 04:00.",
        monthly=share("voice_out_calls_night", "voice_out_calls"),
    ),
    Indicator(
        "voice_nocturnal_share",
        SHARE,
        "Part of calls both ways from 19:00 to 07:00 (bandicoot, cider: nocturnal).",
        monthly=share(
            f"{within('voice_out_calls', *NOCTURNAL)} + {within('voice_in_calls', *NOCTURNAL)}",
            "voice_out_calls + voice_in_calls",
        ),
    ),
    Indicator(
        "sms_nocturnal_share",
        SHARE,
        "Part of SMS both ways from 19:00 to 07:00 (bandicoot, cider: nocturnal).",
        monthly=share(
            f"{within('sms_out_messages', *NOCTURNAL)} + {within('sms_in_messages', *NOCTURNAL)}",
            "sms_out_messages + sms_in_messages",
        ),
    ),
    Indicator("voice_out_calls_working", CALLS, "Calls made from 9:00 to 18:00.", monthly=within("voice_out_calls", 9, 18)),
    Indicator(
        "voice_out_calls_working_share",
        SHARE,
        "Their part of calls made.",
        monthly=share("voice_out_calls_working", "voice_out_calls"),
    ),
    Indicator(
        "voice_out_peak_hour",
        CLOCK,
        "Hour with most calls made, the earlier of equals; null without a call.",
        monthly=f"if(voice_out_calls > 0, cast(array_position({every('voice_out_calls')}, array_max({every('voice_out_calls')})) as int) - 1, null)",
    ),
    Indicator(
        "sms_out_peak_hour",
        CLOCK,
        "Hour with most SMS sent, the earlier of equals; null without one.",
        monthly=f"if(sms_out_messages > 0, cast(array_position({every('sms_out_messages')}, array_max({every('sms_out_messages')})) as int) - 1, null)",
    ),
    Indicator(
        "voice_out_hours",
        HOURS,
        "Hours of the day in which calls were made.",
        monthly=_hours_with_any("voice_out_calls"),
    ),
    Indicator(
        "sms_out_hours",
        HOURS,
        "Hours of the day in which SMS were sent.",
        monthly=_hours_with_any("sms_out_messages"),
    ),
    Indicator(
        "voice_out_hour_entropy",
        NATS,
        "Entropy of calls made over the hours of the day.",
        monthly=_hour_entropy("voice_out_calls"),
    ),
    Indicator(
        "sms_out_hour_entropy", NATS, "Entropy of SMS sent over the hours of the day.", monthly=_hour_entropy("sms_out_messages")
    ),
    *(
        indicator
        for name, (unit, words) in BY_WEEKDAY.items()
        for indicator in by_weekday(name, unit, f"{words[0].upper()}{words[1:]}", name)
    ),
    *(
        Indicator(
            f"{name}_weekend_share",
            SHARE,
            f"Part of {words} that falls on weekends.",
            monthly=share(f"{name}_sat + {name}_sun", name),
        )
        for name, (_, words) in BY_WEEKDAY.items()
    ),
    Indicator(
        "voice_out_weekday_entropy",
        NATS,
        "Entropy of calls made over the days of the week.",
        monthly=_weekday_entropy("voice_out_calls"),
    ),
    *(
        Indicator(
            f"usage_fee_{day}_yuan",
            YUAN,
            f"Fees of records on {days}.",
            over="days",
            monthly=total(f"in_month and weekday = {at}", "usage_fee_yuan"),
        )
        for at, (day, days) in enumerate(WEEKDAYS.items(), 1)
    ),
    Indicator(
        "weekend_fee_yuan",
        YUAN,
        "Fees of records on weekends.",
        over="days",
        monthly=total("in_month and weekday >= 6", "usage_fee_yuan"),
    ),
)
