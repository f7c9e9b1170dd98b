"""An archive in an object store: private with a signed address, unless everybody may read it."""

from collections.abc import Iterator
from typing import BinaryIO, Final
from urllib.parse import quote, urlsplit

from remuda.archive.names import NAME_BYTES_MAX as OWN_NAME_BYTES_MAX
from remuda.archive.sink import Content, SinkError
from remuda.archive.trees import PIECE_BYTES
from remuda.cloud.api import (
    BadOrderError,
    CloudConfigError,
    CloudError,
    DamagedError,
    GoneError,
    NoRoomError,
    TryLaterError,
    UnauthorizedError,
    UnknownOutcomeError,
)
from remuda.cloud.objects import NAME_BYTES_MAX, ObjectOrder, ObjectStore
from remuda.runtime.clock import Clock, SystemClock

#: As long as a signed address works; what it leads to may be kept for longer. A weekend long.
SIGNED_S: Final = 3 * 86_400
TRIES: Final = 3
#: Any other file meets these, too.
_FINAL: Final = (UnauthorizedError, CloudConfigError, GoneError, NoRoomError)
_AGAIN: Final = (TryLaterError, UnknownOutcomeError, DamagedError)


class ObjectSink:
    """Stores an archive as objects below a prefix of its own; see ArchiveSink.

    Args:
        objects: The account's.
        cloud: Its name, for people.
        container: Made, if it is not there.
        root: Prefix of all names, one that nobody guesses.
        keep_s: The store deletes each object after this; None: never.
        public: Everybody who knows the address may read it, as long as it is kept.
        clock: The time.

    Raises:
        SinkError: By :meth:`open`.
    """

    gzips: Final = True
    threads: Final = 8

    def __init__(
        self,
        objects: ObjectStore,
        *,
        cloud: str,
        container: str,
        root: str,
        keep_s: int | None,
        public: bool = False,
        clock: Clock | None = None,
    ) -> None:
        self._objects = objects
        self._cloud = cloud
        self._container = container
        self._root = root
        self._keep_s = keep_s
        self._public = public
        self._clock = clock or SystemClock()

    @property
    def place(self) -> str:
        """See ArchiveSink."""
        return f"{self._cloud}:{self._container}/{self._root}"

    def open(self) -> None:
        """Make the container if it is missing, and see that it is as public as it should be.

        Raises:
            SinkError: It cannot be used; the sentence says what to do.
        """
        if len(self._root.encode()) + 1 + OWN_NAME_BYTES_MAX > NAME_BYTES_MAX:
            raise SinkError(f"{self.place}: the prefix is too long", final=True)
        try:
            found = self._objects.make_container(self._container)
            if found.public and not self._public:
                raise SinkError(
                    f"everybody can read the container {self._container}: name another one, or say"
                    " that the archive is public",
                    final=True,
                )
            if self._public and not found.public:
                self._open_to_all(ours=found.ours)
        except CloudError as error:
            raise SinkError(f"{self.place}: {error}", final=True) from error

    def store(self, name: str, body: BinaryIO, content: Content, *, by_s: float) -> None:
        """See ArchiveSink."""
        order = ObjectOrder(
            name=f"{self._root}/{name}",
            bytes_max=content.size,
            size_bytes=content.size,
            content_type=content.media_type,
            content_encoding=content.encoding,
            keep_s=self._keep_s,
            replace=True,  # by a second try; the root is ours alone
        )
        for attempt in range(1, TRIES + 1):
            body.seek(0)
            try:
                self._objects.put(
                    self._container, order, _pieces(body), going=lambda: self._late(by_s)
                )
            except _AGAIN as error:
                if attempt == TRIES or self._late(by_s):
                    raise SinkError(str(error)) from error
            except CloudError as error:
                raise SinkError(str(error), final=isinstance(error, _FINAL)) from error
            else:
                return

    def address(self, name: str) -> str:
        """See ArchiveSink: of an index that is private, with the right to read the rest of it."""
        whole = f"{self._root}/{name}"
        try:
            if self._public:
                return self._objects.url(self._container, whole)
            for_s = min(SIGNED_S, self._keep_s or SIGNED_S)
            signed = self._objects.signed_url(
                self._container, self._root, for_s=for_s, whole=True, inline=True
            )
        except BadOrderError:
            # No key, and the container is somebody else's: who may read it, can.
            return self._objects.url(self._container, whole)
        except CloudError as error:
            raise SinkError(f"it has no address: {error}") from error
        parts = urlsplit(signed.reveal())
        return parts._replace(path=f"{parts.path}/{quote(name)}").geturl()

    def _open_to_all(self, *, ours: bool) -> None:
        """Let everybody read a container that has nothing yet.

        Raises:
            SinkError: It has something, or it is not ours.
            CloudError: The cloud refuses it.
        """
        if not ours or self._objects.list_objects(self._container):
            raise SinkError(
                f"the container {self._container} is private, and what is in it stays so: name"
                " another one for what is public",
                final=True,
            )
        self._objects.set_public(self._container, public=True)

    def _late(self, by_s: float) -> str | None:
        return "the time is over" if self._clock.monotonic_s() >= by_s else None


def _pieces(body: BinaryIO) -> Iterator[bytes]:
    while piece := body.read(PIECE_BYTES):
        yield piece
