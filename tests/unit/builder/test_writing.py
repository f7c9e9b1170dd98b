"""What a builder writes anew that somebody has emptied."""

from dataclasses import replace
from typing import Any

import pytest

from builder.image.writes import lacking
from builder.records import Records
from remuda.model.build import Build, BuildState, Why, encode_build
from remuda.model.image import BuildId, Word, decode_image
from remuda.model.pointer import Pointer, encode_pointer
from remuda.store import paths
from remuda.store.api import Check, Create, Set, Stored
from tests.unit.builder.bench import HERE
from tests.unit.builder.test_brain import ready

WORD = Word(who="ada", why="y", at_s=1.0)
BUILT = Build(
    id=BuildId("a", 1),
    state=BuildState.BUILT,
    why=Why.SCHEDULE,
    requested_s=1.0,
    since_s=1.0,
    group=("p",),
)


def pointing(**fields: Any) -> bytes:
    """Return a pointer of the image a."""
    return encode_pointer(Pointer(image="a", provider="p", place=HERE, **fields))


def test_an_image_whose_record_was_emptied_goes_on_with_its_numbers() -> None:
    """Builds, also such as cannot be read, and pointers say how far it was."""
    for number, path, data in (
        (7, paths.build(BuildId("a", 7)), b"not readable"),
        (9, paths.pointer("a", "p"), pointing(current=9)),
        (12, paths.pointer("a", "p"), pointing(current=9, withdrawn={12: WORD})),
    ):
        bench = ready(a={"paused": True})
        bench.go()
        bench.store.ensure(path)
        bench.store.commit([Set(path=path, data=data, version=-1)])
        bench.store.commit([Set(path=paths.image("a"), data=b"", version=-1)])
        bench.go()

        image = bench.store.read(paths.image("a"))
        assert image is not None
        assert decode_image("a", image.value).last_build == number


@pytest.mark.parametrize("recipe", ["a", "b"])
def test_a_build_whose_folder_was_removed_ends_all_the_same(recipe: str) -> None:
    """Uploads lie in it, and it goes with the build: without it no transaction would succeed."""
    old, new = (
        replace(BUILT, id=BuildId("a", number), state=BuildState.FAILED, unwanted=unwanted)
        for number, unwanted in ((7, WORD), (8, None))
    )
    bench = ready(**{recipe: {"paused": True}})
    bench.go()
    bench.store.ensure(paths.builds("a"), paths.pointers("a"))
    new = replace(new, since_s=bench.clock.now_s())
    for one in (old, new):
        bench.store.commit([Create(path=paths.build(one.id), data=encode_build(one))])
    bench.go()

    assert bench.store.read(paths.build(old.id)) is None
    assert bench.store.read(paths.uploads(new.id)) is not None


def test_the_folder_of_a_build_that_retires_is_not_made_anew() -> None:
    """It went with that; the record of a build that has one could never go."""
    records = Records()
    retiring = replace(BUILT, state=BuildState.RETIRING)
    for one in (BUILT, retiring, replace(BUILT, state=BuildState.REQUESTED)):
        records.builds = {one.id: Stored(path=paths.build(one.id), value=one, version=5)}
        found = lacking(records, [])
        if one is BUILT:
            # That it retires may be on record already, though we have only seen its folder go.
            check, create = found["a"]
            assert check == Check(path=paths.build(one.id), version=5)
            assert create == Create(path=paths.uploads(one.id))
        else:
            assert found == {}


def test_one_transaction_stays_small_whatever_was_removed() -> None:
    """The rest comes with the next one."""
    records = Records()
    for number in range(1, 1001):
        one = replace(BUILT, id=BuildId("a", number))
        records.builds[one.id] = Stored(path=paths.build(one.id), value=one, version=5)

    assert len(lacking(records, [])["a"]) <= 102
