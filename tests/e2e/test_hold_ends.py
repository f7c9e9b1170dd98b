"""The end of a hold, with people on the machine and without: real logins, a real terminal."""

import json
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest

from launcher.hold.holding import END_LOOK_S
from remuda.model.ids import NodeId
from remuda.store import paths
from tests.e2e.test_holds import ends_in
from tests.support.stage import Doc, Stage, open_stage

pytestmark = [pytest.mark.e2e, pytest.mark.ssh, pytest.mark.zk]

COMMAND_S: Final = 240.0
WARNING: Final = "This machine is held for ci-1 and is deleted in"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Give a cloud with its launcher, which ends what nobody is on."""
    with open_stage(tmp_path_factory, "hold-ends") as made:
        made.cloud("a", system="minimal")
        made.label("job")
        made.provider("alpha", "a", labels={"job": {}})
        made.config["holds"] = {"extend": {"by": "1h"}, "idle-end": "10m", "warn-before": "1h"}
        made.launcher("alpha")
        yield made


def remuda(stage: Stage, *words: str) -> str:
    """Run a command that succeeds, as a person would; return what it says."""
    ran = subprocess.run(
        [sys.executable, "-m", "remuda", words[0], *at(stage), *words[1:]],
        capture_output=True,
        text=True,
        timeout=COMMAND_S,
        check=False,
        env=surroundings(),
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def at(stage: Stage) -> list[str]:
    """Return where ZooKeeper is, as commands are told."""
    return ["--zookeeper", ",".join(stage.hosts)]


def surroundings() -> dict[str, str]:
    """Return the environment of commands."""
    return {"REMUDA_REQUESTOR": "ci-1", "PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "TERM": "vt100"}


def kept(stage: Stage, for_s: str) -> str:
    """Take a machine, have it kept, and let it go; return its node."""
    node = remuda(stage, "request", "job", "--wait", "--detach", "--keep", "20m").split()[0]
    remuda(stage, "hold", node, "--reason", "red", "--for", for_s)
    remuda(stage, "release", node)
    stage.until(lambda: held(stage, node)["state"] == "hold", "the machine to be kept")
    return node


def held(stage: Stage, node: str) -> Doc:
    """Return what is told of a hold."""
    found: list[Any] = json.loads(remuda(stage, "holds", "--json"))
    return next((one for one in found if one["node"] == node), {"state": "gone"})


class Terminal:
    """Somebody's terminal, with what has come out of it so far."""

    def __init__(self, place: int) -> None:
        self._place, self.text = place, ""

    def wait(self, words: str) -> None:
        """Wait until *words* are on it."""
        until_s = time.monotonic() + COMMAND_S
        while words not in self.text:
            assert time.monotonic() < until_s, f"{words!r} is not in {self.text!r}"
            readable, _, _ = select.select([self._place], [], [], 1.0)
            if readable:
                self.text += os.read(self._place, 65536).decode(errors="replace")


@contextmanager
def logged_in(stage: Stage, node: str) -> Iterator[Terminal]:
    """Log in to a machine on a terminal, for the length of a block."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "remuda", "ssh", *at(stage), node]
    ssh = subprocess.Popen(
        [*command, "--identity", str(stage.key)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=surroundings(),
        start_new_session=True,
    )
    os.close(theirs)
    terminal = Terminal(ours)
    try:
        os.write(ours, b"echo i-am-$((40+2))\n")
        terminal.wait("i-am-42")
        yield terminal
    finally:
        ssh.terminate()
        ssh.wait(COMMAND_S)
        os.close(ours)


def test_who_is_logged_in_at_the_end_is_told_and_gets_more_time_once(stage: Stage) -> None:
    """On their terminal; the hold says who it was."""
    node = kept(stage, "2h")
    with logged_in(stage, node) as terminal:
        # So soon, once somebody is there, that the last look is due; and late enough for that look.
        before_s = ends_in(stage, node, END_LOOK_S - 1.0)
        terminal.wait(WARNING)
        more = stage.until(lambda: held(stage, node)["extended"], "the hold to be longer")
    (once,) = more
    assert once["ends_at_s"] == pytest.approx(before_s + 3600.0)
    assert "pts/" in once["by"]
    assert held(stage, node)["ends_at_s"] == once["ends_at_s"]
    remuda(stage, "release", node)
    stage.until(lambda: node not in stage.nodes(), "the machine to go")


def test_a_machine_on_which_nobody_is_ends_sooner(stage: Stage) -> None:
    """By a real look that finds nobody; that nobody was for long is told as a launcher tells it."""
    node = kept(stage, "8h")
    ends_s = held(stage, node)["ends_at_s"]
    long_ago = dict.fromkeys(("since_s", "seen_s", "idle_since_s"), time.time() - 3600.0)
    stage.rewrite(
        paths.launch("alpha", NodeId(node)),
        lambda doc: {**doc, "hold": {**doc["hold"], **long_ago}},
    )
    stage.until(lambda: node not in stage.nodes(), "the machine to go before its time")
    assert time.time() < ends_s
    ended = [one for process in stage.processes for one in process.events("hold.idle")]
    assert [(one["node"], "(holds: idle-end)" in one["cause"]) for one in ended] == [(node, True)]


def test_a_lock_that_somebody_has_forgotten_keeps_no_machine(stage: Stage) -> None:
    """By a client that lives, with the recipe that Zuul uses; its late release is no error."""
    node = kept(stage, "1h")
    lock = stage.zk.Lock(stage.chroot + paths.node_lock(NodeId(node)), "forgetful")
    assert lock.acquire(timeout=COMMAND_S)
    ends_s = ends_in(stage, node, 0.0)
    stage.until(lambda: node not in stage.nodes(), "the machine to go", 120.0)
    assert time.time() >= ends_s + 25.0
    assert stage.children(paths.NODES).count(node) == 0
    lock.release()
    assert stage.children(paths.NODES).count(node) == 0
