"""What is wished of a node already, and cannot be read: nothing is put in its place."""

from collections.abc import Callable
from typing import Any, Final

import pytest

from remuda.model.holdwish import HOLD_KEY
from remuda.model.ids import NodeId
from remuda.model.node import Node, NodeState
from remuda.store import paths
from remuda.store.api import Store
from requestor.errors import RequestorError
from requestor.holding import wish_more, write_wish
from requestor.keys import key_wishes, wish_keys
from requestor.takinghome import WishedImage
from tests.support.commands import CommandHarness
from tests.support.keeping import NOW_S

Adds = Callable[[Store, NodeId], object]


def _extended(store: Store, node: NodeId) -> object:
    return write_wish(store, node, wish_more("ada", for_s=60.0, now_s=NOW_S))


def _taken_home(store: Store, node: NodeId) -> object:
    image = WishedImage(me="ada", for_s=3600.0)
    return write_wish(store, node, image.of(force=False, now_s=NOW_S))


def _with_key(store: Store, node: NodeId) -> object:
    keys = key_wishes((), "ada", by="ada", account=None, now_s=NOW_S)
    return wish_keys(store, node, lambda _: keys, judge=_anybody, by="ada", now_s=NOW_S)


def _anybody(_node: Node) -> None:
    pass


_ADDS: Final[tuple[Adds, ...]] = (_extended, _taken_home, _with_key)
_BAD: Final[tuple[Any, ...]] = ("text", [], {}, {"token": "t", "keys": [{"token": "k"}]}, 1e300)


@pytest.mark.parametrize("add", _ADDS)
@pytest.mark.parametrize("bad", _BAD)
def test_nothing_takes_the_place_of_wishes_that_cannot_be_read(add: Adds, bad: object) -> None:
    """Its launcher leaves keys on the machine while it cannot read them, and takes off the rest."""
    harness = CommandHarness()
    harness.launcher.register("small")
    node = harness.launcher.ready_node("small", requestor="ada", **{HOLD_KEY: bad})
    harness.launcher.set_state(node, NodeState.HOLD)
    store = harness.zookeeper.connect()
    before = store.read(paths.node(node))
    with pytest.raises(RequestorError, match="cannot be read"):
        add(store, node)
    assert store.read(paths.node(node)) == before
