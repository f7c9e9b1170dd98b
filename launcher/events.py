"""What hands return: every action ends in exactly one event, whatever happened.

Only :class:`ScriptBegun` comes in between.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from launcher.actions import Action
from launcher.cloudview import Recipe
from launcher.policy import Key, Policy
from remuda.cloud.api import CloudError, FloatingIp, Port, Quota, Server
from remuda.frame.work import Finished, HandCrashed, Written
from remuda.membership.membership import Registered
from remuda.model.ids import NodeId, ServerId
from remuda.ssh.api import Proof, ProofStep
from remuda.store.api import Done, StoreError


@dataclass(frozen=True, slots=True, kw_only=True)
class IdsDrawn:
    """The counter of node ids was moved, or not."""

    result: tuple[Done, ...] | StoreError


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """The cloud answered a create call."""

    node: NodeId
    result: ServerId | CloudError
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """The cloud answered a listing.

    Attributes:
        begun_s: When it was begun (monotonic); *begun_wall_s*: the same by the wall clock, read
            then, for neither can be reckoned from the other later: one stands still while the host
            is suspended, the other is set.
    """

    number: int
    result: tuple[Server, ...] | CloudError
    begun_s: float
    begun_wall_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PortsFound:
    """The cloud answered a look at ports that was begun at *begun_s* (monotonic)."""

    result: Mapping[ServerId, Port] | CloudError
    begun_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """The cloud answered a delete call.

    Attributes:
        server: Which one was to go.
        error: Why it was refused, or its outcome is unknown.
        released: The server has no floating IP any more.
        mistaken: The cloud says that it is not this node's: nothing was done to it.
    """

    node: NodeId
    server: ServerId
    error: CloudError | None
    released: bool = False
    mistaken: bool = False

    @property
    def accepted(self) -> bool:
        """Whether the cloud took the call, or said that the server is gone."""
        return self.error is None and not self.mistaken


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakDeleted:
    """The cloud answered the deletion of a leaked server."""

    server: ServerId
    error: CloudError | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakSpared:
    """A server that seemed to be leaked was not touched: ZooKeeper, asked anew, says otherwise."""

    server: ServerId
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Surveyed:
    """What can be made, and how much room the account has; *error*: the cloud did not tell.

    Attributes:
        quota_why: Why the cloud did not tell its quota alone, or None.
        only: What was looked up, and the quota was not; None: everything.
    """

    begun_s: float
    recipes: Mapping[Key, Recipe] = field(default_factory=dict)
    broken: Mapping[Key, str] = field(default_factory=dict)
    quota: Quota | None = None
    quota_why: str | None = None
    ours: tuple[int, int, int] = (0, 0, 0)
    error: CloudError | None = None
    policy: Policy | None = None
    only: frozenset[Key] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressed:
    """A floating IP was given, or not."""

    node: NodeId
    result: FloatingIp | CloudError


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptBegun:
    """A proof has come as far as a script: the machine let us in. The proof itself goes on.

    Attributes:
        step: Setup or check.
        name: Of the script.
        at_s: Wall clock.
    """

    node: NodeId
    step: ProofStep
    name: str
    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Proved:
    """One attempt to prove a machine ended."""

    node: NodeId
    proof: Proof


@dataclass(frozen=True, slots=True, kw_only=True)
class Knocked:
    """A waiting node was looked at, not before *begun_s* (monotonic).

    Attributes:
        why: What is wrong with it; None: all is well.
    """

    node: NodeId
    why: str | None
    begun_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AutopsyDone:
    """The evidence of a failed launch is kept, as far as it could be had."""

    node: NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class Tidied:
    """A round of tidying ended.

    Attributes:
        seen: Leftovers of the cloud to be deleted if the next round still shows them.
        removed: Records removed from ZooKeeper.
        freed: Requests given back that were pending, but claimed by nobody.
        claimants: Providers that have claims on requests, living or not.
    """

    seen: frozenset[str]
    removed: int
    ports: int
    floating_ips: int
    freed: int = 0
    claimants: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescued:
    """The claims of a dead provider were given back; *again*: not all of them yet."""

    provider: str
    again: bool


Event = (
    Finished[Action, "Event"]
    | Written[Action]
    | IdsDrawn
    | Created
    | Listed
    | PortsFound
    | Deleted
    | LeakDeleted
    | LeakSpared
    | Surveyed
    | Addressed
    | ScriptBegun
    | Proved
    | Knocked
    | AutopsyDone
    | Rescued
    | Registered
    | Tidied
    | HandCrashed[Action]
)
