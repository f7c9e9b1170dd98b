"""The same for asyncio: a thin wrapper, with no thread per waiting request.

::

    async with AsyncRequest(client.request({"small": 1})) as nodes:
        ...
"""

import asyncio
from contextlib import AsyncExitStack
from types import TracebackType

from requestor.nodeset import NodeSet
from requestor.pending import PendingRequest


class AsyncRequest:
    """A request under way, awaited instead of waited for.

    Making the request is one short operation; call ``await asyncio.to_thread(client.request, …)``
    where even that must not hold up the loop.
    """

    def __init__(self, pending: PendingRequest) -> None:
        self.pending = pending

    async def wait(self) -> None:
        """Wait until the nodes can be accepted; bound it with ``asyncio.timeout``.

        The deadline of the request is kept, too.

        Raises:
            RequestTimeoutError: If the deadline is over; the request is cancelled.
            RequestFailedError: If no provider can serve it; it is deleted.
            RequestGoneError: If it no longer exists.
        """
        loop = asyncio.get_running_loop()
        news = asyncio.Event()
        self.pending.on_news(lambda: _tell(loop, news))
        while not await asyncio.to_thread(self.pending.check_calmly):
            rest_s = self.pending.rest_s
            try:
                await asyncio.wait_for(news.wait(), timeout=rest_s)
            except TimeoutError:
                await asyncio.to_thread(self.pending.wait)  # raises: the deadline is over
            news.clear()

    async def accept(self) -> NodeSet:
        """Take the nodes; see :meth:`PendingRequest.accept`."""
        return await asyncio.to_thread(self.pending.accept)

    async def cancel(self) -> None:
        """Delete the request; see :meth:`PendingRequest.cancel`."""
        await asyncio.to_thread(self.pending.cancel)

    async def __aenter__(self) -> NodeSet:
        """Wait until the deadline and accept; when that fails, the request is cancelled."""
        async with AsyncExitStack() as undo:
            # A cancelled task awaits this, too: the request must not stay behind.
            undo.push_async_callback(asyncio.to_thread, self.pending.abandon)
            await self.wait()
            nodes = await self.accept()
            undo.pop_all()
        return nodes

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the nodes back.

        Raises:
            NodesLostError: If the session was lost meanwhile and nothing else went wrong.
        """
        await asyncio.to_thread(self.pending.__exit__, kind, error, trace)


def _tell(loop: asyncio.AbstractEventLoop, news: asyncio.Event) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(news.set)
