"""Every kind of broken data a city can hold: one table that the truth, the scenario files and the docs name alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["quarantined", "duplicate", "unreadable", "marked", "figures", "harmless"]
"""What a sound receiver makes of it.

quarantined: the lines are set aside with a reason. duplicate: known as come before. unreadable: the file is noted as such, its lines
are not taken in. marked: accepted with a warning. figures: accepted, or never there, so that only daily figures show it.
harmless: accepted as if nothing were wrong.
"""
Family = Literal["line", "day", "file"]
"""line: one record. day: the records of one feed on one event day. file: one delivered file."""

VOICE, SMS, MMS, WAP = "voice", "sms", "mms", "wap"
ALL = (VOICE, SMS, MMS, WAP)
BUSY = (VOICE, SMS)
"""Feeds that have records every day, even in a small city: what befalls a whole day or file is planted there to be seen."""


@dataclass(frozen=True)
class Kind:
    """A kind of broken data: what it is, what a receiver should make of it and which feeds can have it."""

    family: Family
    name: str
    outcome: Outcome
    meaning: str
    feeds: tuple[str, ...] = ALL


KINDS = (
    Kind("line", "bad_time", "quarantined", "Month 13 and letters for the seconds."),
    Kind("line", "impossible_date", "quarantined", "31 February."),
    Kind("line", "missing_time", "quarantined", "No time."),
    Kind("line", "time_without_seconds", "quarantined", "The time is cut after the minute."),
    Kind("line", "other_time_format", "quarantined", "2005-05-01 08:00:00 where 20050501080000 was agreed."),
    Kind("line", "future_date", "quarantined", "The year is 2036."),
    Kind("line", "ancient_date", "quarantined", "The year is 1904."),
    Kind("line", "missing_number", "quarantined", "No number of our own."),
    Kind("line", "letters_in_number", "quarantined", "Letters within our own number."),
    Kind("line", "number_too_short", "quarantined", "Our own number lacks its last three digits."),
    Kind("line", "number_with_spaces", "harmless", "Our own number in groups, 138 0013 8000: the same number."),
    Kind("line", "nul_byte", "quarantined", "A zero byte within our own number."),
    Kind("line", "bad_encoding", "quarantined", "Bytes within our own number that are not UTF-8."),
    Kind("line", "missing_id", "quarantined", "No record id, so that a repeat could not be told."),
    Kind("line", "few_fields", "quarantined", "The line ends after the first fields."),
    Kind("line", "many_fields", "quarantined", "One field too many at the end."),
    Kind("line", "embedded_delimiter", "quarantined", "A thousands separator in the fee splits the field."),
    Kind("line", "unclosed_quote", "quarantined", "A quote opens and never closes."),
    Kind("line", "missing_seconds", "quarantined", "No duration.", (VOICE, WAP)),
    Kind("line", "negative_seconds", "quarantined", "A duration below zero.", (VOICE, WAP)),
    Kind("line", "absurd_seconds", "quarantined", "A duration of more than a day.", (VOICE, WAP)),
    Kind("line", "seconds_not_a_number", "quarantined", "A duration in words.", (VOICE, WAP)),
    Kind("line", "seconds_decimal", "quarantined", "A duration with a fraction, 48.5.", (VOICE, WAP)),
    Kind("line", "seconds_decimal_comma", "quarantined", "A duration with a decimal comma, which splits the field.", (VOICE, WAP)),
    Kind("line", "unknown_direction", "quarantined", "A code of direction nobody agreed on.", (VOICE, SMS, MMS)),
    Kind("line", "missing_direction", "quarantined", "No direction.", (VOICE, SMS, MMS)),
    Kind("line", "unknown_class", "quarantined", "A code of call class nobody agreed on.", (VOICE,)),
    Kind("line", "unknown_release", "quarantined", "A code of release cause nobody agreed on.", (VOICE,)),
    Kind("line", "negative_bytes", "quarantined", "A volume below zero.", (MMS, WAP)),
    Kind("line", "absurd_bytes", "quarantined", "A volume no network of the time could carry.", (MMS, WAP)),
    Kind("line", "fee_not_a_number", "quarantined", "A fee in letters."),
    Kind("line", "negative_fee", "marked", "A fee below zero."),
    Kind("line", "absurd_fee", "marked", "A fee of a thousand million yuan."),
    Kind("line", "imei_letters", "marked", "An IMEI with letters: no handset is known.", (VOICE,)),
    Kind("line", "imei_short", "marked", "An IMEI of ten digits: no handset is known.", (VOICE,)),
    Kind("line", "duplicate_in_file", "duplicate", "The line stands twice in its file."),
    Kind("line", "duplicate_across_files", "duplicate", "The line comes again with the next delivery."),
    Kind("line", "id_conflict", "quarantined", "Two lines with one record id say different things."),
    Kind("line", "late_record", "figures", "The line is delivered two to four weeks after its day."),
    Kind("day", "volume_drop", "figures", "Half of the day's records are lost.", BUSY),
    Kind("day", "volume_surge", "figures", "Every record of the day comes a second time under an id of its own.", BUSY),
    Kind("day", "null_burst_cell", "figures", "The day's records have no cell.", (VOICE,)),
    Kind("day", "null_burst_imei", "figures", "The day's records have no IMEI.", (VOICE,)),
    Kind("day", "null_burst_peer", "figures", "The day's records have no other party.", BUSY),
    Kind("day", "drift_seconds", "figures", "The day's durations are doubled.", (VOICE,)),
    Kind("day", "drift_class", "figures", "Half of the day's local calls are called roaming.", (VOICE,)),
    Kind("day", "clock_skew", "figures", "The clock was five hours slow all day.", BUSY),
    Kind("day", "frozen_clock", "figures", "The clock stood still: the day's records all begin at one second.", BUSY),
    Kind("day", "imei_zeros", "figures", "The day's IMEIs are all zeros.", (VOICE,)),
    Kind("day", "one_imei_everywhere", "figures", "The day's records all show one and the same IMEI.", (VOICE,)),
    Kind("day", "unknown_cells", "figures", "The day's cells are in no register.", (VOICE,)),
    Kind("day", "seconds_as_minutes", "figures", "The day's durations are in minutes.", (VOICE,)),
    Kind("day", "fee_in_yuan", "figures", "The day's fees are in yuan, not fen.", BUSY),
    Kind("day", "flipped_direction", "figures", "The day's codes for sent and received are exchanged.", BUSY),
    Kind("day", "unknown_code_burst", "quarantined", "The day's directions are codes nobody agreed on.", BUSY),
    Kind("day", "country_code_burst", "harmless", "The day's own numbers are written with +86.", BUSY),
    Kind("file", "duplicate_delivery", "duplicate", "The same file again under another name with the next delivery.", BUSY),
    Kind("file", "repacked_delivery", "duplicate", "The same lines again with the next delivery, not packed.", BUSY),
    Kind("file", "late_delivery", "figures", "The file comes two to four deliveries late.", BUSY),
    Kind("file", "missing_delivery", "figures", "The file never comes.", BUSY),
    Kind("file", "unfinished_file", "figures", "The file keeps its ending .part: its writer never finished.", BUSY),
    Kind("file", "header_only", "figures", "The file of a busy feed has a header and no line.", BUSY),
    Kind("file", "empty_file", "unreadable", "The file has no bytes, not even a header.", BUSY),
    Kind("file", "truncated_gzip", "unreadable", "The second half of the packed file is lost.", BUSY),
    Kind("file", "corrupt_gzip", "unreadable", "Bytes in the middle of the packed file are changed.", BUSY),
    Kind("file", "not_gzip", "unreadable", "Plain text under a name that ends in .gz.", BUSY),
    Kind("file", "gzip_without_ending", "unreadable", "A packed file under a name that does not end in .gz.", BUSY),
    Kind("file", "other_packing", "unreadable", "The file is packed by bzip2.", BUSY),
    Kind("file", "utf16", "unreadable", "The file is written in UTF-16.", BUSY),
    Kind("file", "missing_header", "unreadable", "The file begins with its first record.", BUSY),
    Kind("file", "wrong_delimiter", "unreadable", "Semicolons stand where commas were agreed.", BUSY),
    Kind("file", "swapped_columns", "quarantined", "The header names number and time the wrong way round.", BUSY),
    Kind("file", "swapped_parties", "figures", "The header names our number and the other party's the wrong way round.", BUSY),
    Kind("file", "missing_column", "quarantined", "The time is left out of header and lines.", BUSY),
    Kind("file", "missing_imei_column", "figures", "The IMEI is left out of header and lines.", (VOICE,)),
    Kind("file", "wrong_feed", "quarantined", "The file holds the short messages of that delivery.", (MMS,)),
    Kind("file", "cut_last_line", "quarantined", "The last line breaks off after its third field.", BUSY),
    Kind("file", "repeated_header", "harmless", "The header stands again between the lines.", BUSY),
    Kind("file", "reordered_columns", "harmless", "Header and lines have the columns the other way round.", BUSY),
    Kind("file", "new_column", "harmless", "A column nobody asked for.", BUSY),
    Kind("file", "byte_order_mark", "harmless", "The file begins with a byte order mark.", BUSY),
    Kind("file", "crlf", "harmless", "Lines end as on Windows.", BUSY),
    Kind("file", "blank_lines", "harmless", "Blank lines between the lines.", BUSY),
)  # fmt: skip
FAULTS = {kind.name: kind for kind in KINDS if kind.family == "line"}
"""Kinds of one line, drawn for each record by the weights of a scenario's ``faults``."""
INCIDENTS = {kind.name: kind for kind in KINDS if kind.family != "line"}
"""Kinds of a whole day or file, planted as often as a scenario's ``incidents`` say."""
