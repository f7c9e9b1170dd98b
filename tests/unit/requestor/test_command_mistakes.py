"""What `remuda run` and `remuda request` say, and to whom, when they cannot do it."""

import json
from pathlib import Path

import pytest

from remuda.model.status import Ruling
from remuda.store import paths
from requestor.commands.request import request
from requestor.commands.run import run
from tests.support.commands import Desk


@pytest.fixture
def desk() -> Desk:
    """A desk whose launcher lends at once."""
    one = Desk()
    one.launcher.register("small", "big")
    one.answer = one.launcher.lend
    return one


def test_json_tells_why_no_machine_was_to_be_had(desk: Desk) -> None:
    """With each provider's verdict, and the code that the sentence comes with."""

    def refuse(request_id: str) -> None:
        desk.launcher.say(request_id, Ruling.DECLINED, "too large", numbers={"cores_max": 4})
        desk.launcher.refuse(request_id)

    desk.answer = refuse
    result = desk.call(run, "small", "--json", "--", "x")
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
    desk: Desk, words: tuple[str, ...], code: int, why: str
) -> None:
    """Programs need not read sentences."""
    desk.answer = lambda _request: None
    result = desk.call(run, *words, "--json", "--", "x")
    (event,) = [json.loads(line) for line in result.stdout.splitlines()]

    assert (event["event"], event["code"], result.exit_code) == ("failed", code, code)
    assert why in event["why"]
    assert event["verdicts"] == []


def test_a_key_that_is_none_is_told_before_a_machine_is_taken(desk: Desk, tmp_path: Path) -> None:
    """Nobody has to wait for that."""
    key = tmp_path / "key"
    key.write_text("no key")
    result = desk.call(run, "small", "--identity", str(key), "--", "x")

    assert result.exit_code == 2
    assert "not an ed25519, RSA or ECDSA private key" in result.stderr
    assert desk.launcher.store.children(paths.NODES) == ()


@pytest.mark.parametrize("pid", ["0", "-1"])
def test_a_process_id_is_a_positive_number(desk: Desk, pid: str) -> None:
    """Others mean something else to the system."""
    result = desk.call(request, "small", "--wait", "--until-pid", pid)

    assert result.exit_code == 2
