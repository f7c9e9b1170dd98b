"""What becomes of uploads that wait, and of those that came to nothing."""

from dataclasses import replace

import pytest

from builder.alarm.actions import RaiseAlarm
from builder.build.actions import RetireBuild
from builder.decide import decide
from builder.upload import outcome as upload_outcome
from builder.upload.actions import (
    BeginUpload,
    CondemnUpload,
    DropUpload,
    RetireUpload,
    TakeUpload,
    TryUpload,
)
from builder.view import WorldView
from remuda.model.build import BuildState
from remuda.model.image import BuildId, UploadId
from remuda.model.pointer import Pointer
from remuda.model.upload import ENDED, Method, Trial, Upload, UploadEvent, UploadState
from remuda.store import paths
from tests.unit.builder.judging import (
    HERE,
    NOW_S,
    POLICY,
    REVOKED,
    THERE,
    build,
    pending,
    some,
    upload,
    world,
)

AWAY = {"q": "the cloud is away"}


def dropped(known: WorldView) -> list[Upload]:
    """Return all uploads as they are after what is dropped."""
    drops = {one.id: one for one in some(decide(known), DropUpload)}
    return [
        upload_outcome.dropped(one, drops[one.id].event, drops[one.id].mishap, POLICY, now_s=NOW_S)
        if one.id in drops
        else one
        for one in known.uploads()
    ]


def test_a_provider_that_is_away_keeps_nothing_in_the_others() -> None:
    """A copy that waits refers to its build; only the newest is carried when it is back."""
    builds = [build(number) for number in range(1, 6)]
    uploads = [*(upload(n) for n in range(1, 6)), *(pending(n) for n in range(1, 6))]
    known = world(builds, uploads, away=AWAY)
    assert not some(decide(known), RetireUpload)

    after = dropped(known)

    assert [one.id.build.number for one in after if one.state is UploadState.PENDING] == [5]
    retired = some(decide(world(builds, after, away=AWAY)), RetireUpload)
    assert [one.id for one in retired] == [UploadId(BuildId("a", n), HERE) for n in (1, 2, 3)]
    back = some(decide(world(builds, after)), TakeUpload)
    assert [one.id.build.number for one in back] == [5]


@pytest.mark.parametrize(
    "newer",
    [
        (build(2, revoked=REVOKED), pending(2)),
        (build(2, group=("q",)), pending(2)),
        (build(2), pending(2, state=UploadState.FAILED)),
        (build(2, BuildState.BUILDING), upload(2)),
    ],
)
def test_a_copy_is_given_up_only_for_a_newer_one_there(newer: tuple[object, Upload]) -> None:
    """Which is wanted, for the same providers, and has not come to nothing."""
    one, there = newer
    known = world([build(1), one], [upload(1), pending(1), there])  # type: ignore[list-item]

    assert pending(1).id not in {drop.id for drop in some(decide(known), DropUpload)}


def test_what_nobody_proved_goes_when_a_newer_build_is_whole_there() -> None:
    """One that is only on its way does not count: else slow copies would never be proven."""
    stored = pending(1, state=UploadState.STORED, method=Method.CARRY, cloud_image="c1")
    newer = replace(stored, id=pending(2).id, cloud_image="c2")
    builds = [build(1), build(2)]
    known = world(builds, [upload(1), upload(2), stored, newer], away=AWAY)
    on_its_way = world(builds, [upload(1), upload(2), stored, pending(2)])

    drops = some(decide(known), DropUpload)
    sharing = upload(1, method=Method.SHARE, source=THERE)
    shared = world(builds, [sharing, upload(2), stored, newer])

    assert not some(decide(shared), DropUpload)
    assert [(one.id, one.event) for one in drops] == [(stored.id, UploadEvent.REJECTED)]
    assert [one.id for one in some(decide(on_its_way), TryUpload)] == [stored.id]


def test_a_copy_waits_while_what_it_is_made_from_cannot_be_read() -> None:
    """It may be whole; and the folder that it lies in stays."""
    odd = (paths.upload(UploadId(BuildId("a", 1), HERE)),)
    copy = decide(world([build(1)], [pending(1)], unreadable=odd))
    alone = decide(world([build(1)], unreadable=odd))

    assert not some(copy, DropUpload)
    assert "cannot be read" in copy.waits[str(pending(1).id)]
    assert not some(alone, RetireBuild)
    assert some(decide(world([build(1)], [pending(1)])), DropUpload)
    assert some(decide(world([build(1)])), RetireBuild)


@pytest.mark.parametrize("state", sorted(ENDED | {UploadState.PENDING}))
def test_a_build_is_spread_only_while_it_is_whole_somewhere(state: UploadState) -> None:
    """There would be nothing to make the copy from."""
    ended = decide(world([build(1)], [upload(1, state=state, trials={})]))
    whole = decide(world([build(1)], [upload(1)]))

    assert not some(ended, BeginUpload)
    assert [one.id.place for one in some(whole, BeginUpload)] == [THERE]


@pytest.mark.parametrize("revoked", [None, REVOKED])
def test_what_came_to_nothing_retires_when_nothing_refers_to_it(revoked: object) -> None:
    """As what is proven does: a copy that was shared refers to its source."""
    source = upload(1, state=UploadState.REJECTED, trials={}, since_s=0.0)
    shared = upload(1, THERE, method=Method.SHARE, source=HERE)
    policy = replace(POLICY, evidence_s=60.0)
    builds = [build(1, revoked=revoked)]

    held = decide(world(builds, [source, shared], policies={"a": policy}))
    free = decide(world(builds, [source], policies={"a": policy}))

    assert source.id not in {one.id for one in some(held, RetireUpload)}
    assert "refers to it" in held.waits[str(source.id)]
    assert [one.id for one in some(free, RetireUpload)] == [source.id]


def test_a_clock_that_was_ahead_holds_nothing_up() -> None:
    """Neither a copy, nor a trial, nor what retires; what it wrote is no news of anything."""
    ahead_s = NOW_S + 1e8
    copy = decide(world([build(1)], [upload(1), pending(1, retry_s=ahead_s)]))
    trial = pending(1, state=UploadState.STORED, trials={"q": Trial(retry_s=ahead_s)})
    tried = decide(world([build(1)], [upload(1), trial]))
    retiring = upload(1, state=UploadState.RETIRING, since_s=ahead_s)

    assert some(copy, TakeUpload)
    assert [one.provider for one in some(tried, TryUpload)] == ["q"]
    assert some(decide(world([build(1)], [retiring])), CondemnUpload)
    soon = decide(world([build(1)], [upload(1), pending(1, retry_s=NOW_S + 60.0)]))
    assert not some(soon, TakeUpload)


def test_what_a_cloud_spoils_again_and_again_is_told() -> None:
    """It is neither a verdict nor silent; it ends with the first word about the image."""
    spoiled = {"p": Trial(spoiled=3, why="no valid host", retry_s=NOW_S + 240.0)}
    known = world([build(1)], [upload(1, state=UploadState.STORED, trials=spoiled)])
    found = decide(known)
    alarms = [one.text for one in some(found, RaiseAlarm)]
    twice = replace(spoiled["p"], spoiled=2)

    assert alarms == ["build 1 cannot be tried in p: its machines fail by no fault of the image"]
    said = "p: no valid host (3 times in a row, and not by the image)"
    assert found.waits[str(UploadId(BuildId("a", 1), HERE))] == said
    assert not some(found, TryUpload)
    for one in (
        world([build(1)], [upload(1, state=UploadState.STORED, trials={"p": twice})]),
        world([build(1)], [upload(1, state=UploadState.FAILED, trials=spoiled)]),
        world([build(1, revoked=REVOKED)], [upload(1, trials=spoiled)]),
    ):
        assert not some(decide(one), RaiseAlarm)


@pytest.mark.parametrize(
    ("copy", "why"),
    [
        ({"spoiled": 2}, None),
        ({"spoiled": 3}, "again and again, by no fault of the image"),
        ({"spoiled": 3, "state": UploadState.MAKING}, "again and again, by no fault of the image"),
        ({"state": UploadState.FAILED, "attempt": 3}, "it was given up"),
        ({"state": UploadState.FAILED}, None),
    ],
)
def test_there_is_an_alarm_about_a_copy_that_does_not_come(
    copy: dict[str, object], why: str | None
) -> None:
    """Only people can mend the way there; what was given up for a newer build needs nobody."""
    told = [] if why is None else [f"build 1 cannot be copied for q: {why}"]
    known = world([build(1)], [upload(1), pending(1, **copy)])

    assert [one.text for one in some(decide(known), RaiseAlarm)] == told
    newer = Pointer(image="a", provider="q", place=THERE, current=2)
    behind = world([build(1)], [upload(1), pending(1, **copy)], [newer])
    assert some(decide(behind), RaiseAlarm) == []
