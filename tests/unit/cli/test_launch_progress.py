"""What people see of machines in the making: the step, since when, and the last answer."""

import time
from typing import Any

import pytest

from remuda.cli.explaining import explain
from remuda.cli.overview import nodes
from remuda.cli.views.launch_progress import launch_progress_text
from remuda.insight.launch_progress import progress_of
from remuda.model.ids import NodeId, ReplicaId
from remuda.model.launch import Launch, Step
from remuda.model.node import NodeState
from remuda.model.status import Ruling
from remuda.store import paths
from remuda.store.api import Create
from requestor.commands.request import request
from tests.support.commands import CommandHarness

NOW_S = 1_700_000_000.0


def launch(step: Step, **fields: Any) -> Launch:
    """Return a launch that was planned ten minutes ago."""
    return Launch(
        **{
            "id": NodeId("3000000001"),
            "pool": "main",
            "label": "small",
            "step": step,
            "owner": ReplicaId("r1"),
            "planned_s": NOW_S - 600.0,
            "asked_by_s": NOW_S,
            **fields,
        }
    )


def proving(part: str, words: str | None = None) -> Launch:
    """Return a launch that is waited for since four minutes."""
    return launch(
        Step.PROVING,
        active_s=NOW_S - 300.0,
        proof_step=part,
        proof_since_s=NOW_S - 240.0,
        proof_words=words,
    )


@pytest.mark.parametrize(
    ("one", "text"),
    [
        (launch(Step.PLANNED), "planned for 10m"),
        (launch(Step.BOOTING), "booting for 10m"),
        (launch(Step.PROVING, active_s=NOW_S - 3.0), "proving for 3s"),
        (launch(Step.PROVING), "proving for 10m"),
        (proving("connect"), "proving: no answer on port 22 for 4m"),
        (
            proving("connect", "Connection refused"),
            "proving: no answer on port 22 for 4m (Connection refused)",
        ),
        (proving("address", "none left"), "proving: no floating IP for 4m (none left)"),
        (proving("host-key", "x"), "proving: not the right host key for 4m (x)"),
        (proving("login", "x"), "proving: no login for 4m (x)"),
        (proving("setup", "setup"), "proving: setup runs for 4m"),
        (proving("check", "clock"), "proving: check clock runs for 4m"),
        (proving("of a later version"), "proving: of a later version for 4m"),
    ],
)
def test_every_step_has_words(one: Launch, text: str) -> None:
    """Those of a version to come as well."""
    made = progress_of("alpha", one)

    assert made is not None
    assert launch_progress_text(made, NOW_S) == text


@pytest.mark.parametrize("step", [Step.DONE, Step.CONDEMNED])
def test_nothing_is_made_of_what_is_over(step: Step) -> None:
    """Its record may still tell of it."""
    assert progress_of("alpha", launch(step, proof_step="connect")) is None


@pytest.fixture
def slow(harness: CommandHarness) -> tuple[str, NodeId]:
    """Write a request and a machine that is made for it, and does not answer."""
    made = harness.call(request, "small").stdout.strip()
    harness.launcher.register("small")
    harness.launcher.claim(made)
    harness.launcher.say(made, Ruling.SERVING, "0 of 1 nodes are ready", at_s=time.time())
    node = harness.launcher.ready_node("small", state=NodeState.BUILDING, connection_port=2222)
    begun_s = time.time() - 240.0
    harness.launcher.put_launch(
        node,
        made,
        step=Step.PROVING,
        proof_step="connect",
        proof_since_s=begun_s,
        proof_words="no TCP connection within 5 s",
    )
    return made, node


def test_nodes_show_what_a_machine_is_waited_for(
    harness: CommandHarness, slow: tuple[str, NodeId]
) -> None:
    """In the table and in JSON."""
    harness.launcher.ready_node("small")

    building, ready = harness.json(nodes)

    assert "proving: no answer on port 2222 for " in harness.call(nodes).stdout
    assert ready["making"] is None
    assert building["making"].pop("began_at_s") < time.time() - 239
    assert building["making"] == {
        "node": slow[1],
        "provider": "alpha",
        "step": "proving",
        "part": "connect",
        "words": "no TCP connection within 5 s",
    }


def test_explain_shows_it_too(harness: CommandHarness, slow: tuple[str, NodeId]) -> None:
    """Of the machines that are made for the request, and of no others."""
    made, node = slow
    other = harness.launcher.ready_node("small", state=NodeState.BUILDING)
    harness.launcher.put_launch(other, made, step=Step.BOOTING, for_request=None)

    text = harness.call(explain, made).stdout

    assert f"node {node} in alpha, proving: no answer on port 2222 for " in text
    assert [one["node"] for one in harness.json(explain, made)["making"]] == [node]
    assert other not in text


def test_a_launch_that_cannot_be_read_hides_nothing_else(
    harness: CommandHarness, slow: tuple[str, NodeId]
) -> None:
    """A record is anybody's."""
    path = paths.launch("alpha", NodeId("3999999999"))
    harness.launcher.store.commit([Create(path=path, data=b"nonsense")])

    assert "no answer on port 2222" in harness.call(nodes).stdout
    assert "no answer on port 2222" in harness.call(explain, slow[0]).stdout


def test_a_time_that_is_over_is_not_told(harness: CommandHarness) -> None:
    """That nodes are expected in no time at all helps nobody."""
    made = harness.call(request, "small").stdout.strip()
    harness.launcher.register("small")
    at_s = time.time() - 60.0
    harness.launcher.say(made, Ruling.SERVING, "later", eta_s=30.0, at_s=at_s)

    text = harness.call(explain, made).stdout

    assert "its nodes are expected" not in text
    assert harness.json(explain, made)["eta_s"] is None


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/remuda/providers", True),
        ("/remuda/providers/alpha", True),
        ("/remuda/providers/alpha/launches", True),
        ("/remuda/providers/alpha/launches/3000000001", True),
        ("/remuda/providers/alpha/launchesx", False),
        ("/remuda/providers/alpha/claims", False),
        ("/remuda/providers/alpha/verdicts/200-1", False),
    ],
)
def test_who_watches_nodes_reads_launches_and_nothing_else_of_a_provider(
    path: str,
    wanted: bool,  # noqa: FBT001
) -> None:
    """Failures with their consoles are large."""
    assert paths.leads_to_launches(path) is wanted
