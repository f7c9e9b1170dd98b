"""What `remuda explain` says of a node: who has it, for whom it is kept, and until when."""

from dataclasses import dataclass
from typing import Any

from remuda.cli.errors import CommandFailedError, MistakeError
from remuda.cli.output import age
from remuda.cli.views.holds import hold_json
from remuda.cli.views.takehomes import take_home_json
from remuda.insight import holding, tree
from remuda.insight.facts import facts_of
from remuda.insight.fetching import NodeFetches, read_node_fetches
from remuda.insight.holding import Room
from remuda.insight.launches import LaunchAnswer, find_launch, launch_in, why_unread
from remuda.insight.takehomes import said
from remuda.model.hold import Hold
from remuda.model.ids import NodeId
from remuda.model.job import whose
from remuda.model.launch import Launch
from remuda.model.node import Node, NodeState
from remuda.model.takehome import TakeHome, TakeHomeState
from remuda.moments import when
from remuda.store.api import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeExplanation:
    """What is known of one node.

    Attributes:
        answer: What there is of the launch that made it.
        image: To be taken home; None: there is none.
        room: How much of its pool is kept for people; None: nobody knows its pool.
        fetches: What it fetched from the network; None: nobody knows how it was made.
    """

    node: Node
    answer: LaunchAnswer
    image: TakeHome | None
    room: Room | None
    fetches: NodeFetches | None

    @property
    def launch(self) -> Launch | None:
        """The launch that made it; None: there is none that we can read."""
        return launch_in(self.answer)

    @property
    def hold(self) -> Hold | None:
        """What became of the wish that it be kept; None: nobody has wished that."""
        return None if self.launch is None else self.launch.hold

    def as_json(self) -> dict[str, Any]:
        """Return the explanation with the stable keys of docs/cli.md."""
        launch, hold = self.launch, self.hold
        return {
            "node": self.node.id,
            "state": str(self.node.state),
            "hold": hold_json(self.node, launch, hold) if launch and hold else None,
            "take_home": None if self.image is None else take_home_json(self.image),
            "pool_held": None if self.room is None else self.room.held,
            "pool_instances_max": None if self.room is None else self.room.most,
            "launch_unread": why_unread(self.answer),
            "fetched": None if self.fetches is None else self.fetches.as_json(),
        }

    def sentences(self, now_s: float) -> list[str]:
        """Return the same for people."""
        facts = facts_of(self.node)
        where = f"{facts.label}, {facts.provider or '?'}, pool {facts.pool or '?'}"
        told = [f"node {facts.id} ({where}) is {self.node.state.said}"]
        asked = whose(facts.requestor, facts.job) if facts.allocated_to else ""
        if asked:
            told.append(f"it was given to {asked}")
        if self.hold is not None:
            told += _of_hold(self.hold, now_s)
        elif (unread := why_unread(self.answer)) is not None:
            told.append(unread)
        elif self.node.state is NodeState.HOLD:
            told.append("no launcher has put its hold on record yet")
        told += holding.image_words(self.launch, self.image)
        if self.room is not None and (self.hold is not None or self.room.held):
            told.append(f"in pool {facts.pool} {self.room.said}")
        if self.fetches is not None:
            told += self.fetches.sentences()
        if self.node.state is NodeState.HOLD:
            told.append(
                f"`remuda ssh {facts.id}` logs in, `remuda extend {facts.id}` keeps it for longer, "
                f"`remuda release {facts.id}` gives it back"
            )
        return [*told, f"`remuda capsule {facts.id}` tells how it was made"]


def _of_hold(hold: Hold, now_s: float) -> list[str]:
    owner = hold.owner or "nobody"
    if hold.refused is not None:
        return [f"it is not kept for {owner}: {hold.refused}"]
    if hold.ends_s is None:
        told = [f"it is kept for {owner} for {age(hold.for_s)} once its job lets it go"]
    else:
        left = f"{age(hold.ends_s - now_s)} left" if now_s < hold.ends_s else "over"
        told = [f"it is held for {owner} until {when(hold.ends_s)} ({left})"]
    told[0] += f": {hold.reason}" if hold.reason else ""
    job = "" if hold.job is None else f", after job {hold.job}"
    told.append(f"{holding.asked_by(hold)}{job}; owners are unproven")
    told += holding.circumstances(hold)
    if hold.seen_s is not None:
        who = "somebody" if hold.logins else "nobody that we know"
        told.append(f"{age(now_s - hold.seen_s)} ago {who} was logged in")
    return told


def read_node_explanation(store: Store, node_id: str) -> NodeExplanation:
    """Read all there is to say about one node.

    Raises:
        MistakeError: If there is none.
        CommandFailedError: If its record cannot be read.
        StoreAwayError: If an answer did not come in time.
    """
    read = tree.reader(store)
    level = tree.nodes(read)
    if node_id in level.corrupt:
        raise CommandFailedError(f"node {node_id}: {level.corrupt[node_id]}", 1)
    node = level.records.get(node_id)
    if node is None:
        image = holding.read_images(read).get(NodeId(node_id))
        if image is not None and image.state is not TakeHomeState.FAILED:
            raise MistakeError(
                f"the machine of node {node_id} is gone, its image is there: {said(image)}; "
                f"`remuda open {node_id}` boots it"
            )
        raise MistakeError(
            f"{node_id} is no request, but a node, and there is none: `remuda capsule {node_id}` "
            "tells of it if it failed"
        )
    room = None
    if node.provider and node.pool:
        room = holding.room_of(read, level.records.values(), node.provider, node.pool)
    answer = find_launch(store, node)
    return NodeExplanation(
        node=node,
        answer=answer,
        image=holding.read_images(read).get(node.id),
        room=room,
        fetches=read_node_fetches(store, node, launch_in(answer)),
    )
