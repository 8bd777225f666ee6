"""The bundle for Databricks, as far as it can be checked without a workspace; no JVM needed.

Fields and types by the classes of the package databricks-bundles, which are made from the service's own schema; all names that
point somewhere by this file.
"""

import json
import re
import runpy
import sys
import tomllib
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from databricks.bundles.dashboards import Dashboard
from databricks.bundles.jobs import ClusterSpec
from databricks.bundles.jobs import Job as BundleJob

from churnlake.core import tracking
from churnlake.core.contract import INT, Column, Table
from churnlake.core.job import Job, argument_parser
from churnlake.core.lineage import Lineage
from churnlake.core.session import ALWAYS
from churnlake.core.settings import conf_folder, load, read_yaml
from churnlake.core.tracking import Tracker, Version
from churnlake.core.workflows import HOLDS, SET, bundle_files, job_of, workflows
from churnlake.generated import pages
from churnlake.notebook import CATALOG
from churnlake.settings import Settings
from churnlake.tables.churn import SCORES

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
BUNDLE = yaml.safe_load((DEPLOY / "databricks.yml").read_text())
RESOURCES = {
    path: yaml.safe_load(path.read_text())["resources"]
    for path in sorted(DEPLOY.rglob("*.yml"))
    if any(fnmatch(str(path.relative_to(DEPLOY)), pattern) for pattern in BUNDLE["include"])
}
JOBS = {name: (path, job) for path, found in RESOURCES.items() for name, job in found.get("jobs", {}).items()}
TASKS = [(name, task) for name, (_, job) in JOBS.items() for task in job["tasks"]]
LINEAGE = Lineage.of_package()
STORE = load(Settings, "databricks").store


def texts(content: Any) -> list[str]:
    """All texts in a file, keys too."""
    if isinstance(content, dict):
        return [text for key, value in content.items() for text in (key, *texts(value))]
    return [text for one in content for text in texts(one)] if isinstance(content, list) else [str(content)]


def test_jobs_cluster_and_dashboard_have_no_unknown_field_nor_wrong_type() -> None:
    assert set(JOBS) == {"daily", "monthly", "retraining", "readers"}
    for _, job in JOBS.values():
        BundleJob.from_dict(job)
    ClusterSpec.from_dict(BUNDLE["variables"]["cluster"]["default"])
    for found in RESOURCES.values():
        for dashboard in found.get("dashboards", {}).values():
            Dashboard.from_dict(dashboard)
    _, daily = JOBS["daily"]
    with pytest.raises(ValueError, match="Unexpected field 'depends_upon'"):
        BundleJob.from_dict({**daily, "tasks": [{**daily["tasks"][-1], "depends_upon": []}]})


def test_each_job_of_the_chain_is_one_task_and_waits_as_lineage_says() -> None:
    placed = {
        task["task_key"]: name for name, task in TASKS if "jobs/" in task.get("spark_python_task", {}).get("python_file", "")
    }
    assert set(placed) == {job.name for job in LINEAGE.chain()}
    assert len(TASKS) == len(placed) + sum(1 for _, task in TASKS if task["task_key"] not in placed), "one task a job"
    by_name = {job.name: job for job in LINEAGE.jobs}
    for workflow, task in TASKS:
        if task["task_key"] in placed:
            waits = {one["task_key"] for one in task.get("depends_on", [])} - {HOLDS}
            assert waits == {name for name in LINEAGE.upstream(by_name[task["task_key"]]) if placed.get(name) == workflow}


def test_what_is_made_once_for_good_never_waits_for_a_later_workflow() -> None:
    order = ("daily", "monthly", "retraining")
    flows = workflows(LINEAGE, taught="churn.models", judged="quality.checks", guarded=[])
    placed = {job.name: order.index(flow.name) for flow in flows for job in flow.jobs}
    for flow in flows:
        for job in flow.jobs:
            if any(table.frozen for table in job.writes) and job.name != "score_model":
                assert all(placed[name] <= placed[job.name] for name in LINEAGE.upstream(job)), job.name
    # scores are made by the champion there is: the one taught a month ago
    assert placed["train_model"] > placed["score_model"]
    assert {job.name for job in flows[2].jobs} == {"train_model"}
    assert placed["detect_reentry"] == placed["check_quality"] == placed["publish_site"] == 0
    assert placed["build_features"] == placed["plan_campaigns"] == placed["stage_users"] == 1


def test_a_job_added_appears_in_its_workflow_and_waits() -> None:
    made = Table("churn.guesses", "Guesses.", (Column("month", INT, "Month."),), slice="month")
    scoring = next(job for job in LINEAGE.jobs if job.name == "score_model")
    guess: Job = replace(scoring, name="guess_churn", reads=(SCORES,), may_read=(), writes=(made,))
    lineage = Lineage.of([*LINEAGE.jobs, guess])
    flows = workflows(lineage, taught="churn.models", judged="quality.checks", guarded=["churn.guesses"])
    found = {str(path): yaml.safe_load(text) for path, text in bundle_files(flows, lineage, STORE).items()}
    task = next(
        t
        for t in found["deploy/resources/monthly.job.yml"]["resources"]["jobs"]["monthly"]["tasks"]
        if t["task_key"] == "guess_churn"
    )
    assert task["depends_on"] == [{"task_key": "score_model"}, {"task_key": HOLDS, "outcome": "true"}]
    assert {str(path) for path in pages()} >= set(found), "written by python -m churnlake dictionary --write"


@pytest.mark.parametrize("workflow", JOBS)
def test_what_tasks_name_is_there(workflow: str) -> None:
    path, job = JOBS[workflow]
    keys = [task["task_key"] for task in job["tasks"]]
    assert len(keys) == len(set(keys))
    clusters = {one["job_cluster_key"] for one in job["job_clusters"]}
    given = {one["name"] for one in job.get("parameters", [])}
    for task in job["tasks"]:
        assert {one["task_key"] for one in task.get("depends_on", [])} <= set(keys)
        conditions = {one["task_key"]: one["outcome"] for one in task.get("depends_on", []) if "outcome" in one}
        for key, outcome in conditions.items():
            assert "condition_task" in next(t for t in job["tasks"] if t["task_key"] == key)
            assert outcome in ("true", "false")
        if "condition_task" not in task:
            assert task["job_cluster_key"] in clusters
            program = path.parent / _file(task)
            assert program.resolve().is_file(), program
        for text in texts(task):
            assert set(re.findall(r"{{job\.parameters\.(\w+)}}", text)) <= given
            for name in re.findall(r"{{tasks\.(\w+)\.", text):
                # what a task asks of another it must wait for
                assert name in {one["task_key"] for one in task["depends_on"]}
            assert set(re.findall(r"{{(\w+)", text)) <= {"job", "tasks"}
    assert all(conditions for task in job["tasks"] if task["task_key"] in ("plan_campaigns", "train_model") for conditions in [
        [one for one in task["depends_on"] if one.get("outcome") == "true"]])  # fmt: skip


def _file(task: dict[str, Any]) -> str:
    return str(task["notebook_task"]["notebook_path"] if "notebook_task" in task else task["spark_python_task"]["python_file"])


def test_variables_are_declared_and_used() -> None:
    declared = set(BUNDLE["variables"])
    used = {
        name
        for content in (BUNDLE, *RESOURCES.values())
        for text in texts(content)
        for name in re.findall(r"\${var\.(\w+)}", text)
    }
    assert used == declared
    for target in BUNDLE["targets"].values():
        assert set(target.get("variables", {})) <= declared
    known = {"var", "workspace.file_path", "bundle.name", "bundle.target"}
    asked = {
        name for content in (BUNDLE, *RESOURCES.values()) for text in texts(content) for name in re.findall(r"\${([\w.]+)}", text)
    }
    assert {name for name in asked if not name.startswith("var.")} <= known


def test_tasks_are_called_as_jobs_are() -> None:
    for _, task in TASKS:
        parameters = task.get("spark_python_task", {}).get("parameters", [])
        if "jobs/" in task.get("spark_python_task", {}).get("python_file", ""):
            asked = argument_parser("job", "").parse_args([text.replace("{{job.parameters.dates}}", "") for text in parameters])
            assert not asked.dates, "left out: what changed since the last run"
            settings = load(Settings, asked.env, [text.replace("${var.", "x").replace("}", "") for text in asked.set])
            assert settings.store.work == STORE.work
            assert settings.store.key_file == "env:CHURNLAKE_KEY"
            assert not settings.store.allow_demo_key
            assert len(asked.set) == len(SET)


def test_notebooks_are_told_from_files_by_their_first_line_and_read_the_views() -> None:
    path, job = JOBS["readers"]
    texts_of = {
        task["task_key"]: (path.parent / task["notebook_task"]["notebook_path"]).read_text(encoding="utf-8")
        for task in job["tasks"]
    }
    assert set(texts_of) == {one.stem for one in (ROOT / "notebooks").glob("*.py")} == {"city", "quality", "reentry", "churn"}
    for text in texts_of.values():
        assert text.startswith("# Databricks notebook source\n")
        assert "%%" not in text
    assert "schedule" not in job, "on request"
    assert BUNDLE["variables"]["cluster"]["default"]["spark_env_vars"][CATALOG] == "${var.catalog}"


def test_schedules_and_alerts() -> None:
    for _, job in (found for name, found in JOBS.items() if name != "readers"):
        assert job["schedule"]["timezone_id"] == STORE.city_zone
        assert len(job["schedule"]["quartz_cron_expression"].split()) == 6
        assert job["email_notifications"]["on_failure"] == ["${var.alert_email}"]
        assert job["webhook_notifications"]["on_failure"] == [{"id": "${var.alert_webhook}"}]
        # a run is what its last tasks are: the one that runs whatever happened fails for them
        last = next(task for task in job["tasks"] if task["task_key"] == "keep_work")
        assert last["run_if"] == "ALL_DONE"
        assert last["spark_python_task"]["parameters"][0] == STORE.work
        states = [text for text in last["spark_python_task"]["parameters"] if "result_state" in text]
        assert len(states) == len(last["depends_on"]) > 0


def test_the_cluster_brings_what_a_session_of_ours_would() -> None:
    cluster = BUNDLE["variables"]["cluster"]["default"]
    settings = load(Settings, "cluster").spark
    ours = {key: value for key, value in {**settings.conf, **ALWAYS}.items() if key.startswith(("spark.sql.", "spark.cleaner."))}
    # lists of folders are Databricks' own affair
    ours = {key: value for key, value in ours.items() if "parallelPartitionDiscovery" not in key}
    assert cluster["spark_conf"] == {**ours, "spark.sql.shuffle.partitions": str(settings.shuffle_partitions)}
    assert cluster["data_security_mode"] == "SINGLE_USER", "others let nobody at the JVM, which leases and Delta's log need"
    assert re.fullmatch(r"18\.\d+\.x-cpu-ml-scala2\.13", BUNDLE["variables"]["spark_version"]["default"])
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert not [one for one in project["dependencies"] if re.match("pyspark|delta|graphframes", one)], (
        "the wheel would put them over the runtime's"
    )


def test_no_secret_stands_in_a_file_and_conf_holds_differences_only() -> None:
    env = BUNDLE["variables"]["cluster"]["default"]["spark_env_vars"]
    assert env["CHURNLAKE_KEY"] == "{{secrets/${var.secret_scope}/pseudonym_key}}"
    for path in DEPLOY.rglob("*"):
        if path.is_file() and path.suffix in (".yml", ".yaml", ".json", ".sql", ".py", ""):
            assert not re.search(
                r"dapi[0-9a-f]{8}|AKIA[0-9A-Z]{8}|(?i:password|client_secret|token)\s*[:=]\s*\S", path.read_text()
            ), path

    def leaves(content: dict[str, Any], above: str = "") -> dict[str, Any]:
        return {
            key: value
            for name, one in content.items()
            for key, value in (leaves(one, f"{above}{name}.") if isinstance(one, dict) else {f"{above}{name}": one}).items()
        }

    base = leaves(read_yaml(conf_folder() / "base.yaml"))
    assert all(base[key] != value for key, value in leaves(read_yaml(conf_folder() / "databricks.yaml")).items())


def test_setup_makes_the_places_that_the_bundle_names() -> None:
    setup = (DEPLOY / "sql" / "setup.sql").read_text()
    made = set(re.findall(r"VOLUME IF NOT EXISTS churnlake\.(\w+\.\w+)", setup))
    asked = {
        f"{schema}.{name}" for content in (BUNDLE, *RESOURCES.values()) for text in texts(content)
        for schema, name in re.findall(r"/Volumes/\${var\.catalog}/(\w+)/(\w+)", text)
    }  # fmt: skip
    assert asked == made
    assert re.search(rf"SCHEMA IF NOT EXISTS churnlake\.{SET['tracking.model_prefix'].split('.')[-2]}\b", setup)


# ---- the programs beside the jobs


class Values:
    """Stands in for dbutils.jobs.taskValues."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    def set(self, key: str, value: str) -> None:
        self.kept[key] = value


def program(name: str, argv: list[str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Run one as a task does; the values it hands on."""
    values = Values()
    runtime: Any = ModuleType("databricks.sdk.runtime")
    runtime.dbutils = ModuleType("dbutils")
    runtime.dbutils.jobs = ModuleType("jobs")
    runtime.dbutils.jobs.taskValues = values
    monkeypatch.setitem(sys.modules, "databricks.sdk.runtime", runtime)
    monkeypatch.setattr(sys, "argv", [name, *argv])
    runpy.run_path(str(DEPLOY / "databricks" / f"{name}.py"), run_name="__main__")
    return values.kept


def test_the_gate_is_told_the_state_of_the_last_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = tmp_path / "summary.json"
    assert program("tell_quality", [str(report)], monkeypatch) == {"state": "error"}, "never judged"
    failed = {
        "day": "2005-05-02", "table": "clean.sms", "check": "few rows set aside", "column": "bad_share", "severity": "error",
        "observed": "0.4", "expected": "at most 0.1", "since": "2005-05-02",
    }  # fmt: skip
    for state in ("good", "warn", "error"):
        report.write_text(json.dumps({"day": "2005-05-02", "state": state, "failed": [failed]}))
        assert program("tell_quality", [str(report)], monkeypatch) == {"state": state}
    with pytest.raises(RuntimeError, match=r"2005-05-02 is error; error 2005-05-02 clean\.sms: few rows set aside"):
        program("tell_quality", [str(report), "--fail"], monkeypatch)


def test_what_a_run_leaves_is_kept_and_a_failed_job_fails_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work, kept = tmp_path / "work", tmp_path / "kept"
    (work / "site").mkdir(parents=True)
    (work / "logs").mkdir()
    (work / "site" / "index.html").write_text("pages")
    (work / "logs" / "churnlake.log").write_text("log")
    program("keep_work", [str(work), str(kept), "success", "excluded"], monkeypatch)
    assert (kept / "site" / "index.html").read_text() == "pages"
    assert [file.read_text() for file in (kept / "logs").iterdir()] == ["log"]
    with pytest.raises(RuntimeError, match="ended failed, upstream_failed"):
        program("keep_work", [str(work), str(kept), "success", "failed", "upstream_failed"], monkeypatch)


def test_a_job_that_is_done_returns_and_one_that_is_not_exits(monkeypatch: pytest.MonkeyPatch) -> None:
    job = LINEAGE.jobs[0]
    monkeypatch.setattr(Job, "command", lambda *_: 0)
    job.main()
    monkeypatch.setattr(Job, "command", lambda *_: 3)
    with pytest.raises(SystemExit, match="3"):
        job.main()


# ---- models in Unity Catalog


def test_models_go_to_unity_catalog(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MLFLOW_REGISTRY_URI", raising=False)
    settings = load(
        Settings, "databricks", [f"{key}={value}".replace("${var.catalog}", "prod") for key, value in SET.items()]
    ).tracking
    tracker = Tracker(settings, "churn_leave", root=tmp_path)
    assert tracker.name == "prod.models.churn_leave"
    assert tracker._client._registry_uri == "databricks-uc"
    assert not list(tmp_path.iterdir()), "artifacts lie on a volume"
    assert tracker._kept_by_version({"training_key": "a", "input.churn.labels": "3"}) == {"training_key": "a"}, (
        "its tags take no dots"
    )


def test_models_are_asked_for_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = load(Settings, "local", ["tracking.uri=sqlite:///m.db", "tracking.artifacts=a"]).tracking
    tracker = Tracker(settings, "churn", root=tmp_path)
    # Unity Catalog's registry refuses any filter
    monkeypatch.setattr(type(tracker._client), "search_registered_models", lambda *_, **__: pytest.fail("searched"))
    assert tracker.champion() is None
    tracker._client.create_registered_model("churn")
    assert tracker.champion() is None
    made = tracker._client.create_model_version("churn", source=str(tmp_path / "a"), tags={"training_key": "k"})
    tracker._client.set_registered_model_alias("churn", "champion", made.version)
    assert tracker.known("k") == tracker.champion() == Version("1", {"training_key": "k"})


def test_what_passes_between_spark_and_mlflow_lies_where_both_reach_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MLFLOW_DFS_TMP", str(tmp_path))
    with tracking._between() as folder:
        assert Path(folder).parent == tmp_path
    assert not list(tmp_path.iterdir())


def test_conf_lies_where_it_is_said_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("x: 1\n")
    monkeypatch.setenv("CHURNLAKE_CONF", str(tmp_path))
    assert conf_folder() == tmp_path.resolve()
    monkeypatch.setenv("CHURNLAKE_CONF", str(tmp_path / "nowhere"))
    with pytest.raises(Exception, match=r"no base\.yaml in .*nowhere, which CHURNLAKE_CONF names"):
        conf_folder()


def test_workflows_without_a_gate_are_none() -> None:
    flows = workflows(LINEAGE, taught="churn.models", judged="quality.checks", guarded=["campaigns.lists"])
    assert [flow.judge for flow in flows] == ["check_quality", None, None]
    daily = job_of(flows[0], LINEAGE, STORE)
    refresh = next(task for task in daily["tasks"] if task["task_key"] == "refresh_views")
    assert refresh["depends_on"] == [{"task_key": HOLDS, "outcome": "true"}]
