"""What hands of a builder work with, all in memory: records, a launcher, a cloud, one machine."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from builder.machine.hand_borrow import Machines
from builder.policy import ImagePolicy
from remuda.cloud.api import Flavor, Server, ServerSpec
from remuda.config.images import BaseFrom, BuildStep
from remuda.config.parts import FlavorFrom
from remuda.config.recipes import ImageRecipe, ProviderMaking
from remuda.model import launch as launch_record
from remuda.model import node as node_record
from remuda.model import tags
from remuda.model.build import Base, Build, BuildState, Why, decode_build, encode_build
from remuda.model.ids import NodeId, PoolName, ProviderName, ReplicaId, RequestId, ServerId
from remuda.model.image import BuildId, UploadId
from remuda.model.launch import Launch
from remuda.model.node import Node
from remuda.model.tags import Owner, ServerTags
from remuda.model.upload import Upload, UploadState, decode_upload, encode_upload
from remuda.ssh.api import Login, Script
from remuda.ssh.runner import Ran
from remuda.store import paths
from remuda.store.api import Create, Op, Set, Stored
from requestor.client import Client
from tests.fakes.clock import ManualClock
from tests.fakes.cloud import DEBIAN, FakeCloud
from tests.fakes.glance import FakeGlance
from tests.fakes.image_store import FakeImages
from tests.fakes.store import FakeZookeeper
from tests.support.standin import HOST_KEY, StandIn

ME: Final = ReplicaId("b1")
OTHER: Final = ReplicaId("b2")
PLACE: Final = "a" * 12
BUILD: Final = BuildId("debian", 7)
UPLOAD: Final = UploadId(BUILD, PLACE)
PROVIDER: Final = "alpha"
OWNER: Final = Owner(installation="inst", provider=ProviderName(PROVIDER))
ADDRESS: Final = "127.77.0.2"
DISK: Final = Flavor(id="7", name="disk", cores=1, ram_mib=512, disk_gib=5)
IDENTITY: Final = {"machine_id": "m" * 32, "host_keys": ["0" * 64]}


def recipe(*steps: dict[str, Any], **changes: Any) -> ImageRecipe:
    """Return a recipe with steps as a file has them."""
    making = ProviderMaking(
        base=BaseFrom(name="debian-12"), flavor=FlavorFrom(name="disk"), username="debian"
    )
    read = tuple(BuildStep.model_validate({"timeout": "1m", **one}) for one in steps)
    return ImageRecipe(name="debian", makings={PROVIDER: making}, steps=read, **changes)


PRIVATE_KEY: Final = f"""\
-----BEGIN OPENSSH PRIVATE KEY-----
{"b3BlbnNzaC" * 7}
{"k" * 70}
PartOfAKey==
-----END OPENSSH PRIVATE KEY-----"""


def report(phase: str, *lines: str, kinds: tuple[str, ...] = (), end: int = 0) -> str:
    """Return what a machine prints of a phase."""
    rows = [f"begin\t{phase}\t-", *lines, *(f"applied\t{kind}\t-" for kind in kinds)]
    return "".join(f"remuda\t{row}\n" for row in (*rows, f"end\t{phase}\t{end}"))


def ran(why: str = "", output: str = "", *, lost: bool = False, code: int | None = None) -> Ran:
    """Return how a script ended; without *code* one that failed was killed."""
    return Ran(exit_code=code if why else 0, why=why, output=output, lost=lost)


GOOD: Final = {
    "identity": ran(output=report("identity", f"identity\t-\t{json.dumps(IDENTITY)}")),
    "host keys": ran(output=f"{PRIVATE_KEY}\n\n"),
}


class Log:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.text = ""
        self.closed = False
        self.ok: bool | None = None

    def step(self, name: str) -> None:
        """Note it."""
        self.steps.append(name)

    def write(self, data: bytes) -> None:
        """Note it."""
        self.text += data.decode()

    def close(self, *, ok: bool | None = None) -> None:
        """Note it."""
        self.closed, self.ok = True, ok


@dataclass
class FakeSession:
    """A machine's shell: scripts end as *ends* says, by name, else well.

    Attributes:
        scripts: What was run, in order.
        before: Called with the name of each script before it ends.
    """

    host_key: str = HOST_KEY
    ends: dict[str, Ran] = field(default_factory=lambda: dict(GOOD))
    scripts: list[Script] = field(default_factory=list)
    before: Callable[[str], None] = lambda _: None
    closed: bool = False

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.closed = True

    def run_script(self, script: Script, **_: Any) -> Ran:
        """Note it."""
        self.scripts.append(script)
        self.before(script.name)
        return self.ends.get(script.name, ran())


class ShowingCloud(FakeCloud):
    """Shows each server at the address at which machines of tests are reached.

    Attributes:
        booted: Images of which the fake knows nothing, by the servers that boot them.
    """

    shows = ADDRESS

    def __init__(self, clock: ManualClock, *, boot_s: float = 5.0) -> None:
        super().__init__(clock, boot_s=boot_s)
        self.booted: dict[ServerId, str] = {}

    def get_server(self, server: ServerId) -> Server:
        """Return one server."""
        seen = super().get_server(server)
        image = self.booted.get(server, seen.image_id)
        return replace(seen, public_ipv4=self.shows, image_id=image)


class Bench:
    """Everything a hand needs; time passes when it waits.

    Attributes:
        serve: Gives a machine to whoever asks; None: nobody does.
        on_wait: Called each time that a hand waits.
        server: Of the machine that was given last.
    """

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock()
        self.zookeeper = FakeZookeeper(self.clock)
        self.store = self.zookeeper.connect()
        self.others = self.zookeeper.connect()
        self.launcher = StandIn(self.zookeeper.connect(), PROVIDER)
        self.cloud = ShowingCloud(self.clock)
        self.cloud.flavors.append(DISK)
        self.glance = FakeGlance()
        self.images = FakeImages(self.cloud, self.glance)
        self.session = FakeSession()
        self.log = Log()
        self.client = Client(self.store, clock=self.clock, away_s=0.05, lock_s=0.05)
        self.logins: list[Login] = []
        self.machines = Machines(self.client, self.clock, folder / "keys", self._connect)
        self.serve: Callable[[str], None] | None = self.give
        self.on_wait: Callable[[], None] = lambda: None
        self.stop = False
        self.server: ServerId | None = None
        self.boots = DEBIAN
        self.policy = ImagePolicy(image="debian", fingerprint="f", groups=((PROVIDER,),))
        self.recipe = recipe({"command": "make", "name": "fill"})
        self.others.ensure(paths.builds("debian"), paths.uploads(BUILD))

    def _connect(self, login: Login) -> Any:
        self.logins.append(login)
        return self.session

    def wait(self, seconds: float) -> None:
        """Let time pass, launchers work, and news arrive."""
        self.clock.advance(seconds)
        self.on_wait()
        if self.serve is not None:
            for name in self.launcher.store.children(paths.REQUESTS):
                if self.launcher.read_request(name).state == "requested":
                    self.serve(name)
        self.zookeeper.deliver()

    def give(self, request: str, launched: dict[str, Any] | None = None, **fields: Any) -> NodeId:
        """Boot a machine and fulfil a request with it.

        Args:
            request: Which.
            launched: What the launch says otherwise than it should; "tags" are the server's.
            fields: The same of the node.
        """
        wanted = self.launcher.read_request(request)
        upload = None if wanted.image is None else wanted.image.upload
        changes = dict(launched or {})
        node = self.launcher.ready_node(wanted.labels[0], interface_ip=ADDRESS)
        ours = ServerTags(owner=OWNER, node=node, pool=PoolName("main"), label=wanted.labels[0])
        marks = changes.pop("tags", tags.make(ours))
        order = ServerSpec(name="np1", image=self.boots, flavor=DISK, tags=marks)
        self.server = self.cloud.create_server(order)
        if upload is not None and self.others.read(paths.upload(upload)) is not None:
            self.cloud.booted[self.server] = self.upload(upload.place).value.cloud_image or ""
        self.clock.advance(self.cloud.boot_s)
        launch = Launch(
            id=node,
            pool="main",
            label=wanted.labels[0],
            step=launch_record.Step.DONE,
            owner=ReplicaId("r1"),
            planned_s=1.0,
            asked_by_s=1.0,
            for_request=RequestId(request),
            server=self.server,
            host_keys=launch_record.INJECT,
            host_key=HOST_KEY,
            address=ADDRESS,
            image_build=None if upload is None else str(upload.build),
            image_place=None if upload is None else upload.place,
            login_key=None if wanted.image is None else wanted.image.login_key,
        )
        launch = replace(launch, **changes)
        self.others.ensure(paths.launches(PROVIDER))
        self.others.commit(
            [Create(path=paths.launch(PROVIDER, node), data=launch_record.encode(launch))]
        )
        self.change_node(node, **{"external_id": self.server, **fields})
        self.launcher.lend(request, [node])
        return node

    def change_node(self, node_id: NodeId, **changes: Any) -> None:
        """Write a node's record anew."""
        stored = self.others.read(paths.node(node_id))
        assert stored is not None
        doc = json.loads(stored.value)
        data = json.dumps({**doc, **changes}).encode()
        self.others.commit([Set(path=stored.path, data=data, version=stored.version)])

    def nodes(self) -> list[Node]:
        """Return all nodes."""
        found = self.others.read_many(
            [paths.node(NodeId(one)) for one in self.others.children(paths.NODES)]
        )
        names = self.others.children(paths.NODES)
        return [
            node_record.decode(NodeId(name), one.value)
            for name, one in zip(names, found, strict=True)
            if one is not None
        ]

    # -- records -----------------------------------------------------------------------------

    def put_build(self, **changes: Any) -> Stored[Build]:
        """Write a build that is being made, and return it as it is judged."""
        fields: dict[str, Any] = {
            "state": BuildState.BUILDING,
            "owner": ME,
            "provider": PROVIDER,
            "place": PLACE,
            "group": (PROVIDER,),
            "started_s": self.clock.now_s(),
            "base": Base(id=DEBIAN.id),
            "why": Why.AGE,
            **changes,
        }
        one = Build(id=BUILD, requested_s=1.0, since_s=1.0, **fields)
        self._put(paths.build(BUILD), encode_build(one))
        return self.build()

    def put_upload(self, cloud_image: str, **changes: Any) -> Stored[Upload]:
        """Write an upload that is tried, and return it as it is judged."""
        fields: dict[str, Any] = {
            "state": UploadState.VALIDATING,
            "owner": ME,
            "trying": PROVIDER,
            "cloud_image": cloud_image,
            **changes,
        }
        one = Upload(id=UPLOAD, since_s=1.0, **fields)
        self._put(paths.upload(UPLOAD), encode_upload(one))
        return self.upload()

    def _put(self, path: str, data: bytes) -> None:
        op: Op = Create(path=path, data=data)
        if (found := self.others.read(path)) is not None:
            op = Set(path=path, data=data, version=found.version)
        self.others.commit([op])

    def build(self) -> Stored[Build]:
        """Return the build."""
        stored = self.others.read(paths.build(BUILD))
        assert stored is not None
        value = decode_build(BUILD, stored.value)
        return Stored(path=stored.path, value=value, version=stored.version)

    def upload(self, place: str = PLACE) -> Stored[Upload]:
        """Return the upload."""
        which = UploadId(BUILD, place)
        stored = self.others.read(paths.upload(which))
        assert stored is not None
        value = decode_upload(which, stored.value)
        return Stored(path=stored.path, value=value, version=stored.version)

    def before_write(self, path: str, number: int, do: Callable[[], None]) -> None:
        """Let something happen right before the *number*-th write of a record by the hand."""
        self._around(path, number, do)

    def lose_reply(self, path: str, number: int) -> None:
        """Let the reply to the *number*-th write of a record be lost."""
        self._around(path, number, self.store.away_after_next_commit)

    def _around(self, path: str, number: int, do: Callable[[], None]) -> None:
        commit, seen = self.store.commit, 0

        def counted(ops: Any) -> Any:
            nonlocal seen
            if any(one.path == path for one in ops):
                seen += 1
                if seen == number:
                    do()
            return commit(ops)

        self.store.commit = counted  # type: ignore[method-assign]

    def close(self) -> None:
        """End the client."""
        with suppress(Exception):
            self.client.close()
