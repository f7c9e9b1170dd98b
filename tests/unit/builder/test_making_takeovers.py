"""Who else may write the record of a build while a hand makes it, and what the hand does then."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from remuda.model.build import BuildState, encode_build
from remuda.model.image import Word
from remuda.store import paths
from remuda.store.api import Set, Store
from tests.fakes.glance import Snapshot
from tests.unit.builder.handbench import (
    OTHER,
    UPLOAD,
    Bench,
)
from tests.unit.builder.makings import PATH, WRITES, make, nothing_held


@pytest.mark.parametrize("number", range(1, len(WRITES) + 1), ids=WRITES)
def test_a_build_that_was_taken_over_is_left_alone(bench: Bench, number: int) -> None:
    """At every write: everything is given back, and nothing written or deleted."""
    taken = []

    def take() -> None:
        stored = bench.build()
        one = replace(stored.value, owner=OTHER, started_s=99.0)
        write = Set(path=stored.path, data=encode_build(one), version=stored.version)
        bench.others.commit([write])
        taken.append(bench.build())

    bench.put_build()
    bench.before_write(PATH, number, take)
    ended = make(bench)

    assert ended.why is not None
    assert [bench.build()] == taken
    assert bench.others.read(paths.upload(UPLOAD)) is None
    assert len(bench.images.list_images()) == (number == len(WRITES))
    nothing_held(bench)


def test_a_failure_is_not_written_into_what_was_taken_over(bench: Bench) -> None:
    """Nor is the snapshot deleted, which the other one may keep."""
    bench.glance.next_snapshots.append(Snapshot.HANGS)
    bench.policy = replace(bench.policy, snapshot_s_max=100.0)

    def take() -> None:
        stored = bench.build()
        one = replace(stored.value, owner=OTHER)
        bench.others.commit([Set(path=stored.path, data=encode_build(one), version=stored.version)])

    bench.put_build()
    bench.before_write(PATH, 5, take)
    make(bench)

    assert bench.build().value.owner == OTHER
    assert len(bench.images.list_images()) == 1


def _each_write(bench: Bench, do: Callable[[Store], None]) -> None:
    commit, count = bench.store.commit, 0

    def around(ops: Any) -> Any:
        nonlocal count
        count += any(one.path == PATH for one in ops)
        if count % 2:  # not what is written once more because of it
            do(bench.others)
        return commit(ops)

    bench.store.commit = around  # type: ignore[method-assign]


def test_touches_and_words_of_people_are_no_takeover(bench: Bench) -> None:
    """A record that others write anew, as who refers to it does, is still ours."""

    def touch(store: Store) -> None:
        stored = bench.build()
        word = Word(who="root", why="by mistake", at_s=1.0)
        data = encode_build(replace(stored.value, unwanted=word))
        store.commit([Set(path=stored.path, data=data, version=stored.version)])

    bench.put_build()
    _each_write(bench, touch)

    assert make(bench).why is None
    assert bench.build().value.state is BuildState.BUILT
    assert bench.build().value.unwanted is not None


@pytest.mark.parametrize("number", range(1, len(WRITES) + 1), ids=WRITES)
def test_a_lost_reply_is_no_takeover(bench: Bench, number: int) -> None:
    """What the record says was written by us."""
    bench.put_build()
    bench.lose_reply(PATH, number)

    assert make(bench).why is None
    assert bench.build().value.state is BuildState.BUILT
