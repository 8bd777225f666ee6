"""Calls and messages: how many, how long, how they change."""

from churnlake.core.contract import Indicator, Unit
from churnlake.indicators.formulas import BEFORE, DATA_DAYS, MADE, PLAN_MEAN, RECEIVED, TWO_BEFORE, share, total
from churnlake.indicators.units import CALLS as COUNTED
from churnlake.indicators.units import (
    DAYS,
    EVENTS,
    MEAN_HOURS,
    MEAN_SECONDS,
    MESSAGES,
    MOMENT,
    MONTH_DAYS,
    RATIO,
    SECONDS,
    SHARE,
    SQUARES,
    YUAN,
)

OUT, IN = "service = 'voice' and direction = 'out'", "service = 'voice' and direction = 'in'"
LATE = "greatest(datediff(min(day), any_value(month)), 0)"
"""Days of the month before the user's first record, when that is one of the month's."""
LONGEST_GAP = f"""array_max(transform(
  split(lpad(bin(shiftright(coalesce(bit_or(shiftleft(1L, datediff(day, month))) filter (where in_month and own_events > 0), 0L), {LATE})),
  day(any_value(month_end)) - {LATE}, '0'), '1'), silence -> length(silence)))"""
TRENDS: dict[str, tuple[Unit, str]] = {
    "own_events": (EVENTS, "own events"),
    "voice_out_calls": (COUNTED, "calls made"),
    "voice_out_seconds": (SECONDS, "seconds of calls made"),
    "voice_in_calls": (COUNTED, "calls received"),
    "sms_out_messages": (MESSAGES, "SMS sent"),
    "usage_fee_yuan": (YUAN, "record fees"),
}
"""What is followed over 7, 30 and 90 days and from month to month."""

MOMENTS = (
    Indicator(
        "first_contact_at",
        MOMENT,
        "First call or message of the day.",
        daily="min(started_at) filter (where service <> 'wap')",
        merge="min",
    ),
    Indicator(
        "last_contact_at",
        MOMENT,
        "Last call or message of the day.",
        daily="max(started_at) filter (where service <> 'wap')",
        merge="max",
    ),
)
"""Kept by the day for what is worked out of them by the month."""


def _window(name: str, days: int) -> str:
    """The name of what is summed over the last ``days`` days; the unit of money stays last."""
    stem, money, _ = name.partition("_yuan")
    return f"{stem}_{days}d{money}"


def _stdev(n: str, total: str, squares: str) -> str:
    """Population standard deviation from sums; null of nothing, which greatest would pass over."""
    variance = f"cast({squares} as double) / nullif({n}, 0) - pow(cast({total} as double) / nullif({n}, 0), 2)"
    return f"if({n} > 0, sqrt(greatest({variance}, 0D)), null)"


CALLS = (
    Indicator("voice_out_calls", COUNTED, "Calls made and answered.", daily=f"count_if({MADE})"),
    Indicator("voice_in_calls", COUNTED, "Calls received and answered.", daily=f"count_if({RECEIVED})"),
    Indicator("voice_out_seconds", SECONDS, "Seconds of calls made.", daily=total(OUT, "seconds")),
    Indicator("voice_in_seconds", SECONDS, "Seconds of calls received.", daily=total(IN, "seconds")),
    Indicator(
        "voice_out_seconds_squared",
        SQUARES,
        "Seconds of each call made, squared.",
        daily=total(OUT, "cast(seconds as bigint) * seconds"),
    ),
    Indicator(
        "voice_in_seconds_squared",
        SQUARES,
        "Seconds of each call received, squared.",
        daily=total(IN, "cast(seconds as bigint) * seconds"),
    ),
    Indicator("voice_in_missed_calls", COUNTED, "Calls received and not answered.", daily=f"count_if({IN} and seconds = 0)"),
    Indicator("voice_out_unanswered_calls", COUNTED, "Calls made and not answered.", daily=f"count_if({OUT} and seconds = 0)"),
    Indicator(
        "voice_dropped_calls",
        COUNTED,
        "Calls made or received, and answered, that dropped.",
        daily="count_if(service = 'voice' and direction in ('out', 'in') and seconds > 0 and release_cause = 'dropped')",
    ),
    Indicator("voice_out_long_calls", COUNTED, "Calls made of ten minutes or more.", daily=f"count_if({OUT} and seconds >= 600)"),
    Indicator(
        "voice_out_short_calls", COUNTED, "Calls made of less than half a minute.", daily=f"count_if({MADE} and seconds < 30)"
    ),
    Indicator("sms_out_messages", MESSAGES, "SMS sent.", daily="count_if(service = 'sms' and direction = 'out')"),
    Indicator("sms_in_messages", MESSAGES, "SMS received.", daily="count_if(service = 'sms' and direction = 'in')"),
    Indicator(
        "own_events",
        EVENTS,
        "Own outgoing events: calls made, SMS and MMS sent, WAP sessions.",
        daily="count_if(direction = 'out')",
    ),
    Indicator("contact_events", EVENTS, "Calls of any kind and messages, both ways.", daily="count_if(service <> 'wap')"),
    Indicator("active_days", MONTH_DAYS, "Days with any record.", over="days", monthly="count_if(in_month)"),
    Indicator(
        "own_days", MONTH_DAYS, "Days with an own outgoing event.", over="days", monthly="count_if(in_month and own_events > 0)"
    ),
    Indicator(
        "voice_out_days", MONTH_DAYS, "Days with a call made.", over="days", monthly="count_if(in_month and voice_out_calls > 0)"
    ),
    Indicator(
        "voice_in_days",
        MONTH_DAYS,
        "Days with a call received.",
        over="days",
        monthly="count_if(in_month and voice_in_calls > 0)",
    ),
    Indicator(
        "sms_out_days", MONTH_DAYS, "Days with an SMS sent.", over="days", monthly="count_if(in_month and sms_out_messages > 0)"
    ),
    Indicator(
        "last_use_days",
        DAYS,
        "Days from the last own outgoing event to the month's end, within three months.",
        over="days",
        monthly="datediff(any_value(month_end), max(day) filter (where own_events > 0))",
    ),
    Indicator(
        "last_call_days",
        DAYS,
        "Days from the last call made to the month's end, within three months.",
        over="days",
        monthly="datediff(any_value(month_end), max(day) filter (where voice_out_calls > 0))",
    ),
    Indicator(
        "longest_silence_days",
        MONTH_DAYS,
        "Longest stretch inside the month without an own outgoing event, counted from the first record of these three months on.",
        over="days",
        monthly=LONGEST_GAP,
    ),
    Indicator(
        "seen_days",
        DAYS,
        "Days from the first record to the month's end, both counted, 90 at most.",
        over="days",
        monthly="least(max(days_back) + 1, 90)",
    ),
    Indicator(
        "there_days",
        DAYS,
        "Days up to the month's end that the user is known to have been there, 90 at most: since joining or the first record, as far "
        "back as the lake has records.",
        monthly=f"least({DATA_DAYS}, greatest(seen_days, tenure_days + 1), 90)",
    ),
    Indicator(
        "contact_gap_mean_hours",
        MEAN_HOURS,
        "Mean time between one call or message and the next (bandicoot, cider: interevent time).",
        over="days",
        monthly="(unix_micros(max(last_contact_at) filter (where in_month)) - unix_micros(min(first_contact_at) filter (where in_month))) / 3.6e9D"
        " / nullif(sum(contact_events) filter (where in_month) - 1, 0)",
    ),
    Indicator(
        "voice_out_mean_seconds",
        MEAN_SECONDS,
        "Mean seconds of calls made.",
        monthly=share("voice_out_seconds", "voice_out_calls"),
    ),
    Indicator(
        "voice_in_mean_seconds",
        MEAN_SECONDS,
        "Mean seconds of calls received.",
        monthly=share("voice_in_seconds", "voice_in_calls"),
    ),
    Indicator(
        "voice_mean_seconds",
        MEAN_SECONDS,
        "Mean seconds of calls both ways (bandicoot, cider: call duration).",
        monthly=share("voice_out_seconds + voice_in_seconds", "voice_out_calls + voice_in_calls"),
    ),
    Indicator(
        "voice_out_deviation_seconds",
        MEAN_SECONDS,
        "Standard deviation of the seconds of calls made.",
        monthly=_stdev("voice_out_calls", "voice_out_seconds", "voice_out_seconds_squared"),
    ),
    Indicator(
        "voice_deviation_seconds",
        MEAN_SECONDS,
        "Standard deviation of the seconds of calls both ways (bandicoot).",
        monthly=_stdev(
            "(voice_out_calls + voice_in_calls)",
            "(voice_out_seconds + voice_in_seconds)",
            "(voice_out_seconds_squared + voice_in_seconds_squared)",
        ),
    ),
    Indicator(
        "voice_out_share",
        SHARE,
        "Calls made over calls made and received (bandicoot, cider: initiated interactions).",
        monthly=share("voice_out_calls", "voice_out_calls + voice_in_calls"),
    ),
    Indicator(
        "voice_out_seconds_share",
        SHARE,
        "Seconds of calls made over all.",
        monthly=share("voice_out_seconds", "voice_out_seconds + voice_in_seconds"),
    ),
    Indicator(
        "sms_out_share",
        SHARE,
        "SMS sent over SMS sent and received.",
        monthly=share("sms_out_messages", "sms_out_messages + sms_in_messages"),
    ),
    Indicator("sms_to_voice_ratio", RATIO, "SMS sent over calls made.", monthly=share("sms_out_messages", "voice_out_calls")),
    Indicator(
        "voice_dropped_share",
        SHARE,
        "Dropped calls over calls made and received.",
        monthly=share("voice_dropped_calls", "voice_out_calls + voice_in_calls"),
    ),
    Indicator(
        "voice_in_missed_share",
        SHARE,
        "Calls not answered over those that came in.",
        monthly=share("voice_in_missed_calls", "voice_in_calls + voice_in_missed_calls"),
    ),
    Indicator(
        "voice_out_unanswered_share",
        SHARE,
        "Calls made in vain over all made.",
        monthly=share("voice_out_unanswered_calls", "voice_out_calls + voice_out_unanswered_calls"),
    ),
    Indicator(
        "voice_out_long_share",
        SHARE,
        "Calls of ten minutes or more over calls made.",
        monthly=share("voice_out_long_calls", "voice_out_calls"),
    ),
    Indicator(
        "voice_out_short_share",
        SHARE,
        "Calls of less than half a minute over calls made.",
        monthly=share("voice_out_short_calls", "voice_out_calls"),
    ),
    Indicator("own_events_a_day", RATIO, "Own events over days with one.", monthly=share("own_events", "own_days")),
    Indicator(
        "own_events_late_ratio",
        RATIO,
        "Own events of the last ten days over a third of the month's.",
        over="days",
        monthly=f"{total('days_back < 10', 'own_events')} * 3.0D / nullif(sum(own_events) filter (where in_month), 0)",
    ),
    *(
        Indicator(
            _window(name, days),
            unit,
            f"{words[0].upper()}{words[1:]} in the last {days} days.",
            over="days",
            monthly=total(f"days_back < {days}", name),
        )
        for name, (unit, words) in TRENDS.items()
        for days in (7, 30, 90)
    ),
    *(
        Indicator(
            f"{_window(name, short)}_to_{long}d_ratio",
            RATIO,
            f"{words[0].upper()}{words[1:]} a day in the last {short} days over those in the last {long}; null for who was not there all {long}.",
            monthly=f"if(there_days >= {long}, cast({_window(name, short)} as double) * {long} / nullif({_window(name, long)} * {short}, 0), null)",
        )
        for name, (unit, words) in TRENDS.items()
        for short, long in ((7, 30), (30, 90))
    ),
    *(
        Indicator(
            f"{name}_to_before_ratio",
            RATIO,
            f"{words[0].upper()}{words[1:]} over those of the month before; null for a user new this month.",
            monthly=share(name, BEFORE + name),
        )
        for name, (_, words) in TRENDS.items()
    ),
    *(
        Indicator(
            f"{name}_slope_ratio",
            RATIO,
            f"Change of {words} from month to month over three months, as part of their mean (least squares line).",
            monthly=f"cast({name} - {TWO_BEFORE}{name} as double) * 1.5D / nullif({name} + {BEFORE}{name} + {TWO_BEFORE}{name}, 0)",
        )
        for name, (_, words) in TRENDS.items()
    ),
    *(
        Indicator(
            f"{name}_to_plan_ratio",
            RATIO,
            f"{words[0].upper()}{words[1:]} over their mean among users of the same plan.",
            monthly=share(name, PLAN_MEAN + name),
        )
        for name, (_, words) in TRENDS.items()
    ),
)
