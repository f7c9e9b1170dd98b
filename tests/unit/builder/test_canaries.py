"""A newer build on a part of the requests: when that begins, and how it ends."""

from dataclasses import replace
from typing import Any, Final

import pytest

from builder.alarm.actions import RaiseAlarm
from builder.decide import decide
from builder.fold import Fold
from builder.pointer.actions import MovePointer
from builder.recipe.compile import ConfiguredImages, canary_plan
from builder.records import Records
from builder.world import World
from remuda.config.images import CanaryFrom
from remuda.frame.set_aside import SetAside
from remuda.images.moves import MoveRefusedError, let_go, try_out, withdraw
from remuda.metrics.sink import NullMetrics
from remuda.model.image import OURSELVES, ImageRecord, Word
from remuda.model.pointer import Canary, MoveWhy, Pin, Pointer, encode_pointer
from remuda.model.tally import BuildTally, Counts, Tally, encode_tally
from remuda.store import paths
from remuda.store.api import Put, Stored
from tests.unit.builder.judging import (
    HERE,
    ME,
    NOW_S,
    POLICY,
    REVOKED,
    WORD,
    build,
    some,
    upload,
    world,
)
from tests.unit.launcher.reading import Heard

PLAN: Final = canary_plan(CanaryFrom(share=0.25))
TRYING: Final = replace(POLICY, canary=PLAN)
POINTER: Final = Pointer(image="a", provider="p", place=HERE, current=1)
CANARY: Final = Canary(number=2, share=0.25, since_s=NOW_S - 60.0)
TRIED: Final = replace(POINTER, canary=CANARY)
BUILDS: Final = [build(1), build(2)]
UPLOADS: Final = [upload(1), upload(2)]
NAME: Final = "pointer of a in p"


def tally(ok: int, failed: int) -> Tally:
    """Return what is counted in p: of the current build twenty launches, and of build 2."""
    of_current = BuildTally(launches={"small": Counts(19, 1)})
    tried = BuildTally(launches={"small": Counts(ok, failed)})
    return Tally(image="a", provider="p", builds={1: of_current, 2: tried})


def judge(pointer: Pointer, counted: Tally | None = None, **more: Any) -> Any:
    """Return the plan, and where the pointer of p goes, if it moves."""
    tallies = [] if counted is None else [counted]
    known = {"policies": {"a": TRYING}, **more}
    plan = decide(world(BUILDS, UPLOADS, [pointer], tallies=tallies, **known))
    found = [one.after for one in some(plan, MovePointer) if one.provider == "p"]
    return plan, found[0] if found else None


def test_a_newer_build_is_tried_before_it_becomes_current() -> None:
    """On a part of the requests; how the current one does is compared from then on."""
    _, after = judge(POINTER, tally(0, 0))

    assert (after.current, after.previous) == (1, None)
    assert after.canary == Canary(
        number=2, share=0.25, since_s=NOW_S, before=Counts(19, 1), own=tally(0, 0).of(2)
    )
    assert after.moves[-1].kind is MoveWhy.CANARY
    assert after.moves[-1].word.why == "build 2 is tried on 0.25 of all requests"


def test_the_first_build_of_all_is_current_at_once() -> None:
    """As is one that comes when launches can boot nothing: there is nothing to compare with."""
    plan = decide(world([build(1)], [upload(1)], policies={"a": TRYING}))
    (first,) = [one.after for one in some(plan, MovePointer) if one.provider == "p"]
    assert (first.current, first.canary) == (1, None)

    _, after = judge(replace(POINTER, withdrawn={1: WORD}))
    assert (after.current, after.canary) == (2, None)


def test_too_few_launches_are_said_and_waited_for() -> None:
    """With what is counted, and what is left; by time if there is one."""
    plan, after = judge(TRIED, tally(3, 0))
    assert after is None
    assert plan.waits[NAME].startswith("build 2 is tried: 3 launches, 0 failed (current meanwhile")

    timed = replace(TRYING, canary=replace(PLAN, after_s=3660.0))
    plan, _ = judge(TRIED, tally(3, 0), policies={"a": timed})
    assert plan.wake_at_s == NOW_S + 3600.0
    plan, after = judge(
        replace(TRIED, canary=replace(CANARY, since_s=NOW_S - 3660.0)),
        tally(3, 0),
        policies={"a": timed},
    )
    assert after.current == 2


def test_a_good_one_becomes_current() -> None:
    """In our name, with what was counted."""
    _, after = judge(TRIED, tally(36, 0))

    assert (after.current, after.previous, after.canary) == (2, 1, None)
    assert (after.moves[-1].kind, after.moves[-1].word.who) == (MoveWhy.PROMOTE, OURSELVES)
    assert after.moves[-1].word.why.startswith("36 launches, 0 failed")


def test_a_bad_one_is_withdrawn_with_an_alarm() -> None:
    """Nobody tries it again here; the alarm stays until something newer is current."""
    plan, after = judge(TRIED, tally(0, 3))
    assert (after.current, after.canary, set(after.withdrawn)) == (1, None, {2})
    assert after.moves[-1].kind is MoveWhy.WITHDRAW

    plan, then = judge(after, tally(0, 3))
    assert then is None
    text = f"build 2 was tried in p, and withdrawn: {after.withdrawn[2].why}"
    assert RaiseAlarm(image="a", text=text) in plan.actions
    later = replace(after, current=3)
    assert not some(judge(later)[0], RaiseAlarm)
    by_somebody = replace(after, withdrawn={2: WORD})
    assert not some(judge(by_somebody)[0], RaiseAlarm)


def test_what_is_tried_is_tried_to_its_end() -> None:
    """Or a build each night would keep all of them from becoming current."""
    known = world(
        [*BUILDS, build(3)],
        [*UPLOADS, upload(3)],
        [TRIED],
        tallies=[tally(5, 0)],
        policies={"a": TRYING},
    )
    assert not [one for one in some(decide(known), MovePointer) if one.provider == "p"]


@pytest.mark.parametrize(("ok", "failed"), [(36, 0), (0, 0)])
def test_a_pause_keeps_a_build_from_more_requests(ok: int, failed: int) -> None:
    """It neither begins to be tried, nor becomes current; it is still withdrawn."""
    paused = ImageRecord(name="a", last_build=2, paused=WORD)
    bare = world(BUILDS, UPLOADS, [TRIED if ok else POINTER], tallies=[tally(ok, failed)])
    images = {"a": Stored(path=paths.image("a"), value=paused, version=7)}
    held = replace(bare, policies={"a": TRYING}, library=replace(bare.library, images=images))
    plan = decide(held)
    assert not some(plan, MovePointer)
    assert plan.waits[NAME] == f"paused by ada: {WORD.why}"

    bad = replace(held.library, pointers={("a", "p"): Stored(path="", value=TRIED, version=1)})
    bad = replace(bad, tallies={("a", "p"): Stored(path="", value=tally(0, 3), version=1)})
    (move,) = some(decide(replace(held, library=bad)), MovePointer)
    assert move.after.canary is None


def test_one_that_is_not_usable_any_more_is_let_go() -> None:
    """Deleted by command, for example; nothing bad is said of it."""
    gone = build(2, unwanted=WORD)
    known = world([build(1), gone], UPLOADS, [TRIED], policies={"a": TRYING})
    (move,) = [one for one in some(decide(known), MovePointer) if one.provider == "p"]

    assert (move.after.canary, move.after.withdrawn) == (None, {})
    assert move.after.moves[-1].word.why == f"build 2 of a was deleted by ada: {WORD.why}"


def test_without_a_plan_a_canary_becomes_current() -> None:
    """Whoever takes it out of the configuration wants the newest."""
    _, after = judge(TRIED, policies={"a": POLICY})
    assert (after.current, after.canary) == (2, None)


def test_somebody_withdraws_it() -> None:
    """By command; what is not tried cannot be."""
    shelf = world(BUILDS, UPLOADS, [TRIED]).shelf("a", next(iter(world([]).providers.values())))
    after = withdraw(shelf, WORD)

    assert (after.canary, after.withdrawn) == (None, {2: WORD})
    with pytest.raises(MoveRefusedError, match="no build of a is tried in p"):
        withdraw(replace(shelf, pointer=after), WORD)
    assert let_go(shelf, WORD).withdrawn == {}


def test_a_pin_holds_for_all_requests() -> None:
    """So does what was withdrawn."""
    word = Word(who="ada", why="x", at_s=NOW_S)

    assert TRIED.tried(NOW_S) == CANARY
    assert replace(TRIED, pinned=Pin(number=1, word=word)).tried(NOW_S) is None
    assert replace(TRIED, withdrawn={2: word}).tried(NOW_S) is None
    assert POINTER.tried(NOW_S) is None


def fold() -> tuple[Fold, Records]:
    """Return what folds changes into records."""
    made = World(me=ME, configured=ConfiguredImages())
    aside = SetAside(log=Heard(), metrics=NullMetrics())
    return Fold(world=made, aside=aside), made.records


def put(path: str, data: bytes | None) -> Put:
    """Return a change of a record; one that is closed to us has no data."""
    stored = None if data is None else Stored(path=path, value=data, version=1)
    return Put(path=path, stored=stored, closed=data is None)


def test_counts_are_judged_while_something_is_tried() -> None:
    """Else they come all day, and nothing follows from them."""
    one, records = fold()
    path, data = paths.tally("a", "p"), encode_tally(tally(1, 0))
    one.fold(put(paths.pointer("a", "p"), encode_pointer(POINTER)))
    one.world.dirty = False
    one.fold(put(path, data))
    assert not one.world.dirty
    assert records.library().tally("a", "p") == tally(1, 0)

    one.fold(put(paths.pointer("a", "p"), encode_pointer(TRIED)))
    one.world.dirty = False
    one.fold(put(path, data))
    assert one.world.dirty


@pytest.mark.parametrize("data", [b"", b"[]", b"{", None])
def test_counts_that_cannot_be_read_hinder_nothing(data: bytes | None) -> None:
    """They refer to nothing, so that deletions go on."""
    one, records = fold()
    one.fold(put(paths.tally("a", "p"), data))

    assert records.unreadable == set()
    assert records.library().tally("a", "p") == Tally(image="a", provider="p")


@pytest.mark.parametrize("pointer", [None, replace(POINTER, current=2), TRIED])
def test_nothing_is_tried_without_something_newer_to_compare(pointer: Pointer | None) -> None:
    """Nor instead of what is tried already."""
    some = [] if pointer is None else [pointer]
    shelf = world(BUILDS, UPLOADS, some).shelf("a", next(iter(world([]).providers.values())))

    assert try_out(shelf, 0.1, tally(1, 1), now_s=NOW_S) is None


def test_one_that_is_given_back_is_tried_anew() -> None:
    """What was counted before does not count again: or it would be withdrawn at once."""
    counted = tally(0, 3)
    _, tried = judge(POINTER, counted)
    assert tried.canary.own == counted.of(2)
    plan, after = judge(tried, counted)
    assert after is None
    assert "0 launches, 0 failed" in plan.waits[NAME]

    _, after = judge(tried, tally(0, 6))
    assert set(after.withdrawn) == {2}


def test_a_revocation_of_the_current_build_ends_the_trial() -> None:
    """Whatever becomes current then: the canary was compared with what is gone."""
    revoked = [build(1, revoked=REVOKED), build(2), build(3)]
    known = world(revoked, [*UPLOADS, upload(3)], [TRIED], policies={"a": TRYING})
    (move,) = [one for one in some(decide(known), MovePointer) if one.provider == "p"]
    assert (move.after.current, move.after.canary) == (3, None)


@pytest.mark.parametrize("current", [2, 3])
def test_a_record_that_tries_what_is_current_ends_no_builder(current: int) -> None:
    """Or is older; it is let go."""
    odd = replace(TRIED, current=current)
    known = world(
        [*BUILDS, build(3), build(4)],
        [*UPLOADS, upload(3), upload(4)],
        [odd],
        tallies=[tally(36, 0)],
        policies={"a": TRYING},
    )
    (move,) = [one for one in some(decide(known), MovePointer) if one.provider == "p"]
    assert (move.after.current, move.after.canary) == (current, None)
