"""What a command has left on this host is found, also while it becomes another program."""

import os
import signal
import subprocess
from pathlib import Path
from typing import Final

import pytest

from builder.build.hand_leftovers import Seen, end_marked, look

#: Becomes itself again and again, then something that lasts.
RESTLESS: Final = """#!/bin/sh
[ "$1" = 0 ] && exec sleep 1000
exec "$0" $(($1 - 1))
"""


def process(proc: Path, number: int, *, environ: bytes, size: int, at: tuple[int, int]) -> None:
    """Make what /proc has of a process, whose environment is at these addresses."""
    folder = proc / str(number)
    folder.mkdir()
    (folder / "environ").write_bytes(environ)
    words = ["0"] * 49
    words[0], words[20], words[47], words[48] = "S", str(size), str(at[0]), str(at[1])
    (folder / "stat").write_text(f"{number} (a ) b) {' '.join(words)}\n")


def test_one_in_the_middle_of_an_exec_is_not_clear(tmp_path: Path) -> None:
    """Neither the kernel's own, nor one without an environment, nor a dead one is that."""
    proc, own = tmp_path / "proc", tmp_path / "command-1"
    proc.mkdir()
    mark = f"A=1\0REMUDA_OUTPUT={own}/out/disk\0".encode()
    process(proc, 11, environ=mark, size=4096, at=(5, 9))
    process(proc, 12, environ=b"", size=4096, at=(0, 0))
    process(proc, 13, environ=b"", size=0, at=(0, 0))
    process(proc, 14, environ=b"", size=4096, at=(9, 9))
    process(proc, 15, environ=mark.replace(b"command-1", b"command-12"), size=1, at=(5, 9))
    process(proc, 17, environ=b"", size=4096, at=(5, 9))  # it was, when it was read
    process(proc, os.getpid(), environ=mark, size=4096, at=(5, 9))
    (proc / "16").mkdir()
    (proc / "self").mkdir()
    assert look(own, proc) == Seen(marked=frozenset({11}), beginning=frozenset({12, 17}))


@pytest.mark.parametrize("restless", range(20))
def test_one_that_becomes_another_all_the_time_is_ended(tmp_path: Path, restless: int) -> None:
    """Whenever it is looked at: else it would go on for good."""
    own, script = tmp_path / "command-1", tmp_path / "restless"
    script.write_text(RESTLESS)
    script.chmod(0o755)
    child = subprocess.Popen(
        [script, str(20 * restless)], env={"REMUDA_OUTPUT": f"{own}/out/disk", "PATH": "/usr/bin"}
    )
    try:
        assert end_marked(own) == 1
        assert child.wait(60.0) == -signal.SIGKILL
    finally:
        child.kill()
        child.wait()
