"""Public keys from a URL, such as a forge's ``https://host/USER.keys``: all of it bounded.

There is one deadline for everything: resolving, connecting, TLS, each redirect, the last byte.
The fetch runs in a thread of its own, whose socket is shut when the time is over; a name server
that hangs keeps that thread for its own timeout, and nobody else.
"""

import http.client
import socket
import ssl
import threading
from typing import Final
from urllib.parse import urljoin

from remuda.model.publickey import TEXT_BYTES_MAX, PublicKey, PublicKeyError, parse_keys
from remuda.runtime.clock import Clock
from remuda.ssh.errors import KeySourceError
from remuda.ssh.urls import KeyUrlError, check_url, parts_of

#: For everything together.
FETCH_S: Final = 10.0
REDIRECTS_MAX: Final = 3
_MOVED: Final = frozenset({301, 302, 303, 307, 308})
_OK: Final = 200


def fetch_keys(
    url: str, clock: Clock, *, timeout_s: float = FETCH_S, tls: ssl.SSLContext | None = None
) -> tuple[PublicKey, ...]:
    """Return the keys that *url* holds; at least one.

    Args:
        url: With https.
        clock: The time.
        timeout_s: For everything together.
        tls: Whom to believe; None: the authorities of this host.

    Raises:
        KeySourceError: One sentence; it quotes nothing of what was answered.
    """
    fetch = _Fetch(url, clock, clock.monotonic_s() + timeout_s, tls)
    worker = threading.Thread(target=fetch.run, name="keys-of-url", daemon=True)
    worker.start()
    worker.join(timeout_s)
    if worker.is_alive():
        fetch.end()
        raise KeySourceError(f"{_shown(url)} has not answered in {timeout_s:g} s")
    if fetch.why is not None:
        raise KeySourceError(f"{_shown(url)} {fetch.why}")
    try:
        return parse_keys(fetch.text)
    except PublicKeyError as error:
        raise KeySourceError(f"what {_shown(url)} answers {error}") from None


def _shown(url: str) -> str:
    return url.partition("?")[0][:200] if url.isprintable() else "the URL"


class _Fetch:
    """One fetch; *run* is called in its thread.

    Attributes:
        text: What was answered.
        why: Why there is none, without its subject.
    """

    def __init__(self, url: str, clock: Clock, ends_s: float, tls: ssl.SSLContext | None) -> None:
        self._url, self._clock, self._ends_s, self._tls = url, clock, ends_s, tls
        self._over = False
        self._socket: socket.socket | None = None
        self.text = ""
        self.why: str | None = None

    def end(self) -> None:
        """Wake the thread, whatever it reads; called by whoever does not wait any longer."""
        self._over = True
        held = self._socket
        if held is not None:
            _shut(held)

    def run(self) -> None:
        """Fetch; says why not instead of raising."""
        try:
            self.text = self._fetch()
        except (_NoKeysError, KeyUrlError) as error:
            self.why = str(error)
        except TimeoutError:
            self.why = "does not answer in time"
        except ssl.SSLError as error:
            reason = getattr(error, "verify_message", "") or "the connection is no TLS of ours"
            self.why = f"cannot be trusted: {reason}"
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.why = f"cannot be read: {getattr(error, 'strerror', None) or 'no answer of HTTP'}"

    def _fetch(self) -> str:
        url = self._url
        for _ in range(REDIRECTS_MAX + 1):
            check_url(url)
            moved, text = self._ask(url)
            if moved is None:
                return text
            url = urljoin(url, moved)
        raise _NoKeysError(f"leads on more than {REDIRECTS_MAX} times")

    def _ask(self, url: str) -> tuple[str | None, str]:
        """Return where it leads on, or what it answers."""
        host, port, target = parts_of(url)
        connection = http.client.HTTPConnection(host, port, timeout=self._rest_s())
        try:
            connection.sock = self._connect(host, port)
            connection.request(
                "GET", target, headers={"Accept": "text/plain", "Accept-Encoding": "identity"}
            )
            answer = connection.getresponse()
            if answer.status in _MOVED:
                return answer.getheader("Location") or "", ""
            if answer.status != _OK:
                raise _NoKeysError(f"answers with status {answer.status}")
            raw = answer.read(TEXT_BYTES_MAX + 1)
            if len(raw) > TEXT_BYTES_MAX:
                raise _NoKeysError(f"answers with more than {TEXT_BYTES_MAX // 1024} KiB")
            return None, raw.decode("utf-8", errors="replace")
        finally:
            connection.close()

    def _connect(self, host: str, port: int) -> ssl.SSLSocket:
        """Return a connection that *end* can shut from its first moment on."""
        plain = socket.create_connection((host, port), timeout=self._rest_s())
        try:
            tls = self._tls or ssl.create_default_context()
            secured = tls.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)
        except BaseException:
            plain.close()
            raise
        self._socket = secured
        if self._over:
            _shut(secured)
        try:
            secured.do_handshake()
        except BaseException:
            secured.close()
            raise
        return secured

    def _rest_s(self) -> float:
        rest_s = self._ends_s - self._clock.monotonic_s()
        if rest_s <= 0:
            raise TimeoutError
        return rest_s


class _NoKeysError(Exception):
    """There are no keys; the message is one sentence without its subject."""


def _shut(held: socket.socket) -> None:
    try:
        # Of the socket below: TLS would want to say good-bye first.
        socket.socket.shutdown(held, socket.SHUT_RDWR)
    except OSError:
        return  # it is closed already
