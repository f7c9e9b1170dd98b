"""One SSH connection from the first byte to the last: meet the host key, log in, open channels.

Both the prover and the sessions of people stand on this. Errors are classified here, once.
"""

import base64
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Final, Self

import paramiko
from paramiko.ssh_exception import (
    AuthenticationException,
    BadAuthenticationType,
    IncompatiblePeer,
    SSHException,
)

from remuda.runtime.clock import Clock
from remuda.ssh.api import OUT_OF_TIME, Login
from remuda.ssh.errors import (
    ConnectionLostError,
    HostKeyMismatchError,
    LoginRefusedError,
    NoKeyError,
    NotSshError,
    NotYetError,
)
from remuda.ssh.keyfile import KeyRing
from remuda.ssh.sshsocket import SshSocket, dial
from remuda.ssh.transport import HOST_KEY_ALGORITHMS, MisbehavesError, QuietTransport
from remuda.ssh.wrapping import command

#: What paramiko raises when the connection breaks, whoever notices first.
BROKEN: Final = (SSHException, EOFError, OSError)

#: Agents may hold dozens of keys, and sshd's default MaxAuthTries is 6.
AGENT_KEYS_MAX: Final = 5

#: How long the end of paramiko's thread may take; it is woken, so this is only a bound.
_JOIN_S: Final = 10.0


@contextmanager
def agent_keys() -> Iterator[Sequence[paramiko.AgentKey]]:
    """Give the keys of the SSH agent, as many as a server lets us try.

    Raises:
        NoKeyError: There is none, or no agent.
    """
    agent = paramiko.Agent()
    try:
        keys: Sequence[paramiko.AgentKey] = ()
        with suppress(*BROKEN):  # an agent that answers nonsense holds no key for us
            keys = agent.get_keys()[:AGENT_KEYS_MAX]
        if not keys:
            raise NoKeyError(
                "no key to log in with: no file is given (--identity, REMUDA_IDENTITY), and no SSH "
                "agent holds a key"
            )
        yield keys
    finally:
        agent.close()


class Link:
    """A connection whose banner has been met; leaving the block closes it, thread and all.

    Each answer has its time limit, and what is left until *deadline_s* if that is less, whatever
    comes from the machine meanwhile.
    """

    def __init__(
        self,
        sock: SshSocket,
        clock: Clock,
        *,
        answer_timeout_s: float,
        deadline_s: float | None = None,
    ) -> None:
        """Take over *sock*."""
        self._socket = sock
        self._clock = clock
        self.answer_timeout_s = answer_timeout_s
        self.deadline_s = float("inf") if deadline_s is None else deadline_s
        self._transport = QuietTransport(sock, clock)
        # paramiko's own limits end later than the socket's, which are ours to classify.
        self._transport.auth_timeout = answer_timeout_s + _JOIN_S
        self._transport.clear_to_send_timeout = answer_timeout_s + _JOIN_S

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """End the connection, wait for paramiko's thread, free the socket."""
        self._socket.hang_up()
        if self._transport.is_alive():
            self._transport.join(_JOIN_S)
        self._transport.close()
        self._socket.close()

    @property
    def misbehaviour(self) -> str:
        """Return why we ended the connection for what the machine did, or an empty string."""
        return self._transport.misbehaviour

    @property
    def alive(self) -> bool:
        """Return False once the connection is known to be broken."""
        return self._transport.is_active()

    def meet(self, expected: tuple[str, ...]) -> str:
        """Exchange keys and compare the host key; return it as ``<type> <base64>``.

        Nothing about us has been sent when a wrong key is noticed.

        Raises:
            NotYetError: The server went away or fell silent.
            NotSshError: It speaks no algorithm of ours.
            HostKeyMismatchError: *expected* is not empty and the key is none of them.
        """
        if expected:
            self._transport.prefer_host_keys(_algorithms(expected))
        with self._answer_expected():
            try:
                self._transport.start_client()
                key = self._transport.get_remote_server_key()
            except IncompatiblePeer as exc:
                raise NotSshError(str(exc)) from exc
            except MisbehavesError as exc:
                raise NotSshError(f"{exc} in the key exchange") from exc
            except BROKEN as exc:
                raise NotYetError(self._broken("in the key exchange", exc)) from exc
        line = f"{key.get_name()} {key.get_base64()}"
        if expected and line not in {_bare(one) for one in expected}:
            wanted = ", ".join(fingerprint(one) for one in expected)
            raise HostKeyMismatchError(f"the host key is {fingerprint(line)}, expected {wanted}")
        return line

    def login(self, login: Login, ring: KeyRing) -> None:
        """Open the account of *login* with our key.

        Raises:
            KeyFileError: Our key cannot be read.
            NoKeyError: There is none.
            LoginRefusedError: The machine does not take it.
            NotYetError: The server went away or fell silent.
            NotSshError: It breaks the protocol.
        """
        if login.key_file is not None:
            self._offer(login.user, ring.key(login.key_file))
        else:
            with agent_keys() as keys:
                self._offer_all(login.user, keys)
        self._transport.forget_login()
        self.allow(packets=float("inf"), received=float("inf"))

    def allow(self, *, packets: float, received: float) -> None:
        """Let the machine send so many packets and bytes from now on."""
        self._transport.allow(packets=packets, received=received)

    def _offer_all(self, user: str, keys: Sequence[paramiko.AgentKey]) -> None:
        for key in keys[:-1]:
            try:
                self._offer(user, key)
            except LoginRefusedError:
                continue
            return
        self._offer(user, keys[-1])

    def _offer(self, user: str, key: paramiko.PKey) -> None:
        with self._answer_expected():
            try:
                more = self._transport.auth_publickey(user, key)
            except BadAuthenticationType as exc:
                ways = ", ".join(exc.allowed_types)
                raise LoginRefusedError(f"{user} may log in by {ways} only") from exc
            except AuthenticationException as exc:
                if not self.alive:
                    raise NotYetError(self._broken("in the login", exc)) from exc
                raise LoginRefusedError(f"our key does not open the account {user}") from exc
            except MisbehavesError as exc:
                raise NotSshError(f"{exc} in the login") from exc
            except BROKEN as exc:
                raise NotYetError(self._broken("in the login", exc)) from exc
        if more:
            raise LoginRefusedError(f"{user} needs more than a key: {', '.join(more)}")

    @contextmanager
    def channel(self) -> Iterator[paramiko.Channel]:
        """Open a channel for one command, and close it in the end.

        Raises:
            ConnectionLostError: The connection broke, or no answer came.
        """
        channel = self.open_channel()
        try:
            yield channel
        finally:
            self.close_channel(channel)

    def open_channel(self) -> paramiko.Channel:
        """Open a channel that the caller closes.

        Raises:
            ConnectionLostError: The connection broke, or no answer came.
        """
        with self._answer_expected():
            try:
                return self._transport.open_session(timeout=self.answer_timeout_s + _JOIN_S)
            except BROKEN as exc:
                raise ConnectionLostError(self._broken("opening a channel", exc)) from exc

    def start(self, channel: paramiko.Channel, command: str) -> None:
        """Start *command* on a fresh channel.

        Raises:
            ConnectionLostError: The connection broke, no answer came, or sshd refused.
        """
        with self._answer_expected():
            try:
                channel.exec_command(command)
            except BROKEN as exc:
                raise ConnectionLostError(self._broken("starting a command", exc)) from exc

    def feed(self, channel: paramiko.Channel, program: bytes, *, as_root: bool) -> None:
        """Start a shell on a fresh channel and give it *program* to execute.

        It may have ended before it has read all of that: how, the channel tells.

        Raises:
            ConnectionLostError: The connection broke, no answer came, or sshd refused.
        """
        self.start(channel, command(as_root=as_root))
        with self._answer_expected():
            try:
                channel.settimeout(self.answer_timeout_s + _JOIN_S)
                channel.sendall(program)
                channel.shutdown_write()
            except BROKEN as exc:
                if channel.closed and self.alive and not self._socket.expired:
                    return
                raise ConnectionLostError(self._broken("sending a script", exc)) from exc

    def close_channel(self, channel: paramiko.Channel) -> None:
        """Say that we are done with a channel; a machine that does not listen is left alone."""
        with suppress(*BROKEN), self._answer_expected():
            channel.close()

    def keep_alive(self) -> None:
        """Notice a dead peer within a minute, for connections without other deadlines."""
        self._transport.keep_alive()

    @contextmanager
    def _answer_expected(self) -> Iterator[None]:
        """Break the connection if the peer does not answer what is asked inside."""
        ends_s = self._clock.monotonic_s() + self.answer_timeout_s
        with self._socket.ends_by(min(ends_s, self.deadline_s)):
            yield

    def _broken(self, doing: str, exc: BaseException) -> str:
        if self._socket.expired and self._clock.monotonic_s() >= self.deadline_s:
            return f"{OUT_OF_TIME} ({doing})"
        if self._socket.expired:
            return f"no answer within {self.answer_timeout_s:g} s {doing}"
        if isinstance(exc, EOFError) or not str(exc):
            return f"the connection was closed {doing}"
        return f"{exc} ({doing})"


def open_link(login: Login, clock: Clock, *, deadline_s: float | None = None) -> Link:
    """Connect to the machine of *login* and meet its banner.

    Args:
        login: Where, and how long each answer may take.
        clock: The time.
        deadline_s: End of everything, on *clock*; None: only the limits of the single answers.

    Raises:
        NotYetError: Nothing that speaks SSH is there yet.
        NotSshError: Something else answers.
    """
    timeout_s = login.connect_timeout_s
    if deadline_s is not None:
        timeout_s = max(0.0, min(timeout_s, deadline_s - clock.monotonic_s()))
    sock = dial(login.address, login.port, timeout_s=timeout_s, clock=clock)
    return Link(sock, clock, answer_timeout_s=login.answer_timeout_s, deadline_s=deadline_s)


def fingerprint(line: str) -> str:
    """Return a host key line as people compare it: type and SHA256, as ``ssh-keygen -l`` has it.

    The text itself comes back if it is not a key line.
    """
    kind, _, rest = line.partition(" ")
    try:
        raw = base64.b64decode(rest.split(" ")[0], validate=True)
    except ValueError:
        return line
    digest = base64.b64encode(hashlib.sha256(raw).digest()).decode().rstrip("=")
    return f"{kind} SHA256:{digest}"


def _bare(line: str) -> str:
    """Return a key line without its comment."""
    return " ".join(line.split()[:2])


def _algorithms(expected: tuple[str, ...]) -> tuple[str, ...]:
    """Return the host key algorithms that lead to one of the *expected* keys."""
    names: list[str] = []
    for line in expected:
        kind = line.split(" ", 1)[0]
        names += ["rsa-sha2-512", "rsa-sha2-256"] if kind == "ssh-rsa" else [kind]
    return tuple(name for name in dict.fromkeys(names) if name in HOST_KEY_ALGORITHMS)
