"""Folding changes of ZooKeeper into the world; corrupt records are set aside with one warning."""

from collections.abc import Callable
from dataclasses import InitVar, dataclass, field

from launcher.claim.fold import ClaimFold
from launcher.hold.fold import AutoholdFold, take_hold_ledger
from launcher.image.fold import take_image
from launcher.node.fold import NodeFold
from launcher.provider.fold import take_fact, take_peer
from launcher.request.fold import RequestFold
from launcher.takehome.fold import take_home_record
from launcher.world import World
from remuda.frame.set_aside import SetAside
from remuda.model.codec import CorruptRecordError
from remuda.model.ids import NodeId, RequestId
from remuda.store import paths
from remuda.store.api import Change, Dirty, Gone, Put, Synced


@dataclass(slots=True)
class Fold:
    """Folds changes into *world*.

    Attributes:
        aside: Told of records that cannot be used.
        read: Has a record read that the mirror has told of already; it will tell again.
    """

    world: World
    aside: SetAside
    nodes: NodeFold
    read: InitVar[Callable[[str], None]]
    requests: RequestFold = field(init=False)
    claims: ClaimFold = field(init=False)
    autoholds: AutoholdFold = field(init=False)

    def __post_init__(self, read: Callable[[str], None]) -> None:
        """Give each noun its records."""
        self.autoholds = AutoholdFold(self.world, self.aside, read)
        self.requests, self.claims = RequestFold(self.world), ClaimFold(self.world)

    def fold(self, change: Change, *, now_s: float) -> None:
        """Take in one change; *now_s* is monotonic.

        Never raises. Codecs refuse what others may not write; if a record gets past them and meets
        a bug of ours here, it must not end every launcher, again after each restart. So that bug
        is reported, with its traceback, and the record counts as not read
        (docs/adr/0011-records-of-others.md).
        """
        if isinstance(change, Synced):
            self.world.agenda.everything = True
            if change.root == paths.NODES:
                self.nodes.look_for_nodes()
            elif change.root == paths.AUTOHOLDS:
                self.autoholds.look_again()
            return
        parent, _, name = change.path.rpartition("/")
        try:
            if isinstance(change, Put) and change.closed:
                self.aside.closed(change.path)
                self._closed(parent, name, change)
                return
            if take_fact(self.world, change):
                return
            self._by_place(parent, name, change, now_s)
        except CorruptRecordError as exc:
            self.aside.corrupt(change.path, exc)
        except Exception:  # noqa: BLE001 - the boundary: see above
            self.aside.unforeseen(change.path)
            self.world.agenda.everything = True

    def _closed(self, parent: str, name: str, change: Put) -> None:
        """Know no more of a record than that it is there: nothing is done to it, nor waited for."""
        if parent == paths.REQUESTS:
            self.requests.unread(RequestId(name))
            self.world.agenda.supply = True
        elif parent.startswith(paths.IMAGES):
            # Nothing new boots by what we cannot read.
            take_image(self.world, Gone(path=f"{parent}/{name}"))
        elif self._of_holds(parent, name, Gone(path=change.path)):
            return
        elif change.path == paths.plain_tally(self.world.policy.provider):
            self.world.images.take_plain(change)
        elif parent == paths.launches(self.world.policy.provider):
            self.nodes.launch_closed(NodeId(name))
        elif parent == paths.NODES:
            self.nodes.node_closed(NodeId(name))

    def _by_place(self, parent: str, name: str, change: Put | Dirty | Gone, now_s: float) -> None:
        provider = self.world.policy.provider
        if parent == paths.REQUESTS:
            self.requests.take(RequestId(name), change, now_s)
        elif parent == paths.NODES:
            self.nodes.take_node(NodeId(name), change)
        elif parent.startswith(paths.NODES):
            self.nodes.take_lock(change)
        elif parent == paths.launches(provider):
            self.nodes.take_launch(NodeId(name), change)
        elif parent == paths.claims(provider):
            self.claims.take(RequestId(name), change, now_s)
        elif change.path == paths.ledger(provider):
            if isinstance(change, Put) and change.stored is not None:
                self.world.ledger_version = change.stored.version
                self.world.agenda.supply = True
        elif change.path.startswith(paths.IMAGES):
            take_image(self.world, change)
        elif not self._of_holds(parent, name, change):
            take_peer(self.world, parent, name, change)

    def _of_holds(self, parent: str, name: str, change: Put | Dirty | Gone) -> bool:
        if parent == paths.TAKE_HOME:
            take_home_record(self.world, NodeId(name), change)
        elif parent == paths.AUTOHOLDS:
            self.autoholds.take(change)
        elif change.path == paths.hold_ledger(self.world.policy.provider):
            take_hold_ledger(self.world, change)
        else:
            return False
        return True
