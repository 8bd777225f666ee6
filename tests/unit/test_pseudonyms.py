from __future__ import annotations

import contextlib
import hashlib
import hmac
import io
import os
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from churnlake.core.errors import SettingsError
from churnlake.core.pseudonyms import Key
from churnlake.core.settings import conf_folder, load
from churnlake.settings import Settings

SHORT = bytes(range(40, 80))
LONG = b"a key longer than one block of SHA-256 is hashed first; this one is that long for certain"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "pseudonyms.key"
    path.write_bytes(SHORT)
    return path


@pytest.mark.parametrize("content", [SHORT, LONG, LONG[:64]], ids=["short", "long", "block"])
def test_hmac_is_the_standard_one(spark: SparkSession, file: Path, content: bytes) -> None:
    file.write_bytes(content)
    key = Key.load(spark, str(file))
    texts = ["13901234567", "", "北京"]
    found = (
        spark.createDataFrame([(t,) for t in texts], "t string").select("t", key.hmac(F.col("t"), "number").alias("h")).collect()
    )
    assert {r.t: r.h for r in found} == {t: hmac.new(content, f"number:{t}".encode(), hashlib.sha256).hexdigest() for t in texts}


def test_pseudonyms_differ_by_domain_and_keep_null(spark: SparkSession, file: Path) -> None:
    key = Key.load(spark, str(file))
    t = F.col("t")
    frame = spark.createDataFrame([("13901234567",), (None,)], "t string")
    found = frame.select(
        key.pseudonym(t, "number").alias("a"), key.pseudonym(t, "imsi").alias("b"), F.xxhash64(key.hmac(t, "number")).alias("c")
    )
    assert dict(found.dtypes)["a"] == "bigint"
    first, second = found.collect()
    assert first.a == first.c
    assert first.a != first.b
    assert (second.a, second.b) == (None, None)


def test_the_key_stands_in_no_plan(spark: SparkSession, file: Path) -> None:
    secret = b"this very secret key must never be seen in a plan"
    file.write_bytes(secret)
    key = Key.load(spark, str(file))
    t = F.col("t")
    frame = spark.createDataFrame([("13901234567",)], "t string").select(
        key.pseudonym(t, "number").alias("p"), key.encrypt(t).alias("e")
    )
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        frame.explain(True)
        frame.collect()
        frame.explain(True)
    executed = frame._jdf.queryExecution().executedPlan().toString()  # type: ignore[operator]
    for plan in (said.getvalue().lower(), executed.lower()):
        pads = [bytes(b ^ x for b in secret).hex()[:16] for x in (0x36, 0x5C)]
        for part in (secret.decode()[:12], secret.hex()[:16], *pads, hashlib.sha256(secret + b"raw").hexdigest()[:16]):
            assert part not in plan
    assert "subquery" in said.getvalue().lower()


def test_encrypted_text_comes_back_with_the_same_key_only(spark: SparkSession, file: Path, tmp_path: Path) -> None:
    key = Key.load(spark, str(file))
    other_file = tmp_path / "other.key"
    other_file.write_bytes(LONG)
    other = Key.load(spark, str(other_file))
    frame = spark.createDataFrame([("一行,13901234567,x",), (None,)], "t string").select("t", key.encrypt(F.col("t")).alias("e"))
    first, second = frame.select("*", key.decrypt(F.col("e")).alias("d"), other.decrypt(F.col("e")).alias("o")).collect()
    assert first.d == first.t
    assert first.o is None
    assert "13901234567" not in first.e
    assert (second.e, second.d) == (None, None)
    assert frame.head()["e"] == first.e


def test_a_missing_short_or_published_key_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    demo = conf_folder() / "demo.key"
    short = tmp_path / "short.key"
    short.write_bytes(b"x" * 31)
    copied = tmp_path / "copied.key"
    copied.write_bytes(demo.read_bytes() + b"\n")
    for path, why in (
        ("", "no pseudonym key"),
        (str(tmp_path / "none"), "does not exist"),
        (str(short), "31 bytes"),
        (str(demo), "demonstration"),
        (str(copied), "demonstration"),
        (f"file:{tmp_path}/none", "could not be read"),
        (f"file:{copied.resolve()}", "demonstration"),
    ):
        with pytest.raises(SettingsError, match=why) as refused:
            Key.load(spark, path)
        assert "store.key_file" in str(refused.value)
        assert "\n" not in str(refused.value)
    Key.load(spark, str(demo), allow_demo=True)
    Key.load(spark, f"file:{tmp_path.resolve()}/copied.key", allow_demo=True)


def test_a_ring_chains_its_keys_and_stored_pseudonyms_need_the_newer_only(
    spark: SparkSession, file: Path, tmp_path: Path
) -> None:
    newer = tmp_path / "newer.key"
    newer.write_bytes(LONG)
    old, ring = Key.load(spark, str(file)), Key.load(spark, [str(file), str(newer)])
    t = F.col("t")
    frame = spark.createDataFrame([("13901234567",), (None,)], "t string").select(
        old.pseudonym(t, "number").alias("stored"),
        ring.renewed(ring.pseudonym(t, "number")).alias("taken_in"),
        ring.renewed(old.pseudonym(t, "number")).alias("rotated"),
        ring.decrypt(old.encrypt(t)).alias("old_text"),
        old.decrypt(ring.encrypt(t)).alias("hidden"),
        t,
    )
    first, second = frame.collect()
    digest = hmac.new(LONG, f"renewed:{first.stored}".encode(), hashlib.sha256).hexdigest()
    expected = spark.createDataFrame([(digest,)], "h string").select(F.xxhash64("h")).head()
    assert expected is not None
    assert first.taken_in == first.rotated == expected[0] != first.stored
    assert (first.old_text, first.hidden) == (first.t, None)
    assert (second.taken_in, second.rotated, second.old_text) == (None, None, None)


def test_versions_tell_rings_apart_and_come_from_the_keys_alone(spark: SparkSession, file: Path, tmp_path: Path) -> None:
    newer = tmp_path / "newer.key"
    newer.write_bytes(LONG)
    ring = Key.load(spark, [str(file), str(newer)])
    first = hmac.new(SHORT, b"version:", hashlib.sha256).hexdigest()[:16]
    assert ring.versions == (first, hmac.new(LONG, f"version:{first}".encode(), hashlib.sha256).hexdigest()[:16])
    assert Key.load(spark, str(file)).version == first
    assert Key.load(spark, [str(newer), str(file)]).version != ring.version
    with pytest.raises(SettingsError, match="names one key twice"):
        Key.load(spark, [str(file), str(file)])


def test_a_key_may_come_from_the_environment_and_does_not_reach_the_plan(spark: SparkSession) -> None:
    name = next(n for n in ("PATH", "PYTHONPATH") if len(os.environ.get(n, "")) >= 32)
    secret = os.environ[name]
    key = Key.load(spark, f"env:{name}")
    frame = spark.createDataFrame([("13901234567",)], "t string").select(key.hmac(F.col("t"), "number").alias("h"))
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        frame.explain(True)
    row = frame.head()
    assert row is not None
    assert row.h == hmac.new(secret.encode(), b"number:13901234567", hashlib.sha256).hexdigest()
    executed = frame._jdf.queryExecution().executedPlan().toString()  # type: ignore[operator]
    for plan in (said.getvalue(), executed):
        assert secret[:24] not in plan
        assert secret.encode().hex()[:24].upper() not in plan.upper()
    with pytest.raises(SettingsError, match="no such environment variable"):
        Key.load(spark, "env:CHURNLAKE_NO_SUCH_KEY")


def test_a_lake_may_leave_the_published_key_behind_but_not_take_it_up(spark: SparkSession, file: Path) -> None:
    demo = str(conf_folder() / "demo.key")
    assert len(Key.load(spark, [demo, str(file)]).versions) == 2
    with pytest.raises(SettingsError, match="published demonstration key"):
        Key.load(spark, [str(file), demo])


def test_a_cluster_has_no_key_unless_it_is_given_one(spark: SparkSession) -> None:
    store = load(Settings, "cluster").store
    assert not store.allow_demo_key
    with pytest.raises(SettingsError, match="no pseudonym key given"):
        Key.load(spark, store.key_file, store.allow_demo_key)
