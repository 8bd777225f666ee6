"""Pseudonyms and numbers as dialled, in DuckDB's SQL: from their definitions, apart from the house's own."""

from __future__ import annotations

from typing import Any

from churnlake.landing.settings import LandingSettings

BLOCK = 64
"""Bytes of a block of SHA-256."""


def declare(con: Any, key: bytes, s: LandingSettings) -> None:
    """HMAC-SHA256 from its definition (RFC 2104), and a number as dialled taken apart."""
    block = key.ljust(BLOCK, b"\0")
    pads = {name: bytes(b ^ byte for b in block).hex() for name, byte in (("inner", 0x36), ("outer", 0x5C))}
    con.execute(f"SET VARIABLE i = unhex('{pads['inner']}'); SET VARIABLE o = unhex('{pads['outer']}')")
    con.execute(
        "CREATE MACRO pseudonym(domain, text) AS CASE WHEN text IS NOT NULL THEN hash(sha256(getvariable('o') || "
        "unhex(sha256(getvariable('i') || encode(domain || ':' || text))))) END"
    )
    nets = {**dict.fromkeys(s.own_prefixes, "own"), **dict.fromkeys(s.unicom_gsm_prefixes, "unicom_gsm")}
    nets |= dict.fromkeys(s.unicom_cdma_prefixes, "unicom_cdma")
    cases = " ".join(
        f"WHEN left(x, 3) IN ({', '.join(repr(p) for p, n in nets.items() if n == net)}) THEN '{net}'"
        for net in dict.fromkeys(nets.values())
    )
    con.execute(f"CREATE MACRO network_of(x) AS CASE {cases} ELSE 'unknown' END")
    ip, code = "|".join(sorted(s.ip_prefixes, key=lambda p: (-len(p), p))), s.country_code
    abroad = r"(?:\+|00)"
    short = f"[1-9][0-9]{{0,{s.service_most_digits - 1}}}"
    service = f"(?:{short}|(?:{'|'.join(s.service_prefixes)})[0-9]{{1,17}})"
    forms = [
        rf"({abroad}?{code})?(0)?(1[3-9][0-9]{{9}})",
        rf"({abroad}?{code})0?(10|2[0-9])([2-8][0-9]{{7}})|({abroad}?{code})0?([3-9][0-9]{{2}})([2-8][0-9]{{6,7}})",
        r"0(10|2[0-9])([2-8][0-9]{7})|0([3-9][0-9]{2})([2-8][0-9]{6,7})",
        rf"({abroad}{code})?(?:0(10|2[0-9]|[3-9][0-9]{{2}}))?({service})",
        r"([2-8][0-9]{6,7})",
        rf"{abroad}([1-9][0-9]{{5,14}})",
    ]
    names = [
        "ip",
        "c1",
        "zero",
        "mobile",
        "c2",
        "a1",
        "l1",
        "c3",
        "a2",
        "l2",
        "a3",
        "l3",
        "a4",
        "l4",
        "c4",
        "sarea",
        "service",
        "l5",
        "abroad",
    ]
    pattern = f"^({ip})?(?:{'|'.join(forms)})$"
    fixed, area = "l1 || l2 || l3 || l4 || l5", "a1 || a2 || a3 || a4"
    phs = " OR ".join(f"starts_with(fixed, '{p}')" for p in s.phs_prefixes)
    home = s.home_area.removeprefix("0")
    con.execute(f"CREATE MACRO apart(x) AS regexp_extract(x, '{pattern}', {names!r})")
    con.execute(
        "CREATE MACRO named(x, p) AS CASE "
        "WHEN p.mobile <> '' THEN {'number': p.mobile, 'network': network_of(p.mobile), 'area': NULL, 'service': NULL} "
        f"WHEN {_of(fixed)} <> '' THEN {{'number': '0' || {_area(area, home)} || {_of(fixed)}, 'network': CASE WHEN "
        f"({_of(area)} IN ('', '{home}')) AND ({phs.replace('fixed', _of(fixed))}) THEN 'phs' ELSE 'fixed' END, "
        f"'area': '0' || {_area(area, home)}, 'service': NULL}} "
        "WHEN p.service <> '' THEN {'number': p.service, 'network': 'service', "
        "'area': CASE WHEN p.sarea <> '' THEN '0' || p.sarea END, 'service': p.service} "
        f"WHEN p.abroad <> '' AND NOT starts_with(p.abroad, '{code}') THEN "
        "{'number': '00' || p.abroad, 'network': 'international', 'area': NULL, 'service': NULL} "
        "ELSE {'number': x, 'network': 'unknown', 'area': NULL, 'service': NULL} END"
    )
    con.execute(
        "CREATE MACRO form_of(p) AS CASE WHEN p.ip <> '' THEN 'ip' WHEN p.c1 || p.c2 || p.c3 || p.c4 || p.abroad <> '' THEN 'international' "
        f"WHEN p.service <> '' THEN 'short' WHEN p.zero <> '' OR {_of(area)} <> '' THEN 'area' ELSE 'plain' END"
    )


def _of(names: str) -> str:
    return "(" + " || ".join(f"p.{name}" for name in names.split(" || ")) + ")"


def _area(area: str, home: str) -> str:
    return f"CASE WHEN {_of(area)} <> '' THEN {_of(area)} ELSE '{home}' END"
