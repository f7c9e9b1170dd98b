"""Gets a whole capsule from where its launcher has stored it: a folder of this host, or Swift.

Where it lies says a record. It is believed as far as it names a file or an object that is called
as capsules of this node are, and nothing but capsules is taken: it authorises no other read.
"""

import os
import re
import stat
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from remuda.cloud.api import CloudError
from remuda.cloud.objects import require_container_name, require_object_name
from remuda.model.capsule import FOLDER, SWIFT, Capsule, Kept
from remuda.model.capsulefile import SUFFIX, node_of_file
from remuda.model.codec import CorruptRecordError
from remuda.runtime.clock import Clock

if TYPE_CHECKING:
    from remuda.cloud.objects import ObjectStore

#: No capsule of ours is larger.
FILE_BYTES_MAX: Final = 16 * 1024 * 1024
#: For all of it: somebody waits.
FETCH_S: Final = 60.0
#: What nobody guesses, at the end of each name.
_OWN: Final = re.compile(r"-(?:[0-9a-f]{16}){1,2}\.tar\.gz", re.ASCII)
_FOREIGN: Final = "its record names something else there"

#: Opens the object store of a cloud of clouds.yaml, and of a region. Raises CloudConfigError.
OpensObjects = Callable[[str, str | None], "ObjectStore"]


class NotFetchedError(Exception):
    """A whole capsule could not be had; one sentence, without secrets."""


def fetch_whole(
    provider: str, found: Capsule, open_objects: OpensObjects, clock: Clock
) -> tuple[bytes | None, list[str]]:
    """Return a whole capsule, if it can be had, and why each place before did not give it.

    Args:
        provider: Whose machine it was.
        found: What its record says.
        open_objects: Opens Swift; asked only if no folder of this host has it.
        clock: The time.
    """
    whys: list[str] = []
    there = [one for one in found.kept if one.why is None]
    for kept in sorted(there, key=lambda one: one.store != FOLDER):
        try:
            if kept.store == FOLDER:
                data = _from_folder(kept, f"{provider}-{found.node}")
            elif kept.store == SWIFT:
                data = _from_swift(kept, f"{provider}/{found.node}", open_objects, clock)
            else:
                continue
        except NotFetchedError as error:
            whys.append(f"{kept.store} {kept.place}: {error}")
            continue
        why = _foreign(data, found)
        if why is None:
            return data, whys
        whys.append(f"{kept.store} {kept.place}: {why}")
    return None, whys


def _foreign(data: bytes, found: Capsule) -> str | None:
    """Return why bytes that lie where a capsule should are not that of the same node, or None."""
    try:
        node = node_of_file(data)
    except CorruptRecordError:
        return "what lies there is no capsule"
    return None if node == found.node else f"what lies there is the capsule of node {node}"


def _called(name: str, begin: str) -> bool:
    """Whether a path or an object is called as capsules of a node are."""
    at = name.rfind(f"/{begin}-")
    return at >= 0 and _OWN.fullmatch(name[at + 1 + len(begin) :]) is not None


def _from_folder(kept: Kept, begin: str) -> bytes:
    if not _called(kept.place, begin) or not kept.place.endswith(SUFFIX):
        raise NotFetchedError(_FOREIGN)
    return read_packed(kept.place)


def read_packed(place: str) -> bytes:
    """Return what a capsule's file on this host holds.

    Raises:
        NotFetchedError: It is no file, cannot be read, or is too large.
    """
    try:
        number = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(number, "rb") as file:
            if not stat.S_ISREG(os.fstat(number).st_mode):
                raise NotFetchedError("it is no file")
            data = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError as error:
        raise NotFetchedError("it is not on this host, or not any more") from error
    except (OSError, ValueError) as error:
        raise NotFetchedError(getattr(error, "strerror", None) or "it has no path") from error
    if len(data) > FILE_BYTES_MAX:
        raise NotFetchedError("it is too large for a capsule")
    return data


def _from_swift(kept: Kept, begin: str, open_objects: OpensObjects, clock: Clock) -> bytes:
    head, _, name = kept.place.partition("/")
    cloud, _, container = head.partition(":")
    if not cloud or not _called(f"/{name}", begin):
        raise NotFetchedError(_FOREIGN)
    ends_s = clock.monotonic_s() + FETCH_S

    def going() -> str | None:
        return f"it takes more than {FETCH_S:g} s" if clock.monotonic_s() >= ends_s else None

    try:
        require_container_name(container)
        require_object_name(name)
        objects = open_objects(cloud, kept.region)
        try:
            reading = objects.read(container, name, bytes_max=FILE_BYTES_MAX, going=going)
            with reading as (_, pieces):
                return b"".join(pieces)
        finally:
            objects.close()
    except CloudError as error:
        raise NotFetchedError(str(error)) from error
