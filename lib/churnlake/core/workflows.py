"""Workflows of Databricks made from the lineage: which jobs run every day, every month and to teach models anew. No JVM needed."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from churnlake.core.job import Job
from churnlake.core.lineage import Lineage
from churnlake.core.settings import StoreSettings

GENERATED = "# made by `make docs` from the declarations of jobs/; do not edit\n"
MADE_FROM_NOTEBOOKS = "# made by `make docs` from notebooks/; do not edit\n"
DAILY, MONTHLY, RETRAINING = "daily", "monthly", "retraining"
MEANING = {
    DAILY: "What came in and what follows from it each day.",
    MONTHLY: "What is known at a month's end.",
    RETRAINING: "Teach the models anew.",
}
SCHEDULES = {
    DAILY: "0 0 5 * * ?",  # when the day before is delivered
    MONTHLY: "0 0 9 4 * ?",  # when the month's bills are there, and its last day went through the daily workflow
    RETRAINING: "0 0 9 5 * ?",  # when the month's labels are there
}
"""Quartz expressions: second, minute, hour, day of month, month, day of week."""
REPORT = "quality/summary.json"
"""Where check_quality leaves its report, below store.work."""
KEPT = "/Volumes/${var.catalog}/ops/kept"
"""The volume that what is to outlive the cluster is copied to."""
SET = {
    "store.lake": "${var.lake}",
    "store.vault": "${var.vault}",
    "store.landing": "/Volumes/${var.catalog}/ops/landing",
    "tracking.artifacts": "dbfs:/Volumes/${var.catalog}/ops/models",
    "tracking.model_prefix": "${var.catalog}.models.",
}
"""Settings that differ from workspace to workspace."""
TELL, HOLDS, ALARM, KEEP, REFRESH = "tell_quality", "quality_holds", "quality_alarm", "keep_work", "refresh_views"


@dataclass(frozen=True)
class Workflow:
    """Jobs that run together, in their order; those ``guarded`` only while the last day judged has no error, which ``judge`` finds."""

    name: str
    jobs: tuple[Job, ...]
    guarded: frozenset[str] = frozenset()
    judge: str | None = None


def workflows(lineage: Lineage, *, taught: str, judged: str, guarded: Collection[str]) -> tuple[Workflow, ...]:
    """The jobs of the chain, each in one workflow.

    Retraining makes the table ``taught``. Monthly is what writes months alone, and what writes something once for good from what
    that made: a day early, it would be made for good without. All else is daily. Tables by name: ``judged`` is what the gate is
    made of, and a job that makes one ``guarded`` waits for it.
    """
    placed: dict[str, str] = {}
    for job in lineage.chain():
        above = {placed.get(name) for name in lineage.upstream(job)}
        if taught in {t.name for t in job.writes}:
            placed[job.name] = RETRAINING
        elif {t.slice for t in job.writes} == {"month"} or (any(t.frozen for t in job.writes) and above & {MONTHLY, RETRAINING}):
            placed[job.name] = MONTHLY
        else:
            placed[job.name] = DAILY
    return tuple(
        Workflow(
            name,
            jobs := tuple(job for job in lineage.chain() if placed[job.name] == name),
            frozenset(job.name for job in jobs if {t.name for t in job.writes} & set(guarded)),
            next((job.name for job in jobs if judged in {t.name for t in job.writes}), None),
        )
        for name in MEANING
    )


def bundle_files(flows: Iterable[Workflow], lineage: Lineage, store: StoreSettings) -> dict[Path, str]:
    """The generated files of the bundle, whose jobs run with settings ``store``: path below the repository's root -> text."""
    return {
        Path(f"deploy/resources/{flow.name}.job.yml"): GENERATED
        + _yaml({"resources": {"jobs": {flow.name: job_of(flow, lineage, store)}}})
        for flow in flows
    }


def readers_file(notebooks: Iterable[Path]) -> dict[Path, str]:
    """The job that executes the readers' notebooks, each a page kept with the run; on request. ``notebooks``: paths below the root."""
    tasks = [
        {
            "task_key": path.stem, "job_cluster_key": "main", "libraries": [{"whl": "../../dist/*.whl"}],
            "notebook_task": {"notebook_path": str(Path("..") / path.relative_to("deploy"))},
        }
        for path in notebooks
    ]  # fmt: skip
    job = {
        "name": "churnlake readers", "description": "Execute the readers' notebooks over what the views let be seen.", "max_concurrent_runs": 1,
        "permissions": [{"level": "CAN_VIEW", "group_name": "${var.analysts}"}],
        "job_clusters": [{"job_cluster_key": "main", "new_cluster": "${var.cluster}"}], "tasks": tasks,
    }  # fmt: skip
    return {Path("deploy/resources/readers.job.yml"): MADE_FROM_NOTEBOOKS + _yaml({"resources": {"jobs": {"readers": job}}})}


def job_of(flow: Workflow, lineage: Lineage, store: StoreSettings) -> dict[str, Any]:
    """A workflow as a job of a bundle: a task a job, one waiting for another where lineage says so, and the gate of quality."""
    names = {job.name for job in flow.jobs}
    tasks = []
    for job in flow.jobs:
        after: list[dict[str, str]] = [{"task_key": name} for name in lineage.upstream(job) if name in names]
        after += [{"task_key": HOLDS, "outcome": "true"}] if job.name in flow.guarded else []
        tasks.append(
            _task(
                job.name,
                job.meaning,
                f"../../jobs/{job.name}.py",
                _arguments("--dates", "{{job.parameters.dates}}", "--chain", "{{job.run_id}}"),
                after,
            )
        )
    last = [name for name in names if not any(name in lineage.upstream(job) for job in flow.jobs)]
    report = f"{store.work if flow.judge else KEPT}/{REPORT}"
    tasks += [
        _task(TELL, "Tell the gate how the last day judged is.", _program(TELL), [report], [{"task_key": flow.judge}] if flow.judge else []),
        {
            "task_key": HOLDS,
            "description": "The gate: the last day judged has no failed check that is an error.",
            "depends_on": [{"task_key": TELL}],
            "condition_task": {"op": "NOT_EQUAL", "left": f"{{{{tasks.{TELL}.values.state}}}}", "right": "error"},
        },
        # fails, so that the run does and says so
        _task(ALARM, "Name the failed checks and fail.", _program(TELL), [report, "--fail"], [{"task_key": HOLDS, "outcome": "false"}]),
    ]  # fmt: skip
    if flow.judge:
        arguments = [*_arguments(), "--catalog", "${var.catalog}", "--readers", "${var.readers}", "--analysts", "${var.analysts}"]
        tasks.append(
            _task(
                REFRESH, "Let analysts see what passed.", _program(REFRESH), arguments, [{"task_key": HOLDS, "outcome": "true"}]
            )
        )
    states = [f"{{{{tasks.{name}.result_state}}}}" for name in sorted(last)]
    keep = _task(KEEP, "Copy pages, reports and logs to a volume; fail where a job did.", _program(KEEP), [store.work, KEPT, *states],
                 [{"task_key": name} for name in sorted(last)])  # fmt: skip
    # of a run that failed the log is wanted most
    tasks.append({**keep, "run_if": "ALL_DONE"})
    return {
        "name": f"churnlake {flow.name}",
        "description": MEANING[flow.name],
        "max_concurrent_runs": 1,
        "queue": {"enabled": True},
        "schedule": {"quartz_cron_expression": SCHEDULES[flow.name], "timezone_id": store.city_zone, "pause_status": "UNPAUSED"},
        "parameters": [{"name": "dates", "default": ""}],
        "email_notifications": {"on_failure": ["${var.alert_email}"], "on_duration_warning_threshold_exceeded": ["${var.alert_email}"]},
        "webhook_notifications": {"on_failure": [{"id": "${var.alert_webhook}"}]},
        "health": {"rules": [{"metric": "RUN_DURATION_SECONDS", "op": "GREATER_THAN", "value": "${var.late_seconds}"}]},
        "job_clusters": [{"job_cluster_key": "main", "new_cluster": "${var.cluster}"}],
        "tasks": tasks,
    }  # fmt: skip


def _task(key: str, meaning: str, file: str, parameters: list[str], after: list[dict[str, str]]) -> dict[str, Any]:
    task: dict[str, Any] = {"task_key": key, "description": meaning}
    if after:
        task["depends_on"] = after
    return {
        **task,
        "job_cluster_key": "main",
        "spark_python_task": {"python_file": file, "parameters": parameters},
        "libraries": [{"whl": "../../dist/*.whl"}],
    }


def _program(name: str) -> str:
    return f"../databricks/{name}.py"


def _arguments(*more: str) -> list[str]:
    return ["--env", "databricks", *more, *(part for key, value in SET.items() for part in ("--set", f"{key}={value}"))]


class _Plain(yaml.SafeDumper):
    """Writes what stands twice twice: a file for people has no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _yaml(content: Any) -> str:
    return yaml.dump(content, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=160)
