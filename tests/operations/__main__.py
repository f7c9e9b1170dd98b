"""Run docs/operations.md on hosts that are folders: ``python -m tests.operations FOLDER``.

Without ``--bare`` the hosts' roots are overlays of this machine's own, and packages only have to
be there; with ``--bare ROOT``, of a bare Debian in the folder ROOT, and packages are installed.
Exits with 0 if every block does.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from tests.operations import site


def _inside() -> None:
    """Run again with mounts and processes of our own: they all end with us."""
    words = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    os.environ["REMUDA_OPERATIONS_INSIDE"] = "1"
    words += [sys.executable, "-m", "tests.operations", *sys.argv[1:]]
    os.execvp(words[0], words)  # noqa: S606 - no shell is wanted


def main() -> int:
    """Do it."""
    parser = argparse.ArgumentParser(prog="tests.operations")
    parser.add_argument("--bare", type=Path, help="root of a bare Debian")
    parser.add_argument("--logs", type=Path, help="folder for logs; else a temporary one")
    options = parser.parse_args()
    if "REMUDA_OPERATIONS_INSIDE" not in os.environ:
        _inside()
    logs = options.logs or Path(tempfile.mkdtemp(prefix="remuda-operations-"))
    logs.mkdir(parents=True, exist_ok=True)
    return site.run(options.bare, logs)


sys.exit(main())
