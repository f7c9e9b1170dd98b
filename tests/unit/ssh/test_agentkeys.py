"""Keys of an ssh-agent: what is there is taken, and no agent holds anybody."""

import base64
import random
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from remuda.runtime.clock import SystemClock
from remuda.ssh import agentkeys
from remuda.ssh.agentkeys import agent_keys
from remuda.ssh.errors import KeySourceError
from tests.unit.model.test_publickey import ED25519, RSA, line, string


@contextmanager
def agent(folder: Path, serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """Listen as an agent that serves one."""
    path = str(folder / "agent")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen(1)

        def once() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.recv(5)
                serve(peer)

        worker = threading.Thread(target=once, daemon=True)
        worker.start()
        yield path
        worker.join(60.0)


def answer(*lines: str) -> bytes:
    """Return what an agent says that has these keys."""
    body = b"".join(string(base64.b64decode(one.split()[1])) + string(b"ada@host") for one in lines)
    whole = struct.pack(">BI", 12, len(lines)) + body
    return string(whole)


def asked(folder: Path, said: bytes) -> str:
    """Return why an agent that says this has no keys."""
    with agent(folder, lambda peer: peer.sendall(said)) as path:
        with pytest.raises(KeySourceError) as caught:
            agent_keys(SystemClock(), path)
        return str(caught.value)


def test_its_keys_are_taken(tmp_path: Path) -> None:
    """But those of types that are not."""
    dsa = line("ssh-dss", b"x")
    with agent(tmp_path, lambda peer: peer.sendall(answer(ED25519, dsa, RSA))) as path:
        found = agent_keys(SystemClock(), path)
    assert [one.line for one in found] == [ED25519, RSA]
    assert found[0].comment == "ada@host"


def test_no_agent_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """None at all, and one that is gone."""
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with pytest.raises(KeySourceError, match="SSH_AUTH_SOCK is not set"):
        agent_keys(SystemClock())
    with pytest.raises(KeySourceError, match="cannot be asked: No such file"):
        agent_keys(SystemClock(), str(tmp_path / "none"))


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"", "hung up"),
        (b"\xff\xff\xff\xff", "hung up"),
        (answer(ED25519)[:20], "hung up"),
        (string(struct.pack(">BI", 12, 9)), "no list of keys"),
        (string(struct.pack(">BI", 12, 2**32 - 1) + b"x" * 40), "no list of keys"),
        (string(b"\5"), "no list of keys"),
        (string(struct.pack(">BI", 5, 0)), "is it locked"),
        (answer(), "has no key of a type"),
    ],
)
def test_nonsense_is_a_sentence(tmp_path: Path, said: bytes, why: str) -> None:
    """Whatever it says."""
    assert why in asked(tmp_path, said)


def test_any_bytes_are_a_sentence(tmp_path: Path) -> None:
    """Drawn with a seed."""
    draw = random.Random(11)  # noqa: S311 - no secret
    for number in range(40):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert asked(folder, string(b"\x0c" + draw.randbytes(draw.randrange(60))))


def test_an_agent_that_hangs_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After its time, also if a byte comes now and then."""
    monkeypatch.setattr(agentkeys, "AGENT_S", 0.2)
    over = threading.Event()
    with agent(tmp_path, lambda _peer: over.wait(60.0)) as path:
        with pytest.raises(KeySourceError, match="has not answered"):
            agent_keys(SystemClock(), path)
        over.set()
