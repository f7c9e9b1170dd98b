"""What an operator does by hand, with the command that is there for it."""

import subprocess
import sys

from tests.support.stage import SOON_S, Stage


def permit_sweep(stage: Stage, provider: str) -> str:
    """Have what has no record deleted; return what was shown."""
    command = (sys.executable, "-m", "remuda", "cloud", "sweep", provider, "--confirm", "--yes")
    done = subprocess.run(
        [*command, "--config", str(stage.folder / "remuda.yaml")],
        capture_output=True,
        text=True,
        timeout=2 * SOON_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
