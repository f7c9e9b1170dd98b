"""What the brain remembers of a node; only its thread changes it."""

from dataclasses import dataclass, field
from typing import Final

from launcher.guest.tried import NO_KEYS, KeysView
from launcher.hold.view import Visit
from launcher.hostkey.view import HostKeyNews
from launcher.node.end import LIVING, End
from launcher.node.patience import Look, Patience
from launcher.node.proof import UNTRIED, ProofView
from launcher.policy import Key, plain
from launcher.server.address import NO_FLOATING_IP, AddressView
from launcher.server.view import ServerView
from remuda.model.guest import Guest
from remuda.model.ids import NodeId
from remuda.model.launch import Launch, Step
from remuda.model.node import Node, NodeState

#: Steps in which a machine is being made.
COMING_STEPS = frozenset({Step.PLANNED, Step.BOOTING, Step.PROVING})


#: What the users' record says, at the latest, in the transaction that condemns a node.
ENDED_STATES = frozenset({NodeState.USED, NodeState.DELETING, NodeState.DELETED})


#: What a hand may do to a free node without taking it out of the supply: to try its SSH port, to
#: take it over from a dead owner, and to hand it to a request whose claim counts as need until the
#: transaction is done.
PROBE, ALLOCATE_CLAIMED, ADOPT = "probe", "allocate claimed", "adopt"


ON_HAND = frozenset({PROBE, ALLOCATE_CLAIMED, ADOPT})


#: What keeps a dying node busy while its evidence is gathered.
EVIDENCE = "evidence"


@dataclass(frozen=True, slots=True, kw_only=True)
class LockView:
    """The lock directory of a node, as mirrored, and who holds or awaits the lock in it."""

    exists: bool = False
    contenders: frozenset[str] = frozenset()


#: Of most nodes.
UNLOCKED: Final = LockView()


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredWish:
    """The last wish for the capsule of a node that was answered, and when (monotonic)."""

    token: str = ""
    at_s: float = float("-inf")


#: Of most nodes.
UNANSWERED: Final = AnsweredWish()


@dataclass(slots=True, kw_only=True, eq=False)
class NodeView:
    """One node: its two records with their versions, and what only this process knows.

    Attributes:
        node_version: Of the shared record, readable or not; -1: there is none, as far as we know.
        node_gone: We know that there is none: it was deleted, or looked for in vain.
        stale: The shared record changed and is being read again.
        busy: A hand works on it: nothing else may start.
        spoiled: Its build was revoked, or withdrawn here.
        server: What we know of its server.
        address: And of the way to it.
        proof: How far it is proven while it is made.
        look: Whether it answered when it was ready.
        patience: How long it is left alone, and was kept waiting.
        end: What speaks against it, and how far its deletion has come.
        visit: What a look at a held machine has found, as long as its record does not say so.
        guest: Whom we have let in, or could not, as long as its record does not say so.
        told: Which wish for its capsule was answered last.
        keys: What was done with keys of its people, as long as its record does not say so.
        host_key: How far the change of its host key has come, as long as its record does not say
            so.
    """

    id: NodeId
    launch: Launch | None = None
    launch_version: int = -1
    node: Node | None = None
    node_version: int = -1
    node_gone: bool = False
    stale: bool = False
    spoiled: bool = False
    lock: LockView = UNLOCKED
    busy: str | None = None
    server: ServerView = field(default_factory=ServerView)
    address: AddressView = NO_FLOATING_IP
    proof: ProofView = UNTRIED
    look: Look = field(default_factory=Look)
    patience: Patience = field(default_factory=Patience)
    end: End = LIVING
    guest: Guest | None = None
    told: AnsweredWish = UNANSWERED
    keys: KeysView = NO_KEYS
    host_key: HostKeyNews | None = None
    visit: Visit | None = None

    @property
    def dying(self) -> bool:
        """Whether it is to be deleted until it is gone: nobody may have it any more."""
        return self.end.deletion is not None

    @property
    def locked(self) -> bool:
        """Whether somebody holds or awaits the node's lock."""
        return bool(self.lock.contenders)

    @property
    def unread(self) -> bool:
        """Whether we know nothing of the users' record, not even that there is none."""
        return self.node_version < 0 and not self.node_gone

    @property
    def key(self) -> tuple[str, str]:
        """Pool and label."""
        return ("", "") if self.launch is None else (self.launch.pool, self.launch.label)

    @property
    def looked_up(self) -> Key:
        """By which key what it is made of was looked up."""
        plainly = self.launch is not None and self.launch.first_use is not None
        return plain(self.key) if plainly else self.key

    @property
    def coming(self) -> bool:
        """Whether it is on the way to ready."""
        return (
            self.launch is not None
            and self.launch.step in COMING_STEPS
            and not (self.dying or self.server.doubtful)
            and self.node is not None
            and self.node.state is NodeState.BUILDING
        )

    @property
    def on_hand(self) -> bool:
        """Whether it is free and ready, though not to be handed out at this very moment.

        It counts as supply, or every look at a waiting machine, and every launcher that takes over
        from another, could have more made.
        """
        return (
            self.node is not None
            and self.launch is not None
            and self.node.free
            and (self.stale or self.busy in ON_HAND)
            and not (self.dying or self.lock.contenders)
        )

    @property
    def allocatable(self) -> bool:
        """Whether a request may have it right now."""
        return (
            self.node is not None
            and self.launch is not None
            and self.node.free
            and not (self.stale or self.busy or self.lock.contenders)
            and self.end.deletion is None
            and self.end.refused is None
            and not (self.look.suspect or self.spoiled)
            and not self.launch.keyless
        )
