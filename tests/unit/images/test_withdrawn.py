"""What is withdrawn in a provider: never forgotten while it counts, and given back."""

from dataclasses import replace

import pytest

from remuda.images import moves, revoking
from remuda.images.moves import MoveRefusedError
from remuda.model.build import Revocation
from remuda.model.pointer import WITHDRAWN_MAX, decode_pointer, encode_pointer
from tests.unit.images.test_moves import IMAGE, built, revoked, shelf, word


def test_what_is_withdrawn_now_is_never_forgotten() -> None:
    """Of a hundred others those go first whose builds are gone, then the oldest."""
    full = {number: word(why=f"w{number}") for number in range(2, WITHDRAWN_MAX + 2)}
    one = shelf(1, 2, 3, current=1)
    assert one.pointer is not None
    halted = revoked(replace(one, pointer=replace(one.pointer, withdrawn=full)), 1)
    after = moves.without(halted, word(), force=True)

    assert after is not None
    assert len(after.withdrawn) == WITHDRAWN_MAX
    assert {1, 2, 3, WITHDRAWN_MAX + 1} <= after.withdrawn.keys()
    assert 4 not in after.withdrawn
    assert after.served(1.0) is None


def test_what_was_withdrawn_with_many_words_comes_back() -> None:
    """A record keeps less of a word than a build of an older version may."""
    said = replace(word(why="x" * 4000), who="y" * 1000)
    bad = replace(built(1), revoked=Revocation(word=said))
    one = shelf(1, current=1)
    assert one.pointer is not None
    halted = decode_pointer(IMAGE, "p", encode_pointer(replace(one.pointer, withdrawn={1: said})))
    after = revoking.restore(
        {bad.id: bad}, [replace(one, pointer=halted, builds={1: bad})], bad.id, word(2.0)
    )

    assert [each.served(2.0) for each in after.pointers] == [1]


def test_what_was_taken_away_is_refused_with_the_command_that_gives_it_back() -> None:
    """Where it was withdrawn, or everywhere; nothing gives back what is deleted."""
    one = shelf(1, 2, current=1)
    assert one.pointer is not None
    here = replace(one, pointer=replace(one.pointer, withdrawn={2: word()}))
    deleted = replace(one, builds={**one.builds, 2: replace(one.builds[2], unwanted=word())})
    first = "; first: remuda image restore debian/2"
    for halted, ending in (
        (here, f"withdrawn in p by ada: why{first} --provider p"),
        (revoked(one, 2), f"revoked by ada: why{first}"),
        (deleted, "deleted by ada: why"),
    ):
        for move in (moves.promote, moves.pin):
            with pytest.raises(MoveRefusedError) as refused:
                move(halted, 2, word())
            assert str(refused.value).endswith(ending)


def test_a_pin_that_is_over_is_what_was_booted_before() -> None:
    """Though it serves nothing any more by the time somebody removes it."""
    pinned = moves.pin(shelf(1, 2, current=2), 1, word(), until_s=9.0)
    after = moves.unpin(replace(shelf(1, 2), pointer=pinned), word(9.0))

    assert (after.moves[-1].before, after.moves[-1].after) == (1, 2)
