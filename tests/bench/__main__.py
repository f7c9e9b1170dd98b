"""``python -m tests.bench``: measure, print a table, write build/bench.json, judge."""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import click

from tests.bench import (
    archiving,
    canaries,
    deciding,
    holding,
    images_building,
    images_capturing,
    images_carrying,
    images_first_use,
    images_leaving,
    images_nights,
    images_rolling_back,
    images_swapping,
    images_taking_home,
    images_warm,
    listing,
    living,
    pooled,
    proving,
    releasing,
    remembering,
    taking_over,
    transport,
)
from tests.bench.figures import Figure, table, write_json
from tests.support import stage
from tests.support.processes import ROOT

_Measure = Callable[[Path, set[str], bool], list[Figure]]

#: What may be asked for by name, and what measures it; those of one line share their processes.
GROUPS: Final[dict[tuple[str, ...], _Measure]] = {
    ("decide",): lambda _folder, _wanted, quick: deciding.measure(quick=quick),
    ("releases",): lambda _folder, _wanted, _quick: releasing.measure(),
    ("nodes",): lambda _folder, _wanted, _quick: [remembering.measure()],
    ("warm", "burst", "idle", "memory"): lambda folder, wanted, quick: pooled.measure(
        folder, wanted, quick=quick
    ),
    ("cold", "packets"): lambda folder, wanted, quick: living.measure(folder, wanted, quick=quick),
    ("listings",): lambda folder, _wanted, quick: listing.measure(folder, quick=quick),
    ("take-over",): lambda folder, _wanted, quick: taking_over.measure(folder, quick=quick),
    ("transport",): lambda folder, _wanted, quick: transport.measure(folder, quick=quick),
    ("archive",): lambda folder, _wanted, quick: archiving.measure(folder, quick=quick),
    ("holds",): lambda folder, _wanted, quick: holding.measure(folder, quick=quick),
    ("proofs",): lambda folder, _wanted, quick: proving.measure(folder, quick=quick),
}
#: Those of images take longer than all others together, and are measured by themselves.
IMAGES: Final[dict[tuple[str, ...], _Measure]] = {
    ("canary",): lambda _folder, _wanted, quick: canaries.measure(quick=quick),
    ("image-warm",): lambda folder, _wanted, quick: images_warm.measure(folder, quick=quick),
    ("build", "builds"): lambda folder, wanted, quick: images_building.measure(
        folder, wanted, quick=quick
    ),
    ("capture",): lambda folder, _wanted, quick: images_capturing.measure(folder, quick=quick),
    ("take-home",): lambda folder, _wanted, quick: images_taking_home.measure(folder, quick=quick),
    ("nights",): lambda folder, _wanted, quick: images_nights.measure(folder, quick=quick),
    ("first-use",): lambda folder, _wanted, quick: images_first_use.measure(folder, quick=quick),
    ("rollback",): lambda folder, _wanted, quick: images_rolling_back.measure(folder, quick=quick),
    ("swaps",): lambda folder, _wanted, quick: images_swapping.measure(folder, quick=quick),
    ("leftovers",): lambda folder, _wanted, quick: images_leaving.measure(folder, quick=quick),
    ("carry",): lambda folder, _wanted, quick: images_carrying.measure(folder, quick=quick),
}
NAMES: Final = tuple(name for names in (*GROUPS, *IMAGES) for name in names)


@click.command()
@click.option("--only", multiple=True, type=click.Choice(NAMES), help="Only this; may be repeated.")
@click.option("--images", is_flag=True, help="The figures of images, instead of all others.")
@click.option("--quick", is_flag=True, help="Fewer rounds: rough, but soon.")
@click.option(
    "--json", "out", default=ROOT / "build" / "bench.json", type=click.Path(path_type=Path)
)
def main(only: tuple[str, ...], out: Path, *, images: bool, quick: bool) -> None:
    """Measure Remuda against the raw chain; exit with 1 if a bound is broken."""
    if why := stage.missing():
        raise click.ClickException(why)
    wanted = set(only) or {name for names in (IMAGES if images else GROUPS) for name in names}
    begun_s = time.perf_counter()
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="remuda-bench-") as folder:
        for names, measure in {**GROUPS, **IMAGES}.items():
            if mine := wanted & set(names):
                click.echo(f"measuring {', '.join(sorted(mine))} …", err=True)
                figures += measure(Path(folder) / names[0], mine, quick)
    seconds = time.perf_counter() - begun_s
    write_json(figures, out, seconds=seconds)
    click.echo(table(figures))
    click.echo(f"{seconds:.0f} s; details in {out}", err=True)
    sys.exit(any(figure.ok is False for figure in figures))


if __name__ == "__main__":
    main()
