"""One run of a job at a time: a lease that a run holds while it works, and that dies with it.

The lease is a file below the lake, made by an operation that fails where the file is there: exclusive creation on a file system,
Hadoop's create without overwrite on a URI. That is as safe as the store: HDFS, ABFS and GCS do it in one step, and so does S3 by
its conditional writes, which are asked for (Hadoop 3.4.2 or newer, fs.s3a.create.conditional.enabled as it is by default).
The holder renews it; one not renewed in time, or whose process is gone from this machine, is taken over. Should a holder that
slept through its time wake up, Delta refuses the second of two overlapping commits.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

from pyspark.sql import SparkSession

from churnlake.core.errors import BusyError
from churnlake.core.storage import reached

logger = logging.getLogger(__name__)
CONDITIONAL = "fs.option.create.conditional.overwrite"
LASTS = 120.0
"""Seconds a lease stands without being renewed. A renewal is due every quarter of it."""


@contextlib.contextmanager
def lease(spark: SparkSession, root: str, job: str, run_id: str) -> Iterator[None]:
    """Hold the job's lease in the lake at ``root`` for a while. Raises BusyError, naming the holder, when another run has it."""
    files: _Files = _HadoopFiles(spark, root) if "://" in root else _LocalFiles(root)
    mine = {"run_id": run_id, "host": socket.gethostname(), "pid": os.getpid()}
    if not files.create(job, _text(mine)):
        held = _parsed(files.read(job))
        if not _is_dead(held):
            raise BusyError(
                f"job {job} is running already: run {held.get('run_id')} on {held.get('host')}, process {held.get('pid')}; wait for it to end "
                f"(should it be gone, its lease ends {LASTS:.0f} s after its last sign of life)"
            )
        # of two that find it dead, the rename of one fails: the file it meant is no longer there
        if not files.set_aside(job, held.get("run_id", "")) or not files.create(job, _text(mine)):
            raise BusyError(f"job {job} is being started by another run; wait for it to end")
        logger.warning("%s: took over the lease of run %s, which is dead", job, held.get("run_id"))
    done = threading.Event()

    def renew() -> None:
        while not done.wait(LASTS / 4):
            with contextlib.suppress(Exception):
                files.replace(job, _text(mine))

    threading.Thread(target=renew, name=f"lease of {job}", daemon=True).start()
    try:
        yield
    finally:
        done.set()
        with contextlib.suppress(Exception):
            if _parsed(files.read(job)).get("run_id") == run_id:
                files.remove(job)


@contextlib.contextmanager
def leases(spark: SparkSession, root: str, jobs: Iterable[str], run_id: str) -> Iterator[None]:
    """Hold the leases of all these jobs, so that none of them starts meanwhile. Raises BusyError when one is at work."""
    with contextlib.ExitStack() as held:
        for name in sorted(jobs):
            held.enter_context(lease(spark, root, name, run_id))
        yield


def held(root: str) -> dict[str, tuple[dict[str, Any], bool]]:
    """By job, who holds its lease in a lake on this machine's file system, and whether that run is dead. Only reads."""
    folder = Path(root).resolve() / "_leases"
    jobs = sorted(path.name for path in folder.iterdir() if not path.name.startswith(".")) if folder.is_dir() else []
    found = {job: _parsed(text) for job in jobs if (text := _LocalFiles(root).read(job))}
    return {job: (holder, _is_dead(holder)) for job, holder in found.items()}


def _text(holder: dict[str, Any]) -> str:
    return json.dumps({**holder, "until": time.time() + LASTS})


def _parsed(text: str) -> dict[str, Any]:
    try:
        return dict(json.loads(text))
    except ValueError:
        return {}


def _is_dead(held: dict[str, Any]) -> bool:
    """Whether the holder has not renewed in time, or was a process of this machine that is gone."""
    if held.get("until", 0) < time.time():
        return True
    if held.get("host") != socket.gethostname():
        return False
    try:
        os.kill(int(held["pid"]), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, ValueError, KeyError):
        return False
    return False


class _Files(Protocol):
    """Lease files by job: the five operations a lease needs."""

    def create(self, job: str, text: str) -> bool: ...

    def read(self, job: str) -> str: ...

    def replace(self, job: str, text: str) -> None: ...

    def set_aside(self, job: str, run_id: str) -> bool: ...

    def remove(self, job: str) -> None: ...


class _LocalFiles:
    def __init__(self, root: str) -> None:
        self.folder = Path(root).resolve() / "_leases"
        self.made: list[Path] = []

    def create(self, job: str, text: str) -> bool:
        # a run that fails for want of a lake leaves none behind
        self.made = [path for path in (self.folder, *self.folder.parents) if not path.exists()]
        # linked when whole: nobody ever reads half a lease
        whole = self.folder / f".{uuid.uuid4().hex}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            whole.write_text(text, encoding="utf-8")
        except FileNotFoundError:
            # another run that failed took its empty folder away meanwhile
            self.folder.mkdir(parents=True, exist_ok=True)
            whole.write_text(text, encoding="utf-8")
        try:
            os.link(whole, self.folder / job)
        except FileExistsError:
            return False
        finally:
            whole.unlink()
        return True

    def read(self, job: str) -> str:
        try:
            return (self.folder / job).read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""

    def replace(self, job: str, text: str) -> None:
        whole = self.folder / f".{uuid.uuid4().hex}"
        whole.write_text(text, encoding="utf-8")
        whole.replace(self.folder / job)

    def set_aside(self, job: str, run_id: str) -> bool:
        aside = self.folder / f".dead-{uuid.uuid4().hex}"
        try:
            (self.folder / job).rename(aside)
        except FileNotFoundError:
            return False
        is_same = bool(_parsed(aside.read_text(encoding="utf-8")).get("run_id", "") == run_id)
        if not is_same:
            with contextlib.suppress(FileExistsError):
                os.link(aside, self.folder / job)
        aside.unlink()
        return is_same

    def remove(self, job: str) -> None:
        (self.folder / job).unlink(missing_ok=True)
        if len(self.made) > 1 and list(self.folder.parent.iterdir()) == [self.folder]:
            for path in self.made:
                path.rmdir()


class _HadoopFiles:
    def __init__(self, spark: SparkSession, root: str) -> None:
        jvm: Any = spark._jvm
        self.jvm = jvm
        self.folder = f"{root.rstrip('/')}/_leases"
        _, self.fs = reached(spark, self.folder)

    def _path(self, job: str) -> Any:
        return self.jvm.org.apache.hadoop.fs.Path(f"{self.folder}/{job}")

    def _write(self, job: str, text: str, overwrite: bool) -> None:
        maker = self.fs.createFile(self._path(job)).overwrite(overwrite).recursive()
        # S3 alone looks at it: without, two that write at once both get the file
        stream = maker.opt(CONDITIONAL, str(not overwrite).lower()).build()
        stream.write(bytearray(text.encode()))
        stream.close()

    def create(self, job: str, text: str) -> bool:
        from py4j.protocol import Py4JJavaError

        try:
            self._write(job, text, False)
        except Py4JJavaError:
            if self.fs.exists(self._path(job)):
                return False
            raise
        return True

    def read(self, job: str) -> str:
        if not self.fs.exists(self._path(job)):
            return ""
        stream = self.fs.open(self._path(job))
        try:
            return str(self.jvm.org.apache.commons.io.IOUtils.toString(stream, "UTF-8"))
        finally:
            stream.close()

    def replace(self, job: str, text: str) -> None:
        self._write(job, text, True)

    def set_aside(self, job: str, run_id: str) -> bool:
        name = f".dead-{uuid.uuid4().hex}"
        if _parsed(self.read(job)).get("run_id", "") != run_id or not self.fs.rename(self._path(job), self._path(name)):
            return False
        # another may have taken it over since it was looked at
        held = self.read(name)
        is_same = bool(_parsed(held).get("run_id", "") == run_id)
        if not is_same:
            self.create(job, held)
        self.remove(name)
        return is_same

    def remove(self, job: str) -> None:
        self.fs.delete(self._path(job), False)
