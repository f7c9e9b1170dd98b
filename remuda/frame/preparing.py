"""What takes a while before a configuration is taken in: read in a thread, while turns go on."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from remuda.config.model import Config


class Preparing:
    """One configuration that is being prepared."""

    def __init__(self, config: Config, work: Callable[[], None], wake: Callable[[], None]) -> None:
        """Begin *work*; *wake* is called when it has ended, however."""
        self.config = config
        pool = ThreadPoolExecutor(1, "prepare-config")
        self._done = pool.submit(work)
        self._done.add_done_callback(lambda _done: wake())
        pool.shutdown(wait=False)  # its thread goes with the work

    def ended(self) -> bool:
        """Whether the work is done.

        Raises:
            Exception: What ended it: a bug of ours, that is the process's as well.
        """
        if not self._done.done():
            return False
        self._done.result()
        return True
