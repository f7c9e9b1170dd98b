"""Things that take a while and belong to one server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from sandbox.workers import Workers


class Errands:
    """One asyncio task per errand; on a server's machine only one blocking job at a time."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._tasks: dict[str, set[asyncio.Task[None]]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    def begin(self, server_id: str, errand: Coroutine[Any, Any, None]) -> None:
        """Run *errand* beside what else goes on with the server."""
        task = asyncio.get_running_loop().create_task(errand)
        tasks = self._tasks.setdefault(server_id, set())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    def cancel(self, server_id: str) -> None:
        """End all errands of a server; a blocking job is still done to its end."""
        for task in self._tasks.get(server_id, ()):
            task.cancel()

    def forget(self, server_id: str) -> None:
        """Drop what is kept about a server that is gone."""
        self._tasks.pop(server_id, None)
        self._locks.pop(server_id, None)

    async def on_machine(self, server_id: str, job: Callable[[], Any]) -> Any:
        """Run a blocking job on a machine, to its end even if the errand is cancelled."""
        lock = self._locks.setdefault(server_id, asyncio.Lock())
        async with lock:
            running = asyncio.ensure_future(self._workers.run(job))
            try:
                return await asyncio.shield(running)
            except asyncio.CancelledError:
                # The next errand must not meet a half-done job of this one.
                await asyncio.wait([running])
                raise

    async def close(self) -> None:
        """End all errands."""
        tasks = [task for each in self._tasks.values() for task in each]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
