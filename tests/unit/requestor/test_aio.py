"""The asyncio wrapper: the same life, awaited."""

import asyncio

import pytest

from remuda.model.node import NodeState
from remuda.store import paths
from requestor.aio import AsyncRequest
from requestor.errors import RequestTimeoutError
from tests.unit.requestor.conftest import Bench


def test_nodes_are_awaited_and_given_back(bench: Bench) -> None:
    """News arrive from the store's thread."""

    async def life() -> str:
        request = AsyncRequest(bench.client.request("small"))
        lent: list[str] = []

        def lend() -> None:
            lent.extend(bench.launcher.lend(request.pending.id))
            bench.zookeeper.deliver()

        asyncio.get_running_loop().call_later(0.02, lend)
        async with request as nodes:
            assert nodes[0].valid
        return lent[0]

    node_id = asyncio.run(life())
    assert bench.launcher.read_node(node_id).state is NodeState.USED


def test_a_deadline_raises_and_cancels(bench: Bench) -> None:
    """As in the synchronous form."""

    async def life() -> None:
        async with AsyncRequest(bench.client.request("small", deadline_s=0.02)):
            raise AssertionError("not reached")

    with pytest.raises(RequestTimeoutError):
        asyncio.run(life())
    assert bench.launcher.store.children(paths.REQUESTS) == ()


def test_a_cancelled_task_leaves_no_request(bench: Bench) -> None:
    """asyncio.timeout cancels the task; the request must not stay."""

    async def life() -> None:
        async with asyncio.timeout(0.02):
            async with AsyncRequest(bench.client.request("small")):
                raise AssertionError("not reached")

    with pytest.raises(TimeoutError):
        asyncio.run(life())
    assert bench.launcher.store.children(paths.REQUESTS) == ()
