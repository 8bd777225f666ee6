"""What the landing needs to know of numbering plans."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from churnlake.core.settings import Model


class LandingSettings(Model):
    """How numbers are written where the operator works.

    ``home_area`` is the area code, with its 0, of numbers dialled without one. The prefixes of mobile networks are the first
    three digits; ``phs_prefixes`` the first digits of home local numbers that are PHS. ``ip_prefixes`` are dialled before a
    number to have the call carried cheaply. A number of at most ``service_most_digits`` digits, or one that begins with one of
    ``service_prefixes``, is a service number. A number is beautiful by its end: the same digit ``repeated_least`` times,
    ``sequence_least`` digits in a row, or one of ``lucky_endings``. ``reprocess_feeds`` are those whose quarantine
    is taken in again when asked for; none: all.
    """

    home_area: str
    country_code: str
    own_prefixes: Annotated[list[str], Field(min_length=1)]
    unicom_gsm_prefixes: list[str]
    unicom_cdma_prefixes: list[str]
    phs_prefixes: list[str]
    ip_prefixes: list[str]
    service_most_digits: Annotated[int, Field(ge=1)]
    service_prefixes: list[str]
    repeated_least: Annotated[int, Field(ge=2)]
    sequence_least: Annotated[int, Field(ge=2)]
    lucky_endings: list[str]
    reprocess_feeds: list[str]
