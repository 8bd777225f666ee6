"""Contacts with hotlines, ours and the competitor's, and with campaigns."""

from churnlake.core.contract import Indicator
from churnlake.indicators.formulas import share, total
from churnlake.indicators.units import CALLS, DAYS, EVENTS, MONTH_DAYS, RATIO, SECONDS, SHARE

OUT = "service = 'voice' and direction = 'out'"
OURS, THEIRS = "peer_service in ('1860', '1861', '10086')", "peer_service in ('1001', '10010')"
COMPLAINTS = "peer_service in ('12300', '12315')"

CARE = (
    Indicator("voice_out_calls_to_hotline", CALLS, "Calls to our hotlines 1860 and 1861.", daily=f"count_if({OUT} and {OURS})"),
    Indicator("voice_out_seconds_to_hotline", SECONDS, "Seconds of them.", daily=total(f"{OUT} and {OURS}", "seconds")),
    Indicator(
        "voice_out_calls_to_competitor_hotline",
        CALLS,
        "Calls to the competitor's hotlines.",
        daily=f"count_if({OUT} and {THEIRS})",
    ),
    Indicator(
        "voice_out_calls_to_complaints",
        CALLS,
        "Calls to the regulator's and consumers' complaint lines 12300 and 12315.",
        daily=f"count_if({OUT} and {COMPLAINTS})",
    ),
    Indicator(
        "voice_out_calls_to_services",
        CALLS,
        "Calls to any service number.",
        daily=f"count_if({OUT} and peer_service is not null)",
    ),
    Indicator(
        "hotline_days",
        MONTH_DAYS,
        "Days with a call to our hotlines.",
        over="days",
        monthly="count_if(in_month and voice_out_calls_to_hotline > 0)",
    ),
    Indicator(
        "hotline_calls_3m",
        CALLS,
        "Calls to our hotlines in this and the two months before.",
        over="days",
        monthly=total("months_back < 3", "voice_out_calls_to_hotline"),
    ),
    Indicator(
        "competitor_hotline_calls_3m",
        CALLS,
        "Calls to the competitor's hotlines in these months.",
        over="days",
        monthly=total("months_back < 3", "voice_out_calls_to_competitor_hotline"),
    ),
    Indicator(
        "hotline_last_days",
        DAYS,
        "Days from the last call to our hotlines to the month's end, within three months.",
        over="days",
        monthly="datediff(any_value(month_end), max(day) filter (where voice_out_calls_to_hotline > 0))",
    ),
    Indicator(
        "hotline_calls_share",
        SHARE,
        "Calls to our hotlines over calls made, answered or not.",
        monthly=share("voice_out_calls_to_hotline", "voice_out_calls + voice_out_unanswered_calls"),
    ),
    Indicator(
        "hotline_calls_to_before_ratio",
        RATIO,
        "Calls to our hotlines over those of the month before.",
        monthly=share("voice_out_calls_to_hotline", "before_voice_out_calls_to_hotline"),
    ),
    Indicator(
        "campaign_touches_3m",
        EVENTS,
        "Campaigns that assigned the user for contact in this and the two months before.",
        over="touches",
        monthly="count_if(arm = 'target')",
    ),
    Indicator(
        "campaign_reached_3m",
        EVENTS,
        "Campaign contacts that came about in these months.",
        over="touches",
        monthly="count_if(is_reached)",
    ),
)
