"""Make a synthetic city's landing files, its truth apart. For demonstration and tests; an operator has its own files."""

from pathlib import Path

from churnlake.city.generate import generate, scenario
from churnlake.core.job import Run
from churnlake.core.lake import Lake
from jobs import job


@job()
def generate_city(lake: Lake, run: Run) -> None:
    """One row per line written, in landing files; no table."""
    settings = run.settings
    counts = generate(
        lake.spark, scenario(settings.city.scenario), settings.city.seed, Path(settings.store.landing), Path(settings.city.truth)
    )
    run.facts.update(counts)


if __name__ == "__main__":
    generate_city.main()
