"""What a cloud's failure means, decided once: HTTP answers and library errors become ours.

Sources: Nova's ``api/openstack/compute/servers.py`` and ``exception.py``, Neutron's
``NeutronError``, keystoneauth1 5 ``session.py``, and a real control plane that was asked.
"""

import email.utils
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import requests
from keystoneauth1 import exceptions as ksa
from openstack import exceptions as sdk
from urllib3 import exceptions as urllib3_errors

from remuda.cloud.api import (
    BadOrderError,
    CloudConfigError,
    CloudError,
    GoneError,
    NoRoomError,
    TryLaterError,
    UnauthorizedError,
    UnknownOutcomeError,
)
from remuda.redaction import redact_begin

#: What a cloud asks for beyond this is not believed: a provider must not be silenced for a day.
RETRY_AFTER_S_MAX: Final = 3600.0
RETRY_AFTER_S_DEFAULT: Final = 5.0
#: A number or a date is shorter.
_HEADER_MAX: Final = 100
#: Faults go into records and logs; a proxy's HTML page should not.
TEXT_MAX: Final = 500

#: Words of Nova, Neutron and Cinder for "it does not fit". Deliberately not among them: "exceeds"
#: alone ("Maximum number of metadata items exceeds 128" is a bad order) and "Exhausted all hosts
#: available for retrying build failures" (any failing boot ends with it).
_NO_ROOM: Final = re.compile(
    r"quota|over\s?limit|no valid host|insufficient (?!priv|perm|right)|not enough|out of capacity"
    r"|no more ip|no (?:more )?(?:fixed|floating) ips?\b|no available (?:ip|floating)"
    r"|maximum number of (?:ports|fixed ips|floating ips|instances)"
    r"|limit (?:was |is |has been )?(?:exceeded|reached)|exceed\w{0,8} .{0,60}\blimit",
    re.IGNORECASE,
)
_NO_STATE_FOR_IT: Final = re.compile(
    r"in vm_state (?!building)|in an invalid state for|is locked", re.IGNORECASE
)
_QUIESCE: Final = re.compile("quiesc", re.IGNORECASE)
#: Nova's schema errors quote what was wrong, and user data may hold private host keys.
_QUOTING: Final = ("user_data", "Value: ")
_MARKUP: Final = re.compile(r"<[^<>]*>|\s+")
#: A body is cut to this before it is looked at.
_BODY_MAX: Final = 16 * TEXT_MAX
_THROTTLED: Final = re.compile(r"rate.?limit|too many requests|throttl", re.IGNORECASE)

#: What is neither has done nothing that is known: a redirect was followed as far as we follow one.
_SUCCESS: Final = range(200, 300)
_BAD_REQUEST, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 400, 401, 403, 404
_TIMEOUT, _CONFLICT, _TOO_LARGE, _TOO_MANY = 408, 409, 413, 429
_SERVER_ERROR, _UNAVAILABLE = 500, 503


class Effect(StrEnum):
    """What a call may have done when we do not see its answer."""

    READ = "read"
    REPEATABLE = "repeatable"  # a change that may be asked for again without harm
    CREATE = "create"  # asked twice, it is done twice


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An HTTP answer, read to its end.

    Attributes:
        doc: The JSON object of the body; empty if there was no body.
        text: The beginning of the body if it was not a JSON object.
    """

    status: int
    headers: Mapping[str, str]
    doc: Mapping[str, Any]
    text: str = ""


def fault_means_no_room(text: str) -> bool:
    """Whether the fault of a server in ERROR is lack of room, not something that is broken."""
    return _NO_ROOM.search(text) is not None


def succeeded(status: int) -> bool:
    """Whether what was asked for has been done: a redirect that nobody could follow says no such.

    Sessions follow redirects; what is left of them has no ``Location``, or goes round in circles.
    """
    return status in _SUCCESS


def of_answer(answer: Answer, effect: Effect, *, now_s: float) -> CloudError | None:
    """Return what a finished call has to raise, or None if it succeeded.

    Args:
        answer: What the cloud said.
        effect: What kind of call it was.
        now_s: Wall clock, for a ``Retry-After`` that is a date.
    """
    if succeeded(answer.status):
        return None
    if answer.status < _BAD_REQUEST:
        why = f"HTTP {answer.status}, which leads to nothing: {message_of(answer)}"
        return UnknownOutcomeError(why) if effect is Effect.CREATE else _later(why, None)
    why = f"HTTP {answer.status}: {message_of(answer)}"
    asked_s = retry_after_s(answer.headers.get("Retry-After"), now_s=now_s)
    if answer.status == _UNAUTHORIZED:
        return UnauthorizedError(why)
    if _is_throttled(answer, effect, asked_s=asked_s):
        return _later(why, asked_s)
    if answer.status >= _SERVER_ERROR or answer.status == _TIMEOUT:
        return UnknownOutcomeError(why) if effect is Effect.CREATE else _later(why, asked_s)
    return _refused(answer.status, why, effect)


def of_busy_server(why: str) -> CloudError:
    """Return what Nova's 409 to an action on a server means, by its words.

    "… while it is in vm_state error": no waiting helps, unless it is building; likewise "Failed to
    quiesce instance", for the guest agent that it calls does not answer, and a locked server.
    While the server is in any task_state, it does.
    """
    if _QUIESCE.search(why):
        return BadOrderError(f"{why} (its guest agent does not answer: stop the server first)")
    return BadOrderError(why) if _NO_STATE_FOR_IT.search(why) else TryLaterError(why)


def _is_throttled(answer: Answer, effect: Effect, *, asked_s: float | None) -> bool:
    """Whether the call was surely not begun.

    A 503 with Retry-After is a refusal. Without, it may come from a proxy that lost the
    service in the middle of a create.
    """
    match answer.status:
        case 429:
            return True
        case 503:
            return effect is not Effect.CREATE or asked_s is not None
        case 413:  # Nova of old throttled with it and refused quota with it
            return effect is not Effect.CREATE or bool(_THROTTLED.search(message_of(answer)))
        case _:
            return False


def _refused(status: int, why: str, effect: Effect) -> CloudError:
    if effect is Effect.CREATE:
        return (
            NoRoomError(why) if status == _TOO_LARGE or _NO_ROOM.search(why) else BadOrderError(why)
        )
    if status == _NOT_FOUND:
        return GoneError(why)
    if status == _FORBIDDEN and effect is Effect.READ:
        return UnauthorizedError(why)  # not even looking is allowed: nothing will work
    if status == _CONFLICT:
        return TryLaterError(why)  # the thing is busy, e.g. in another task
    return BadOrderError(why)


def _later(why: str, asked_s: float | None) -> TryLaterError:
    return TryLaterError(why, retry_after_s=RETRY_AFTER_S_DEFAULT if asked_s is None else asked_s)


def of_exception(exc: Exception, effect: Effect, *, now_s: float) -> CloudError:
    """Return what a call has to raise that ended with an error of a library instead of an answer.

    keystoneauth1 folds a refused connection, a dropped one and both kinds of time-out into two
    classes; which it was decides whether a create may have happened, and is found in the cause.
    """
    why = _clip(str(exc))
    if isinstance(exc, ksa.Unauthorized | ksa.AuthorizationFailure | ksa.MissingAuthPlugin):
        return UnauthorizedError(why)
    if isinstance(exc, ksa.CatalogException | sdk.ConfigException | ksa.AuthPluginException):
        return CloudConfigError(why)
    if isinstance(exc, ksa.HttpError):
        return _of_http_error(exc, effect, now_s=now_s)
    if isinstance(exc, ksa.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(exc):
        return CloudConfigError(why)
    if effect is Effect.CREATE and not _surely_not_sent(exc):
        return UnknownOutcomeError(why)
    return TryLaterError(why)


def _of_http_error(exc: ksa.HttpError, effect: Effect, *, now_s: float) -> CloudError:
    headers = exc.response.headers if exc.response is not None else {}
    answer = Answer(status=exc.http_status or _SERVER_ERROR, headers=headers, doc={}, text=str(exc))
    return of_answer(answer, effect, now_s=now_s) or CloudError(_clip(str(exc)))


def _surely_not_sent(exc: BaseException) -> bool:
    """Whether the connection was never made, so that nothing can have happened."""
    cause = exc.__cause__ or exc.__context__
    if isinstance(cause, requests.ConnectTimeout):
        return True
    inner = cause.args[0] if isinstance(cause, requests.ConnectionError) and cause.args else None
    reason = inner.reason if isinstance(inner, urllib3_errors.MaxRetryError) else inner
    return isinstance(
        reason, urllib3_errors.NewConnectionError | urllib3_errors.ConnectTimeoutError
    )


def retry_after_s(value: str | None, *, now_s: float) -> float | None:
    """Return the seconds that a ``Retry-After`` header asks for: a number, or an HTTP date.

    None if there is none or it cannot be read; never negative, never more than the limit.
    """
    if not value or len(value) > _HEADER_MAX:
        return None
    try:
        wait_s = float(value)
    except ValueError:
        try:
            wait_s = email.utils.parsedate_to_datetime(value).timestamp() - now_s
        except (ValueError, OverflowError):
            return None
    return None if math.isnan(wait_s) else min(max(wait_s, 0.0), RETRY_AFTER_S_MAX)


def message_of(answer: Answer) -> str:
    """Return the sentence in an error's body, wherever this service puts it.

    Nova: ``{"badRequest": {"message": …}}``; Keystone: ``{"error": {"message": …}}``; Neutron:
    ``{"NeutronError": {"message": …}}``; Glance and proxies: HTML or plain text.
    """
    for value in answer.doc.values():
        if isinstance(value, Mapping) and isinstance(value.get("message"), str):
            return _clip(value["message"])
    if isinstance(answer.doc.get("message"), str):
        return _clip(answer.doc["message"])
    text = _MARKUP.sub(" ", answer.text[:_BODY_MAX])
    return _clip(text or json.dumps(dict(answer.doc)))


def kind_of(answer: Answer) -> str:
    """Return Neutron's name for an error, such as ``PortNotFound``; empty if it gives none."""
    for value in answer.doc.values():
        if isinstance(value, Mapping) and isinstance(value.get("type"), str):
            return str(value["type"])
    return ""


def _without_user_data(text: str) -> str:
    what, quoted = _QUOTING
    start = text.find(what)
    at = -1 if start < 0 else text.find(quoted, start)
    return text if at < 0 else f"{text[: at + len(quoted)]}(withheld)"


def _clip(text: str) -> str:
    text = " ".join(_without_user_data(text[:_BODY_MAX]).split())
    return text if len(text) <= TEXT_MAX else f"{redact_begin(text, TEXT_MAX)}…"
