"""Files and folders for a machine whose root is a stranger: the copy ends, in time and with words.

As for proofs (:mod:`tests.contract.ssh.test_hostile_machines`): no test judges how fast something
is; what is not bound by its limit would go on until the peer gives up.
"""

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from remuda.ssh.errors import (
    TEXT_MAX,
    ConnectionLostError,
    CutShortError,
    SshError,
)
from remuda.ssh.session import CopyFailedError, SshSession, open_session
from tests.support import attacks
from tests.support.hostile import GIVE_UP_S, Attack, Peer, Stage, hostile, login_to
from tests.support.traces import Traces

pytestmark = pytest.mark.ssh

#: For a copy that only its limit ends; the honest part before takes some 10 ms.
TIME_S: Final = 0.5
#: For one that something else is to end.
LONG_S: Final = 60.0


def refuses_loudly(peer: Peer) -> None:
    """Fail, with more words, and other ones, than anybody wants to read."""
    with contextlib.suppress(OSError):
        peer.shell.sendall_stderr(b"tar: \x1b[2J\x07no room\n" * 20_000)
    peer.shell.send_exit_status(2)
    peer.shell.close()


def ends_in_silence(peer: Peer) -> None:
    """Say that it took all, without an exit code."""
    peer.shell.close()


#: (stage, attack, what it ends as)
ATTACKS: Final[dict[str, tuple[Stage, Attack, type[SshError]]]] = {
    "silent instead of executing": (Stage.EXEC, attacks.falls_silent, SshError),
    "drips instead of executing": (Stage.EXEC, attacks.drips, SshError),
    "hangs up instead of executing": (Stage.EXEC, attacks.closes, ConnectionLostError),
    "hangs up": (Stage.RUNNING, attacks.closes, ConnectionLostError),
    "garbage": (Stage.RUNNING, attacks.garbage, ConnectionLostError),
    "a huge packet": (Stage.RUNNING, attacks.huge_packet, ConnectionLostError),
    "many extensions": (Stage.RUNNING, attacks.many_extensions, ConnectionLostError),
    "data without a window": (Stage.RUNNING, attacks.data_without_window, SshError),
    "new keys for ever": (Stage.RUNNING, attacks.new_keys_for_ever, SshError),
    "prints for ever": (Stage.RUNNING, attacks.output_for_ever, SshError),
    "nothings for ever": (Stage.RUNNING, attacks.ignores_for_ever, CutShortError),
    "slow nothings": (Stage.RUNNING, attacks.ignores_slowly, CutShortError),
    "has us sign": (Stage.RUNNING, attacks.accepts_for_ever, CutShortError),
    "never ends": (Stage.RUNNING, attacks.nothing, CutShortError),
    "refuses loudly": (Stage.RUNNING, refuses_loudly, CopyFailedError),
    "ends in silence": (Stage.RUNNING, ends_in_silence, ConnectionLostError),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a file of 8 MB, more than any window holds."""
    (tmp_path / "item").mkdir()
    (tmp_path / "item" / "big").write_bytes(b"x" * 8_000_000)
    (tmp_path / "item" / "small").write_text("y")
    return tmp_path / "item"


def log_in(port: int, key_file: Path) -> SshSession:
    """Open a session whose single answers have all the time in the world."""
    return open_session(login_to(port, key_file, answer_timeout_s=600), insecure=True)


@contextlib.contextmanager
def _leaving_no_thread() -> Iterator[None]:
    """Fail if a thread of a client is left; those of the servers have other names."""
    before = Traces()
    yield
    left = [trace for trace in before.threads_left() if "remuda/ssh" in trace]
    assert left == []


def copy(session: SshSession, folder: Path, what: str, **limits: Any) -> None:
    """Copy the folder, or the small file of it."""
    if what == "folder":
        session.copy_tree(folder, "/var/came/item", **limits)
    else:
        session.copy_file(folder / "small", "/var/came", "item", **limits)


@pytest.mark.parametrize(
    ("name", "what"), [*((one, "folder") for one in ATTACKS), ("never ends", "file")]
)
def test_a_copy_to_a_hostile_machine_ends(
    name: str, what: str, key_file: Path, folder: Path
) -> None:
    """With one error of ours, whose words are few; what came of it is never taken for whole."""
    stage, attack, kind = ATTACKS[name]
    (folder / "big").write_bytes(b"")  # so that it is all read before the attack
    soon = kind is CutShortError or stage is Stage.EXEC or attack is attacks.output_for_ever
    with hostile(stage, attack) as port, _leaving_no_thread():
        begun_s = time.monotonic()
        with log_in(port, key_file) as session:
            if stage is Stage.EXEC:
                session._link.answer_timeout_s = TIME_S  # of the start, which is attacked
            with pytest.raises(kind) as ended:
                copy(session, folder, what, limit_s=TIME_S if soon else LONG_S)
        took_s = time.monotonic() - begun_s

    assert took_s < GIVE_UP_S
    assert len(str(ended.value)) < TEXT_MAX + 50
    assert "\x1b" not in str(ended.value)


def test_a_machine_that_takes_nothing_does_not_hold_what_is_sent(
    key_file: Path, folder: Path
) -> None:
    """Its window is full, and ours of TCP, while the limit passes, or somebody stops us."""
    stopped = threading.Event()
    with hostile(Stage.RUNNING, attacks.nothing) as port, _leaving_no_thread():
        with log_in(port, key_file) as session, pytest.raises(CutShortError):
            copy(session, folder, "folder", limit_s=TIME_S)
        stopped.set()
        with log_in(port, key_file) as session, pytest.raises(CutShortError):
            copy(session, folder, "folder", limit_s=LONG_S, stopped=stopped.is_set)
