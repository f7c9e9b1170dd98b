"""What a hand's result makes of a record: whose fault it was decides."""

from dataclasses import replace

import pytest

from builder.build import outcome as build_outcome
from builder.policy import ImagePolicy
from builder.upload import outcome as upload_outcome
from remuda.model.build import Blame, Build, BuildState, Mishap, Why
from remuda.model.ids import ReplicaId
from remuda.model.image import BuildId, UploadId
from remuda.model.upload import Method, Trial, TrialResult, Upload, UploadState

POLICY = ImagePolicy(image="a", fingerprint="f", groups=(("p", "q"),), backoff_s=60.0)
ME = ReplicaId("me")
BUILD = Build(
    id=BuildId("a", 1),
    state=BuildState.BUILDING,
    why=Why.AGE,
    requested_s=1.0,
    since_s=1.0,
    owner=ME,
    provider="p",
    place="0" * 12,
)


def mishap(blame: Blame) -> Mishap:
    """Return what went wrong."""
    return Mishap(step="login", blame=blame, message=f"{blame} did it")


def trying(provider: str = "p", **trials: Trial) -> Upload:
    """Return an upload that is being validated."""
    return Upload(
        id=UploadId(BUILD.id, "0" * 12),
        state=UploadState.VALIDATING,
        since_s=1.0,
        owner=ME,
        trying=provider,
        trials=trials,
    )


def judged(upload: Upload, blame: Blame | None, host: str | None = None) -> Upload:
    """Return it after a trial at ten seconds, in a place of two providers."""
    wrong = None if blame is None else mishap(blame)
    return upload_outcome.judged(upload, wrong, host, POLICY, ("p", "q"), now_s=10.0)


@pytest.mark.parametrize("blame", [Blame.RECIPE, Blame.MACHINE, Blame.RESIDUE])
def test_a_build_fails_by_what_is_its_own(blame: Blame) -> None:
    """With the reason, and for good."""
    after = build_outcome.unmade(BUILD, mishap(blame), POLICY, now_s=5.0)

    assert (after.state, after.ended_s, after.owner) == (BuildState.FAILED, 5.0, None)
    assert after.mishap == mishap(blame)


def test_a_clouds_fault_never_fails_a_build() -> None:
    """However often; it begins anew later, and says why it waits."""
    build = BUILD
    for _ in range(10):
        build = build_outcome.unmade(BUILD, mishap(Blame.CLOUD), POLICY, now_s=5.0)

    assert (build.state, build.attempt, build.retry_s) == (BuildState.REQUESTED, 0, 65.0)


def test_a_build_that_is_lost_too_often_has_failed() -> None:
    """Something in it may kill builders."""
    once = build_outcome.unmade(BUILD, mishap(Blame.BUILDER), POLICY, now_s=5.0)
    last = build_outcome.lost(BUILD, mishap(Blame.BUILDER), POLICY, last=True, now_s=5.0)

    assert (once.state, once.attempt, once.parent) == (BuildState.REQUESTED, 1, None)
    assert (last.state, last.attempt) == (BuildState.FAILED, 1)


def test_a_build_whose_builder_died_begins_anew_at_once() -> None:
    """The first time; another death may be its doing, and waits as the faults of clouds do."""
    first = build_outcome.lost(BUILD, mishap(Blame.BUILDER), POLICY, last=False, now_s=5.0)
    again = replace(first, state=BuildState.BUILDING)
    second = build_outcome.lost(again, mishap(Blame.BUILDER), POLICY, last=False, now_s=9.0)
    cloud = build_outcome.lost(BUILD, mishap(Blame.CLOUD), POLICY, last=False, now_s=5.0)

    assert (first.attempt, first.retry_s) == (1, 5.0)
    assert (second.attempt, second.retry_s) == (2, 69.0)
    assert cloud.retry_s == 65.0


def test_one_pass_is_enough() -> None:
    """For that provider."""
    after = judged(trying(), None)

    assert (after.state, after.trying, after.owner) == (UploadState.USABLE, None, None)
    assert after.passed("p")
    assert not after.passed("q")


def test_a_failure_is_tried_once_more_on_another_host() -> None:
    """And on a third try believed, if there is no other."""
    first = judged(trying(), Blame.MACHINE, "h1")
    same = judged(trying(p=first.trials["p"]), Blame.MACHINE, "h1")
    other = judged(trying(p=first.trials["p"]), Blame.MACHINE, "h2")
    third = judged(trying(p=same.trials["p"]), Blame.MACHINE, "h1")

    assert [one.trials["p"].result for one in (first, same, other, third)] == [
        TrialResult.OPEN,
        TrialResult.OPEN,
        TrialResult.FAILED,
        TrialResult.FAILED,
    ]
    assert first.trials["p"].hosts == ("h1",)
    assert first.state is UploadState.STORED


def test_it_may_pass_after_a_failure() -> None:
    """The host was to blame, perhaps."""
    first = judged(trying(), Blame.MACHINE, "h1")
    after = judged(trying(p=first.trials["p"]), None, "h2")

    assert after.state is UploadState.USABLE


@pytest.mark.parametrize("blame", [Blame.CLOUD, Blame.BUILDER])
def test_what_is_not_the_images_fault_is_no_verdict(blame: Blame) -> None:
    """However often it happens; it waits, longer each time, up to a limit."""
    upload, waits = trying(), list[float]()
    for _ in range(10):
        upload = judged(trying(**upload.trials), blame, "h1")
        waits.append(upload.trials["p"].retry_s - 10.0)

    assert upload.state is UploadState.STORED
    assert upload.trials["p"].result is TrialResult.OPEN
    assert (upload.trials["p"].failures, upload.trials["p"].spoiled) == (0, 10)
    assert waits == [60.0, 120.0, *[240.0] * 8]
    assert upload.trials["p"].said == f"{blame} did it (10 times in a row, and not by the image)"


@pytest.mark.parametrize("blame", [None, Blame.MACHINE])
def test_a_word_about_the_image_ends_the_row_of_faults(blame: Blame | None) -> None:
    """Whatever it says: the cloud gives machines."""
    spoiled = judged(trying(p=Trial(spoiled=7, retry_s=9e9)), blame, "h1").trials["p"]

    assert (spoiled.spoiled, spoiled.retry_s) == (0, 0.0)


def test_it_is_rejected_only_where_every_provider_has_failed() -> None:
    """One that passed in a neighbour stays usable there."""
    failed = Trial(result=TrialResult.FAILED, failures=2)
    nearly = Trial(failures=1, hosts=("h1",))
    rejected = judged(trying(p=nearly, q=failed), Blame.MACHINE, "h2")
    half = judged(trying(p=nearly), Blame.MACHINE, "h2")

    assert (rejected.state, half.state) == (UploadState.REJECTED, UploadState.STORED)


def test_a_copy_is_tried_again_and_given_up_in_the_end() -> None:
    """A cloud's faults do not count here either."""
    making = Upload(
        id=UploadId(BUILD.id, "1" * 12),
        state=UploadState.MAKING,
        since_s=1.0,
        method=Method.CARRY,
        source="0" * 12,
        attempt=2,
    )
    cloud = upload_outcome.uncopied(making, mishap(Blame.CLOUD), POLICY, now_s=5.0)
    last = upload_outcome.uncopied(making, mishap(Blame.BUILDER), POLICY, now_s=5.0)

    assert (cloud.state, cloud.attempt, cloud.source) == (UploadState.PENDING, 2, None)
    assert (last.state, last.attempt) == (UploadState.FAILED, 3)


def uncopied(blame: Blame, times: int) -> tuple[list[float], Upload]:
    """Return how long a copy waited each time that it came to nothing, and what became of it."""
    upload = Upload(
        id=UploadId(BUILD.id, "1" * 12),
        state=UploadState.MAKING,
        since_s=1.0,
        method=Method.CARRY,
        source="0" * 12,
    )
    waits = list[float]()
    for _ in range(times):
        making = replace(upload, state=UploadState.MAKING)
        upload = upload_outcome.uncopied(making, mishap(blame), POLICY, now_s=5.0)
        waits.append(upload.retry_s - 5.0)
    return waits, upload


def test_a_copy_that_a_cloud_spoils_again_and_again_is_tried_ever_more_seldom() -> None:
    """Each time the whole image may go over the network; and it is told how often it went so."""
    waits, upload = uncopied(Blame.CLOUD, 10)

    assert waits == [60.0, 120.0, *[240.0] * 8]
    assert (upload.state, upload.attempt, upload.spoiled) == (UploadState.PENDING, 0, 10)
    assert upload.said == "cloud did it (10 times in a row, and not by the image)"
    whole = upload_outcome.WholeImage(cloud_image="7f3c")
    making = replace(upload, state=UploadState.MAKING)
    assert upload_outcome.copied(making, whole, now_s=5.0).spoiled == 0


def test_a_copy_whose_builder_died_goes_on_at_once_the_first_time() -> None:
    """As a build does: builders are restarted, and nothing is wrong with what one leaves."""
    assert uncopied(Blame.BUILDER, 2)[0] == [0.0, 60.0]


def test_what_is_shared_goes_on_referring_to_its_source() -> None:
    """It has no bytes of its own; what was carried is free of it."""
    whole = upload_outcome.WholeImage(cloud_image="7f3c")
    for method, source in ((Method.SHARE, "0" * 12), (Method.CARRY, None)):
        making = Upload(
            id=UploadId(BUILD.id, "1" * 12),
            state=UploadState.MAKING,
            since_s=1.0,
            method=method,
            source="0" * 12,
        )
        assert upload_outcome.copied(making, whole, now_s=5.0).source == source
