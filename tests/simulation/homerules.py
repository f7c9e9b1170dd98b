"""What must never happen with machines that are taken home: the oracle's part of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from remuda.cloud.api import ServerStatus
from remuda.cloud.image_store import ImageStatus
from remuda.model import tags
from remuda.model.ids import NodeId
from remuda.model.node import NodeState
from remuda.model.takehome import (
    EndWish,
    TakeHome,
    TakeHomeState,
    WantedEnd,
    decode_take_home,
)
from remuda.store import paths
from tests.fakes.image_store import FakeImages
from tests.simulation.history import History
from tests.simulation.records import Records
from tests.simulation.timetable import Timetable

#: The quota of a machine is free so long after there is an image of it, once all is calm.
FREE_S: Final = 60.0


@dataclass(slots=True)
class HomeRules:
    """Watches machines that are taken home, and their images.

    Attributes:
        images: What clouds have, by provider.
        most_s: No image is kept for longer.
        wished: Ends that somebody has wished, by node, with when they were.
        ends: When each image is over by what its record has said, by node.
        seen: The records as they were judged last.
        whole, failed: Nodes of which there was an image; of which there was none.
        longest_s: The longest time from an image to the end of its machine.
    """

    records: Records
    history: History
    timetable: Timetable
    images: Mapping[str, FakeImages]
    most_s: float
    wished: dict[NodeId, list[EndWish]] = field(default_factory=dict)
    ends: dict[NodeId, float] = field(default_factory=dict)
    whole: dict[NodeId, float] = field(default_factory=dict)
    failed: set[NodeId] = field(default_factory=set)
    seen: dict[NodeId, TakeHome] = field(default_factory=dict)
    longest_s: float = 0.0

    def record(self, node: NodeId) -> TakeHome | None:
        """Return what is on record of one."""
        raw = self.records.read(paths.take_home(node))
        return None if raw is None else decode_take_home(node, raw)

    def making(self, node: NodeId) -> bool:
        """Whether a builder is at a machine."""
        one = self.record(node)
        return one is not None and one.state is TakeHomeState.MAKING

    def written(self, one: TakeHome) -> None:
        """Judge a record, unless it is as it was judged last."""
        if self.seen.get(one.node) == one:
            return
        self.seen[one.node] = one
        if one.state is TakeHomeState.WHOLE:
            self._judge_whole(one)
        if one.state is TakeHomeState.FAILED:
            self.failed.add(one.node)
            self._judge_machine(one)

    def _judge_whole(self, one: TakeHome) -> None:
        first = one.node not in self.whole
        self.whole.setdefault(one.node, self.timetable.now_s())
        ends_s = one.ends_s or 0.0
        if ends_s > one.since_s + self.most_s + 0.01:
            self.history.fail(f"home: the image of {one.node} is kept beyond the maximum")
        if ends_s < self.ends.get(one.node, 0.0) - 0.01:
            self.history.fail(f"home: the image of {one.node} ends sooner than was said")
        self.ends[one.node] = ends_s
        # Later on a cloud may lose it with its machine, whatever it has shown before.
        if first and not self.active(one):
            self.history.fail(f"home: {one.node} is said to be an image, and is none")

    def _judge_machine(self, one: TakeHome) -> None:
        """A hold that became no image is as it was, or its trouble is said."""
        node = self.records.node(one.node)
        if one.trouble is not None or node is None or node.state is not NodeState.HOLD:
            return
        server = (
            None if one.server is None else self.images[one.provider].cloud.truth().get(one.server)
        )
        if server is not None and server.status is ServerStatus.STOPPED:
            self.history.fail(f"home: {one.node} is no image, and its machine is stopped")

    def active(self, one: TakeHome) -> bool:
        """Whether the image is in its cloud, and can be booted."""
        kept = self.images[one.provider].glance.kept.get(one.cloud_image or "")
        return kept is not None and kept.image.status is ImageStatus.ACTIVE

    def may_go(self, node: NodeId) -> bool:
        """Whether a held machine may end before its time: there is an image of it."""
        one = self.record(node)
        return one is not None and one.state is TakeHomeState.WHOLE and self.active(one)

    def deletes(self, provider: str, image_id: str) -> None:
        """Judge the deletion of an image: it is over, nobody's, or its end was wished."""
        kept = self.images[provider].glance.kept.get(image_id)
        if kept is None:
            return
        node = NodeId(kept.image.properties.get(tags.BUILD, ""))
        one = self.record(node)
        if one is None:
            self.history.fail(f"home: image {image_id} is deleted, and nothing tells of it")
            return
        over = self.timetable.clock.now_s() >= self.ends.get(node, 0.0) - 0.01
        wished = any(wish.wants is WantedEnd.NOW for wish in self.wished.get(node, ()))
        if node in self.whole and not (over or wished):
            self.history.fail(f"home: the image of {node} is deleted before its end")
        if one.state is TakeHomeState.WHOLE:
            self.history.fail(f"home: the image of {node} is deleted, and its record says whole")

    def look(self, *, calm: bool) -> None:
        """See that machines go once there are images of them, and images once they are over."""
        for node, since_s in self.whole.items():
            there = self.records.node(node)
            if there is None or there.state is not NodeState.HOLD or not calm:
                continue
            late_s = self.timetable.now_s() - since_s
            self.longest_s = max(self.longest_s, late_s)
            if late_s > FREE_S:
                self.history.fail(f"home: {node} is an image, and is held {late_s:.0f} s after")

    def unrest(self) -> str | None:
        """Return what is left of images that are over by now, or None."""
        if names := self.records.names(paths.TAKE_HOME):
            one = self.record(NodeId(names[0]))
            return f"node {names[0]} is still {None if one is None else one.state}"
        if names := self.records.names(paths.TAKE_HOME_ENDS):
            return f"a wish for the image of {names[0]} is left"
        for provider, images in self.images.items():
            if images.glance.kept:
                return f"{provider}: image {next(iter(images.glance.kept))} has leaked"
        return None
