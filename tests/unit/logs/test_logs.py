"""Log lines: one event each, with ids, in UTC, bounded, and without secrets."""

import io
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from remuda import logs

PRIVATE_KEY = (
    "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n"
    "-----END OPENSSH PRIVATE KEY-----"
)


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger(logs.ROOT)
    handlers, levels = root.handlers[:], (root.level, ours.level)
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])
    logging.captureWarnings(capture=False)


@pytest.fixture
def out() -> io.StringIO:
    """Return where the JSON lines of the test go."""
    stream = io.StringIO()
    logs.configure("json", "info", stream=stream)
    return stream


def events(stream: io.StringIO) -> list[dict[str, Any]]:
    """Return the lines, each of which must be a JSON object."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_line_with_its_ids(out: io.StringIO) -> None:
    """Bound ids and the event's own fields stand side by side."""
    log = logs.get_logger(daemon="launcher/east")
    log.info("node.ready", node="3000000001", cause="checks\npassed", attempt=2)

    (event,) = events(out)

    assert event.pop("t").endswith("Z")
    assert event == {
        "level": "info",
        "event": "node.ready",
        "daemon": "launcher/east",
        "node": "3000000001",
        "cause": "checks\npassed",
        "attempt": 2,
    }


def test_events_below_the_level_are_left_out(out: io.StringIO) -> None:
    """Debug is for debugging."""
    logs.get_logger().debug("inbox.drained")

    assert events(out) == []


def test_an_unknown_level_is_refused() -> None:
    """A typo in an option is no silent default."""
    with pytest.raises(ValueError, match="LOUD"):
        logs.configure("plain", "loud")


def test_other_libraries_speak_from_warning_on(out: io.StringIO) -> None:
    """In the form of our events, with what they said as a field."""
    logging.getLogger("kazoo.client").info("Connecting to %s", "zk1")
    logging.getLogger("kazoo.client").warning("Connection dropped: %s", "zk1")

    (event,) = events(out)

    assert event["event"] == "library.kazoo"
    assert event["logger"] == "kazoo.client"
    assert event["said"] == "Connection dropped: zk1"


def test_python_warnings_become_events(out: io.StringIO) -> None:
    """They would else break the one-line form of standard error."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn("old", DeprecationWarning, stacklevel=1)

    assert [event["event"] for event in events(out)] == ["library.py"]


def test_a_stack_trace_stays_on_the_line(out: io.StringIO) -> None:
    """Collectors get it as a field."""
    try:
        [].pop()
    except IndexError:
        logs.get_logger().exception("hand.crashed", action="boot")

    (event,) = events(out)

    assert "pop from empty list" in event["exception"]
    assert event["level"] == "error"


@pytest.mark.parametrize(
    ("fields", "secret"),
    [
        ({"password": "hunter2"}, "hunter2"),
        ({"zk_auth_password": "hunter2"}, "hunter2"),
        ({"server": {"adminPass": "hunter2"}}, "hunter2"),
        ({"user_data": "#cloud-config hunter2"}, "hunter2"),
        ({"cause": f"cannot use {PRIVATE_KEY}"}, "b3BlbnNzaC1"),
        ({"cause": PRIVATE_KEY[:60]}, "b3BlbnNzaC1"),
        ({"cause": "401: X-Auth-Token: gAAAAhunter2"}, "hunter2"),
        ({"cause": "headers {'Authorization': 'Bearer hunter2'}"}, "hunter2"),
        ({"cause": "http://admin:hunter2@cloud.example:5000/v3"}, "hunter2"),
        ({"cause": 'body {"password": "hunter2"}'}, "hunter2"),
        ({"steps": [["a", ("password=hunter2",)]]}, "hunter2"),
        ({"cause": b"password=hunter2"}, "hunter2"),
        ({"cause": ValueError("password=hunter2")}, "hunter2"),
    ],
)
def test_secrets_never_reach_the_log(out: io.StringIO, fields: dict[str, Any], secret: str) -> None:
    """By the name of the field, and by forms that are always secret."""
    logs.get_logger().info("cloud.failed", **fields)

    assert secret not in out.getvalue()
    assert "[redacted]" in out.getvalue()


def test_a_secret_in_a_librarys_sentence_is_taken_out(out: io.StringIO) -> None:
    """We do not control what others log."""
    logging.getLogger("keystoneauth").warning("REQ: password=%s", "hunter2")

    assert "hunter2" not in out.getvalue()


def test_harmless_names_are_left_alone(out: io.StringIO) -> None:
    """A key's name or a count of tokens is no secret."""
    logs.get_logger().info("node.ready", key_name="infra", host_key="ssh-ed25519 AAAA", passed=True)

    (event,) = events(out)

    assert event["key_name"] == "infra"
    assert event["host_key"] == "ssh-ed25519 AAAA"
    assert event["passed"] is True


def test_a_long_field_is_cut_in_the_middle(out: io.StringIO) -> None:
    """Its beginning says what it is, its end how it ended."""
    logs.get_logger().info("node.failed", cause="begin" + "x" * 100_000 + "end")

    cause = events(out)[0]["cause"]

    assert len(cause) < logs.FIELD_CHARS_MAX + 50
    assert cause.startswith("begin")
    assert cause.endswith("end")


def test_the_number_of_fields_is_bounded(out: io.StringIO) -> None:
    """One event can never become a dump."""
    logs.get_logger().info("x.y", **{f"f{number}": number for number in range(500)})

    assert len(events(out)[0]) <= logs.FIELDS_MAX + len(("t", "level", "event"))


def test_plain_lines_are_for_people() -> None:
    """Time, level, event, then fields, quoted only where needed; nothing for None."""
    stream = io.StringIO()
    logs.configure("plain", "info", stream=stream)
    logs.get_logger(daemon="launcher/east").info("node.ready", node="1", cause="a b", request=None)

    time, _, rest = stream.getvalue().rstrip("\n").partition(" ")

    assert time.endswith("Z")
    assert rest == 'info    node.ready daemon=launcher/east node=1 cause="a b"'


def test_without_configuration_information_goes_nowhere(capsys: pytest.CaptureFixture[str]) -> None:
    """Commands that print results are not disturbed by our events."""
    logs.get_logger().info("node.ready")

    assert capsys.readouterr().out == ""
