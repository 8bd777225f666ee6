"""A hamlet of five numbers, small enough to write out: landing files of subscribers, SMS and opt-outs, and jobs run on them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path

from pyspark.sql import SparkSession

from churnlake.core.job import Report
from churnlake.core.lake import Lake, Scope
from churnlake.core.lineage import Lineage
from churnlake.core.runs import Days
from churnlake.core.settings import load
from churnlake.settings import Settings

LINEAGE = Lineage.of_package()
TABLES = tuple(t for t in LINEAGE.tables if t.stored)
DAYS = Days(dt.date(2005, 5, 1), dt.date(2005, 5, 4))
NUMBERS = {f"user-{n}": f"1390123456{n}" for n in range(5)}
SMS = "id,number,peer,time,way\n"
FEEDS = {
    "sms": "record_id: id\n    number: number\n    peer_number: peer\n    started_at: {column: time, zone: Asia/Shanghai}\n    direction: way",
    "subscribers": "user_id: user\n    number: number\n    valid_from: {column: since, zone: Asia/Shanghai}\n    "
    "valid_to: {column: until, zone: Asia/Shanghai}\n    joined_on: joined\n    imsi: imsi\n    document: document",
    "opt_outs": "user_id: user\n    chosen_on: 'on'\n    choice: choice",
    "activations": "activation_id: id\n    activated_at: {column: time, zone: Asia/Shanghai}\n    user_id: user\n    number: number\n    "
    "document: document\n    stated_number: old\n    dealer_id: dealer\n    plan_id: plan\n    brand: brand\n    wants_new_number: wants\n    "
    "reason: reason\n    bonus_yuan: bonus",
    "joining_reviews": "activation_id: id\n    decided_on: 'on'\n    decision: decision\n    reviewer: who",
}
ACTIVATIONS = "id,time,user,number,document,old,dealer,plan,brand,wants,reason,bonus"


@dataclass
class Hamlet:
    """Where it lies and which keys it is run with."""

    spark: SparkSession
    home: Path
    keys: list[str]
    extra: list[str] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        return load(
            Settings,
            "local",
            [
                f"store.landing={self.home}/landing", f"store.lake={self.home}/lake",
                f"store.work={self.home}/work", f"store.feeds={self.home}/feeds", f"store.key_file=[{', '.join(self.keys)}]",
                "store.allow_demo_key=false", *self.extra,
            ],
        )  # fmt: skip

    def deliver(self, feed: str, day: int, name: str, text: str) -> None:
        """Put a file of a feed into the landing folder, and the feed file if it is not there."""
        mapping = self.home / "feeds" / f"{feed}.yaml"
        mapping.parent.mkdir(parents=True, exist_ok=True)
        mapping.write_text(f"feed: {feed}\nformat: csv\nnumbers: dialled\nrows:\n  - {FEEDS[feed]}\n")
        folder = self.home / "landing" / feed / f"date=2005-05-{day:02}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)

    def deliver_subscribers(self, day: int, leave_out: tuple[str, ...] = ()) -> None:
        """A register of all five."""
        rows = [
            f"{user},{number},2005-01-01 00:00:00,,2005-01-01,46000{number},110101{number}"
            for user, number in NUMBERS.items()
            if user not in leave_out
        ]
        self.deliver("subscribers", day, "all.csv", "\n".join(["user,number,since,until,joined,imsi,document", *rows]) + "\n")

    def run(self, *jobs: str, restate: bool = False) -> dict[str, Report]:
        """Run these jobs over the days there are."""
        by_name = {job.name: job for job in LINEAGE.jobs}
        return {name: by_name[name].run(self.spark, self.settings, DAYS, makers=LINEAGE.makers, restate=restate) for name in jobs}

    def lake(self) -> Lake:
        """A lake that may read everything."""
        return Lake(self.spark, self.settings.store, Scope("test", DAYS, TABLES, ()))


def key_files(folder: Path, count: int = 2) -> list[str]:
    """Files of different keys."""
    found = []
    for n in range(count):
        path = folder / f"key-{n}"
        path.write_bytes(bytes([65 + n]) * 40)
        found.append(str(path))
    return found


def sms(*records: tuple[str, int, int, str]) -> str:
    """SMS of (id, day, sender, receiver): the sender's record; a receiver of one digit is one of the five."""
    lines = []
    for told, day, sender, receiver in records:
        peer = NUMBERS[f"user-{receiver}"] if len(receiver) == 1 else receiver
        lines.append(f"{told},{NUMBERS[f'user-{sender}']},{peer},2005-05-{day:02} 10:00:00,out")
    return SMS + "\n".join(lines) + "\n"
