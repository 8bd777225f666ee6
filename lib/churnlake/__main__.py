"""python -m churnlake: run the chain, or ask what the house declares."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from pyspark.sql import SparkSession

from churnlake import asked
from churnlake.core import doctor
from churnlake.core import restore as going_back
from churnlake.core.command_line import argument_parser, guarded, settings_arguments
from churnlake.core.console import Console
from churnlake.core.dry_run import dry_run
from churnlake.core.errors import ContractError, MissingInputError, SettingsError
from churnlake.core.lake import Lake, Scope
from churnlake.core.lineage import Lineage
from churnlake.core.logs import log_to
from churnlake.core.release import release
from churnlake.core.runner import run_chain
from churnlake.core.runs import EVER, parse_days
from churnlake.core.session import session
from churnlake.core.settings import load
from churnlake.evaluate import commands as evaluation
from churnlake.generated import flows, notebooks
from churnlake.reentry.settings import ReentrySettings
from churnlake.settings import Settings


def main(argv: list[str] | None = None) -> int:
    """Dispatch; the exit code: 0 done, 2 bad arguments, settings or missing input, 3 contract or gate broken, 1 anything else."""
    arguments = sys.argv[1:] if argv is None else argv
    commands: dict[str, tuple[Callable[[list[str]], int], str]] = {
        "run": (_run, "run the chain of jobs in lineage order in one process"),
        "doctor": (_doctor, "look whether this machine, these settings and the lake are fit for a run; exit 2 when they are not"),
        "verdict": (_verdict, "print the failed checks of the last quality report; exit 3 when the last day has an error"),
        "explain": (_explain, "explain why a joiner is, or is not, taken for an old user"),
        "fit-table": (
            _fit_table,
            "try the models on any customer table: what its columns are, and how well its label can be foreseen",
        ),
        "skew": (_skew, "tell which shared contacts, handsets and documents make most work of finding candidates"),
        "release": (_release, "let readers see slices that a gate withheld or a check withdrew"),
        "restore": (_restore, "take the whole lake back to where it stood when a run was done; without --run, list runs"),
        "notebooks": (_notebooks, "execute the readers' notebooks over the lake and keep each as a page"),
        "content": (_content, "count and hash the rows of every table, to compare lakes or runs"),
        **asked.COMMANDS,
        **evaluation.COMMANDS,
    }
    if arguments and arguments[0] in commands:
        try:
            return commands[arguments[0]][0](arguments[1:])
        except SystemExit as stop:
            return int(stop.code or 0)
    listed = "\n".join(f"  {name:<11} {meaning}" for name, (_, meaning) in commands.items())
    text = f"usage: python -m churnlake COMMAND ...\n\n{listed}\n\nEach command answers --help.\n"
    if not arguments or arguments[0] in ("-h", "--help"):
        _say(text)
        return 0
    sys.stderr.write(f"churnlake: no command '{arguments[0]}'\n{text}")
    return 2


def _run(argv: list[str]) -> int:
    parser = argument_parser("python -m churnlake run", "Run the chain of jobs in lineage order in one process.")
    part = parser.add_mutually_exclusive_group()
    part.add_argument("--from", dest="first", default=None, metavar="JOB", help="begin with this job")
    part.add_argument("--until", default=None, metavar="JOB", help="this job and those it waits for")
    part.add_argument("--only", default=None, metavar="JOB", help="run this job alone")
    part.add_argument(
        "--workflow", default=None, choices=sorted(flow.name for flow in flows()), help="run the jobs of this workflow"
    )

    def body(arguments: argparse.Namespace) -> None:
        lineage = Lineage.of_package()
        flow = next((flow for flow in flows() if flow.name == arguments.workflow), None)
        jobs = flow.jobs if flow else lineage.chain(arguments.first, arguments.only, arguments.until)
        days = parse_days(arguments.dates) if arguments.dates else None
        settings = load(Settings, arguments.env, arguments.set)
        if arguments.dry_run:
            dry_run(settings, jobs, days, arguments.env, arguments.restate)
            return
        logs = Path(settings.store.work).resolve() / "logs"
        log_to(logs, settings.store.log_format)
        for job in jobs:
            job.check(settings)
        budgets = settings.runner.budgets
        with session(settings.spark, logs) as spark:
            run_chain(
                spark, settings, jobs, days, Console(), makers=lineage.makers, budgets=budgets, restate=arguments.restate, chain=arguments.chain
            )  # fmt: skip

    return guarded("run", parser, argv, body)


def _doctor(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m churnlake doctor",
        description="Look at Python, Java, packages, jars, memory, key, folders, MLflow and the lake; a line for each. Nothing is changed and no "
        "Spark started, unless asked. Exit 0: a run may start; 2: something would stop it or is not safe.",
    )
    settings_arguments(parser, "store.lake=lake")
    parser.add_argument(
        "--spark", action="store_true", help="start Spark too; write, read and remove a small table in store.work"
    )

    def body(arguments: argparse.Namespace) -> None:
        found = []
        for finding in doctor.findings(
            doctor.Case(Settings, arguments.env, arguments.set, arguments.spark), Lineage.of_package()
        ):
            _say(f"{finding}\n")
            found.append(finding)
        told, failed = doctor.summed(found)
        _say(f"{told}\n")
        if failed:
            raise SettingsError("not fit for a run; do what the lines with fail say, then ask again")

    return guarded("doctor", parser, argv, body, needs_java=False)


def _verdict(argv: list[str]) -> int:
    from churnlake.quality.scores import told

    parser = argparse.ArgumentParser(
        prog="python -m churnlake verdict",
        description="Print a line for each failed check of the last check_quality. Exit 0: the last day judged has no error; "
        "3: it has; 2: there is no report.",
    )
    settings_arguments(parser, "store.work=work")

    def body(arguments: argparse.Namespace) -> None:
        settings = load(Settings, arguments.env, arguments.set)
        path = Path(settings.store.work).resolve() / "quality" / "summary.json"
        if not path.is_file():
            raise MissingInputError(f"no quality report at {path}; run job check_quality first")
        report = json.loads(path.read_text(encoding="utf-8"))
        _say("".join(f"{told(one)}\n" for one in report["failed"]))
        _say(f"{report['day']}: {report['state']}; {report['passed']:,} of {report['checks']:,} checks hold\n")
        if report["state"] == "error":
            raise ContractError(
                f"{report['day']} has failed checks that are errors; mend what they name, take it in and judge again"
            )

    return guarded("verdict", parser, argv, body)


def _content(argv: list[str]) -> int:
    from churnlake.evaluate.content import compared, content

    parser = argparse.ArgumentParser(
        prog="python -m churnlake content",
        description="Count and hash the rows of every table, as of the last of --dates; or compare them with those of another lake: keys, counts "
        "and money exactly, doubles within 1e-6. Exit 3: they differ.",
    )
    settings_arguments(parser, "store.lake=lake")
    parser.add_argument("--dates", default=None, metavar="A..B", help="a day or a range; left out: all there is")
    parser.add_argument("--against", default=None, metavar="LAKE", help="another lake, its vault beside it")

    def body(arguments: argparse.Namespace) -> None:
        settings = load(Settings, arguments.env, arguments.set)
        days = parse_days(arguments.dates) if arguments.dates else EVER
        with session(settings.spark, Path(settings.store.work).resolve() / "logs") as spark:
            if arguments.against:
                other = settings.store.model_copy(update={"lake": arguments.against, "vault": ""})
                both = compared(spark, settings, other, days)
                _say("".join(f"{'=' if one.is_equal else '!'} {one}\n" for one in both))
                if unlike := [one.table for one in both if not one.is_equal]:
                    raise ContractError(f"{len(unlike)} of {len(both)} tables differ: {', '.join(unlike)}")
                return
            found = content(spark, settings, days)
        _say("".join(f"{name:<24} {rows:>12,} rows  {digest % 2**64:016x}\n" for name, (rows, digest) in found.items()))

    return guarded("content", parser, argv, body)


def _fit_table(argv: list[str]) -> int:
    from churnlake import fit_table as trying

    parser = argparse.ArgumentParser(
        prog="python -m churnlake fit-table",
        description="Try the suite's models on any customer table. Columns that name rows, hold nothing or tell the label alone are reported and left "
        "out. Each part of the table is asked once, by models that the other parts chose, taught and calibrated.",
    )
    trying.arguments(parser)
    settings_arguments(parser, "models.seed=7")

    def body(arguments: argparse.Namespace) -> None:
        settings = load(Settings, arguments.env, arguments.set)
        with _logged(settings) as spark:
            trying.fit_table(spark, settings, arguments, Console())

    return guarded("fit-table", parser, argv, body)


def _explain(argv: list[str]) -> int:
    from churnlake import explain as asking

    text = (
        "Explain one pair of re-entry, stage by stage: each evidence with its weight and what it adds, who else either of the two could be, "
        "and the verdict. Numbers are never printed."
    )
    return _of_lake(asking, asking.explain, text, argv)


def _skew(argv: list[str]) -> int:
    from churnlake import skew as asking

    text = (
        "Tell how even the work of finding re-entrants' candidates is: by kind of what two users share (a contact, a handset, a document) "
        "blocks and comparisons, those used and those that settings leave out, and the largest of each."
    )
    return _of_lake(asking, asking.skew, text, argv)


def _of_lake(
    asking: ModuleType, tell: Callable[[Lake, ReentrySettings, argparse.Namespace, Console], None], text: str, argv: list[str]
) -> int:
    """A command that looks at the lake; ``asking`` says what it is asked by and what it reads."""
    name = tell.__name__
    parser = argparse.ArgumentParser(prog=f"python -m churnlake {name}", description=text)
    asking.arguments(parser)
    settings_arguments(parser, "store.lake=lake")

    def body(arguments: argparse.Namespace) -> None:
        settings = load(Settings, arguments.env, arguments.set)
        with _logged(settings) as spark:
            scope = Scope(name, EVER, asking.READS, (), asking.MAY_READ, makers=Lineage.of_package().makers)
            tell(Lake(spark, settings.store, scope), settings.reentry, arguments, Console())

    return guarded(name, parser, argv, body)


def _release(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m churnlake release",
        description="Let readers see slices that a gate withheld or a check withdrew; the run log keeps by whom and why.",
    )
    parser.add_argument("--table", required=True, help="for example clean.voice")
    parser.add_argument("--slice", action="append", default=[], metavar="SLICE", help="a batch, day or month; may be repeated")
    parser.add_argument("--dates", default=None, metavar="A..B", help="of a table sliced by day: the days, in place of --slice")
    parser.add_argument("--why", required=True, help="what was looked at and found good; kept in the run log")
    settings_arguments(parser, "store.lake=lake")

    def body(arguments: argparse.Namespace) -> None:
        table = {t.name: t for t in Lineage.of_package().tables if t.stored}.get(arguments.table)
        if table is None:
            raise SettingsError(f"no stored table '{arguments.table}'; python -m churnlake tables lists them")
        slices = [*arguments.slice, *([str(day) for day in parse_days(arguments.dates).each()] if arguments.dates else [])]
        settings = load(Settings, arguments.env, arguments.set)
        with _logged(settings) as spark:
            released = release(spark, settings, table, slices, arguments.why)
        _say(f"{table.name}: released {', '.join(released)}; the next run of each job that reads it takes it in\n")

    return guarded("release", parser, argv, body)


def _restore(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m churnlake restore",
        description="Take every table, the register of files and the run log back to where they stood when a run was done. What came "
        "later is gone from them, and files taken in later are new again. Without --run: finish going back where that was "
        "begun, else list the newest runs.",
    )
    parser.add_argument("--run", default=None, help="the run_id")
    settings_arguments(parser, "store.lake=lake")

    def body(arguments: argparse.Namespace) -> None:
        lineage = Lineage.of_package()
        settings = load(Settings, arguments.env, arguments.set)
        with _logged(settings) as spark:
            if not arguments.run and not going_back.is_under_way(spark, settings):
                for row in going_back.newest(spark, settings, 30):
                    _say(f"{row['run_id']}  {row['done_at']}  {row['job']:<20} {row['first_day']}..{row['last_day']}\n")
                return
            stored = [table for table in lineage.tables if table.stored]
            back = going_back.restore(spark, settings, stored, [job.name for job in lineage.jobs], arguments.run)
        _say("".join(f"{name:<24} version {now}, as it was at version {then}\n" for name, (now, then) in back.items()))
        _say(f"{len(back)} tables went back; run the jobs as usual, files taken in later come in again\n")

    return guarded("restore", parser, argv, body)


def _notebooks(argv: list[str]) -> int:
    from churnlake.notebook import asked_for, open_lake
    from churnlake.notebook_pages import keep

    texts = {Path(name).stem: text for name, text in notebooks().items()}
    parser = argparse.ArgumentParser(
        prog="python -m churnlake notebooks",
        description="Execute the readers' notebooks in one session and write a page of each, which opens from disk; their texts lie in notebooks/.",
    )
    parser.add_argument("name", nargs="*", metavar="NAME", help=f"{', '.join(texts)}; left out: all")
    parser.add_argument(
        "--out", type=Path, default=None, metavar="FOLDER", help="where the pages go; left out: notebooks/ in store.work"
    )
    settings_arguments(parser, "store.lake=lake")

    def body(arguments: argparse.Namespace) -> None:
        unknown = sorted(set(arguments.name) - texts.keys())
        if unknown:
            raise SettingsError(f"no notebook '{unknown[0]}'; there are {', '.join(texts)}")
        settings = load(Settings, arguments.env, arguments.set)
        out = arguments.out or Path(settings.store.work) / "notebooks"
        asked = {name: text for name, text in texts.items() if not arguments.name or name in arguments.name}
        with asked_for(arguments.env, arguments.set), _logged(settings):
            open_lake()
            for path in keep(asked, out.resolve()):
                _say(f"{path}\n")

    return guarded("notebooks", parser, argv, body)


@contextmanager
def _logged(settings: Settings) -> Iterator[SparkSession]:
    """A session, and the house's log, of the work folder."""
    logs = Path(settings.store.work).resolve() / "logs"
    log_to(logs, settings.store.log_format)
    with session(settings.spark, logs) as spark:
        yield spark


def _say(text: str) -> None:
    sys.stdout.write(text)


if __name__ == "__main__":
    sys.exit(main())
