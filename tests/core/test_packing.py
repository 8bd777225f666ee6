"""What a cluster is sent: the jars asked for, the code and settings as zips, and the programs that a submit line may name."""

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from churnlake.core import jars
from churnlake.core.errors import SettingsError
from churnlake.core.logs import revision

ROOT = Path(__file__).parents[2]
SUBMIT = ROOT / "deploy" / "cluster" / "submit.sh"


def test_jars_of_a_group_are_for_who_asks_for_it() -> None:
    plain, s3 = jars.locked(), jars.locked(["s3"])
    assert [coordinate.split(":")[1] for coordinate in plain] == [
        "delta-spark_4.1_2.13",
        "delta-storage",
        "sedona-spark-shaded-4.0_2.13",
    ]
    assert plain.items() < s3.items()
    assert "org.apache.hadoop:hadoop-aws:3.4.2" in s3
    with pytest.raises(SettingsError, match="no group of jars abfs in"):
        jars.locked(["s3", "abfs"])


def test_hadoop_s_connector_is_of_the_version_of_spark_s_own_hadoop() -> None:
    import pyspark

    (client,) = (Path(pyspark.__file__).parent / "jars").glob("hadoop-client-api-*.jar")
    (connector,) = [name for name in jars.locked(["s3"]) if ":hadoop-aws:" in name]
    assert client.stem.rpartition("-")[2] == connector.rpartition(":")[2]


def test_a_jar_is_not_taken_for_another_whose_name_ends_like_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = {"x.sdk:auth:1": hashlib.sha256(b"auth").hexdigest(), "x.sdk:http-auth:1": hashlib.sha256(b"http").hexdigest()}
    found = [tmp_path / "x.sdk_http-auth-1.jar", tmp_path / "x.sdk_auth-1.jar"]
    for jar, content in zip(found, (b"http", b"auth"), strict=True):
        jar.write_bytes(content)
    for order in (found, found[::-1]):
        monkeypatch.setattr(jars, "locked", lambda groups=(): lock)
        monkeypatch.setattr(jars, "_resolve", lambda coordinates, ivy, order=order: order)
        kept = tmp_path / f"kept-{order[0].name}"
        assert [path.name for path in jars.fetch(kept)] == ["auth-1.jar", "http-auth-1.jar"]
        assert (kept / "auth-1.jar").read_bytes() == b"auth"


def test_the_code_that_is_sent_is_whole_and_knows_its_revision(tmp_path: Path) -> None:
    packer = ROOT / "deploy" / "cluster" / "pack.py"
    packed = [
        subprocess.run([sys.executable, packer, "code", tmp_path], check=True, capture_output=True, text=True).stdout
        for _ in "ab"
    ]
    (made,) = (tmp_path / name for name in {Path(one.strip()).name for one in packed})
    assert list(tmp_path.iterdir()) == [made], "the same code lies there once"
    with zipfile.ZipFile(made / "conf.zip") as conf:
        assert {"base.yaml", "cluster.yaml", "feeds/city/voice.yaml"} <= set(conf.namelist())
    # from the zip alone, in another folder, as on a node
    asked = (
        "import churnlake, jobs; from churnlake.__main__ import main; from churnlake.core.logs import revision; "
        "from churnlake.site.pages import PackageLoader; PackageLoader('churnlake.site').list_templates(); "
        "print(churnlake.__file__, revision()); raise SystemExit(main(['run', '--set', 'x=1']))"
    )
    env = {"PYTHONPATH": str(made / "churnlake.zip"), "CHURNLAKE_CONF": str(ROOT / "conf"), "PATH": "/usr/bin:/bin"}
    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=False, cwd=tmp_path, env=env)
    assert told.stdout.split() == [f"{made}/churnlake.zip/churnlake/__init__.py", revision()]
    assert "unknown setting 'x'" in told.stderr or told.returncode == 2


@pytest.mark.parametrize("arguments", [[], ["--master", "yarn"], ["--master", "yarn", "--"]])
def test_a_submit_line_without_a_program_is_told_how_it_goes(arguments: list[str]) -> None:
    done = subprocess.run([SUBMIT, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "submit.sh [OPTIONS OF spark-submit] -- run --workflow daily" in done.stderr
