"""`remuda image log`: what a build has printed, for people, programs and files."""

import json

import pytest

from builder.log.build_log import BuildLog
from remuda.cli.image.logs import log
from remuda.model.build import BuildState
from remuda.model.image import BuildId
from remuda.model.upload import Trial, TrialResult
from remuda.store import paths
from tests.support.imageharness import FAILED, ImageHarness, write_log


@pytest.fixture
def harness() -> ImageHarness:
    """Builds 1 to 3 in two providers, 3 is current."""
    harness = ImageHarness()
    harness.shelf(1, 2, 3)
    return harness


def test_the_log_of_the_newest_build_is_printed_set_in(harness: ImageHarness) -> None:
    """No line of it passes for one of ours."""
    build_id = harness.build(4, providers=[], state=BuildState.FAILED, mishap=FAILED)
    write_log(harness, build_id, b"remuda: all is well\n\x1b[2Jsteers\nlast")
    result = harness.call(log, "debian")

    assert result.exit_code == 0
    assert result.stdout == (
        "== files, 0s ==\n== packages, 0s, FAILED ==\n  remuda: all is well\n"
        "  steers\n  last\nbuild debian/4 is failed: packages: mirror down\n"
    )


def test_a_log_as_json_is_a_line_for_each_event(harness: ImageHarness) -> None:
    """For programs."""
    write_log(harness, BuildId("debian", 3), b"text\x07\n")
    result = harness.call(log, "debian/3", "--json")
    events = [json.loads(line) for line in result.stdout.splitlines()]

    assert [one["event"] for one in events] == ["step", "step", "output", "end"]
    assert events[2]["text"] == "text\x07\n"
    assert events[3] == {
        "event": "end",
        "build": "debian/3",
        "state": "built",
        "provider": None,
        "verdict": None,
        "failure": None,
    }


def test_a_raw_log_is_the_output_alone(harness: ImageHarness) -> None:
    """As it came, for a file."""
    write_log(harness, BuildId("debian", 3), b"bell\x07 and\rmore\xff\n")

    assert (
        harness.call(log, "debian/3", "--raw").stdout_bytes == "bell\x07 and\rmore\ufffd\n".encode()
    )
    assert harness.call(log, "debian/3", "--raw", "--json").exit_code == 2


def test_a_log_with_a_gap_says_so(harness: ImageHarness) -> None:
    """And how much is missing."""
    write_log(harness, BuildId("debian", 3), b"0123456789abcde\n" * 30_000)

    assert "bytes are not kept \u2026\n" in harness.call(log, "debian/3").stdout


def test_a_trial_is_printed_by_its_provider(harness: ImageHarness) -> None:
    """With the verdict, whatever became of the build elsewhere."""
    build_id = BuildId("debian", 3)
    trial = Trial(result=TrialResult.FAILED, why="disk: too small")
    harness.upload(build_id, "beta", trials={"beta": trial})
    one = BuildLog(harness.zookeeper.connect(), build_id, writer="me", provider="beta")
    one.step("disk")
    one.write(b"3 GiB\n")
    one.close(ok=False)
    assert one.settle(60)
    result = harness.call(log, "debian/3", "--provider", "beta")
    *_, end = harness.call(log, "debian/3", "--provider", "beta", "--json").stdout.splitlines()

    assert result.stdout == (
        "== disk, 0s, FAILED ==\n  3 GiB\nbuild debian/3 in beta: verdict failed: disk: too small\n"
    )
    assert json.loads(end) == {
        "event": "end",
        "build": "debian/3",
        "state": "built",
        "provider": "beta",
        "verdict": "failed",
        "failure": "disk: too small",
    }
    followed = harness.call(log, "debian/3", "--provider", "beta", "--follow")
    assert followed.stdout == result.stdout


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("debian/3", "--provider", "alpha"), 1, "build debian/3 was not tried in alpha yet"),
        (("debian/3", "--provider", "alhpa"), 2, "did you mean 'alpha'?"),
        (("debian/2",), 1, "build debian/2 has no log"),
        (("debian/4",), 1, "build debian/4 was not begun yet"),
        (("debian/9",), 2, "there is no build debian/9; on record: 1, 2, 3, 4"),
        (("debain",), 2, "did you mean 'debian'?"),
        (("empty",), 1, "no build of empty was begun yet"),
        (("debian/1",), 1, "the log of build debian/1 is broken: "),
    ],
)
def test_where_there_is_no_log_it_says_why(
    harness: ImageHarness, words: tuple[str, ...], code: int, sentence: str
) -> None:
    """In one sentence."""
    harness.build(4, providers=[], state=BuildState.REQUESTED)
    harness.image("empty")
    harness.store.ensure(paths.image_logs("debian"))
    harness.put(paths.image_log(BuildId("debian", 1)), b"nonsense")
    result = harness.call(log, *words)

    assert result.exit_code == code
    assert sentence in result.stderr


def test_a_finished_log_is_followed_to_its_end_at_once(harness: ImageHarness) -> None:
    """As with tail."""
    write_log(harness, BuildId("debian", 3), b"text\n")
    result = harness.call(log, "debian", "--follow")

    assert result.exit_code == 0
    assert result.stdout.endswith("  text\nbuild debian/3 is built\n")
