"""Keeping nodes for a shell script: when it ends."""

from dataclasses import dataclass
from typing import Any, NoReturn, cast

import pytest

from remuda.model.ids import NodeId
from remuda.store.api import Store, StoreAwayError
from requestor.commands.ending import Ending
from requestor.commands.kept_nodes import Keeper, Wakeup
from requestor.nodeset import NodeSet
from tests.fakes.clock import ManualClock

NODE = NodeId("0000000001")


class Away:
    """A ZooKeeper that does not answer."""

    def watch_once(self, _path: str, _fired: Any) -> NoReturn:
        """Say so."""
        raise StoreAwayError("away")


@dataclass
class Node:
    """A node that is held."""

    id: NodeId = NODE
    valid: bool = True


class Nodes(list[Node]):
    """Nodes whose session is not lost, as far as anybody knows."""

    def check(self) -> None:
        """Find nothing wrong."""


@pytest.mark.timeout(30)
def test_a_time_that_is_over_ends_it_though_zookeeper_is_away() -> None:
    """It asked again and again without a pause, and for ever."""
    keeper = Keeper(
        cast("Store", Away()),
        Wakeup(),
        until_pid=None,
        until_input_ends=False,
        keep_s=0.0,
        ending=Ending(),
        clock=ManualClock(0.0),
    )

    keeper.keep(cast("NodeSet", Nodes([Node()])))
