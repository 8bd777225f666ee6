"""The jars the stack needs, resolved once by Spark's own resolver and checked against deploy/jars.lock.

``python -m churnlake.core.jars FOLDER [GROUP ...]`` fetches what is missing and prints where each lies; sessions then start from local
files, with no network. Jars of a group (``s3``, ``openlineage``) are for who asks for it.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from churnlake.core.errors import SettingsError


def lock_file() -> Path:
    """deploy/jars.lock: one coordinate and SHA-256 a line, and the group of a jar that not everybody needs."""
    return Path(__file__).parents[3] / "deploy" / "jars.lock"


def locked(groups: Sequence[str] = ()) -> dict[str, str]:
    """Coordinate -> SHA-256, as locked, of the jars that all need and of these groups; empty where the project is installed without its
    deploy folder (clusters bring their own jars). Raises SettingsError for a group that there is not.
    """
    if not lock_file().is_file():
        return {}
    lines = [line.split() for line in lock_file().read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    if unknown := set(groups) - {line[2] for line in lines if len(line) > 2}:
        raise SettingsError(f"no group of jars {', '.join(sorted(unknown))} in {lock_file()}")
    return {line[0]: line[1] for line in lines if set(line[2:]) <= set(groups)}


def file_name(coordinate: str) -> str:
    """The name under which a jar is kept: artifact-version.jar."""
    _, artifact, version = coordinate.split(":")
    return f"{artifact}-{version}.jar"


def command(groups: Sequence[str] = ()) -> str:
    """What fetches the jars of these groups, for who lacks one."""
    return f"make jars JAR_GROUPS='{' '.join(groups)}'" if groups else "make jars"


def installed(folder: str, groups: Sequence[str] = ()) -> list[str]:
    """Paths of the locked jars in the folder. Raises SettingsError when one is missing."""
    paths = [Path(folder).expanduser().resolve() / file_name(coordinate) for coordinate in locked(groups)]
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        raise SettingsError(f"{', '.join(missing)} not in {folder}; run {command(groups)} once (it needs the network)")
    return [str(path) for path in paths]


def differing(folder: str, groups: Sequence[str] = ()) -> list[str]:
    """Names of the locked jars in the folder that are not the files locked. Raises SettingsError when one is missing."""
    return [
        Path(path).name
        for path, digest in zip(installed(folder, groups), locked(groups).values(), strict=True)
        if _digest(Path(path)) != digest
    ]


def _digest(path: Path) -> str:
    with path.open("rb") as jar_file:
        return hashlib.file_digest(jar_file, "sha256").hexdigest()


def fetch(folder: Path, groups: Sequence[str] = ()) -> list[Path]:
    """Fetch the locked jars that the folder lacks and check each against its hash. Raises SettingsError when one differs."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {folder / file_name(coordinate): (coordinate, digest) for coordinate, digest in locked(groups).items()}
    missing = {path: lock for path, lock in wanted.items() if not path.is_file()}
    if missing:
        with tempfile.TemporaryDirectory() as ivy:
            found = {jar.name: jar for jar in _resolve([coordinate for coordinate, _ in missing.values()], Path(ivy))}
            for path, (coordinate, _) in missing.items():
                # as Ivy names it; by its end alone auth-1.jar would be http-auth-1.jar too
                if jar := found.get(f"{coordinate.partition(':')[0]}_{path.name}"):
                    partial = path.with_suffix(".part")
                    shutil.copyfile(jar, partial)
                    partial.rename(path)
    for path, (coordinate, digest) in wanted.items():
        if not path.is_file():
            raise SettingsError(f"{coordinate} could not be fetched; check that this machine reaches Maven Central")
        if _digest(path) != digest:
            path.unlink()
            raise SettingsError(
                f"{coordinate} is not the file locked in deploy/jars.lock; it was removed, run {command(groups)} again"
            )
    return list(wanted)


def _resolve(coordinates: list[str], ivy: Path) -> list[Path]:
    from pyspark.java_gateway import launch_gateway

    gateway = launch_gateway()  # type: ignore[no-untyped-call]
    jvm = gateway.jvm
    try:
        resolver = jvm.org.apache.spark.util.MavenUtils
        out = jvm.java.io.PrintStream(jvm.java.io.OutputStream.nullOutputStream())
        none = jvm.scala.Option.empty()
        nothing = jvm.scala.collection.immutable.List.newBuilder().result()
        settings = resolver.buildIvySettings(none, jvm.scala.Option.apply(str(ivy)), True, out)
        found = resolver.resolveMavenCoordinates(",".join(coordinates), settings, none, False, nothing, False, out)
        return [Path(found.apply(i)) for i in range(found.length())]
    finally:
        gateway.shutdown()


if __name__ == "__main__":
    try:
        sys.stdout.write("".join(f"{path}\n" for path in fetch(Path(sys.argv[1]).expanduser().resolve(), sys.argv[2:])))
    except SettingsError as error:
        sys.exit(f"churnlake: {error}")
