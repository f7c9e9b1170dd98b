"""The object store of an account: containers and objects, as Swift has them.

It stands beside :mod:`remuda.cloud.api`, as :mod:`remuda.cloud.image_store` does. Implementations
(the openstacksdk adapter, the fake of the tests) pass the same contract tests. All methods block
and may be called from several threads.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Final, Protocol

from remuda.cloud.api import BadOrderError, Fence, unfenced
from remuda.secret import Secret

#: Swift's limit for the name of an object, in bytes of UTF-8.
NAME_BYTES_MAX: Final = 1024
#: Nothing is kept for longer than ten years by a number that somebody mistyped.
KEEP_S_MAX: Final = 10 * 366 * 86_400
#: Longer listings are refused: each row takes memory.
LISTED_MAX: Final = 200_000
#: A signed URL is good for no longer than this.
SIGNED_S_MAX: Final = 366 * 86_400
#: What one may say of an object besides its data.
METADATA_MAX: Final = 16
_META_CHARS_MAX: Final = 256

#: As strict as ids are: it becomes a part of paths, and of what people type.
_CONTAINER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}", re.ASCII)
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_CONTENT_TYPE: Final = re.compile(
    r"[A-Za-z0-9.+-]{1,64}/[A-Za-z0-9.+-]{1,64}(; ?charset=[A-Za-z0-9-]{1,32})?", re.ASCII
)
_ENCODINGS: Final = frozenset({"gzip", "zstd"})
_META_KEY: Final = re.compile(r"[a-z][a-z0-9-]{0,63}", re.ASCII)
_META_VALUE: Final = re.compile(
    rf"[\x21-\x7e](?:[\x20-\x7e]{{0,{_META_CHARS_MAX - 2}}}[\x21-\x7e])?"
)
#: Parts of large objects lie below this, in the same container, so that whoever may read the
#: container may read them, and so that they need no right to make another one.
SEGMENTS: Final = ".remuda-segments/"


class TooLargeError(BadOrderError):
    """What was to be stored, or was read, has more bytes than the caller allows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container, as its owner sees it.

    Attributes:
        ours: It bears our mark, so that we have made it: only then we change who may read it.
        public: Whoever knows the name of an object can read it.
        objects: How many it has; Swift counts with a delay. Likewise *used_bytes*.
    """

    name: str
    ours: bool
    public: bool
    objects: int = 0
    used_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """An object, as the store tells of it.

    Attributes:
        size_bytes: As stored: of what is gzip-encoded, of the compressed.
        md5: Hexadecimal; None of those that lie in segments.
        content_encoding: ``gzip`` or None.
        modified_s: By the store's clock, seconds since the epoch; 0: it does not say.
        ends_s: When the store deletes it by itself; None: never. A listing does not tell.
        segmented: It lies in segments, which go along when it is deleted.
        metadata: What :class:`ObjectOrder` gave; empty in a listing.
    """

    name: str
    size_bytes: int
    md5: str | None = None
    content_type: str | None = None
    content_encoding: str | None = None
    modified_s: float = 0.0
    ends_s: float | None = None
    segmented: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectOrder:
    """Everything of one object that is to be stored, but its bytes.

    Attributes:
        name: With slashes, but no ``.``, ``..`` or empty part.
        bytes_max: More are refused in mid-stream, and nothing is kept.
        size_bytes: How many there will be; None: that shows when they end.
        content_type: For browsers.
        content_encoding: How the bytes are compressed, so that a browser unpacks them.
        keep_s: The store deletes it by itself after that (``X-Delete-After``); None: never.
        metadata: Names in lower case, values in printable ASCII.
        replace: One of the same name is replaced; else it is refused, so that no name that
            somebody else has chosen is overwritten.

    Raises:
        BadOrderError: By the constructor, one sentence: nothing that HTTP might take for something
            else gets into a request.
    """

    name: str
    bytes_max: int
    size_bytes: int | None = None
    content_type: str = "application/octet-stream"
    content_encoding: str | None = None
    keep_s: int | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    replace: bool = False

    def __post_init__(self) -> None:
        """Refuse what is no order."""
        require_object_name(self.name)
        if self.size_bytes is not None and not 0 <= self.size_bytes <= self.bytes_max:
            raise TooLargeError(
                f"object {self.name!a} has {self.size_bytes} bytes, {self.bytes_max} are allowed"
            )
        if not _CONTENT_TYPE.fullmatch(self.content_type):
            raise BadOrderError(f"{self.content_type[:80]!a} is no content type")
        if self.content_encoding is not None and self.content_encoding not in _ENCODINGS:
            raise BadOrderError(f"{self.content_encoding[:80]!a} is no content encoding")
        if self.keep_s is not None and not 1 <= self.keep_s <= KEEP_S_MAX:
            raise BadOrderError(f"objects are kept for 1 to {KEEP_S_MAX} seconds")
        _require_metadata(self.metadata)


class ObjectStore(Protocol):
    """The object store of one region of one account.

    Every method may raise TryLaterError, UnauthorizedError, CloudConfigError (among the reasons:
    the cloud has no object store) or CloudError besides what it names, and BadOrderError for a
    name that is none or for lack of rights; those that take a *fence* also NotSentError, if it
    holds a call back.
    """

    def make_container(self, name: str, *, fence: Fence = unfenced) -> Container:
        """Return the container, and make it, private and with our mark, if there is none.

        One that is there stays as it is, whoever made it: see ``Container.ours``. Idempotent.

        Raises:
            NoRoomError: There is no room for another container.
            BadOrderError: We may not.
        """

    def get_container(self, name: str) -> Container:
        """Return a container.

        Raises:
            GoneError: There is none.
        """

    def set_public(self, name: str, *, public: bool, fence: Fence = unfenced) -> None:
        """Let everybody read the objects of a container of ours whose names they know, or nobody.

        It is read back, so that nothing is taken for private that is not. Idempotent.

        Raises:
            GoneError: There is no such container.
            BadOrderError: It is not ours, or we may not.
        """

    def delete_container(self, name: str, *, fence: Fence = unfenced) -> None:
        """Delete a container of ours; no error if it is gone already.

        Raises:
            InUseError: It has objects.
            BadOrderError: It is not ours, or we may not.
        """

    def put(
        self,
        container: str,
        order: ObjectOrder,
        pieces: Iterable[bytes],
        *,
        fence: Fence = unfenced,
        going: Fence = unfenced,
    ) -> StoredObject:
        """Store an object piece by piece, and compare what the store says it got.

        What fails leaves nothing behind, except with UnknownOutcomeError, which says what may be
        left, and what was to be replaced stays or is replaced. Of a process that dies in the
        middle segments may be left; those with *keep_s* end by themselves.

        Args:
            container: One that is there.
            order: What it is to be.
            pieces: Its bytes; taken once. What they raise, this raises.
            fence: Asked before anything is sent, and before each segment.
            going: Asked before each piece: why the transfer is not to go on, or None.

        Raises:
            TryLaterError: Also: the transfer was not to go on, or took too long.
            GoneError: There is no such container.
            NoRoomError: Quota, or no room on the store's disks.
            BadOrderError: We may not, or there is one of this name already.
            TooLargeError: There are more bytes than the order allows.
            DamagedError: The store did not get what we sent, or does not say what it got, or there
                are fewer or more bytes than the order says.
            UnknownOutcomeError: Something may be left.
        """

    def get(self, container: str, name: str) -> StoredObject:
        """Return what there is to know of an object.

        Raises:
            GoneError: There is none (any more).
        """

    def read(
        self, container: str, name: str, *, bytes_max: int, going: Fence = unfenced
    ) -> AbstractContextManager[tuple[StoredObject, Iterator[bytes]]]:
        """Give an object and its bytes, piece by piece, as they are stored.

        Whoever has taken all pieces without an error has what the store's hash says, or, of
        one in segments, what its size says. Nothing is unpacked: see ``content_encoding``.

        Raises:
            GoneError: There is none (any more).
            TooLargeError: It has more bytes than that.
            DamagedError: From the pieces: they are not what the store has told of them.
        """

    def list_objects(self, container: str, prefix: str = "") -> tuple[StoredObject, ...]:
        """Return the objects whose names begin so, by name; segments are not among them.

        Either the whole listing, or an error. Swift shows with some delay what has come or gone.

        Raises:
            GoneError: There is no such container.
            TooLargeError: There are more than :data:`LISTED_MAX`.
        """

    def delete(self, container: str, name: str, *, fence: Fence = unfenced) -> None:
        """Delete an object, its segments with it; no error if it is gone already.

        Raises:
            BadOrderError: We may not.
        """

    def url(self, container: str, name: str) -> str:
        """Return where an object is read by those who may; no call once there is a token."""

    def signed_url(
        self, container: str, name: str, *, for_s: int, whole: bool = False, inline: bool = False
    ) -> Secret:
        """Return a URL by which everybody can read an object for a while.

        The container's secret key signs it, and is made where there is none yet, if the container
        is ours. The key is in no text of ours, and neither the key nor the signature is in
        any log: :data:`remuda.known_secrets.KNOWN` has both. For whoever is to have the URL:
        ``reveal()``.

        Args:
            container: Where.
            name: Which object; it need not be there yet.
            for_s: By our clock, from now on.
            whole: All objects whose names begin with *name* can be read with the same query.
            inline: Browsers show it instead of saving it.

        Raises:
            GoneError: There is no such container.
            BadOrderError: It has no key and is not ours, or we may not see it.
        """

    def close(self) -> None:
        """Drop connections."""


def require_container_name(name: str) -> None:
    """See that a container can have this name.

    Raises:
        BadOrderError: If it cannot.
    """
    if not _CONTAINER.fullmatch(name):
        raise BadOrderError(
            f"{name[:80]!a} is no name of a container: letters, digits, '.', '_' and '-', at most"
            " 255, a letter or digit first"
        )


def require_object_name(name: str) -> None:
    """See that an object of ours can have this name.

    HTTP libraries resolve ``.`` and ``..`` before they send, so that another object would be
    meant; servers fold empty parts.

    Raises:
        BadOrderError: If it cannot.
    """
    if _CONTROL.search(name[: NAME_BYTES_MAX + 1]):
        raise BadOrderError(f"{name[:80]!a} is no name of an object: it has control characters")
    if len(name) > NAME_BYTES_MAX or len(name.encode()) > NAME_BYTES_MAX:
        raise BadOrderError(f"{name[:80]!a}… is no name of an object: it is too long")
    if not set(name.split("/")).isdisjoint({"", ".", ".."}):
        raise BadOrderError(
            f"{name[:80]!a} is no name of an object: it has an empty or dotted part"
        )


def require_prefix(prefix: str) -> None:
    """See that names of objects can begin so; they may all do so where it is empty.

    Raises:
        BadOrderError: If they cannot.
    """
    if prefix:
        require_object_name(prefix.removesuffix("/"))


def _require_metadata(metadata: Mapping[str, str]) -> None:
    if len(metadata) > METADATA_MAX:
        raise BadOrderError(f"an object has at most {METADATA_MAX} items of metadata")
    for key, value in metadata.items():
        if not _META_KEY.fullmatch(key) or not _META_VALUE.fullmatch(value):
            raise BadOrderError(f"{key[:80]!a}: {value[:80]!a} is no metadata of an object")
