"""Keyed pseudonyms and the encryption of raw text, made inside Spark from keys that never stand in a plan.

A key given as a literal would be printed in query plans and event logs. Here the plan holds only where the key is: the path of
its file, or the name of an environment variable. The two HMAC pads are derived from it by a scalar subquery.

Pseudonyms are one way, so a key is changed by chaining: with the keys a, b the pseudonym of a number is HMAC(b, HMAC(a,
number)). Stored values then need only the newer key to be renewed, and numbers taken in later go through both.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from churnlake.core.errors import SettingsError
from churnlake.core.landing_files import for_spark

LEAST_BYTES = 32
DEMO_SHA256 = "5eab90f4347dd30cd8c5e5998542b9936b53e6803988f49a41ed64a79ba980d0"
"""SHA-256 of the published demonstration key, conf/demo.key."""
ENVIRONMENT = "env:"
VERSION_DIGITS = 16

REMEDY = "write 32 or more random bytes to a file outside the repository and give its path as store.key_file"
NOT_GIVEN = f"no pseudonym key given; {REMEDY}"
TWICE = "store.key_file names one key twice; give each key once, oldest first"

# HMAC (RFC 2104): a key longer than one block of SHA-256 is hashed, a shorter one filled with zeros, then XORed byte by byte.
_BLOCK = "rpad(case when length(content) > 64 then unhex(sha2(content, 256)) else content end, 64, X'00')"
_PAD = (
    "unhex(array_join(transform(sequence(1, 127, 2), "
    "i -> lpad(hex(cast(conv(substr(hex({block}), i, 2), 16, 10) as bigint) ^ {byte}), 2, '0')), ''))"
)
_PADS = (
    f"named_struct('inner', {_PAD.format(block=_BLOCK, byte=0x36)}, 'outer', {_PAD.format(block=_BLOCK, byte=0x5C)}, "
    "'raw', unhex(sha2(concat(content, cast('raw' as binary)), 256))) as pads"
)
_STRIPPED_SHA256 = r"sha2(trim(both ' \t\r\n' from cast(content as string)), 256)"


def places_of(where: str | Sequence[str]) -> list[str]:
    """Where the keys lie, oldest first. Raises SettingsError where none is given, or one place twice."""
    places = [where] if isinstance(where, str) else list(where)
    if not places:
        raise SettingsError(NOT_GIVEN)
    if len(set(places)) < len(places):
        raise SettingsError(TWICE)
    return places


def refuse_weak(found: Mapping[str, tuple[int, str]], allow_demo: bool) -> None:
    """Raise SettingsError where a key is too short, given twice, or the published one while that is not allowed.

    ``found`` has by place, oldest first, a key's length and the SHA-256 of it without white space around.
    """
    newest = list(found)[-1]
    for place, (length, digest) in found.items():
        if length < LEAST_BYTES:
            raise SettingsError(f"pseudonym key {place} holds {length} bytes; {REMEDY}")
        # a ring may begin with it: that is how a lake leaves it behind
        if digest == DEMO_SHA256 and not allow_demo and place == newest:
            raise SettingsError(f"pseudonym key {place} is the published demonstration key; {REMEDY}")
    if len({digest for _, digest in found.values()}) < len(found):
        raise SettingsError(TWICE)


def held_here(place: str) -> tuple[int, str]:
    """Length and SHA-256 of a key in a local file or an environment variable of this process; no Spark.

    Raises SettingsError where it is not there or can not be read.
    """
    if place.startswith(ENVIRONMENT):
        held = os.environ[_variable(place)].encode()
    else:
        file = Path(place).expanduser().resolve()
        if not place or not file.is_file():
            raise SettingsError(f"pseudonym key file {place} does not exist; {REMEDY}" if place else NOT_GIVEN)
        try:
            held = file.read_bytes()
        except OSError as error:
            raise SettingsError(f"pseudonym key file {place} could not be read ({error.strerror}); {REMEDY}") from error
    return len(held), hashlib.sha256(held.strip()).hexdigest()


def checked_here(where: str | Sequence[str], allow_demo: bool) -> dict[str, tuple[int, str]]:
    """Of the keys that can be read without Spark, by place: length and SHA-256. Raises SettingsError for what ``Key.load`` would refuse."""
    places = places_of(where)
    found = {place: held_here(place) for place in places if not is_remote(place)}
    if found:
        refuse_weak(found, allow_demo or is_remote(places[-1]))
    return found


def is_remote(place: str) -> bool:
    """Whether a key lies where only Spark reads it."""
    return re.match(r"^\w{2,}:/", place) is not None


def _variable(place: str) -> str:
    """The name of the environment variable a place names. Raises SettingsError where it is not set in this process."""
    name = place.removeprefix(ENVIRONMENT)
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) or name not in os.environ:
        raise SettingsError(
            f"pseudonym key {place}: no such environment variable; set it for the driver and the executors before Spark "
            "starts, on Databricks from a secret scope, or give the path of a key file as store.key_file"
        )
    return name


@dataclass(frozen=True, repr=False)
class Key:
    """The pseudonym keys, oldest first, each held as a one-row frame over where it lies; none enters this process's plans.

    On a cluster a file must be readable by the executors (a volume or an object store), and by few others; a variable must be
    set for the driver and the executors.
    """

    ring: tuple[DataFrame, ...]

    @classmethod
    def load(cls, spark: SparkSession, where: str | Sequence[str], allow_demo: bool = False) -> Key:
        """The key at ``where``, or the keys, oldest first: a local path, a URI that Spark reads, or ``env:NAME``.

        Raises SettingsError, saying what to do, where a key is not given, missing, shorter than 32 bytes, given twice, or the
        published demonstration key while ``allow_demo`` is false.
        """
        found = {place: _source(spark, place) for place in places_of(where)}
        refuse_weak({place: (length, digest) for place, (_, length, digest) in found.items()}, allow_demo)
        return cls(tuple(content.selectExpr(_PADS) for content, _, _ in found.values()))

    @cached_property
    def versions(self) -> tuple[str, ...]:
        """By how many of the keys were used, what tells them apart: 16 hex digits that say nothing of the keys."""
        told: list[Column] = []
        for pads in self.ring:
            before = told[-1] if told else F.lit("")
            told.append(F.substring(_hmac(pads, before, "version"), 1, VERSION_DIGITS))
        row = self.ring[0].select(F.array(*told)).first()
        return tuple(row[0]) if row else ()

    @property
    def version(self) -> str:
        """The version of pseudonyms that went through every key."""
        return self.versions[-1]

    def hmac(self, column: Column, domain: str) -> Column:
        """HMAC-SHA256 of ``domain:text`` under the oldest key, as lower-case hex; null where the text is null."""
        return _hmac(self.ring[0], column, domain)

    def pseudonym(self, column: Column, domain: str) -> Column:
        """64-bit pseudonym of a text within one domain under the oldest key; null where the text is null.

        The same text in two domains has two pseudonyms, so that a number can not be looked up among customer ids. What is
        stored has gone through the newer keys as well: see :meth:`renewed`.
        """
        return F.when(column.isNotNull(), F.xxhash64(self.hmac(column, domain)))

    def renewed(self, column: Column, since: int = 1, until: int | None = None) -> Column:
        """A pseudonym that went through ``since`` keys, taken on through those after them; null stays null."""
        for pads in self.ring[since:until]:
            column = F.when(column.isNotNull(), F.xxhash64(_hmac(pads, column, "renewed")))
        return column

    def mark(self, pseudonym: Column, place: int = -1) -> Column:
        """32 hex digits that an erased user is known by, made of a pseudonym that went through the keys up to that ``place``."""
        return F.when(pseudonym.isNotNull(), F.substring(_hmac(self.ring[place], pseudonym, "erased"), 1, 32))

    def encrypt(self, column: Column) -> Column:
        """A text encrypted (AES-GCM, base64) with the newest key. The nonce is derived from the text, so that a re-run writes the same bytes."""
        newest = self.ring[-1]
        nonce = F.substring(F.unhex(_hmac(newest, column, "nonce")), 1, 12)
        cipher = F.aes_encrypt(column.cast("binary"), newest.scalar().getField("raw"), F.lit("GCM"), F.lit("DEFAULT"), nonce)
        return F.when(column.isNotNull(), F.base64(cipher))

    def decrypt(self, column: Column) -> Column:
        """The text that :meth:`encrypt` hid, under any key of the ring; null where it was made with another."""
        tried = [
            F.try_aes_decrypt(F.unbase64(column), pads.scalar().getField("raw")).cast("string") for pads in reversed(self.ring)
        ]
        return F.coalesce(*tried)


def _hmac(key: DataFrame, column: Column, domain: str) -> Column:
    pads = key.scalar()
    message = F.concat(F.lit(f"{domain}:"), column.cast("string")).cast("binary")
    inner = F.unhex(F.sha2(F.concat(pads.getField("inner"), message), 256))
    return F.sha2(F.concat(pads.getField("outer"), inner), 256)


def _source(spark: SparkSession, place: str) -> tuple[DataFrame, int, str]:
    """A key as a one-row frame with ``content``, its length and the SHA-256 of it without white space around."""
    if place.startswith(ENVIRONMENT):
        name = _variable(place)
        # read where it is needed, never brought into a plan: the plan names the variable
        read = f"java_method('java.lang.System', 'getenv', '{name}')"
        unset = f"raise_error('environment variable {name} is not set on this machine')"
        content = spark.range(1).selectExpr(f"cast(coalesce({read}, {unset}) as binary) as content")
        return content, *_seen_by_spark(content, place)
    if is_remote(place):
        try:
            content = spark.read.format("binaryFile").load(place)
        except Exception as error:
            raise SettingsError(f"pseudonym key file {place} could not be read; {REMEDY}") from error
        return content, *_seen_by_spark(content, place)
    found = held_here(place)
    return spark.read.format("binaryFile").load(for_spark(Path(place))), *found


def _seen_by_spark(content: DataFrame, place: str) -> tuple[int, str]:
    """Length and SHA-256 of a key that only Spark reaches; the content itself is not brought here."""
    try:
        found = content.selectExpr("length(content)", _STRIPPED_SHA256).head()
    except Exception as error:
        raise SettingsError(f"pseudonym key {place} could not be read; {REMEDY}") from error
    if found is None:
        raise SettingsError(f"pseudonym key file {place} does not exist; {REMEDY}")
    return int(found[0]), str(found[1])
