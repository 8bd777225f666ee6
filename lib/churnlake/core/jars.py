"""The jars the stack needs, resolved once by Spark's own resolver and checked against deploy/jars.lock.

``python -m churnlake.core.jars FOLDER`` fetches what is missing; sessions then start from local files, with no network. A jar whose line names
a purpose is for those alone who ask for it: ``python -m churnlake.core.jars FOLDER openlineage``.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
import tempfile
from pathlib import Path

from churnlake.core.errors import SettingsError


def lock_file() -> Path:
    """deploy/jars.lock: one coordinate and SHA-256 a line, and a purpose where not every session needs it."""
    return Path(__file__).parents[3] / "deploy" / "jars.lock"


def locked(*purposes: str) -> dict[str, str]:
    """Coordinate -> SHA-256 of the jars that every session needs, and of those for the purposes, as locked.

    Empty where the project is installed without its deploy folder: clusters bring their own jars.
    """
    if not lock_file().is_file():
        return {}
    lines = [line.split() for line in lock_file().read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    return {line[0]: line[1] for line in lines if not line[2:] or line[2] in purposes}


def file_name(coordinate: str) -> str:
    """The name under which a jar is kept: artifact-version.jar."""
    _, artifact, version = coordinate.split(":")
    return f"{artifact}-{version}.jar"


def installed(folder: str, *purposes: str) -> list[str]:
    """Paths of the locked jars in the folder. Raises SettingsError when one is missing."""
    paths = [Path(folder).expanduser().resolve() / file_name(coordinate) for coordinate in locked(*purposes)]
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        command = " ".join(["make jars", *(f"FOR={purpose}" for purpose in purposes)])
        raise SettingsError(f"{', '.join(missing)} not in {folder}; run '{command}' once (it needs the network)")
    return [str(path) for path in paths]


def differing(folder: str, *purposes: str) -> list[str]:
    """Names of the locked jars in the folder that are not the files locked. Raises SettingsError when one is missing."""
    return [
        Path(path).name
        for path, digest in zip(installed(folder, *purposes), locked(*purposes).values(), strict=True)
        if _digest(Path(path)) != digest
    ]


def _digest(path: Path) -> str:
    with path.open("rb") as jar_file:
        return hashlib.file_digest(jar_file, "sha256").hexdigest()


def fetch(folder: Path, *purposes: str) -> list[Path]:
    """Fetch the locked jars that the folder lacks and check each against its hash. Raises SettingsError when one differs."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {folder / file_name(coordinate): (coordinate, digest) for coordinate, digest in locked(*purposes).items()}
    missing = {path: lock for path, lock in wanted.items() if not path.is_file()}
    if missing:
        with tempfile.TemporaryDirectory() as ivy:
            for jar in _resolve([coordinate for coordinate, _ in missing.values()], Path(ivy)):
                for path in missing:
                    if jar.name.endswith(path.name):
                        partial = path.with_suffix(".part")
                        shutil.copyfile(jar, partial)
                        partial.rename(path)
    for path, (coordinate, digest) in wanted.items():
        if not path.is_file():
            raise SettingsError(f"{coordinate} could not be fetched; check that this machine reaches Maven Central")
        if _digest(path) != digest:
            path.unlink()
            raise SettingsError(f"{coordinate} is not the file locked in deploy/jars.lock; it was removed, run 'make jars' again")
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
        sys.stderr.write("".join(f"{path.name} ready\n" for path in fetch(Path(sys.argv[1]).expanduser(), *sys.argv[2:])))
    except SettingsError as error:
        sys.exit(f"churnlake: {error}")
