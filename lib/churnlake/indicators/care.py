"""Contacts with hotlines, ours and the competitor's."""

from churnlake.core.contract import COUNT, Indicator

CARE = (
    Indicator(
        "voice_out_calls_to_hotline",
        COUNT,
        "Calls to our hotlines 1860 and 1861.",
        daily="count_if(service = 'voice' and direction = 'out' and peer_service in ('1860', '1861', '10086'))",
    ),
    Indicator(
        "voice_out_calls_to_competitor_hotline",
        COUNT,
        "Calls to the competitor's hotlines.",
        daily="count_if(service = 'voice' and direction = 'out' and peer_service in ('1001', '10010'))",
    ),
)
