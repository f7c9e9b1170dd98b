"""Who refers to an upload: each kind, and what only looks like one."""

from dataclasses import replace
from typing import Final

import pytest

from remuda.images import library, references, writes
from remuda.images.references import Holders, ReferenceKind
from remuda.images.writes import NotBootableError
from remuda.model.build import BuildState
from remuda.model.ids import NodeId
from remuda.model.image import BuildId
from remuda.model.pointer import Canary, Pin, Pointer
from remuda.model.upload import (
    UploadState,
)
from remuda.store import paths
from remuda.store.api import Create, Stored
from tests.fakes.store import FakeZookeeper
from tests.unit.images.making import IMAGE, PLACES, WORD, child, launch, upload

ONE: Final = upload(1)
POINTER: Final = Pointer(image=IMAGE, provider="pa", place=PLACES["pa"], current=2)


@pytest.mark.parametrize(
    ("holders", "kinds"),
    [
        (Holders(), []),
        (Holders(launches=(("pb", launch("3000000001", ONE.id)),)), ["launch"]),
        (Holders(pointers=(POINTER,)), []),
        (Holders(pointers=(replace(POINTER, current=1),)), ["current"]),
        (
            Holders(
                pointers=(
                    replace(POINTER, previous=1, canary=Canary(number=1, share=0.1, since_s=0.0)),
                )
            ),
            ["previous", "canary"],
        ),
        (Holders(pointers=(replace(POINTER, place=PLACES["pb"], previous=1),)), []),
        (Holders(pointers=(replace(POINTER, pinned=Pin(number=1, word=WORD)),)), ["pinned"]),
        (
            Holders(pointers=(replace(POINTER, pinned=Pin(number=1, word=WORD, until_s=0.0)),)),
            ["pinned"],
        ),
        (Holders(builds=(child(1, ONE.id),)), ["child"]),
        (Holders(builds=(child(1, ONE.id, BuildState.BUILT),)), []),
        (Holders(uploads=(ONE,)), []),
        (Holders(uploads=(replace(ONE, trying="pa"),)), ["trial"]),
        (
            Holders(
                uploads=(upload(1, "pb", state=UploadState.MAKING, source=PLACES["pa"]),),
            ),
            ["copy"],
        ),
        (Holders(uploads=(ONE, upload(1, "pb", state=UploadState.PENDING))), ["copy"]),
        # What is shared has no bytes of its own.
        (Holders(uploads=(ONE, upload(1, "pb", source=PLACES["pa"]))), ["copy"]),
        (
            Holders(uploads=(upload(1, "pb", state=UploadState.DELETING, source=PLACES["pa"]),)),
            ["copy"],
        ),
        (
            Holders(uploads=(upload(1, "pb", state=UploadState.FAILED, source=PLACES["pa"]),)),
            [],
        ),
        (Holders(uploads=(ONE, upload(2, "pb", state=UploadState.PENDING))), []),
    ],
)
def test_what_refers(holders: Holders, kinds: list[str]) -> None:
    """Each kind, and what looks like it and does not."""
    found = references.index(holders).get(ONE.id, ())

    assert [str(one.kind) for one in found] == kinds
    assert (references.why_kept(ONE.id, holders) is None) == (kinds == [])


def test_every_kind_has_a_name_for_people() -> None:
    """It becomes what a waiting deletion is explained with."""
    holders = Holders(launches=(("pb", launch("3000000001", ONE.id)),), pointers=(POINTER,))
    both = replace(holders, builds=(child(1, ONE.id),))

    assert references.why_kept(ONE.id, holders) == "node 3000000001 of pb refers to it"
    assert (references.why_kept(ONE.id, both) or "").endswith("refers to it, and 1 more")
    assert {str(kind) for kind in ReferenceKind} >= {"launch", "current", "child", "copy"}


def test_what_cannot_be_read_may_refer_to_anything() -> None:
    """A record of a newer version, one that is closed to us, one that somebody has broken."""
    odd = replace(launch("3000000001", ONE.id), image_build="../x")

    assert "cannot be read" in (references.why_kept(ONE.id, Holders(unreadable=("/x",))) or "")
    assert "3000000001" in (references.why_kept(ONE.id, Holders(launches=(("pa", odd),))) or "")


def test_nothing_new_refers_to_what_is_not_whole() -> None:
    """Candidates boot what is stored, others what is usable."""
    stored = Stored(path="/x", value=upload(1, state=UploadState.STORED), version=3)
    gone = Stored(path="/x", value=upload(1, state=UploadState.RETIRING), version=3)

    assert writes.bind(stored, candidate=True).version == 3
    for seen, candidate in ((stored, False), (gone, True), (gone, False)):
        with pytest.raises(NotBootableError):
            writes.bind(seen, candidate=candidate)


def test_a_record_that_cannot_be_read_is_named() -> None:
    """And what lies below it is read all the same."""
    store = FakeZookeeper().connect()
    store.ensure(paths.image("a"), paths.uploads(BuildId("a", 1)), paths.launches("pa"))
    store.commit([Create(path=paths.launch("pa", NodeId("3000000001")), data=b"{")])
    found = library.read(store)

    assert set(found.unreadable) == {
        paths.image("a"),
        paths.build(BuildId("a", 1)),
        paths.launch("pa", NodeId("3000000001")),
    }
