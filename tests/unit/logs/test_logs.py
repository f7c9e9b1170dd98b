"""Log lines: one event each, with ids, in UTC, bounded, and without secrets."""

import io
import json
import logging
import threading
import time
import unicodedata
import warnings
from typing import Any

import pytest

from remuda import logs

PRIVATE_KEY = (
    "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n"
    "-----END OPENSSH PRIVATE KEY-----"
)


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


STEERING = (
    "\x1b[2J\x9b31m\x7f\r\u202eevil\u2066\u200b\u2028\ufeff\U000e0041\n2026 info all.well\ud800"
)


def steering(text: str) -> set[str]:
    """Return the characters that no log may have."""
    return {
        char
        for char in text
        if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and char != "\n"
    }


@pytest.mark.parametrize("form", ["plain", "json"])
def test_nothing_in_a_log_steers_a_terminal(form: logs.Format) -> None:
    """Not in values, names, events, exceptions, or what libraries say; and no line is forged."""
    stream = io.StringIO()
    logs.configure(form, "info", stream=stream)
    log = logs.get_logger(daemon=STEERING)
    fields = {f"key{STEERING}": STEERING, "list": [{STEERING: STEERING}]}
    name = f"event{STEERING}"
    log.error(name, exc_info=ValueError(STEERING), **fields)
    logging.getLogger("kazoo").warning("said %s", STEERING)

    text = stream.getvalue()
    assert steering(text) == set()
    assert "\n2026 info all.well" not in text
    assert text.count("evil") >= 6
    text.encode()
    if form == "json":
        assert len(events(stream)) == 2
        assert text.isascii()


def test_json_logs_are_json_whatever_is_logged(out: io.StringIO) -> None:
    """Not a number, and numbers that Python will not write."""
    logs.get_logger().info("x.y", a=float("nan"), b=10**5000, c=[float("inf")])

    (event,) = events(out)

    assert (event["a"], event["b"], event["c"]) == ("nan", "a number of 16610 bits", ["inf"])


def test_what_ends_a_thread_is_logged(out: io.StringIO) -> None:
    """Python would write it to the terminal as it is."""

    def work() -> None:
        raise ValueError(f"password=hunter2hunter2 {STEERING}")

    thread = threading.Thread(target=work, name="worker")
    thread.start()
    thread.join(60.0)
    (event,) = events(out)

    assert event["event"] == "thread.ended"
    assert event["thread"] == "worker"
    assert "ValueError: password=[redacted]" in event["exception"]


@pytest.mark.parametrize("key", ["cause", "exception", "x" * 5_000])
def test_a_secret_at_the_cut_of_a_field_is_not_halved(out: io.StringIO, key: str) -> None:
    """It is masked before the middle goes."""
    for at in range(480, 520):
        logs.get_logger().info("x.y", **{key: "x" * at + " password=hunter2hunter2 " + "y" * 9_000})

    assert "hunter2" not in out.getvalue()


def test_a_large_record_costs_no_more_than_its_beginning_and_end(out: io.StringIO) -> None:
    """It once held the interpreter for 20 s; what is not shown is not read."""
    begun_s = time.thread_time()
    logs.get_logger().info("record.set-aside", why="a" * 240_000, other="password=" * 30_000)

    assert time.thread_time() - begun_s < 1.0
    assert len(events(out)) == 1
