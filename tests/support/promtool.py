"""promtool, which judges alert rules as Prometheus would."""

import shutil
import subprocess
import sys
from pathlib import Path


def find() -> str | None:
    """Return where it is: beside this Python (``make test`` puts it there), or installed."""
    beside = Path(sys.executable).with_name("promtool")
    return str(beside) if beside.exists() else shutil.which("promtool")


def run(*words: str | Path, cwd: Path) -> tuple[int, str]:
    """Run it; return its exit code, and what it said."""
    tool = find()
    assert tool is not None
    done = subprocess.run(
        [tool, *map(str, words)], cwd=cwd, capture_output=True, text=True, check=False, timeout=120
    )
    return done.returncode, done.stdout + done.stderr
