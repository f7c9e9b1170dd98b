"""A launcher's part, played by a test: writes the records that a launcher would write."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from remuda.model import capsule, codec, component, launch, node, request, status
from remuda.model.capsule import Capsule
from remuda.model.component import PoolComponent, Replica
from remuda.model.ids import NodeId, ReplicaId, RequestId, ServerId
from remuda.model.launch import Launch, Step
from remuda.model.node import Node, NodeEvent, NodeState
from remuda.model.request import Request, RequestEvent
from remuda.model.status import ProviderStatus, Ruling, Verdict
from remuda.store import paths
from remuda.store.api import Create, Op, Set, Store

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFakeKeyOfAMachineThatIsNotThere0000000000"
NOW_S = 1_700_000_000.0


class StandIn:
    """Plays the launcher of one provider over a store of its own session."""

    def __init__(self, store: Store, provider: str = "alpha", pool: str = "main") -> None:
        self.store = store
        self.provider = provider
        self.pool = pool
        self._numbers = itertools.count(3_000_000_000)
        store.ensure(
            paths.NODES,
            paths.REQUESTS,
            paths.POOL_COMPONENTS,
            paths.STATUSES,
            paths.REPLICAS,
            paths.replicas(provider),
            paths.verdicts(provider),
            paths.failures(provider),
        )

    def register(self, *labels: str, **fields: Any) -> None:
        """Show the pool, as long as the session lives."""
        one = PoolComponent(
            id=f"host-PoolWorker.{self.provider}-{self.pool}-1",
            hostname="host",
            provider=self.provider,
            pool=self.pool,
            labels=labels,
            **fields,
        )
        path = f"{paths.POOL_COMPONENTS}/host"
        self.store.commit(
            [Create(path=path, data=component.encode_pool(one), ephemeral=True, sequence=True)]
        )

    def replica(self) -> None:
        """Show the process."""
        one = Replica(
            id=ReplicaId("r1"), hostname="host", pid=1, version="0", started_s=NOW_S, url=None
        )
        path = f"{paths.replicas(self.provider)}/r1"
        self.store.commit([Create(path=path, data=component.encode_replica(one), ephemeral=True)])

    def status(self, **fields: Any) -> None:
        """Write the provider's status."""
        one = ProviderStatus(provider=self.provider, **fields)
        self.store.commit(
            [Create(path=paths.status(self.provider), data=status.encode_status(one))]
        )

    def ready_node(
        self,
        label: str = "small",
        *,
        state: NodeState = NodeState.READY,
        allocated_to: str | None = None,
        node_id: str | None = None,
        server: str = "server-1",
        **fields: Any,
    ) -> NodeId:
        """Write the record of a machine."""
        made = NodeId(node_id or f"{next(self._numbers):010d}")
        facts = {
            "interface_ip": "127.77.0.2",
            "connection_port": 22,
            "username": "root",
            "host_keys": [HOST_KEY],
            "image_id": "debian-12",
            **fields,
        }
        one = Node(
            id=made,
            state=state,
            labels=(label,),
            provider=self.provider,
            pool=self.pool,
            allocated_to=RequestId(allocated_to) if allocated_to else None,
            state_time_s=NOW_S,
            created_s=NOW_S - 100,
            external_id=server,
            doc=facts,
        )
        self.store.commit([Create(path=paths.node(made), data=node.encode(one))])
        return made

    def put_launch(self, node_id: NodeId, request_id: str, **changes: Any) -> None:
        """Write what a launcher knows of a machine that it has made for a request."""
        found, ask = self.read_node(node_id), self.read_request(request_id).image
        upload = None if ask is None else ask.upload
        one = Launch(
            id=node_id,
            pool=self.pool,
            label=found.labels[0],
            step=Step.DONE,
            owner=ReplicaId("r1"),
            planned_s=NOW_S,
            asked_by_s=NOW_S,
            for_request=RequestId(request_id),
            server=None if found.external_id is None else ServerId(found.external_id),
            address=found.doc["interface_ip"],
            host_key=found.doc["host_keys"][0],
            image_build=None if upload is None else str(upload.build),
            image_place=None if upload is None else upload.place,
            login_key=None if ask is None else ask.login_key,
        )
        path = paths.launch(self.provider, node_id)
        self.store.ensure(path)
        data = launch.encode(replace(one, **changes))
        self.store.commit([Set(path=path, data=data, version=-1)])

    def read_node(self, node_id: str) -> Node:
        """Return a node's record."""
        stored = self.store.read(paths.node(NodeId(node_id)))
        assert stored is not None
        return node.decode(NodeId(node_id), stored.value)

    def read_request(self, request_id: str) -> Request:
        """Return a request's record."""
        stored = self.store.read(paths.request(RequestId(request_id)))
        assert stored is not None
        return request.decode(RequestId(request_id), stored.value)

    def the_request(self) -> Request:
        """Return the only request there is."""
        (name,) = self.store.children(paths.REQUESTS)
        return self.read_request(name)

    def lend(
        self, request_id: str, nodes: Sequence[NodeId] | None = None, *, allocate: bool = True
    ) -> tuple[NodeId, ...]:
        """Fulfil a request, in one transaction, with *nodes* or with new ones."""
        wanted = self.read_request(request_id)
        ids = tuple(nodes or [self.ready_node(label) for label in wanted.labels])
        ops: list[Op] = []
        for node_id in ids if allocate else ():
            stored = self.store.read(paths.node(node_id))
            assert stored is not None
            free = node.decode(node_id, stored.value).with_fields(requestor=wanted.requestor)
            one = free.after(NodeEvent.ALLOCATED, now_s=NOW_S, allocated_to=wanted.id)
            ops.append(Set(path=stored.path, data=node.encode(one), version=stored.version))
        ops.append(self._step(wanted, RequestEvent.LENT, nodes=ids))
        self.store.commit(ops)
        return ids

    def claim(self, request_id: str) -> None:
        """Take a request: from now on it is pending."""
        self.store.commit([self._step(self.read_request(request_id), RequestEvent.CLAIMED)])

    def refuse(self, request_id: str) -> None:
        """Fail a request, as the last provider that declines does."""
        self.store.commit([self._step(self.read_request(request_id), RequestEvent.REFUSED)])

    def say(self, request_id: str, ruling: Ruling, reason: str, **fields: Any) -> None:
        """Write a verdict."""
        one = Verdict(provider=self.provider, ruling=ruling, reason=reason, **fields)
        path = paths.verdict(self.provider, RequestId(request_id))
        self.store.commit([Create(path=path, data=status.encode_verdict(one))])

    def failure(self, node_id: str, **fields: Any) -> None:
        """Write the evidence of a failed launch."""
        one = Capsule(
            node=node_id,
            label="small",
            pool=self.pool,
            result="error.ssh",
            why="check disk: 10 MiB free, 1024 wanted",
            at_s=NOW_S,
            **fields,
        )
        path = paths.failure(self.provider, NodeId(node_id))
        self.store.commit([Create(path=path, data=capsule.encode_capsule(one))])

    def set_state(self, node_id: str, state: NodeState) -> None:
        """Write another state, as an operator or another program would."""
        stored = self.store.read(paths.node(NodeId(node_id)))
        assert stored is not None
        doc = node.decode(NodeId(node_id), stored.value)
        raw = codec.dump({**doc.doc, "state": str(state)})
        self.store.commit([Set(path=stored.path, data=raw, version=stored.version)])

    def locks(self, node_id: str) -> tuple[str, ...]:
        """Return the contenders for a node's lock."""
        return self.store.children(paths.node_lock(NodeId(node_id)))

    def lock(self, node_id: str, name: str = "f" * 32) -> str:
        """Take a node's lock with this session, as kazoo does; return the contender's path."""
        directory = paths.node_lock(NodeId(node_id))
        self.store.ensure(directory)
        (done,) = self.store.commit(
            [Create(path=f"{directory}/{name}__lock__", ephemeral=True, sequence=True)]
        )
        return done.path

    def _step(self, wanted: Request, event: RequestEvent, **changes: Any) -> Set:
        stored = self.store.read(paths.request(wanted.id))
        assert stored is not None
        after = wanted.after(event, now_s=NOW_S, **changes)
        return Set(path=stored.path, data=request.encode(after), version=stored.version)
