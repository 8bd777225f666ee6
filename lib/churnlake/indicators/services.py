"""New services, the services taken and the handset that bears them."""

from churnlake.core.contract import Indicator
from churnlake.indicators.formulas import BEFORE, known_before, share, total
from churnlake.indicators.units import (
    BYTES,
    CODE,
    DAYS,
    FLAG,
    HANDSETS,
    MEAN_BYTES,
    MEAN_SECONDS,
    MESSAGES,
    MONTH_DAYS,
    RATIO,
    SECONDS,
    SESSIONS,
    SHARE,
    YUAN,
)
from churnlake.indicators.units import SERVICES as TAKEN

ABLE = {"gprs": "GPRS", "mms": "MMS", "java": "Java games"}

SERVICES = (
    Indicator("mms_out_messages", MESSAGES, "MMS sent.", daily="count_if(service = 'mms' and direction = 'out')"),
    Indicator("mms_in_messages", MESSAGES, "MMS received.", daily="count_if(service = 'mms' and direction = 'in')"),
    Indicator("mms_bytes", BYTES, "Bytes of MMS, both ways.", daily=total("service = 'mms'", "bytes")),
    Indicator("wap_sessions", SESSIONS, "WAP sessions.", daily="count_if(service = 'wap')"),
    Indicator("wap_seconds", SECONDS, "Seconds of WAP sessions.", daily=total("service = 'wap'", "seconds")),
    Indicator("wap_bytes", BYTES, "Bytes of WAP sessions.", daily=total("service = 'wap'", "bytes")),
    Indicator(
        "sms_out_messages_to_services",
        MESSAGES,
        "SMS to service numbers.",
        daily="count_if(service = 'sms' and direction = 'out' and peer_service is not null)",
    ),
    Indicator(
        "sms_in_messages_from_services",
        MESSAGES,
        "SMS from service numbers.",
        daily="count_if(service = 'sms' and direction = 'in' and peer_service is not null)",
    ),
    Indicator(
        "mms_days",
        MONTH_DAYS,
        "Days with an MMS, sent or received.",
        over="days",
        monthly="count_if(in_month and mms_out_messages + mms_in_messages > 0)",
    ),
    Indicator("wap_days", MONTH_DAYS, "Days with a WAP session.", over="days", monthly="count_if(in_month and wap_sessions > 0)"),
    Indicator(
        "sms_service_days",
        MONTH_DAYS,
        "Days with an SMS to a service number.",
        over="days",
        monthly="count_if(in_month and sms_out_messages_to_services > 0)",
    ),
    Indicator("wap_session_mean_bytes", MEAN_BYTES, "Mean bytes of WAP sessions.", monthly=share("wap_bytes", "wap_sessions")),
    Indicator(
        "wap_session_mean_seconds", MEAN_SECONDS, "Mean seconds of WAP sessions.", monthly=share("wap_seconds", "wap_sessions")
    ),
    Indicator(
        "mms_mean_bytes", MEAN_BYTES, "Mean bytes of MMS.", monthly=share("mms_bytes", "mms_out_messages + mms_in_messages")
    ),
    Indicator(
        "new_service_share",
        SHARE,
        "MMS and WAP part of own events.",
        monthly=share("mms_out_messages + wap_sessions", "own_events"),
    ),
    Indicator(
        "mms_out_share",
        SHARE,
        "MMS sent over MMS sent and received.",
        monthly=share("mms_out_messages", "mms_out_messages + mms_in_messages"),
    ),
    Indicator("mms_to_sms_ratio", RATIO, "MMS sent over SMS sent.", monthly=share("mms_out_messages", "sms_out_messages")),
    Indicator(
        "sms_out_services_share",
        SHARE,
        "Part of SMS sent that goes to service numbers.",
        monthly=share("sms_out_messages_to_services", "sms_out_messages"),
    ),
    Indicator(
        "new_services_used",
        TAKEN,
        "How many of MMS, WAP and SMS services were used.",
        monthly="if(mms_out_messages > 0, 1L, 0L) + if(wap_sessions > 0, 1L, 0L) + if(sms_out_messages_to_services > 0, 1L, 0L)",
    ),
    Indicator(
        "wap_sessions_to_before_ratio",
        RATIO,
        "WAP sessions over those of the month before.",
        monthly=share("wap_sessions", f"{BEFORE}wap_sessions"),
    ),
    Indicator(
        "mms_out_messages_to_before_ratio",
        RATIO,
        "MMS sent over those of the month before.",
        monthly=share("mms_out_messages", f"{BEFORE}mms_out_messages"),
    ),
    Indicator("services_taken", TAKEN, "Services taken at the month's end.", over="subscriptions", monthly="count_if(is_held)"),
    Indicator(
        "services_begun", TAKEN, "Services begun in the month.", over="subscriptions", monthly="count_if(started_on >= month)"
    ),
    Indicator(
        "services_ended",
        TAKEN,
        "Services whose end in the month was told of by its end.",
        over="subscriptions",
        monthly="count_if(ended_on >= month and ended_on <= month_end)",
    ),
    Indicator(
        "services_fee_yuan",
        YUAN,
        "Monthly fees of the services taken.",
        over="subscriptions",
        monthly=total("is_held", "monthly_fee_yuan"),
    ),
    Indicator(
        "services_longest_days",
        DAYS,
        "Days of the service held longest.",
        over="subscriptions",
        monthly="max(datediff(month_end, started_on)) filter (where is_held)",
    ),
    Indicator("handsets", HANDSETS, "Handsets seen.", over="devices", monthly="count_if(calls > 0)"),
    Indicator(
        "handsets_kept",
        HANDSETS,
        "Handsets seen in this month and the one before.",
        over="devices",
        monthly="count_if(calls > 0 and calls_before > 0)",
    ),
    Indicator(
        "new_handsets",
        HANDSETS,
        "Handsets not seen the month before; null for a user without a record then.",
        monthly=known_before("handsets - handsets_kept"),
    ),
    Indicator(
        "handset_top1_share",
        SHARE,
        "Commonest handset's part of calls.",
        over="devices",
        monthly="cast(max(calls) as double) / nullif(sum(calls), 0)",
    ),
    Indicator("handset_maker", CODE, "Maker of the handset used last.", over="devices", monthly="max_by(maker, last_seen)"),
    Indicator("handset_model", CODE, "Model of the handset used last.", over="devices", monthly="max_by(model, last_seen)"),
    *(
        Indicator(
            f"has_{able}_handset",
            FLAG,
            f"The handset used last has {words}.",
            over="devices",
            monthly=f"max_by(cast(has_{able} as int), last_seen)",
        )
        for able, words in ABLE.items()
    ),
    Indicator(
        "handset_days",
        DAYS,
        "Days since the handset used last was first seen with the user, within two months.",
        over="devices",
        monthly="datediff(any_value(month_end), max_by(first_on, last_seen))",
    ),
)
