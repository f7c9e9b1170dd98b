"""What must never happen with captures: the oracle's part of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from remuda.model.build import Build, BuildState
from remuda.model.capture import Capture
from remuda.model.ids import NodeId
from remuda.model.image import BuildId
from remuda.model.launch import Launch
from remuda.model.node import NodeState
from remuda.store import paths
from remuda.store.locks import holder
from tests.simulation.history import History
from tests.simulation.imagesetting import may_capture
from tests.simulation.records import Records


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a requestor has asked.

    Attributes:
        session: Of ZooKeeper, in which it did.
        who: The name that it gave itself when it asked for the node.
    """

    node: NodeId
    image: str
    session: int
    who: str


@dataclass(slots=True)
class CaptureRules:
    """Watches captures.

    Attributes:
        asked: By token.
        taken: The tokens that launchers have taken.
        begun: Which build was begun for which node and token.
        quieted: Of which nodes the machines are not what their jobs made of them any more, and for
            which token.
        pictures: Snapshots by token.
    """

    records: Records
    history: History
    asked: dict[str, Asked] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    begun: dict[tuple[NodeId, str], BuildId] = field(default_factory=dict)
    quieted: dict[NodeId, str] = field(default_factory=dict)
    pictures: dict[str, str] = field(default_factory=dict)
    _guests: dict[str, NodeId] = field(default_factory=dict)

    # What launchers write.

    def launch_written(self, launch: Launch) -> None:
        """Judge what a launch says of a capture and of a guest."""
        capture, guest = launch.capture, launch.guest
        if capture is not None and capture.refused is None:
            self._judge_taken(launch, capture)
        if guest is not None and self._guests.get(guest.key) != launch.id:
            self.history.fail(f"capture: {launch.id} was opened to {guest.key[-8:]}, nobody's key")

    def _judge_taken(self, launch: Launch, capture: Capture) -> None:
        token = capture.ask.token
        if token in self.taken:
            return
        self.taken.add(token)
        asked = self.asked.get(token)
        if asked is None or (asked.node, asked.image) != (launch.id, capture.ask.image):
            self.history.fail(f"capture: {launch.id} is captured, and nobody has asked for that")
            return
        if not self._holds(asked, capture.ask.contender):
            self.history.fail(f"capture: {asked.who} has {launch.id} captured, which it has not")
        if not may_capture(asked.image, launch.label, asked.who):
            self.history.fail(f"capture: {asked.who} may not capture {launch.label} {launch.id}")
        if launch.id in self.quieted:
            self.history.fail(f"capture: {launch.id} is captured once more, though it was quieted")

    def _holds(self, asked: Asked, contender: str) -> bool:
        """Whether who asked holds the lock of the node at this moment."""
        assert self.records.zookeeper is not None
        lock = paths.node_lock(asked.node)
        there = self.records.zookeeper.tree.get(f"{lock}/{contender}")
        mine = there is not None and there.stat.owner == asked.session
        return mine and holder(self.records.names(lock)) == contender

    # What builders write.

    def build_written(self, build: Build) -> None:
        """Judge a build that is made of a machine: one for each ask, and for a taken one only."""
        machine = build.captured
        if machine is None:
            return
        first = self.begun.setdefault((machine.node, machine.token), build.id)
        if first != build.id:
            self.history.fail(f"capture: {build.id} is made of what {first} is made of")
        if machine.token not in self.taken:
            self.history.fail(f"capture: {build.id} is made of {machine.node}, which was not given")
        if build.login_key is not None and build.state is BuildState.BUILDING:
            self._guests[build.login_key] = machine.node

    # What builders do to machines.

    def quiets(self, build: Build) -> None:
        """Judge the moment at which a machine is changed for good: it is still who asked's."""
        machine = build.captured
        assert machine is not None
        asked, node = self.asked[machine.token], self.records.node(machine.node)
        launch = self.records.launch(machine.provider, machine.node)
        capture = None if launch is None else launch.capture
        if node is None or node.state is not NodeState.IN_USE or capture is None:
            self.history.fail(f"capture: {machine.node} is quieted, and in nobody's use")
        elif not self._holds(asked, capture.ask.contender):
            self.history.fail(f"capture: {machine.node} is quieted under another's lock")
        elif build.quieted_s is None:
            self.history.fail(f"capture: {machine.node} is quieted, and that is not on record")
        if machine.node in self.quieted:
            self.history.fail(f"capture: {machine.node} is quieted twice")
        self.quieted[machine.node] = machine.token

    def pictured(self, build: Build, image_id: str) -> None:
        """Judge a snapshot: one of each ask."""
        assert build.captured is not None
        first = self.pictures.setdefault(build.captured.token, image_id)
        if first != image_id:
            self.history.fail(f"capture: {build.id} is a second image of one ask")

    # What users get.

    def handed_out(self, nodes: Sequence[NodeId]) -> None:
        """Judge the nodes of a request that is fulfilled: none of them was captured."""
        for node in nodes:
            if node in self.quieted:
                self.history.fail(f"capture: {node} was captured, and is handed out")
