"""Which notifications are held back, and which are looked at after the reply."""

from remuda.store.api import Check, Create, Delete, Set
from remuda.store.own_writes import OwnWrites

SET = [Set(path="/a", data=b"", version=0)]
SEQUENCE = [Create(path="/s-", sequence=True)]


def test_an_echo_is_held_and_swallowed() -> None:
    """The reply has told what it would say."""
    own = OwnWrites()
    own.sent(SET)

    assert own.hold("/a")
    assert own.settled(SET, told=["/a"]) == []
    assert not own.hold("/a")


def test_a_rejected_write_releases_what_was_held() -> None:
    """It was somebody else's."""
    own = OwnWrites()
    own.sent(SET)
    own.hold("/a")

    assert own.settled(SET, told=[]) == ["/a"]


def test_other_paths_are_not_held() -> None:
    """Deletes and checks have no content to tell, so they hold nothing either."""
    own = OwnWrites()
    own.sent([*SET, Delete(path="/d"), Check(path="/c")])

    assert [own.hold(path) for path in ("/b", "/d", "/c", "/a/b")] == [False] * 4


def test_the_second_of_two_writes_still_holds() -> None:
    """Each reply settles one; what was held before the first is told by the first."""
    own = OwnWrites()
    own.sent(SET)
    own.sent(SET)
    own.hold("/a")

    assert own.settled(SET, told=["/a"]) == []
    assert own.hold("/a")
    assert own.settled(SET, told=[]) == ["/a"]


def test_a_sequence_is_held_by_what_comes_before_its_digits() -> None:
    """Ours is swallowed, the other's with the same beginning is released."""
    own = OwnWrites()
    own.sent(SEQUENCE)

    assert own.hold("/s-0000000001")
    assert own.hold("/s-0000000002")
    assert not own.hold("/t-0000000002")
    assert own.settled(SEQUENCE, told=["/s-0000000002"]) == ["/s-0000000001"]


def test_what_is_gone_needs_no_look() -> None:
    """A deletion says all there is to say."""
    own = OwnWrites()
    own.sent(SET)
    own.hold("/a")
    own.gone("/a")

    assert own.settled(SET, told=[]) == []


def test_a_transaction_may_write_a_path_twice() -> None:
    """Both count, once each."""
    own = OwnWrites()
    twice = [Create(path="/a"), Set(path="/a", data=b"", version=0)]
    own.sent(twice)
    own.hold("/a")

    assert own.settled(twice, told=["/a"]) == []
    assert not own.hold("/a")
