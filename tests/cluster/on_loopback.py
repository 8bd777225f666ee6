"""What the tests of this folder run on: a Spark cluster and an S3 server on this machine's loopback."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
from conftest import JVM

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "deploy" / "cluster"


class Cluster:
    """Master and two workers, of one core each, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {**os.environ, "PYTHON": sys.executable, "MEMORY": "1500m", "EVENT_LOGS": str(folder / "events")}
        (folder / "events").mkdir(parents=True)
        self.said = folder / "driver.log"
        self.driver: subprocess.Popen[bytes] | None = None
        self.url = self._script("start").strip()

    def _script(self, what: str) -> str:
        done = subprocess.run(
            [SCRIPTS / "loopback.sh", what, self.folder], env=self.env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def submit(self, *arguments: str, packed: bool = False) -> subprocess.Popen[bytes]:
        """A program on its way, by submit.sh; with the Python of this process on the workers, or with a packed environment."""
        env = self.env if packed else {**self.env, "CHURNLAKE_PYTHON": sys.executable}
        options = ["--master", self.url, "--driver-memory", "1500m", "--executor-memory", "1g", "--driver-java-options", JVM]
        options += ["--conf", f"spark.executor.extraJavaOptions={JVM}"]
        # into a file: what a driver says fills a pipe that nobody reads, and it would wait for ever
        with self.said.open("wb") as said:
            asked = [SCRIPTS / "submit.sh", *options, "--", *arguments]
            self.driver = subprocess.Popen(asked, env=env, stdout=said, stderr=subprocess.STDOUT)
        return self.driver

    def ended(self) -> str:
        """What the program that was submitted said, once it has ended well."""
        assert self.driver is not None
        code, told = self.driver.wait(), self.said.read_text(encoding="utf-8")
        assert code == 0, told[-3000:]
        return told

    def kill(self, worker: int) -> None:
        """Kill a worker and its executors, as a machine that loses power."""
        os.killpg(int((self.folder / f"worker{worker}.pid").read_text()), signal.SIGKILL)

    def stop(self) -> None:
        """End what still runs."""
        if self.driver is not None and self.driver.poll() is None:
            self.driver.terminate()
        self._script("stop")


@contextmanager
def s3_server(bucket: str) -> Iterator[list[str]]:
    """moto's S3 server with an empty bucket; the Spark settings to reach it by."""
    server = subprocess.Popen(
        [Path(sys.executable).parent / "moto_server", "-H", "127.0.0.1", "-p", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert server.stdout is not None
        endpoint = next(found[0] for line in server.stdout if (found := re.search(r"http://127\.0\.0\.1:\d+", line)))
        # nobody reads what it says of each request: a full pipe would stop it
        subprocess.Popen(["cat"], stdin=server.stdout, stdout=subprocess.DEVNULL)
        access = {"aws_access_key_id": "nobody", "aws_secret_access_key": "nothing", "region_name": "us-east-1"}
        boto3.client("s3", endpoint_url=endpoint, **access).create_bucket(Bucket=bucket)
        asked = {
            "endpoint": endpoint, "endpoint.region": "us-east-1", "path.style.access": "true", "connection.ssl.enabled": "false",
            "access.key": "nobody", "secret.key": "nothing",
        }  # fmt: skip
        yield ["spark.conf=" + json.dumps({f"spark.hadoop.fs.s3a.{key}": value for key, value in asked.items()})]
    finally:
        server.terminate()
        server.wait(10)
