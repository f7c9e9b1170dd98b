"""The object store of an OpenStack account; see :mod:`remuda.cloud.objects`.

Facts, seen on Swift 2.38: who may not read a container gets 403, also where there is none; a
container tells its key and its readers to owners only; a listing of an SLO has ``slo_etag``; a
body that ends too early is not kept.
"""

import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from remuda.cloud import object_docs as docs
from remuda.cloud.account import Account, AccountSettings
from remuda.cloud.api import (
    BadOrderError,
    Fence,
    GoneError,
    InUseError,
    TryLaterError,
    unfenced,
)
from remuda.cloud.decoding import ROWS, Shape
from remuda.cloud.errors import Answer, Effect
from remuda.cloud.object_read import checked
from remuda.cloud.object_upload import STALL_S, Upload
from remuda.cloud.object_urls import UrlSigner
from remuda.cloud.objects import (
    LISTED_MAX,
    Container,
    ObjectOrder,
    StoredObject,
    TooLargeError,
    require_container_name,
    require_object_name,
    require_prefix,
)
from remuda.cloud.paths import UrlPath, quoted
from remuda.cloud.rate import RateLimit
from remuda.cloud.transfer import transfer_s_max
from remuda.cloud.wire import PAGES_MAX, Params, Wire
from remuda.runtime.clock import Clock
from remuda.secret import Secret

#: The catalog's word for Swift.
SERVICE: Final = "object-store"
#: Whose containers are ours.
MARK: Final = "remuda"
#: A body may have so many bytes; the rest goes into further ones. Swift's own limit is 5 GiB.
SEGMENT_BYTES: Final = 1 << 30
#: Archives have thousands of small files.
RATE_PER_S: Final = 200.0

_PAGE_SIZE: Final = 10_000
_CONFLICT, _NOT_FOUND = 409, 404


def open_objects(
    settings: AccountSettings, *, clock: Clock, rate_per_s: float = RATE_PER_S
) -> "OpenStackObjects":
    """Return the object store of an account, over connections of its own; no call is made.

    Raises:
        CloudConfigError: clouds.yaml is wrong.
    """
    account = Account(settings, clock=clock)
    limit = RateLimit(per_s=rate_per_s, clock=clock)
    wire = Wire(account, limit, timeout_s=settings.api_timeout_s, clock=clock)
    return OpenStackObjects(wire, account, clock=clock, limit=limit)


class OpenStackObjects:
    """Uses the connections, the token and the rate limit of an adapter, or its own.

    Args:
        wire: The connections.
        account: Whose objects.
        clock: For deadlines, and for how long URLs are good.
        limit: Closed with the connections, where they are its own; None: they are another's.
        mark: What containers of ours bear.
        segment_bytes: See :data:`SEGMENT_BYTES`.
        stall_s: For so long Swift may be silent in the middle of a transfer.
        page_size: Objects per page of a listing.
    """

    def __init__(
        self,
        wire: Wire,
        account: Account,
        *,
        clock: Clock,
        limit: RateLimit | None = None,
        mark: str = MARK,
        segment_bytes: int = SEGMENT_BYTES,
        stall_s: float = STALL_S,
        page_size: int = _PAGE_SIZE,
    ) -> None:
        self._wire = wire
        self._account = account
        self._clock = clock
        self._limit = limit
        self._mark = mark
        self._segment_bytes = segment_bytes
        self._stall_s = stall_s
        self._page_size = page_size
        self._signer = UrlSigner(clock)

    def make_container(self, name: str, *, fence: Fence = unfenced) -> Container:
        """Make a container; one call if it is there, else three."""
        require_container_name(name)
        try:
            return self.get_container(name)
        except GoneError:
            self._change("PUT", (name,), {docs.MARK: self._mark}, fence)
        return self.get_container(name)

    def get_container(self, name: str) -> Container:
        """Return a container; one call."""
        return docs.read_container(name, self._head_container(name).headers, self._mark)

    def set_public(self, name: str, *, public: bool, fence: Fence = unfenced) -> None:
        """Say whether everybody may read; three calls."""
        answer = self._ours(name)
        others = [
            each
            for each in docs.readers_of(answer.headers.get(docs.READERS, ""))
            if not each.startswith((".r:", ".ref", ".rlistings"))
        ]
        readers = ",".join([docs.ANYBODY, *others] if public else others)
        headers = {docs.READERS: readers} if readers else {"X-Remove-Container-Read": "x"}
        self._change("POST", (name,), headers, fence)
        if self.get_container(name).public is not public:
            raise TryLaterError(f"container {name}: the store did not change who may read it")

    def delete_container(self, name: str, *, fence: Fence = unfenced) -> None:
        """Delete a container; two calls."""
        try:
            self._ours(name)
        except GoneError:
            return
        answer = self._wire.call(
            SERVICE,
            "DELETE",
            (name,),
            effect=Effect.REPEATABLE,
            accept={_NOT_FOUND, _CONFLICT},
            shape=Shape.WORDS,
            fence=fence,
        )
        if answer.status == _CONFLICT:
            raise InUseError(f"container {name} has objects")

    def put(
        self,
        container: str,
        order: ObjectOrder,
        pieces: Iterable[bytes],
        *,
        fence: Fence = unfenced,
        going: Fence = unfenced,
    ) -> StoredObject:
        """Store an object; one call, or one for each segment and two more."""
        require_container_name(container)
        upload = Upload(
            self._wire,
            container,
            order,
            clock=self._clock,
            segment_bytes=self._segment_bytes,
            stall_s=self._stall_s,
        )
        return upload.run(pieces, fence=fence, going=going)

    def get(self, container: str, name: str) -> StoredObject:
        """Return an object; one call."""
        path = _path(container, name)
        answer = self._wire.call(SERVICE, "HEAD", path, effect=Effect.REPEATABLE, shape=Shape.WORDS)
        return docs.read_object(name, answer.headers)

    @contextmanager
    def read(
        self, container: str, name: str, *, bytes_max: int, going: Fence = unfenced
    ) -> Iterator[tuple[StoredObject, Iterator[bytes]]]:
        """Give an object's bytes; two calls."""
        found = self.get(container, name)
        if found.size_bytes > bytes_max:
            raise TooLargeError(
                f"object {name!a} has {found.size_bytes} bytes, {bytes_max} are allowed"
            )
        within_s = transfer_s_max(found.size_bytes)
        with self._wire.stream(
            SERVICE, _path(container, name), timeout_s=self._stall_s, within_s=within_s
        ) as (_, pieces):
            yield found, checked(found, pieces, going)

    def list_objects(self, container: str, prefix: str = "") -> tuple[StoredObject, ...]:
        """Return the objects; one call per page."""
        require_container_name(container)
        require_prefix(prefix)
        found: dict[str, StoredObject] = {}
        marker = ""
        for _ in range(PAGES_MAX):
            rows = self._page(container, prefix, marker)
            for row in rows:
                try:
                    one = docs.read_row(row)
                except ValueError as exc:
                    raise TryLaterError(
                        f"the listing of {container} cannot be read: {exc}"
                    ) from exc
                if one is not None and one.name.startswith(prefix):
                    found[one.name] = one
            if len(found) > LISTED_MAX:
                raise TooLargeError(f"container {container} has more than {LISTED_MAX} objects")
            if len(rows) < self._page_size:
                return tuple(found[name] for name in sorted(found))
            marker = _next_marker(container, rows[-1], marker)
        raise TryLaterError(f"the listing of {container} has more than {PAGES_MAX} pages")

    def delete(self, container: str, name: str, *, fence: Fence = unfenced) -> None:
        """Delete an object; two calls."""
        try:
            found = self.get(container, name)
        except GoneError:
            return
        params = {"multipart-manifest": "delete"} if found.segmented else None
        answer = self._delete(_path(container, name), params, fence)
        status = str(answer.doc.get("Response Status") or "200 OK")
        if not status.startswith(("200", "404")):  # Swift tells 200, and in it what went wrong
            raise TryLaterError(f"object {name!a} has gone in part only: {status}")

    def url(self, container: str, name: str) -> str:
        """Return an object's URL; no call once there is a token."""
        return f"{self._account.endpoint(SERVICE)}/{'/'.join(_path(container, name))}"

    def signed_url(
        self, container: str, name: str, *, for_s: int, whole: bool = False, inline: bool = False
    ) -> Secret:
        """Return a signed URL; one call, or three if there was no key."""
        require_container_name(container)
        (require_prefix if whole else require_object_name)(name)
        url = f"{self._account.endpoint(SERVICE)}/{container}/{quoted(name)}"
        key = self._url_key(container)
        return self._signer.sign(url, key, name, for_s, whole=whole, inline=inline)

    def close(self) -> None:
        """Drop the connections, if they are its own."""
        if self._limit is not None:
            self._limit.close()
            self._account.close()

    def _url_key(self, container: str) -> Secret:
        headers = self._head_container(container).headers
        if not headers.get(docs.URL_KEY):
            self._ours(container)
            self._change("POST", (container,), {docs.URL_KEY: secrets.token_hex(32)}, unfenced)
            # Of two who do this at once the last one wins: what it has now is read anew.
            headers = self._head_container(container).headers
        key = headers.get(docs.URL_KEY, "")
        if not key:
            raise TryLaterError(f"container {container}: the store keeps no key for signed URLs")
        self._signer.note(container, key)
        return Secret(key)

    def _head_container(self, name: str) -> Answer:
        require_container_name(name)
        return self._wire.call(
            SERVICE, "HEAD", (name,), effect=Effect.REPEATABLE, shape=Shape.WORDS
        )

    def _ours(self, name: str) -> Answer:
        answer = self._head_container(name)
        if not docs.read_container(name, answer.headers, self._mark).ours:
            raise BadOrderError(f"container {name} was not made by us, so it stays as it is")
        return answer

    def _change(self, method: str, path: UrlPath, headers: dict[str, str], fence: Fence) -> None:
        answer = self._wire.call(
            SERVICE,
            method,
            path,
            effect=Effect.REPEATABLE,
            headers=headers,
            accept=docs.REFUSALS,
            shape=Shape.WORDS,
            fence=fence,
        )
        if (error := docs.refused(answer, f"container {path[0]}")) is not None:
            raise error

    def _delete(self, path: UrlPath, params: Params | None, fence: Fence) -> Answer:
        return self._wire.call(
            SERVICE,
            "DELETE",
            path,
            effect=Effect.REPEATABLE,
            params=params,
            headers={"Accept": "application/json"},
            accept={_NOT_FOUND},
            shape=Shape.WORDS,
            fence=fence,
        )

    def _page(self, container: str, prefix: str, marker: str) -> list[object]:
        params = {"format": "json", "limit": str(self._page_size)}
        params |= {key: value for key, value in (("prefix", prefix), ("marker", marker)) if value}
        answer = self._wire.call(
            SERVICE,
            "GET",
            (container,),
            effect=Effect.REPEATABLE,
            params=params,
            shape=Shape.ROWS,
        )
        rows = answer.doc.get(ROWS, [])
        return list(rows)


def _path(container: str, name: str) -> UrlPath:
    require_container_name(container)
    require_object_name(name)
    return (container, quoted(name))


def _next_marker(container: str, row: object, marker: str) -> str:
    """Return where the next page begins.

    Swift sorts by the bytes of UTF-8, as Python does by characters: for all that is encodable,
    that is the same order.
    """
    name = row.get("name") if isinstance(row, dict) else None
    if not isinstance(name, str) or name <= marker:
        raise TryLaterError(f"the listing of {container} goes round in circles")
    return name
