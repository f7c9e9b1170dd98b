"""A job's machine, of which an image is made: vouched for, and entered with its launcher's help.

Its job owns it: it may let it go, end, or lock us out at any moment. All of that is the job's
business, and ends the capture with a sentence.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from builder.hands import blame
from builder.machine.hand_login_keys import LoginKey
from builder.machine.hand_vouch import forged, read_launch, refusal, shown
from builder.machine.held import HeldMachine
from remuda.cloud.api import Cloud
from remuda.cloud.whole import unfit
from remuda.insight.facts import facts_of
from remuda.model import node as node_record
from remuda.model.build import Blame
from remuda.model.capture import CaptureAsk, Captured, requestor_of
from remuda.model.codec import CorruptRecordError
from remuda.model.image import BuildId
from remuda.model.launch import Launch, Step
from remuda.model.node import Node, NodeState
from remuda.model.tags import Owner
from remuda.runtime.waiting import Waiting
from remuda.ssh.api import Login
from remuda.store import paths
from remuda.store.api import Store

#: So long a launcher has to let us in; it tries several times.
LET_IN_S: Final = 180.0
_LOOK_S: Final = 0.5
_STEP: Final = "machine"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobMachine:
    """The machine of a job, as our own configuration says that it is logged in to.

    Attributes:
        build: What is made of it.
        captured: Which machine, as the build says.
        cloud, owner: Where it runs, and who made it.
        secret: Whether secrets are told to it, to be looked for.
    """

    build: BuildId
    captured: Captured
    cloud: Cloud
    owner: Owner
    user: str
    port: int
    secret: bool = False

    def let_in(
        self, store: Store, key: LoginKey, waiting: Waiting, tell_key: Callable[[str], None]
    ) -> HeldMachine:
        """See :class:`Entered`."""
        return let_in(store, self, key, waiting, tell_key)


class Entered(Protocol):
    """A machine that is somebody's and runs, onto which its launcher lets us."""

    def let_in(
        self, store: Store, key: LoginKey, waiting: Waiting, tell_key: Callable[[str], None]
    ) -> HeldMachine:
        """See :meth:`builder.machine.hand_borrow.Machines.entered`."""


def let_in(
    store: Store,
    job: JobMachine,
    key: LoginKey,
    waiting: Waiting,
    tell_key: Callable[[str], None],
) -> HeldMachine:
    """See :class:`Entered`."""
    machine = job.captured
    launch = read_launch(store, job.owner.provider, machine.node)
    ask = _asked(job, launch)
    held = _Held(store, machine, ask)
    node = held.read()
    if why := forged(launch, facts_of(node)):
        raise refusal(machine.node, why)
    if requestor_of(node) != machine.requestor:
        raise refusal(machine.node, "is another requestor's by now")
    if launch.host_key is None and job.secret:
        message = "secrets are told only to machines whose host key is known: use host-keys: inject"
        raise blame.fail(_STEP, Blame.RECIPE, message)
    door = Door(
        cloud=job.cloud,
        owner=job.owner,
        user=job.user,
        port=job.port,
        launch=launch,
        node=node,
        check=held.check,
    )
    return enter(store, door, key, waiting, tell_key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """How a machine is entered that is somebody else's.

    Attributes:
        cloud, owner: Where it runs, and who made it.
        check: Raises MishapError if whose it is has let it go.
    """

    cloud: Cloud
    owner: Owner
    user: str
    port: int
    launch: Launch
    node: Node
    check: Callable[[], None]


def enter(
    store: Store,
    door: Door,
    key: LoginKey,
    waiting: Waiting,
    tell_key: Callable[[str], None],
) -> HeldMachine:
    """Have a machine's launcher let us in, once its cloud vouches for it; raises as `entered`."""
    launch, node = door.launch, door.node
    address = launch.address or facts_of(node).address or ""
    server = shown(door.cloud, door.owner, launch, address, waiting)
    if (against := unfit(server)) is not None:
        raise blame.fail(_STEP, Blame.JOB, f"node {node.id}: {against}")
    tell_key(key.public)
    _await_guest(store, door, key, waiting)
    keys = launch.believed_keys or facts_of(node).host_keys
    login = Login(
        address=address,
        port=door.port,
        user=door.user,
        key_file=str(key.file),
        host_keys=keys,
    )
    return HeldMachine(
        node=node.id,
        server=server.id,
        host=server.host_id,
        login=login,
        login_key=key.public,
        check=door.check,
    )


def _asked(job: JobMachine, launch: Launch) -> CaptureAsk:
    """Return what the holder asks, as the launcher has taken it; only launchers write that."""
    machine, capture = job.captured, launch.capture
    if launch.step is not Step.DONE:
        raise gone(machine, "is being deleted")
    if (launch.pool, launch.label) != (machine.pool, machine.label):
        raise refusal(machine.node, "was made as something else")
    if capture is None or capture.refused is not None or capture.ask.token != machine.token:
        raise refusal(machine.node, "was not given for this by its launcher")
    if capture.ask.image != job.build.image or capture.build not in {None, job.build}:
        raise refusal(machine.node, f"is to become another build than {job.build}")
    return capture.ask


def gone(machine: Captured, why: str) -> blame.MishapError:
    """Return the error to raise when a machine is not its job's any more."""
    return blame.fail(_STEP, Blame.JOB, f"node {machine.node} {why}")


@dataclass(frozen=True, slots=True)
class _Held:
    """Whether who asked holds the machine still: by its lock, and by its record.

    What it asks is what its launcher has taken; what its record asks since is for the launcher to
    answer, and spoils nothing that is under way.
    """

    store: Store
    machine: Captured
    ask: CaptureAsk

    def check(self) -> None:
        """See :class:`builder.machine.held.HeldMachine`."""
        self.read()

    def read(self) -> Node:
        """Return the record of the node.

        Raises:
            MishapError: The machine is not held any more by who asked.
            StoreError: ZooKeeper does not say.
        """
        node_id = self.machine.node
        lock = f"{paths.node_lock(node_id)}/{self.ask.contender}"
        stored, contender = self.store.read_many([paths.node(node_id), lock])
        if stored is None:
            raise gone(self.machine, "is gone")
        try:
            node = node_record.decode(node_id, stored.value)
        except CorruptRecordError as exc:
            raise refusal(node_id, f"has a record that cannot be read: {exc.why}") from exc
        if node.state is not NodeState.IN_USE:
            raise gone(self.machine, f"was given back while it was captured (it is {node.state})")
        if contender is None:
            raise gone(self.machine, "was lost by its job: the session that held it is over")
        launch = read_launch(self.store, self.machine.provider, node_id)
        if launch.capture is None or launch.capture.ask != self.ask:
            raise gone(self.machine, "has another order by now")
        return node


def _await_guest(store: Store, door: Door, key: LoginKey, waiting: Waiting) -> None:
    """Wait until the launcher says that our key is on the machine, or why it is not."""
    provider, node = door.owner.provider, door.launch.id

    def look() -> bool | None:
        guest = read_launch(store, provider, node).guest
        if guest is None or guest.key != key.public:
            door.check()
            return None
        if guest.refused is not None:
            raise blame.fail("login", Blame.JOB, f"node {node}: {guest.refused}")
        return True

    ends_s = waiting.clock.monotonic_s() + LET_IN_S
    overdue = f"no launcher of {provider} let us onto node {node} in {LET_IN_S:g} s"
    waiting.until(look, ends_s=ends_s, every_s=_LOOK_S, overdue=overdue)
