"""Accounts and containers of Swift."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from starlette.responses import JSONResponse, PlainTextResponse, Response

from sandbox.object.access import READ, URL_KEYS, WRITE, Doorman
from sandbox.object.store import AccountBins, Bin, Blob, ObjectState
from sandbox.web.call import Call, Op, empty
from sandbox.web.errors import ApiError

_LISTED_MAX: Final = 10_000
_NAME_MAX: Final = 256
_META_MAX: Final = 90
_VALUE_MAX: Final = 256
#: Only owners see these.
_PRIVATE: Final = (READ, WRITE, *(f"x-container-meta-{each}" for each in URL_KEYS))


class ContainerApi:
    """The operations on accounts and containers."""

    def __init__(self, state: ObjectState, doorman: Doorman) -> None:
        self._state = state
        self._doorman = doorman

    def ops(self) -> list[Op]:
        """Return the routes below ``/v1``; HEAD first, for GET would take it."""
        account, container = "/{account}", "/{account}/{container}"
        table = (
            ("account.show", "HEAD", account, self._account_head),
            ("account.list", "GET", account, self._account_get),
            ("account.update", "POST", account, self._account_post),
            ("container.show", "HEAD", container, self._head),
            ("container.list", "GET", container, self._get),
            ("container.create", "PUT", container, self._put),
            ("container.update", "POST", container, self._post),
            ("container.delete", "DELETE", container, self._delete),
        )
        return [
            Op(name=name, method=method, path=path, handler=handler, open=True, reads_body=True)
            for name, method, path, handler in table
        ]

    async def _account_head(self, call: Call) -> Response:
        self._doorman.owner_only(call)
        return empty(204, self._account_headers(call))

    async def _account_get(self, call: Call) -> Response:
        self._doorman.owner_only(call)
        bins = sorted(self._account(call).bins.values(), key=lambda each: each.name)
        rows = [
            {
                "name": each.name,
                "count": len(self._state.blobs(each)),
                "bytes": sum(blob.size for blob in each.blobs.values()),
                "last_modified": stamp(each.made_s),
            }
            for each in bins
        ]
        return _listed(call, _paged(call, rows), self._account_headers(call))

    async def _account_post(self, call: Call) -> Response:
        self._doorman.owner_only(call)
        change_meta(self._account(call).meta, call, "account")
        return empty()

    async def _head(self, call: Call) -> Response:
        bin_ = self._seen(call)
        return empty(204, self._headers(call, bin_))

    async def _get(self, call: Call) -> Response:
        bin_ = self._seen(call)
        prefix = call.query("prefix") or ""
        rows = [_row(each) for each in self._state.blobs(bin_) if each.name.startswith(prefix)]
        delimiter = call.query("delimiter")
        if delimiter:
            rows = _folded(rows, prefix, delimiter)
        return _listed(call, _paged(call, rows), self._headers(call, bin_))

    async def _put(self, call: Call) -> Response:
        self._doorman.owner_only(call)
        name = call.param("container")
        if len(name.encode()) > _NAME_MAX:
            raise ApiError(400, f"Container name length of {len(name)} longer than {_NAME_MAX}")
        bin_ = self._state.bin(call.param("account"), name)
        known = bin_ is not None
        bin_ = bin_ or self._state.make_bin(call.param("account"), name)
        change_meta(bin_.meta, call, "container")
        return empty(202 if known else 201)

    async def _post(self, call: Call) -> Response:
        self._doorman.owner_only(call)
        change_meta(self._own(call).meta, call, "container")
        return empty()

    async def _delete(self, call: Call) -> Response:
        self._doorman.owner_only(call)
        bin_ = self._own(call)
        if self._state.blobs(bin_):
            raise ApiError(409, "There was a conflict when trying to complete your request.")
        del self._account(call).bins[bin_.name]
        return empty()

    def _account(self, call: Call) -> AccountBins:
        return self._state.account(call.param("account"))

    def _own(self, call: Call) -> Bin:
        bin_ = self._state.bin(call.param("account"), call.param("container"))
        if bin_ is None:
            raise missing()
        return bin_

    def _seen(self, call: Call) -> Bin:
        bin_ = self._state.bin(call.param("account"), call.param("container"))
        self._doorman.may(call, bin_, write=False, listing=True)
        return self._own(call)

    def _account_headers(self, call: Call) -> dict[str, str]:
        account = self._account(call)
        return {
            **account.meta,
            "X-Account-Container-Count": str(len(account.bins)),
            "X-Account-Object-Count": str(sum(len(each.blobs) for each in account.bins.values())),
            "X-Account-Bytes-Used": str(self._state.used(call.param("account"))),
        }

    def _headers(self, call: Call, bin_: Bin) -> dict[str, str]:
        blobs = self._state.blobs(bin_)
        shown = {
            key: value
            for key, value in bin_.meta.items()
            if key not in _PRIVATE or self._doorman.owns(call)
        }
        return {
            **shown,
            "X-Container-Object-Count": str(len(blobs)),
            "X-Container-Bytes-Used": str(sum(each.size for each in blobs)),
            "X-Timestamp": f"{bin_.made_s:.5f}",
            "X-Storage-Policy": "default",
        }


def change_meta(meta: dict[str, str], call: Call, kind: str) -> None:
    """Set and remove what the headers of a call say of an account or a container.

    Raises:
        ApiError: 400, if there is too much of it.
    """
    wanted = f"x-{kind}-meta-"
    changed = dict(meta)
    for key, value in call.request.headers.items():
        removed = key.replace("x-remove-", "x-", 1) if key.startswith("x-remove-") else ""
        name = removed or key
        if not name.startswith(wanted) and name not in (READ, WRITE):
            continue
        if len(name) > _NAME_MAX or len(value) > 8 * _VALUE_MAX:
            raise ApiError(400, f"Metadata value longer than {_VALUE_MAX}: {name}")
        changed.pop(name, None)
        if value and not removed:
            changed[name] = value
    if len(changed) > _META_MAX:
        raise ApiError(400, f"Too many metadata items; max {_META_MAX}")
    meta.clear()
    meta.update(changed)


def missing() -> ApiError:
    """Return the refusal for what is not there."""
    return ApiError(404, "The resource could not be found.")


def stamp(at_s: float) -> str:
    """Write a time as listings do: in UTC, which they do not say."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")


def _row(blob: Blob) -> dict[str, Any]:
    return {
        "name": blob.name,
        "bytes": blob.size,
        "hash": blob.etag,
        "content_type": blob.meta.get("content-type", "application/octet-stream"),
        "last_modified": stamp(blob.stored_s),
        **({"slo_etag": f'"{blob.etag}"'} if blob.segments else {}),
    }


def _folded(rows: list[dict[str, Any]], prefix: str, delimiter: str) -> list[dict[str, Any]]:
    """Return rows in which names with the delimiter stand once, up to it."""
    folded: dict[str, dict[str, Any]] = {}
    for row in rows:
        rest = row["name"][len(prefix) :]
        head, found, _ = rest.partition(delimiter)
        name = prefix + head + delimiter if found else row["name"]
        folded.setdefault(name, {"subdir": name} if found else row)
    return list(folded.values())


def _paged(call: Call, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    text = call.query("limit") or str(_LISTED_MAX)
    if not (text.isascii() and text.isdigit()) or int(text) > _LISTED_MAX:
        raise ApiError(412, f"Maximum limit is {_LISTED_MAX}")
    marker = (call.query("marker") or "").encode()
    after = [each for each in rows if str(each.get("name") or each["subdir"]).encode() > marker]
    return after[: int(text)]


def _listed(call: Call, rows: list[dict[str, Any]], headers: dict[str, str]) -> Response:
    accept = call.request.headers.get("Accept", "")
    if call.query("format") == "json" or "application/json" in accept:
        return JSONResponse(rows, headers=headers)
    if not rows:
        return empty(204, headers)
    names = "".join(f"{each.get('name') or each['subdir']}\n" for each in rows)
    return PlainTextResponse(names, headers=headers)
