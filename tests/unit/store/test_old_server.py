"""A server before 3.6, played by a few lines: it answers "unimplemented" and hangs up."""

import socket

import pytest

from remuda.store.api import StoreRefusedError
from remuda.store.options import StoreOptions
from remuda.store.zookeeper import ZookeeperStore
from tests.support.standin_zookeeper import answer, standin_server, take

UNIMPLEMENTED = -6


def serve(_number: int, connection: socket.socket) -> None:
    """Answer the first request like a server that does not know it."""
    if request := take(connection):
        answer(connection, request, UNIMPLEMENTED)


def test_a_server_that_cannot_watch_trees_is_refused_by_name_of_the_version() -> None:
    """At connecting, not at the first mirror."""
    with (
        standin_server(serve) as server,
        pytest.raises(StoreRefusedError, match=r"3\.6 or newer"),
    ):
        ZookeeperStore.connect(StoreOptions(hosts=(server,), session_s=4.0), wait_s=10.0)
