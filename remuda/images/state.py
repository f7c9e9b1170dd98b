"""The state of an image in a provider, and what it waits for. Pure.

It is said from the records alone, but for what only builders know: which providers are configured,
and what hinders them to begin with something.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from remuda.images.catalogue import Catalogue
from remuda.images.words import NOBODY, BuilderWords
from remuda.model.build import UNDER_WAY, Build, BuildState, Mishap
from remuda.model.image import BuildId, Word
from remuda.model.lastuse import LastUse
from remuda.model.pointer import Pin, Pointer
from remuda.model.upload import Trial, TrialResult, Upload, UploadState

#: Builders begin the successor of a build that was superseded within this.
_SUCCESSOR_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageState:
    """One image in one provider.

    Attributes:
        boots: Number of the build that launches boot now, or None: none, they wait.
        newest: The newest build that is made for it, or None.
        state: How far that has come there, in one word.
        waits: Why nothing newer is booted, one clause; None: it is at its newest build.
        retry_s: When that is tried again, seconds since the epoch, or None.
        used: When it was last used, if it is made on first use and anybody has used it.
        orphan: Whether no builder's configuration makes the image for this provider any more.
    """

    image: str
    provider: str
    pointer: Pointer | None = None
    boots: int | None = None
    pin: Pin | None = None
    newest: Build | None = None
    state: str | None = None
    waits: str | None = None
    retry_s: float | None = None
    used: LastUse | None = None
    orphan: bool = False


def image_states(
    catalogue: Catalogue, image: str, *, now_s: float, words: BuilderWords = NOBODY
) -> list[ImageState]:
    """Return the state of an image in each provider that has, or is to have, it."""
    providers = sorted({*catalogue.providers(image), *words.configured(image)})
    return [image_state(catalogue, image, one, now_s=now_s, words=words) for one in providers]


def image_state(
    catalogue: Catalogue,
    image: str,
    provider: str,
    *,
    now_s: float,
    words: BuilderWords = NOBODY,
) -> ImageState:
    """Return the state of an image in one provider."""
    pointer = catalogue.pointers.get(image, {}).get(provider)
    newest = newest_for(catalogue, image, provider)
    upload = None if newest is None else catalogue.upload_in(newest, provider)
    bare = ImageState(
        image=image,
        provider=provider,
        pointer=pointer,
        boots=None if pointer is None else _boots(catalogue, pointer, now_s),
        pin=None if pointer is None else pointer.pin_at(now_s),
        newest=newest,
        state=None if newest is None else _state(newest, upload, provider),
        used=_used(catalogue, image),
        orphan=words.orphan(image, provider),
    )
    waits = _waits(catalogue, bare, upload, now_s, words)
    idle = waits is None or bare.orphan
    retry_s = None if idle else _retry_s(newest, upload, provider)
    later = retry_s is not None and retry_s > now_s
    return replace(bare, waits=waits, retry_s=retry_s if later else None)


def _used(catalogue: Catalogue, image: str) -> LastUse | None:
    stored = catalogue.library.uses.get(image)
    return None if stored is None else stored.value


def newest_for(catalogue: Catalogue, image: str, provider: str) -> Build | None:
    """Return the newest build that is made for a provider, or None."""
    builds = reversed([*catalogue.builds.get(image, {}).values()])
    return next((one for one in builds if provider in one.group), None)


def _boots(catalogue: Catalogue, pointer: Pointer, now_s: float) -> int | None:
    """Return what launches boot; a build that was revoked without its pointer is not booted."""
    number = pointer.served(now_s)
    build = catalogue.builds.get(pointer.image, {}).get(number or 0)
    return None if build is not None and build.revoked is not None else number


def state_text(build: Build) -> str:
    """Return how far a build has come, for people; what lies in clouds says its uploads' states."""
    if build.revoked is not None:
        return "revoked"
    same = build.state is BuildState.SAME and build.same_as is not None
    return f"same as {build.same_as}" if same else str(build.state)


def _state(build: Build, upload: Upload | None, provider: str) -> str:
    if build.revoked is not None:
        return state_text(build)
    if build.state is not BuildState.BUILT or upload is None:
        return state_text(build)
    trial = upload.trials.get(provider)
    if upload.state is UploadState.USABLE and not upload.passed(provider):
        failed = trial is not None and trial.result is TrialResult.FAILED
        return "rejected" if failed else "validating" if upload.trying == provider else "stored"
    return str(upload.state)


def _waits(
    catalogue: Catalogue,
    found: ImageState,
    upload: Upload | None,
    now_s: float,
    words: BuilderWords,
) -> str | None:
    pointer, newest = found.pointer, found.newest
    if pointer is not None and found.boots is None:
        return _launches_wait(catalogue, pointer, now_s)
    if found.orphan:
        return "it is not in the configuration any more, and kept"
    if newest is None and pointer is None:
        return words.of_group(found.image, found.provider) or "no build was begun yet"
    if newest is None or (pointer is not None and newest.id.number <= pointer.current):
        return _resting(catalogue, found, words)
    if newest.state is BuildState.SAME:
        return _resting(catalogue, found, words)  # there is nothing of it to be booted
    return _newest_waits(catalogue, found, newest, upload, words)


def _resting(catalogue: Catalogue, found: ImageState, words: BuilderWords) -> str | None:
    """Return why an image that boots its newest build gets no newer one, if somebody wants that."""
    if found.pin is not None:
        return _by("pinned", found.pin.word)
    paused = _paused(catalogue, found.image)
    return words.of(found.image) if paused is None else _by("paused", paused)


def _paused(catalogue: Catalogue, image: str) -> Word | None:
    record = catalogue.library.images.get(image)
    return None if record is None else record.value.paused


def _newest_waits(
    catalogue: Catalogue,
    found: ImageState,
    newest: Build,
    upload: Upload | None,
    words: BuilderWords,
) -> str:
    """Return why a build that is newer than the current one is not booted."""
    pointer = found.pointer
    paused = _paused(catalogue, found.image)
    if newest.state is BuildState.BUILT and upload is not None and newest.revoked is None:
        if upload.state is UploadState.USABLE and upload.passed(found.provider):
            told = words.of(f"pointer of {found.image} in {found.provider}")
            return _pointer_waits(pointer, newest.id.number, paused, told)
        return _upload_waits(upload, found.provider, words)
    if paused is not None and newest.state is BuildState.REQUESTED:
        return _by("paused", paused)
    return _build_waits(newest, words)


def _by(done: str, word: Word) -> str:
    return f"{done} by {word.who}: {word.why}"


def _pointer_waits(
    pointer: Pointer | None, number: int, paused: Word | None, told: str | None
) -> str:
    withdrawn = None if pointer is None else pointer.withdrawn.get(number)
    if withdrawn is not None:
        return _by("withdrawn", withdrawn)
    if paused is not None:
        return _by("paused", paused)
    return told or "it is proven, and no builder has made it current yet"


def _launches_wait(catalogue: Catalogue, pointer: Pointer, now_s: float) -> str:
    number = pointer.chosen(now_s)
    word = pointer.withdrawn.get(number)
    build = catalogue.builds.get(pointer.image, {}).get(number)
    if word is None and build is not None and build.revoked is not None:
        word = build.revoked.word
    taken = f"launches wait: build {number} was taken away"
    return taken if word is None else _by(taken, word)


def _build_waits(build: Build, words: BuilderWords) -> str:
    said = _said(build.mishap)
    if build.revoked is not None:
        return _by("revoked", build.revoked.word)
    if build.unwanted is not None:
        return _by("deleted", build.unwanted)
    match build.state:
        case BuildState.REQUESTED:
            return words.of(str(build.id)) or said or "no builder has begun it"
        case BuildState.BUILDING | BuildState.SNAPSHOTTING:
            told = words.of(str(build.id)) if words.dead(build.owner) else None
            return told or f"{build.owner or 'a builder'} makes it in {build.provider or '?'}"
        case _:
            return said or f"it is {build.state}"


def _upload_waits(upload: Upload, provider: str, words: BuilderWords) -> str:
    trial = upload.trials.get(provider, Trial())
    if trial.result is TrialResult.FAILED:
        return trial.why or "it failed there"
    if upload.trying is not None:
        return f"{upload.owner or 'a builder'} tries it in {upload.trying}"
    said, now = _said(upload.mishap), words.of(str(upload.id))
    told = {
        UploadState.PENDING: now or said or "it is to be copied there",
        UploadState.MAKING: f"{upload.owner or 'a builder'} copies it there",
        UploadState.STORED: now or trial.said or "it is to be tried there",
        UploadState.USABLE: now or trial.said or "it is to be tried there",
    }
    return told.get(upload.state) or said or f"it is {upload.state}"


def _retry_s(build: Build | None, upload: Upload | None, provider: str) -> float | None:
    if build is not None and build.state is BuildState.REQUESTED:
        return build.retry_s
    if upload is None or upload.trying is not None:
        return None
    if upload.state is UploadState.PENDING:
        return upload.retry_s
    trial = upload.trials.get(provider, Trial())
    return trial.retry_s if trial.result is TrialResult.OPEN else None


def _said(mishap: Mishap | None) -> str | None:
    return None if mishap is None else mishap.said


class Outcome(StrEnum):
    """What has come of somebody's command to build an image, in one provider."""

    OPEN = "open"
    CURRENT = "current"
    TRIED = "tried"  # on a part of the requests, which decides the rest
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildResult:
    """The same, with the build that it is about and why."""

    outcome: Outcome
    build: BuildId | None = None
    why: str | None = None


def build_result(
    catalogue: Catalogue,
    image: str,
    provider: str,
    *,
    above: int,
    now_s: float,
    words: BuilderWords = NOBODY,
) -> BuildResult:
    """Return what has come of the builds above a number in one provider."""
    pointer = catalogue.pointers.get(image, {}).get(provider)
    if pointer is not None and pointer.current > above:
        return BuildResult(outcome=Outcome.CURRENT, build=pointer.build(pointer.current))
    canary = None if pointer is None else pointer.canary
    if pointer is not None and canary is not None and canary.number > above:
        why = f"it is tried on {canary.share:.3g} of all requests"
        return BuildResult(outcome=Outcome.TRIED, build=pointer.build(canary.number), why=why)
    found = image_state(catalogue, image, provider, now_s=now_s, words=words)
    build = found.newest
    if build is None or build.id.number <= above:
        return BuildResult(outcome=Outcome.OPEN)
    upload = catalogue.upload_in(build, provider)
    failed = build.state in {BuildState.FAILED, BuildState.RETIRING}
    # What comes instead of it is begun at once, if anything comes.
    failed |= build.state is BuildState.SUPERSEDED and now_s >= build.since_s + _SUCCESSOR_S
    failed |= build.revoked is not None or build.unwanted is not None
    if build.state is BuildState.SAME and build.same_as is not None and not failed:
        # One by schedule, begun before the command was given.
        return BuildResult(outcome=Outcome.CURRENT, build=BuildId(image, build.same_as))
    if build.state not in UNDER_WAY and upload is not None:
        trial = upload.trials.get(provider, Trial())
        failed |= trial.result is TrialResult.FAILED
        failed |= upload.state in {UploadState.REJECTED, UploadState.FAILED}
    outcome = Outcome.FAILED if failed else Outcome.OPEN
    return BuildResult(outcome=outcome, build=build.id, why=found.waits)
