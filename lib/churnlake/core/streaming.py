"""Following a landing feed as a stream (Structured Streaming): each file that comes is taken in at once, in micro-batches.

Spark's file source says which files are new and its checkpoint which were given; what a file holds, whether it can be read and
whether it came before is judged as of any other feed (core.landing), and registered in raw.files when its rows are seen. Every row
is added by MERGE, so that a micro-batch given again changes nothing. What the source can not give again, as it remembers names
alone, is taken in when it has caught up: files that were still being written, were mended under their name, or are new again
since the lake went back to an earlier run.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructField, StructType

from churnlake.core.contract import STRING, TIMESTAMP, Table
from churnlake.core.errors import ContractError, SettingsError
from churnlake.core.frames import frame_of
from churnlake.core.lake import Lake
from churnlake.core.landing import FILES, Landing
from churnlake.core.landing_files import for_spark, listed

if TYPE_CHECKING:
    from churnlake.core.job import Run

logger = logging.getLogger(__name__)
ARRIVED = StructType([StructField("file_id", STRING), StructField("arrived_at", TIMESTAMP)])
SOURCE = "path string, modificationTime timestamp, length bigint, content binary"
"""Columns of Spark's binaryFile source; of what is not asked for nothing is read."""
EVER = "36500d"
"""How much older than the newest a file may be: by default the source passes over those of a week ago, also when they come today."""
POLL_SECONDS = 1


class Following:
    """A feed followed for a run: what it took in so far, and what it is to tell."""

    def __init__(self, lake: Lake, run: Run, feed: Table, ledger: Table, take: Callable[[], None]) -> None:
        self.lake, self.run, self.feed, self.ledger, self.take = lake, run, feed, ledger, take
        self.registered: list[Any] = lake.read(FILES).where(F.col("feed") == _noun(feed)).collect() if lake.has(FILES) else []
        self.waiting: set[str] = set()
        self.batches = self.seen_before = 0
        self.delays: list[tuple[float, int]] = []
        self.reasons: Counter[str] = Counter()
        self.error: BaseException | None = None
        self.stopping = threading.Event()

    def follow(self, every_seconds: float, files_a_batch: int) -> None:
        """Take in what is there; then, where ``every_seconds`` is above 0, what comes, so often, until the process is told to end (SIGTERM, Ctrl-C)."""
        self._query(files_a_batch, availableNow=True)
        self._micro_batch(None)
        if every_seconds > 0:
            with self._until_told():
                self._query(files_a_batch, processingTime=f"{every_seconds} seconds")
            self._micro_batch(None)

    def tell(self) -> None:
        """Leave with the run what it is to say: files, rows, why rows were set aside, how long it took."""
        told = self.run.facts.setdefault("told", [])
        if not self.batches:
            told.append(f"no new file; {self.seen_before:,} taken in before")
            return
        told += [written.states() for written in self.lake.written if written.table.ledger]
        told += [f"set aside: {count:,} {reason}" for reason, count in self.reasons.most_common()]
        seconds, rows = (np.array(column, float) for column in zip(*(self.delays or [(0.0, 1)]), strict=True))
        half, most = np.quantile(seconds, [0.5, 0.95], weights=rows, method="inverted_cdf")
        told.append(
            f"{self.batches:,} micro-batches; from a file's arrival to its rows being seen: p50 {half:,.1f} s, p95 {most:,.1f} s"
        )

    def _query(self, files_a_batch: int, **trigger: Any) -> None:
        folder = self.lake.landing.folder(self.feed)
        source = (
            self.lake.spark.readStream.format("binaryFile").schema(SOURCE).option("maxFileAge", EVER)
            .option("maxFilesPerTrigger", files_a_batch).load(f"{for_spark(folder)}/date=*")
        )  # fmt: skip
        query = (
            source.select("path").writeStream.foreachBatch(self._given).queryName(self.run.job)
            .option("checkpointLocation", f"{self.lake.storage.root.rstrip('/')}/_checkpoints/{self.run.job}").trigger(**trigger).start()
        )  # fmt: skip
        try:
            while not query.awaitTermination(POLL_SECONDS):
                if self.stopping.is_set():
                    break
        except Exception:
            # of the errors of a micro-batch the query tells the text alone
            if self.error is None:
                raise
        finally:
            query.stop()
        if self.error is not None and not self.stopping.is_set():
            raise self.error

    def _given(self, found: DataFrame, number: int) -> None:
        try:
            # so many as a micro-batch may have
            self._micro_batch({_noun(self.feed) + "/" + "/".join(row["path"].split("/")[-2:]) for row in found.collect()})
        except BaseException as error:
            self.error = error
            raise

    def _micro_batch(self, only: Collection[str] | None) -> None:
        """Take in these files, or all that are not yet, as far as they can be read and were not taken in before."""
        lake = self.lake
        lake.look_anew()
        lake.landing = Landing(lake.store)
        lake.landing.choose((self.feed,), self.registered, None, only=None if only is None else {*only, *self.waiting})
        self.seen_before = lake.landing.seen_before
        rows = [{**row, "batch": _day_batch(row)} for row in lake.landing.register((self.feed,), "done")]
        done = {row["path"] for row in rows} | {row["path"] for row in self.registered}
        # one that changes while it is looked at is still being written: it has no row yet
        self.waiting = ({*(only or ())} | self.waiting) - done
        if not rows:
            return
        if files := lake.landing.files(self.feed):
            self.take()
            self._account()
        now = dt.datetime.now(dt.UTC)
        lake.record_files([{**row, "done_at": now} for row in rows], FILES)
        self.registered = [row for row in self.registered if row["path"] not in lake.landing.mended] + rows
        self.batches += 1
        self.run.left_out += lake.landing.left_out()
        delays = [((now - file.modified_at).total_seconds(), file.lines) for file in files if file.modified_at]
        self.delays += delays
        logger.info(
            "%s: %s files, %s rows, slowest %.1f s",
            self.run.job,
            len(rows),
            f"{lake.landing.rows_in():,}",
            max(delays, default=(0.0, 0))[0],
        )

    def _account(self) -> None:
        """Raises ContractError where the rows committed are not the lines counted."""
        rows = self.lake.ledger(self.ledger).where(F.col("file_id").isin(self.lake.landing.file_ids()))
        reason = F.explode_outer(F.when(F.col("state") == "bad", F.col("reasons")))
        found = (
            rows.select("file_id", "line_key", reason.alias("reason")).groupBy("reason").agg(F.count("*").alias("rows")).collect()
        )
        self.reasons.update({row["reason"]: row["rows"] for row in found if row["reason"]})
        expected, committed = self.lake.landing.rows_in(), rows.count()
        if expected != committed:
            files = ", ".join(file.name for file in self.lake.landing.files(self.feed)[:3])
            raise ContractError(
                f"the files hold {expected:,} rows by line count, but {committed:,} were committed; look into {files}"
            )

    @contextmanager
    def _until_told(self) -> Iterator[None]:
        """End the query in order when the process is told to end; only a main thread hears of it."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {one: signal.signal(one, lambda *_: self.stopping.set()) for one in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)


def follow(
    lake: Lake, run: Run, feed: Table, ledger: Table, take: Callable[[], None], *, every_seconds: float, files_a_batch: int
) -> None:
    """Follow a landing feed: ``take`` is called with each micro-batch chosen (``lake.landing``), to merge its rows into ``ledger`` and other tables.

    With ``every_seconds`` 0 it ends when all that is there is taken in. What is not there is told by the run.
    """
    if not lake.landing.feed_file(feed).is_file() or not lake.landing.folder(feed).is_dir():
        run.leaves_out(f"{feed.name} records", feed)
        return
    there = listed(lake.landing.folder(feed))
    if odd := [file.name for file in there if ":" in file.path.name]:
        raise SettingsError(f"{odd[0]}: a name with : can not be followed; give the file another")
    following = Following(lake, run, feed, ledger, take)
    began = time.monotonic()
    try:
        following.follow(every_seconds, files_a_batch)
    finally:
        following.tell()
        logger.info("%s followed %s for %.0f s", run.job, feed.name, time.monotonic() - began)


def arrived(lake: Lake, feed: Table, ledger: Table) -> DataFrame:
    """One row per good row that the ledger holds of the files of the micro-batch, with ``arrived_at``: when its file was last changed, UTC."""
    files = [{"file_id": file.file_id, "arrived_at": file.modified_at} for file in lake.landing.files(feed)]
    rows = lake.ledger(ledger).where("state = 'good'")
    return rows.join(F.broadcast(frame_of(lake.spark, ARRIVED, files)), on="file_id", how="inner").select(
        *ledger.names, "arrived_at"
    )


def _day_batch(row: dict[str, Any]) -> str:
    """The batch of a file in the register: of one feed and delivery day, so that a year of minutes is no half a million of partitions."""
    return hashlib.sha256(f"{row['feed']} {row['delivered_on']}".encode()).hexdigest()[:16]


def _noun(table: Table) -> str:
    return table.name.partition(".")[2]
