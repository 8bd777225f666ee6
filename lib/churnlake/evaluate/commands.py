"""Commands that make cities, judge the house on them and measure it: python -m churnlake evaluate, bench, faults and others."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from churnlake.core.command_line import guarded, settings_arguments
from churnlake.core.console import Console
from churnlake.core.errors import ContractError, MissingInputError
from churnlake.core.logs import log_to
from churnlake.core.session import session
from churnlake.core.settings import load
from churnlake.evaluate.judging import add_cities, cities_asked, evaluate
from churnlake.settings import Settings


def _demo(argv: list[str]) -> int:
    from churnlake.evaluate.demo import demo

    parser = argparse.ArgumentParser(
        prog="python -m churnlake demo", description="Make a small city, run the whole chain on it and sum up."
    )
    settings_arguments(parser, "city.scenario=tiny")
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


def _privacy(argv: list[str]) -> int:
    from churnlake.evaluate.leaks import leaks

    parser = argparse.ArgumentParser(
        prog="python -m churnlake privacy",
        description="Look for every number, IMSI, IMEI and document number of the landing files in all that runs left behind. "
        "Exit 3 when one stands anywhere; no value is printed.",
    )
    settings_arguments(parser, "store.lake=lake")

    def body(arguments: argparse.Namespace) -> None:
        found = leaks(load(Settings, arguments.env, arguments.set))
        sys.stdout.write("".join(f"{line}\n" for line in found.lines()))
        if not sum(found.values.values()):
            raise MissingInputError(
                "no landing file holds a number to look for; set store.landing and store.feeds to those the lake was made from"
            )
        if found.hits:
            raise ContractError(f"{len(found.hits)} files hold what tells who somebody is; find out which job wrote them")

    return guarded("privacy", parser, argv, body)


def _faults(argv: list[str]) -> int:
    from churnlake.evaluate.faults import judge_faults

    parser = argparse.ArgumentParser(
        prog="python -m churnlake faults",
        description="Make a city whose files are broken in every known way, take it in, judge its days, and print for each kind "
        "what caught it, and how often sound days raised an alarm. A city that is there already is judged again.",
    )
    add_cities(parser, "noisy_town", "build/faults")

    def body(arguments: argparse.Namespace) -> None:
        for given in cities_asked(arguments):
            judge_faults(given, Console())

    return guarded("faults", parser, argv, body)


def _probe(argv: list[str]) -> int:
    from churnlake.evaluate.realism import probe_cities

    parser = argparse.ArgumentParser(
        prog="python -m churnlake probe",
        description="Make a city for each seed, split its people at their median event, find the second halves again by plain "
        "likeness of contacts, and print how often that succeeds beside the same on the Copenhagen data.",
    )
    add_cities(parser, "copenhagen")
    _add_study(parser)

    def body(arguments: argparse.Namespace) -> None:
        probe_cities(cities_asked(arguments), Path(arguments.data), Path(arguments.study), Console())

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


def _bench(argv: list[str]) -> int:
    from churnlake.evaluate import bench, bench_indicators, bench_reentry, bench_scoring

    parser = argparse.ArgumentParser(
        prog="python -m churnlake bench",
        description="What the lakehouse takes beside DuckDB, on the same data, rules, cores and memory: seconds, ratios, memory and shuffle by "
        "step, and whether the results agree. ingest: a day of the city, from files to daily tables. indicators: daily tables and a month's "
        "features from clean records, also beside one grouping for each indicator. reentry, alone: a month's circles, and its joiners of two months "
        "before at their final stage. scoring, alone: a month's scores, reasons and drift, from features there are.",
    )
    parser.add_argument("--what", choices=("ingest", "indicators", "reentry", "scoring"), default="ingest")
    parser.add_argument(
        "--scale",
        type=float,
        default=None,
        help="part of the city of 2.9 million (default 1, of all but ingest 0.1); of ingest above 1 so many of its days",
    )
    parser.add_argument("--days", type=int, default=30, help="of indicators: days of records, ending with a month")
    parser.add_argument("--cores", type=int, default=2, help="cores for either side, pinned")
    parser.add_argument("--times", type=int, default=1, help="runs of both sides in turn, of which medians are told")
    parser.add_argument("--anew", action="store_true", help="of indicators and reentry: make the city and its tables again")
    parser.add_argument("--work", default="build/bench", help="folder for the cities, the tables of both sides and <what>.json")
    parser.add_argument("--set", action="append", default=["spark.driver_memory=8g"], metavar="KEY=VALUE", help="one setting")

    def body(arguments: argparse.Namespace) -> None:
        settings, work, console = load(Settings, "local", arguments.set), Path(arguments.work), Console()
        if arguments.what in ("reentry", "scoring"):
            alone = bench_reentry.bench if arguments.what == "reentry" else bench_scoring.bench
            alone(settings, arguments.scale or 0.1, arguments.cores, work, console, arguments.anew)
            return
        if arguments.what == "ingest":
            found = bench.bench(settings, arguments.scale or 1.0, arguments.cores, arguments.times, work, console)
        else:
            how = (arguments.days, arguments.cores, arguments.times, work, console, arguments.anew)
            found = bench_indicators.bench(settings, arguments.scale or 0.1, *how)
        if not found["results_agree"]:
            raise ContractError(f"the two sides' results differ; see above and {arguments.what}.json")

    return guarded("bench", parser, argv, body)


def _foresight(argv: list[str]) -> int:
    from churnlake.evaluate.foresight import of_lake, stored_of_lake

    parser = argparse.ArgumentParser(
        prog="python -m churnlake foresight",
        description="Plant rows after a month's end into every table that features are made of, and see whether any feature of the month "
        "moves, on some users of the lake. Then make what models take of the month again by tables cut off at its end, for all users, and "
        "see whether it is what is stored. In memory: nothing is written. Exit 3 when a feature moves or differs.",
    )
    parser.add_argument("--month", default="", metavar="YYYY-MM", help="the month (default: the newest with features)")
    parser.add_argument("--users", type=_at_least_one, default=1000, help="of about so many users (default 1000)")
    settings_arguments(parser, "store.lake=lake")

    def body(arguments: argparse.Namespace) -> None:
        settings = load(Settings, arguments.env, arguments.set)
        logs = Path(settings.store.work).resolve() / "logs"
        with session(settings.spark, logs) as spark:
            found = of_lake(spark, settings, arguments.month, arguments.users)
            sys.stdout.write("".join(f"{line}\n" for line in found.lines()))
            stored = stored_of_lake(spark, settings, arguments.month)
        sys.stdout.write("".join(f"{line}\n" for one in stored for line in one.lines()))
        if found.moved:
            raise ContractError(
                f"{len(found.moved)} features know what came after their month; see their formulas: python -m churnlake indicators NAME"
            )
        if differing := [leak for one in stored for leak in one.leaks()]:
            raise ContractError(
                f"{len(differing)} features or sets of rows are not what was known at their month's end; see above"
            )

    return guarded("foresight", parser, argv, body)


def _at_least_one(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no whole number of at least 1")
    return int(text)


def _add_study(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", default="../shared/data/cns", help="folder with calls.csv and sms.csv of the Copenhagen study")
    parser.add_argument("--study", default="build/cns", help="folder of the study's lake; made from --data when it is not there")


def _kills(argv: list[str]) -> int:
    from churnlake.evaluate.kills import kills

    parser = argparse.ArgumentParser(
        prog="python -m churnlake kills",
        description="Kill ingest and daily building with SIGKILL at random moments, run again, compare with an undisturbed lake.",
    )
    parser.add_argument("--times", type=int, default=25)
    parser.add_argument("--seed", type=int, default=2005)
    parser.add_argument("--city", default="three_weeks", help="a scenario of conf/city, or the path of a scenario file")
    parser.add_argument("--work", default="build/kills", help="folder for the city and its lakes")

    def body(arguments: argparse.Namespace) -> None:
        from churnlake.city.generate import generate, scenario

        home = Path(arguments.work).resolve()
        overrides = [f"store.landing={home / 'landing'}"]
        settings = load(Settings, "local", overrides)
        log_to(home / "logs", settings.store.log_format)
        with session(settings.spark, home / "logs") as spark:
            if not (home / "landing").is_dir():
                generate(spark, scenario(arguments.city), arguments.seed, home / "landing", home / "truth")
            found = kills(spark, "local", overrides, home, arguments.times, arguments.seed, Console())
        differ = [kill.lake for kill in found if not kill.is_same]
        sys.stdout.write(f"{len(found) - len(differ)} of {len(found)} kills: tables identical to an undisturbed run\n")
        if differ:
            raise ContractError(f"{len(differ)} lakes differ and are kept: {', '.join(str(home / name) for name in differ)}")

    return guarded("kills", parser, argv, body)


def _strain(argv: list[str]) -> int:
    from churnlake.evaluate.strain import strain

    parser = argparse.ArgumentParser(
        prog="python -m churnlake strain",
        description="Write voice files of unusual size or number, take them in, and compare every row with what was written.",
    )
    parser.add_argument("--files", type=int, default=1, help="so many files")
    parser.add_argument("--megabytes", type=float, default=2048, help="of so many MB in all")
    parser.add_argument("--work", default="build/strain", help="folder for the files and the lake")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="one setting")

    def body(arguments: argparse.Namespace) -> None:
        home = Path(arguments.work).resolve() / f"{arguments.files}-files"
        own = [f"store.landing={home / 'landing'}", f"store.lake={home / 'lake'}", f"store.work={home / 'work'}"]
        settings = load(Settings, "local", [*own, *arguments.set])
        log_to(home.parent / "logs", settings.store.log_format)
        with session(settings.spark, home.parent / "logs") as spark:
            strain(spark, settings, arguments.files, arguments.megabytes, Console())

    return guarded("strain", parser, argv, body)


COMMANDS: dict[str, tuple[Callable[[list[str]], int], str]] = {
    "demo": (_demo, "make a small city, run the whole chain on it and sum up"),
    "city": (_city, "make the landing files of a made-up city, the truth apart, and nothing else"),
    "cns": (_cns, "find split people again in the Copenhagen Networks Study data"),
    "evaluate": (evaluate, "make cities, run the chain on each and compare with their truth and with plain baselines"),
    "faults": (_faults, "make a city with broken files and days, judge its quality and tell what was caught"),
    "probe": (_probe, "split the people of a made-up city and find them again, as in the Copenhagen data"),
    "realism": (_realism, "one page that compares cities with real data and tells how hard they are"),
    "bench": (
        _bench,
        "take a city's day in, or work out its month's indicators, beside DuckDB; compare time, memory and results",
    ),
    "foresight": (
        _foresight,
        "plant a future and see that no feature of an earlier month moves; make stored ones again as of its end",
    ),
    "strain": (_strain, "take in one huge file or very many small ones, and compare with what was written"),
    "privacy": (_privacy, "look for every number of the landing files in all that runs left behind"),
    "kills": (_kills, "kill intake and daily building hard at random moments, run again and compare"),
}
"""By name, what runs the command and what it does."""
