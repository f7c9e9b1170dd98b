"""The crew: who has to wait for whom."""

import threading

import pytest

from launcher.actions import Action, Address, Create, Delete, Knock, ListServers, Prove
from launcher.events import AutopsyDone, Event
from launcher.hands.crew import CREATE_THREADS, SSH_THREADS, Crew
from remuda.cloud.api import Port
from remuda.model.ids import NodeId, ServerId
from remuda.runtime.inbox import Inbox

NODE, SERVER = NodeId("1"), ServerId("s")
_SOON_S = 10.0


@pytest.mark.parametrize(
    ("slow", "threads", "quick"),
    [
        (Prove(node=NODE), SSH_THREADS, Knock(node=NODE)),
        (Create(node=NODE), CREATE_THREADS, ListServers(number=1)),
        (
            Address(node=NODE, port=Port(id="p", server=SERVER, ipv4="10.0.0.1"), untried=True),
            CREATE_THREADS,
            Delete(node=NODE, server=SERVER),
        ),
    ],
    ids=["knocks and proofs", "listings and creates", "deletions and addresses"],
)
def test_what_is_quick_does_not_wait_for_what_is_slow(
    slow: Action, threads: int, quick: Action
) -> None:
    """Though every thread for the slow is taken."""
    crew, go_on, done = Crew(inbox=Inbox()), threading.Event(), threading.Event()

    def wait() -> Event:
        go_on.wait(_SOON_S)
        return AutopsyDone(node=NODE)

    def note() -> Event:
        done.set()
        return AutopsyDone(node=NODE)

    submit = crew.on_ssh if isinstance(quick, Knock) else crew.on_cloud
    try:
        for _ in range(threads):
            submit(slow, wait)
        submit(quick, note)

        assert done.wait(_SOON_S / 2)
    finally:
        go_on.set()
        crew.stop()
