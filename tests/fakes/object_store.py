"""An object store in memory, and the accounts that see it."""

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from remuda.cloud.api import (
    BadOrderError,
    DamagedError,
    Fence,
    GoneError,
    InUseError,
    NoRoomError,
    NotSentError,
    TryLaterError,
    unfenced,
)
from remuda.cloud.object_feed import Feed, SourceError, keep_going
from remuda.cloud.object_read import checked
from remuda.cloud.object_urls import UrlSigner
from remuda.cloud.objects import (
    Container,
    ObjectOrder,
    StoredObject,
    TooLargeError,
    require_container_name,
    require_object_name,
    require_prefix,
)
from remuda.cloud.paths import quoted
from remuda.runtime.clock import Clock
from remuda.secret import Secret

_PIECE: Final = 1 << 16
_BASE: Final = "https://swift.example.org/v1/AUTH_"
#: Nothing takes so long here.
_FOREVER_S: Final = 1e9


class Fate(StrEnum):
    """What becomes of the next transfer, or look."""

    LOST_REPLY = "lost reply"
    LOST_CALL = "lost call"
    GARBLED = "garbled"
    NO_ROOM = "no room"
    BROKEN = "broken"
    CUT = "cut"


@dataclass
class _Box:
    ours: bool
    public: bool = False
    key: str = ""
    objects: dict[str, tuple[StoredObject, bytes]] = field(default_factory=dict)


class FakeSwift:
    """What all accounts share.

    Attributes:
        next_fates: Of the next transfers and looks, one each.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.next_fates: deque[Fate] = deque()
        self.accounts: dict[str, dict[str, _Box]] = {}

    def fate(self) -> Fate | None:
        """Take the next one."""
        return self.next_fates.popleft() if self.next_fates else None

    def found(self, project: str, container: str, name: str) -> tuple[StoredObject, bytes] | None:
        """Return an object that has not ended."""
        box = self.accounts.get(project, {}).get(container)
        one = box.objects.get(name) if box is not None else None
        if box is None or one is None:
            return None
        ends_s = one[0].ends_s
        if ends_s is not None and ends_s <= self.clock.now_s():
            del box.objects[name]
            return None
        return one

    def fetch(self, url: str) -> tuple[int, bytes]:
        """Return what anybody gets by a URL."""
        parts = urlsplit(url)
        project, container, name = unquote(parts.path).removeprefix("/v1/AUTH_").split("/", 2)
        query = {key: each[0] for key, each in parse_qs(parts.query).items()}
        box = self.accounts.get(project, {}).get(container)
        if box is None or not (box.public or self._signed(box, url, name, query)):
            return 401, b""
        one = self.found(project, container, name)
        return (404, b"") if one is None else (200, one[1])

    def _signed(self, box: _Box, url: str, name: str, query: dict[str, str]) -> bool:
        ends_s = int(query.get("temp_url_expires", "0"))
        prefix = query.get("temp_url_prefix")
        left_s = ends_s - int(self.clock.now_s())
        if not box.key or left_s <= 0 or not name.startswith(prefix or ""):
            return False
        base = url.partition("?")[0]
        if prefix is not None:
            base = base.removesuffix(quoted(name)) + quoted(prefix)
        what = name if prefix is None else prefix
        right = UrlSigner(self.clock).sign(
            base, Secret(box.key), what, left_s, whole=prefix is not None, inline=False
        )
        return parse_qs(urlsplit(right.reveal()).query)["temp_url_sig"] == [query["temp_url_sig"]]


class FakeObjects:
    """One account; see :class:`remuda.cloud.objects.ObjectStore`."""

    def __init__(self, swift: FakeSwift, *, project: str = "p1") -> None:
        self.swift = swift
        self.project = project
        self._boxes = swift.accounts.setdefault(project, {})

    def plant(self, name: str) -> None:
        """Make a container that is not ours."""
        self._boxes[name] = _Box(ours=False)

    def make_container(self, name: str, *, fence: Fence = unfenced) -> Container:
        """Make it if there is none."""
        require_container_name(name)
        if name not in self._boxes:
            _check(fence)
            self._boxes[name] = _Box(ours=True)
        return self.get_container(name)

    def get_container(self, name: str) -> Container:
        """Return it."""
        require_container_name(name)
        box = self._box(name)
        there = [one for each in tuple(box.objects) if (one := self._found(name, each))]
        size = sum(each[0].size_bytes for each in there)
        return Container(
            name=name, ours=box.ours, public=box.public, objects=len(there), used_bytes=size
        )

    def set_public(self, name: str, *, public: bool, fence: Fence = unfenced) -> None:
        """Change it."""
        box = self._ours(name)
        _check(fence)
        box.public = public

    def delete_container(self, name: str, *, fence: Fence = unfenced) -> None:
        """Delete it."""
        require_container_name(name)
        if name not in self._boxes:
            return
        self._ours(name)
        _check(fence)
        if self.get_container(name).objects:
            raise InUseError("fake: 409")
        del self._boxes[name]

    def put(
        self,
        container: str,
        order: ObjectOrder,
        pieces: Iterable[bytes],
        *,
        fence: Fence = unfenced,
        going: Fence = unfenced,
    ) -> StoredObject:
        """Keep it."""
        require_container_name(container)
        _check(fence)
        box = self._box(container)
        if self._found(container, order.name) is not None and not order.replace:
            raise BadOrderError(f"object {order.name} is there already, and is not replaced")
        data = self._taken(order, pieces, going)
        match self.swift.fate():
            case Fate.LOST_CALL | Fate.BROKEN | Fate.CUT:
                raise TryLaterError("fake: lost; nothing has been stored")
            case Fate.GARBLED:
                raise DamagedError("fake: garbled")
            case Fate.NO_ROOM:
                raise NoRoomError("fake: 413")
        now_s = self.swift.clock.now_s()
        one = StoredObject(
            name=order.name,
            size_bytes=len(data),
            md5=hashlib.md5(data, usedforsecurity=False).hexdigest(),
            content_type=order.content_type,
            content_encoding=order.content_encoding,
            modified_s=now_s,
            ends_s=None if order.keep_s is None else now_s + order.keep_s,
            metadata=dict(order.metadata),
        )
        box.objects[order.name] = (one, data)
        return one

    def _taken(self, order: ObjectOrder, pieces: Iterable[bytes], going: Fence) -> bytes:
        feed = Feed(
            pieces,
            name=order.name,
            bytes_max=order.bytes_max,
            size_bytes=order.size_bytes,
            check=keep_going(going, _FOREVER_S, lambda: 0.0),
        )
        data = bytearray()
        try:
            while piece := feed.next(_PIECE):
                data += piece
        except SourceError as exc:
            raise exc.__cause__ or exc from None
        return bytes(data)

    def get(self, container: str, name: str) -> StoredObject:
        """Return it."""
        require_object_name(name)
        if self.swift.fate() is Fate.BROKEN:
            raise TryLaterError("fake: 503")
        one = self._found(container, name)
        if one is None:
            raise GoneError("fake: 404")
        return one[0]

    @contextmanager
    def read(
        self, container: str, name: str, *, bytes_max: int, going: Fence = unfenced
    ) -> Iterator[tuple[StoredObject, Iterator[bytes]]]:
        """Give its bytes."""
        fate = self.swift.fate()
        found = self.get(container, name)
        if found.size_bytes > bytes_max:
            raise TooLargeError("fake: too large")
        one = self._found(container, name)
        assert one is not None
        yield found, checked(found, _pieces(one[1], fate), going)

    def list_objects(self, container: str, prefix: str = "") -> tuple[StoredObject, ...]:
        """Return those whose names begin so."""
        box = self._box(container)
        names = sorted(each for each in box.objects if each.startswith(prefix))
        found = (self._found(container, each) for each in names)
        return tuple(
            replace(each[0], ends_s=None, content_encoding=None, metadata={})
            for each in found
            if each is not None
        )

    def delete(self, container: str, name: str, *, fence: Fence = unfenced) -> None:
        """Delete it."""
        require_object_name(name)
        require_container_name(container)
        if self._found(container, name) is not None:
            _check(fence)
            del self._boxes[container].objects[name]

    def url(self, container: str, name: str) -> str:
        """Return its URL."""
        require_container_name(container)
        require_object_name(name)
        return f"{_BASE}{self.project}/{container}/{quoted(name)}"

    def signed_url(
        self, container: str, name: str, *, for_s: int, whole: bool = False, inline: bool = False
    ) -> Secret:
        """Sign it."""
        (require_prefix if whole else require_object_name)(name)
        box = self._box(container)
        if not box.key:
            self._ours(container)
            box.key = f"key-of-{self.project}-{container}"
        signer = UrlSigner(self.swift.clock)
        signer.note(container, box.key)
        url = f"{_BASE}{self.project}/{container}/{quoted(name)}"
        return signer.sign(url, Secret(box.key), name, for_s, whole=whole, inline=inline)

    def close(self) -> None:
        """Do nothing."""

    def _found(self, container: str, name: str) -> tuple[StoredObject, bytes] | None:
        return self.swift.found(self.project, container, name)

    def _box(self, name: str) -> _Box:
        if name not in self._boxes:
            raise GoneError(f"container {name}: fake: 404")
        return self._boxes[name]

    def _ours(self, name: str) -> _Box:
        box = self._box(name)
        if not box.ours:
            raise BadOrderError(f"container {name} was not made by us, so it stays as it is")
        return box


def _check(fence: Fence) -> None:
    if why := fence():
        raise NotSentError(why)


def _pieces(data: bytes, fate: Fate | None) -> Iterator[bytes]:
    if fate is Fate.CUT:
        yield data[: len(data) // 2]
        raise TryLaterError("fake: the answer ended too early")
    if fate is Fate.GARBLED and data:
        data = bytes([data[0] ^ 1]) + data[1:]
    for at in range(0, len(data), _PIECE):
        yield data[at : at + _PIECE]
