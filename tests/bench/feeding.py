"""Ready nodes by the thousand: real servers and real records, without booting and proving them.

We play a launcher that died: its intents, its servers in the cloud with their tags, and its ready
records are all there, written by the product's own functions; only the proof over SSH has not
been made. The living launcher finds records whose owner is gone and adopts them one by one.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from launcher.node import birth
from launcher.node import writes as node_writes
from launcher.node.birth import NewNode
from launcher.node.steps import ready_node
from launcher.node.view import NodeView
from launcher.policy import Key, Policy, compile_policy
from launcher.provider.cloud import Recipe
from launcher.provider.peers import Peers
from launcher.server.hand_cloud import CloudHands
from launcher.server.hand_records import StoreRecords
from launcher.server.specs import ServerSpecs
from launcher.world import World
from remuda.cloud.account import AccountSettings
from remuda.cloud.api import CloudError, Image, ImageWanted
from remuda.cloud.image_store import ImageStore
from remuda.cloud.openstack import CloudSettings, OpenStackCloud
from remuda.config.loader import load
from remuda.model import tags
from remuda.model.ids import NodeId, ProviderName, ReplicaId, ServerId, node_ids_of_block
from remuda.model.image import BuildId, UploadId
from remuda.model.launch import Launch, Step
from remuda.model.node import NodeEvent
from remuda.model.upload import Upload
from remuda.runtime.clock import SystemClock
from remuda.runtime.now import Now
from remuda.store import paths
from remuda.store.api import Create, Op, Put, Set, Stored
from remuda.store.options import StoreOptions
from remuda.store.zookeeper import ZookeeperStore

_DEAD = ReplicaId("bench-dead")
_PER_TRANSACTION = 50
_THREADS = 8


class Feeder:
    """Puts ready nodes of one label into one pool of one provider."""

    def __init__(self, config: Path, provider: str, hosts: tuple[str, ...]) -> None:
        self._config = load(config)
        self._policy: Policy = compile_policy(self._config, provider)
        self._store = ZookeeperStore.connect(StoreOptions(hosts=hosts), wait_s=30.0)
        found = self._store.read(paths.INSTALLATION)
        if found is None:
            raise RuntimeError("feed after the launcher has started")
        self._owner = tags.Owner(installation=found.value.decode(), provider=ProviderName(provider))
        clock = SystemClock()
        account = AccountSettings(
            cloud=self._policy.config.cloud, clouds_file=self._config.clouds_file
        )
        settings = CloudSettings(account=account, owner=self._owner, rate_per_s=1000.0)
        self._cloud = OpenStackCloud(settings, clock=clock)
        records = StoreRecords(store=self._store, clock=clock, owner=self._owner)
        self._hands = CloudHands(cloud=self._cloud, clock=clock, owner=self._owner, records=records)
        self._world = World(policy=self._policy, peers=Peers(me=_DEAD, provider=provider))

    def close(self) -> None:
        """End our session."""
        self._cloud.close()
        self._store.close()

    @property
    def images(self) -> ImageStore:
        """The provider's images."""
        return self._cloud.image_store()

    def find_image(self, wanted: ImageWanted) -> Image:
        """Return an image of the cloud."""
        return self._cloud.find_image(wanted)

    def feed(self, pool: str, label: str, count: int, upload: Upload | None = None) -> None:
        """Make so many; of a label that boots an image of ours, of *upload*."""
        recipe = self._hands.survey(self._policy, (0, 0, 0), {}).recipes[pool, label]
        build = None if upload is None else upload.id
        born = [self._born(one, (pool, label), recipe, build) for one in self._ids(count)]
        launches = [one.launch for one in born]
        if upload is not None:
            name = str(upload.id.build)
            seen = Stored(path=paths.upload(upload.id), value=upload, version=0)
            self._world.images.uploads[upload.id] = seen
            self._know(upload.id.build)
            recipe = replace(recipe, image=Image(id=upload.cloud_image or "", name=name))
        servers = self._servers(launches, recipe)
        shown = {one.id: one for one in self._cloud.list_servers()}
        ops: list[Op] = []
        for new in born:
            launch, server = new.launch, shown[servers[new.launch.id]]
            view = NodeView(id=launch.id, launch=launch, node=new.node)
            view.server.show(server)
            ready = ready_node(view, self._policy).after(NodeEvent.PROVEN, now_s=time.time())
            done = replace(launch, step=Step.DONE, server=server.id)
            pair = [NewNode(launch=done, node=ready)]
            grown = node_writes.grow(self._world, pair, ledger_version=-1)
            ops += [op for op in grown if isinstance(op, Create)]
        for at in range(0, len(ops), 2 * _PER_TRANSACTION):
            self._store.commit(ops[at : at + 2 * _PER_TRANSACTION])

    def _know(self, build_id: BuildId) -> None:
        found = self._store.read(paths.build(build_id))
        assert found is not None
        self._world.images.take(Put(path=found.path, stored=found))

    def _ids(self, count: int) -> Sequence[NodeId]:
        ids: list[NodeId] = []
        while len(ids) < count:
            (done,) = self._store.commit([Set(path=paths.NODE_COUNTER, data=b"", version=-1)])
            ids += node_ids_of_block(done.version)
        return ids[:count]

    def _born(self, node_id: NodeId, key: Key, recipe: Recipe, upload: UploadId | None) -> NewNode:
        now = Now(wall_s=time.time(), mono_s=time.monotonic())
        new = birth.born(
            self._policy,
            birth.intend(self._policy, key, recipe, 0, upload=upload),
            node_id=node_id,
            owner=_DEAD,
            host_key=None,
            launcher=None,
            now=now,
        )
        # As older records are: none says that its host key is from us, and lost.
        return replace(new, launch=replace(new.launch, host_keys=None))

    def _servers(self, launches: Sequence[Launch], recipe: Recipe) -> dict[NodeId, ServerId]:
        orders = ServerSpecs(policy=self._policy, owner=self._owner)

        def create(launch: Launch) -> tuple[NodeId, ServerId]:
            made = self._hands.create(launch, orders, recipe, None)
            if isinstance(made.result, CloudError):
                raise made.result
            return launch.id, made.result

        with ThreadPoolExecutor(_THREADS) as threads:
            return dict(threads.map(create, launches))
