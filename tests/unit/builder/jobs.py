"""A job with a machine of which an image is to be made, and its launcher."""

from dataclasses import replace
from typing import Any

from remuda.model import launch as launch_record
from remuda.model.capture import Capture, CaptureAsk, ask_fields
from remuda.model.guest import Guest
from remuda.model.ids import NodeId
from remuda.model.launch import Launch
from remuda.store import paths
from remuda.store.api import Delete, Set
from requestor.client import Client
from requestor.nodes import LeasedNode
from tests.unit.builder.handbench import PROVIDER, Bench


class Job:
    """A job with a machine, and its launcher, which answers when the hand waits.

    Attributes:
        guest: Why the launcher lets nobody in; None: it does.
        admits: Whether it does anything.
    """

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.client = Client(bench.zookeeper.connect(), clock=bench.clock, requestor="ci-7")
        self.node, self.guest, self.admits = self._take(), None, True
        self.said: str | None = None
        self.ask = CaptureAsk(
            image="debian",
            token="t1",
            contender=self.node.taken.contender.rpartition("/")[2],
            at_s=bench.clock.now_s(),
        )
        bench.change_node(self.node.id, requestor="ci-7", **ask_fields(self.ask))
        self.change(capture=Capture(ask=self.ask, requestor="ci-7"))
        bench.serve = None
        bench.on_wait = self.answer

    def _take(self) -> LeasedNode:
        pending = self.client.request("small")
        self.bench.give(pending.id)
        (node,) = pending.accept()
        return node

    @property
    def id(self) -> NodeId:
        """The node."""
        return self.node.id

    @property
    def launch(self) -> Launch:
        """What is on record of its launch."""
        stored = self.bench.others.read(paths.launch(PROVIDER, self.id))
        assert stored is not None
        return launch_record.decode(self.id, stored.value)

    def change(self, **fields: Any) -> None:
        """Write the launch anew."""
        path = paths.launch(PROVIDER, self.id)
        stored = self.bench.others.read(path)
        assert stored is not None
        data = launch_record.encode(replace(self.launch, **fields))
        self.bench.others.commit([Set(path=path, data=data, version=stored.version)])

    def answer(self) -> None:
        """Do as its launcher does."""
        key = self.bench.build().value.login_key
        if self.admits and key is not None and key != self.said:
            self.said = key
            self.change(guest=Guest(key=key, refused=self.guest))

    def let_go(self) -> None:
        """End its session."""
        self.bench.others.commit([Delete(path=self.node.taken.contender)])
