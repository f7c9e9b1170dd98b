"""A copy that somebody else takes over, or of which nobody knows how it ended."""

from dataclasses import replace
from typing import Any

import pytest

from remuda.model.ids import ReplicaId
from remuda.model.upload import Method, UploadState, encode_upload
from remuda.store.api import Set
from tests.unit.builder.hands.clouds import ME
from tests.unit.builder.hands.copies import BOTH, Copy, Make

# When somebody takes over.


def take_over(copy: Copy) -> bytes:
    """Let another builder write the record, as it does when ours seems dead."""
    other = copy.setting.zookeeper.connect()
    stored = copy.setting.stored(copy.setting.id(copy.target))
    theirs = replace(stored.value, owner=ReplicaId("another"), asked_by_s=77.0)
    data = encode_upload(theirs)
    other.commit([Set(path=stored.path, data=data, version=stored.version)])
    return data


def calls_of(copy: Copy) -> int:
    """Return how many calls a copy makes."""
    count = [0]

    def counted() -> None:
        count[0] += 1

    for cloud in copy.setting.clouds.values():
        cloud.pause = counted
    assert copy.run().why is None
    return count[0]


@BOTH
def test_taken_over_at_any_call_it_leaves_the_record_and_no_image(
    make: Make, method: Method
) -> None:
    """Theirs is the last word; an image that we have made is deleted, by its id."""
    for at in range(calls_of(make(method))):
        copy = make(method)
        left, data = [at], [b""]

        def counted(copy: Copy = copy, left: list[int] = left, data: list[bytes] = data) -> None:
            left[0] -= 1
            if left[0] == -1:
                data[0] = take_over(copy)

        order = copy.order(copy.take())
        for cloud in copy.setting.clouds.values():
            cloud.pause = counted
        ended = copy.hand().copy(order)
        raw = copy.setting.store.read(order.upload.path)

        assert ended.why == "it was taken over", at
        assert raw is not None
        assert raw.value == data[0], at
        assert copy.made() == [], at
        # What is shared may be theirs by now.
        assert copy.setting.clouds["pa"].calls["unshare"] == 0, at


@BOTH
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("commit", [1, 2])
def test_store_that_is_away_decides_nothing(
    make: Make, method: Method, when: str, commit: int
) -> None:
    """What it had written, or had not, is judged at the next look; nothing on record is gone."""
    copy = make(method)
    order = copy.order(copy.take())
    store, real = copy.setting.store, copy.setting.store.commit
    left = [commit]

    def committed(ops: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            getattr(store, f"away_{when}_next_commit")()
        return real(ops)

    store.commit = committed  # type: ignore[method-assign]
    ended = copy.hand().copy(order)
    store.resume()
    now = copy.now()

    assert (ended.why or "").startswith("ZooKeeper")
    if now.state is UploadState.STORED:
        assert (commit, when) == (2, "after")
        assert copy.setting.images[copy.target].get_image(now.cloud_image or "")
    else:
        assert now.state is UploadState.MAKING
        assert now.owner == ME


@BOTH
def test_session_that_is_over_sends_nothing_more(make: Make, method: Method) -> None:
    """Another one has it by then."""
    copy = make(method)
    order = copy.order(copy.take())
    done = [False]

    def expires() -> None:
        if not done[0] and copy.now().asked_by_s:
            done[0] = True
            copy.setting.store.expire()
            copy.setting.store.resume()

    for cloud in copy.setting.clouds.values():
        cloud.pause = expires

    ended = copy.hand().copy(order)

    assert done[0]
    assert ended.why is not None
    assert (copy.made(), copy.members()) == ([], {})
