"""Ports that are chosen before anybody listens on them."""

import random
import socket
from pathlib import Path

import pytest

from remuda.runtime import ports
from remuda.runtime.ports import free_port


class Loaded(random.Random):
    """Dice that always fall alike."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number

    def choice(self, _numbers: object) -> int:
        """Return the one."""
        return self._number


def _say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> None:
    path = tmp_path / "range"
    path.write_text(text)
    monkeypatch.setattr(ports, "_OUTGOING", path)


def test_no_outgoing_connection_can_have_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It lies below what the kernel gives to those."""
    _say(monkeypatch, tmp_path, "32768\t60999\n")

    assert all(10_000 <= free_port() < 32768 for _ in range(100))


@pytest.mark.parametrize("said", ["1024 65000\n", "odd", "", None])
def test_a_kernel_that_gives_almost_all_is_asked_for_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: str | None
) -> None:
    """Then there is no such place; nor is one known where it says nothing."""
    if said is None:
        monkeypatch.setattr(ports, "_OUTGOING", tmp_path / "absent")
    else:
        _say(monkeypatch, tmp_path, said)

    with socket.create_server(("127.0.0.1", free_port())):
        pass


def test_one_that_is_taken_is_not_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And if all are, it is said."""
    _say(monkeypatch, tmp_path, "32768 60999\n")
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]

        with pytest.raises(OSError, match="in use"):
            free_port(Loaded(taken))
