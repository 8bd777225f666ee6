"""Items: the data behind mining of data services, 833 in seven types (seed 002), beside the ten views and in a table of their own."""

from churnlake.core.contract import Indicator, Unit
from churnlake.indicators.formulas import total
from churnlake.indicators.hours import KINDS, at
from churnlake.indicators.time import COUNTED, WEEKDAYS, by_weekday
from churnlake.indicators.units import CALLS, DAYS, FLAG, HANDSETS, MESSAGES, MONTH_DAYS, SECONDS, SESSIONS, YUAN
from churnlake.indicators.units import SERVICES as TAKEN

BEARERS: dict[str, tuple[Unit, str, str]] = {
    "sms_p2p_out": (MESSAGES, "SMS to persons", "sms_out_messages - sms_out_messages_to_services"),
    "sms_p2p_in": (MESSAGES, "SMS from persons", "sms_in_messages - sms_in_messages_from_services"),
    "sms_sp_out": (MESSAGES, "SMS to services", "sms_out_messages_to_services"),
    "sms_sp_in": (MESSAGES, "SMS from services", "sms_in_messages_from_services"),
    "mms_out": (MESSAGES, "MMS sent", "mms_out_messages"),
    "mms_in": (MESSAGES, "MMS received", "mms_in_messages"),
    "gprs": (SESSIONS, "WAP sessions", "wap_sessions"),
}
CHANNELS = {
    "sms": "by SMS",
    "hotline": "by the hotline",
    "counter": "at the counter",
    "web": "on the web",
    "wap": "by WAP",
    "dealer": "at a dealer's",
}
JOINED = {"counter": "at the counter", "dealer": "at a dealer's", "phone": "by phone", "web": "on the web"}
SERVICES = {
    "ring_tone": "ring tone",
    "mailbox": "mailbox",
    "game": "mobile game",
    "news": "mobile news",
    "mms_pack": "MMS pack",
    "gprs_pack": "GPRS pack",
    "caller_id": "caller's number shown",
    "forwarding_secretary": "forwarding secretary",
}
"""Services by the codes that feed files map an operator's own to; any other counts among all services taken."""
AGES = {"under_20": (0, 20), "20_29": (20, 30), "30_39": (30, 40), "40_49": (40, 50), "50_and_over": (50, 200)}
TENURES = {"under_3_months": (0, 91), "3_to_12_months": (91, 365), "1_to_2_years": (365, 730), "over_2_years": (730, 99_999)}
NUMBERS = {"repeated": "one digit again and again", "sequence": "a sequence", "lucky": "a lucky end"}


def _held(code: str, what: str) -> str:
    return f"max({what}) filter (where service = '{code}' and is_held)"


def _hours(direction_of: dict[str, str]) -> tuple[Indicator, ...]:
    return tuple(
        Indicator(
            f"{kind}_{day}_{hour:02}",
            COUNTED[kind],
            f"{words[0].upper()}{words[1:]} on {days} from {hour}:00 to {hour + 1}:00.",
            monthly=at(kind, hour, f"{day}_"),
        )
        for kind, words in direction_of.items()
        for day, days in WEEKDAYS.items()
        for hour in range(24)
    )


_BY_HOUR = {kind: words for kind, (words, _) in KINDS.items()}

ITEMS: dict[str, tuple[Indicator, ...]] = {
    "basic": (
        *(
            Indicator(
                f"handset_{days}d",
                HANDSETS,
                f"Handsets seen in the last {days} days.",
                over="handset_days",
                monthly=f"count_if(days_back < {days})",
            )
            for days in (7, 30, 60, 90)
        ),
        *(
            Indicator(
                f"is_{name}_number",
                FLAG,
                f"The number has {words}.",
                over="subscriber",
                monthly=f"if(number_beauty = '{name}', 1, 0)",
            )
            for name, words in NUMBERS.items()
        ),
        Indicator("is_active", FLAG, "Active by its status.", over="subscriber", monthly="if(status = 'active', 1, 0)"),
        Indicator(
            "has_bonus",
            FLAG,
            "The joining bonus's term has not ended.",
            over="subscriber",
            monthly="if(bonus_until >= month_end, 1, 0)",
        ),
    ),
    "bearers": (
        *(
            Indicator(
                f"has_used_{name}",
                FLAG,
                f"Used this month: {words}.",
                over="days",
                monthly=f"if({total('in_month', formula)} > 0, 1, 0)",
            )
            for name, (_, words, formula) in BEARERS.items()
        ),
        *(
            Indicator(
                f"{name}_days",
                MONTH_DAYS,
                f"Days with any: {words}.",
                over="days",
                monthly=f"count_if(in_month and {formula} > 0)",
            )
            for name, (_, words, formula) in BEARERS.items()
            if name not in ("sms_sp_out", "gprs")  # among the ten views
        ),
        *(indicator for name, (unit, words, formula) in BEARERS.items() for indicator in by_weekday(name, unit, words, formula)),
    ),
    "channels": (
        *(
            Indicator(
                f"services_ordered_{name}",
                TAKEN,
                f"Services held that were ordered {words}.",
                over="subscriptions",
                monthly=f"count_if(is_held and channel = '{name}')",
            )
            for name, words in CHANNELS.items()
        ),
        *(
            Indicator(
                f"has_ordered_{name}",
                FLAG,
                f"Ever ordered a service {words}.",
                over="subscriptions",
                monthly=f"coalesce(max(if(channel = '{name}', 1, 0)), 0)",
            )
            for name, words in CHANNELS.items()
        ),
        *(
            Indicator(f"is_joined_{name}", FLAG, f"Joined {words}.", over="subscriber", monthly=f"if(channel = '{name}', 1, 0)")
            for name, words in JOINED.items()
        ),
    ),
    "services": (
        *(
            Indicator(
                f"has_{code}",
                FLAG,
                f"Takes the service: {words}.",
                over="subscriptions",
                monthly=f"coalesce(max(if(service = '{code}' and is_held, 1, 0)), 0)",
            )
            for code, words in SERVICES.items()
        ),
        *(
            Indicator(
                f"has_had_{code}",
                FLAG,
                f"Ever took it: {words}.",
                over="subscriptions",
                monthly=f"coalesce(max(if(service = '{code}', 1, 0)), 0)",
            )
            for code, words in SERVICES.items()
        ),
        *(
            Indicator(
                f"has_begun_{code}",
                FLAG,
                f"Began with it in the month: {words}.",
                over="subscriptions",
                monthly=f"coalesce(max(if(service = '{code}' and started_on >= month, 1, 0)), 0)",
            )
            for code, words in SERVICES.items()
        ),
        *(
            Indicator(
                f"{code}_days",
                DAYS,
                f"Days the service has been held: {words}.",
                over="subscriptions",
                monthly=_held(code, "datediff(month_end, started_on)"),
            )
            for code, words in SERVICES.items()
        ),
        *(
            Indicator(
                f"{code}_yuan", YUAN, f"Monthly fee: {words}.", over="subscriptions", monthly=_held(code, "monthly_fee_yuan")
            )
            for code, words in SERVICES.items()
        ),
    ),
    "personal": (
        *(
            Indicator(
                f"is_age_{name}",
                FLAG,
                f"{start} to {end - 1} years old.",
                over="subscriber",
                monthly=f"if(year(month_end) - birth_year >= {start} and year(month_end) - birth_year < {end}, 1, 0)",
            )
            for name, (start, end) in AGES.items()
        ),
        *(
            Indicator(
                f"is_tenure_{name}",
                FLAG,
                f"Joined {start} to {end - 1} days before the month's end.",
                over="subscriber",
                monthly=f"if(datediff(month_end, joined_on) >= {start} and datediff(month_end, joined_on) < {end}, 1, 0)",
            )
            for name, (start, end) in TENURES.items()
        ),
        *(
            Indicator(f"is_{brand}", FLAG, f"Brand {brand}.", over="subscriber", monthly=f"if(brand = '{brand}', 1, 0)")
            for brand in ("gotone", "easyown", "mzone")
        ),
        Indicator("is_female", FLAG, "A woman.", over="subscriber", monthly="if(gender = 'f', 1, 0)"),
        Indicator("is_male", FLAG, "A man.", over="subscriber", monthly="if(gender = 'm', 1, 0)"),
    ),
    "voice": (
        *_hours({kind: words for kind, words in _BY_HOUR.items() if kind.startswith("voice")}),
        *(
            indicator
            for name, unit, words in (
                ("voice_in_seconds", SECONDS, "Seconds of calls received"),
                ("voice_forwarded_calls", CALLS, "Calls forwarded"),
                ("voice_in_missed_calls", CALLS, "Calls received and not answered"),
            )
            for indicator in by_weekday(name, unit, words, name)
        ),
    ),
    "messages": _hours({kind: words for kind, words in _BY_HOUR.items() if kind.startswith("sms")}),
}
