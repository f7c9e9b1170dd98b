"""The store on a real ZooKeeper: connecting, and saying what we wait for meanwhile."""

import logging
import ssl
from collections.abc import Callable
from importlib.util import find_spec
from typing import Final, Self

from remuda.runtime.clock import Clock, SystemClock
from remuda.store.access import Access, identities
from remuda.store.api import StoreAwayError, StoreRefusedError
from remuda.store.core import WireStore
from remuda.store.kazoo_wire import KazooWire
from remuda.store.options import StoreOptions
from remuda.store.securing import secure
from remuda.store.tls import client_context, explain

log = logging.getLogger(__name__)

# A refusal shows only after an attempt, hence a look at least so often.
_LOOK_S: Final = 0.25


def _log_waiting(why: str) -> None:
    log.warning("store.waiting %s", why)


class ZookeeperStore(WireStore):
    """A session with a real ZooKeeper. Use :meth:`connect`.

    Callbacks run on the one I/O thread: whoever blocks there stops everything of this session.
    """

    def __init__(self, options: StoreOptions, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._zookeeper = KazooWire(options, clock)
        super().__init__(self._zookeeper)

    @classmethod
    def connect(
        cls,
        options: StoreOptions,
        *,
        wait_s: float | None = None,
        waiting: Callable[[str], None] = _log_waiting,
        clock: Clock | None = None,
    ) -> Self:
        """Return a connected store; from then on it reconnects for ever by itself.

        Args:
            options: Where and how.
            wait_s: How long to wait for ZooKeeper; None: as long as it takes.
            waiting: Told every ``options.report_s`` seconds what we wait for.
            clock: For tests.

        Raises:
            StoreRefusedError: If ZooKeeper refuses us, or is too old, or a file or package
                of ours is missing.
            StoreAwayError: If it could not be reached within *wait_s*.
        """
        _require_files(options)
        _require_sasl(options)
        store = cls(options, clock or SystemClock())
        try:
            store._zookeeper.start()
            store._await_connection(wait_s, waiting)
        except BaseException:
            store.close()
            raise
        return store

    def secure(self) -> int:
        """Give all znodes that launchers answer for the access control list that they should have.

        For launchers, at start: those of an older version, or of one without credentials, have
        left znodes that are open. Without credentials nothing is done.

        Returns:
            How many had another list.

        Raises:
            StoreRefusedError: If that is not ours to do.
            StoreAwayError: If the connection goes meanwhile.
        """
        access = Access.of(self._options)
        ours = identities(self._options)
        if self._options.roles is not None and ours and not access.trusts(ours):
            names = " and ".join(":".join(one.split(":")[:2]) for one in ours)
            raise StoreRefusedError(
                f"we authenticate as {names}, whom zookeeper.acl.launchers does not name"
            )
        return secure(self._zookeeper, access)

    def _await_connection(self, wait_s: float | None, waiting: Callable[[str], None]) -> None:
        started_s = report_s = self._clock.monotonic_s()
        deadline_s = float("inf") if wait_s is None else started_s + wait_s
        while not self._ready(min(_LOOK_S, deadline_s - self._clock.monotonic_s())):
            now_s = self._clock.monotonic_s()
            why = f"ZooKeeper at {self._options.where}: {self._zookeeper.fault}"
            if now_s >= deadline_s:
                raise StoreAwayError(f"no connection to {why}")
            if now_s >= report_s:
                waiting(f"waiting for {why}")
                report_s = now_s + self._options.report_s

    def _ready(self, wait_s: float) -> bool:
        """Return whether there is a connection within *wait_s*, and it is fit for use."""
        if not self._zookeeper.wait_connected(max(0.0, wait_s)):
            return False
        try:
            self._zookeeper.prepare()
        except StoreAwayError:
            return False
        return True


def _require_sasl(options: StoreOptions) -> None:
    """Name the package that SASL needs; kazoo would try to connect for ever without."""
    if options.sasl is not None and find_spec("puresasl") is None:
        raise StoreRefusedError("SASL needs the package pure-sasl: pip install 'remuda[sasl]'")


def _require_files(options: StoreOptions) -> None:
    """Name a file that cannot be read, or used; OpenSSL would not say which."""
    tls = options.tls
    for path in (tls.cert, tls.key, tls.ca) if tls else ():
        try:
            path.open("rb").close()
        except OSError as error:
            raise StoreRefusedError(f"cannot read {path}: {error.strerror}") from error
    if tls is not None:
        try:
            client_context(tls)
        except ssl.SSLError as error:
            files = f"{tls.cert}, {tls.key} or {tls.ca}"
            raise StoreRefusedError(f"TLS: {files} cannot be used: {explain(error)}") from error
