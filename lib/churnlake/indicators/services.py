"""New services: MMS, WAP, service providers; and the handset that allows them."""

from churnlake.core.contract import COUNT, SHARE, STRING, Indicator

SERVICES = (
    Indicator("mms_out_messages", COUNT, "MMS sent.", daily="count_if(service = 'mms' and direction = 'out')"),
    Indicator("mms_in_messages", COUNT, "MMS received.", daily="count_if(service = 'mms' and direction = 'in')"),
    Indicator("wap_sessions", COUNT, "WAP sessions.", daily="count_if(service = 'wap')"),
    Indicator("wap_seconds", COUNT, "Seconds of WAP sessions.", daily="coalesce(sum(if(service = 'wap', seconds, 0)), 0)"),
    Indicator("wap_bytes", COUNT, "Bytes of WAP sessions.", daily="coalesce(sum(if(service = 'wap', bytes, 0)), 0)"),
    Indicator(
        "sms_service_messages",
        COUNT,
        "SMS to or from service numbers.",
        daily="count_if(service = 'sms' and peer_service is not null)",
    ),
    Indicator("wap_days", COUNT, "Days with a WAP session.", over="days", monthly="count_if(wap_sessions > 0)"),
    Indicator(
        "new_service_share",
        SHARE,
        "MMS and WAP part of own events.",
        monthly="(mms_out_messages + wap_sessions) / nullif(own_events, 0)",
    ),
    Indicator("handsets", COUNT, "Handsets seen.", over="devices", monthly="count(*)"),
    Indicator("handset_maker", STRING, "Maker of the handset used last.", over="devices", monthly="max_by(maker, last_seen)"),
    Indicator(
        "has_mms_handset",
        COUNT,
        "1 when the handset used last can do MMS, 0 when not.",
        over="devices",
        monthly="max_by(cast(has_mms as bigint), last_seen)",
    ),
    Indicator("new_handsets", COUNT, "Handsets not seen the month before.", over="devices", monthly="count_if(not seen_before)"),
)
