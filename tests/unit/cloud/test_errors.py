"""What failures mean."""

import email.utils
from collections.abc import Mapping
from typing import Any

import pytest
import requests
from keystoneauth1 import exceptions as ksa
from openstack import exceptions as sdk
from urllib3 import exceptions as urllib3_errors
from urllib3.connectionpool import HTTPConnectionPool

from remuda.cloud import errors
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
from remuda.cloud.errors import Answer, Effect
from remuda.known_secrets import KNOWN

NOW_S = 1_000_000.0


def _answer(status: int, message: str = "", headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status=status, headers=headers or {}, doc={"fault": {"message": message}})


@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        (403, "Quota exceeded for instances: Requested 1, but already used 2 of 2", NoRoomError),
        (403, "Maximum number of ports exceeded", NoRoomError),
        (413, "Quota exceeded, too many servers", NoRoomError),
        (413, "This request was rate-limited.", TryLaterError),
        (409, "No more IP addresses available on network x", NoRoomError),
        (400, "Requested volume exceeds allowed gigabytes quota", NoRoomError),
        (400, "No valid host was found. There are not enough hosts available.", NoRoomError),
        (403, "Maximum number of metadata items exceeds 128", BadOrderError),
        (403, "Policy doesn't allow it to be performed.", BadOrderError),
        (403, "Insufficient permissions", BadOrderError),
        (409, "Multiple possible networks found, use a Network ID", BadOrderError),
        (400, "Flavor's disk is too small for requested image.", BadOrderError),
        (404, "", BadOrderError),
        (401, "", UnauthorizedError),
        (408, "", UnknownOutcomeError),
        (500, "quota service is down", UnknownOutcomeError),
        (503, "", UnknownOutcomeError),
        (429, "", TryLaterError),
    ],
)
def test_refusals_of_a_create(status: int, message: str, expected: type[CloudError]) -> None:
    """Whether anything can have been made decides."""
    error = errors.of_answer(_answer(status, message), Effect.CREATE, now_s=NOW_S)

    assert type(error) is expected


@pytest.mark.parametrize(
    ("status", "effect", "expected"),
    [
        (404, Effect.READ, GoneError),
        (404, Effect.REPEATABLE, GoneError),
        (403, Effect.READ, UnauthorizedError),
        (403, Effect.REPEATABLE, BadOrderError),
        (409, Effect.REPEATABLE, TryLaterError),
        (400, Effect.READ, BadOrderError),
        (413, Effect.READ, TryLaterError),
        (500, Effect.READ, TryLaterError),
        (503, Effect.REPEATABLE, TryLaterError),
    ],
)
def test_refusals_of_other_calls(status: int, effect: Effect, expected: type[CloudError]) -> None:
    """They may be repeated, so nothing is unknown."""
    assert type(errors.of_answer(_answer(status), effect, now_s=NOW_S)) is expected


@pytest.mark.parametrize("status", [101, 300, 302, 304, 399])
def test_what_leads_to_nothing_is_no_success(status: int) -> None:
    """The session has followed each redirect that says where to; of this one nothing came."""
    for effect, expected in (
        (Effect.READ, TryLaterError),
        (Effect.REPEATABLE, TryLaterError),
        (Effect.CREATE, UnknownOutcomeError),
    ):
        error = errors.of_answer(_answer(status), effect, now_s=NOW_S)
        assert type(error) is expected


def test_success_is_no_error() -> None:
    """Nothing is to be raised."""
    assert errors.of_answer(_answer(204), Effect.READ, now_s=NOW_S) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("", None),
        ("17", 17.0),
        ("1.5", 1.5),
        ("-3", 0.0),
        ("999999", errors.RETRY_AFTER_S_MAX),
        ("soon", None),
        (email.utils.formatdate(NOW_S + 30, usegmt=True), 30.0),
        (email.utils.formatdate(NOW_S - 30, usegmt=True), 0.0),
    ],
)
def test_retry_after_is_a_number_or_a_date(value: str | None, expected: float | None) -> None:
    """Bounded on both sides."""
    assert errors.retry_after_s(value, now_s=NOW_S) == expected


@pytest.mark.parametrize(
    ("doc", "text", "expected"),
    [
        ({"badRequest": {"message": "a  b"}}, "", "a b"),
        ({"message": "glance"}, "", "glance"),
        ({}, "<html><h1>502</h1>Bad\n gateway</html>", "502 Bad gateway"),
        ({"x": 1}, "", '{"x": 1}'),
    ],
)
def test_message_is_found_wherever_a_service_puts_it(
    doc: dict[str, Any], text: str, expected: str
) -> None:
    """And is one line."""
    assert errors.message_of(Answer(status=400, headers={}, doc=doc, text=text)) == expected


def test_message_withholds_user_data_and_is_bounded() -> None:
    """Nova quotes the value that it rejects."""
    quoted = "Invalid input for field/attribute user_data. Value: c2VjcmV0. It is too long"

    assert "c2VjcmV0" not in str(errors.of_answer(_answer(400, quoted), Effect.CREATE, now_s=NOW_S))
    assert len(errors.message_of(_answer(400, "x" * 10_000))) <= errors.TEXT_MAX + 1


def test_message_that_is_cut_tells_no_half_of_a_secret() -> None:
    """Who masks it later would not know that half."""
    KNOWN.hold("test", ["swordfish-and-more-of-it"])
    text = "x" * (errors.TEXT_MAX - 10) + "swordfish-and-more-of-it" + "y" * 100
    assert "sword" not in errors.message_of(_answer(400, text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("No valid host was found. There are not enough hosts available.", True),
        ("Quota exceeded for cores", True),
        ("No fixed IP addresses available for network: x", True),
        ("Exceeded maximum number of retries. Exhausted all hosts available for retrying", False),
        ("Build of instance x aborted: Image is corrupt", False),
        ("", False),
    ],
)
def test_fault_that_means_no_room(text: str, *, expected: bool) -> None:
    """An exhausted retry says that boots fail, not that there is no room."""
    assert errors.fault_means_no_room(text) is expected


def _raised(outer: Exception, cause: Exception) -> Exception:
    """Raise as keystoneauth does: inside an except block, without from."""
    try:
        try:
            raise cause
        except type(cause):
            raise outer  # noqa: B904
    except type(outer) as exc:
        return exc


POOL = HTTPConnectionPool("127.0.0.1", 1)
REFUSED = requests.ConnectionError(
    urllib3_errors.MaxRetryError(POOL, "/", urllib3_errors.NewConnectionError(POOL, "refused"))  # type: ignore[arg-type]
)
DROPPED = requests.ConnectionError(urllib3_errors.ProtocolError("Connection aborted."))


@pytest.mark.parametrize(
    ("exc", "of_create", "of_read"),
    [
        (_raised(ksa.ConnectFailure(), REFUSED), TryLaterError, TryLaterError),
        (_raised(ksa.ConnectFailure(), DROPPED), UnknownOutcomeError, TryLaterError),
        (_raised(ksa.ConnectTimeout(), requests.ConnectTimeout()), TryLaterError, TryLaterError),
        (_raised(ksa.ConnectTimeout(), requests.ReadTimeout()), UnknownOutcomeError, TryLaterError),
        (ksa.UnknownConnectionError("x", ValueError()), UnknownOutcomeError, TryLaterError),
        (ksa.SSLError("CERTIFICATE_VERIFY_FAILED"), CloudConfigError, CloudConfigError),
        (ksa.SSLError("EOF occurred"), UnknownOutcomeError, TryLaterError),
        (ksa.Unauthorized(), UnauthorizedError, UnauthorizedError),
        (ksa.AuthorizationFailure(), UnauthorizedError, UnauthorizedError),
        (ksa.EndpointNotFound(), CloudConfigError, CloudConfigError),
        (sdk.ConfigException(), CloudConfigError, CloudConfigError),
        (ksa.ServiceUnavailable(), UnknownOutcomeError, TryLaterError),
        (ksa.NotFound(), BadOrderError, GoneError),
    ],
)
def test_errors_of_the_libraries(
    exc: Exception, of_create: type[CloudError], of_read: type[CloudError]
) -> None:
    """A create that was surely not sent is for later; one that may have been is unknown."""
    assert type(errors.of_exception(exc, Effect.CREATE, now_s=NOW_S)) is of_create
    assert type(errors.of_exception(exc, Effect.READ, now_s=NOW_S)) is of_read
