"""paramiko's connection, without the parts that poll, log, linger or forget.

What is changed, and why (paramiko 3.4 to 5.1 read):

- its reader wakes ten times a second; ours when the wire says so (``wire.SLICE_S``);
- it starts one timer thread per handshake that lives on for 15 s after a failure; the wire's
  deadline does that work;
- it logs every failure of a machine as our error, with tracebacks; we return them instead;
- it does not know ``exit-signal`` (RFC 4254 section 6.10) and would report a killed command as -1;
- its keepalive does not notice that nobody answers.
"""

import signal
from typing import Any, ClassVar, Final

import paramiko
from paramiko.common import MSG_CHANNEL_REQUEST, cMSG_GLOBAL_REQUEST
from paramiko.packet import Packetizer

from remuda.runtime.clock import Clock
from remuda.ssh.wire import Wire

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


class _QuietPacketizer(Packetizer):
    """Leaves time to the wire, and logs nothing."""

    def start_handshake(self, timeout: float) -> None:
        """Start no timer thread."""

    def complete_handshake(self) -> None:
        """Have no timer to stop."""

    def handshake_timed_out(self) -> bool:
        """Let the wire's deadline decide."""
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


def _known(wanted: tuple[str, ...], offered: Any) -> tuple[str, ...]:
    return tuple(name for name in wanted if name in offered)


class QuietTransport(paramiko.Transport):
    """A client connection over a :class:`~remuda.ssh.wire.Wire`."""

    _send_message: Any  # inherited
    _channel_handler_table: ClassVar[Any] = {
        **_Native._channel_handler_table,  # noqa: SLF001 - there is no public way
        MSG_CHANNEL_REQUEST: _handle_request,
    }

    def __init__(self, wire: Wire, clock: Clock) -> None:
        """Prepare; nothing is sent before :meth:`start_client`."""
        super().__init__(wire, packetizer_class=_QuietPacketizer)  # type: ignore[arg-type]
        self._wire = wire
        self._clock = clock
        options = self.get_security_options()
        options.ciphers = _known(CIPHERS, _Native._cipher_info)  # noqa: SLF001 - grew with 5.0
        options.kex = _known(KEX, _Native._kex_info)  # noqa: SLF001
        options.digests = _known(MACS, _Native._mac_info)  # noqa: SLF001

    def prefer_host_keys(self, algorithms: tuple[str, ...]) -> None:
        """Ask for these host key algorithms before all others."""
        others = (name for name in HOST_KEY_ALGORITHMS if name not in algorithms)
        self.get_security_options().key_types = (*algorithms, *others)

    def keep_alive(self) -> None:
        """Ask for signs of life from now on, and end the connection if none come."""
        self.packetizer.set_keepalive(int(KEEPALIVE_S), self._ask_for_life)

    def _ask_for_life(self) -> None:
        """Send a request that must be answered; runs in paramiko's own thread.

        OpenSSH refuses ``keepalive@openssh.com``, and a refusal is life enough.
        """
        if self._clock.monotonic_s() - self._wire.heard_s > KEEPALIVE_S * KEEPALIVES_MAX:
            raise EOFError("no sign of life")
        message = paramiko.Message()
        message.add_byte(cMSG_GLOBAL_REQUEST)
        message.add_string("keepalive@openssh.com")
        message.add_boolean(b=True)
        self._send_message(message)

    def _log(self, level: Any, msg: Any, *args: Any) -> None:
        pass
