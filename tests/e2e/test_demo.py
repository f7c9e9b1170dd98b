"""`remuda demo` as it is: it really works, and leaves nothing behind."""

import signal
from pathlib import Path
from typing import Final

import pytest

from tests.support.deadline import wait_for
from tests.support.processes import Process
from tests.support.stage import missing

#: On a quiet machine it takes one minute.
DEMO_S: Final = 500.0

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.zk,
    pytest.mark.ssh,
    pytest.mark.timeout(DEMO_S + 60),
    pytest.mark.skipif(bool(missing()), reason=missing() or "can be tested"),
]


def test_the_demo_works_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """It judges itself; what it says of images is looked at here, too."""
    place = tmp_path / "tmp"
    place.mkdir()
    demo = Process.python(
        "demo",
        "remuda",
        "demo",
        log=tmp_path / "log",
        env={"TMPDIR": str(place)},
        last_signal=signal.SIGTERM,
    )
    try:
        wait_for(lambda: not demo.alive, DEMO_S, "the demo to end")
    finally:
        code = demo.stop(60.0)

    said = demo.text()
    assert code == 0, demo.tail()
    assert "build tools/2 is failed: release can be run: nobody may run it" in said
    versions = [line.strip() for line in said.splitlines() if line.startswith("    tools ")]
    assert [one for one in versions if len(one.split()) == 2] == [
        *("tools 1", "tools 1", "tools 2", "tools 1")
    ]
    assert "    assertion failed on line 42" in said.splitlines()  # of the held machine
    assert "    what a job took an hour for" in said.splitlines()  # of the machine, not the command
    assert list(place.iterdir()) == []
