"""Notebooks as text: Jupytext's percent format, which editors and Jupyter read, and the source format, which Databricks reads.

No text is a notebook to both. Jupytext 1.19 has no format of Databricks (its issue 926), and Databricks takes a file for a notebook by its
first line and by separators of its own. So the first is written by people, and the second made from it, cell by cell.
"""

from __future__ import annotations

import re

CELL = re.compile(r"^# %%(.*)\n", re.MULTILINE)
MARKDOWN = " [markdown]"
FIRST_LINE = "# Databricks notebook source\n"
BETWEEN = "\n\n# COMMAND ----------\n\n"


def cells(text: str) -> list[tuple[bool, str]]:
    """The cells of a notebook in the percent format: whether it is markdown, and its text. What stands before the first is its header.

    Raises ValueError for a cell of another kind.
    """
    _, *parts = CELL.split(text)
    found = []
    for kind, body in zip(parts[::2], parts[1::2], strict=True):
        if kind not in ("", MARKDOWN):
            raise ValueError(f"a cell '# %%{kind}': write '# %%' for code, '# %%{MARKDOWN}' for text")
        lines = body.strip("\n").split("\n")
        found.append((bool(kind), "\n".join(re.sub("^# ?", "", line) for line in lines) if kind else "\n".join(lines)))
    return found


def as_databricks(text: str) -> str:
    """The notebook in the source format of Databricks.

    >>> print(as_databricks("# %% [markdown]\\n# # Title\\n\\n# %%\\nlake\\n"), end="")
    # Databricks notebook source
    # MAGIC %md
    # MAGIC # Title
    <BLANKLINE>
    # COMMAND ----------
    <BLANKLINE>
    lake
    """
    made = [_magic(f"%md\n{body}") if is_text else body for is_text, body in cells(text)]
    return FIRST_LINE + BETWEEN.join(made) + "\n"


def _magic(text: str) -> str:
    return "\n".join(f"# MAGIC {line}".rstrip() for line in text.split("\n"))
