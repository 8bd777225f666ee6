"""Calls and messages: how many, how long, how they change."""

from churnlake.core.contract import COUNT, SHARE, Indicator

LONGEST_GAP = """aggregate(
  array_sort(concat(collect_set(if(own_events > 0, day, null)), array(date_add(max(month_end), 1)))),
  struct(date_sub(min(month), 1) AS last, 0 AS gap),
  (acc, day) -> struct(day AS last, greatest(acc.gap, datediff(day, acc.last) - 1) AS gap)
).gap"""

CALLS = (
    Indicator(
        "voice_out_calls",
        COUNT,
        "Calls made and answered.",
        daily="count_if(service = 'voice' and direction = 'out' and seconds > 0)",
    ),
    Indicator(
        "voice_in_calls",
        COUNT,
        "Calls received and answered.",
        daily="count_if(service = 'voice' and direction = 'in' and seconds > 0)",
    ),
    Indicator(
        "voice_out_seconds",
        COUNT,
        "Seconds of calls made.",
        daily="coalesce(sum(if(service = 'voice' and direction = 'out', seconds, 0)), 0)",
    ),
    Indicator(
        "voice_in_seconds",
        COUNT,
        "Seconds of calls received.",
        daily="coalesce(sum(if(service = 'voice' and direction = 'in', seconds, 0)), 0)",
    ),
    Indicator(
        "voice_in_missed_calls",
        COUNT,
        "Calls received and not answered.",
        daily="count_if(service = 'voice' and direction = 'in' and seconds = 0)",
    ),
    Indicator(
        "voice_dropped_calls", COUNT, "Calls that dropped.", daily="count_if(service = 'voice' and release_cause = 'dropped')"
    ),
    Indicator(
        "voice_long_calls",
        COUNT,
        "Calls made of ten minutes or more.",
        daily="count_if(service = 'voice' and direction = 'out' and seconds >= 600)",
    ),
    Indicator("sms_out_messages", COUNT, "SMS sent.", daily="count_if(service = 'sms' and direction = 'out')"),
    Indicator("sms_in_messages", COUNT, "SMS received.", daily="count_if(service = 'sms' and direction = 'in')"),
    Indicator(
        "own_events",
        COUNT,
        "Own outgoing events: calls made, SMS and MMS sent, WAP sessions.",
        daily="count_if(direction = 'out')",
    ),
    Indicator("active_days", COUNT, "Days with any record.", over="days", monthly="count(*)"),
    Indicator("own_days", COUNT, "Days with an own outgoing event.", over="days", monthly="count_if(own_events > 0)"),
    Indicator(
        "last_use_days",
        COUNT,
        "Days from the last own outgoing event to the month's end; null when there was none.",
        over="days",
        monthly="datediff(any_value(month_end), max(if(own_events > 0, day, null)))",
    ),
    Indicator(
        "longest_silence_days",
        COUNT,
        "Longest stretch inside the month without an own outgoing event.",
        over="days",
        monthly=LONGEST_GAP,
    ),
    Indicator(
        "own_events_late_ratio",
        SHARE,
        "Own events of the last ten days over a third of the month's.",
        over="days",
        monthly="sum(if(day > date_sub(month_end, 10), own_events, 0)) * 3.0D / nullif(sum(own_events), 0)",
    ),
    Indicator(
        "voice_out_mean_seconds", SHARE, "Mean seconds of calls made.", monthly="voice_out_seconds / nullif(voice_out_calls, 0)"
    ),
    Indicator(
        "voice_out_share",
        SHARE,
        "Calls made over calls made and received.",
        monthly="voice_out_calls / nullif(voice_out_calls + voice_in_calls, 0)",
    ),
    Indicator("sms_to_voice_ratio", SHARE, "SMS sent over calls made.", monthly="sms_out_messages / nullif(voice_out_calls, 0)"),
    Indicator(
        "voice_dropped_share",
        SHARE,
        "Dropped calls over calls made and received.",
        monthly="voice_dropped_calls / nullif(voice_out_calls + voice_in_calls, 0)",
    ),
    Indicator(
        "own_events_to_before_ratio",
        SHARE,
        "Own events over those of the month before; null for a user new this month.",
        monthly="own_events / nullif(before_own_events, 0)",
    ),
    Indicator(
        "voice_in_calls_to_before_ratio",
        SHARE,
        "Calls received over those of the month before.",
        monthly="voice_in_calls / nullif(before_voice_in_calls, 0)",
    ),
    Indicator(
        "usage_fee_to_before_ratio",
        SHARE,
        "Record fees over those of the month before.",
        monthly="cast(usage_fee_yuan as double) / nullif(before_usage_fee_yuan, 0)",
    ),
)
