"""What a builder of the crash tests works in: two clouds, three places, launchers, and users."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from remuda.cloud.api import ServerSpec
from remuda.images import writes
from remuda.images.library import Library
from remuda.images.writes import NotBootableError
from remuda.model import launch as launches
from remuda.model import tags
from remuda.model.ids import NodeId, PoolName, ProviderName, ReplicaId, RequestId, ServerId
from remuda.model.image import BuildId, UploadId
from remuda.model.imageask import ImageUse, labelled_image
from remuda.model.launch import Launch, Step
from remuda.model.request import RequestState, decode
from remuda.model.tags import Owner, ServerTags
from remuda.store import paths
from remuda.store.api import Create, Delete, Op, RejectedError, Set
from tests.fakes.clock import ManualClock
from tests.fakes.cloud import DEBIAN, FakeCloud
from tests.fakes.glance import FakeGlance
from tests.fakes.image_store import FakeImages
from tests.fakes.store import FakeZookeeper
from tests.support.standin import HOST_KEY, StandIn
from tests.unit.builder.handbench import DISK, ShowingCloud

BOOT_S: Final = 2.0
#: Where all machines are, as the launchers of the tests say.
ADDRESS: Final = "127.77.0.2"
#: Whose images these are.
INSTALLATION: Final = "us"


@dataclass(slots=True, kw_only=True)
class Launched:
    """A machine, from its intent to its grave.

    Attributes:
        request: For whom; None: it is a user's, who gives it back by hand.
        condemned: Asked to be deleted.
    """

    provider: str
    node: NodeId
    server: ServerId
    ready_s: float
    request: RequestId | None = None
    lent: bool = False
    condemned: bool = False


class Land:
    """Clouds and launchers; p and q are two projects of one cloud, r is another cloud."""

    def __init__(
        self, clock: ManualClock, zookeeper: FakeZookeeper, library: Callable[[], Library]
    ) -> None:
        self.library = library
        self.clock = clock
        self.zookeeper = zookeeper
        self.one, self.two = FakeGlance(), FakeGlance(region="RegionTwo")
        self.two.numbers = 1000  # no two images in the world have one id
        self.clouds: dict[str, FakeCloud] = {}
        self.images: dict[str, FakeImages] = {}
        for name, glance in (("p", self.one), ("q", self.one), ("r", self.two)):
            cloud = self.clouds[name] = ShowingCloud(clock, boot_s=BOOT_S)
            cloud.flavors.append(DISK)
            self.images[name] = FakeImages(cloud, glance, project=f"project-{name}")
        self.places = {name: one.location().place for name, one in self.images.items()}
        self.store = zookeeper.connect()
        self.launchers = {name: StandIn(self.store, name) for name in self.clouds}
        for name, one in self.launchers.items():
            one.replica()
            self.store.ensure(paths.launches(name))
        self.machines: list[Launched] = []
        self._numbers = 0

    def play(self) -> bool:
        """Let launchers do what they can do now; return whether they did anything."""
        worked = False
        found = self.zookeeper.tree.children(paths.REQUESTS)
        names = () if found is None else found.names
        served = {one.request for one in self.machines}
        for name in names:
            if name not in served:
                worked |= self._serve(RequestId(name))
        for one in list(self.machines):
            worked |= self._go_on(one)
        return worked

    def next_s(self) -> float:
        """Return when they can do more, on the wall clock."""
        now_s = self.clock.now_s()
        times = [one.ready_s for one in self.machines if not one.lent]
        times += [self.clouds[one.provider].next_change_s() or 0.0 for one in self.machines]
        return min((one for one in times if one > now_s), default=float("inf"))

    # -- machines ----------------------------------------------------------------------------

    def _serve(self, name: RequestId) -> bool:
        stored = self.store.read(paths.request(name))
        if stored is None:
            return False
        wanted = decode(name, stored.value)
        if wanted.state is not RequestState.REQUESTED or wanted.provider is None:
            return False
        labelled = labelled_image(wanted.labels[0])
        ask = wanted.image
        assert labelled is not None
        assert ask is not None
        candidate = ask.use is ImageUse.PROVE
        return self._launch(
            wanted.provider,
            wanted.labels[0],
            ask.upload,
            candidate,
            name,
            login_key=ask.login_key,
        )

    def use(self, image: str, provider: str) -> bool:
        """Boot a machine for a user from what the pointer names."""
        found = {key: one.value for key, one in self.library().pointers.items()}
        pointer = found[image, provider]
        number = pointer.served(self.clock.now_s())
        assert number is not None
        upload_id = UploadId(BuildId(image, number), pointer.place)
        return self._launch(provider, "small", upload_id, candidate=False, request=None)

    def let_go(self) -> None:
        """Let users give their machines back."""
        for one in self.machines:
            if one.request is None:
                one.lent, one.request = True, RequestId("nobody")

    def _launch(
        self,
        provider: str,
        label: str,
        upload_id: UploadId | None,
        candidate: bool,  # noqa: FBT001 - as launchers say it
        request: RequestId | None,
        *,
        login_key: str | None = None,
    ) -> bool:
        ops: list[Op] = []
        image_id = DEBIAN.id
        if upload_id is not None:
            stored = self.library().uploads.get(upload_id)
            if stored is None:
                return False
            try:
                ops.append(writes.bind(stored, candidate=candidate))
            except NotBootableError:
                return False
            image_id = stored.value.cloud_image or ""
        one = self._intent(label, upload_id, request, login_key)
        path = paths.launch(provider, one.id)
        try:
            self.store.commit([*ops, Create(path=path, data=launches.encode(one))])
        except RejectedError:
            return False
        server = self._server(provider, one, image_id)
        proven = replace(one, server=server, address=ADDRESS, host_key=HOST_KEY)
        self.store.commit([Set(path=path, data=launches.encode(proven), version=0)])
        self.machines.append(
            Launched(
                provider=provider,
                node=one.id,
                server=server,
                ready_s=one.planned_s + BOOT_S,
                request=request,
                lent=request is None,
            )
        )
        return True

    def _intent(
        self,
        label: str,
        upload_id: UploadId | None,
        request: RequestId | None,
        login_key: str | None,
    ) -> Launch:
        """Return the intent of the next machine."""
        self._numbers += 1
        now_s = self.clock.now_s()
        return Launch(
            id=NodeId(f"{3_000_000_000 + self._numbers}"),
            pool="main",
            label=label,
            step=Step.PLANNED,
            owner=ReplicaId("l"),
            planned_s=now_s,
            asked_by_s=now_s,
            image_build=None if upload_id is None else str(upload_id.build),
            image_place=None if upload_id is None else upload_id.place,
            for_request=request,
            login_key=login_key,
        )

    def _server(self, provider: str, one: Launch, image_id: str) -> ServerId:
        """Boot what a launch asks for; what the records call bootable has to be there."""
        owner = Owner(installation=INSTALLATION, provider=ProviderName(provider))
        marks = ServerTags(owner=owner, node=one.id, pool=PoolName("main"), label=one.label)
        cloud = self.clouds[provider]
        known = [*cloud.images, *cloud.more_images()]
        image = next((each for each in known if each.id == image_id), None)
        wanted = f"{one.image_build} of {one.image_place}"
        assert image is not None, f"5: {provider} cannot boot {wanted}: {image_id} is not there"
        return cloud.create_server(
            ServerSpec(name=one.id, image=image, flavor=DISK, tags=tags.make(marks))
        )

    def _go_on(self, one: Launched) -> bool:
        if one.condemned:
            return self._bury(one)
        if one.request is None:
            return False
        if not one.lent:
            return self._lend(one)
        tree = self.zookeeper.tree
        held = tree.children(paths.node_lock(one.node))
        if tree.get(paths.request(one.request)) is not None or (held and held.names):
            return False
        self._condemn(one)
        return True

    def _lend(self, one: Launched) -> bool:
        if self.clock.now_s() < one.ready_s:
            return False
        assert one.request is not None
        launcher = self.launchers[one.provider]
        stored = self.store.read(paths.request(one.request))
        if stored is None:
            self._condemn(one)
            return True
        label = launcher.read_request(one.request).labels[0]
        launcher.ready_node(label, node_id=one.node, server=one.server)
        launcher.lend(one.request, [one.node])
        one.lent = True
        return True

    def _condemn(self, one: Launched) -> None:
        one.condemned = True
        self.clouds[one.provider].delete_server(one.server)

    def _bury(self, one: Launched) -> bool:
        if one.server in self.clouds[one.provider].truth():
            return False
        ops: list[Op] = [Delete(path=paths.launch(one.provider, one.node))]
        tree = self.zookeeper.tree
        for path in (paths.node(one.node), paths.node_lock(one.node)):
            if tree.get(path) is not None:
                ops.insert(0, Delete(path=path))
        self.store.commit(ops)
        self.machines.remove(one)
        return True
