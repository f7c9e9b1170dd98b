"""When pointers move by themselves, what is said of what they name, and who may hinder it."""

from dataclasses import replace
from typing import Any

import pytest

from builder.alarm.actions import RaiseAlarm
from builder.decide import decide
from builder.pointer.actions import MovePointer
from builder.policy import ImagePolicy
from builder.writes import write as write_action
from remuda.images import revoking
from remuda.images.moves import Shelf
from remuda.model.image import Word
from remuda.model.pointer import Pin, Pointer
from remuda.store import paths
from remuda.store.api import Check
from tests.unit.builder.judging import (
    HERE,
    NOW_S,
    POLICY,
    REVOKED,
    THERE,
    WORD,
    build,
    some,
    upload,
    world,
)

FRESH = replace(POLICY, fresh_s_max=100.0)
POINTER = Pointer(image="a", provider="p", place=HERE, current=1)


def alarms(*args: Any, **more: Any) -> list[str]:
    """Return what is said of an image of which all is known but this."""
    return [one.text for one in some(decide(world(*args, **more)), RaiseAlarm)]


def test_what_was_taken_away_by_force_comes_back_with_its_build() -> None:
    """For it is withdrawn in the words of whoever revoked it, whichever builder did it."""
    revoked = build(1, revoked=REVOKED)
    known = world([revoked], [upload(1)], [POINTER])
    (away,) = [one for one in some(decide(known), MovePointer) if one.provider == "p"]
    assert away.after.withdrawn == {1: WORD}
    assert away.after.served(NOW_S) is None

    shelf = Shelf(
        image="a",
        provider="p",
        place=HERE,
        pointer=away.after,
        builds={1: revoked},
        uploads={1: upload(1)},
    )
    ada = Word(who="ada", why="it was not the kernel", at_s=NOW_S)
    (back,) = revoking.restore({revoked.id: revoked}, [shelf], revoked.id, ada).pointers
    assert back.served(NOW_S) == 1


def test_a_pause_in_between_hinders_a_move() -> None:
    """The write names the version of the image's own record."""
    known = world([build(1)], [upload(1)])
    (first,) = [one for one in some(decide(known), MovePointer) if one.provider == "p"]

    ops = write_action(known, first)

    assert Check(path=paths.image("a"), version=7) in ops
    bare = replace(known, library=replace(known.library, images={}))
    assert not [one for one in write_action(bare, first) if isinstance(one, Check)]


OLD = replace(POINTER, place="c" * 12)
SERVING = upload(1, OLD.place)


@pytest.mark.parametrize(
    "policy",
    [
        replace(POLICY, paused=True),
        replace(POLICY, auto=False),
        replace(POLICY, window_s=lambda now_s: now_s + 60.0),
    ],
    ids=["paused", "by hand", "window"],
)
def test_a_provider_with_another_project_moves_when_it_may(policy: ImagePolicy) -> None:
    """As everywhere, if its launches still have something to boot; else there is no worse."""
    builds, policies = [build(1), build(2)], {"a": policy}

    def moved(*uploads: Any, pointer: Pointer = OLD) -> bool:
        known = world(builds, [upload(2), *uploads], [pointer], policies=policies)
        return any(one.provider == "p" for one in some(decide(known), MovePointer))

    assert not moved(SERVING)
    assert moved()
    assert moved(SERVING, pointer=replace(OLD, withdrawn={1: WORD}))


def test_a_pin_that_goes_with_its_place_is_said() -> None:
    """Somebody relies on it."""
    pinned = replace(OLD, pinned=Pin(number=1, word=WORD))
    builds, uploads = [build(1), build(2)], [upload(2), SERVING]

    assert alarms(builds, uploads, [pinned]) == [
        "p is not pinned to build 1 any more: its images lie in another place"
    ]
    assert alarms(builds, uploads, [OLD]) == []


def test_freshness_needs_nothing_but_the_pointer() -> None:
    """A provider of which nothing is known is where images grow old."""
    found = alarms([build(1)], [upload(1)], [POINTER], providers={}, policies={"a": FRESH})

    assert "build 1, which p boots, is older than its limit" in found


@pytest.mark.parametrize("policy", [FRESH, POLICY], ids=["with a limit", "without one"])
def test_launches_that_wait_are_said_at_once(policy: ImagePolicy) -> None:
    """Whether the pointer says it, or the build; and however old images may be."""
    new, revoked = build(1, requested_s=NOW_S), build(1, requested_s=NOW_S, revoked=REVOKED)
    halted = replace(POINTER, withdrawn={1: WORD})
    policies = {"a": policy}
    by_pointer = world([new], [upload(1)], [halted], providers={}, policies=policies)
    by_build = world([revoked], [upload(1)], [POINTER], providers={}, policies=policies)
    for known in (by_pointer, by_build):
        texts = [one.text for one in some(decide(known), RaiseAlarm)]
        assert texts == ["build 1 was taken away in p: launches wait"]


def test_a_provider_that_never_had_a_build_is_said() -> None:
    """Counted from the first that was made for it."""
    old, new = build(1), build(2, requested_s=NOW_S)
    policies = {"a": FRESH}

    assert alarms([old, new], policies=policies) == [
        "p has no build to boot, for longer than the limit",
        "q has no build to boot, for longer than the limit",
    ]
    assert alarms([replace(old, group=("p",)), new], policies=policies) == [
        "p has no build to boot, for longer than the limit"
    ]
    early = decide(world([replace(old, requested_s=NOW_S - 99.0)], policies=policies))
    assert not some(early, RaiseAlarm)
    assert early.wake_at_s == NOW_S + 1.0


def test_the_other_place_keeps_its_own_pointer() -> None:
    """What is said of one provider is not said of the other."""
    there = replace(POINTER, provider="q", place=THERE)
    uploads = [upload(1), upload(1, THERE)]

    assert alarms([build(1)], uploads, [POINTER, there]) == []
