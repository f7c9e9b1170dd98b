"""What a hostile SSH server does: each attack begins where :mod:`tests.support.hostile` puts it."""

import random
import socket
import threading

from paramiko.common import (
    MSG_CHANNEL_DATA,
    MSG_DEBUG,
    MSG_EXT_INFO,
    MSG_IGNORE,
    MSG_SERVICE_ACCEPT,
    MSG_USERAUTH_FAILURE,
)

from tests.support.hostile import DRIP_S, GIVE_UP_S, Peer


def nothing(peer: Peer) -> None:
    """Go on honestly."""


def falls_silent(peer: Peer) -> None:
    """Read and answer nothing more."""
    peer.over.wait(GIVE_UP_S)


def closes(peer: Peer) -> None:
    """Hang up."""
    peer.sock.shutdown(socket.SHUT_RDWR)


def garbage(peer: Peer) -> None:
    """Send what is no packet."""
    peer.sock.sendall(random.Random(1).randbytes(4096))  # noqa: S311
    falls_silent(peer)


def drips(peer: Peer) -> None:
    """Send a long packet byte by byte."""
    peer.sock.drips = True
    peer.say(MSG_IGNORE, b"x" * 16_000)


def _for_ever(peer: Peer, kind: int, *fields: object) -> None:
    end = threading.Timer(GIVE_UP_S, peer.over.set)
    end.daemon = True
    end.start()
    while not peer.over.is_set():
        peer.say(kind, *fields)


def ignores_for_ever(peer: Peer) -> None:
    """Send packets that mean nothing."""
    _for_ever(peer, MSG_IGNORE, b"nothing")


def ignores_slowly(peer: Peer) -> None:
    """Send whole packets that mean nothing, now and then."""
    while not peer.over.wait(DRIP_S):
        peer.say(MSG_IGNORE, b"nothing")


def debugs_for_ever(peer: Peer) -> None:
    """Send packets for the log."""
    _for_ever(peer, MSG_DEBUG, b"", b"all is well", b"en")


def accepts_for_ever(peer: Peer) -> None:
    """Have the client sign again and again."""
    _for_ever(peer, MSG_SERVICE_ACCEPT, b"ssh-userauth")


def refuses_at_length(peer: Peer) -> None:
    """Name ways to log in for pages."""
    peer.say(MSG_USERAUTH_FAILURE, b",".join([b"magic"] * 10_000))
    falls_silent(peer)


def huge_packet(peer: Peer) -> None:
    """Announce a packet of nearly 4 GiB, and send it as fast as it is read."""
    peer.sock.sendall(b"\xff\xff\xff\xf4")
    while not peer.over.is_set():
        peer.sock.sendall(bytes(65536))


def many_extensions(peer: Peer) -> None:
    """Announce 2**32 - 1 extensions in a packet of a few bytes."""
    peer.say(MSG_EXT_INFO, 2**32 - 1)
    falls_silent(peer)


def unknown_message(peer: Peer) -> None:
    """Send a packet of no known kind."""
    peer.say(250)
    falls_silent(peer)


def data_without_window(peer: Peer) -> None:
    """Send output whatever the window says."""
    _for_ever(peer, MSG_CHANNEL_DATA, peer.channel, b"x" * 30_000)


def output_for_ever(peer: Peer) -> None:
    """Print a little, now and then, and never end."""
    while not peer.over.wait(DRIP_S):
        peer.say(MSG_CHANNEL_DATA, peer.channel, b".")


def new_keys_for_ever(peer: Peer) -> None:
    """Ask for new keys as soon as there are some."""
    peer.transport.insatiable = True
    peer.transport._send_kex_init()
