"""Many seeds: ``python -m tests.simulation --seeds 1000 --start 0``; one in detail: ``--seed 7``.

Set ``PYTHONHASHSEED=0`` to see exactly what another run has seen.
"""

import argparse
import random
import sys
import time

from tests.simulation.history import ViolationError
from tests.simulation.setting import draw
from tests.simulation.simulation import Simulation


def tell(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def run(seed: int, *, verbose: bool, lines: int, imaged: bool | None = None) -> bool:
    """Run one seed, tell what was wrong, and return whether all was well."""
    setting = draw(random.Random(f"setting {seed}"), imaged=imaged)  # noqa: S311 - reproducible, not secret
    simulation = Simulation(seed=seed, setting=setting, verbose=verbose)
    try:
        simulation.run()
    except ViolationError as exc:
        tell(f"seed {seed}: {exc}")
        for line in list(simulation.history.lines)[-lines:]:
            tell(f"    {line}")
        return False
    return True


def main() -> int:
    """Run seeds, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--seed", type=int, help="only this one, with everything it does")
    parser.add_argument("--lines", type=int, default=12, help="events to show of a failure")
    parser.add_argument("--fails", type=int, default=10, help="stop after so many")
    parser.add_argument("--images", action="store_true", help="images of ours in every seed")
    options = parser.parse_args()
    one = options.seed is not None
    seeds = [options.seed] if one else range(options.start, options.start + options.seeds)
    failed, done, begun_s = [], 0, time.monotonic()
    for seed in seeds:
        done += 1
        if not run(seed, verbose=one, lines=options.lines, imaged=options.images or None):
            failed.append(seed)
        if len(failed) >= options.fails:
            break
    tell(f"{len(failed)} of {done} seeds failed {failed} in {time.monotonic() - begun_s:.1f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
