"""Where an archive is to go, as people write it, and how that is opened."""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from remuda.archive.folder import FolderSink
from remuda.archive.names import BadNameError, safe_name
from remuda.archive.objects import ObjectSink
from remuda.archive.sink import ArchiveSink
from remuda.cloud.api import BadOrderError
from remuda.cloud.objects import require_container_name
from remuda.runtime.clock import Clock

if TYPE_CHECKING:
    from remuda.cloud.objects import ObjectStore

#: Archives in an object store have an end.
KEEP_S: Final = 30 * 86_400.0
PREFIX_BYTES_MAX: Final = 128
#: 128 bits: who does not know the name of an archive does not find it.
_TOKEN_BYTES: Final = 16
_HOW: Final = "write CLOUD:CONTAINER/PREFIX, or the path of a folder, such as ./archives"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivePlace:
    """A folder, or a container of a cloud and a prefix in it."""

    folder: Path | None = None
    cloud: str = ""
    container: str = ""
    prefix: str = ""


#: Opens the object store of a cloud of clouds.yaml. Raises CloudConfigError.
OpensObjects = Callable[[str], "ObjectStore"]


def parse_place(text: str) -> ArchivePlace:
    """Return what *text* means: a colon before the first slash makes it a cloud.

    Raises:
        ValueError: One sentence.
    """
    if not text or "\x00" in text:
        raise ValueError(f"it says no place: {_HOW}")
    head, _, rest = text.partition("/")
    cloud, colon, container = head.partition(":")
    if not colon:
        return ArchivePlace(folder=Path(text))
    if not cloud or not container:
        raise ValueError(f"{text!r} says no container of a cloud: {_HOW}")
    try:
        require_container_name(container)
        prefix = safe_name(rest) if rest else ""
    except (BadOrderError, BadNameError) as error:
        raise ValueError(f"{text!r}: {error}") from error
    if prefix != rest.strip("/") or len(prefix.encode()) > PREFIX_BYTES_MAX:
        raise ValueError(f"{text!r}: the prefix is no plain path, or is too long")
    return ArchivePlace(cloud=cloud, container=container, prefix=prefix)


def new_root(now_s: float, *, token: Callable[[int], str] = secrets.token_hex) -> str:
    """Return the name of a new archive: when it was made, and what nobody guesses."""
    return datetime.fromtimestamp(now_s, UTC).strftime("%Y%m%dT%H%M%SZ-") + token(_TOKEN_BYTES)


def check_folder(folder: Path) -> None:
    """See that archives can be made in a folder, before there is anything to lose.

    Raises:
        ValueError: They cannot; one sentence.
    """
    there = folder.absolute()
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir():
        raise ValueError(f"{folder}: {there} is no folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ValueError(f"{folder}: nothing may be written in {there}")


@contextmanager
def opened(
    place: ArchivePlace,
    objects: "ObjectStore | None",
    *,
    clock: Clock,
    keep_s: float = KEEP_S,
    public: bool = False,
) -> Iterator[ArchiveSink]:
    """Give the sink of one new archive.

    Args:
        place: Where.
        objects: The object store of ``place.cloud``; None for a folder.
        clock: The time.
        keep_s: How long it is kept in an object store.
        public: Everybody may read it.

    Raises:
        SinkError: It cannot be used; one sentence.
    """
    root = new_root(clock.now_s())
    if place.folder is not None or objects is None:
        yield FolderSink((place.folder or Path()) / root, public=public, clock=clock)
        return
    sink = ObjectSink(
        objects,
        cloud=place.cloud,
        container=place.container,
        root=f"{place.prefix}/{root}" if place.prefix else root,
        keep_s=max(1, int(keep_s)),
        public=public,
        clock=clock,
    )
    sink.open()
    yield sink
