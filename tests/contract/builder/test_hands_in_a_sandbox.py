"""Both hands on real machines of a sandbox: made, quieted, snapshotted, booted, and proven."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any, Final

import pytest

from builder.build.hand_make import MakeInCloud, MakingHand
from builder.machine.hand_borrow import Machines
from builder.policy import ImagePolicy
from builder.upload.hand_validate import TrialInCloud, ValidatingHand
from remuda.cloud.account import AccountSettings
from remuda.cloud.api import ImageWanted, Server, ServerSpec, ServerStatus
from remuda.cloud.openstack import CloudSettings, OpenStackCloud
from remuda.cloud.sizes import FlavorWanted
from remuda.config.images import BaseFrom, BuildStep, SecretFrom
from remuda.config.parts import CheckFrom, FlavorFrom
from remuda.config.recipes import ImageRecipe, ProviderMaking
from remuda.model import launch as launch_record
from remuda.model import tags
from remuda.model.build import Base, Blame, Build, BuildState, Why, decode_build, encode_build
from remuda.model.ids import NodeId, PoolName, ProviderName, ReplicaId, ServerId
from remuda.model.image import BuildId, UploadId
from remuda.model.imageask import ImageUse
from remuda.model.launch import Launch
from remuda.model.tags import Owner, ServerTags
from remuda.model.upload import (
    Upload,
    UploadEvent,
    UploadState,
    decode_upload,
    encode_upload,
)
from remuda.runtime.clock import SystemClock
from remuda.ssh.api import Login
from remuda.ssh.errors import NotYetError
from remuda.ssh.hostkeys import make_host_key
from remuda.ssh.keyfile import KeyRing
from remuda.ssh.link import open_link
from remuda.ssh.prover import ParamikoProver
from remuda.ssh.userdata import merge_user_data
from remuda.store import paths
from remuda.store.api import Create, Set, Stored
from requestor.client import Client
from tests.fakes.store import FakeZookeeper
from tests.sandbox.running import Sandbox, running, why_no_machines
from tests.support.deadline import wait_for
from tests.support.sshd import make_key
from tests.support.standin import StandIn
from tests.unit.builder.handbench import Log

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.ssh,
    pytest.mark.skipif(bool(why_no_machines()), reason=why_no_machines() or "can be tested"),
]
_SOON_S: Final = 60.0
_USER: Final = "debian"
_PROVIDER: Final = "alpha"
_PLACE: Final = "a" * 12
_ME: Final = ReplicaId("b1")
_OWNER: Final = Owner(installation="inst", provider=ProviderName(_PROVIDER))
_BUILD: Final = BuildId("noble", 1)
_UPLOAD: Final = UploadId(_BUILD, _PLACE)
_SECRET: Final = "swordfish-and-more"
_POLICY: Final = ImagePolicy(image="noble", fingerprint="f", groups=((_PROVIDER,),))


class Bench:
    """Records in memory, a launcher played by the test, and a sandbox for everything else."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox, self.folder = sandbox, folder
        self.clock = SystemClock()
        self.zookeeper = FakeZookeeper(self.clock)
        self.others = self.zookeeper.connect()
        self.launcher = StandIn(self.zookeeper.connect(), _PROVIDER)
        self.launcher_key = folder / "launcher"
        self.public = make_key(self.launcher_key)
        account = AccountSettings(cloud="sandbox", clouds_file=str(sandbox.clouds_yaml))
        settings = CloudSettings(account=account, owner=_OWNER, rate_per_s=100.0)
        self.cloud = OpenStackCloud(settings, clock=self.clock)
        self.images = self.cloud.image_store()
        client = Client(self.zookeeper.connect(), clock=self.clock)
        self.client = client
        self.machines = Machines(client, self.clock, folder / "keys")
        self.log = Log()
        self.port = int(sandbox.control("GET", "/state")["ssh_port"])
        self.servers: list[ServerId] = []
        self._moment = Event()
        self.others.ensure(paths.builds("noble"))

    def close(self) -> None:
        """End everything."""
        self.client.close()
        self.cloud.close()

    # -- the launcher --------------------------------------------------------------------------

    def wait(self, seconds: float) -> None:
        """Be the launcher; then wait for what the sandbox does."""
        for name in self.launcher.store.children(paths.REQUESTS):
            if self.launcher.read_request(name).state == "requested":
                self._give(name)
        self.zookeeper.deliver()
        # Whoever waits looks again.
        self._moment.wait(min(seconds, 0.05))

    def _give(self, name: str) -> None:
        request = self.launcher.read_request(name)
        assert request.image is not None
        wanted = ImageWanted(name="debian-12")
        if request.image.use is ImageUse.PROVE:
            wanted = ImageWanted(id=self.upload().value.cloud_image)
        host_key = make_host_key()
        data = merge_user_data(
            None, host_key=host_key, authorized_keys=[request.image.login_key or ""], username=_USER
        )
        data = merge_user_data(data, authorized_keys=[self.public], username=_USER)
        node = NodeId(f"{4_000_000_000 + len(self.servers)}")
        label = request.labels[0]
        order = ServerSpec(
            name=f"np{len(self.servers)}",
            image=self.cloud.find_image(wanted),
            flavor=self.cloud.find_flavor(FlavorWanted(name="m1.tiny")),
            tags=tags.make(ServerTags(owner=_OWNER, node=node, pool=PoolName("main"), label=label)),
            user_data=data,
        )
        server = self.cloud.create_server(order)
        self.servers.append(server)
        seen = wait_for(lambda: self._active(server), _SOON_S, "the machine")
        login = Login(address=seen.public_ipv4 or "", port=self.port, host_keys=(host_key.public,))
        wait_for(lambda: _answers(login), _SOON_S, "sshd")
        self.launcher.ready_node(
            label,
            node_id=node,
            interface_ip=login.address,
            connection_port=self.port,
            host_keys=[host_key.public],
            server=server,
        )
        upload = request.image.upload
        launch = Launch(
            id=node,
            pool="main",
            label=label,
            step=launch_record.Step.DONE,
            owner=ReplicaId("r1"),
            planned_s=1.0,
            asked_by_s=1.0,
            for_request=request.id,
            server=server,
            host_keys=launch_record.INJECT,
            host_key=host_key.public,
            address=login.address,
            image_build=None if upload is None else str(upload.build),
            image_place=None if upload is None else upload.place,
            login_key=request.image.login_key,
        )
        path = paths.launch(_PROVIDER, node)
        self.others.ensure(paths.launches(_PROVIDER))
        self.others.commit([Create(path=path, data=launch_record.encode(launch))])
        self.launcher.lend(name, [node])

    def _active(self, server: ServerId) -> Server | None:
        seen = self.cloud.get_server(server)
        return seen if seen.status is ServerStatus.ACTIVE and seen.public_ipv4 else None

    # -- the records ---------------------------------------------------------------------------

    def begin(self) -> Stored[Build]:
        """Put a build on record that is ours to make."""
        one = Build(
            id=_BUILD,
            state=BuildState.BUILDING,
            why=Why.AGE,
            requested_s=1.0,
            since_s=1.0,
            owner=_ME,
            provider=_PROVIDER,
            place=_PLACE,
            group=(_PROVIDER,),
            started_s=1.0,
            base=Base(id="decided"),
        )
        path = paths.build(_BUILD)
        self.others.commit(
            [Create(path=path, data=encode_build(one)), Create(path=paths.uploads(_BUILD))]
        )
        return self.build()

    def try_it(self) -> Stored[Upload]:
        """Put the trial of the upload on record."""
        stored = self.upload()
        one = stored.value.after(UploadEvent.TRIED, now_s=2.0, owner=_ME, trying=_PROVIDER)
        self.others.commit([Set(path=stored.path, data=encode_upload(one), version=stored.version)])
        return self.upload()

    def build(self) -> Stored[Build]:
        """Return the build."""
        found = self.others.read(paths.build(_BUILD))
        assert found is not None
        value = decode_build(_BUILD, found.value)
        return Stored(path=found.path, value=value, version=found.version)

    def upload(self) -> Stored[Upload]:
        """Return the upload."""
        found = self.others.read(paths.upload(_UPLOAD))
        assert found is not None
        value = decode_upload(_UPLOAD, found.value)
        return Stored(path=found.path, value=value, version=found.version)

    def recipe(self, *steps: dict[str, Any], checks: tuple[CheckFrom, ...] = ()) -> ImageRecipe:
        """Return a recipe with these steps, which know a secret."""
        making = ProviderMaking(
            base=BaseFrom(name="debian-12"), flavor=FlavorFrom(name="m1.tiny"), username=_USER
        )
        return ImageRecipe(
            name="noble",
            makings={_PROVIDER: making},
            connection_port=self.port,
            steps=tuple(BuildStep.model_validate({"timeout": "30s", **one}) for one in steps),
            checks_before=checks,
            checks=checks,
            secrets={"TOKEN": SecretFrom(environment="SITE_TOKEN")},
        )

    def make(self, recipe: ImageRecipe) -> str | None:
        """Make the build."""
        hand = MakingHand(
            machines=self.machines,
            clock=self.clock,
            environ={"SITE_TOKEN": _SECRET},
            wait=self.wait,
        )
        order = MakeInCloud(
            build=self.begin(),
            recipe=recipe,
            policy=_POLICY,
            owner=_OWNER,
            cloud=self.cloud,
            images=self.images,
            key_file=str(self.launcher_key),
        )
        return hand.make(order, self.log).why

    def validate(self, recipe: ImageRecipe) -> str | None:
        """Try the upload."""
        hand = ValidatingHand(
            machines=self.machines,
            prover=ParamikoProver(self.clock),
            clock=self.clock,
            environ={"SITE_TOKEN": _SECRET},
            wait=self.wait,
        )
        order = TrialInCloud(
            upload=self.try_it(),
            build=self.build().value,
            provider=_PROVIDER,
            recipe=recipe,
            policy=_POLICY,
            owner=_OWNER,
            cloud=self.cloud,
            images=self.images,
            wanted=(_PROVIDER,),
        )
        return hand.validate(order, self.log).why


def _answers(login: Login) -> bool:
    try:
        with open_link(login, SystemClock()) as link:
            link.meet(login.host_keys)
    except NotYetError:
        return False
    return True


@pytest.fixture(scope="module")
def _sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox of real machines."""
    with running(
        tmp_path_factory.mktemp("real"), {"machines": "namespace", "system": "minimal"}
    ) as sandbox:
        yield sandbox


@pytest.fixture
def bench(_sandbox: Sandbox, tmp_path: Path) -> Iterator[Bench]:
    """Records and keys of its own for each test."""
    one = Bench(_sandbox, tmp_path)
    yield one
    one.close()


def test_an_image_is_made_and_proven(bench: Bench) -> None:
    """What steps have made is in the clone, and nothing of the build that tells it from others."""
    file = bench.folder / "mirrors.list"
    file.write_text("a mirror\n")
    check = CheckFrom.model_validate(
        {"name": "filled", "script": {"inline": "grep -q mirror /opt/mirrors.list && [ -e /made ]"}}
    )
    recipe = bench.recipe(
        {"copy": {"from": str(file), "to": "/opt/mirrors.list"}, "as-root": True},
        {"command": 'test -n "$TOKEN" && touch /made', "secrets": ["TOKEN"], "as-root": True},
        checks=(check,),
    )

    assert bench.make(recipe) is None, bench.log.text

    build, upload = bench.build().value, bench.upload().value
    assert (build.state, upload.state) == (BuildState.BUILT, UploadState.STORED)
    assert build.base is not None
    assert build.base.name == "debian-12"
    assert bench.images.get_image(upload.cloud_image or "").hidden
    assert _SECRET not in bench.log.text
    assert "PRIVATE KEY" not in bench.log.text

    assert bench.validate(recipe) is None, bench.log.text

    assert bench.upload().value.state is UploadState.USABLE
    assert bench.upload().value.passed(_PROVIDER)
    assert len(bench.servers) == 2


def test_a_secret_that_a_step_leaves_behind_is_found(bench: Bench) -> None:
    """By the file that has it; there is no image, and the machine is given back."""
    recipe = bench.recipe(
        {
            "command": 'echo "machine mirror password $TOKEN" >/opt/netrc',
            "secrets": ["TOKEN"],
            "as-root": True,
        }
    )

    why = bench.make(recipe)

    build = bench.build().value
    assert build.state is BuildState.FAILED
    assert build.mishap is not None
    assert build.mishap.blame is Blame.RESIDUE
    assert "/opt/netrc" in build.mishap.message
    assert why is not None
    assert _SECRET not in why + bench.log.text
    assert bench.others.read(paths.upload(_UPLOAD)) is None


def test_a_key_that_opens_clones_is_found_on_the_clone(bench: Bench) -> None:
    """Whatever puts it back; so is anything else that all clones would have in common."""
    recipe = bench.recipe({"command": "true"})
    assert bench.make(recipe) is None, bench.log.text
    # As if the build had been made by the key that opens this candidate.
    stored = bench.build()
    known = {**stored.value.identity, "login_key": KeyRing().public_line(str(bench.launcher_key))}
    doctored = replace(stored.value, identity=known)
    bench.others.commit(
        [Set(path=stored.path, data=encode_build(doctored), version=stored.version)]
    )

    why = bench.validate(recipe)

    assert why is not None
    assert "login-keys" in why
    trial = bench.upload().value.trials[_PROVIDER]
    assert trial.failures == 1
