"""The worker threads: who has to wait for whom."""

import threading

import pytest

from launcher.actions import KINDS, LANES, Action
from launcher.events import Event
from launcher.lanes import LANE_SIZES, Lane
from launcher.node.actions import CollectEvidence, Probe, Prove
from launcher.node.events import EvidenceCollected
from launcher.provider.actions import Rescue, Survey
from launcher.server.actions import Address, CreateServer, DeleteServer, FindPorts, ListServers
from remuda.cloud.api import Port
from remuda.frame.workers import Workers
from remuda.metrics.results import Result
from remuda.model.ids import NodeId, ServerId
from remuda.runtime.inbox import Inbox

NODE, SERVER = NodeId("1"), ServerId("s")
EVIDENCE = CollectEvidence(node=NODE, result=Result.SSH, cause="no", until_s=1.0)
_SOON_S = 60.0


@pytest.mark.parametrize(
    ("slow", "quick"),
    [
        (Prove(node=NODE), Probe(node=NODE)),
        (CreateServer(node=NODE), ListServers(number=1)),
        (DeleteServer(node=NODE, server=SERVER), ListServers(number=1)),
        (Survey(), FindPorts(servers=())),
        (EVIDENCE, DeleteServer(node=NODE, server=SERVER)),
        (EVIDENCE, Rescue(provider="west")),
        (
            Address(node=NODE, port=Port(id="p", server=SERVER, ipv4="10.0.0.1"), untried=True),
            DeleteServer(node=NODE, server=SERVER),
        ),
    ],
    ids=[
        "knocks and proofs",
        "listings and creates",
        "listings and deletions",
        "ports and surveys",
        "deletions and evidence",
        "requests of a dead provider and evidence",
        "deletions and addresses",
    ],
)
def test_what_is_quick_does_not_wait_for_what_is_slow(slow: Action, quick: Action) -> None:
    """Though every thread for the slow is taken."""
    inbox: Inbox[Event] = Inbox()
    workers: Workers[Action, Event, Lane] = Workers(inbox, KINDS, LANE_SIZES)
    go_on, done = threading.Event(), threading.Event()

    def wait() -> Event:
        go_on.wait(_SOON_S)
        return EvidenceCollected(node=NODE)

    def note() -> Event:
        done.set()
        return EvidenceCollected(node=NODE)

    try:
        for _ in range(LANE_SIZES[LANES[type(slow)]]):
            workers.submit(slow, wait)
        workers.submit(quick, note)

        assert done.wait(_SOON_S / 2)
    finally:
        go_on.set()
        workers.stop()
