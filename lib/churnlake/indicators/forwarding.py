"""Call forwarding, on-net and to the competitor."""

from churnlake.core.contract import COUNT, SHARE, Indicator

FORWARDING = (
    Indicator(
        "voice_forwarded_calls", COUNT, "Calls forwarded.", daily="count_if(service = 'voice' and direction = 'forwarded')"
    ),
    Indicator(
        "voice_forwarded_calls_to_competitor",
        COUNT,
        "Calls forwarded to the competitor.",
        daily="count_if(service = 'voice' and direction = 'forwarded' and forwarded_network in ('unicom_gsm', 'unicom_cdma'))",
    ),
    Indicator(
        "voice_forwarded_share",
        SHARE,
        "Forwarded calls over calls that came in.",
        monthly="voice_forwarded_calls / nullif(voice_forwarded_calls + voice_in_calls, 0)",
    ),
)
