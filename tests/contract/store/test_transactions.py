"""Reading and writing: all or nothing, versions, and errors that name what failed."""

import pytest

from remuda.store.api import (
    Check,
    Create,
    Delete,
    Done,
    ExistsError,
    MissingError,
    NotEmptyError,
    Op,
    RejectedError,
    Set,
    StaleWriteError,
    Store,
    StoreAwayError,
    TooLargeError,
)
from remuda.store.core import WireStore
from tests.contract.store.conftest import Answers, Rig


@pytest.fixture
def store(rig: Rig) -> WireStore:
    """Connect, with two znodes to play with."""
    store = rig.connect()
    store.commit([Create(path="/a", data=b"1"), Create(path="/a/b")])
    return store


def test_commit_tells_path_and_version_of_each_operation(store: Store) -> None:
    """A Delete leaves -1, a Check the version that it named."""
    done = store.commit(
        [
            Create(path="/c", data=b"x"),
            Set(path="/a", data=b"2", version=0),
            Check(path="/a", version=1),
            Delete(path="/a/b", version=0),
        ]
    )

    expected = (
        Done(path="/c", version=0),
        Done(path="/a", version=1),
        Done(path="/a", version=1),
        Done(path="/a/b", version=-1),
    )
    assert expected == done


def test_a_fresh_read_shows_what_others_have_committed(rig: Rig, store: Store) -> None:
    """Also that something is gone, or never was; with what a later write must name."""
    other = rig.connect()
    other.commit([Set(path="/a", data=b"2", version=0), Delete(path="/a/b")])

    here, gone, never = store.read_fresh(["/a", "/a/b", "/nothing"])

    assert here is not None
    assert (here.value, here.version) == (b"2", 1)
    assert (gone, never) == (None, None)
    assert store.read_fresh([]) == ()


def test_a_fresh_read_without_a_connection_tells_nothing(rig: Rig, store: WireStore) -> None:
    """Not even what was known before: whoever asked does nothing then."""
    rig.suspend(store)

    with pytest.raises(StoreAwayError):
        store.read_fresh(["/a"])


def test_a_record_is_read_with_version_and_times(store: Store) -> None:
    """What is written is read back, with the times of the server."""
    store.commit([Set(path="/a", data=b"2", version=-1)])

    found = store.read("/a")

    assert found is not None
    assert (found.value, found.version, found.owner) == (b"2", 1, 0)
    assert 0 < found.created_s <= found.modified_s
    assert store.read("/nothing") is None


def test_read_many_keeps_the_order(store: Store) -> None:
    """Missing znodes are None, in their place."""
    found = store.read_many(["/a/b", "/nothing", "/a"])

    assert [one and one.path for one in found] == ["/a/b", None, "/a"]
    assert store.read_many([]) == ()


def test_children_are_sorted(store: Store) -> None:
    """Names only; a missing znode has none."""
    store.commit([Create(path="/a/z"), Create(path="/a/k")])

    assert store.children("/a") == ("b", "k", "z")
    assert store.children("/nothing") == ()


@pytest.mark.parametrize(
    ("bad", "kind"),
    [
        (Set(path="/a", data=b"", version=7), StaleWriteError),
        (Delete(path="/a/b", version=7), StaleWriteError),
        (Check(path="/a", version=7), StaleWriteError),
        (Create(path="/a"), ExistsError),
        (Create(path="/x/y"), MissingError),
        (Set(path="/x", data=b"", version=-1), MissingError),
        (Delete(path="/x"), MissingError),
        (Check(path="/x"), MissingError),
        (Delete(path="/a"), NotEmptyError),
    ],
)
def test_a_rejected_transaction_names_the_path_and_leaves_nothing(
    store: Store, bad: Op, kind: type[RejectedError]
) -> None:
    """The operations around the bad one do not happen."""
    ops = [
        Create(path="/before"),
        Set(path="/a", data=b"new", version=0),
        Check(path="/a/b"),
        bad,
        Create(path="/after"),
    ]

    with pytest.raises(RejectedError) as caught:
        store.commit(ops)

    assert (kind, bad.path) == (type(caught.value), caught.value.path)
    assert store.read_many(["/before", "/after"]) == (None, None)
    found = store.read("/a")
    assert found is not None
    assert (found.value, found.version) == (b"1", 0)


def test_the_first_operation_may_be_the_bad_one(store: Store) -> None:
    """The position of the culprit does not matter."""
    with pytest.raises(ExistsError, match="/a"):
        store.commit([Create(path="/a"), Create(path="/c")])


def test_sequences_count_per_parent(store: Store) -> None:
    """Ten digits, from the number of children ever created."""
    first = store.commit([Create(path="/a/s-", sequence=True)])
    second = store.commit([Create(path="/a/s-", sequence=True)])

    assert [first[0].path, second[0].path] == ["/a/s-0000000001", "/a/s-0000000002"]


def test_ephemeral_znodes_go_with_their_session(rig: Rig, store: Store) -> None:
    """Closing ends the session at once; the owner is its id."""
    other = rig.connect()
    other.commit([Create(path="/a/e", ephemeral=True)])
    found = store.read("/a/e")
    assert found is not None
    assert other.session_id == found.owner

    other.close()

    rig.until(lambda: store.read("/a/e") is None, "the ephemeral znode's end")


def test_nothing_lies_below_an_ephemeral_znode(store: Store) -> None:
    """ZooKeeper's rule, as a plain rejection."""
    store.commit([Create(path="/a/e", ephemeral=True)])

    with pytest.raises(RejectedError, match="ephemeral"):
        store.commit([Create(path="/a/e/below")])


def test_records_may_be_empty_or_huge_but_not_too_large(store: Store) -> None:
    """What ZooKeeper would answer with a dropped connection is refused before it is sent."""
    huge = b"x" * 900_000

    store.commit([Create(path="/huge", data=huge), Create(path="/empty")])

    with pytest.raises(TooLargeError, match="/larger"):
        store.commit([Create(path="/small"), Create(path="/larger", data=b"x" * 1_100_000)])
    found = store.read_many(["/huge", "/empty", "/small"])
    assert [huge, b"", None] == [one and one.value for one in found]


def test_ensure_creates_what_is_missing(store: Store) -> None:
    """Parents, too; what exists keeps its data."""
    store.ensure("/a/p/q", "/a", "/r")

    found = store.read_many(["/a", "/a/p", "/a/p/q", "/r"])
    assert [one and one.value for one in found] == [b"1", b"", b"", b""]


def test_thousands_of_commits_on_their_way(rig: Rig, store: Store) -> None:
    """commit_later never waits, and answers each exactly once and in order."""
    answers = Answers()
    for number in range(3000):
        store.commit_later(
            [Create(path=f"/a/n{number}"), Set(path="/a", data=b"", version=number)], answers
        )

    rig.until(lambda: len(answers.got) >= 3000, "all answers")

    assert answers.errors == []
    assert [f"/a/n{number}" for number in range(3000)] == [got[0].path for got in answers.got]
    assert len(store.children("/a")) == 3001


def test_commit_later_gives_the_error(rig: Rig, store: Store) -> None:
    """An error is an answer, also one that is found before sending."""
    answers = Answers()

    store.commit_later([Create(path="/a")], answers)
    store.commit_later([Create(path="/l", data=b"x" * 1_100_000)], answers)

    rig.until(lambda: len(answers.got) == 2, "both answers")
    assert {ExistsError, TooLargeError} == {type(error) for error in answers.errors}


def test_a_transaction_of_nothing_is_our_own_bug(store: Store) -> None:
    """ZooKeeper would take it; nobody means it."""
    with pytest.raises(ValueError, match="nothing"):
        store.commit([])
