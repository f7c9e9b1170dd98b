"""Whether a build is the same as what is booted already, so that nothing has to be uploaded. Pure.

Nothing is left to chance: what is the same is current, usable, proven and of this very recipe in
every provider that the build is for. In any doubt the build goes on as all do.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from builder.policy import ImagePolicy
from remuda.images.inventory import Inventory
from remuda.model.build import Build, Why
from remuda.model.builtfile import BuiltFile
from remuda.model.pointer import Pointer
from remuda.model.upload import ENDED, Upload, UploadState

#: Nobody waits for these. Who gives a command wants a build, and a new recipe has to be proven.
SKIPPED: Final = frozenset({Why.SCHEDULE, Why.AGE, Why.BASE_CHANGED})


#: What is compared: what was listed on a machine, or the file that a command has written.
Contents = Inventory | BuiltFile


def why_kept(build: Build, contents: Contents | None, policy: ImagePolicy) -> str | None:
    """Return why a build is kept whatever is current, or None."""
    if not policy.skip_same:
        return "the recipe keeps builds without a change"
    if build.why not in SKIPPED:
        return f"it was begun for another reason than its age: {build.why}"
    if build.revoked is not None or build.unwanted is not None:
        return "somebody has taken it away meanwhile"
    if contents is None or (isinstance(contents, Inventory) and not contents.whole):
        return "nobody knows what is in it"
    return None


def candidate(
    build: Build, pointers: Mapping[str, Pointer | None], places: Mapping[str, str]
) -> tuple[int | None, str | None]:
    """Return the number of the build that is current in all providers, or why there is none.

    Args:
        build: What is compared.
        pointers: Of its image, by provider.
        places: Where the providers' images lie now, as far as that is known.
    """
    numbers = set[int]()
    for provider in build.group:
        pointer = pointers.get(provider)
        if pointer is None or pointer.place != places.get(provider):
            return None, f"{provider} has none where its images lie now"
        if pointer.current in pointer.withdrawn:
            return None, f"build {pointer.current}, current in {provider}, was withdrawn there"
        numbers.add(pointer.current)
    if len(numbers) != 1:
        named = ", ".join(map(str, sorted(numbers)))
        return None, f"its providers are not at one build: {named}"
    return numbers.pop(), None


@dataclass(frozen=True, slots=True, kw_only=True)
class Current:
    """What is current in the providers of a build, and what may become it.

    Attributes:
        pointers: By provider.
        uploads: Of the current build, by provider, as far as they are there.
        newer: Builds after the current one, with their uploads.
    """

    build: Build | None
    pointers: Mapping[str, Pointer] = field(default_factory=dict)
    uploads: Mapping[str, Upload | None] = field(default_factory=dict)
    newer: tuple[tuple[Build, tuple[Upload, ...]], ...] = ()


def why_other(build: Build, contents: Contents, current: Current) -> str | None:
    """Return why a build is not the same as the current one, or None: it is."""
    other = current.build
    if other is None:
        return "the current build is not on record"
    name = f"build {other.id.number}"
    if other.revoked is not None or other.unwanted is not None:
        return f"{name} was taken away"
    if other.fingerprint != build.fingerprint:
        return f"{name} was made by another recipe"
    for provider in build.group:
        upload = current.uploads.get(provider)
        usable = upload is not None and upload.state is UploadState.USABLE
        if upload is None or not usable or not upload.passed(provider):
            return f"{name} is not usable in {provider}"
    if not _equal(other, contents):
        return f"it is not as {name}"
    return next((why for one in current.newer if (why := _coming(one, current))), None)


def _equal(other: Build, contents: Contents) -> bool:
    if isinstance(contents, BuiltFile):
        return other.file is not None and other.file.sha256 == contents.sha256
    return other.inventory == contents.digest


def _coming(newer: tuple[Build, tuple[Upload, ...]], current: Current) -> str | None:
    """Return why a pointer may still go to a build that is newer than the current one, or None."""
    build, uploads = newer
    number = build.id.number
    gone = build.revoked is not None or build.unwanted is not None
    if gone or all(number in one.withdrawn for one in current.pointers.values()):
        return None
    if all(one.state in ENDED for one in uploads):
        return None
    return f"build {number} may become current, which is another one"
