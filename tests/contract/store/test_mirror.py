"""The live copy: complete, in order, cheap, and exact about who wrote."""

import random

import pytest

from remuda.store.api import Create, Delete, Dirty, Gone, Put, RejectedError, Set, Store, Synced
from remuda.store.core import WireStore
from tests.contract.store.conftest import DEADLINE_S, Answers, Heard, Rig, count_reads
from tests.support.deadline import wait_for
from tests.support.someops import some_ops


def loaded(rig: Rig, store: Store, root: str = "/r", **options: object) -> Heard:
    """Return what a new, complete mirror of *root* tells from now on."""
    heard = Heard()
    store.mirror(root, heard, **options)
    rig.until(lambda: Synced(root=root) in heard.changes, "the first load")
    return heard


def loaded_from(store: Store) -> Heard:
    """Return what a new, complete mirror of a real store tells."""
    heard = Heard()
    store.mirror("/r", heard)
    wait_for(lambda: Synced(root="/r") in heard.changes, DEADLINE_S, "the first load")
    return heard


def content(heard: Heard) -> dict[str, bytes | None]:
    """Return what a consumer of the changes now believes in."""
    belief: dict[str, bytes | None] = {}
    for change in heard.changes:
        match change:
            case Put():
                belief[change.path] = change.stored and change.stored.value
            case Gone():
                belief.pop(change.path, None)
            case _:
                pass
    return belief


def dirty(heard: Heard) -> set[str]:
    """Return the paths whose content a consumer knows to be old."""
    left: set[str] = set()
    for change in heard.changes:
        match change:
            case Dirty():
                left.add(change.path)
            case Put() | Gone():
                left.discard(change.path)
            case _:
                pass
    return left


def truth(store: Store, path: str) -> dict[str, bytes | None]:
    """Return the tree as it is."""
    found = store.read(path)
    if found is None:
        return {}
    tree: dict[str, bytes | None] = {path: found.value}
    for name in store.children(path):
        tree |= truth(store, f"{path}/{name}")
    return tree


@pytest.fixture
def ours(rig: Rig) -> WireStore:
    """Connect the session whose mirror is looked at."""
    return rig.connect()


@pytest.fixture
def theirs(rig: Rig) -> WireStore:
    """Connect somebody else, and make a tree."""
    store = rig.connect()
    store.commit([Create(path="/r"), Create(path="/r/a", data=b"1"), Create(path="/r/a/b")])
    store.commit([Create(path="/rest", data=b"not below /r")])
    return store


def test_the_first_load_tells_everything_then_synced(
    rig: Rig, ours: WireStore, theirs: WireStore
) -> None:
    """The root itself, too; siblings with the same beginning do not belong to it."""
    heard = loaded(rig, ours)

    assert content(heard) == truth(theirs, "/r")
    assert heard.changes[-1] == Synced(root="/r")
    assert not any(isinstance(change, Dirty) for change in heard.changes)


def test_a_missing_root_is_created(rig: Rig, ours: WireStore) -> None:
    """With its parents; and what comes later is heard."""
    heard = loaded(rig, ours, "/x/y")

    ours.commit([Create(path="/x/y/z", data=b"1")])

    rig.until(lambda: "/x/y/z" in content(heard), "the new znode")
    assert content(heard) == {"/x/y": b"", "/x/y/z": b"1"}


def test_others_changes_are_told_as_dirty_then_put(
    rig: Rig, ours: WireStore, theirs: WireStore
) -> None:
    """Each at the price of one read; the end of a znode costs none."""
    heard = loaded(rig, ours)
    heard.clear()
    reads = count_reads(ours)

    theirs.commit([Set(path="/r/a", data=b"2", version=0), Create(path="/r/c", data=b"3")])
    rig.until(lambda: len(heard.changes) == 4, "two changes")
    theirs.commit([Delete(path="/r/a/b")])
    rig.until(lambda: len(heard.changes) == 5, "the end of one")

    assert heard.changes[:2] == [Dirty(path="/r/a"), Dirty(path="/r/c")]
    put = [change for change in heard.changes if isinstance(change, Put)]
    assert [(one.path, one.stored and one.stored.value) for one in put] == [
        ("/r/a", b"2"),
        ("/r/c", b"3"),
    ]
    assert [one.stored and one.stored.version for one in put] == [1, 0]
    assert heard.changes[4] == Gone(path="/r/a/b")
    assert reads == ["/r/a", "/r/c"]


def test_own_writes_are_told_without_reading(rig: Rig, ours: WireStore, theirs: WireStore) -> None:
    """With data and version, before the commit is answered; a sequence's path included."""
    heard = loaded(rig, ours)
    heard.clear()
    reads = count_reads(ours)

    done = ours.commit(
        [
            Set(path="/r/a", data=b"2", version=0),
            Create(path="/r/s-", data=b"s", sequence=True, ephemeral=True),
            Delete(path="/r/a/b"),
        ]
    )
    told = list(heard.changes)
    theirs.commit([Set(path="/r", data=b"end", version=-1)])
    rig.until(lambda: len(heard.changes) > 4, "the end")

    assert {type(change) for change in told} == {Put, Gone}
    kept = {change.path: change.stored for change in told if isinstance(change, Put)}
    assert {path: one and (one.value, one.version) for path, one in kept.items()} == {
        "/r/a": (b"2", 1),
        done[1].path: (b"s", 0),
    }
    sequence = kept[done[1].path]
    assert sequence is not None
    assert sequence.owner == ours.session_id
    assert Gone(path="/r/a/b") in told
    assert reads == ["/r"]


def test_a_put_of_ours_names_the_times_of_the_server(
    rig: Rig, ours: WireStore, theirs: WireStore
) -> None:
    """Exactly, if the transaction also sets something; a lone Create has our own clock's."""
    heard = loaded(rig, ours)
    heard.clear()

    ours.commit([Create(path="/r/c"), Set(path="/r/a", data=b"2", version=0)])

    read = {path: theirs.read(path) for path in ("/r/a", "/r/c")}
    put = {change.path: change.stored for change in heard.changes if isinstance(change, Put)}
    assert put == read


def test_a_rejected_write_of_ours_hides_nothing(
    rig: Rig, ours: WireStore, theirs: WireStore
) -> None:
    """Their change was held back while ours was on its way; then it is read."""
    heard = loaded(rig, ours)
    answers = Answers()
    theirs_done = Answers()

    for version in range(50):
        ours.commit_later([Set(path="/r/a", data=b"ours", version=version)], answers)
        theirs.commit_later([Set(path="/r/a", data=b"theirs", version=version)], theirs_done)
        rig.until(lambda: len(answers.got) + len(theirs_done.got) == 2 * (version + 1), "both")  # noqa: B023 - used at once

    rig.until(lambda: content(heard) == truth(theirs, "/r") and not dirty(heard), "the truth")
    assert len(answers.errors) + len(theirs_done.errors) == 50
    assert all(isinstance(error, RejectedError) for error in answers.errors)


def test_creating_and_deleting_at_once_tells_nothing(
    rig: Rig, ours: WireStore, theirs: WireStore
) -> None:
    """That is how a lock is proven to be free: it must cost nothing."""
    heard = loaded(rig, ours)
    heard.clear()
    reads = count_reads(ours)

    ours.commit([Create(path="/r/a/lock"), Delete(path="/r/a/lock")])
    theirs.commit([Create(path="/r/end")])
    rig.until(lambda: "/r/end" in content(heard), "the end")

    assert {change.path for change in heard.changes if isinstance(change, Put | Dirty)} == {
        "/r/end"
    }
    assert reads == ["/r/end"]


def test_what_is_not_wanted_is_known_to_exist(rig: Rig, ours: WireStore, theirs: WireStore) -> None:
    """Told once, never read, and gone when it goes."""
    heard = loaded(rig, ours, wanted=lambda path: not path.startswith("/r/a"))
    assert content(heard) == {"/r": b"", "/r/a": None, "/r/a/b": None}
    heard.clear()
    reads = count_reads(ours)

    theirs.commit([Set(path="/r/a", data=b"2", version=-1), Create(path="/r/a/c")])
    ours.commit([Set(path="/r/a", data=b"3", version=-1), Create(path="/r/a/d")])
    theirs.commit([Delete(path="/r/a/b")])
    rig.until(lambda: len(heard.changes) >= 3, "three changes")

    assert heard.changes == [
        Put(path="/r/a/c", stored=None),
        Put(path="/r/a/d", stored=None),
        Gone(path="/r/a/b"),
    ]
    assert reads == []


def test_what_is_read_on_purpose_is_told_to_the_mirror(
    rig: Rig, ours: WireStore, theirs: WireStore
) -> None:
    """As if it had been wanted."""
    heard = loaded(rig, ours, wanted=lambda path: path == "/r")
    heard.clear()
    answers = Answers()

    ours.read_later("/r/a", answers)
    ours.read_later("/r/nothing", answers)

    rig.until(lambda: len(answers.got) == 2, "the answers")
    assert answers.got == [theirs.read("/r/a"), None]
    assert heard.changes == [Put(path="/r/a", stored=theirs.read("/r/a"))]


def test_a_mirror_tells_our_own_writes_from_those_of_others(
    rig: Rig, ours: WireStore, theirs: WireStore
) -> None:
    """An answer follows to whoever wrote; what was rejected, or is of another's, is news."""
    heard = loaded(rig, ours)
    heard.clear()

    ours.commit([Set(path="/r/a", data=b"2", version=-1)])
    theirs.commit([Set(path="/r/a/b", data=b"3", version=-1)])
    rig.until(lambda: content(heard).get("/r/a/b") == b"3", "both writes")

    puts = [change for change in heard.changes if isinstance(change, Put)]
    assert [(put.path, put.own) for put in puts] == [("/r/a", True), ("/r/a/b", False)]


def test_a_closed_mirror_is_silent(rig: Rig, ours: WireStore, theirs: WireStore) -> None:
    """And another one of the same root goes on."""
    first, second = Heard(), loaded(rig, ours)
    mirror = ours.mirror("/r/a", first)
    rig.until(lambda: Synced(root="/r/a") in first.changes, "the load")
    mirror.close()
    first.clear()

    theirs.commit([Set(path="/r/a", data=b"2", version=0)])

    rig.until(lambda: content(second)["/r/a"] == b"2", "the change")
    assert first.changes == []


def test_two_mirrors_of_one_root_do_not_depend_on_each_other(
    rig: Rig, ours: WireStore, theirs: WireStore
) -> None:
    """They share one watch at the server, which must outlive the first to close."""
    heard, first = loaded(rig, ours), Heard()
    mirror = ours.mirror("/r", first)
    rig.until(lambda: Synced(root="/r") in first.changes, "the load")

    mirror.close()
    theirs.commit([Set(path="/r/a", data=b"2", version=0)])

    rig.until(lambda: content(heard)["/r/a"] == b"2", "the change")


def test_changes_missed_while_away_are_told_as_differences(
    rig: Rig, ours: WireStore, theirs: WireStore
) -> None:
    """What stayed the same is not told again."""
    theirs.commit([Create(path="/r/same", data=b"s")])
    heard = loaded(rig, ours)
    ours.commit([Create(path="/r/own", data=b"o")])
    ours.commit([Set(path="/r/own", data=b"p", version=0), Create(path="/r/own2")])
    rig.suspend(ours)
    theirs.commit([Set(path="/r/a", data=b"2", version=0), Create(path="/r/new", data=b"n")])
    theirs.commit([Delete(path="/r/a/b")])
    before = content(heard)
    heard.clear()

    rig.resume(ours)
    rig.until(lambda: Synced(root="/r") in heard.changes, "the reload")

    paths = {(type(change), getattr(change, "path", "")) for change in heard.changes}
    assert paths == {(Put, "/r/a"), (Put, "/r/new"), (Gone, "/r/a/b"), (Synced, "")}
    assert before["/r/same"] == b"s"
    theirs.commit([Set(path="/r/same", data=b"t", version=0)])
    rig.until(lambda: content(heard).get("/r/same") == b"t", "a change after the reload")


def test_a_new_session_sees_its_old_ephemeral_znodes_gone(
    rig: Rig, ours: WireStore, theirs: WireStore
) -> None:
    """And the watch works in the new session."""
    heard = loaded(rig, ours)
    ours.commit([Create(path="/r/e", ephemeral=True)])
    heard.clear()

    rig.expire(ours)
    rig.until(lambda: Synced(root="/r") in heard.changes, "the reload")
    assert heard.changes == [Gone(path="/r/e"), Synced(root="/r")]

    theirs.commit([Create(path="/r/f")])
    rig.until(lambda: any(change == Dirty(path="/r/f") for change in heard.changes), "the news")


def test_a_mirror_made_while_away_loads_when_back(
    rig: Rig, ours: WireStore, theirs: WireStore
) -> None:
    """Nobody has to wait for the connection before asking for a mirror."""
    rig.suspend(ours)
    heard = Heard()
    ours.mirror("/r", heard)

    rig.resume(ours)

    rig.until(lambda: Synced(root="/r") in heard.changes, "the load")
    assert content(heard) == truth(theirs, "/r")


def test_thousands_of_znodes_at_one_read_each(rig: Rig, ours: WireStore, theirs: WireStore) -> None:
    """The first load reads each once, and lists only those that have children."""
    for start in range(0, 3000, 100):
        theirs.commit([Create(path=f"/r/n{number}") for number in range(start, start + 100)])
    reads = count_reads(ours)

    heard = loaded(rig, ours)

    assert len(content(heard)) == 3003
    assert len(reads) == 3003 + 2 + 1  # "/r" and "/r/a" are listed; "/r" is looked at first


@pytest.mark.parametrize("seed", range(3))
def test_the_mirror_ends_at_the_truth_whatever_the_order(
    rig: Rig, ours: WireStore, theirs: WireStore, seed: int
) -> None:
    """Two writers, a mirror each, random operations on few paths, pipelined; one loses its way."""
    dice = random.Random(seed)  # noqa: S311 - not for secrets
    stores = (ours, theirs)
    sinks = tuple(loaded(rig, store) for store in stores)
    answers = Answers()
    for step in range(400):
        if step == 200:
            rig.suspend(ours)
            rig.resume(ours)
        ops = some_ops(dice, step)
        dice.choice(stores).commit_later(ops, answers)
        if dice.random() < 0.2:
            rig.until(lambda: len(answers.got) == step + 1, "the answers")  # noqa: B023 - used at once

    rig.until(lambda: len(answers.got) == 400, "all answers")
    expected = truth(theirs, "/r")
    for heard in sinks:
        rig.until(
            lambda: content(heard) == expected and not dirty(heard),  # noqa: B023 - used at once
            f"the truth (seed {seed})",
        )
