"""Call forwarding, on-net and to the competitor."""

from churnlake.core.contract import Indicator
from churnlake.indicators.formulas import share, total
from churnlake.indicators.units import CALLS, MONTH_DAYS, RATIO, SECONDS, SHARE

FORWARDED = "service = 'voice' and direction = 'forwarded'"
NETWORKS = {
    "own": ("our own numbers", "'own'"),
    "unicom_gsm": ("Unicom GSM", "'unicom_gsm'"),
    "unicom_cdma": ("Unicom CDMA", "'unicom_cdma'"),
    "fixed": ("fixed numbers", "'fixed'"),
    "phs": ("PHS numbers", "'phs'"),
}

FORWARDING = (
    Indicator("voice_forwarded_calls", CALLS, "Calls forwarded.", daily=f"count_if({FORWARDED})"),
    Indicator("voice_forwarded_seconds", SECONDS, "Seconds of calls forwarded.", daily=total(FORWARDED, "seconds")),
    *(
        Indicator(
            f"voice_forwarded_calls_to_{name}",
            CALLS,
            f"Calls forwarded to {words}.",
            daily=f"count_if({FORWARDED} and forwarded_network in ({codes}))",
        )
        for name, (words, codes) in NETWORKS.items()
    ),
    Indicator(
        "voice_forwarded_calls_to_competitor",
        CALLS,
        "Calls forwarded to the competitor.",
        monthly="voice_forwarded_calls_to_unicom_gsm + voice_forwarded_calls_to_unicom_cdma",
    ),
    Indicator(
        "voice_forwarded_share",
        SHARE,
        "Forwarded calls over calls that came in.",
        monthly=share("voice_forwarded_calls", "voice_forwarded_calls + voice_in_calls"),
    ),
    *(
        Indicator(
            f"voice_forwarded_calls_to_{name}_share",
            SHARE,
            f"Part of forwarded calls that goes to {words}.",
            monthly=share(f"voice_forwarded_calls_to_{name}", "voice_forwarded_calls"),
        )
        for name, (words, _) in NETWORKS.items()
    ),
    Indicator(
        "voice_forwarded_calls_to_competitor_share",
        SHARE,
        "Part of forwarded calls that goes to the competitor.",
        monthly=share("voice_forwarded_calls_to_competitor", "voice_forwarded_calls"),
    ),
    Indicator(
        "voice_forwarded_days",
        MONTH_DAYS,
        "Days with a call forwarded.",
        over="days",
        monthly="count_if(in_month and voice_forwarded_calls > 0)",
    ),
    Indicator(
        "voice_forwarded_to_competitor_days",
        MONTH_DAYS,
        "Days with a call forwarded to the competitor.",
        over="days",
        monthly="count_if(in_month and voice_forwarded_calls_to_unicom_gsm + voice_forwarded_calls_to_unicom_cdma > 0)",
    ),
    Indicator(
        "voice_forwarded_calls_to_before_ratio",
        RATIO,
        "Calls forwarded over those of the month before.",
        monthly=share("voice_forwarded_calls", "before_voice_forwarded_calls"),
    ),
)
