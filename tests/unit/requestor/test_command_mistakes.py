"""What `remuda run` and `remuda request` say, and to whom, when they cannot do it."""

import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from remuda.cli.context import CommandContext
from remuda.model.status import Ruling
from remuda.store import paths
from requestor.commands.failure_lines import is_failure
from requestor.commands.request import request
from requestor.commands.run import run
from tests.support.commands import CommandHarness


@pytest.fixture
def harness() -> CommandHarness:
    """A harness whose launcher lends at once."""
    one = CommandHarness()
    one.launcher.register("small", "big")
    one.answer = one.launcher.lend
    return one


def test_json_tells_why_no_machine_was_to_be_had(harness: CommandHarness) -> None:
    """With each provider's verdict, and the code that the sentence comes with."""

    def refuse(request_id: str) -> None:
        harness.launcher.say(request_id, Ruling.DECLINED, "too large", numbers={"cores_max": 4})
        harness.launcher.refuse(request_id)

    harness.answer = refuse
    result = harness.call(run, "small", "--json", "--", "x")
    (event,) = [json.loads(line) for line in result.stdout.splitlines()]

    assert (event["event"], event["code"], result.exit_code) == ("failed", 4, 4)
    assert event["request"].startswith("200-")
    (verdict,) = event["verdicts"]
    assert verdict["reason"] == "too large"
    assert verdict["numbers"] == {"cores_max": 4}


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("smal",), 2, "no pool offers the label 'smal'; did you mean 'small'?"),
        (("small", "--max-wait", "0.01s"), 5, "is not served after 0 s"),
    ],
)
def test_json_tells_of_any_other_failure(
    harness: CommandHarness, words: tuple[str, ...], code: int, why: str
) -> None:
    """Programs need not read sentences."""
    harness.answer = lambda _request: None
    result = harness.call(run, *words, "--json", "--", "x")
    (event,) = [json.loads(line) for line in result.stdout.splitlines()]

    assert (event["event"], event["code"], result.exit_code) == ("failed", code, code)
    assert why in event["why"]
    assert event["verdicts"] == []


def failure_of(result: Result) -> dict[str, Any]:
    """Return the only line of an output, which tells of the failure that the code is of."""
    (event,) = [json.loads(line) for line in result.stdout.splitlines()]
    assert (event["event"], event["code"]) == ("failed", result.exit_code)
    return dict(event)


def test_json_tells_of_a_key_that_is_none(harness: CommandHarness, tmp_path: Path) -> None:
    """It is looked at before anything is asked for."""
    key = tmp_path / "key"
    key.write_text("no key")
    event = failure_of(harness.call(run, "small", "--json", "--identity", str(key), "--", "x"))

    assert event["code"] == 2
    assert "private key" in event["why"]


@pytest.mark.parametrize(
    "words", [("--copy", "/does/not/exist"), ("--stdin", "--count", "2")], ids=["copy", "stdin"]
)
def test_json_tells_of_options_that_do_not_fit(
    harness: CommandHarness, words: tuple[str, ...]
) -> None:
    """As far as they can be read at all."""
    assert failure_of(harness.call(run, "small", "--json", *words, "--", "x"))["code"] == 2


def test_json_tells_of_a_file_that_cannot_be_used(harness: CommandHarness, tmp_path: Path) -> None:
    """Such as one of the folder to copy, that vanished meanwhile."""

    def vanish(_request: str) -> None:
        raise FileNotFoundError(2, "No such file or directory", str(tmp_path / "gone"))

    harness.answer = vanish
    event = failure_of(harness.call(run, "small", "--json", "--copy", str(tmp_path), "--", "x"))

    assert event["code"] == 1
    assert event["why"] == f"{tmp_path}/gone: No such file or directory"


@pytest.mark.parametrize(
    "words", [(run, "small", "--json", "--", "x"), (request, "small", "--wait", "--json")]
)
def test_json_tells_of_a_configuration_that_cannot_be_used(
    tmp_path: Path, words: tuple[click.Command, *tuple[str, ...]]
) -> None:
    """With all that is wrong with it."""
    config = tmp_path / "remuda.yaml"
    config.write_text("labels: [")
    command, *rest = words
    event = failure_of(CliRunner().invoke(command, ["--config", str(config), *rest]))

    assert event["code"] == 2
    assert "the configuration cannot be used" in event["why"]
    assert str(config) in event["why"]


def test_json_tells_who_waits_for_machines_that_there_are_none(harness: CommandHarness) -> None:
    """As `remuda run` does, with the verdicts."""

    def refuse(request_id: str) -> None:
        harness.launcher.say(request_id, Ruling.DECLINED, "too large")
        harness.launcher.refuse(request_id)

    harness.answer = refuse
    event = failure_of(harness.call(request, "small", "--wait", "--json"))

    assert event["code"] == 4
    assert [one["reason"] for one in event["verdicts"]] == ["too large"]


def test_a_line_that_tells_of_a_failure_is_no_machine() -> None:
    """Who starts a keeper in the background counts the machines by their lines."""
    assert is_failure(b'{"event":"failed","code":4}')
    assert not is_failure(b'{"request":"200-1","id":"1"}')
    assert not is_failure(b"1 127.0.0.1 22 root small alpha")


def test_a_key_that_is_none_is_told_before_a_machine_is_taken(
    harness: CommandHarness, tmp_path: Path
) -> None:
    """Nobody has to wait for that."""
    key = tmp_path / "key"
    key.write_text("no key")
    result = harness.call(run, "small", "--identity", str(key), "--", "x")

    assert result.exit_code == 2
    assert "not an ed25519, RSA or ECDSA private key" in result.stderr
    assert harness.launcher.store.children(paths.NODES) == ()


def test_without_any_key_no_machine_is_taken(
    harness: CommandHarness, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither a file is given, nor is there an agent: the login would fail, minutes later."""
    harness.check_key = CommandContext().check_key
    for agent in (None, "", str(tmp_path / "nobody-listens")):
        monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
        if agent is not None:
            monkeypatch.setenv("SSH_AUTH_SOCK", agent)
        result = harness.call(run, "small", "--", "x")

        assert result.exit_code == 2
        assert result.stderr.startswith("remuda: no key to log in with: no file is given")
        assert result.stderr.count("\n") == 1
        assert harness.launcher.store.children(paths.REQUESTS) == ()


@pytest.mark.parametrize("pid", ["0", "-1"])
def test_a_process_id_is_a_positive_number(harness: CommandHarness, pid: str) -> None:
    """Others mean something else to the system."""
    result = harness.call(request, "small", "--wait", "--until-pid", pid)

    assert result.exit_code == 2


@pytest.mark.parametrize(
    "words",
    [
        ("small", "--priority", "nan"),
        ("small", "--priority", "inf"),
        ("small", "--priority", "9" * 5000),
        ("small", "--relative-priority", "nan"),
        ("small", "--relative-priority", "9" * 400),
        ("small", "--requestor", "r" * 2000),
        ("small", "--requestor", "\udcff"),
        ("small", "--max-wait", "nan"),
        ("small=99999999999",),
        (f"small={'9' * 5000}",),
        ("small=1500",),
    ],
)
def test_values_that_no_launcher_would_take_are_one_sentence(
    harness: CommandHarness, words: tuple[str, ...]
) -> None:
    """And code 2; nothing is written."""
    result = harness.call(request, *words)

    assert result.exit_code == 2, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert len(result.stderr.splitlines()[-1]) < 6000
    assert harness.launcher.store.children(paths.REQUESTS) == ()
