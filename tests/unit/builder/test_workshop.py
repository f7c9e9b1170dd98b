"""Builders that crash, look at old records and meet faults: what holds always, and in the end."""

from typing import Final

import pytest

from builder.decide import decide
from remuda.images import references, writes
from remuda.model.build import UNDER_WAY, Build, BuildState
from remuda.model.upload import UploadState
from tests.unit.builder.setting import EVIDENCE_S, names
from tests.unit.builder.workshop import Workshop

STORM_TICKS = 250
CALM_TICKS_MAX = 600
RESTING = {UploadState.USABLE}


def explained(run: Workshop) -> None:
    """Fail if something waits, and no builder says why or does something about it."""
    said = names([run.plans[me] for me in run.living if me in run.plans])
    for build in run.known.builds.values():
        if build.value.state in UNDER_WAY:
            assert str(build.value.id) in said
    for upload in run.known.uploads.values():
        if upload.value.state not in RESTING:
            assert str(upload.value.id) in said


#: A build of which nothing has come.
_NOTHING: Final = frozenset({BuildState.FAILED, BuildState.SUPERSEDED})


def at_rest(run: Workshop) -> bool:
    """Whether nothing is left to do but to keep what is kept; users come and go all the time."""
    return (
        not run.running
        and all(_rests(run, one.value) for one in run.known.builds.values())
        and all(one.value.state is UploadState.USABLE for one in run.known.uploads.values())
        and not any(one.build.image == "first" for one in run.known.uploads)
    )


def _rests(run: Workshop, build: Build) -> bool:
    """Whether a build stays as it is; the last one of its group does, by which the next is judged.

    But for one that failed: then the next is due at once, unless somebody has deleted it.
    """
    later = (one for one in run.known.builds if one.image == build.id.image and one > build.id)
    last = not any(set(run.known.builds[one].value.group) & set(build.group) for one in later)
    deleted = build.unwanted is not None and build.state in _NOTHING
    return build.state is BuildState.BUILT or ((build.state is BuildState.SAME or deleted) and last)


@pytest.mark.parametrize(
    "seed", [*range(3), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 30))]
)
def test_builders_keep_the_invariants_and_come_to_rest(seed: int) -> None:
    """The workshop checks every write; here is what must be true when all faults have ended."""
    run = Workshop(seed)
    for _ in range(STORM_TICKS):
        run.tick()
    begun = sum(one.value.last_build for one in run.known.images.values())
    assert begun > 3, "else it proves little"
    assert run.known.images["left"].value.last_build, "and jobs asked for images of theirs"
    assert run.known.images["first"].value.last_build, "and one was used for the first time"
    run.calm, run.troubles = True, {}
    ends_s = run.now_s + 2 * EVIDENCE_S
    for tick in range(CALM_TICKS_MAX):
        run.tick()
        if run.now_s > ends_s and at_rest(run):
            break
        if tick % 8 == 0:
            explained_soon(run)

    assert at_rest(run), [(one.value.id, one.value.state) for one in run.known.builds.values()]
    recorded = {one.value.cloud_image for one in run.known.uploads.values()}
    assert recorded | {"strange"} == set(run.images), "8: nothing is left behind"
    assert not any(image == "first" for image, _ in run.known.pointers), "it is not used"
    found = references.index(run.known.holders())
    for (image, provider), pointer in run.known.pointers.items():
        assert pointer.value.served(run.now_s) is not None, (image, provider)
        for one in writes.named(pointer.value):
            assert one in found
    assert {provider for _, provider in run.known.pointers} == {"pa", "pa2", "pb"}


def explained_soon(run: Workshop) -> None:
    """Ask every builder for its plan on what is known now, and compare."""
    for me in run.living:
        run.plans[me] = decide(run.world(me, run.known))
    explained(run)
