"""Pack what the nodes of a cluster need: pack.py code FOLDER, or pack.py environment FOLDER, which print where it lies.

``code`` makes churnlake.zip (library and jobs) and conf.zip. ``environment`` makes environment.tar.gz: a virtual environment with the
packages that the project runs with, of the versions locked, but without Spark, which the cluster brings. It is made anew only where
those changed. Its Python is that of this machine by its path, which the nodes must have too: see docs/cluster.md.
"""

import contextlib
import hashlib
import shutil
import subprocess
import sys
import tempfile
import tomllib
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = {"churnlake": ROOT / "lib" / "churnlake", "jobs": ROOT / "jobs"}


def code(folder: Path) -> Path:
    """A folder with the zips of code and settings, of a name of their own: what a driver at work reads is never changed."""
    told = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    library = {f"{package}/{name}": held for package, root in PACKAGES.items() for name, held in _files(root).items()}
    library["churnlake/revision.txt"] = told.stdout.strip().encode()
    zips = {"churnlake.zip": library, "conf.zip": _files(ROOT / "conf")}
    made = folder / f"code-{hashlib.sha256(repr(zips).encode()).hexdigest()[:12]}"
    if not made.is_dir():
        half = Path(tempfile.mkdtemp(dir=folder))
        for name, files in zips.items():
            with zipfile.ZipFile(half / name, "w", zipfile.ZIP_DEFLATED) as packed:
                for path, held in files.items():
                    packed.writestr(path, held)
        with contextlib.suppress(OSError):  # another made it meanwhile
            half.rename(made)
        shutil.rmtree(half, ignore_errors=True)
    return made


def _files(folder: Path) -> dict[str, bytes]:
    files = sorted(file for file in folder.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


def environment(folder: Path) -> Path:
    """The packed environment, made where there is none of the same packages."""
    import venv_pack

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    # what is of Python alone: of pyspark itself the cluster has its own
    wrappers = [one for one in project["optional-dependencies"]["spark"] if not one.startswith("pyspark")]
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    stamp = hashlib.sha256(repr((project["dependencies"], wrappers, lock, sys.version)).encode()).hexdigest()
    packed, known = folder / "environment.tar.gz", folder / "environment.sha256"
    if packed.is_file() and known.is_file() and known.read_text() == stamp:
        return packed
    sys.stderr.write(f"packing {packed} (once, some minutes)\n")
    known.unlink(missing_ok=True)
    made = folder / "environment"
    venv.create(made, clear=True, with_pip=True)
    install = [
        str(made / "bin" / "python"),
        "-m",
        "pip",
        "install",
        "-q",
        "--disable-pip-version-check",
        "-c",
        str(ROOT / "requirements.lock"),
    ]
    subprocess.run([*install, *project["dependencies"]], check=True)
    subprocess.run([*install, "--no-deps", *wrappers], check=True)
    venv_pack.pack(prefix=str(made), output=str(packed), force=True)
    shutil.rmtree(made)
    known.write_text(stamp)
    return packed


if __name__ == "__main__":
    made = {"code": code, "environment": environment}[sys.argv[1]](Path(sys.argv[2]))
    sys.stdout.write(f"{made}\n")
