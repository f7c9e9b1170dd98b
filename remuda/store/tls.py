"""TLS with ZooKeeper: whom we take for the server, and in what words we say that we do not.

Kazoo would load the system's authorities beside ours and leave names unchecked, so that whoever
has a certificate for anything could be our ZooKeeper, and be told our password.
"""

import socket
import ssl
from collections.abc import Mapping
from typing import Final

from remuda.runtime.clock import Clock
from remuda.store.options import StoreTls

#: A handshake that begins with so little time left would only fail in another way.
_REST_S_MIN: Final = 0.001

# Numbers of OpenSSL's x509_vfy.h.
_EXPIRED: Final = 10
_NOT_YET_VALID: Final = 9
_WRONG_NAME: Final = frozenset({62, 64})
# No issuer found, self-signed, self-signed in the chain, first certificate not verifiable.
_UNKNOWN_AUTHORITY: Final = frozenset({2, 18, 19, 20, 21})

_OLD: Final = "the server speaks no TLS 1.2 or newer"
_PLAIN: Final = "this port speaks no TLS"
_NOT_OURS: Final = "the server does not take our certificate (zookeeper.tls.cert)"
# OpenSSL's names of what the other side said, or of what it said it with.
_REASONS: Final[Mapping[str, str]] = {
    "TLSV1_ALERT_PROTOCOL_VERSION": _OLD,
    "UNSUPPORTED_PROTOCOL": _OLD,
    "WRONG_VERSION_NUMBER": _PLAIN,
    "HTTP_REQUEST": _PLAIN,
    "PACKET_LENGTH_TOO_LONG": _PLAIN,
    "TLSV1_ALERT_UNKNOWN_CA": _NOT_OURS,
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": _NOT_OURS,
    "SSLV3_ALERT_BAD_CERTIFICATE": _NOT_OURS,
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": _NOT_OURS,
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": _NOT_OURS,
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "the server takes no cipher or no certificate of ours",
    "KEY_VALUES_MISMATCH": "the private key does not belong to our certificate (zookeeper.tls)",
}


def client_context(tls: StoreTls) -> ssl.SSLContext:
    """Return what a connection is made with: our authorities alone, names checked, TLS 1.2.

    Made anew for every connection, so that renewed files are taken without a restart.

    Raises:
        OSError: If a file cannot be read, or does not hold what it should (ssl.SSLError).
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # demands a certificate of the server
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = tls.check_hostname
    context.load_verify_locations(tls.ca)
    # A password, or OpenSSL asks the terminal for the one of an encrypted key.
    context.load_cert_chain(tls.cert, tls.key, password="")
    return context


def open_socket(
    address: tuple[str, int], host: str, tls: StoreTls | None, *, timeout_s: float, clock: Clock
) -> socket.socket:
    """Connect, and with *tls* make sure of the server before anything is sent to it.

    Args:
        address: Where to connect to.
        host: What the server is called in our configuration; its certificate must say the same,
            as a DNS name or, if it is an address, as an address.
        tls: None: in the clear.
        timeout_s: For all of it, however slowly the server answers.
        clock: Tells how much of it is left.

    Raises:
        OSError: If it fails; ssl.SSLError if we do not trust the server or it not us.
    """
    end_s = clock.monotonic_s() + timeout_s
    plain = socket.create_connection(address, timeout_s)
    try:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is None:
            return plain
        context = client_context(tls)
        # Python bounds a whole handshake by it, not each of its reads.
        plain.settimeout(max(_REST_S_MIN, end_s - clock.monotonic_s()))
        return context.wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise


def explain(error: ssl.SSLError) -> str:
    """Say in words what OpenSSL says in its own."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _explain_certificate(error)
    return _REASONS.get(error.reason or "", str(error))


def _explain_certificate(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in _UNKNOWN_AUTHORITY:
        return "no authority of ours (zookeeper.tls.ca) has signed the server's certificate"
    if error.verify_code in _WRONG_NAME:
        return f"the server's certificate is for another host: {error.verify_message}"
    if error.verify_code == _EXPIRED:
        return "the server's certificate has expired"
    if error.verify_code == _NOT_YET_VALID:
        return "the server's certificate is not valid yet"
    return f"the server's certificate is no good: {error.verify_message}"
