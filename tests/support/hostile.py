"""An SSH server under a job's control: it speaks the protocol well until it attacks.

paramiko's server does the honest part, up to the stage at which the attack takes over. Everything
is bounded so that a client without limits of its own makes a test fail, not hang.
"""

import contextlib
import random
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any, Final

import paramiko
from paramiko.common import AUTH_SUCCESSFUL, OPEN_SUCCEEDED

from remuda.ssh.api import Login

#: An attack that nobody has ended by then is over; the client under test was to end it long before.
GIVE_UP_S: Final = 60.0
#: Between two bytes: far less than the client's longest wait for the network.
DRIP_S: Final = 0.02


#: How our programs say that they begin and end.
_ANSWER: Final = re.compile(r"printf '%s-%s[^']*' (\S+) (\S+)")


class Stage(Enum):
    """Where the attack begins."""

    EXCHANGE = "in the key exchange"
    LOGIN = "asked for the login"
    EXEC = "asked to execute"
    RUNNING = "while a command runs"


@dataclass(eq=False)
class Peer:
    """One connection, as an attack sees it; *over* ends every attack.

    Attributes:
        program: What the client gave the command that runs to read.
        shell: The server's end of that command.
    """

    sock: "_Sock"
    over: threading.Event
    transport: Any = None
    channel: int = 0
    program: str = ""
    shell: Any = None

    def answers(self, code: int = 0) -> tuple[bytes, bytes]:
        """Return what an honest account that executes the program says before and after it.

        Both are empty of a program that asks for no answer, as one that ends processes.
        """
        words = _ANSWER.findall(self.program)
        if len(words) != 2:
            return b"", b""
        (begun, first), (ended, last) = words
        return f"{begun}-{first}\n".encode(), f"{ended}-{last} {code}\n".encode()

    def say(self, kind: int, *fields: object) -> None:
        """Send one packet: integers as uint32, the rest as strings."""
        message = paramiko.Message()
        message.add_byte(bytes([kind]))
        for one in fields:
            if isinstance(one, int):
                message.add_int(one)
            else:
                message.add_string(one)  # type: ignore[arg-type]
        self.transport.packetizer.send_message(message)


Attack = Callable[[Peer], None]


class _Sock:
    """The server's socket, which can drip and spoil what is sent."""

    def __init__(self, sock: socket.socket, over: threading.Event) -> None:
        self._sock = sock
        self._over = over
        self.spoil: random.Random | None = None
        self.drips = False

    def send(self, data: bytes) -> int:
        if self.spoil is not None:
            data = _spoilt(data, self.spoil)
        if not self.drips:
            self._sock.sendall(data)
            return len(data)
        for place in range(len(data)):
            if self._over.wait(DRIP_S):
                raise EOFError
            self._sock.sendall(data[place : place + 1])
        return len(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


def _spoilt(data: bytes, rng: random.Random) -> bytes:
    """Change some of *data*, most often a byte or two, sometimes its length."""
    spoilt = bytearray(data)
    for _ in range(rng.choice((0, 1, 1, 2, 8))):
        if spoilt:
            spoilt[rng.randrange(len(spoilt))] = rng.randrange(256)
    if rng.random() < 0.1:
        return bytes(spoilt[: rng.randrange(len(spoilt) + 1)])
    if rng.random() < 0.1:
        return bytes(spoilt) + rng.randbytes(rng.randrange(200))
    return bytes(spoilt)


@dataclass(eq=False)
class _Rules(paramiko.ServerInterface):
    """Lets everybody in and executes nothing."""

    peer: Peer
    stage: Stage
    attack: Attack

    def _at(self, stage: Stage, peer: Peer | None = None) -> None:
        if self.stage is stage:
            with contextlib.suppress(Exception):
                self.attack(peer or self.peer)

    def get_allowed_auths(self, _user: str) -> str:
        return "publickey"

    def check_auth_publickey(self, _user: str, _key: paramiko.PKey) -> int:
        self._at(Stage.LOGIN)
        return int(AUTH_SUCCESSFUL)

    def check_channel_request(self, _kind: str, _number: int) -> int:
        return int(OPEN_SUCCEEDED)

    def check_channel_exec_request(self, channel: paramiko.Channel, _command: bytes) -> bool:
        self.peer.channel = channel.remote_chanid
        self._at(Stage.EXEC)
        if self.stage is Stage.RUNNING:
            threading.Thread(target=self._run, args=(channel,), daemon=True).start()
        return True

    def _run(self, channel: paramiko.Channel) -> None:
        """Attack once the command has got all its input, and so our answer before."""
        while not channel.eof_received:
            if self.peer.over.wait(0.005):
                return
        heard = b""
        while data := channel.recv(1 << 16):
            heard += data
        self._at(Stage.RUNNING, replace(self.peer, program=heard.decode(), shell=channel))


class _Server(paramiko.Transport):
    """Attacks in the key exchange, if it is to."""

    rules: _Rules
    insatiable = False

    def _send_kex_init(self) -> None:
        super()._send_kex_init()  # type: ignore[misc]
        self.rules._at(Stage.EXCHANGE)

    def _parse_newkeys(self, m: paramiko.Message) -> None:
        super()._parse_newkeys(m)  # type: ignore[misc]
        if self.insatiable:
            self._send_kex_init()

    def _log(self, *_: object) -> None:
        pass


@contextmanager
def hostile(
    stage: Stage,
    attack: Attack,
    *,
    drips: bool = False,
    spoil: random.Random | None = None,
    key: paramiko.PKey | None = None,
) -> Iterator[int]:
    """Serve on loopback, attack at *stage*, yield the port.

    Args:
        stage: Where the honest part ends.
        attack: Called there in the server's thread; returning goes on with the honest part.
        drips: From the first byte after the banner on send one byte at a time.
        spoil: Chooses what is changed of all that is sent after the banner.
        key: The host key, instead of an honest one.
    """
    with _listening() as listener:
        server = _Service(listener, stage, attack, drips=drips, spoil=spoil)
        server.key = key or server.key
        threading.Thread(target=server.serve, daemon=True).start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            server.over.set()


def login_to(port: int, key_file: Path, *, answer_timeout_s: float) -> Login:
    """Return how to get in, with all the time in the world for the start of a session."""
    return Login(
        address="127.0.0.1",
        port=port,
        user="root",
        key_file=str(key_file),
        connect_timeout_s=600,
        answer_timeout_s=answer_timeout_s,
    )


@contextmanager
def raw(behave: Callable[[socket.socket, threading.Event], None]) -> Iterator[int]:
    """Treat each connection as *behave* says, which sees the bytes and the end; yield the port."""
    with _listening() as listener:
        over = threading.Event()

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    sock, _ = listener.accept()
                    with sock, contextlib.suppress(OSError):
                        behave(sock, over)

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            over.set()


@contextmanager
def _listening() -> Iterator[socket.socket]:
    listener = socket.create_server(("127.0.0.1", 0))
    try:
        yield listener
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


@dataclass(eq=False)
class _Service:
    """Accepts connections and makes a hostile server of each."""

    listener: socket.socket
    stage: Stage
    attack: Attack
    drips: bool
    spoil: random.Random | None
    over: threading.Event = field(default_factory=threading.Event)
    key: paramiko.PKey = field(default_factory=paramiko.ECDSAKey.generate)

    def serve(self) -> None:
        """Accept until the listener is closed."""
        with contextlib.suppress(OSError):
            while True:
                plain, _ = self.listener.accept()
                self._welcome(plain)

    def _welcome(self, plain: socket.socket) -> None:
        sock = _Sock(plain, self.over)
        peer = Peer(sock=sock, over=self.over)
        server: Any = _Server(sock, strict_kex=False)  # type: ignore[arg-type]
        server.rules = _Rules(peer, self.stage, self.attack)
        server.add_server_key(self.key)
        peer.transport = server
        plain.sendall(f"{server.local_version}\r\n".encode())
        server.packetizer.write_all = self._without_banner(sock, server.packetizer.write_all)
        server.start_server(event=threading.Event(), server=server.rules)
        threading.Thread(target=self._close_in_the_end, args=(server,), daemon=True).start()

    def _without_banner(
        self, sock: _Sock, write_all: Callable[[bytes], None]
    ) -> Callable[[bytes], None]:
        """Leave out the banner, which was sent; then begin to drip and spoil."""
        begun = threading.Event()

        def write(data: bytes) -> None:
            if begun.is_set():
                write_all(data)
                return
            begun.set()
            sock.drips, sock.spoil = self.drips, self.spoil

        return write

    def _close_in_the_end(self, server: paramiko.Transport) -> None:
        self.over.wait(GIVE_UP_S)
        server.close()


class HugeKey(paramiko.RSAKey):
    """An RSA host key whose numbers are absurd; it can prove nothing."""

    def __init__(self, bits: int) -> None:
        self._number = (1 << bits) - 1

    def asbytes(self) -> bytes:
        """Return the public key as it goes to the client."""
        message = paramiko.Message()
        message.add_string("ssh-rsa")
        message.add_mpint(self._number - 2)
        message.add_mpint(self._number)
        return bytes(message.asbytes())

    def sign_ssh_data(self, _data: bytes, algorithm: str | None = None) -> paramiko.Message:
        """Return what has the form of a signature."""
        message = paramiko.Message()
        message.add_string(algorithm or "rsa-sha2-512")
        message.add_string(bytes(2048))
        return message
