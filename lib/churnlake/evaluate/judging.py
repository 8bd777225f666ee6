"""The command that judges the house: on made-up cities beside their truth, on people and tables that are public."""

from __future__ import annotations

import argparse
from pathlib import Path

from churnlake.core.command_line import guarded
from churnlake.core.console import Console
from churnlake.core.errors import SettingsError
from churnlake.core.settings import load
from churnlake.settings import Settings


def add_cities(parser: argparse.ArgumentParser, city: str, work: str = "build/evaluate") -> None:
    """What cities are asked for by."""
    parser.add_argument("--city", default=city, help="a scenario of conf/city, or the path of a scenario file")
    parser.add_argument("--seeds", default="2006", metavar="N,N...", help="one city for each seed (default: 2006)")
    parser.add_argument("--work", default=work, help="folder for the cities, their lakes and the figures found")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="one setting, for example reentry.hub_users=80"
    )


def cities_asked(arguments: argparse.Namespace) -> list[Settings]:
    """The settings of the city of each seed asked for."""
    from churnlake.evaluate.cities import overrides

    if not all(seed.strip().isdigit() for seed in arguments.seeds.split(",")):
        raise SettingsError(f"--seeds {arguments.seeds}: give whole numbers with commas between, for example 2006,2007")
    work = Path(arguments.work)
    return [
        load(Settings, "local", [*overrides(arguments.city, int(seed), work), *arguments.set])
        for seed in arguments.seeds.split(",")
    ]


def evaluate(argv: list[str]) -> int:
    """Run the command."""
    from churnlake.evaluate.cities import judge, over_seeds

    parser = argparse.ArgumentParser(
        prog="python -m churnlake evaluate",
        description="Make a city for each seed, run the chain on it and compare with its truth and with plain baselines. With --what reentry: "
        "larger cities, of weekly contacts, and who came back in them alone, with intervals over the seeds, and studies of real people, whose "
        "names stand among the cities'. With --what churn: fifteen months of such cities, who leaves next, beside what can be foreseen at all; nine "
        "months of smaller ones with all records, why and where leavers left, and how early they were warned of; and public customer tables. "
        "Default: standard and seed 2006; of reentry standard, no_imei and hard, seeds 2006 to 2010, cns and collegemsg; "
        "of churn standard with the same seeds, contagion, homophily and unrelated with two of them, iranian_churn, ibm_telco and churn_3333_5000.",
    )
    parser.add_argument("--what", choices=("chain", "reentry", "churn"), default="chain")
    parser.add_argument("--users", type=int, default=20_000, help="of reentry and churn: people of each city (default 20,000)")
    parser.add_argument(
        "--record-users", type=int, default=1500, help="of churn: people of each city of records; 0: none (default 1,500)"
    )
    parser.add_argument(
        "--data",
        default="../shared/data",
        help="of reentry: folder of the studies of real people, cns and collegemsg; of churn: of the customer tables",
    )
    add_cities(parser, "")
    parser.set_defaults(seeds="")

    def body(arguments: argparse.Namespace) -> None:
        console = Console()
        if arguments.what != "chain":
            (_reentry if arguments.what == "reentry" else _churn)(arguments, console)
            return
        arguments.city, arguments.seeds = arguments.city or "standard", arguments.seeds or "2006"
        found = [judge(given, console) for given in cities_asked(arguments)]
        if len(found) > 1:
            console.summary(f"City {found[0]['city']}, mean of {len(found)} seeds (least to most)", over_seeds(found))

    return guarded("evaluate", parser, argv, body)


def _reentry(arguments: argparse.Namespace, console: Console) -> None:
    from churnlake.evaluate import real, reentry

    work, data = Path(arguments.work), Path(arguments.data)
    arguments.seeds = arguments.seeds or reentry.SEEDS
    for city in (arguments.city or ",".join((*reentry.SCENARIOS, *real.STUDIES))).split(","):
        if city in real.STUDIES:
            if not arguments.city and not (data / city).is_dir():
                console.say(f"left out: {city}, a study of real people: {data / city} is not there; name its folder with --data")
                continue
            study = real.judge(city, data / city, work / city, console)
            reentry.write({"real": {city: study}}, work / "reentry.json")
            console.summary(f"Study {city}, split at its median time", real.lines(study))
            continue
        # a city that is there is judged again: one of other people is another
        home = work / f"{Path(city).stem}-{arguments.users}-weeks"
        told = argparse.Namespace(
            **{**vars(arguments), "city": reentry.weekly_city(city, arguments.users, home), "work": str(home)}
        )
        strained = Path(city).stem == reentry.SCENARIOS[0]
        cities = []
        for given in cities_asked(told):
            cities.append(reentry.judge(given, console, strained=strained))
            console.say(reentry.line(cities[-1].figures))
            # after each: a run that is stopped leaves what it found
            found = reentry.over_seeds(reentry.with_oracle(cities))
            reentry.write({"scenarios": {Path(city).stem: found}}, work / "reentry.json")
        console.summary(f"City {Path(city).stem}, {arguments.users:,} people, {len(cities)} seeds", reentry.lines(found))


def _churn(arguments: argparse.Namespace, console: Console) -> None:
    from churnlake.evaluate import churn, customer_tables, reentry

    work, data = Path(arguments.work), Path(arguments.data)
    seeds = arguments.seeds
    for city in (arguments.city or ",".join((*churn.SCENARIOS, *customer_tables.TABLES))).split(","):
        if city in customer_tables.TABLES:
            if not arguments.city and not (data / city).is_dir():
                console.say(f"left out: {city}, a table of customers: {data / city} is not there; name its folder with --data")
                continue
            given = load(Settings, "local", [f"store.work={work / city}", *arguments.set])
            reentry.write({"real": {city: customer_tables.judge(given, city, data, console)}}, work / "churn.json")
            continue
        arguments.seeds = seeds or churn.SCENARIOS.get(city, churn.SEEDS)
        home = work / f"{Path(city).stem}-{arguments.users}-churn"
        told = argparse.Namespace(
            **{**vars(arguments), "city": churn.weekly_city(city, arguments.users, home), "work": str(home)}
        )
        cities = []
        for given in cities_asked(told):
            cities.append(churn.judge(given, console))
            console.say(churn.line(cities[-1]))
            # after each: a run that is stopped leaves what it found
            found = reentry.over_seeds(cities)
            reentry.write({"scenarios": {Path(city).stem: found}}, work / "churn.json")
        console.summary(f"City {Path(city).stem}, {arguments.users:,} people, {len(cities)} seeds", churn.lines(found))
        if arguments.record_users:
            _churn_of_records(arguments, city, console)


def _churn_of_records(arguments: argparse.Namespace, city: str, console: Console) -> None:
    from churnlake.evaluate import churn_records

    home = Path(arguments.work) / f"{Path(city).stem}-{arguments.record_users}-records"
    given = {"city": churn_records.records_city(city, arguments.record_users, home), "work": str(home)}
    cities = []
    for settings in cities_asked(argparse.Namespace(**{**vars(arguments), **given})):
        cities.append(churn_records.judge(settings, console))
        console.say(churn_records.line(cities[-1].figures))
        # after each: a run that is stopped leaves what it found
        found = churn_records.keep(Path(city).stem, churn_records.with_revenue(cities), Path(arguments.work) / "churn.json")
    console.summary(
        f"City {Path(city).stem}, records of {arguments.record_users:,} people, {len(cities)} seeds", churn_records.lines(found)
    )
