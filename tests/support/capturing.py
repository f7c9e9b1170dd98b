"""A launcher and a builder that answer whoever asks for an image of a machine, step by step."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from remuda.model import launch as launches
from remuda.model.build import Blame, Build, BuildState, Mishap, Why, encode_build
from remuda.model.builderstatus import BuilderStatus, encode_builder
from remuda.model.capture import Capture, CaptureAsk, ask_of
from remuda.model.component import Replica
from remuda.model.ids import NodeId, ReplicaId
from remuda.model.image import BuildId
from remuda.model.launch import Launch, Step
from remuda.store import paths
from remuda.store.api import Create, Op, Set
from tests.fakes.store import FakeStore
from tests.support.standin import StandIn

BUILD: Final = BuildId("oneiric", 3)
STOPPED: Final = "; its machine is stopped by that"
PLACE: Final = "a" * 12
FAILED: Final = Mishap(step="checks-before", blame=Blame.RECIPE, message="it is not whole")
Step_ = Callable[["Answering"], object]


def build(state: BuildState, **fields: Any) -> Build:
    """Return the build."""
    first = Build(
        id=BUILD, state=state, why=Why.CAPTURE, requested_s=1.0, since_s=1.0, group=("alpha",)
    )
    return replace(first, **fields)


class Answering:
    """A launcher and a builder that go one step on each time that somebody looks at the launch.

    Attributes:
        steps: What they do, in order.
    """

    def __init__(self, launcher: StandIn, *steps: Step_) -> None:
        self.launcher, self.store, self.steps = launcher, launcher.store, list(steps)
        self.node = NodeId("")

    def watch(self, store: FakeStore) -> None:
        """Go on whenever *store* reads a launch of a node for which something is asked."""
        read = store.read

        def looked(path: str) -> Any:
            if path.startswith(f"{paths.launches('alpha')}/") and self.steps:
                self.node = NodeId(path.rpartition("/")[2])
                if ask_of(self.launcher.read_node(self.node)) is None:
                    return read(path)
                self.steps.pop(0)(self)
            return read(path)

        store.read = looked  # type: ignore[method-assign]

    def put(self, path: str, data: bytes) -> None:
        """Write a record."""
        there = self.store.read(path)
        lives = path.startswith(f"{paths.BUILDERS}/")
        op: Op = Create(path=path, data=data, ephemeral=lives)
        if there is not None:
            op = Set(path=path, data=data, version=there.version)
        self.store.ensure(path.rpartition("/")[0])
        self.store.commit([op])

    @property
    def ask(self) -> CaptureAsk:
        """What the node's record asks."""
        found = ask_of(self.launcher.read_node(self.node))
        assert found is not None
        return found

    def launch(self, **fields: Any) -> None:
        """Write the launch, with what is said of the ask."""
        said = None if "nothing" in fields else Capture(ask=self.ask, requestor="x", **fields)
        one = Launch(
            id=self.node,
            pool="main",
            label="small",
            step=Step.DONE,
            owner=ReplicaId("r"),
            planned_s=1.0,
            asked_by_s=1.0,
            capture=said,
        )
        self.put(paths.launch("alpha", self.node), launches.encode(one))

    def build(self, state: BuildState, **fields: Any) -> None:
        """Write the build, and name it."""
        self.launch(build=BUILD)
        self.put(paths.build(BUILD), encode_build(build(state, **fields)))


def nothing(one: Answering) -> None:
    """Have a launch, and no answer."""
    one.launch(nothing=True)


def take(one: Answering) -> None:
    """Take it."""
    one.launch()


def refuse(one: Answering) -> None:
    """Refuse it."""
    one.launch(refused="label small is none of those")


def begin(one: Answering) -> None:
    """Begin it."""
    one.build(BuildState.REQUESTED)


def make(one: Answering) -> None:
    """Make it."""
    one.build(BuildState.BUILDING, owner=ReplicaId("b1"))


def say(one: Answering, **fields: Any) -> None:
    """Have a builder that says something."""
    said: dict[str, Any] = {"providers": {"oneiric": ("alpha",)}, **fields}
    replica = Replica(id=ReplicaId("b1"), hostname="h", pid=7, version="1", started_s=5.0)
    status = BuilderStatus(replica=replica, **said)
    one.put(paths.builder(replica.id), encode_builder(status))


def keep(one: Answering) -> None:
    """Have a snapshot."""
    one.build(BuildState.BUILT, quieted_s=2.0)


def fail(one: Answering) -> None:
    """Have it fail."""
    one.build(BuildState.FAILED, mishap=FAILED)
