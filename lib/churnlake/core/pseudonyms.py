"""Keyed pseudonyms and the encryption of raw text, made inside Spark from a key that never stands in a plan.

A key given as a literal would be printed in query plans and event logs. Here the plan holds only the path of the key file: the
two HMAC pads are derived from it by a scalar subquery.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from churnlake.core.errors import SettingsError

LEAST_BYTES = 32
DEMO_SHA256 = "5eab90f4347dd30cd8c5e5998542b9936b53e6803988f49a41ed64a79ba980d0"
"""SHA-256 of the published demonstration key, conf/demo.key."""

REMEDY = "write 32 or more random bytes to a file outside the repository and give its path as store.key_file"

# HMAC (RFC 2104): a key longer than one block of SHA-256 is hashed, a shorter one filled with zeros, then XORed byte by byte.
_BLOCK = "rpad(case when length(content) > 64 then unhex(sha2(content, 256)) else content end, 64, X'00')"
_PAD = (
    "unhex(array_join(transform(sequence(1, 127, 2), "
    "i -> lpad(hex(cast(conv(substr(hex({block}), i, 2), 16, 10) as bigint) ^ {byte}), 2, '0')), ''))"
)


_STRIPPED_SHA256 = r"sha2(trim(both ' \t\r\n' from cast(content as string)), 256)"


@dataclass(frozen=True, repr=False)
class Key:
    """A pseudonym key, held as a one-row frame over its file; the key itself never enters this process's plans.

    On a cluster the file must be readable by the executors (a volume or an object store), and by few others.
    """

    pads: DataFrame

    @classmethod
    def load(cls, spark: SparkSession, path: str, allow_demo: bool = False) -> Key:
        """The key in the file at ``path``, a local path or a URI that Spark reads.

        Raises SettingsError, saying what to do, where the file is not given, missing, shorter than 32 bytes, or the
        published demonstration key while ``allow_demo`` is false.
        """
        if not path:
            raise SettingsError(f"no pseudonym key given; {REMEDY}")
        if re.match(r"^\w{2,}:/", path):
            where = path
            length, digest = _seen_by_spark(spark, path)
        else:
            file = Path(path).expanduser().resolve()
            if not file.is_file():
                raise SettingsError(f"pseudonym key file {path} does not exist; {REMEDY}")
            where = str(file)
            content = file.read_bytes()
            length, digest = len(content), hashlib.sha256(content.strip()).hexdigest()
        if length < LEAST_BYTES:
            raise SettingsError(f"pseudonym key file {path} holds {length} bytes; {REMEDY}")
        if digest == DEMO_SHA256 and not allow_demo:
            raise SettingsError(f"pseudonym key file {path} is the published demonstration key; {REMEDY}")
        file_frame = spark.read.format("binaryFile").load(where)
        return cls(
            file_frame.selectExpr(
                "named_struct("
                f"'inner', {_PAD.format(block=_BLOCK, byte=0x36)}, "
                f"'outer', {_PAD.format(block=_BLOCK, byte=0x5C)}, "
                "'raw', unhex(sha2(concat(content, cast('raw' as binary)), 256))) as pads"
            )
        )

    def hmac(self, column: Column, domain: str) -> Column:
        """HMAC-SHA256 of ``domain:text`` as lower-case hex; null where the text is null."""
        pads = self.pads.scalar()
        message = F.concat(F.lit(f"{domain}:"), column.cast("string")).cast("binary")
        inner = F.unhex(F.sha2(F.concat(pads.getField("inner"), message), 256))
        return F.sha2(F.concat(pads.getField("outer"), inner), 256)

    def pseudonym(self, column: Column, domain: str) -> Column:
        """64-bit pseudonym of a text within one domain; null where the text is null.

        The same text in two domains has two pseudonyms, so that a number can not be looked up among customer ids.
        """
        return F.when(column.isNotNull(), F.xxhash64(self.hmac(column, domain)))

    def encrypt(self, column: Column) -> Column:
        """A text encrypted (AES-GCM, base64). The nonce is derived from the text, so that a re-run writes the same bytes."""
        nonce = F.substring(F.unhex(self.hmac(column, "nonce")), 1, 12)
        cipher = F.aes_encrypt(column.cast("binary"), self.pads.scalar().getField("raw"), F.lit("GCM"), F.lit("DEFAULT"), nonce)
        return F.when(column.isNotNull(), F.base64(cipher))

    def decrypt(self, column: Column) -> Column:
        """The text that :meth:`encrypt` hid; null where it was made with another key."""
        return F.try_aes_decrypt(F.unbase64(column), self.pads.scalar().getField("raw")).cast("string")


def _seen_by_spark(spark: SparkSession, path: str) -> tuple[int, str]:
    """Length and SHA-256 of a file that only Spark reaches; the content itself is not brought here."""
    try:
        found = spark.read.format("binaryFile").load(path).selectExpr("length(content)", _STRIPPED_SHA256).head()
    except Exception as error:
        raise SettingsError(f"pseudonym key file {path} could not be read; {REMEDY}") from error
    if found is None:
        raise SettingsError(f"pseudonym key file {path} does not exist; {REMEDY}")
    return int(found[0]), str(found[1])
