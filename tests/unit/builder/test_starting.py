"""What a build starts from: its base, another image, or what is current of its own."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from builder.build.actions import TakeBuild
from builder.decide import decide
from builder.view import WorldView
from builder.writes import write as write_action
from remuda.images import references
from remuda.images.references import ReferenceKind
from remuda.model.build import Base, Build, BuildState, Why, decode_build
from remuda.model.image import BuildId, UploadId
from remuda.model.pointer import Pin, Pointer
from remuda.model.upload import Upload, UploadState
from remuda.store.api import Set
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

BASE = Base(id="debian")
DELTA = replace(POLICY, full_every=3)
POINTER = Pointer(image="a", provider="p", place=HERE, current=1)
FIRST = build(1, base=BASE)
WANTED = build(9, BuildState.REQUESTED, why=Why.SCHEDULE, provider=None, place=None)


def known(
    builds: Sequence[Build] = (FIRST,),
    *,
    wanted: Build = WANTED,
    pointer: Pointer = POINTER,
    uploads: Sequence[Upload] = (upload(1),),
    **more: Any,
) -> WorldView:
    """Return what is known when a build is to be begun."""
    fields: dict[str, Any] = {
        "policies": {"a": DELTA},
        "bases": {("a", name): BASE for name in ("p", "q")},
        **more,
    }
    return world([*builds, wanted], uploads, [pointer], **fields)


def taken(view: WorldView) -> TakeBuild:
    """Return how it is begun."""
    (action,) = some(decide(view), TakeBuild)
    return action


def starts_from_current(view: WorldView) -> bool:
    """Whether it starts from what is current; else from its base."""
    action = taken(view)
    assert action.parent is not None or action.base == BASE
    return action.parent is not None


def test_a_build_by_schedule_starts_from_what_is_current() -> None:
    """It refers to that, and says from what that came."""
    view = known()
    action = taken(view)
    ops = write_action(view, action)
    first = ops[0]
    assert isinstance(first, Set)
    begun = decode_build(WANTED.id, first.data)

    assert action.parent == UploadId(BuildId("a", 1), HERE)
    assert (begun.parent, begun.base, begun.since_full) == (FIRST.id, BASE, 1)
    assert begun.foundation is None
    holders = replace(view.library.holders(), builds=(begun,))
    (reference,) = references.index(holders)[UploadId(FIRST.id, HERE)][-1:]
    assert reference.kind is ReferenceKind.CHILD


@pytest.mark.parametrize("why", [one for one in Why if one not in {Why.SCHEDULE, Why.AGE}])
def test_whoever_wants_something_else_starts_from_the_base(why: Why) -> None:
    """A command, another recipe or base."""
    assert starts_from_current(known(wanted=replace(WANTED, why=Why.AGE)))
    assert not starts_from_current(known(wanted=replace(WANTED, why=why)))


def test_each_third_one_starts_from_the_base() -> None:
    """Those that were the same count, and so does what the current one has gathered."""
    same = {"state": BuildState.SAME, "same_as": 1, "base": BASE}
    second = build(2, since_full=1, **same)
    third = build(3, since_full=2, **same)
    fourth = build(4, **same)
    heavy = replace(FIRST, since_full=2)

    assert taken(known([FIRST, second])).since_full == 2
    assert not starts_from_current(known([FIRST, second, third]))
    assert taken(known([FIRST, second, third, fourth])).since_full == 1
    assert not starts_from_current(known([heavy, build(2, base=BASE)]))
    assert not starts_from_current(known(policies={"a": POLICY}))


def test_a_failure_is_followed_by_one_from_the_base() -> None:
    """Steps that do not bear to run twice fail where they have run already."""
    failed = build(2, BuildState.FAILED, since_s=NOW_S - 90_000.0)

    assert not starts_from_current(known([FIRST, failed]))
    assert starts_from_current(known([FIRST, replace(failed, state=BuildState.SUPERSEDED)]))


@pytest.mark.parametrize(
    "more",
    [
        {"builds": [replace(FIRST, revoked=REVOKED)]},
        {"builds": [replace(FIRST, unwanted=WORD)]},
        {"builds": [replace(FIRST, fingerprint="g")]},
        {"builds": [replace(FIRST, base=Base(id="older"))]},
        {"builds": [replace(FIRST, provider="q", place=THERE)]},
        {"builds": [FIRST, build(2, BuildState.BUILT, base=BASE, provider="q")]},
        {"builds": []},
        {"uploads": []},
        {"uploads": [upload(1, state=UploadState.RETIRING)]},
        {"pointer": replace(POINTER, place=THERE)},
        {"pointer": replace(POINTER, withdrawn={1: WORD})},
        {
            "builds": [FIRST, build(2, base=BASE)],
            "uploads": [upload(1), upload(2)],
            "pointer": replace(POINTER, current=2, pinned=Pin(number=1, word=WORD)),
        },
    ],
)
def test_what_nobody_may_start_from_is_left_alone(more: dict[str, Any]) -> None:
    """Revoked, made by another recipe, not booted for good."""
    assert not starts_from_current(known(**more))


def test_the_base_is_that_of_the_last_one() -> None:
    """Another base that made no difference is no reason for the next build, and none to begin."""
    other = Base(id="newer")
    second = build(2, BuildState.SAME, same_as=1, base=other)
    view = known(
        [FIRST, second],
        bases={("a", name): other for name in ("p", "q")},
    )

    action = taken(view)
    assert (action.parent, action.base) == (UploadId(FIRST.id, HERE), other)


def test_a_child_still_knows_the_image_that_it_rests_on() -> None:
    """A revocation of that one finds it, and another build of that one is a reason to build."""
    child = build(1, parent=BuildId("core", 7))
    policy = replace(DELTA, parent="core")
    core = Pointer(image="core", provider="p", place=HERE, current=7)
    view = known([child], policies={"a": policy}, bases={})
    view.library.pointers["core", "p"] = replace(  # type: ignore[index]
        view.library.pointers["a", "p"], value=core
    )
    action = taken(view)

    assert action.parent == UploadId(child.id, HERE)
    assert (action.origin, action.base) == (BuildId("core", 7), None)
    begun = replace(child, parent=child.id, origin=action.origin)
    assert begun.foundation == BuildId("core", 7)
