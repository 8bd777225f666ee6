"""python -m churnlake: run the chain, or ask what the house declares."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

from churnlake.core import dictionary, rules
from churnlake.core.console import Console
from churnlake.core.contract import sql_type
from churnlake.core.errors import ContractError, MissingInputError, SettingsError
from churnlake.core.job import argument_parser, guarded, log_to
from churnlake.core.lineage import Lineage
from churnlake.core.runner import run_chain
from churnlake.core.runs import EVER, RUNS, parse_days
from churnlake.core.session import session
from churnlake.core.settings import load
from churnlake.indicators import INDICATORS, VIEWS
from churnlake.landing.feed_help import FEED_HELP
from churnlake.settings import Settings
from churnlake.tables.raw import FILES


def main(argv: list[str] | None = None) -> int:
    """Dispatch; the exit code: 0 done, 2 bad arguments, settings or missing input, 3 contract or gate broken, 1 anything else."""
    arguments = sys.argv[1:] if argv is None else argv
    commands: dict[str, tuple[Callable[[list[str]], int], str]] = {
        "run": (_run, "run the chain of jobs in lineage order in one process"),
        "demo": (_demo, "make a small city, run the whole chain on it and sum up"),
        "city": (_city, "make the landing files of a made-up city, the truth apart, and nothing else"),
        "cns": (_cns, "find split people again in the Copenhagen Networks Study data"),
        "evaluate": (_evaluate, "make cities, run the chain on each and compare with their truth and with plain baselines"),
        "faults": (_faults, "make a city with broken files and days, judge its quality and tell what was caught"),
        "verdict": (_verdict, "print the failed checks of the last quality report; exit 3 when the last day has an error"),
        "probe": (_probe, "split the people of a made-up city and find them again, as in the Copenhagen data"),
        "realism": (_realism, "one page that compares cities with real data and tells how hard they are"),
        "tables": (_tables, "list the tables; with a name, its columns"),
        "indicators": (_indicators, "count the indicators by view; with a view, list them"),
        "ddl": (_ddl, "print CREATE TABLE of all tables or of one"),
        "dictionary": (_dictionary, "print the dictionary; with --write, rewrite the generated pages"),
        "content": (_content, "count and hash the rows of every table, to compare lakes or runs"),
        "lineage": (_lineage, "print which job makes what, in the order they run"),
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
    parser.add_argument("--from", dest="first", default=None, metavar="JOB", help="begin with this job")
    parser.add_argument("--only", default=None, metavar="JOB", help="run this job alone")

    def body(arguments: argparse.Namespace) -> None:
        lineage = Lineage.of_package()
        jobs = lineage.chain(arguments.first, arguments.only)
        days = parse_days(arguments.dates) if arguments.dates else None
        settings = load(Settings, arguments.env, arguments.set)
        logs = Path(settings.store.work).resolve() / "logs"
        log_to(logs)
        for job in jobs:
            job.check(settings)
        budgets = settings.runner.budgets
        with session(settings.spark, logs) as spark:
            run_chain(spark, settings, jobs, days, Console(), makers=lineage.makers, budgets=budgets, restate=arguments.restate)

    return guarded("run", parser, argv, body)


def _demo(argv: list[str]) -> int:
    from churnlake.evaluate.demo import demo

    parser = argparse.ArgumentParser(
        prog="python -m churnlake demo", description="Make a small city, run the whole chain on it and sum up."
    )
    parser.add_argument("--env", default="local")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="one setting, for example city.scenario=tiny"
    )
    return guarded("demo", parser, argv, lambda arguments: demo(load(Settings, arguments.env, arguments.set), Console()))


def _city(argv: list[str]) -> int:
    from churnlake.evaluate.made import make_city

    parser = argparse.ArgumentParser(
        prog="python -m churnlake city",
        description="Make the landing files of a made-up city, and its truth apart; say what it took.",
    )
    parser.add_argument("--city", default="standard", help="a scenario of conf/city, or the path of a scenario file")
    parser.add_argument("--seed", type=int, default=2005)
    parser.add_argument("--out", default="", help="folder for landing/ and truth/ (default: build/city/<scenario>-<seed>)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="one setting, for example spark.driver_memory=4g"
    )

    def body(arguments: argparse.Namespace) -> None:
        home = Path(arguments.out or f"build/city/{Path(arguments.city).stem}-{arguments.seed}")
        own = [f"city.scenario={arguments.city}", f"city.seed={arguments.seed}", f"city.truth={home / 'truth'}",
               f"store.landing={home / 'landing'}", f"store.work={home / 'work'}"]  # fmt: skip
        given = any(text.startswith("spark.driver_memory=") for text in arguments.set)
        make_city(load(Settings, "local", [*own, *arguments.set]), Console(), given)

    return guarded("city", parser, argv, body)


def _cns(argv: list[str]) -> int:
    from churnlake.evaluate.cns import find_again

    parser = argparse.ArgumentParser(
        prog="python -m churnlake cns",
        description="Split each person of the Copenhagen Networks Study at its median event and find the second half again.",
    )
    parser.add_argument("--data", default="../shared/data/cns", help="folder with calls.csv and sms.csv")
    parser.add_argument("--work", default="build/cns", help="folder for its lake")

    def body(arguments: argparse.Namespace) -> None:
        find_again(Path(arguments.data), Path(arguments.work), Console())

    return guarded("cns", parser, argv, body)


def _evaluate(argv: list[str]) -> int:
    from churnlake.evaluate.cities import judge, over_seeds

    parser = argparse.ArgumentParser(
        prog="python -m churnlake evaluate",
        description="Make a city for each seed, run the chain on it and compare with its truth and with plain baselines.",
    )
    _add_cities(parser, "standard")

    def body(arguments: argparse.Namespace) -> None:
        console = Console()
        found = [judge(given, console) for given in _cities(arguments)]
        if len(found) > 1:
            console.summary(f"City {found[0]['city']}, mean of {len(found)} seeds (least to most)", over_seeds(found))

    return guarded("evaluate", parser, argv, body)


def _faults(argv: list[str]) -> int:
    from churnlake.evaluate.faults import judge_faults

    parser = argparse.ArgumentParser(
        prog="python -m churnlake faults",
        description="Make a city whose files are broken in every known way, take it in, judge its days, and print for each kind "
        "what caught it, and how often sound days raised an alarm. A city that is there already is judged again.",
    )
    _add_cities(parser, "noisy_town", "build/faults")

    def body(arguments: argparse.Namespace) -> None:
        for given in _cities(arguments):
            judge_faults(given, Console())

    return guarded("faults", parser, argv, body)


def _verdict(argv: list[str]) -> int:
    from churnlake.quality.scores import told

    parser = argparse.ArgumentParser(
        prog="python -m churnlake verdict",
        description="Print a line for each failed check of the last check_quality. Exit 0: the last day judged has no error; "
        "3: it has; 2: there is no report.",
    )
    parser.add_argument("--env", default="local")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="one setting, for example store.work=work"
    )

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


def _probe(argv: list[str]) -> int:
    from churnlake.evaluate.realism import probe_cities

    parser = argparse.ArgumentParser(
        prog="python -m churnlake probe",
        description="Make a city for each seed, split its people at their median event, find the second halves again by plain "
        "likeness of contacts, and print how often that succeeds beside the same on the Copenhagen data.",
    )
    _add_cities(parser, "copenhagen")
    _add_study(parser)

    def body(arguments: argparse.Namespace) -> None:
        probe_cities(_cities(arguments), Path(arguments.data), Path(arguments.study), Console())

    return guarded("probe", parser, argv, body)


def _realism(argv: list[str]) -> int:
    from churnlake.evaluate.realism import write_page

    parser = argparse.ArgumentParser(
        prog="python -m churnlake realism",
        description="Write one page from every evaluation.json below --work: cities beside the Copenhagen data and the facts of "
        "a real network, and how hard each scenario is.",
    )
    parser.add_argument("--work", default="build/evaluate", help="folder of the cities evaluated; the page is put there")
    _add_study(parser)

    def body(arguments: argparse.Namespace) -> None:
        write_page(Path(arguments.work), Path(arguments.data), Path(arguments.study), Console())

    return guarded("realism", parser, argv, body)


def _add_cities(parser: argparse.ArgumentParser, city: str, work: str = "build/evaluate") -> None:
    parser.add_argument("--city", default=city, help="a scenario of conf/city, or the path of a scenario file")
    parser.add_argument("--seeds", default="2006", metavar="N,N...", help="one city for each seed (default: 2006)")
    parser.add_argument("--work", default=work, help="folder for the cities, their lakes and the figures found")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="one setting, for example reentry.hub_users=80"
    )


def _add_study(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", default="../shared/data/cns", help="folder with calls.csv and sms.csv of the Copenhagen study")
    parser.add_argument("--study", default="build/cns", help="folder of the study's lake; made from --data when it is not there")


def _cities(arguments: argparse.Namespace) -> list[Settings]:
    """The settings of the city of each seed asked for."""
    from churnlake.evaluate.cities import overrides

    if not all(seed.strip().isdigit() for seed in arguments.seeds.split(",")):
        raise SettingsError(f"--seeds {arguments.seeds}: give whole numbers with commas between, for example 2006,2007")
    work = Path(arguments.work)
    return [
        load(Settings, "local", [*overrides(arguments.city, int(seed), work), *arguments.set])
        for seed in arguments.seeds.split(",")
    ]


def _content(argv: list[str]) -> int:
    from churnlake.evaluate.content import content

    parser = argument_parser("python -m churnlake content", "Count and hash the rows of every table, as of the last of --dates.")

    def body(arguments: argparse.Namespace) -> None:
        settings = load(Settings, arguments.env, arguments.set)
        days = parse_days(arguments.dates) if arguments.dates else EVER
        with session(settings.spark, Path(settings.store.work).resolve() / "logs") as spark:
            found = content(spark, settings, days)
        _say("".join(f"{name:<24} {rows:>12,} rows  {digest % 2**64:016x}\n" for name, (rows, digest) in found.items()))

    return guarded("content", parser, argv, body)


def _asked(command: str, meaning: str, *names: str) -> argparse.ArgumentParser:
    """The parser of a command that answers without Spark; ``names`` are what it may be given."""
    parser = argparse.ArgumentParser(prog=f"python -m churnlake {command}", description=meaning)
    for name in names:
        parser.add_argument(name, nargs="?")
    return parser


def _tables(argv: list[str]) -> int:
    tables = {table.name: table for table in (FILES, *Lineage.of_package().tables, RUNS)}
    asked = _asked("tables", "List the tables; with a name, its columns.", "table").parse_args(argv).table
    if not asked:
        _say("".join(f"{name:<26} {table.meaning}\n" for name, table in tables.items()))
        return 0
    if asked not in tables:
        sys.stderr.write(f"tables: no table '{asked}'; python -m churnlake tables lists them\n")
        return 2
    _say(
        "".join(
            f"{c.name:<30} {sql_type(c.type).lower():<14} {'null' if c.optional else '':<5} {c.meaning}\n"
            for c in tables[asked].columns
        )
    )
    return 0


def _indicators(argv: list[str]) -> int:
    parser = _asked("indicators", "Count the indicators by view; with a view, list them.")
    parser.add_argument("view", nargs="*", help="a view, for example call features")
    view = " ".join(parser.parse_args(argv).view)
    if not view:
        _say("".join(f"{view:<28} {len(found):>4}\n" for view, found in VIEWS.items()) + f"{'all':<28} {len(INDICATORS):>4}\n")
        return 0
    if view not in VIEWS:
        sys.stderr.write(f"indicators: no view '{view}'; there are {', '.join(VIEWS)}\n")
        return 2
    _say("".join(f"{i.name:<36} {i.meaning}\n" for i in VIEWS[view]))
    return 0


def _ddl(argv: list[str]) -> int:
    tables = {table.name: table for table in (FILES, *Lineage.of_package().tables, RUNS) if table.stored}
    asked = _asked("ddl", "Print CREATE TABLE of all tables or of one.", "table").parse_args(argv).table
    if asked and asked not in tables:
        sys.stderr.write(f"ddl: no stored table '{asked}'; python -m churnlake tables lists them\n")
        return 2
    _say("\n\n".join(rules.ddl(table, table.name) + ";" for name, table in tables.items() if asked in (None, name)) + "\n")
    return 0


def pages() -> dict[Path, str]:
    """The generated pages of the repository: path below its root -> text."""
    lineage = Lineage.of_package()
    tables = sorted((FILES, *lineage.tables, RUNS), key=lambda t: _LAYERS.index(t.name.partition(".")[0]))
    return {
        Path("lib/churnlake/tables/README.md"): dictionary.dictionary(tables, lineage.makers, INDICATORS, FEED_HELP),
        Path("jobs/README.md"): dictionary.jobs_page(lineage.jobs),
    }


_LAYERS = ["raw", "clean", "reference", "daily", "features", "circles", "churn", "reentry", "campaigns", "quality"]


def _dictionary(argv: list[str]) -> int:
    parser = _asked("dictionary", "Print the dictionary.")
    parser.add_argument("--write", action="store_true", help="rewrite the generated pages of the repository instead")
    if parser.parse_args(argv).write:
        for path, text in pages().items():
            (Path(__file__).parents[2] / path).write_text(text, encoding="utf-8")
        return 0
    _say(next(iter(pages().values())))
    return 0


def _lineage(argv: list[str]) -> int:
    _asked("lineage", "Print which job makes what, in the order they run.").parse_args(argv)
    lineage = Lineage.of_package()
    _say(dictionary.lineage_text(lineage.jobs, lineage.makers))
    return 0


def _say(text: str) -> None:
    sys.stdout.write(text)


if __name__ == "__main__":
    sys.exit(main())
