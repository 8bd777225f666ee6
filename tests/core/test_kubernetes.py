"""The manifests for the Spark operator and the image's recipe, as far as they can be checked without a cluster; no JVM needed.

The classes of kubeflow-spark-api, made from the operator's own schema, refuse wrong types but drop fields they do not know: so what
comes out of them is held against what went in.
"""

import re
import runpy
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubeflow_spark_api.models.spark_v1beta2_scheduled_spark_application import SparkV1beta2ScheduledSparkApplication
from kubeflow_spark_api.models.spark_v1beta2_spark_application import SparkV1beta2SparkApplication

from churnlake.core.job import argument_parser
from churnlake.core.settings import load
from churnlake.core.workflows import SCHEDULES
from churnlake.generated import flows
from churnlake.settings import Settings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
SCHEDULED = yaml.safe_load((FOLDER / "schedules.yaml").read_text())["items"]
BACKFILL = yaml.safe_load((FOLDER / "backfill.yaml").read_text())
CLASSES = {"ScheduledSparkApplication": SparkV1beta2ScheduledSparkApplication, "SparkApplication": SparkV1beta2SparkApplication}
SPECS = [*(one["spec"]["template"] for one in SCHEDULED), BACKFILL["spec"]]


def lost(given: Any, kept: Any, at: str = "") -> list[str]:
    """Where what came out differs from what went in."""
    if isinstance(given, dict) and isinstance(kept, dict):
        return [place for key in given for place in lost(given[key], kept.get(key), f"{at}.{key}")]
    if isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        return [place for n, (one, other) in enumerate(zip(given, kept, strict=True)) for place in lost(one, other, f"{at}[{n}]")]
    return [] if given == kept else [at]


def round_trip(manifest: dict[str, Any]) -> list[str]:
    """The fields that the operator's schema does not know. Raises ValueError on a wrong type."""
    assert manifest["apiVersion"] == "sparkoperator.k8s.io/v1beta2"
    return lost(manifest, CLASSES[manifest["kind"]].from_dict(manifest).to_dict())


@pytest.mark.parametrize("manifest", [*SCHEDULED, BACKFILL], ids=lambda one: one["metadata"].get("name", "backfill"))
def test_no_field_is_unknown_to_the_operator(manifest: dict[str, Any]) -> None:
    assert round_trip(manifest) == []


def test_an_unknown_field_and_a_wrong_type_are_found() -> None:
    spec = BACKFILL["spec"]
    wrong = {**BACKFILL, "spec": {**spec, "sparkVersoin": "4", "driver": {**spec["driver"], "volumeMount": []}}}
    assert round_trip(wrong) == [".spec.driver.volumeMount", ".spec.sparkVersoin"]
    with pytest.raises(ValueError, match="cores"):
        round_trip({**BACKFILL, "spec": {**spec, "driver": {**spec["driver"], "cores": "two"}}})


def test_each_workflow_has_a_schedule_and_the_hours_of_the_bundle() -> None:
    zone = load(Settings, "cluster").store.city_zone
    found = {one["spec"]["template"]["arguments"][0]: one["spec"] for one in SCHEDULED}
    assert set(found) == {flow.name for flow in flows()}
    for name, spec in found.items():
        second, minute, hour, day, month, _ = SCHEDULES[name].split()
        assert (second, spec["schedule"], spec["timeZone"]) == ("0", f"{minute} {hour} {day} {month} *", zone)
        assert spec["concurrencyPolicy"] == "Forbid"


@pytest.mark.parametrize("spec", SPECS, ids=["daily", "monthly", "retraining", "backfill"])
def test_what_an_application_names_is_there(spec: dict[str, Any]) -> None:
    assert spec["sparkVersion"] == version("pyspark")
    assert (ROOT / spec["mainApplicationFile"].removeprefix("local:///opt/churnlake/")).is_file()
    asked = argument_parser("run", "").parse_args(spec["arguments"][1:])
    settings = load(Settings, asked.env, asked.set)
    assert not settings.store.allow_demo_key
    name = str(settings.store.key_file).removeprefix("env:")
    volumes = {one["name"] for one in spec["volumes"]}
    for pod in (spec["driver"], spec["executor"]):
        assert name in pod["envSecretKeyRefs"]
        assert {one["name"] for one in pod["volumeMounts"]} == volumes
        mounted = {one["mountPath"]: one.get("readOnly", False) for one in pod["volumeMounts"]}
        for path in (settings.store.lake, settings.store.vault, settings.store.work, settings.tracking.artifacts):
            assert mounted[f"/{path.split('/')[1]}"] is False
        assert mounted[settings.store.landing]
    assert {**spec, "arguments": [], "restartPolicy": {}, "timeToLiveSeconds": 0} == {
        **SPECS[0], "arguments": [], "restartPolicy": {}, "timeToLiveSeconds": 0,
    }, "all run alike"  # fmt: skip


def test_the_image_is_made_of_what_is_there() -> None:
    text = (FOLDER / "Dockerfile").read_text()
    images = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert all(re.fullmatch(r"[\w.-]+:[\w.-]+", image) for image in images), "plain names, of whatever registry one has"
    assert not re.search(r"https?://|index-url|--trusted-host", text)
    for names in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE):
        assert all((ROOT / name).exists() for name in names.split())
    python = next(image for image in images if image.startswith("python:")).removeprefix("python:")
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"] == f">={python.partition('-')[0]}"
    assert f"python{python.partition('-')[0]}/site-packages" in text
    assert any(image.startswith("spark:" + version("pyspark").rpartition(".")[0]) for image in images)
    assert "openjdk-17" in text


def test_what_is_not_daily_waits_for_the_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[str]] = []
    codes = {"verdict": 3, "run": 0}
    monkeypatch.setattr("churnlake.__main__.main", lambda argv: (calls.append(argv), codes[argv[0]])[1])
    run = runpy.run_path(str(FOLDER / "run.py"))["run"]
    shared = ["--env", "cluster", "--set", "store.work=w"]
    assert run(["daily", "--dates=2005-05-01", "--set=store.work=w"]) == 0
    assert run(["monthly", "--set=store.work=w"]) == 3
    assert calls == [["run", "--workflow", "daily", "--dates", "2005-05-01", *shared], ["verdict", *shared]]
    codes["verdict"] = 0
    assert run(["monthly", "--set=store.work=w"]) == 0
    assert calls[-1] == ["run", "--workflow", "monthly", *shared]
