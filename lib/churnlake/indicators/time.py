"""Time of day and week."""

from churnlake.core.contract import COUNT, SHARE, Indicator

BANDS = {"dawn": (0, 6), "morning": (6, 12), "afternoon": (12, 18), "evening": (18, 24)}
MADE = "service = 'voice' and direction = 'out' and seconds > 0"

TIME = (
    *(
        Indicator(
            f"voice_{direction}_calls_{band}",
            COUNT,
            f"Calls {verb} and answered from {start}:00 to {end}:00.",
            daily=f"count_if(service = 'voice' and direction = '{direction}' and seconds > 0 and hour >= {start} and hour < {end})",
        )
        for direction, verb in (("out", "made"), ("in", "received"))
        for band, (start, end) in BANDS.items()
    ),
    *(
        Indicator(
            f"sms_out_messages_{band}",
            COUNT,
            f"SMS sent from {start}:00 to {end}:00.",
            daily=f"count_if(service = 'sms' and direction = 'out' and hour >= {start} and hour < {end})",
        )
        for band, (start, end) in BANDS.items()
    ),
    Indicator(
        "voice_out_calls_night",
        COUNT,
        "Calls made and answered from 20:00 to 04:00.",
        daily=f"count_if({MADE} and (hour >= 20 or hour < 4))",
    ),
    Indicator(
        "voice_out_calls_weekend",
        COUNT,
        "Calls made and answered on Saturday and Sunday.",
        daily=f"count_if({MADE} and weekday >= 6)",
    ),
    *(
        Indicator(
            f"voice_out_{band}_share",
            SHARE,
            f"Part of calls made that falls in the {band}.",
            monthly=f"voice_out_calls_{band} / nullif(voice_out_calls, 0)",
        )
        for band in BANDS
    ),
    Indicator(
        "voice_out_night_share",
        SHARE,
        "Part of calls made between 20:00 and 04:00.",
        monthly="voice_out_calls_night / nullif(voice_out_calls, 0)",
    ),
    Indicator(
        "voice_out_weekend_share",
        SHARE,
        "Part of calls made on weekends.",
        monthly="voice_out_calls_weekend / nullif(voice_out_calls, 0)",
    ),
)
