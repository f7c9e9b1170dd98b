"""Judge a run again: ``python -m tests.chaos.judge FOLDER ZOOKEEPER/data/version-2 …``."""

import sys
from pathlib import Path

from tests.chaos.judge.verdict import judge_folder


def main() -> int:
    """Print the verdict; return 1 if an invariant was broken, 2 if nothing can be judged."""
    if len(sys.argv) < 3:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    verdict = judge_folder(Path(sys.argv[1]), [Path(one) for one in sys.argv[2:]])
    sys.stdout.write(f"{verdict}\n")
    return 1 if verdict.breaches else 0


if __name__ == "__main__":
    raise SystemExit(main())
