"""What a revocation takes away from a pointer, and what giving a build back restores."""

from dataclasses import replace

import pytest

from remuda.images import moves, revoking
from remuda.images.moves import MoveRefusedError, Shelf
from remuda.model.build import Revocation
from remuda.model.image import BuildId
from remuda.model.pointer import Canary, MoveWhy, Pin, Pointer
from tests.unit.images.test_moves import CHILD, IMAGE, built, revoked, shelf, withdrawn, word


def pointed(one: Shelf) -> Pointer:
    """Return the pointer of a shelf that has one."""
    assert one.pointer is not None
    return one.pointer


def test_what_was_withdrawn_here_is_given_back_and_the_rest_stays_withdrawn() -> None:
    """By a command; what is current does not move for it."""
    one = withdrawn(shelf(1, 2, 3, current=1), 2)
    both = replace(pointed(one), withdrawn={2: word(), 3: word()})
    after = moves.restore_here(replace(one, pointer=both), 2, word(5.0))

    assert (after.current, set(after.withdrawn)) == (1, {3})
    assert after.moves[-1].kind is MoveWhy.RESTORE
    ahead = moves.advance(replace(one, pointer=after), now_s=6.0)
    assert ahead is not None
    assert ahead.current == 2


CANARY = Canary(number=2, share=0.1, since_s=1.0)


def test_a_pin_and_a_trial_end_with_the_build_that_they_name() -> None:
    """What is current stays: it is not revoked."""
    one = shelf(1, 2, 3, current=3)
    named = replace(pointed(one), pinned=Pin(number=1, word=word()), canary=CANARY)
    pinned = moves.without(revoked(replace(one, pointer=named), 1), word(), force=False)
    tried = moves.without(revoked(replace(one, pointer=named), 2), word(), force=False)

    assert pinned is not None
    assert (pinned.current, pinned.pinned, pinned.canary) == (3, None, CANARY)
    assert pinned.served(9.0) == 3
    assert tried is not None
    assert (tried.current, tried.pinned, tried.canary) == (3, named.pinned, None)


def test_a_rollback_goes_past_what_was_revoked_since() -> None:
    """What launches boot does not move, only what would come after it."""
    one = revoked(shelf(1, 2, 3, current=3, previous=2), 2)
    after = moves.without(one, word(), force=False)

    assert after is not None
    assert (after.current, after.previous) == (3, 1)


def test_a_provider_that_never_had_a_build_is_served_nothing_by_giving_one_back() -> None:
    """It has no pointer yet: its first one is written when a build has passed there."""
    bad = replace(built(1), revoked=Revocation(word=word()))
    after = revoking.restore({bad.id: bad}, [shelf(1)], bad.id, word(2.0))

    assert [one.id for one in after.builds] == [bad.id]
    assert after.pointers == ()


def test_giving_back_a_build_moves_no_pointer_that_serves_something() -> None:
    """Whoever wants it everywhere promotes it."""
    bad = replace(built(2), revoked=Revocation(word=word()))
    after = revoking.restore({bad.id: bad}, [shelf(1, 2, current=1)], bad.id, word(2.0))

    assert after.pointers == ()


def test_a_child_that_was_revoked_by_itself_stays_so_when_its_parent_is_given_back() -> None:
    """Somebody had another reason."""
    parent = replace(built(1), revoked=Revocation(word=word(why="parent")))
    own = Revocation(word=word(why="own"))
    child = replace(built(1, CHILD, parent=parent.id), revoked=own)
    after = revoking.restore({one.id: one for one in (parent, child)}, (), parent.id, word(2.0))

    assert [one.id for one in after.builds] == [BuildId(IMAGE, 1)]


def test_a_build_whose_parents_are_free_is_given_back() -> None:
    """However many they are, on record or not."""
    grand = built(1, "grand", parent=BuildId("gone", 1))
    parent = built(1, parent=grand.id)
    child = replace(built(1, CHILD, parent=parent.id), revoked=Revocation(word=word()))
    builds = {one.id: one for one in (grand, parent, child)}
    after = revoking.restore(builds, (), child.id, word(2.0))

    assert [(one.id.image, one.revoked) for one in after.builds] == [(CHILD, None)]


def test_what_rests_on_an_image_goes_with_it_though_those_between_are_gone() -> None:
    """A chain of builds that each started from the one before keeps but the last few."""
    core = built(7, "core")
    last = replace(built(3, parent=BuildId(IMAGE, 2)), origin=core.id)
    child = built(1, CHILD, parent=last.id)
    builds = {one.id: one for one in (core, last, child)}
    gone = revoking.revoke(builds, (), core.id, word(1.0))
    after = {one.id: one for one in gone.builds}

    assert set(after) == set(builds)
    assert after[last.id].revoked == Revocation(word=word(1.0), inherited=core.id)
    with pytest.raises(MoveRefusedError, match="descends from core/7"):
        revoking.restore(after, (), last.id, word(2.0))
    back = revoking.restore(after, (), core.id, word(2.0))
    assert {one.id: one.revoked for one in back.builds} == dict.fromkeys(builds)


def test_what_was_revoked_with_its_parent_is_given_back_with_it() -> None:
    """All the way down, if nobody said anything of those in between."""
    parent = built(1)
    child = built(1, CHILD, parent=parent.id)
    grand = built(1, "grand", parent=child.id)
    builds = {one.id: one for one in (parent, child, grand)}
    bad = {one.id: one for one in revoking.revoke(builds, (), parent.id, word()).builds}
    after = revoking.restore(bad, (), parent.id, word(2.0))

    assert [one.revoked is None for one in bad.values()] == [False] * 3
    assert [(one.id, one.revoked) for one in after.builds] == [(one, None) for one in builds]


def test_a_build_is_revoked_once_and_the_first_word_counts() -> None:
    """Whoever wants it again hears who was first."""
    bad = replace(built(1), revoked=Revocation(word=word(why="bad kernel")))

    with pytest.raises(MoveRefusedError, match="was revoked by ada already: bad kernel"):
        revoking.revoke({bad.id: bad}, (), bad.id, word())


def test_a_build_that_somebody_deleted_is_not_pointed_at() -> None:
    """Though its upload is still there: it is about to go."""
    one = shelf(1, 2, current=1)
    deleted = replace(one, builds={**one.builds, 2: replace(built(2), unwanted=word())})

    assert moves.advance(deleted, now_s=2.0) is None
    with pytest.raises(MoveRefusedError, match="build 2 of debian was deleted by ada: why"):
        moves.promote(deleted, 2, word())


def test_a_revocation_leaves_alone_what_names_another_build() -> None:
    """Or nothing yet."""
    bad = revoked(shelf(1, 2, current=2), 1)

    assert moves.without(bad, word(), force=True) is None
    assert moves.without(replace(bad, pointer=None), word(), force=True) is None


def test_only_what_is_revoked_is_given_back() -> None:
    """And only what is on record is revoked, or given back."""
    good = built(1)
    builds, gone = {good.id: good}, BuildId(IMAGE, 7)

    with pytest.raises(MoveRefusedError, match="build debian/1 is not revoked"):
        revoking.restore(builds, (), good.id, word())
    with pytest.raises(MoveRefusedError, match="there is no build debian/7"):
        revoking.restore(builds, (), gone, word())
    with pytest.raises(MoveRefusedError, match="there is no build debian/7"):
        revoking.revoke(builds, (), gone, word())


def test_a_provider_without_a_pointer_gets_its_first_one() -> None:
    """By itself or by somebody's word, as soon as a build is usable there."""
    unfit = replace(shelf(1), uploads={})

    assert moves.advance(unfit, now_s=2.0) is None
    first = moves.promote(shelf(1, 2), 1, word())
    assert (first.current, first.moves[-1].kind) == (1, MoveWhy.FIRST)
