"""The commands as real processes: signals, streams, parents that die."""

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from remuda.model.node import NodeState
from remuda.model.request import RequestState
from remuda.store import paths
from tests.contract.requestor.conftest import DEADLINE_S, Bench
from tests.support.deadline import wait_for

pytestmark = [pytest.mark.zk, pytest.mark.slow]

ROOT = Path(__file__).parents[3]
START = "import sys; from requestor.commands.{0} import {0}; {0}(sys.argv[1:], prog_name='x')"


def start(bench: Bench, command: str, *words: str, **more: object) -> subprocess.Popen[str]:
    """Start a command of the requestor in a process of its own."""
    return subprocess.Popen(  # type: ignore[call-overload, no-any-return]
        [sys.executable, "-c", START.format(command), "--zookeeper", bench.hosts, *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **more,
    )


def lend_the_request(bench: Bench) -> str:
    """Wait for the only request, fulfil it, and return the id of its node."""
    wait_for(lambda: bench.launcher.store.children(paths.REQUESTS), DEADLINE_S, "the request")
    (node_id,) = bench.launcher.lend(bench.launcher.the_request().id)
    return node_id


def state_of(bench: Bench, node_id: str) -> NodeState:
    """Return a node's state."""
    return bench.launcher.read_node(node_id).state


def kept(bench: Bench, *words: str, **more: object) -> tuple[subprocess.Popen[str], str]:
    """Start `remuda request --wait` and return it when it has told of its node."""
    process = start(bench, "request", "small", "--wait", "--json", *words, **more)
    node_id = lend_the_request(bench)
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["id"] == node_id
    return process, node_id


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_signals_give_kept_nodes_back(bench: Bench, number: signal.Signals, code: int) -> None:
    """Before the process ends."""
    process, node_id = kept(bench, stdin=subprocess.DEVNULL)
    assert state_of(bench, node_id) is NodeState.IN_USE
    process.send_signal(number)
    process.communicate(timeout=DEADLINE_S)

    assert process.returncode == code
    assert state_of(bench, node_id) is NodeState.USED
    assert bench.launcher.locks(node_id) == ()


def test_a_signal_while_waiting_cancels_the_request(bench: Bench) -> None:
    """Nobody is left to take the nodes."""
    process = start(bench, "run", "small", "--", "true", stdin=subprocess.DEVNULL)
    wait_for(lambda: bench.launcher.store.children(paths.REQUESTS), DEADLINE_S, "the request")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=DEADLINE_S)

    assert process.returncode == 130
    assert bench.launcher.store.children(paths.REQUESTS) == ()


def test_the_end_of_input_gives_kept_nodes_back(bench: Bench) -> None:
    """A script holds the other end of the pipe."""
    process, node_id = kept(bench, stdin=subprocess.PIPE)
    process.communicate(timeout=DEADLINE_S)

    assert process.returncode == 0
    assert state_of(bench, node_id) is NodeState.USED


def test_released_nodes_are_unlocked_by_who_keeps_them(bench: Bench) -> None:
    """`remuda release` marks; the keeper notices, unlocks and ends."""
    process, node_id = kept(bench, stdin=subprocess.DEVNULL)
    released = start(bench, "release", node_id)
    assert released.wait(DEADLINE_S) == 0
    process.communicate(timeout=DEADLINE_S)

    assert process.returncode == 0
    assert state_of(bench, node_id) is NodeState.USED
    assert bench.launcher.locks(node_id) == ()


def test_kill_9_leaves_the_node_to_the_launcher(bench: Bench) -> None:
    """The session ends with the process; in use and unlocked means: delete."""
    process, node_id = kept(bench, stdin=subprocess.DEVNULL)
    process.kill()
    process.communicate(timeout=DEADLINE_S)
    wait_for(lambda: bench.launcher.locks(node_id) == (), DEADLINE_S, "the end of the session")

    assert state_of(bench, node_id) is NodeState.IN_USE


def test_detached_nodes_outlive_the_command_but_not_the_script(bench: Bench) -> None:
    """The command ends at once; the nodes are kept as long as the given process lives."""
    script = subprocess.Popen(["/bin/sleep", "600"])
    command = [sys.executable, "-m", "remuda", "request", "small", "--wait", "--detach"]
    command += ["--until-pid", str(script.pid), "--zookeeper", bench.hosts]
    lender = threading.Thread(target=lend_the_request, args=(bench,))
    lender.start()
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        lender.join(DEADLINE_S)
        assert done.returncode == 0, done.stderr
        node_id = done.stdout.split()[0]
        assert state_of(bench, node_id) is NodeState.IN_USE
    finally:
        script.kill()
        script.wait()
    wait_for(lambda: state_of(bench, node_id) is NodeState.USED, DEADLINE_S, "the giving back")


def test_a_request_that_was_left_is_still_there(bench: Bench) -> None:
    """Without --wait the request is persistent."""
    process = start(bench, "request", "small")
    out, _ = process.communicate(timeout=DEADLINE_S)

    assert bench.launcher.read_request(out.strip()).state is RequestState.REQUESTED
