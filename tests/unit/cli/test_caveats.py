"""A tree without launchers says so, whatever is asked of it."""

import click
import pytest

from remuda.cli.caveats import NO_LAUNCHER
from remuda.cli.deleting import delete
from remuda.cli.explaining import explain
from remuda.cli.failures import failures
from remuda.cli.image.overview import list_images
from remuda.cli.overview import nodes, pools, requests, status
from remuda.model.node import NodeState
from remuda.model.status import Ruling
from requestor.commands.release import release
from requestor.commands.request import request
from requestor.commands.run import run
from requestor.commands.ssh import ssh
from tests.support.commands import CommandHarness

CALLS: list[tuple[click.Command, tuple[str, ...]]] = [
    (nodes, ()),
    (nodes, ("--json",)),
    (nodes, ("3000000042",)),
    (requests, ()),
    (pools, ()),
    (status, ()),
    (explain, ("200-0000000042",)),
    (failures, ()),
    (failures, ("3000000042",)),
    (list_images, ()),
    (delete, ("3000000042",)),
    (delete, ("3000000000",)),
    (release, ("3000000042",)),
    (release, ("200-0000000042",)),
    (ssh, ("3000000042",)),
    (request, ("small",)),
    (request, ("small", "--wait", "--max-wait", "0.1s")),
    (run, ("small", "--max-wait", "0.1s", "--", "x")),
]


@pytest.mark.parametrize(("command", "words"), CALLS, ids=lambda one: getattr(one, "name", None))
def test_it_is_said_once_and_only_if_so(command: click.Command, words: tuple[str, ...]) -> None:
    """On standard error; a list on standard output is as it was."""
    said = []
    for lonely in (True, False):
        harness = CommandHarness()
        harness.launcher.ready_node(state=NodeState.USED)
        if not lonely:
            harness.launcher.register("small")
        result = harness.call(command, *words)
        assert NO_LAUNCHER not in result.stdout
        said.append(result.stderr.count(NO_LAUNCHER))

    assert said == [1, 0]


def test_last_words_of_launchers_that_are_gone_are_not_all_that_is_said() -> None:
    """They mean less than that nobody is there."""
    harness = CommandHarness()
    made = harness.call(request, "small").stdout.strip()
    harness.launcher.say(made, Ruling.SERVING, "0 of 1 nodes are ready")
    alone = harness.call(explain, made).stdout
    harness.launcher.register("small")

    assert NO_LAUNCHER in alone
    assert NO_LAUNCHER not in harness.call(explain, made).stdout
