"""Folding changes of ZooKeeper into what is known; bad records are set aside with one warning."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from builder.world import World
from remuda.frame.set_aside import SetAside
from remuda.membership.rendezvous import lives
from remuda.model.build import Build
from remuda.model.codec import CorruptRecordError
from remuda.model.ids import NodeId, ReplicaId
from remuda.model.image import BuildId, number_of
from remuda.model.status import decode_status
from remuda.model.takehome import TakeHome
from remuda.store import paths
from remuda.store.api import Change, Dirty, Gone, Put, Synced

#: Before the parts of a path that matter: an empty one, and "remuda".
_HEAD: Final = 2

#: Hears that we wrote a build: as it was before, and as it is now.
OnBuild = Callable[[Build, Build], None]
#: The same of the record of a take-home image.
OnTakeHome = Callable[[TakeHome, TakeHome], None]


def wanted_of_providers(path: str) -> bool:
    """Whether a builder needs the data of a znode of launchers: launches may refer to images."""
    parts = path.split("/")[_HEAD:]
    return len(parts) == 4 and parts[2] == "launches"  # noqa: PLR2004 - as in remuda.store.paths


@dataclass(slots=True)
class Fold:
    """Folds changes into the world.

    Attributes:
        aside: Told of records that cannot be used.
        on_build: Told of each write of ours that moved a build; *on_take_home*: or the record of a
            take-home image.
    """

    world: World
    aside: SetAside
    on_build: OnBuild = lambda _before, _after: None
    on_take_home: OnTakeHome = lambda _before, _after: None

    def fold(self, change: Change) -> None:
        """Take in one change.

        Never raises: a record that gets past the codecs and meets a bug of ours must not end
        every builder, again after each restart. One that may refer to images counts as
        unreadable until it is written again or gone, so that nothing is deleted meanwhile
        (docs/adr/0011-records-of-others.md).
        """
        if isinstance(change, Synced):
            self.world.dirty = True
            return
        where = change.path.split("/")[_HEAD:]
        try:
            self._read_anew(change)
            if isinstance(change, Put) and change.closed:
                self.aside.closed(change.path)
            self._by_place(where, change)
            if (
                isinstance(change, Put)
                and change.closed
                and _of_images(where)
                and _may_refer(where)
            ):
                self.world.records.unreadable.add(change.path)  # or a folder of such records
        except CorruptRecordError as exc:
            self.aside.corrupt(change.path, exc)
        except Exception:  # noqa: BLE001 - the boundary: see above
            if _may_refer(where):
                self.world.records.unreadable.add(change.path)
                self.world.dirty = True
            self.aside.unforeseen(change.path)

    def _read_anew(self, change: Put | Dirty | Gone) -> None:
        """Forget that a record could not be read: what comes now says more."""
        unreadable = self.world.records.unreadable
        if change.path in unreadable and not isinstance(change, Dirty):
            unreadable.discard(change.path)
            self.world.dirty = True

    def _by_place(self, where: list[str], change: Put | Dirty | Gone) -> None:
        if _of_images(where) or _is_launch(where):
            self._record(where, change)
        elif isinstance(change, Dirty):
            return
        elif change.path.startswith(f"{paths.BUILDERS}/"):
            self._living(self.world.builders, ReplicaId(where[-1]), change)
        elif where[:1] == ["replicas"] and len(where) == 3:  # noqa: PLR2004 - provider, replica
            living = self.world.launchers.setdefault(where[1], set())
            self._living(living, ReplicaId(where[2]), change)
        elif where[:1] == ["takehome"] and len(where) == 2:  # noqa: PLR2004 - node
            self.world.dirty = True
            self._take_home(NodeId(where[1]), change)
        elif where[:1] == ["takehome-ends"] and len(where) == 2:  # noqa: PLR2004 - node
            self.world.dirty = True
            self.world.records.take_home_end(NodeId(where[1]), change)
        elif where[:1] == ["statuses"] and len(where) == 2:  # noqa: PLR2004 - provider
            self._status(where[1], change)

    def _take_home(self, node: NodeId, change: Put | Gone) -> None:
        known = self.world.records.take_homes
        before = known.get(node)
        self.world.records.take_home(node, change)
        after = known.get(node)
        if isinstance(change, Put) and change.own and before and after:
            self.on_take_home(before.value, after.value)

    def _record(self, where: list[str], change: Put | Dirty | Gone) -> None:
        records = self.world.records
        before = records.builds.get(_build_id(where)) if len(where) == 4 else None  # noqa: PLR2004
        refers = self._refers(where)
        if where[0] == "images":
            records.note(change)
        try:
            records.take(where, change)
        finally:
            # Launches of other images come and go all day.
            news = self._tells(where) or refers or self._refers(where)
            self.world.dirty |= news and not isinstance(change, Dirty)
        after = None if before is None else records.builds.get(before.value.id)
        moved = before is not None and after is not None and before.value != after.value
        if isinstance(change, Put) and change.own and moved and before and after:
            self.on_build(before.value, after.value)

    def _tells(self, where: list[str]) -> bool:
        """Whether something is to be judged by a record of images; of counts, those of a canary."""
        if not _is_tally(where):
            return _of_images(where)
        pointer = self.world.records.pointers.get((where[1], where[3]))
        return pointer is not None and pointer.value.canary is not None

    def _refers(self, where: list[str]) -> bool:
        """Whether a launch names an image of ours, or may."""
        if where[0] != "providers":
            return False
        records, (_, provider, _, node) = self.world.records, where
        path = paths.launch(provider, NodeId(node))
        return (provider, NodeId(node)) in records.launches or path in records.unreadable

    def _living(self, living: set[ReplicaId], one: ReplicaId, change: Put | Gone) -> None:
        """Note who lives; of one that is closed to us nobody can tell."""
        if isinstance(change, Put) and change.stored is None:
            return
        there = isinstance(change, Put) and lives(change.stored)
        if there is not (one in living):
            self.world.dirty = True
            (living.add if there else living.discard)(one)

    def _status(self, provider: str, change: Put | Gone) -> None:
        # What cannot be read any more must not stand for what was told long ago.
        troubles = self.world.launcher_troubles
        before, trouble = troubles.pop(provider, None), None
        try:
            if isinstance(change, Put) and change.stored is not None and change.stored.value:
                trouble = decode_status(provider, change.stored.value).trouble
        finally:
            if trouble is not None:
                troubles[provider] = trouble
            self.world.dirty |= trouble != before


def _may_refer(where: list[str]) -> bool:
    aside = _is_tally(where) or _is_use(where)
    return (_of_images(where) and not aside) or _is_launch(where)


def _of_images(where: list[str]) -> bool:
    return where[:1] == ["images"]


def _is_tally(where: list[str]) -> bool:
    return len(where) == 5 and _of_images(where) and where[2::2] == ["pointers", "tally"]  # noqa: PLR2004


def _is_use(where: list[str]) -> bool:
    return len(where) == 3 and _of_images(where) and where[2] == "use"  # noqa: PLR2004


def _is_launch(where: list[str]) -> bool:
    return len(where) == 4 and where[0] == "providers" and where[2] == "launches"  # noqa: PLR2004


def _build_id(where: list[str]) -> BuildId:
    return BuildId(where[1], number_of(where[3]) or 0)
