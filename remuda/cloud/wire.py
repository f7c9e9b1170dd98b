"""One HTTP call to a cloud, and listings that come in pages."""

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from urllib.parse import parse_qs, urlsplit

import requests
from keystoneauth1 import exceptions as ksa
from urllib3 import exceptions as urllib3_errors

from remuda.cloud import errors
from remuda.cloud.account import REFUSAL_PAUSE_S, Account
from remuda.cloud.answers import answer_within, body_of
from remuda.cloud.api import (
    BadOrderError,
    Fence,
    GoneError,
    NotSentError,
    TryLaterError,
    unfenced,
)
from remuda.cloud.decoding import Shape, decode, unheard
from remuda.cloud.errors import Answer, Effect
from remuda.cloud.paths import UrlPath, join
from remuda.cloud.rate import RateLimit, Traffic
from remuda.runtime.clock import Clock

#: The base version of Nova's API, understood by every release since 2015, asked for by name so
#: that no default can change under us. Two later ones would break us: from 2.37 a create must
#: name networks, and from 2.47 a server's flavor has no id.
COMPUTE_MICROVERSION: Final = "2.1"
_MICROVERSION_HEADERS: Final[Mapping[str, str]] = {
    "OpenStack-API-Version": f"compute {COMPUTE_MICROVERSION}",
    "X-OpenStack-Nova-API-Version": COMPUTE_MICROVERSION,
}

#: Bounds a listing that never ends; Nova's usual page has 1000 servers.
PAGES_MAX: Final = 1000
#: All pages together may take so many times what one may.
PAGES_TIMEOUTS: Final = 5.0
#: A host that does not even accept is given up sooner than one that thinks.
CONNECT_S_MAX: Final = 10.0

#: Bytes of a stream that are handled at once.
PIECE_BYTES: Final = 1 << 20

_UNAUTHORIZED: Final = 401

Params = Mapping[str, str | Sequence[str]]
#: JSON patches are lists, all else that we send is an object.
Body = Mapping[str, Any] | Sequence[Mapping[str, Any]]


class Outgoing(Protocol):
    """A body that is read while it is sent.

    If it has a length, that is told beforehand, as Glance wants it; else it goes in chunks.
    """

    def __iter__(self) -> Iterator[bytes]:
        """Yield all of it."""

    def close(self) -> None:
        """Let go of the file."""


class Wire:
    """Calls an account's services: rate-limited, authenticated, never repeated by itself.

    Nothing is retried except once after a refused token, which surely did nothing. A service that
    refuses a new token as well would cost a token per call, so it has to be content with what we
    have for a while. Bodies are never logged: user data may carry private host keys.
    """

    def __init__(
        self, account: Account, limit: RateLimit, *, timeout_s: float, clock: Clock
    ) -> None:
        self._account = account
        self._limit = limit
        self._timeout_s = timeout_s
        self._clock = clock
        self._lock = threading.Lock()
        self._calls = 0
        self._stubborn: dict[str, float] = {}  # until when a service gets no new tokens

    @property
    def calls(self) -> int:
        """How many API calls were sent so far, without those for tokens."""
        with self._lock:
            return self._calls

    def call(
        self,
        service: str,
        method: str,
        path: UrlPath,
        *,
        effect: Effect,
        params: Params | None = None,
        body: Body | None = None,
        data: Callable[[], Outgoing] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        accept: Collection[int] = (),
        shape: Shape = Shape.OBJECT,
        traffic: Traffic = Traffic.OTHER,
        fence: Fence = unfenced,
    ) -> Answer:
        """Call a service and return its answer.

        Args:
            service: ``compute``, ``image``, ``network`` or ``object-store``.
            method: HTTP method.
            path: Below the service's endpoint, in its parts.
            effect: What the call may have done when its answer is lost.
            params: The query.
            body: Sent as JSON.
            data: Instead of *body*: opens what is sent piece by piece, once per attempt.
            headers: Besides those of authentication and version.
            timeout_s: Instead of the usual one: for the whole answer, however slowly it comes,
                and before that for the wait for our rate limit.
            accept: Statuses of failure that the caller wants to see.
            shape: What the body of a success is.
            traffic: Whose share of our rate limit it takes.
            fence: Asked after that wait, and before the call is repeated with a new token.

        Raises:
            BadOrderError: If a part of the path is no id; nothing was sent.
            CloudError: As :mod:`remuda.cloud.errors` decides.
        """
        request = _Request(
            service=service,
            method=method,
            path=join(path),
            effect=effect,
            params=params,
            body=body,
            data=data,
            headers=headers or {},
            timeout_s=self._timeout_s if timeout_s is None else timeout_s,
            traffic=traffic,
            fence=fence,
            shape=shape,
        )
        answer = self._answer(request)
        error = errors.of_answer(answer, effect, now_s=self._clock.now_s())
        if error is not None and answer.status not in accept:
            raise error
        return answer

    @contextmanager
    def stream(
        self,
        service: str,
        path: UrlPath,
        *,
        timeout_s: float,
        within_s: float,
        first: int = 0,
    ) -> Iterator[tuple[int, Iterator[bytes]]]:
        """Get something large: the status, and the body piece by piece.

        Args:
            service: As in :meth:`call`.
            path: As in :meth:`call`.
            timeout_s: For which the cloud may be silent before or between pieces.
            within_s: When all of it must have come, however steadily it comes.
            first: The byte to begin with; a status other than 206 says that it was not heeded.

        Raises:
            CloudError: As :mod:`remuda.cloud.errors` decides; TryLaterError also between two
                pieces, if the connection ends before the body does.
        """
        request = _Request(
            service=service,
            method="GET",
            path=join(path),
            effect=Effect.REPEATABLE,  # a refusal is about this thing, not about us
            # Compressed on the way, it would not be what hashes and lengths speak of.
            headers={
                "Accept-Encoding": "identity",
                **({"Range": f"bytes={first}-"} if first else {}),
            },
            timeout_s=timeout_s,
            within_s=within_s,
            stream=True,
        )
        with closing(self._response(request)) as response:
            if not errors.succeeded(response.status_code):
                answer = self._read(response, request)
                error = errors.of_answer(answer, request.effect, now_s=self._clock.now_s())
                raise error or TryLaterError(f"HTTP {answer.status}")
            yield response.status_code, _pieces(response)

    def pages(
        self,
        service: str,
        path: UrlPath,
        key: str,
        params: Params,
        traffic: Traffic = Traffic.OTHER,
    ) -> Iterator[Mapping[str, Any]]:
        """Yield the objects of a listing, page by page, each once.

        The link to the next page is used for its marker only, for behind proxies its host and
        scheme are often wrong. Callers must not use what they have got when an error follows.

        Raises:
            TryLaterError: Also when the listing changed under us.
        """
        seen: set[str] = set()
        marker: str | None = None
        until_s = self._clock.monotonic_s() + PAGES_TIMEOUTS * self._timeout_s
        for _ in range(PAGES_MAX):
            if self._clock.monotonic_s() > until_s:
                raise TryLaterError(f"{service} {join(path)}: the pages come too slowly")
            query = {**params, **({"marker": marker} if marker else {})}
            doc = self._page(service, path, query, traffic, first=marker is None)
            items = doc.get(key)
            if not isinstance(items, list):
                raise TryLaterError(f"{service} {join(path)}: the answer has no list {key!r}")
            fresh = [item for item in items if item["id"] not in seen]
            seen.update(item["id"] for item in fresh)
            yield from fresh
            marker = _next_marker(doc, key, items)
            if marker is None:
                return
            if not fresh:
                raise TryLaterError(f"{service} {join(path)}: the pages go round in circles")
        raise TryLaterError(f"{service} {join(path)}: more than {PAGES_MAX} pages")

    def _page(
        self, service: str, path: UrlPath, query: Params, traffic: Traffic, *, first: bool
    ) -> Mapping[str, Any]:
        try:
            return self.call(
                service, "GET", path, effect=Effect.READ, params=query, traffic=traffic
            ).doc
        except (BadOrderError, GoneError) as exc:
            if first:
                raise
            # The marker was deleted between two pages: Nova answers 400, Neutron 404.
            raise TryLaterError(f"the listing changed while it was read: {exc}") from exc

    def _answer(self, request: "_Request") -> Answer:
        with closing(self._response(request)) as response:
            return self._read(response, request)

    def _read(self, response: requests.Response, request: "_Request") -> Answer:
        """Read an answer to its end."""
        try:
            body = body_of(response)
        except requests.RequestException as exc:
            why = f"HTTP {response.status_code}, and then {exc}"
            raise unheard(why, request.effect) from exc
        return decode(response, body, request.effect, request.shape)

    def _response(self, request: "_Request") -> requests.Response:
        # Everything that can fail before the call itself does so here, where nothing can
        # have happened yet and no outcome is unknown.
        url = self._account.endpoint(request.service) + request.path
        token = self._account.token()
        response = self._send(url, token, request)
        if response.status_code != _UNAUTHORIZED or self._is_stubborn(request.service):
            return response
        response.close()
        response = self._send(url, self._account.token(stale=token), request)
        if response.status_code == _UNAUTHORIZED:
            with self._lock:
                until_s = self._clock.monotonic_s() + REFUSAL_PAUSE_S
                self._stubborn[request.service] = until_s
        return response

    def _is_stubborn(self, service: str) -> bool:
        with self._lock:
            return self._clock.monotonic_s() < self._stubborn.get(service, 0.0)

    def _send(self, url: str, token: Mapping[str, str], request: "_Request") -> requests.Response:
        self._limit.take(request.traffic, wait_s_max=request.timeout_s)
        if why := request.fence():
            raise NotSentError(why)
        with self._lock:
            self._calls += 1
        data = request.data() if request.data is not None else None
        # While a body is sent, the time for connecting is that for each piece of it.
        connect_s = min(request.timeout_s, CONNECT_S_MAX) if data is None else request.timeout_s
        version = _MICROVERSION_HEADERS if request.service == "compute" else {}
        within_s = request.timeout_s if request.within_s is None else request.within_s
        try:
            with answer_within(within_s):
                return self._account.session.request(
                    url,
                    request.method,
                    json=request.body,
                    params=request.params,
                    headers={**token, **version, **request.headers},
                    authenticated=False,
                    raise_exc=False,
                    log=False,
                    connect_retries=0,
                    timeout=(connect_s, request.timeout_s),
                    data=data,  # or the JSON
                    stream=True,  # so that the body is read with a bound
                )
        except ksa.ClientException as exc:
            raise errors.of_exception(exc, request.effect, now_s=self._clock.now_s()) from exc
        finally:
            if data is not None:
                data.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """One call, as :meth:`Wire.call` describes it; *stream*: the body is read by the caller.

    The whole answer has *within_s*; None: as long as its silence may last.
    """

    service: str
    method: str
    path: str
    effect: Effect
    timeout_s: float
    within_s: float | None = None
    params: Params | None = None
    body: Body | None = None
    data: Callable[[], Outgoing] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    traffic: Traffic = Traffic.OTHER
    fence: Fence = unfenced
    stream: bool = False
    shape: Shape = Shape.OBJECT


def _pieces(response: requests.Response) -> Iterator[bytes]:
    # As they are stored: what is compressed there is not unpacked.
    try:
        yield from response.raw.stream(PIECE_BYTES, decode_content=False)
    except urllib3_errors.HTTPError as exc:
        raise TryLaterError(f"the answer ended too early: {exc}") from exc


def _next_marker(
    doc: Mapping[str, Any], key: str, items: Sequence[Mapping[str, Any]]
) -> str | None:
    # Nova and Neutron: {"servers_links": [{"rel": "next", "href": …}]}; Glance: {"next": …}.
    links = [link["href"] for link in doc.get(f"{key}_links") or () if link.get("rel") == "next"]
    href = links[0] if links else doc.get("next")
    if not href or not items:
        return None
    return next(iter(parse_qs(urlsplit(str(href)).query).get("marker", [])), str(items[-1]["id"]))
