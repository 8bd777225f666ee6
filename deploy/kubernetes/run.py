"""Run a workflow in one Spark application: run.py WORKFLOW [--dates A..B] --env ENV --set KEY=VALUE ...

What is not daily starts only while the last day judged has no error; the exit code is then 3, as that of ``verdict``.
"""

import argparse
import sys

from churnlake.__main__ import main


def run(argv: list[str]) -> int:
    """The exit code: 0 done, 2 bad arguments, settings or missing input, 3 contract or gate broken, 1 anything else."""
    parser = argparse.ArgumentParser(prog="run.py")
    parser.add_argument("workflow")
    parser.add_argument("--dates", default="")
    parser.add_argument("--env", default="cluster")
    parser.add_argument("--set", action="append", default=[])
    asked = parser.parse_args(argv)
    shared = ["--env", asked.env, *(part for one in asked.set for part in ("--set", one))]
    if asked.workflow != "daily" and (code := main(["verdict", *shared])):
        return code
    return main(["run", "--workflow", asked.workflow, *(["--dates", asked.dates] if asked.dates else []), *shared])


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
