"""A build machine whose root is a stranger: it hears what a builder runs, and answers at will.

It stands on :mod:`tests.support.hostile`; nothing is executed.
"""

import contextlib
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final

import paramiko
from paramiko.common import MSG_CHANNEL_DATA

from builder.log.build_log import BuildLog
from builder.quiet.kinds import Kind, quiet_kinds
from remuda.ssh.api import Login
from remuda.ssh.session import SshSession, open_session
from tests.support import attacks
from tests.support.hostile import Peer, Stage, hostile
from tests.unit.builder.handbench import GOOD, IDENTITY, Bench, report
from tests.unit.builder.trials import clone

#: What a builder has a machine run, in order, and how its program is told from others.
PHASES: Final[Mapping[str, str]] = {
    "prepare": "export REMUDA_PHASES=prepare",
    "step": "fill-the-image",
    "packages": "remuda-packages",
    "files": "export REMUDA_PHASES=inventory",
    "identity": "export REMUDA_PHASES=identity",
    "host keys": "for file in /etc/ssh/ssh_host_*_key; do\n    if",
    "quiet": "export REMUDA_PHASES='quiet assert trim'",
}
#: What it has a candidate run.
CLONE: Final = "clone"
#: What a step that copies has it run: it takes what comes, and puts it in its place.
COPY, PLACE, REMOVE = "copy", "place", "remove"
_MARKS: Final = {
    **PHASES,
    CLONE: "export REMUDA_PHASES='identity clone'",
    COPY: "tar -xpof",
    PLACE: "is_folder",
    REMOVE: "rm -rf --",
}
KINDS: Final = (*map(str, quiet_kinds()), str(Kind.SECRET))
QUIET: Final = report("quiet") + report("assert", kinds=KINDS)
HONEST: Final[Mapping[str, str]] = {
    "prepare": report("prepare"),
    "step": "done\n",
    "packages": "bash 5\nremuda-packages 1\n",
    "files": report("inventory", f"folder\t/opt\t1 2 {'0' * 64}  -", end=1),
    "identity": report("identity", f"identity\t-\t{json.dumps(IDENTITY)}"),
    "host keys": GOOD["host keys"].output,
    "quiet": QUIET,
    CLONE: clone().output,
    **dict.fromkeys((PLACE, REMOVE), ""),
}
Answer = Callable[[Peer], None]


def says(text: str, code: int = 0, *, stays: bool = False) -> Answer:
    """Print a text, and end; *stays*: the channel is never closed."""

    def answer(peer: Peer) -> None:
        begun, ended = peer.answers(code)
        peer.shell.sendall(begun + text.encode() + ended)
        peer.shell.send_exit_status(code)
        if stays:
            attacks.output_for_ever(peer)
        peer.shell.close()

    return answer


def took_all(peer: Peer) -> None:
    """Say that all that was copied has come, in the words that it was asked for."""
    nonce = re.search(r"REMUDA_NONCE=(\w+)", peer.program)
    assert nonce is not None, peer.program
    says(f"remuda-copied-{nonce[1]}\n")(peer)


def floods(peer: Peer) -> None:
    """Print as much as the window takes, for ever."""
    peer.shell.sendall(peer.answers()[0])
    while not peer.over.is_set():
        peer.shell.sendall(b"flood \x1b[2J\xe2\x80\xae\n" * 4096)


def ends_without_a_code(peer: Peer) -> None:
    """Close the channel alone."""
    peer.shell.sendall(peer.answers()[0] + b"half a rep")
    peer.shell.close()


def overruns(peer: Peer) -> None:
    """Send more than there is room for."""
    while not peer.over.is_set():
        peer.say(MSG_CHANNEL_DATA, peer.channel, b"x" * 30_000)


@dataclass(eq=False)
class Liar:
    """A machine that answers honestly but where *lies* say otherwise.

    Attributes:
        heard: The phases that were run on it, in order.
        ended: How often it was asked to end what runs.
    """

    lies: dict[str, Answer] = field(default_factory=dict)
    heard: list[str] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)
    key: paramiko.PKey = field(default_factory=paramiko.ECDSAKey.generate)
    port: int = 0

    @property
    def host_key(self) -> str:
        """The public line of its key."""
        return f"{self.key.get_name()} {self.key.get_base64()}"

    def attack(self, peer: Peer) -> None:
        """Answer to one program."""
        phase = next((name for name, mark in _MARKS.items() if mark in peer.program), None)
        if phase is None and peer.answers()[0]:  # only whether it does anything is asked
            says("")(peer)
            return
        if phase is None:  # what ends processes: it does not
            self.ended.set()
            peer.shell.close()
            return
        self.heard.append(phase)
        honest = took_all if phase == COPY else says(HONEST[phase])
        answer = self.lies.get(phase, honest)
        with contextlib.suppress(OSError, EOFError):
            answer(peer)


def serve(bench: Bench, host_key: str) -> None:
    """Let a bench's machine be recorded with this key, and no other."""

    def give(name: str) -> None:
        bench.give(name, {"host_key": host_key}, host_keys=[host_key])

    bench.serve = give


def connect_to(bench: Bench, liar: Liar, **limits: float) -> None:
    """Let a bench's builder reach this machine wherever it thinks that it connects to."""

    def connect(login: Login) -> SshSession:
        there: Any = {"address": "127.0.0.1", "port": liar.port, **limits}
        return open_session(replace(login, **there))

    bench.machines._connect = connect


class KeptLog:
    """A real log, of which a test can tell that it was closed."""

    def __init__(self, log: BuildLog) -> None:
        """Pass everything on to *log*."""
        self._log = log
        self.closed = False
        self.ok: bool | None = None

    def step(self, name: str) -> None:
        """Pass it on."""
        self._log.step(name)

    def write(self, data: bytes) -> None:
        """Pass it on."""
        self._log.write(data)

    def close(self, *, ok: bool | None = None) -> None:
        """Note it, and pass it on."""
        self.closed, self.ok = True, ok
        self._log.close(ok=ok)


@contextmanager
def lying(**lies: Answer) -> Iterator[Liar]:
    """Serve such a machine on loopback; an underscore in a phase's name is a blank."""
    liar = Liar({name.replace("_", " "): answer for name, answer in lies.items()})
    with hostile(Stage.RUNNING, liar.attack, key=liar.key) as port:
        liar.port = port
        yield liar
