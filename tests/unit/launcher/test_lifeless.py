"""A server that stops before it ever ran: judged by listings, not by the clock."""

import pytest

from launcher.lanes import LISTING
from launcher.node.actions import Condemn
from launcher.node.view import NodeView
from launcher.server.actions import ListServers
from launcher.server.events import Created, Listed
from launcher.server.state import ServerState
from launcher.world import World
from remuda.cloud.api import Server, ServerStatus
from remuda.metrics.results import Result
from remuda.model import tags
from remuda.model.ids import NodeId, PoolName, ServerId
from remuda.model.launch import Step
from tests.unit.launcher.works import OWNER, Works
from tests.unit.launcher.worlds import NOW, add_node, of_kind, think, world

DEAD, BUILDING = ServerStatus.STOPPED, ServerStatus.BUILDING


def server(node: NodeId, status: ServerStatus, number: int = 1) -> Server:
    """Return a node's server as a listing shows it."""
    ours = tags.ServerTags(owner=OWNER, node=node, pool=PoolName("main"), label="small")
    return Server(id=ServerId(f"server-{number}"), name="n", status=status, tags=tags.make(ours))


class Sky:
    """Shows one booting node to a launcher, listing by listing."""

    def __init__(self, step: Step = Step.BOOTING) -> None:
        self.world: World = world()
        self.works = Works(self.world)
        self.view: NodeView = add_node(self.world, 1, step=step)

    def show(self, *statuses: ServerStatus, number: int = 1) -> None:
        """Let so many listings show it."""
        for status in statuses:
            shown = server(self.view.id, status, number)
            listed = Listed(
                number=self.world.cloud.listing + 1,
                result=(shown,),
                begun_s=NOW.mono_s,
                begun_wall_s=NOW.wall_s,
            )
            self.works.hear(listed, NOW)

    def condemned(self) -> list[Condemn]:
        """Return what a plan has against it, judging what is on the agenda only."""
        return of_kind(think(self.world, everything=False), Condemn)


@pytest.mark.parametrize("status", [DEAD, ServerStatus.DELETING])
def test_two_listings_without_life_end_a_launch_at_once(status: ServerStatus) -> None:
    """Far from boot-timeout; as a failure of the cloud's, which the breaker hears of."""
    sky = Sky()
    sky.show(BUILDING, status)
    assert sky.condemned() == []

    sky.show(status)

    (found,) = sky.condemned()
    assert (found.node, found.result) == (sky.view.id, Result.STATUS)
    assert str(status) in found.cause


@pytest.mark.parametrize("between", [BUILDING, ServerStatus.UNKNOWN])
def test_a_slip_of_the_cloud_ends_nothing(between: ServerStatus) -> None:
    """Only sightings in a row count."""
    sky = Sky()

    sky.show(DEAD, between, DEAD)

    assert sky.condemned() == []


def test_listings_of_before_the_answer_do_not_count() -> None:
    """Neither those that came in before it, nor the one that was under way."""
    sky = Sky(Step.PLANNED)
    sky.view.busy = "create"
    sky.show(DEAD, DEAD)
    sky.world.busy.enter(LISTING, ListServers(number=sky.world.cloud.listing + 1))
    made = Created(node=sky.view.id, result=ServerId("server-1"), seconds=1.0)
    sky.works.hear(made, NOW)
    sky.world.busy.give_up(LISTING)

    sky.show(DEAD)
    assert sky.view.server.lifeless == 0
    sky.show(DEAD)
    assert sky.view.server.lifeless == 1


def test_what_was_seen_of_another_server_does_not_count() -> None:
    """A record named one that is not the node's."""
    sky = Sky()
    sky.show(DEAD)
    sky.view.server.state = ServerState.HINTED

    sky.show(DEAD, number=2)

    assert (sky.view.server.id, sky.view.server.lifeless) == ("server-2", 1)
    assert sky.condemned() == []
