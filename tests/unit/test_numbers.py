from __future__ import annotations

import pytest
import yaml
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from churnlake.core.settings import conf_folder
from churnlake.landing import numbers
from churnlake.landing.settings import LandingSettings

MOBILE, UNICOM, LOCAL = "13901234567", "13001234567", "65551234"
# as dialled -> number, network, area, is_ip, form, service
FORMS: dict[str, tuple[str | None, str | None, str | None, bool, str, str | None]] = {
    MOBILE: (MOBILE, "own", None, False, "plain", None),
    "13401234567": ("13401234567", "own", None, False, "plain", None),
    UNICOM: (UNICOM, "unicom_gsm", None, False, "plain", None),
    "13301234567": ("13301234567", "unicom_cdma", None, False, "plain", None),
    "15901234567": ("15901234567", "unknown", None, False, "plain", None),
    f"+86{MOBILE}": (MOBILE, "own", None, False, "international", None),
    f"0086{MOBILE}": (MOBILE, "own", None, False, "international", None),
    f"86{MOBILE}": (MOBILE, "own", None, False, "international", None),
    f"+860{MOBILE}": (MOBILE, "own", None, False, "international", None),
    f"0{MOBILE}": (MOBILE, "own", None, False, "area", None),
    "139 0123-4567": (MOBILE, "own", None, False, "plain", None),
    f"17951{MOBILE}": (MOBILE, "own", None, True, "ip", None),
    f"179510{UNICOM}": (UNICOM, "unicom_gsm", None, True, "ip", None),
    f"17911021{LOCAL}": (f"021{LOCAL}", "fixed", "021", True, "ip", None),
    f"12593{MOBILE}": (MOBILE, "own", None, True, "ip", None),
    "1795100442071234567": ("00442071234567", "international", None, True, "ip", None),
    "125930085291234567": ("0085291234567", "international", None, True, "ip", None),
    "17951008613901234567": (MOBILE, "own", None, True, "ip", None),
    LOCAL: (f"010{LOCAL}", "fixed", "010", False, "plain", None),
    "86551234": ("01086551234", "fixed", "010", False, "plain", None),
    "6555123": ("0106555123", "fixed", "010", False, "plain", None),
    "35551234": ("01035551234", "phs", "010", False, "plain", None),
    f"010{LOCAL}": (f"010{LOCAL}", "fixed", "010", False, "area", None),
    "(010) 6555-1234": (f"010{LOCAL}", "fixed", "010", False, "area", None),
    f"+8610{LOCAL}": (f"010{LOCAL}", "fixed", "010", False, "international", None),
    f"+86010{LOCAL}": (f"010{LOCAL}", "fixed", "010", False, "international", None),
    f"8610{LOCAL}": (f"010{LOCAL}", "fixed", "010", False, "international", None),
    "03712345678": ("03712345678", "fixed", "0371", False, "area", None),
    "037135551234": ("037135551234", "fixed", "0371", False, "area", None),
    "1860": ("1860", "service", None, False, "short", "1860"),
    "1861": ("1861", "service", None, False, "short", "1861"),
    "10010": ("10010", "service", None, False, "short", "10010"),
    "+8610086": ("10086", "service", None, False, "international", "10086"),
    "0101860": ("1860", "service", "010", False, "short", "1860"),
    "110": ("110", "service", None, False, "short", "110"),
    "17951": ("17951", "service", None, False, "short", "17951"),
    "12590123": ("12590123", "service", None, False, "short", "12590123"),
    "10665110": ("10665110", "service", None, False, "short", "10665110"),
    "+86106651101": ("106651101", "service", None, False, "international", "106651101"),
    "4008123456": ("4008123456", "service", None, False, "short", "4008123456"),
    "00442071234567": ("00442071234567", "international", None, False, "international", None),
    "+442071234567": ("00442071234567", "international", None, False, "international", None),
    "0085291234567": ("0085291234567", "international", None, False, "international", None),
    "00 852 9123-4567": ("0085291234567", "international", None, False, "international", None),
    "+85291234567": ("0085291234567", "international", None, False, "international", None),
    "0013125551234": ("0013125551234", "international", None, False, "international", None),
    "+13125551234": ("0013125551234", "international", None, False, "international", None),
    "00886223456789": ("00886223456789", "international", None, False, "international", None),
    "08525551234": ("08525551234", "fixed", "0852", False, "area", None),
    "NOKIA": ("NOKIA", "unknown", None, False, "plain", None),
    "1390123456x": ("1390123456x", "unknown", None, False, "plain", None),
    "99999999999999999999": ("99999999999999999999", "unknown", None, False, "plain", None),
}
WITHHELD = (None, "", "0", "00000000", " - ")


@pytest.fixture(scope="module")
def settings() -> LandingSettings:
    base = yaml.safe_load((conf_folder() / "base.yaml").read_text(encoding="utf-8"))
    return LandingSettings.model_validate(base["landing"])


def test_numbers_as_dialled(spark: SparkSession, settings: LandingSettings) -> None:
    frame = spark.createDataFrame([(n,) for n in (*FORMS, *WITHHELD)], "n string")
    found = _parties(frame, settings)
    for written, (number, network, area, is_ip, form, service) in FORMS.items():
        wanted = Row(number=number, network=network, area=area, is_ip=is_ip, dialled_form=form, service=service)
        assert found[written] == wanted, written
    assert {found[w] for w in WITHHELD} == {Row(**dict.fromkeys(numbers.PARTY))}


def _parties(frame: DataFrame, settings: LandingSettings, is_opaque: bool = False) -> dict[str | None, Row]:
    rows = numbers.with_parties(frame, ["n"], settings, is_opaque).collect()
    return {row["n"]: Row(**{name: row[f"n_{name}"] for name in numbers.PARTY}) for row in rows}


def test_a_normalised_number_stays_as_it_is(spark: SparkSession, settings: LandingSettings) -> None:
    frame = spark.createDataFrame([(n,) for n in FORMS], "n string")
    once = numbers.with_parties(frame, ["n"], settings).selectExpr("n_number as once")
    twice = numbers.with_parties(once, ["once"], settings).selectExpr("once", "once_number as twice").collect()
    assert [row.once for row in twice] == [row.twice for row in twice]
    assert len({row.once for row in twice}) >= 30


def test_beauty(spark: SparkSession, settings: LandingSettings) -> None:
    classes = {
        "13901238888": "repeated",
        "13901230777": "repeated",
        "13901231234": "sequence",
        "13901239876": "sequence",
        "13901231268": "plain",
        "13901231168": "lucky",
        "13901231288": "lucky",
        "13901237351": "plain",
    }
    frame = spark.createDataFrame([(n,) for n in classes], "n string")
    assert {r.n: r.b for r in frame.select("n", numbers.beauty(F.col("n"), settings).alias("b")).collect()} == classes


def test_opaque_ids_are_taken_as_they_are(spark: SparkSession, settings: LandingSettings) -> None:
    found = _parties(spark.createDataFrame([("7",), (None,)], "n string"), settings, is_opaque=True)
    assert found["7"] == Row(number="7", network="own", area=None, is_ip=False, dialled_form="plain", service=None)
    assert found[None] == Row(**dict.fromkeys(numbers.PARTY))
