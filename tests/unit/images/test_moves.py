"""Where pointers go: each verb, each refusal, and what holds over any history of them."""

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from remuda.images import moves, revoking
from remuda.images.moves import MoveRefusedError, Shelf
from remuda.model.build import Build, BuildState, Revocation, Why
from remuda.model.image import BuildId, UploadId, Word
from remuda.model.pointer import MOVES_MAX, MoveWhy, Pointer
from remuda.model.upload import Trial, TrialResult, Upload, UploadState

HERE = "0123456789ab"
IMAGE, CHILD = "debian", "child"
PASSED = {"p": Trial(result=TrialResult.PASSED)}


def word(at_s: float = 1.0, why: str = "why") -> Word:
    """Return ada's word."""
    return Word(who="ada", why=why, at_s=at_s)


def built(number: int, image: str = IMAGE, *, parent: BuildId | None = None) -> Build:
    """Return a finished build."""
    return Build(
        id=BuildId(image, number),
        state=BuildState.BUILT,
        why=Why.AGE,
        requested_s=1.0,
        since_s=1.0,
        parent=parent,
    )


def usable(number: int, image: str = IMAGE) -> Upload:
    """Return an upload that passed in provider p."""
    return Upload(
        id=UploadId(BuildId(image, number), HERE),
        state=UploadState.USABLE,
        since_s=1.0,
        trials=PASSED,
    )


def shelf(*numbers: int, current: int | None = None, previous: int | None = None) -> Shelf:
    """Return an image with usable builds, and a pointer to one of them."""
    pointer = None
    if current is not None:
        pointer = Pointer(image=IMAGE, provider="p", place=HERE, current=current, previous=previous)
    return Shelf(
        image=IMAGE,
        provider="p",
        place=HERE,
        pointer=pointer,
        builds={one: built(one) for one in numbers},
        uploads={one: usable(one) for one in numbers},
    )


def withdrawn(one: Shelf, number: int) -> Shelf:
    """Return the shelf with a build that its provider does not boot."""
    assert one.pointer is not None
    return replace(one, pointer=replace(one.pointer, withdrawn={number: word()}))


def revoked(one: Shelf, *numbers: int) -> Shelf:
    """Return the shelf with builds that are revoked."""
    changed = {n: replace(one.builds[n], revoked=Revocation(word=word())) for n in numbers}
    return replace(one, builds={**one.builds, **changed})


def test_the_first_usable_build_becomes_current() -> None:
    """And the pointer is made by it."""
    after = moves.advance(shelf(1, 2), now_s=5.0)

    assert after is not None
    assert (after.current, after.previous, after.generation) == (2, None, 1)
    assert after.moves[-1].kind is MoveWhy.FIRST


def test_a_newer_one_becomes_current_and_an_older_one_never() -> None:
    """Order is the number, however late an older one was proven."""
    after = moves.advance(shelf(1, 2, 3, current=2, previous=1), now_s=5.0)

    assert after is not None
    assert (after.current, after.previous) == (3, 2)
    assert moves.advance(shelf(1, 2, current=2), now_s=5.0) is None
    assert moves.advance(shelf(1, current=2), now_s=5.0) is None


def test_promote_takes_the_newest_or_the_one_that_is_named() -> None:
    """As a person wants it."""
    one = shelf(1, 2, 3, current=1)

    assert moves.promote(one, None, word()).current == 3
    assert moves.promote(one, 2, word()).current == 2


def test_rollback_goes_to_the_one_before_and_withdraws_the_bad_one() -> None:
    """Which no advance takes again, and a rollback after it goes on to the next older one."""
    after = moves.rollback(shelf(1, 2, 3, 4, current=4, previous=2), word())
    again = replace(shelf(1, 2, 3, 4), pointer=after)

    assert (after.current, after.previous, set(after.withdrawn)) == (2, 1, {4})
    assert moves.advance(again, now_s=2.0) is not None  # build 3 is newer, and nobody refused it
    assert moves.rollback(again, word()).current == 1


def test_a_rollback_steps_over_what_is_not_usable() -> None:
    """The previous one may have been revoked since."""
    after = moves.rollback(revoked(shelf(1, 2, 3, current=3, previous=2), 2), word())

    assert (after.current, after.previous) == (1, None)


def test_pins_hold_while_current_moves_on() -> None:
    """Until they are removed, or over."""
    pinned = moves.pin(shelf(1, 2, current=2), 1, word(), until_s=9.0)
    moved = moves.advance(replace(shelf(1, 2, 3), pointer=pinned), now_s=5.0)

    assert moved is not None
    assert (moved.current, moved.served(8.0), moved.served(9.0)) == (3, 1, 3)
    assert moves.unpin(replace(shelf(1, 3), pointer=moved), word()).pinned is None


def test_a_provider_with_another_project_begins_anew() -> None:
    """What the pointer names lies where the provider does not look any more."""
    old = replace(shelf(5, current=7), place="ba9876543210")
    after = moves.advance(old, now_s=5.0)

    assert after is not None
    assert (after.place, after.current, after.previous) == ("ba9876543210", 5, None)
    with pytest.raises(MoveRefusedError, match="another project"):
        moves.rollback(old, word())


REFUSED = [
    (lambda: moves.promote(shelf(), None, word()), "no build of debian is usable in p"),
    (lambda: moves.promote(shelf(1, current=1), 1, word()), "is current in p already"),
    (lambda: moves.promote(shelf(1, 2, current=2), 1, word()), "use rollback, or pin it"),
    (lambda: moves.promote(shelf(1), 7, word()), "build 7 of debian is not in p"),
    (lambda: moves.promote(revoked(shelf(1), 1), 1, word()), "was revoked by ada: why"),
    (lambda: moves.rollback(shelf(), word()), "no usable build in p yet"),
    (lambda: moves.rollback(shelf(2, 3, current=2), word()), "is older than build 2"),
    (
        lambda: moves.rollback(
            replace(shelf(1, 2), pointer=moves.pin(shelf(1, 2, current=2), 1, word())), word()
        ),
        "unpin it first",
    ),
    (lambda: moves.pin(shelf(1, current=1), 1, word(9.0), until_s=9.0), "in the future"),
    (lambda: moves.unpin(shelf(1, current=1), word()), "is not pinned in p"),
    (lambda: moves.restore_here(shelf(1, current=1), 1, word()), "is not withdrawn in p"),
    (
        lambda: moves.restore_here(withdrawn(revoked(shelf(1, current=1), 1), 1), 1, word()),
        "in all providers",
    ),
    (
        lambda: moves.without(revoked(shelf(1, current=1), 1), word(), force=False),
        "no usable build of debian would be left in p",
    ),
]


@pytest.mark.parametrize(("verb", "says"), REFUSED, ids=[says for _, says in REFUSED])
def test_each_refusal_is_one_sentence(verb: object, says: str) -> None:
    """It becomes what the command line says."""
    with pytest.raises(MoveRefusedError, match=says) as caught:
        verb()  # type: ignore[operator]
    assert not str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"state": UploadState.VALIDATING}, "is validating in p, not usable"),
        ({"state": UploadState.RETIRING}, "is retiring in p, not usable"),
        ({"trials": {"q": PASSED["p"]}}, "has not passed its checks in p"),
    ],
)
def test_what_is_not_proven_here_is_not_pointed_at(change: dict[str, object], says: str) -> None:
    """Not even if it was proven in a neighbour that shares it."""
    one = shelf(1, 2, current=1)
    unfit = replace(one, uploads={**one.uploads, 2: replace(usable(2), **change)})  # type: ignore[arg-type]

    assert moves.advance(unfit, now_s=2.0) is None
    with pytest.raises(MoveRefusedError, match=says):
        moves.pin(unfit, 2, word())


def family() -> dict[BuildId, Build]:
    """Return a build, its child, and its grandchild."""
    parent = built(1)
    child = built(1, CHILD, parent=parent.id)
    grand = built(1, "grand", parent=child.id)
    return {one.id: one for one in (parent, child, grand)}


def test_children_are_revoked_with_their_parent_and_come_back_with_it() -> None:
    """But one that was revoked itself, or descends from such a one, stays so."""
    builds = family()
    first = revoking.revoke(builds, (), BuildId(CHILD, 1), word(why="own"))
    after = {**builds, **{one.id: one for one in first.builds}}
    second = revoking.revoke(after, (), BuildId(IMAGE, 1), word(why="parent"))
    both = {**after, **{one.id: one for one in second.builds}}

    assert [one.id.image for one in first.builds] == [CHILD, "grand"]
    assert [one.id.image for one in second.builds] == [IMAGE]
    with pytest.raises(MoveRefusedError, match="descends from debian/1"):
        revoking.restore(both, (), BuildId(CHILD, 1), word())
    restored = {one.id: one for one in revoking.restore(both, (), BuildId(IMAGE, 1), word()).builds}
    assert [one for one, build in {**both, **restored}.items() if build.revoked is None] == [
        BuildId(IMAGE, 1)
    ]


def test_a_child_in_between_keeps_its_own_revocation() -> None:
    """The grandchild that was free of it falls under it when the parent is restored."""
    builds = family()
    first = revoking.revoke(builds, (), BuildId(IMAGE, 1), word(why="parent"))
    after = {**builds, **{one.id: one for one in first.builds}}
    second = revoking.revoke(after, (), BuildId(CHILD, 1), word(why="own"))
    both = {**after, **{one.id: one for one in second.builds}}
    third = revoking.restore(both, (), BuildId(IMAGE, 1), word())
    last = {**both, **{one.id: one for one in third.builds}}

    assert last[BuildId(IMAGE, 1)].revoked is None
    grand = last[BuildId("grand", 1)].revoked
    assert grand is not None
    assert grand.inherited == BuildId(CHILD, 1)


def test_a_family_that_goes_in_circles_ends() -> None:
    """No record ends a process."""
    one, two = built(1, parent=BuildId(CHILD, 1)), built(1, CHILD, parent=BuildId(IMAGE, 1))
    builds = {one.id: one, two.id: two}
    after = revoking.revoke(builds, (), one.id, word())

    assert len(after.builds) == 2
    assert all(each.revoked is not None for each in after.builds)


def test_a_revocation_by_force_halts_and_restoring_it_serves_again() -> None:
    """The pointer names it all the time."""
    one = shelf(1, current=1)
    builds = {BuildId(IMAGE, 1): built(1)}
    with pytest.raises(MoveRefusedError, match="--force"):
        revoking.revoke(builds, (one,), BuildId(IMAGE, 1), word())
    forced = revoking.revoke(builds, (one,), BuildId(IMAGE, 1), word(), force=True)
    (halted,) = forced.pointers
    again = revoking.restore(
        {one.id: one for one in forced.builds},
        (replace(one, pointer=halted),),
        BuildId(IMAGE, 1),
        word(2.0),
    )

    assert (halted.current, halted.served(2.0)) == (1, None)
    assert [pointer.served(2.0) for pointer in again.pointers] == [1]


class Pointing(RuleBasedStateMachine):
    """Any history of builds, verdicts and commands over one pointer."""

    def __init__(self) -> None:
        """Begin with nothing."""
        super().__init__()
        self.shelf = shelf()
        self.now_s = 1.0

    def put(self, pointer: Pointer | None) -> None:
        """Check one move, and make it."""
        if pointer is None:
            return
        before = self.shelf.pointer
        newly = {number for _, number in pointer.named()}
        newly -= {number for _, number in before.named()} if before else set()
        bare = replace(self.shelf, pointer=pointer)
        assert [bare.why_not(number) for number in newly] == [None] * len(newly)
        assert pointer.generation == (before.generation if before else 0) + 1
        assert len(pointer.moves) <= MOVES_MAX
        if before is not None and pointer.current < before.current:
            assert pointer.moves[-1].kind in {MoveWhy.ROLLBACK, MoveWhy.REVOKE}
        self.shelf = bare

    def give(self, verb: str, *args: object, **more: object) -> None:
        """Give a command that may be refused."""
        self.now_s += 1.0
        try:
            self.put(getattr(moves, verb)(self.shelf, *args, **more))
        except MoveRefusedError:
            return

    @rule(passed=st.booleans())
    def build(self, passed: bool) -> None:  # noqa: FBT001
        """Let there be a new one."""
        number = max(self.shelf.builds, default=0) + 1
        upload = usable(number) if passed else replace(usable(number), state=UploadState.STORED)
        self.shelf = replace(
            self.shelf,
            builds={**self.shelf.builds, number: built(number)},
            uploads={**self.shelf.uploads, number: upload},
        )

    @rule(data=st.data())
    @precondition(lambda self: self.shelf.uploads)
    def prove_late(self, data: st.DataObject) -> None:
        """Let an old one pass at last."""
        number = data.draw(st.sampled_from(sorted(self.shelf.uploads)))
        self.shelf = replace(self.shelf, uploads={**self.shelf.uploads, number: usable(number)})

    @rule()
    def advance(self) -> None:
        """As a builder does."""
        self.now_s += 1.0
        self.put(moves.advance(self.shelf, now_s=self.now_s))

    @rule(number=st.none() | st.integers(1, 9))
    def promote(self, number: int | None) -> None:
        """As a person does."""
        self.give("promote", number, word(self.now_s))

    @rule()
    def rollback(self) -> None:
        """As a person does."""
        self.give("rollback", word(self.now_s))

    @rule(number=st.integers(1, 9), ends=st.none() | st.integers(0, 4))
    def pin(self, number: int, ends: int | None) -> None:
        """As a person does."""
        until_s = None if ends is None else self.now_s + ends
        self.give("pin", number, word(self.now_s), until_s=until_s)

    @rule()
    def unpin(self) -> None:
        """As a person does."""
        self.give("unpin", word(self.now_s))

    @rule(number=st.integers(1, 9), force=st.booleans())
    def revoke(self, number: int, force: bool) -> None:  # noqa: FBT001
        """As a person does."""
        builds = {one.id: one for one in self.shelf.builds.values()}
        try:
            after = revoking.revoke(
                builds, (self.shelf,), BuildId(IMAGE, number), word(self.now_s), force=force
            )
        except MoveRefusedError:
            return
        self.change(after)
        pointer = self.shelf.pointer
        assert pointer is None or pointer.served(self.now_s) != number

    @rule(number=st.integers(1, 9))
    def restore(self, number: int) -> None:
        """As a person does."""
        builds = {one.id: one for one in self.shelf.builds.values()}
        try:
            self.change(
                revoking.restore(builds, (self.shelf,), BuildId(IMAGE, number), word(self.now_s))
            )
        except MoveRefusedError:
            return

    def change(self, after: revoking.Changes) -> None:
        """Write builds and pointers at once."""
        builds = {one.id.number: one for one in after.builds}
        self.shelf = replace(self.shelf, builds={**self.shelf.builds, **builds})
        for pointer in after.pointers:
            self.put(pointer)

    @invariant()
    def what_is_served_is_proven(self) -> None:
        """And once there was a current, there is one."""
        pointer = self.shelf.pointer
        if pointer is None:
            return
        served = pointer.served(self.now_s)
        if served is None:
            assert self.shelf.why_not(pointer.chosen(self.now_s)) is not None
        else:
            assert self.shelf.why_not(served) is None
        assert pointer.previous is None or pointer.previous < pointer.current


Pointing.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestPointing = Pointing.TestCase
