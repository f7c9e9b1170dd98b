"""One HTTP call to a cloud, and listings that come in pages."""

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import requests
from keystoneauth1 import exceptions as ksa

from remuda.cloud import errors
from remuda.cloud.account import Account
from remuda.cloud.api import BadOrderError, TryLaterError, UnknownOutcomeError
from remuda.cloud.errors import Answer, Effect
from remuda.cloud.rate import RateLimit
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
#: A host that does not even accept is given up sooner than one that thinks.
CONNECT_S_MAX: Final = 10.0

_UNAUTHORIZED: Final = 401

Params = Mapping[str, str | Sequence[str]]


class Wire:
    """Calls an account's services: rate-limited, authenticated, never repeated by itself.

    Nothing is retried except once after a refused token, which surely did nothing. Bodies are
    never logged: user data may carry private host keys.
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

    @property
    def calls(self) -> int:
        """How many API calls were sent so far, without those for tokens."""
        with self._lock:
            return self._calls

    def call(
        self,
        service: str,
        method: str,
        path: str,
        *,
        effect: Effect,
        params: Params | None = None,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        accept: Collection[int] = (),
    ) -> Answer:
        """Call a service and return its answer.

        Args:
            service: ``compute``, ``image`` or ``network``.
            method: HTTP method.
            path: Below the service's endpoint, with a leading slash.
            effect: What the call may have done when its answer is lost.
            params: The query.
            body: Sent as JSON.
            headers: Besides those of authentication and version.
            timeout_s: Instead of the usual one; also bounds the wait for our rate limit.
            accept: Statuses of failure that the caller wants to see.

        Raises:
            CloudError: As :mod:`remuda.cloud.errors` decides.
        """
        wait_s = self._timeout_s if timeout_s is None else timeout_s
        # Everything that can fail before the call itself does so here, where nothing can
        # have happened yet and no outcome is unknown.
        url = self._account.endpoint(service) + path
        token = self._account.token()
        more = {**(_MICROVERSION_HEADERS if service == "compute" else {}), **(headers or {})}
        request: dict[str, Any] = {"params": params, "json": body, "timeout_s": wait_s}
        answer = self._send(method, url, {**token, **more}, effect, request)
        if answer.status == _UNAUTHORIZED:
            token = self._account.token(stale=token)
            answer = self._send(method, url, {**token, **more}, effect, request)
        error = errors.of_answer(answer, effect, now_s=self._clock.now_s())
        if error is not None and answer.status not in accept:
            raise error
        return answer

    def pages(
        self, service: str, path: str, key: str, params: Params
    ) -> Iterator[Mapping[str, Any]]:
        """Yield the objects of a listing, page by page, each once.

        The link to the next page is used for its marker only, for behind proxies its host and
        scheme are often wrong. Callers must not use what they have got when an error follows.

        Raises:
            TryLaterError: Also when the listing changed under us.
        """
        seen: set[str] = set()
        marker: str | None = None
        for _ in range(PAGES_MAX):
            query = {**params, **({"marker": marker} if marker else {})}
            doc = self._page(service, path, query, first=marker is None)
            items = doc.get(key)
            if not isinstance(items, list):
                raise TryLaterError(f"{service} {path}: the answer has no list {key!r}")
            fresh = [item for item in items if item["id"] not in seen]
            seen.update(item["id"] for item in fresh)
            yield from fresh
            marker = _next_marker(doc, key, items)
            if marker is None:
                return
            if not fresh:
                raise TryLaterError(f"{service} {path}: the pages go round in circles")
        raise TryLaterError(f"{service} {path}: more than {PAGES_MAX} pages")

    def _page(self, service: str, path: str, query: Params, *, first: bool) -> Mapping[str, Any]:
        try:
            return self.call(service, "GET", path, effect=Effect.READ, params=query).doc
        except BadOrderError as exc:
            if first:
                raise
            # Nova answers 400 when the marker was deleted between two pages.
            raise TryLaterError(f"the listing changed while it was read: {exc}") from exc

    def _send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        effect: Effect,
        request: Mapping[str, Any],
    ) -> Answer:
        timeout_s = float(request["timeout_s"])
        self._limit.take(wait_s_max=timeout_s)
        with self._lock:
            self._calls += 1
        try:
            response = self._account.session.request(
                url,
                method,
                json=request["json"],
                params=request["params"],
                headers=dict(headers),
                authenticated=False,
                raise_exc=False,
                log=False,
                connect_retries=0,
                timeout=(min(timeout_s, CONNECT_S_MAX), timeout_s),
            )
        except ksa.ClientException as exc:
            raise errors.of_exception(exc, effect, now_s=self._clock.now_s()) from exc
        return _read(response, effect)


def _read(response: requests.Response, effect: Effect) -> Answer:
    doc: Any = {}
    text = ""
    if response.content:
        try:
            doc = response.json()
        except ValueError:
            doc, text = {}, response.text[: 4 * errors.TEXT_MAX]
    if response.ok and (text or not isinstance(doc, dict)):
        why = f"HTTP {response.status_code}, but the body is no JSON object: {text[:80]!r}"
        raise UnknownOutcomeError(why) if effect is Effect.CREATE else TryLaterError(why)
    return Answer(
        status=response.status_code,
        headers=response.headers,
        doc=doc if isinstance(doc, dict) else {},
        text=text,
    )


def _next_marker(
    doc: Mapping[str, Any], key: str, items: Sequence[Mapping[str, Any]]
) -> str | None:
    # Nova and Neutron: {"servers_links": [{"rel": "next", "href": …}]}; Glance: {"next": …}.
    links = [link["href"] for link in doc.get(f"{key}_links") or () if link.get("rel") == "next"]
    href = links[0] if links else doc.get("next")
    if not href or not items:
        return None
    return next(iter(parse_qs(urlsplit(str(href)).query).get("marker", [])), str(items[-1]["id"]))
