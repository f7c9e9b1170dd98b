"""paramiko's connection, without the parts that poll, log, linger or forget.

What is changed, and why (paramiko 3.4 to 5.1 read):

- its reader wakes ten times a second; ours when the socket says so (``sshsocket.SLICE_S``);
- it starts one timer thread per handshake that lives on for 15 s after a failure; the socket's
  deadline does that work;
- it logs every failure of a machine as our error, with tracebacks; we return them instead;
- it does not know ``exit-signal`` (RFC 4254 section 6.10) and would report a killed command as -1;
- its keepalive does not notice that nobody answers;
- it believes what the machine says of lengths and numbers, and lets it send whatever it likes: a
  packet may claim 4 GiB, a list of extensions 2**32 entries, data may come without a window, and
  any fault in all this surfaces as whatever Python raised. A job is root on the machine, so the
  peer of every connection may be hostile: all that has bounds here.
"""

import signal
from functools import partial
from typing import Any, ClassVar, Final

import paramiko
from paramiko.common import (
    MSG_CHANNEL_DATA,
    MSG_CHANNEL_EXTENDED_DATA,
    MSG_CHANNEL_REQUEST,
    cMSG_GLOBAL_REQUEST,
)
from paramiko.packet import Packetizer
from paramiko.ssh_exception import SSHException

from remuda.runtime.clock import Clock
from remuda.ssh.sshsocket import SshSocket

#: Its hooks are not in the published types.
_Native: Final[Any] = paramiko.Transport
_NativeChannel: Final[Any] = paramiko.Channel

#: Cheapest first: one call per packet for encryption and authentication together.
CIPHERS: Final = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "aes128-ctr",
    "aes256-ctr",
)
KEX: Final = (
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
    "diffie-hellman-group16-sha512",
    "diffie-hellman-group14-sha256",
)
MACS: Final = (
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "hmac-sha2-256",
    "hmac-sha2-512",
)
HOST_KEY_ALGORITHMS: Final = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
)

#: An open session asks for a sign of life after so long without any.
KEEPALIVE_S: Final = 15.0
#: After so many unanswered ones the connection is dead.
KEEPALIVES_MAX: Final = 3

#: We announce 32 KiB for the data of a packet; RFC 4253 section 6.1 wants 35,000 bytes in all.
PACKET_BYTES_MAX: Final = 64 * 1024

#: A login with an agent's keys, a banner and some debugging takes a few dozen packets. Each may
#: have us sign something.
LOGIN_PACKETS_MAX: Final = 300
LOGIN_BYTES_MAX: Final = 1024 * 1024

#: Servers may send a list of extensions (RFC 8308); four are known.
EXTENSIONS_MAX: Final = 64

#: New keys cost us milliseconds. A server may ask for some at any time, and then for more as time
#: passes and data flows.
EXCHANGES_FREE: Final = 16
EXCHANGE_BYTES: Final = 1024 * 1024


class MisbehavesError(SSHException):
    """The peer does what no SSH server has to do: enough of it."""


class _QuietPacketizer(Packetizer):
    """Leaves time to the socket, logs nothing, and counts what comes.

    Attributes:
        packets, received: How many packets and bytes came; only the reading thread writes them.
        packets_max, received_max: How many may come.
    """

    packets = 0
    received = 0
    packets_max: float = LOGIN_PACKETS_MAX
    received_max: float = LOGIN_BYTES_MAX

    def read_all(self, n: int, check_rekey: bool = False) -> bytes:  # noqa: FBT001, FBT002
        """Read *n* bytes, which the peer may have chosen."""
        if n > PACKET_BYTES_MAX:
            raise MisbehavesError(f"it announces a packet of {n} bytes")
        self.received += max(0, n)
        if self.received > self.received_max:
            raise MisbehavesError(f"it sends more than {self.received_max:.0f} bytes")
        return bytes(super().read_all(n, check_rekey))

    def read_message(self) -> Any:
        """Read one packet, if there may be one more."""
        self.packets += 1
        if self.packets > self.packets_max:
            raise MisbehavesError(f"it sends more than {self.packets_max:.0f} packets")
        return super().read_message()

    def start_handshake(self, timeout: float) -> None:
        """Start no timer thread."""

    def complete_handshake(self) -> None:
        """Have no timer to stop."""

    def handshake_timed_out(self) -> bool:
        """Let the socket's deadline decide."""
        return False

    def _log(self, level: Any, msg: Any) -> None:
        pass


def _handle_request(channel: paramiko.Channel, message: paramiko.Message) -> None:
    """Learn of a death by signal as a shell would: 128 and the signal's number."""
    place = message.packet.tell()
    if message.get_text() != "exit-signal":
        message.packet.seek(place)
        _NativeChannel._handle_request(channel, message)  # noqa: SLF001 - this is its hook
        return
    message.get_boolean()
    number = getattr(signal, f"SIG{message.get_text()}", 0)
    channel.exit_status = 128 + int(number)
    channel.status_event.set()


def _within_window(channel: paramiko.Channel, message: paramiko.Message, *, kind: int) -> None:
    """Take data, but no more than the window that we opened: it waits in memory for its reader."""
    _Native._channel_handler_table[kind](channel, message)  # noqa: SLF001
    waiting = len(channel.in_buffer) + len(channel.in_stderr_buffer)
    if waiting > channel.in_window_size:
        raise MisbehavesError("it sends more data than we have room for")


def _expected(exc: Exception | None) -> Exception | None:
    """Return what ended a connection as one of the kinds that callers expect."""
    if exc is None or isinstance(exc, SSHException | EOFError | OSError):
        return exc
    return MisbehavesError(f"it breaks the protocol: {type(exc).__name__}")


def _known(wanted: tuple[str, ...], offered: Any) -> tuple[str, ...]:
    return tuple(name for name in wanted if name in offered)


class QuietTransport(paramiko.Transport):
    """A client connection over a :class:`~remuda.ssh.sshsocket.SshSocket`."""

    _send_message: Any  # inherited
    saved_exception: Exception | None  # inherited
    _channel_handler_table: ClassVar[Any] = {
        **_Native._channel_handler_table,  # noqa: SLF001 - there is no public way
        MSG_CHANNEL_REQUEST: _handle_request,
        MSG_CHANNEL_DATA: partial(_within_window, kind=MSG_CHANNEL_DATA),
        MSG_CHANNEL_EXTENDED_DATA: partial(_within_window, kind=MSG_CHANNEL_EXTENDED_DATA),
    }

    def __init__(self, sock: SshSocket, clock: Clock) -> None:
        """Prepare; nothing is sent before :meth:`start_client`."""
        super().__init__(sock, packetizer_class=_QuietPacketizer)  # type: ignore[arg-type]
        self._socket = sock
        self._clock = clock
        self._begun_s = clock.monotonic_s()
        self._exchanges = 0
        self._misbehaviour = ""
        options = self.get_security_options()
        options.ciphers = _known(CIPHERS, _Native._cipher_info)  # noqa: SLF001 - grew with 5.0
        options.kex = _known(KEX, _Native._kex_info)  # noqa: SLF001
        options.digests = _known(MACS, _Native._mac_info)  # noqa: SLF001

    def prefer_host_keys(self, algorithms: tuple[str, ...]) -> None:
        """Ask for these host key algorithms before all others."""
        others = (name for name in HOST_KEY_ALGORITHMS if name not in algorithms)
        self.get_security_options().key_types = (*algorithms, *others)

    def allow(self, *, packets: float, received: float) -> None:
        """Let the peer send so many packets and bytes from now on."""
        counts: Any = self.packetizer
        counts.packets_max = counts.packets + packets
        counts.received_max = counts.received + received

    def forget_login(self) -> None:
        """Take no more messages of the login: each could have us sign something again."""
        self.auth_handler = None

    def get_exception(self) -> Exception | None:
        """Return and forget what ended the connection, as one of the kinds that callers expect.

        A malformed packet makes paramiko raise whatever Python happens to (IndexError, ValueError,
        KeyError, ...) in its own thread, and passes that on.
        """
        exc = _expected(super().get_exception())
        if isinstance(exc, MisbehavesError):
            self._misbehaviour = str(exc)
        return exc

    @property
    def misbehaviour(self) -> str:
        """Return why we ended the connection for what the peer did, or an empty string."""
        # Channels are told of the end before the connection counts as inactive.
        last = _expected(self.saved_exception)
        return str(last) if isinstance(last, MisbehavesError) else self._misbehaviour

    def _negotiate_keys(self, m: paramiko.Message) -> None:
        """Exchange keys, the first time or anew, unless the peer asks for it all the time."""
        counts: Any = self.packetizer
        passed_s = self._clock.monotonic_s() - self._begun_s
        self._exchanges += 1
        if self._exchanges > EXCHANGES_FREE + passed_s + counts.received / EXCHANGE_BYTES:
            raise MisbehavesError(f"it wants new keys for the {self._exchanges}th time")
        _Native._negotiate_keys(self, m)  # noqa: SLF001 - this is its hook

    def _parse_ext_info(self, msg: paramiko.Message) -> None:
        """Read a list of extensions, if it can be one."""
        place = msg.packet.tell()
        if (count := msg.get_int()) > EXTENSIONS_MAX:
            raise MisbehavesError(f"it announces {count} extensions")
        msg.packet.seek(place)
        _Native._parse_ext_info(self, msg)  # noqa: SLF001 - this is its hook

    def keep_alive(self) -> None:
        """Ask for signs of life from now on, and end the connection if none come."""
        self.packetizer.set_keepalive(int(KEEPALIVE_S), self._ask_for_life)

    def _ask_for_life(self) -> None:
        """Send a request that must be answered; runs in paramiko's own thread.

        OpenSSH refuses ``keepalive@openssh.com``, and a refusal is life enough.
        """
        if self._clock.monotonic_s() - self._socket.heard_s > KEEPALIVE_S * KEEPALIVES_MAX:
            raise EOFError("no sign of life")
        message = paramiko.Message()
        message.add_byte(cMSG_GLOBAL_REQUEST)
        message.add_string("keepalive@openssh.com")
        message.add_boolean(b=True)
        self._send_message(message)

    def _log(self, level: Any, msg: Any, *args: Any) -> None:
        pass
