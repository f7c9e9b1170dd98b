"""Commands and files over a session with a real machine."""

import io
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from remuda.ssh.api import Login
from remuda.ssh.errors import ConnectionLostError, HostKeyMismatchError
from remuda.ssh.hostkeys import make_host_key
from remuda.ssh.session import CopyFailedError, SshSession, open_session
from tests.contract.ssh.conftest import login_of
from tests.support import sshd as servers
from tests.support.deadline import wait_for

pytestmark = pytest.mark.ssh

#: More than all windows and pipes hold together.
MANY_BYTES: Final = bytes(range(256)) * (8 << 12)


@pytest.fixture
def session(login: Login) -> Iterator[SshSession]:
    """Open a session with the shared server."""
    with open_session(login) as session:
        yield session


class Ears:
    """Collects output and tells when there is some."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.data = b""
        self.heard = threading.Event()

    def write(self, data: bytes, /) -> None:
        """Take *data*."""
        self.data += data
        self.heard.set()

    def flush(self) -> None:
        """Have nothing to pass on."""


def test_the_exit_code_and_both_streams_come_back(session: SshSession) -> None:
    """Apart from each other, byte for byte."""
    out, err = io.BytesIO(), io.BytesIO()

    code = session.run(
        ["sh", "-c", "printf 'a\\000\\377'; echo oops >&2; exit 42"], stdout=out, stderr=err
    )

    assert (code, out.getvalue(), err.getvalue()) == (42, b"a\0\xff", b"oops\n")


def test_arguments_arrive_as_they_are(session: SshSession) -> None:
    """No shell looks into them."""
    words = ["a b", "$HOME", "'", '"', "*", "", "two\nlines", "-n"]
    out = io.BytesIO()

    session.run(["printf", "%s|", *words], stdout=out)

    assert out.getvalue().decode() == "".join(f"{word}|" for word in words)


def test_a_text_is_for_the_shell(session: SshSession) -> None:
    """Pipes and variables work, as with ssh."""
    out = io.BytesIO()

    code = session.run("echo one two | wc -w; exit 3", stdout=out)

    assert (code, out.getvalue().strip()) == (3, b"2")


def test_a_command_that_does_not_exist_is_127(session: SshSession) -> None:
    """As every shell has it."""
    err = io.BytesIO()

    assert session.run(["no-such-program"], stderr=err) == 127
    assert b"no-such-program" in err.getvalue()


@pytest.mark.parametrize("name", ["KILL", "TERM", "SEGV"])
def test_death_by_signal_is_told_as_shells_tell_it(session: SshSession, name: str) -> None:
    """128 and the number."""
    assert session.run(f"kill -{name} $$") == 128 + getattr(signal, f"SIG{name}")


def test_the_environment_arrives_and_standard_input_is_not_touched(session: SshSession) -> None:
    """Though both take the same way."""
    out = io.BytesIO()

    session.run(
        ["sh", "-c", 'printf %s "$SECRET"; cat'],
        stdin=io.BytesIO(b"\n\0rest"),
        stdout=out,
        env={"SECRET": "it's\n$x"},
    )

    assert out.getvalue() == b"it's\n$x\n\0rest"


def test_a_wrong_variable_name_is_refused(session: SshSession) -> None:
    """Before anything is run."""
    with pytest.raises(ValueError, match="A-B"):
        session.run("true", env={"A-B": "c"})


def test_much_goes_through_in_both_directions_at_once(session: SshSession) -> None:
    """A command that echoes needs us to read while we write."""
    out = io.BytesIO()

    code = session.run(["cat"], stdin=io.BytesIO(MANY_BYTES), stdout=out)

    assert code == 0
    assert out.getvalue() == MANY_BYTES


def test_a_file_with_a_descriptor_is_streamed(session: SshSession, tmp_path: Path) -> None:
    """As standard input of a command line is."""
    file = tmp_path / "input"
    file.write_bytes(MANY_BYTES)
    out = io.BytesIO()

    with file.open("rb") as stream:
        session.run(["wc", "-c"], stdin=stream, stdout=out)

    assert int(out.getvalue()) == len(MANY_BYTES)


def test_output_comes_while_the_command_runs(session: SshSession) -> None:
    """And input goes when it is there: a conversation works."""
    ears = Ears()
    read, write = os.pipe()
    codes: list[int] = []

    def converse() -> None:
        with os.fdopen(read, "rb") as stdin:
            script = 'echo ready; read answer; exit "$answer"'
            codes.append(session.run(["sh", "-c", script], stdin=stdin, stdout=ears))

    thread = threading.Thread(target=converse)
    thread.start()
    wait_for(ears.heard, 60.0, "the first line")
    os.write(write, b"17\n")
    thread.join(60.0)
    os.close(write)

    assert (ears.data, codes) == (b"ready\n", [17])


def test_a_command_may_end_before_its_input_does(session: SshSession) -> None:
    """An open terminal must not hold up the end."""
    read, write = os.pipe()
    with os.fdopen(read, "rb") as stdin:
        code = session.run(["sh", "-c", "exit 5"], stdin=stdin)
    os.close(write)

    assert code == 5


def test_a_process_left_behind_does_not_hold_up_the_end(session: SshSession) -> None:
    """Its output is given up after a moment of silence."""
    out = io.BytesIO()

    code = session.run("sleep 300 & echo $!", stdout=out)

    assert code == 0
    os.kill(int(out.getvalue()), 9)


def test_a_reader_of_ours_that_goes_away_ends_the_command(session: SshSession) -> None:
    """As ``yes | head`` does."""
    read, write = os.pipe()
    os.close(read)

    with os.fdopen(write, "wb", buffering=0) as stdout, pytest.raises(BrokenPipeError):
        session.run(["yes"], stdout=stdout)


def test_several_commands_at_once_share_a_connection(session: SshSession) -> None:
    """Each gets its own streams and code."""
    results: dict[int, tuple[int, bytes]] = {}

    def run(number: int) -> None:
        out = io.BytesIO()
        code = session.run(f"seq {number * 1000}; exit {number}", stdout=out)
        results[number] = (code, out.getvalue().split()[-1])

    threads = [threading.Thread(target=run, args=(number,)) for number in range(1, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results == {number: (number, b"%d" % (number * 1000)) for number in range(1, 6)}


def test_ctrl_c_ends_the_command_and_all_its_children(session: SshSession) -> None:
    """The machine may be used further, or held; nothing of ours keeps running on it."""
    ears = Ears()

    def press_ctrl_c() -> None:
        wait_for(ears.heard, 60.0, "the command to run")
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press_ctrl_c)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        session.run("setsid sleep 300 & echo $!; wait", stdout=ears)
    thread.join(60.0)

    child = Path(f"/proc/{int(ears.data)}/status")
    wait_for(lambda: not child.exists() or "zombie" in child.read_text(), 60.0, "the child's end")
    assert session.run("exit 6") == 6


def test_a_lost_connection_is_an_error_of_its_own(tmp_path: Path) -> None:
    """Not an exit code: whether the command ended is not known."""
    ears = Ears()
    with servers.running(tmp_path / "sshd") as server, open_session(login_of(server)) as session:

        def cut() -> None:
            wait_for(ears.heard, 60.0, "the command to run")
            for pid in [int(word) for word in ears.data.split()]:
                os.kill(pid, 9)

        thread = threading.Thread(target=cut)
        thread.start()
        above = "sed 's/.*) . //; s/ .*//' /proc/$PPID/stat"
        with pytest.raises(ConnectionLostError):
            session.run(f"echo $PPID $({above}) $$; exec sleep 300", stdout=ears)
        thread.join(60.0)
        with pytest.raises(ConnectionLostError):
            session.run("true")


def test_a_stranger_is_not_talked_to(login: Login) -> None:
    """The host key must be the node's."""
    wrong = replace(login, host_keys=(make_host_key().public,))

    with pytest.raises(HostKeyMismatchError, match="SHA256:"):
        open_session(wrong)


def _make_tree(top: Path) -> None:
    (top / "deep" / "er").mkdir(parents=True)
    (top / "deep" / "er" / ("long-" * 40)).write_text("long name")
    (top / "run.sh").write_text("#!/bin/sh\n")
    (top / "run.sh").chmod(0o751)
    (top / "secret").write_bytes(b"\0\xff")
    (top / "secret").chmod(0o600)
    (top / "link").symlink_to("deep/er")
    (top / "dangling").symlink_to("/nowhere/at all")
    (top / "empty").mkdir(mode=0o700)
    os.link(top / "secret", top / "hard")
    (top / "Ümläut $x 'y").write_text("name")


def _describe(top: Path) -> dict[str, tuple[int, str | bytes | None]]:
    seen: dict[str, tuple[int, str | bytes | None]] = {}
    for path in sorted(top.rglob("*")):
        mode = path.lstat().st_mode
        what: str | bytes | None = None
        if path.is_symlink():
            what = str(path.readlink())
        elif path.is_file():
            what = path.read_bytes()
        seen[str(path.relative_to(top))] = (mode, what)
    return seen


def test_a_tree_arrives_as_it_is(session: SshSession, tmp_path: Path) -> None:
    """Modes, links and odd names included; the directory is made."""
    local, remote = tmp_path / "local", tmp_path / "re mote" / "new"
    _make_tree(local)

    session.copy_tree(local, str(remote))

    assert _describe(remote) == _describe(local)
    assert (remote / "hard").samefile(remote / "secret")


def test_a_folder_is_copied_through_a_link_to_it(session: SshSession, tmp_path: Path) -> None:
    """What is in it, not the link, which would point nowhere there."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "file").write_text("content")
    (tmp_path / "link").symlink_to("real")

    session.copy_tree(tmp_path / "link", str(tmp_path / "there"))

    assert not (tmp_path / "there").is_symlink()
    assert (tmp_path / "there" / "file").read_text() == "content"


def test_copying_where_nothing_may_be_written_says_so(session: SshSession, tmp_path: Path) -> None:
    """With the machine's own words."""
    with pytest.raises(CopyFailedError, match="/proc/x"):
        session.copy_tree(tmp_path, "/proc/x")


def test_a_local_file_that_cannot_be_read_is_our_own_error(
    session: SshSession, tmp_path: Path
) -> None:
    """And the machine is not left waiting."""
    with pytest.raises(NotADirectoryError):
        session.copy_tree(tmp_path / "absent", "/tmp/x")  # noqa: S108 - never written
