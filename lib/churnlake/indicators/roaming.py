"""Roaming, long distance, IP."""

from churnlake.core.contract import COUNT, SHARE, Indicator

CLASSES = {"long_distance": "domestic long distance", "international": "international", "roaming": "roaming"}

ROAMING = (
    *(
        Indicator(
            f"voice_out_calls_{name}",
            COUNT,
            f"Calls made: {words}.",
            daily=f"count_if(service = 'voice' and direction = 'out' and seconds > 0 and call_class = '{name}')",
        )
        for name, words in CLASSES.items()
    ),
    Indicator(
        "voice_out_seconds_long_distance",
        COUNT,
        "Seconds of domestic long distance calls made.",
        daily="coalesce(sum(if(service = 'voice' and direction = 'out' and call_class = 'long_distance', seconds, 0)), 0)",
    ),
    Indicator(
        "voice_out_calls_ip",
        COUNT,
        "Calls made by way of an IP prefix.",
        daily="count_if(service = 'voice' and direction = 'out' and seconds > 0 and is_ip)",
    ),
    *(
        Indicator(
            f"voice_out_{name}_share",
            SHARE,
            f"Part of calls made: {words}.",
            monthly=f"voice_out_calls_{name} / nullif(voice_out_calls, 0)",
        )
        for name, words in CLASSES.items()
    ),
    Indicator(
        "voice_out_ip_share",
        SHARE,
        "Part of long distance calls made by way of an IP prefix.",
        monthly="voice_out_calls_ip / nullif(voice_out_calls_long_distance + voice_out_calls_ip, 0)",
    ),
)
