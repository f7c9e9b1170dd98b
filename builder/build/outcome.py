"""What the result of a hand makes of a build: pure, so that blame is judged in one place.

A fault of a cloud's is nobody's failure: what it spoiled is tried again later, and does not count.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from builder.policy import BACKOFF_TIMES_MAX, ImagePolicy
from remuda.model.build import UNABLE_MAX, Blame, Build, BuildEvent, Mishap
from remuda.model.builtfile import BuiltFile
from remuda.model.ids import ReplicaId

#: The step at which a builder finds that it cannot sign.
SIGNING: Final = "signature"
#: That at which it finds that its host has no room for a command.
ROOM: Final = "room on the host"
#: Blamed on these, an attempt is nobody's verdict on the image.
NOT_THE_IMAGE: Final = frozenset({Blame.CLOUD, Blame.BUILDER})


@dataclass(frozen=True, slots=True, kw_only=True)
class Quieted:
    """A build machine that is stopped, and asserted to be quiet; or a file that was looked at.

    Attributes:
        cloud_name: Of the snapshot, or of what is made of the file; no other attempt has the same.
        asked_by_s: Until then the call for it may reach the cloud.
        file: What a command has written, instead of a machine's disk.
    """

    cloud_name: str
    asked_by_s: float
    inventory: str | None = None
    identity: Mapping[str, str] = field(default_factory=dict)
    file: BuiltFile | None = None


def quieted(build: Build, result: Quieted, *, now_s: float) -> Build:
    """Return the build as it is to be written before the cloud is asked for the snapshot."""
    return build.after(
        BuildEvent.QUIETED,
        now_s=now_s,
        cloud_name=result.cloud_name,
        asked_by_s=result.asked_by_s,
        inventory=result.inventory,
        identity=result.identity,
        file=result.file,
    )


def same(build: Build, current: Build, contents: str | BuiltFile, *, now_s: float) -> Build:
    """Return a build of which no image is made: it would be what is current.

    *contents* is the file, or the hash of its inventory.
    """
    return build.after(
        BuildEvent.FOUND_SAME,
        now_s=now_s,
        inventory=contents if isinstance(contents, str) else None,
        file=contents if isinstance(contents, BuiltFile) else None,
        same_as=current.id.number,
        ended_s=now_s,
        owner=None,
        mishap=None,
    )


def renewed(current: Build, build: Build) -> Build:
    """Return the current build as new as *build*, which is the same.

    One from the base vouches for all that the current one has gathered since there was another.
    """
    since_full = min(current.since_full, build.since_full)
    renewed_s = max(current.fresh_s, build.requested_s)
    return replace(current, renewed_s=renewed_s, since_full=since_full)


def kept(build: Build, snapshot: str, *, now_s: float) -> Build:
    """Return the build whose snapshot is whole."""
    return build.after(
        BuildEvent.KEPT,
        now_s=now_s,
        snapshot=snapshot,
        ended_s=now_s,
        owner=None,
        cannot_sign=(),
        no_room=(),
        mishap=None,
    )


def handed_over(build: Build, me: ReplicaId, why: str) -> Build:
    """Return a build with a whole snapshot, left by one that cannot sign to one that can."""
    mishap = Mishap(step=SIGNING, blame=Blame.BUILDER, message=why)
    return replace(build, owner=None, cannot_sign=_last(build.cannot_sign, me), mishap=mishap)


def unmade(build: Build, mishap: Mishap, policy: ImagePolicy | None, *, now_s: float) -> Build:
    """Return a build whose hand ended without a snapshot."""
    attempts_max = 1 if policy is None else policy.attempts_max
    attempt = build.attempt + (mishap.blame is Blame.BUILDER)
    again = mishap.blame in NOT_THE_IMAGE and attempt < attempts_max and not build.once
    return lost(build, mishap, policy, last=not again, now_s=now_s)


def lost(
    build: Build, mishap: Mishap, policy: ImagePolicy | None, *, last: bool, now_s: float
) -> Build:
    """Return a build that begins anew, or, if that was the last attempt, has failed."""
    attempt = build.attempt + (mishap.blame is Blame.BUILDER)
    changes: dict[str, Any] = {"owner": None, "attempt": attempt, "mishap": mishap}
    if mishap.step == SIGNING and build.owner is not None:
        changes["cannot_sign"] = _last(build.cannot_sign, build.owner)
    if mishap.step == ROOM and build.owner is not None:
        changes["no_room"] = _last(build.no_room, build.owner)
    if last or build.once:
        return build.after(BuildEvent.FAILED, now_s=now_s, ended_s=now_s, **changes)
    return build.after(
        BuildEvent.LOST,
        now_s=now_s,
        retry_s=now_s + _retry_in_s(build, mishap, policy, now_s),
        parent=None,
        base=None,
        origin=None,
        since_full=0,
        request=None,
        node=None,
        login_key=None,
        file=None,
        **changes,
    )


def _last(unable: tuple[ReplicaId, ...], who: ReplicaId) -> tuple[ReplicaId, ...]:
    """Return builders that are not able to go on with a build, with one more as the last."""
    others = (one for one in unable if one != who)
    return (*others, who)[-UNABLE_MAX:]


def _retry_in_s(build: Build, mishap: Mishap, policy: ImagePolicy | None, now_s: float) -> float:
    """Return when it may begin anew: at once if one of us died for the first time.

    Builders are restarted, and nothing is wrong with a build that one leaves; but what kills one
    again may be the build. At once, too, if a host had no room for the first time: another may.
    """
    full_once = mishap.step == ROOM and build.owner not in build.no_room
    if full_once or died_once(mishap, build.attempt):
        return 0.0
    return _wait_s(policy, now_s - build.requested_s)


def died_once(mishap: Mishap, attempt: int) -> bool:
    """Whether one of us died at something for the first time, after so many failed attempts."""
    return mishap.blame is Blame.BUILDER and attempt == 0


def _wait_s(policy: ImagePolicy | None, tried_s: float) -> float:
    """Return how long to leave alone what a cloud has spoiled: the longer, the longer it does.

    A fault of the cloud's never becomes the image's verdict, so nothing else ends it.
    """
    if policy is None:
        return 0.0
    return max(policy.backoff_s, min(BACKOFF_TIMES_MAX * policy.backoff_s, tried_s / 2))
