"""Roaming and long distance, also by IP prefix."""

from churnlake.core.contract import Indicator
from churnlake.indicators.formulas import MADE, RECEIVED, share, total
from churnlake.indicators.units import CALLS, MEAN_SECONDS, MONTH_DAYS, RATIO, SECONDS, SHARE

CLASSES = {"local": "local", "long_distance": "domestic long distance", "international": "international", "roaming": "roaming"}

ROAMING = (
    *(
        Indicator(f"voice_out_calls_{name}", CALLS, f"Calls made: {words}.", daily=f"count_if({MADE} and call_class = '{name}')")
        for name, words in CLASSES.items()
    ),
    *(
        Indicator(
            f"voice_out_seconds_{name}",
            SECONDS,
            f"Seconds of calls made: {words}.",
            daily=total(f"{MADE} and call_class = '{name}'", "seconds"),
        )
        for name, words in CLASSES.items()
    ),
    Indicator(
        "voice_in_calls_roaming", CALLS, "Calls received while roaming.", daily=f"count_if({RECEIVED} and call_class = 'roaming')"
    ),
    Indicator(
        "voice_in_seconds_roaming",
        SECONDS,
        "Seconds of calls received while roaming.",
        daily=total(f"{RECEIVED} and call_class = 'roaming'", "seconds"),
    ),
    Indicator("voice_out_calls_ip", CALLS, "Calls made by way of an IP prefix.", daily=f"count_if({MADE} and is_ip)"),
    Indicator(
        "voice_out_seconds_ip",
        SECONDS,
        "Seconds of calls made by way of an IP prefix.",
        daily=total(f"{MADE} and is_ip", "seconds"),
    ),
    Indicator(
        "voice_out_calls_not_local",
        CALLS,
        "Calls made that are not local: long distance, international, roaming, and every one by way of an IP prefix.",
        daily=f"count_if({MADE} and (is_ip or call_class in ('long_distance', 'international', 'roaming')))",
    ),
    *(
        Indicator(
            f"voice_out_calls_{name}_share",
            SHARE,
            f"Part of calls made: {words}.",
            monthly=share(f"voice_out_calls_{name}", "voice_out_calls"),
        )
        for name, words in CLASSES.items()
    ),
    *(
        Indicator(
            f"voice_out_seconds_{name}_share",
            SHARE,
            f"Part of seconds of calls made: {words}.",
            monthly=share(f"voice_out_seconds_{name}", "voice_out_seconds"),
        )
        for name, words in CLASSES.items()
    ),
    *(
        Indicator(
            f"voice_out_mean_seconds_{name}",
            MEAN_SECONDS,
            f"Mean seconds of calls made: {words}.",
            monthly=share(f"voice_out_seconds_{name}", f"voice_out_calls_{name}"),
        )
        for name, words in CLASSES.items()
    ),
    Indicator(
        "voice_out_calls_ip_share",
        SHARE,
        "Part of calls made that are not local (long distance, international, roaming) that goes by way of an IP prefix; a call "
        "by such a prefix counts as not local whatever its class.",
        monthly=share("voice_out_calls_ip", "voice_out_calls_not_local"),
    ),
    *(
        Indicator(
            f"{name}_days",
            MONTH_DAYS,
            f"Days with a call made: {words}.",
            over="days",
            monthly=f"count_if(in_month and voice_out_calls_{name} > 0)",
        )
        for name, words in CLASSES.items()
        if name != "local"
    ),
    Indicator(
        "roaming_calls_share",
        SHARE,
        "Roaming part of calls both ways.",
        monthly=share("voice_out_calls_roaming + voice_in_calls_roaming", "voice_out_calls + voice_in_calls"),
    ),
    *(
        Indicator(
            f"voice_out_calls_{name}_to_before_ratio",
            RATIO,
            f"Calls made over those of the month before: {words}.",
            monthly=share(f"voice_out_calls_{name}", f"before_voice_out_calls_{name}"),
        )
        for name, words in CLASSES.items()
        if name in ("long_distance", "roaming")
    ),
)
