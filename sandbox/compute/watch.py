"""Noticing that a machine's process ended."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable


class ProcessWatch:
    """Calls back, in the event loop, when a process ends.

    Uses a pidfd (pidfd_open(2), Linux 5.3), which becomes readable then; no thread, no polling.
    """

    def __init__(self) -> None:
        self._fds: dict[str, int] = {}

    def add(self, key: str, pid: int, ended: Callable[[], None]) -> None:
        """Watch *pid* under *key*; a kernel that cannot, or a process already gone, is no error."""
        self.drop(key)
        try:
            fd = os.pidfd_open(pid)
        except OSError:
            return
        self._fds[key] = fd

        def readable() -> None:
            self.drop(key)
            ended()

        asyncio.get_running_loop().add_reader(fd, readable)

    def drop(self, key: str) -> None:
        """Watch no longer."""
        fd = self._fds.pop(key, None)
        if fd is not None:
            asyncio.get_running_loop().remove_reader(fd)
            os.close(fd)

    def close(self) -> None:
        """Watch nothing any longer."""
        for key in list(self._fds):
            self.drop(key)
