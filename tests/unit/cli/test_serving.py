"""How a process of ours ends: its exit code, and what it says."""

import os
from collections.abc import Callable

import pytest

from remuda.cli.serving import serve
from remuda.config.problems import ConfigInvalidError, Problem
from remuda.frame.process import CannotRunError
from remuda.store.api import StoreAwayError, StoreRefusedError


class LeftError(Exception):
    """The process would have ended here."""


def raising(error: BaseException) -> Callable[[], None]:
    """Return a process that ends so."""

    def run() -> None:
        raise error

    return run


def fine() -> None:
    """Work, and end."""


def ended(run: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> int:
    """Return the exit code."""
    codes: list[int] = []

    def leave(code: int) -> None:
        codes.append(code)
        raise LeftError

    monkeypatch.setattr(os, "_exit", leave)
    with pytest.raises(LeftError):
        serve("remuda tester", run, log_format="plain", log_level="ERROR")
    return codes[0]


@pytest.mark.parametrize(
    ("run", "code", "said"),
    [
        (fine, 0, ""),
        (raising(CannotRunError("no such provider")), 2, "remuda tester: no such provider\n"),
        (raising(StoreRefusedError("wrong password")), 3, "remuda tester: wrong password\n"),
        (raising(StoreAwayError("gone")), 3, "remuda tester: gone\n"),
    ],
    ids=["done", "mistake", "refused", "away"],
)
def test_each_end_has_a_code_and_one_sentence(
    run: Callable[[], None],
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No traceback: an operator reads it."""
    assert code == ended(run, monkeypatch)
    assert said == capsys.readouterr().err


def test_each_problem_of_a_configuration_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All at once."""
    problems = tuple(Problem(file="remuda.yaml", message=text) for text in ("too few", "too many"))
    code = ended(raising(ConfigInvalidError(problems, ())), monkeypatch)

    assert code == 2
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_a_bug_of_ours_is_loud(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its traceback, and the code of no error that we know."""
    code = ended(raising(ZeroDivisionError("a bug")), monkeypatch)

    assert code == 1
    assert "ZeroDivisionError: a bug" in capsys.readouterr().err
