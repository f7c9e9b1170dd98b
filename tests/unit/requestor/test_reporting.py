"""Saying how the work on a node went: under its lock only, and not twice by a lost reply."""

import threading
from typing import Any

import pytest

from remuda.archive.writer import Archived
from remuda.model import node as node_record
from remuda.model.archivetold import ArchiveTold
from remuda.model.ids import NodeId
from remuda.model.jobreport import JobReport, report_of
from remuda.model.node import NodeState
from remuda.store import paths
from remuda.store.api import Delete, Set
from requestor.errors import NodesLostError, RequestorError
from requestor.nodes import LeaseState
from requestor.nodeset import NodeSet
from tests.unit.requestor.conftest import Bench


def taken(bench: Bench, *labels: str) -> NodeSet:
    """Return nodes that are ours."""
    pending = bench.client.request(list(labels or ("small",)))
    bench.launcher.lend(pending.id)
    return pending.accept()


def said(bench: Bench, node_id: NodeId) -> JobReport | None:
    """Return what the record of a node says."""
    return report_of(bench.launcher.read_node(node_id))


def test_a_report_is_in_the_record_at_once_and_stays(bench: Bench) -> None:
    """Of this node alone; given back it is used, and the report is still there."""
    nodes = taken(bench, "small", "big")
    bench.client.report(nodes[0], ok=False, why="exit code 2")

    report = said(bench, nodes[0].id)
    assert report is not None
    assert (report.ok, report.why, report.at_s > 0) == (False, "exit code 2", True)
    assert bench.launcher.read_node(nodes[0].id).state is NodeState.IN_USE
    nodes.release()
    assert bench.launcher.read_node(nodes[0].id).state is NodeState.USED
    assert said(bench, nodes[0].id) == report
    assert said(bench, nodes[1].id) is None


def test_what_became_of_an_archive_is_told_in_numbers(bench: Bench) -> None:
    """Whoever may read the record gets neither its place nor the address that opens it."""
    (node,) = taken(bench)
    done = Archived(
        url="https://x/?temp_url_sig=7",
        place="c:x",
        files=3,
        bytes=9,
        failed=1,
        left_out=2,
        why="w",
    )
    node.report(ok=True)
    bench.client.report(node, ok=True, archived=done)

    report = said(bench, node.id)
    assert report is not None
    assert report.archived == ArchiveTold(files=3, bytes=9, failed=1, complete=False)
    assert "temp_url_sig" not in str(bench.launcher.read_node(node.id).doc)


def test_a_held_node_keeps_its_report(bench: Bench) -> None:
    """It is held because of that, mostly."""
    (node,) = taken(bench)
    node.report(ok=False, why="it hangs")
    node.hold("to look", owner="ada")

    assert bench.launcher.read_node(node.id).state is NodeState.HOLD
    assert said(bench, node.id) is not None


def test_what_is_said_again_replaces_it(bench: Bench) -> None:
    """And a record that somebody wrote to meanwhile keeps what he wrote."""
    (node,) = taken(bench)
    node.report(ok=True)
    record = bench.launcher.read_node(node.id)
    _write(bench, node.id, comment="seen")
    node.report(ok=False, why="after all")

    report = said(bench, node.id)
    assert report is not None
    assert not report.ok
    assert bench.launcher.read_node(node.id).doc["comment"] == "seen"
    assert record.doc["comment"] != "seen"


@pytest.mark.parametrize("when", ["away_before_next_commit", "away_after_next_commit"])
def test_a_lost_reply_is_no_second_report(bench: Bench, when: str) -> None:
    """It is written once, whether it had happened or not."""
    (node,) = taken(bench)
    before = node.taken.version
    getattr(bench.store, when)()
    node.report(ok=True)

    assert said(bench, node.id) is not None
    stored = bench.store.read(paths.node(node.id))
    assert stored is not None
    assert stored.version == node.taken.version == before + 1
    node.release()
    assert bench.launcher.read_node(node.id).state is NodeState.USED


def test_who_has_lost_the_node_reports_nothing(bench: Bench) -> None:
    """With the session, or because somebody took it away; nor is anything said after the end."""
    (lost,) = taken(bench)
    bench.store.commit([Delete(path=lost.taken.contender)])
    with pytest.raises(NodesLostError):
        lost.report(ok=True)
    assert said(bench, lost.id) is None

    (doomed,) = taken(bench)
    bench.launcher.set_state(doomed.id, NodeState.DELETING)
    with pytest.raises(RequestorError, match="is deleting, and ours no more"):
        doomed.report(ok=True)

    (over,) = taken(bench)
    over.release()
    with pytest.raises(RequestorError, match="is returned"):
        over.report(ok=True)
    assert over.state is LeaseState.RETURNED


@pytest.mark.parametrize("record", [b"[", b""])
def test_a_record_that_cannot_be_read_is_said(bench: Bench, record: bytes) -> None:
    """In a sentence."""
    (node,) = taken(bench)
    bench.store.commit([Set(path=paths.node(node.id), data=record, version=-1)])

    with pytest.raises(RequestorError, match="is broken"):
        node.report(ok=True)


def _write(bench: Bench, node_id: NodeId, **fields: Any) -> None:
    """Write to the record of a node, as somebody else."""
    node = bench.launcher.read_node(node_id).with_fields(**fields)
    bench.store.commit([Set(path=paths.node(node_id), data=node_record.encode(node), version=-1)])


def test_the_end_of_the_session_is_heard_while_a_report_is_waited_for(bench: Bench) -> None:
    """The store's thread tells it, and must not stand still behind what waits for ZooKeeper."""
    (node,) = taken(bench)
    bench.store.suspend()
    marked = threading.Event()

    def lose() -> None:
        node.mark(LeaseState.LOST)
        marked.set()

    with node._writing:  # as who waits for an answer has it
        thread = threading.Thread(target=lose)
        thread.start()
        assert marked.wait(60.0)
    thread.join()
    assert node.state is LeaseState.LOST
