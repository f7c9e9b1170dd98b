"""The journal of a sandbox: the servers' lives, for whoever judges a run afterwards."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.running import running
from tests.sandbox.servers import active, gone
from tests.support.deadline import wait_for

pytestmark = pytest.mark.e2e


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_lives_of_servers_are_noted(tmp_path: Path) -> None:
    """Made, active, a deletion that was accepted, the end: in order, at this machine's time."""
    journal = tmp_path / "lives.journal"
    config = {"machines": "none", "delete_seconds": 0.2, "clock_offset": -3600}
    began_s = time.time()
    with running(tmp_path / "it", config, more=("--journal", str(journal))) as sandbox:
        cloud = sandbox.connect()
        sandbox.fault("delete_error", count=1)
        server = active(cloud, "life", metadata={"a": "b"})
        cloud.compute.delete_server(server)
        wait_for(lambda: _lines(journal)[-1]["event"] == "error", 60.0, "the delete to fail")
        cloud.compute.delete_server(server)
        gone(cloud, server)
    lines = _lines(journal)

    events = ["made", "active", "deleting", "error", "deleting", "deleted"]
    assert [one["event"] for one in lines] == events
    assert {one["server"] for one in lines} == {server.id}
    assert lines[0]["metadata"] == {"a": "b"}
    assert {(one["region"], one["name"]) for one in lines} == {("RegionOne", "life")}
    assert began_s <= lines[0]["at"] <= lines[-1]["at"] <= time.time()
