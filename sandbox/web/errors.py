"""Refusals, in the words and shapes of each service.

Sources: the error bodies in the API references of Keystone v3, Nova v2.1, Glance v2 and
Neutron v2.0, Swift's ``swob.py``, and what ``openstack.exceptions.raise_from_response`` digs out
of them.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Final

from starlette.responses import HTMLResponse, JSONResponse, Response


class Service(StrEnum):
    """The services, by their name in the catalogue."""

    IDENTITY = "identity"
    COMPUTE = "compute"
    IMAGE = "image"
    NETWORK = "network"
    OBJECT = "object-store"


class ApiError(Exception):
    """A call is refused: *status* and a message for the caller.

    Args:
        kind: Neutron's exception class, e.g. ``NetworkNotFound``; other services ignore it.
    """

    def __init__(
        self, status: int, message: str, *, kind: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.headers = dict(headers or {})


#: Nova names its fault object after the status (nova/api/openstack/wsgi.py, ``Fault``).
_NOVA_FAULTS: Final[Mapping[int, str]] = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    409: "conflictingRequest",
    413: "overLimit",
    415: "badMediaType",
    429: "overLimit",
    501: "notImplemented",
    503: "serviceUnavailable",
}


def response(service: Service, error: ApiError) -> Response:
    """Write *error* as *service* would."""
    if service is Service.OBJECT:
        page = f"<html><h1>{_title(error.status)}</h1><p>{html.escape(error.message)}</p></html>"
        return HTMLResponse(page, error.status, headers=error.headers)
    return JSONResponse(_doc(service, error), error.status, headers=error.headers)


def _doc(service: Service, error: ApiError) -> dict[str, Any]:
    title = _title(error.status)
    match service:
        case Service.COMPUTE:
            fault: dict[str, Any] = {"code": error.status, "message": error.message}
            if "Retry-After" in error.headers:
                fault["retryAfter"] = error.headers["Retry-After"]
            return {_NOVA_FAULTS.get(error.status, "computeFault"): fault}
        case Service.NETWORK:
            return {
                "NeutronError": {
                    "type": error.kind or title.replace(" ", ""),
                    "message": error.message,
                    "detail": "",
                }
            }
        case Service.IMAGE:
            return {"message": error.message, "code": f"{error.status} {title}", "title": title}
        case _:
            return {"error": {"code": error.status, "message": error.message, "title": title}}


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
