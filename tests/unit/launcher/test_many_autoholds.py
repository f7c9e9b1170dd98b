"""More autoholds than launchers look at: the oldest count, and the next when there is room."""

import random
from dataclasses import replace
from typing import Final

import pytest

from launcher.hold import view
from launcher.hold.actions import DropAutohold
from launcher.world import World
from remuda.model.autohold import Fired, encode_autohold
from remuda.model.ids import NodeId
from remuda.store import paths
from remuda.store.api import Gone, Put, Stored, Synced
from tests.unit.launcher.test_autoholds import AUTOHOLD, waiting
from tests.unit.launcher.test_fold import Folding
from tests.unit.launcher.worlds import NOW, of_kind, think

ROOM: Final = 3


@pytest.fixture(autouse=True)
def _little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "AUTOHOLDS_MAX", ROOM)


def told(number: int, *, version: int = 0) -> Put:
    """Return how a mirror tells of the autohold that was made as the *number*th."""
    name = f"a{number}"
    raw = encode_autohold(replace(AUTOHOLD, id=name, made_s=0.0))
    path = paths.autohold(name)
    return Put(
        path=path,
        stored=Stored(path=path, value=raw, version=version, created_s=1000.0 + number),
    )


def gone(number: int) -> Gone:
    """Return how a mirror tells that one is removed."""
    return Gone(path=paths.autohold(f"a{number}"))


def fold(folding: Folding, *changes: Put | Gone | Synced) -> None:
    """Take changes in."""
    for change in changes:
        folding.tell(change)


def looked_at(folding: Folding) -> list[str]:
    """Return the names of those that are looked at."""
    return sorted(folding.world.autoholds.stored)


def were_read(folding: Folding) -> list[str]:
    """Return what was read on purpose since the last time."""
    names = [one.rpartition("/")[2] for one in folding.read]
    folding.read.clear()
    return names


@pytest.mark.parametrize("seed", range(5))
def test_the_oldest_are_looked_at_in_whatever_order_they_are_told(seed: int) -> None:
    """By ZooKeeper's time: what a record says of its own age, and its name, give no precedence."""
    order = [*range(9)]
    random.Random(seed).shuffle(order)  # noqa: S311 - no secret
    folding = Folding()
    fold(folding, *(told(number) for number in order))
    assert looked_at(folding) == ["a0", "a1", "a2"]
    assert len(folding.world.autoholds.beyond) == 6
    assert were_read(folding) == []


def test_when_room_comes_the_oldest_of_the_others_are_read() -> None:
    """Once each, however many go at once; and what comes of that is looked at."""
    folding = Folding()
    fold(folding, *(told(number) for number in range(6)), gone(0))
    assert were_read(folding) == ["a3"]
    fold(folding, gone(1))
    assert were_read(folding) == ["a4"]
    fold(folding, told(3), told(4))
    assert looked_at(folding) == ["a2", "a3", "a4"]
    assert were_read(folding) == []
    fold(folding, told(4, version=7))
    assert folding.world.autoholds.stored["a4"].version == 7
    fold(folding, gone(5), gone(4), gone(3))
    assert (were_read(folding), looked_at(folding)) == ([], ["a2"])


def test_one_that_cannot_be_read_any_more_makes_room_for_the_next() -> None:
    """It holds nothing, and keeps nobody waiting."""
    folding = Folding()
    fold(folding, *(told(number) for number in range(6)))
    path = paths.autohold("a0")
    fold(folding, Put(path=path, stored=Stored(path=path, value=b"{}", version=1)))
    assert were_read(folding) == ["a3"]
    fold(folding, Put(path=paths.autohold("a3"), stored=None, closed=True))
    assert were_read(folding) == ["a4"]


def test_a_read_that_met_a_lost_connection_is_made_again() -> None:
    """When the connection is back, for the mirror tells nothing that has not changed."""
    folding = Folding()
    fold(folding, *(told(number) for number in range(5)), gone(0))
    assert were_read(folding) == ["a3"]
    fold(folding, Synced(root=paths.AUTOHOLDS))
    assert were_read(folding) == ["a3"]


def test_it_is_said_which_are_not_looked_at() -> None:
    """Once for each, also of one that an older one put out."""
    folding = Folding()
    fold(folding, told(1), told(2), told(3), told(4), told(0), told(4))
    said = [
        (one["path"], one["why"])
        for one in folding.log.warnings
        if one["event"] == "record.set-aside"
    ]
    assert [path for path, _ in said] == [paths.autohold("a4"), paths.autohold("a3")]
    assert all("there are too many" in why for _, why in said)


def test_what_is_over_is_shown_no_longer_when_there_is_no_room() -> None:
    """A thousand that have fired would keep the place of those that wait for a week."""
    done = (Fired(node=NodeId("1"), provider="p", at_s=NOW.wall_s - 1.0),)
    over = replace(AUTOHOLD, id="a0", count=1, fired=done)
    others = [replace(AUTOHOLD, id=f"a{number}") for number in range(1, ROOM)]

    def dropped(world: World) -> list[str]:
        return [one.autohold for one in of_kind(think(world, NOW), DropAutohold)]

    assert dropped(waiting(over, *others[1:])) == []
    assert dropped(waiting(over, *others)) == ["a0"]
