"""The bounded pool of threads for work that blocks: disks, processes, tar."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class Workers:
    """At most *count* blocking jobs at a time; the others wait their turn.

    The threads live as long as the pool.  That matters: the kernel sends a child its
    ``PR_SET_PDEATHSIG`` when the *thread* that forked it ends (prctl(2)).
    """

    def __init__(self, count: int) -> None:
        self._pool = ThreadPoolExecutor(max_workers=count, thread_name_prefix="sandbox-worker")

    async def run(self, job: Callable[[], T]) -> T:
        """Run *job* in a thread and return what it returns."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, job)

    def close(self) -> None:
        """Drop jobs that have not begun and wait for those that have."""
        self._pool.shutdown(wait=True, cancel_futures=True)
