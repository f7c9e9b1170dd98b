"""What we know of the cloud: the last listing, what orders resolve to, its quota, its trouble."""

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from launcher.actions import Action
from launcher.lanes import LISTING
from launcher.policy import Key
from launcher.provider.breaker import Breaker
from launcher.server.strays import Stray
from remuda.cloud.api import Flavor, Image, Quota, Server
from remuda.cloud.sizes import NO_NEEDS, ImageNeeds
from remuda.frame.work import Busy
from remuda.model.ids import NodeId, ServerId
from remuda.model.permit import Permit

#: So many gone servers are remembered.
BURIED_MAX = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A label of a pool, looked up in the cloud.

    Attributes:
        image: None: it is one of ours, and each launch is bound to a build of it.
        needs: What the image needs, for which *flavor* was chosen; of an image of ours, what the
            build needs that was served when that was looked up.
    """

    image: Image | None
    flavor: Flavor
    volume_gib: int = 0
    needs: ImageNeeds = NO_NEEDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """An order that the cloud refused before anything was made, at *at_s* (monotonic)."""

    why: str
    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Permitted:
    """An operator's permission to sweep; only listings later than *listing* tell what it is for."""

    permit: Permit
    version: int
    listing: int


@dataclass(slots=True, kw_only=True)
class CloudView:
    """The cloud as last seen; times are monotonic seconds of this process unless said otherwise.

    Attributes:
        busy: What is being worked on (the world's).
        listing: Number of the last complete listing; 0: none yet.
        listed_s: When the last listing was begun.
        complete_wall_s: When the last that did not fail was begun, by the wall clock.
        ports_due_s: When to look at ports again, if a node of ours needs one.
        ports_why: Why the last look at them failed, or None.
        floating_ips_seen: Nodes of ours have, or had, floating IPs: some may be left.
        servers: Its servers that carry our provider's tag.
        foreign: How many servers of others it showed.
        strays: Servers of ours without a record, as the listings of this session show them.
        unread: Servers of ours whose records we cannot read, with their nodes: not to be touched,
            but they take up room.
        brake: Why leaks are not deleted, all or some, or None.
        permit: What an operator permits to delete all the same.
        recipes: What can be made; *broken* says why the others cannot.
        doubted: What is to be looked up anew because an order of it was refused, and when that was.
        refusals: Orders that were refused since the last survey was begun: no other one like it
            is sent before the next survey has looked up what it names.
        trouble: Why the cloud is out of service, or None.
        ended_servers: Servers of ours that are gone; their ports may have stayed.
        leftovers: What the last round of tidying saw; deleted if the next one still sees it.
        no_room_until_s: By pool: the cloud refused for lack of room, or did not answer; nothing is
            asked before, and *no_room_why* says why.
        no_room_refusals: By pool: so many times in a row the cloud said that it has no room.
        quota_ours: What ours used (servers, cores, MiB of RAM) when the quota was asked for.
        quota_why: Why the last survey did not learn the quota, or None.
        quota_seen_s: When that was, by the wall clock; None: never.
        boot_s: Smoothed time from intent to ready; *ready_s*: when the last one became ready, by
            the wall clock.
    """

    busy: Busy[Action]
    listing: int = 0
    listed_s: float = float("-inf")
    complete_wall_s: float = float("-inf")
    list_due_s: float = 0.0
    list_failures: int = 0
    ports_due_s: float = 0.0
    ports_why: str | None = None
    floating_ips_seen: bool = False
    servers: Mapping[ServerId, Server] = field(default_factory=dict)
    foreign: int = 0
    strays: dict[ServerId, Stray] = field(default_factory=dict)
    unread: Sequence[tuple[NodeId, Server]] = ()
    brake: str | None = None
    permit: Permitted | None = None
    recipes: dict[Key, Recipe] = field(default_factory=dict)
    broken: dict[Key, str] = field(default_factory=dict)
    doubted: dict[Key, float] = field(default_factory=dict)
    refusals: dict[Key, Refused] = field(default_factory=dict)
    quota: Quota | None = None
    quota_why: str | None = None
    quota_ours: tuple[int, int, int] = (0, 0, 0)
    quota_seen_s: float | None = None
    survey_failed: bool = False
    survey_due_s: float = 0.0
    doubted_due_s: float = 0.0
    trouble: str | None = None
    ended_servers: deque[ServerId] = field(default_factory=lambda: deque(maxlen=BURIED_MAX))
    leftovers: frozenset[str] = frozenset()
    tidy_due_s: float = 0.0
    no_room_until_s: dict[str, float] = field(default_factory=dict)
    no_room_times: dict[str, int] = field(default_factory=dict)
    no_room_why: dict[str, str] = field(default_factory=dict)
    no_room_refusals: Counter[str] = field(default_factory=Counter)
    breakers: dict[Key, Breaker] = field(default_factory=dict)
    boot_s: dict[Key, float] = field(default_factory=dict)
    ready_s: dict[Key, float] = field(default_factory=dict)

    def latest_listing(self) -> int:
        """Return the number of the last listing that was begun; only later ones are news."""
        return self.listing + (LISTING in self.busy)

    @property
    def unseen(self) -> bool:
        """Whether nobody knows yet what can be made: the first survey has not answered."""
        return not (self.recipes or self.broken or self.survey_failed)

    def forget_strays(self, *servers: ServerId) -> None:
        """Have *servers*, or all, seen anew for as long as any before they are touched.

        Until then nobody knows whether they are there, so a permission for them stays as well.
        """
        for server in servers or tuple(self.strays):
            self.strays.pop(server, None)
        if self.permit is not None:
            self.permit = replace(self.permit, listing=self.latest_listing())

    def breaker(self, key: Key) -> Breaker:
        """Return the breaker of a label in a pool."""
        return self.breakers.get(key, Breaker())

    def learn_boot(self, key: Key, seconds: float) -> None:
        """Fold one more time to ready into the expectation (half the weight to the new one)."""
        known = self.boot_s.get(key)
        self.boot_s[key] = seconds if known is None else (known + seconds) / 2
