"""docs/operations.md works as it is written: every shell block of it, from top to bottom.

Here hosts are overlays of this machine's own system, and packages only have to be there.
``make test-operations`` does the same in a bare Debian, where they are installed.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.operations.prerequisites import missing
from tests.support.processes import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.ssh, pytest.mark.zk]

_DEADLINE_S = 1200


@pytest.mark.timeout(_DEADLINE_S + 30)
def test_the_page_can_be_followed(tmp_path: Path) -> None:
    """Nine hosts, three ZooKeepers with TLS, two clouds with bounded credentials."""
    if why := missing():
        pytest.skip(why)
    bare = os.environ.get("REMUDA_OPERATIONS_BARE", "")
    more = ["--bare", bare] if bare else []

    done = subprocess.run(
        [sys.executable, "-m", "tests.operations", "--logs", str(tmp_path), *more],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=_DEADLINE_S,
    )

    assert done.returncode == 0, done.stdout + done.stderr
