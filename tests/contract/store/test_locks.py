"""Our locks among ourselves; remuda/store/locks.py says what they look like on the wire."""

import threading

import pytest

from remuda.store.api import (
    Create,
    Delete,
    ExistsError,
    MissingError,
    NotEmptyError,
    Set,
    StoreAwayError,
)
from remuda.store.core import WireStore
from remuda.store.locks import LockTakenError, acquire, holder, prove_unlocked_ops, take_ops
from tests.contract.store.conftest import Rig

LOCK = "/nodes/7/lock"


@pytest.fixture
def ours(rig: Rig) -> WireStore:
    """Connect, and make what is to be locked."""
    store = rig.connect()
    store.ensure("/nodes/7")
    return store


@pytest.fixture
def theirs(rig: Rig) -> WireStore:
    """Connect somebody else."""
    return rig.connect()


def test_a_free_lock_is_ours_until_the_block_ends(ours: WireStore, theirs: WireStore) -> None:
    """The contender carries our data and our session; the directory stays."""
    with acquire(ours, LOCK, b"us") as lease:
        found = theirs.read(lease.path)
        assert lease.valid
        assert found is not None
        assert (found.value, found.owner) == (b"us", ours.session_id)
        assert lease.path == f"{LOCK}/{holder(theirs.children(LOCK))}"

    assert not lease.valid
    assert theirs.children(LOCK) == ()


def test_a_taken_lock_is_refused_at_once_naming_the_holder(
    ours: WireStore, theirs: WireStore
) -> None:
    """And the attempt leaves nothing behind."""
    with acquire(theirs, LOCK) as lease:
        with pytest.raises(LockTakenError) as caught:
            acquire(ours, LOCK)

        assert caught.value.holder == lease.path
        assert len(ours.children(LOCK)) == 1


def test_waiting_ends_when_the_holder_leaves(rig: Rig, ours: WireStore, theirs: WireStore) -> None:
    """By a watch, not by looking again and again."""
    held = acquire(theirs, LOCK)
    leases: list[object] = []
    waiter = threading.Thread(
        target=lambda: leases.append(acquire(ours, LOCK, wait_s=20.0)), daemon=True
    )
    waiter.start()
    rig.until(lambda: len(theirs.children(LOCK)) == 2, "the waiter's contender")

    held.release()

    rig.until(lambda: leases, "the lock")
    waiter.join(60.0)
    assert len(theirs.children(LOCK)) == 1


def test_waiting_ends_after_its_time(ours: WireStore, theirs: WireStore) -> None:
    """With nothing left behind, and the lock still where it was."""
    with acquire(theirs, LOCK) as lease:
        with pytest.raises(LockTakenError):
            acquire(ours, LOCK, wait_s=0.05)

        assert [lease.path.rpartition("/")[2]] == list(theirs.children(LOCK))


def test_what_is_gone_cannot_be_locked(ours: WireStore) -> None:
    """A lock never brings a deleted node back to life."""
    with pytest.raises(MissingError):
        acquire(ours, "/nodes/8/lock")

    assert ours.read("/nodes/8") is None


def test_a_lease_ends_with_its_session(rig: Rig, ours: WireStore, theirs: WireStore) -> None:
    """A suspension alone does not end it; its proof then fails every transaction."""
    lease = acquire(ours, LOCK)

    rig.suspend(ours)
    suspended = lease.valid
    rig.expire(ours)

    assert (suspended, lease.valid) == (True, False)
    with pytest.raises(MissingError):
        ours.commit([lease.proof, Set(path="/nodes/7", data=b"x", version=0)])
    acquire(theirs, LOCK).release()


def test_a_lease_given_back_while_away_goes_when_the_connection_is_back(
    rig: Rig, ours: WireStore, theirs: WireStore
) -> None:
    """Else our own session, which lives on, would block the lock for ever."""
    lease = acquire(ours, LOCK)
    rig.suspend(ours)
    lease.release()

    assert len(theirs.children(LOCK)) == 1
    rig.resume(ours)

    rig.until(lambda: theirs.children(LOCK) == (), "the lock's release")
    acquire(theirs, LOCK).release()


def test_locking_while_away_says_so(rig: Rig, ours: WireStore) -> None:
    """There is no waiting for a connection inside a lock."""
    rig.suspend(ours)

    with pytest.raises(StoreAwayError):
        acquire(ours, LOCK, wait_s=20.0)

    rig.resume(ours)


def test_nobody_holds_the_lock_can_be_part_of_a_transaction(
    ours: WireStore, theirs: WireStore
) -> None:
    """With and without a directory; it leaves none."""
    write = Set(path="/nodes/7", data=b"x", version=-1)

    ours.commit([*prove_unlocked_ops(LOCK, exists=False), write])
    assert ours.children("/nodes/7") == ()
    with pytest.raises(MissingError):
        ours.commit([*prove_unlocked_ops(LOCK, exists=True), write])
    acquire(theirs, LOCK).release()
    with pytest.raises(ExistsError):
        ours.commit([*prove_unlocked_ops(LOCK, exists=False), write])
    ours.commit([*prove_unlocked_ops(LOCK, exists=True), write])
    assert ours.children("/nodes/7") == ()
    with acquire(theirs, LOCK), pytest.raises(NotEmptyError, match=LOCK):
        ours.commit([*prove_unlocked_ops(LOCK, exists=True), write])


def test_a_lock_can_be_taken_inside_a_transaction(ours: WireStore, theirs: WireStore) -> None:
    """The node is created locked, so that nobody else is ever first."""
    done = ours.commit([Create(path="/nodes/9"), *take_ops("/nodes/9/lock", b"us")])

    with pytest.raises(LockTakenError) as caught:
        acquire(theirs, "/nodes/9/lock")

    assert caught.value.holder == done[-1].path
    ours.commit([Delete(path=done[-1].path)])
    acquire(theirs, "/nodes/9/lock").release()
