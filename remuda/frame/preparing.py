"""What takes a while before a configuration is taken in: read in a thread, while turns go on."""

import threading
from collections.abc import Callable

from remuda.config.model import Config


class Preparing:
    """One configuration that is being prepared."""

    def __init__(self, config: Config, work: Callable[[], None], wake: Callable[[], None]) -> None:
        """Begin *work*; *wake* is called when it has ended, however."""
        self.config = config
        self._work, self._wake = work, wake
        self._error: BaseException | None = None
        self._ended = threading.Event()
        # A daemon: files on a server that has gone away must not keep the process from its end.
        threading.Thread(target=self._run, name="prepare-config", daemon=True).start()

    def ended(self) -> bool:
        """Whether the work is done.

        Raises:
            Exception: What ended it: a bug of ours, that is the process's as well.
        """
        if not self._ended.is_set():
            return False
        if self._error is not None:
            raise self._error
        return True

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as exc:  # noqa: BLE001 - it is raised where the end is asked for
            self._error = exc
        self._ended.set()
        self._wake()
