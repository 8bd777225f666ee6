"""Numbers as dialled: one form for each number, and what a pseudonym would destroy: network, area, service, beauty.

A switch writes the other party as it was dialled: with +86, 0086, an area code, or the prefix of a cheap carrier. Unless they are
brought to one form, one peer becomes several.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from churnlake.landing.settings import LandingSettings

PARTY = ("number", "network", "area", "is_ip", "dialled_form", "service")
"""What a party is told by: a column ``<text>_<name>`` of each."""
NO_USER = ("service", "international", "unknown")
"""Networks whose numbers can not be a user of ours."""


def with_parties(rows: DataFrame, texts: Sequence[str], settings: LandingSettings, is_opaque: bool = False) -> DataFrame:
    """The rows with, for each column of dialled texts, the party it means: a column ``<text>_<name>`` for each of ``PARTY``.

    All are null where the text is null, empty or all zeros (withheld). ``number`` is 11 digits for a mobile, 0 + area + local for a
    fixed line, 00 + country for one abroad, the digits of a service number, else the text as it is (network unknown). ``area`` has
    its leading 0 and is null where the number shows none: a mobile. ``dialled_form`` is the first that holds of ip, international
    (+, 00 or 86 before it), short, area, plain. ``is_opaque`` texts are ids, taken as they are, on our own network.
    """
    if is_opaque:
        return rows.withColumns({f"{x}_{name}": value for x in texts for name, value in _opaque(F.col(x)).items()})
    networks = _mobile_networks(settings)
    # Most numbers are plain and need no work. The others are taken apart in a step of their own: its long code, seldom run, would
    # keep a JVM from compiling that of all records well.
    rows = rows.withColumns({f"{x}_dialled": F.when(~_is_plain(x, networks), _dialled(F.col(x), settings)) for x in texts})
    plain = {
        x: {"number": F.col(x), "network": _one_of(F.substring(x, 1, 3), networks), "is_ip": F.when(F.col(x).isNotNull(), F.lit(False)),
            "dialled_form": F.when(F.col(x).isNotNull(), "plain")}
        for x in texts
    }  # fmt: skip
    return rows.withColumns(
        {
            f"{x}_{name}": F.when(F.col(f"{x}_dialled").isNull(), plain[x].get(name)).otherwise(F.col(f"{x}_dialled")[name])
            for x in texts
            for name in PARTY
        }
    )


def _is_plain(text: str, networks: dict[str, str]) -> Column:
    """Whether a text is 11 digits of a known mobile prefix, or null. A cast there and back proves that they are digits."""
    number = F.col(text)
    is_digits = number.try_cast("bigint").cast("string") == number
    is_mobile = (F.length(number) == 11) & F.substring(number, 1, 3).isin(list(networks)) & is_digits
    return number.isNull() | F.coalesce(is_mobile, F.lit(False))


def _dialled(number: Column, settings: LandingSettings) -> Column:
    """The party that any other text means, as a struct of ``PARTY``; its fields are null where it tells nothing.

    One regular expression takes every form apart. The lambda binds its parts to a name.
    """
    bare = F.translate(number, " -()|\t", "")
    parts = F.split(F.regexp_replace(bare, _pattern(settings), _PARTS), r"\|", -1)
    told = F.element_at(F.transform(F.array(parts), lambda part: _party(part, settings)), 1)
    none = F.lit(None).cast("string")
    nothing = F.struct(*((none.cast("boolean") if name == "is_ip" else none).alias(name) for name in PARTY))
    return F.when(F.translate(bare, "0", "") != "", told).otherwise(nothing)


def _opaque(number: Column) -> dict[str, Column]:
    told = number.isNotNull()
    none = F.lit(None).cast("string")
    return {
        "number": number, "network": F.when(told, "own"), "area": none, "is_ip": F.when(told, False),
        "dialled_form": F.when(told, "plain"), "service": none,
    }  # fmt: skip


def beauty(number: Column, settings: LandingSettings) -> Column:
    """Beauty class of a normalised number by its end: repeated, sequence, lucky or plain."""
    digits = "0123456789"
    runs = [digits[i : i + settings.sequence_least] for i in range(len(digits) - settings.sequence_least + 1)]
    sequence = "|".join([*runs, *(run[::-1] for run in runs)])
    return (
        F.when(number.rlike(rf"([0-9])\1{{{settings.repeated_least - 1}}}$"), "repeated")
        .when(number.rlike(f"(?:{sequence})$"), "sequence")
        .when(number.rlike(f"(?:{_any(settings.lucky_endings)})$"), "lucky")
        .otherwise("plain")
    )


def _mobile_networks(settings: LandingSettings) -> dict[str, str]:
    return {
        **dict.fromkeys(settings.own_prefixes, "own"),
        **dict.fromkeys(settings.unicom_gsm_prefixes, "unicom_gsm"),
        **dict.fromkeys(settings.unicom_cdma_prefixes, "unicom_cdma"),
    }


def _one_of(prefix: Column, networks: dict[str, str]) -> Column:
    """The network of a prefix, null where it is none of them: one test for each network, not for each prefix."""
    network = F.lit(None).cast("string")
    for name in reversed(list(dict.fromkeys(networks.values()))):
        network = F.when(prefix.isin([p for p, n in networks.items() if n == name]), name).otherwise(network)
    return network


def _any(texts: list[str]) -> str:
    return "|".join(re.escape(text) for text in sorted(texts, key=lambda t: (-len(t), t)))


# Cities of two-digit areas have eight-digit local numbers; elsewhere seven or eight.
_AREA = r"(?:10|2[0-9]|[3-9][0-9]{2})"
_AREA_OF_FIXED = r"(?:(?:10|2[0-9])(?=[0-9]{8}$)|[3-9][0-9]{2})"
_LOCAL = r"[2-8][0-9]{6,7}"
_PARTS = "$1|$2$5$10|$3|$4|$6$8|$7$9$13|$11|$12|$14"
_IP, _COUNTRY, _ZERO, _MOBILE, _AREA_CODE, _FIXED, _SERVICE_AREA, _SERVICE, _FOREIGN = range(9)


def _pattern(settings: LandingSettings) -> str:
    """Every form a number is dialled in; its groups, in the order of ``_PARTS``, hold the parts and are empty elsewhere.

    The order matters: a service number of six digits after +86 must not be read as an area and a rest, and a bare 86 is a
    country code only before what is too long to be a local number.
    """
    country, abroad = settings.country_code, r"(?:\+|00)"
    short = rf"[1-9][0-9]{{0,{settings.service_most_digits - 1}}}"
    service = rf"(?:{short}|(?:{_any(settings.service_prefixes)})[0-9]{{1,17}})"
    return (
        rf"^({_any(settings.ip_prefixes)})?(?:"
        rf"({abroad}?{country})?(0)?(1[3-9][0-9]{{9}})"
        rf"|({abroad}?{country})0?({_AREA_OF_FIXED})({_LOCAL})"
        rf"|0({_AREA_OF_FIXED})({_LOCAL})"
        rf"|({abroad}{country})?(?:0({_AREA}))?({service})"
        rf"|({_LOCAL})"
        rf"|{abroad}(?!{country})([1-9][0-9]{{5,14}})"
        r")$"
    )


def _party(parts: Column, settings: LandingSettings) -> Column:
    """The struct made of the parts of one number; a text that was not taken apart is a single part."""

    def has(place: int) -> Column:
        return parts[place] != ""

    networks = _mobile_networks(settings)
    area = F.when(has(_AREA_CODE), F.concat(F.lit("0"), parts[_AREA_CODE])).otherwise(F.lit(settings.home_area))
    phs = F.lit(False)
    for prefix in settings.phs_prefixes:
        phs = phs | parts[_FIXED].startswith(prefix)
    is_home = ~has(_AREA_CODE) | (parts[_AREA_CODE] == settings.home_area.removeprefix("0"))
    taken_apart = F.struct(
        F.when(has(_MOBILE), parts[_MOBILE])
        .when(has(_FIXED), F.concat(area, parts[_FIXED]))
        .when(has(_SERVICE), parts[_SERVICE])
        .otherwise(F.concat(F.lit("00"), parts[_FOREIGN]))
        .alias("number"),
        F.when(has(_MOBILE), F.coalesce(_one_of(F.substring(parts[_MOBILE], 1, 3), networks), F.lit("unknown")))
        .when(has(_FIXED), F.when(is_home & phs, "phs").otherwise("fixed"))
        .when(has(_SERVICE), "service")
        .otherwise("international")
        .alias("network"),
        F.when(has(_FIXED), area).when(has(_SERVICE_AREA), F.concat(F.lit("0"), parts[_SERVICE_AREA])).alias("area"),
        has(_IP).alias("is_ip"),
        F.when(has(_IP), "ip")
        .when(has(_COUNTRY) | has(_FOREIGN), "international")
        .when(has(_SERVICE), "short")
        .when(has(_ZERO) | has(_AREA_CODE), "area")
        .otherwise("plain")
        .alias("dialled_form"),
        F.when(has(_SERVICE), parts[_SERVICE]).alias("service"),
    )
    none = F.lit(None).cast("string")
    values = (parts[0], F.lit("unknown"), none, F.lit(False), F.lit("plain"), none)
    unknown = F.struct(*(value.alias(name) for name, value in zip(PARTY, values, strict=True)))
    return F.when(F.size(parts) == 1, unknown).otherwise(taken_apart)
