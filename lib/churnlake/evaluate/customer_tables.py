"""Customer tables that are public: how well their label is foreseen by the same fit and judge as our own, beside a plain baseline."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from churnlake.core.console import Console
from churnlake.core.job import log_to
from churnlake.core.session import session
from churnlake.fit_table import fit_table
from churnlake.settings import Settings


@dataclass(frozen=True)
class Known:
    """Files of a public table, its label, and what untuned gradient boosting reaches by the same split (README of the data)."""

    file: str
    label: str
    auc: float
    pr_auc: float
    f1: float
    id: str | None = None
    test: str | None = None


TABLES = {
    "iranian_churn": Known("Customer_Churn.csv", "Churn", 0.989, 0.954, 0.887),
    "ibm_telco": Known("WA_Fn-UseC_-Telco-Customer-Churn.csv", "Churn", 0.843, 0.657, 0.634, id="customerID"),
    "churn_3333_5000": Known("churn-bigml-80.csv", "Churn", 0.918, 0.871, 0.834, test="churn-bigml-20.csv"),
}


def judge(settings: Settings, name: str, data: Path, console: Console) -> dict[str, Any]:
    """The figures of one table: five parts each asked once, or the split it comes with; parameters chosen within what teaches."""
    known = TABLES[name]
    asked = argparse.Namespace(
        file=str(data / name / known.file), label=known.label, id=known.id, positive=None, keep=[], out=None,
        test=str(data / name / known.test) if known.test else None,
    )  # fmt: skip
    work = Path(settings.store.work)
    log_to(work / "logs", settings.store.log_format)
    with session(settings.spark, work / "logs") as spark:
        told = fit_table(spark, settings, asked, console)
    return {
        "rows": told["rows"], "auc": told["roc_auc"], "pr_auc": told["pr_auc"], "f1": told["f1"], "ece": told["calibration_error"],
        "baseline_auc": known.auc, "baseline_pr_auc": known.pr_auc, "baseline_f1": known.f1,
    }  # fmt: skip
