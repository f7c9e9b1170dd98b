"""What the result of a hand makes of an upload; see :mod:`builder.build.outcome`."""

import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, Final

from builder.build.outcome import NOT_THE_IMAGE, died_once
from builder.policy import BACKOFF_TIMES_MAX, ImagePolicy
from remuda.cloud.image_store import StoredImage, hash_of
from remuda.model.build import Blame, Mishap
from remuda.model.ids import ReplicaId
from remuda.model.upload import (
    Method,
    Trial,
    TrialResult,
    TrialTimes,
    Upload,
    UploadEvent,
    UploadState,
)

#: So many failures on one host are believed after all: there may be no other.
_SAME_HOST_MAX: Final = 3
#: Hosts that are remembered.
_HOSTS_MAX: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeImage:
    """A whole image in a cloud, with what is known of it."""

    cloud_image: str
    size_bytes: int | None = None
    sha256: str | None = None
    os_hash: str | None = None
    carried_sha512: str | None = None
    min_disk_gib: int = 0


def whole_image(
    image: StoredImage, *, sha256: str | None = None, carried_sha512: str | None = None
) -> WholeImage:
    """Return what the record says of an image that is whole, whoever has made it and how.

    Args:
        image: As the cloud shows it last.
        sha256: Of its file, if that is known; the cloud tells none.
        carried_sha512: Of what was sent, if it was sent by us.
    """
    virtual = image.virtual_bytes or 0
    return WholeImage(
        cloud_image=image.id,
        size_bytes=image.size_bytes,
        sha256=sha256,
        os_hash=hash_of(image),
        carried_sha512=carried_sha512,
        min_disk_gib=max(image.min_disk_gib, math.ceil(virtual / 1024**3)),
    )


def _times_as_long(spoiled: int) -> int:
    """Return how many times as long as at first to wait after one more fault of a cloud's.

    Args:
        spoiled: How many there were in a row before it.
    """
    return int(min(2 ** min(spoiled, BACKOFF_TIMES_MAX), BACKOFF_TIMES_MAX))


def copied(upload: Upload, result: WholeImage, *, now_s: float) -> Upload:
    """Return an upload that is whole; one that is shared goes on referring to its source."""
    return upload.after(
        UploadEvent.STORED,
        now_s=now_s,
        owner=None,
        mishap=None,
        spoiled=0,
        source=upload.source if upload.method is Method.SHARE else None,
        cloud_image=result.cloud_image,
        size_bytes=result.size_bytes,
        sha256=result.sha256,
        os_hash=result.os_hash,
        carried_sha512=result.carried_sha512,
        min_disk_gib=result.min_disk_gib,
    )


def uncopied(upload: Upload, mishap: Mishap, policy: ImagePolicy | None, *, now_s: float) -> Upload:
    """Return an upload whose hand ended without a whole image."""
    attempts_max = 1 if policy is None else policy.attempts_max
    last = mishap.blame is not Blame.CLOUD and upload.attempt + 1 >= attempts_max
    event = UploadEvent.GIVEN_UP if last else UploadEvent.BROKEN
    return dropped(upload, event, mishap, policy, now_s=now_s)


def dropped(
    upload: Upload,
    event: UploadEvent,
    mishap: Mishap,
    policy: ImagePolicy | None,
    *,
    now_s: float,
) -> Upload:
    """Return an upload that is made again, or comes to nothing."""
    clouds = mishap.blame is Blame.CLOUD
    times = _times_as_long(upload.spoiled) if clouds else 1
    at_once = died_once(mishap, upload.attempt)
    return upload.after(
        event,
        now_s=now_s,
        owner=None,
        source=upload.source if upload.method is Method.SHARE and upload.cloud_image else None,
        trying=None,
        mishap=mishap,
        attempt=upload.attempt + (not clouds),
        spoiled=upload.spoiled + 1 if clouds else 0,
        retry_s=now_s if policy is None or at_once else now_s + times * policy.backoff_s,
    )


def tried(upload: Upload, provider: str, owner: ReplicaId, *, now_s: float) -> Upload:
    """Return an upload of which a candidate is asked for."""
    if upload.state is UploadState.STORED:
        return upload.after(UploadEvent.TRIED, now_s=now_s, owner=owner, trying=provider)
    return replace(upload, owner=owner, trying=provider)


def untried(upload: Upload, *, now_s: float) -> Upload:
    """Return an upload whose trial ended without a word."""
    if upload.state is UploadState.VALIDATING:
        return upload.after(UploadEvent.AGAIN, now_s=now_s, owner=None, trying=None)
    return replace(upload, owner=None, trying=None)


def judged(
    upload: Upload,
    mishap: Mishap | None,
    host: str | None,
    policy: ImagePolicy,
    wanted: Collection[str],
    *,
    now_s: float,
    times: TrialTimes | None = None,
) -> Upload:
    """Return an upload after a trial in the provider in which it was tried.

    Args:
        upload: As it was before.
        mishap: What went wrong, or None: every check passed.
        host: Where the candidate ran, if the cloud says so.
        policy: How often it may fail.
        wanted: The providers of the recipe that have the place.
        now_s: When.
        times: How long it took, if it has passed.
    """
    provider = upload.trying or ""
    trial = judge(upload.trials.get(provider) or Trial(), mishap, host, policy, now_s=now_s)
    if trial.result is TrialResult.PASSED:
        trial = replace(trial, times=times)
    after = replace(upload, trials={**upload.trials, provider: trial})
    if upload.state is not UploadState.VALIDATING:
        return replace(after, owner=None, trying=None)  # proven for another provider already
    results = {name: after.trials.get(name, Trial()).result for name in {*wanted, provider}}
    changes: dict[str, Any] = {"now_s": now_s, "owner": None, "trying": None}
    if trial.result is TrialResult.PASSED:
        return after.after(UploadEvent.PROVEN, **changes)
    if set(results.values()) == {TrialResult.FAILED}:
        return after.after(UploadEvent.REJECTED, mishap=mishap, **changes)
    return after.after(UploadEvent.AGAIN, **changes)


def judge(
    trial: Trial, mishap: Mishap | None, host: str | None, policy: ImagePolicy, *, now_s: float
) -> Trial:
    """Return what is known after one more try: failed only if it failed on two hosts."""
    if mishap is None:
        return replace(trial, result=TrialResult.PASSED, at_s=now_s, retry_s=0.0, spoiled=0)
    if mishap.blame in NOT_THE_IMAGE:
        # No number of these is a verdict: it is tried ever more seldom, and people are told.
        return replace(
            trial,
            why=mishap.message,
            at_s=now_s,
            retry_s=now_s + _times_as_long(trial.spoiled) * policy.backoff_s,
            spoiled=trial.spoiled + 1,
        )
    failures = trial.failures + 1
    hosts = (*trial.hosts, host) if host else trial.hosts
    # A host that is not known counts as another one.
    elsewhere = failures - len(hosts) + len(set(hosts))
    enough = elsewhere >= policy.tries_max or failures >= max(policy.tries_max, _SAME_HOST_MAX)
    return Trial(
        result=TrialResult.FAILED if enough else TrialResult.OPEN,
        failures=failures,
        hosts=hosts[-_HOSTS_MAX:],
        why=mishap.message,
        at_s=now_s,
    )
