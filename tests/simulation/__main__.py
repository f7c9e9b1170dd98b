"""Many seeds: ``python -m tests.simulation --seeds 1000 --start 0``; one in detail: ``--seed 7``."""

import argparse
import sys
import time
import traceback

from tests.simulation.history import ViolationError
from tests.simulation.setting import draw
from tests.simulation.simulation import Simulation


def main() -> int:
    """Run seeds, tell what failed, and return the exit code."""
    import random

    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--seed", type=int, help="only this one, with everything it does")
    parser.add_argument("--lines", type=int, default=12)
    parser.add_argument("--fails", type=int, default=10)
    options = parser.parse_args()
    seeds = range(options.start, options.start + options.seeds)
    if options.seed is not None:
        seeds = range(options.seed, options.seed + 1)
    failed, begun_s = [], time.monotonic()
    for seed in seeds:
        simulation = Simulation(
            seed=seed,
            setting=draw(random.Random(f"setting {seed}")),
            verbose=options.seed is not None,
        )
        try:
            simulation.run()
        except ViolationError as exc:
            failed.append(seed)
            print(f"seed {seed}: {exc}", flush=True)
            for line in list(simulation.history.lines)[-options.lines :]:
                print("   ", line)
        except Exception:
            failed.append(seed)
            print(f"seed {seed}:")
            traceback.print_exc(limit=-6)
        if len(failed) >= options.fails:
            break
    took_s = time.monotonic() - begun_s
    print(f"{len(failed)} of {seed - seeds.start + 1} seeds failed {failed} in {took_s:.1f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
