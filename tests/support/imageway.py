"""One account on a sandbox of real machines, used as a builder does: adapter and SSH."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from builder.quiet.identity import Identity
from builder.quiet.scripts import Traces, identity_script, read_identity
from remuda.cloud.account import AccountSettings
from remuda.cloud.api import Image, ImageWanted, Server, ServerSpec, ServerStatus
from remuda.cloud.image_store import ImageEdit, ImageStatus, StoredImage
from remuda.cloud.openstack import CloudSettings, OpenStackCloud
from remuda.cloud.sizes import FlavorWanted
from remuda.model import tags
from remuda.model.ids import NodeId, PoolName, ProviderName, ServerId
from remuda.runtime.clock import SystemClock
from remuda.ssh.api import Login, Script
from remuda.ssh.errors import NotYetError
from remuda.ssh.hostkeys import HostKey, make_host_key
from remuda.ssh.keyfile import KeyRing
from remuda.ssh.link import Link, open_link
from remuda.ssh.runner import Ran, run_script
from remuda.ssh.userdata import merge_user_data
from tests.sandbox.running import Sandbox
from tests.support.deadline import wait_for
from tests.support.sshd import make_key

SOON_S: Final = 60.0
BASE: Final = "debian-12"
OWNER: Final = tags.Owner(installation="image-way", provider=ProviderName("p"))


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A server, and how to get in."""

    server: ServerId
    login: Login
    host_key: HostKey

    def traces(self, login_key: str) -> Traces:
        """Return what a build on it may leave: its injected host key is a secret."""
        return Traces(
            host_keys=(self.host_key.public,),
            login_keys=(login_key,),
            secrets=(self.host_key.private,),
        )

    @contextmanager
    def link(self) -> Iterator[Link]:
        """Log in."""
        with open_link(self.login, SystemClock()) as link:
            link.meet(self.login.host_keys)
            link.login(self.login, KeyRing())
            yield link

    def identity(self) -> Identity:
        """Ask it who it is."""
        with self.link() as link:
            found = read_identity(run(link, identity_script()).output).identity
        assert found is not None
        return found

    def sh(self, text: str) -> str:
        """Run shell text as root, which must succeed; return what it printed."""
        with self.link() as link:
            return shell(link, text)


@dataclass(kw_only=True)
class Site:
    """An account; keys by name are made when they are first asked for.

    Attributes:
        user: Who logs in.
        lines: Public lines of the keys.
    """

    sandbox: Sandbox
    cloud: OpenStackCloud
    folder: Path
    user: str = "debian"
    lines: dict[str, str] = field(default_factory=dict)
    _made: int = 0

    @classmethod
    def open(
        cls, sandbox: Sandbox, folder: Path, *, cloud: str = "sandbox", region: str | None = None
    ) -> "Site":
        """Connect."""
        account = AccountSettings(cloud=cloud, region=region, clouds_file=str(sandbox.clouds_yaml))
        settings = CloudSettings(account=account, owner=OWNER, rate_per_s=200.0)
        folder.mkdir()
        opened = OpenStackCloud(settings, clock=SystemClock())
        return cls(sandbox=sandbox, cloud=opened, folder=folder)

    def key(self, name: str) -> str:
        """Return the public line of a key."""
        if name not in self.lines:
            self.lines[name] = make_key(self.folder / name)
        return self.lines[name]

    def order(self, image: Image | None, **changes: object) -> ServerSpec:
        """Return an order for a machine that boots from *image*, or the base."""
        self._made += 1
        node = NodeId(f"{self._made:010d}")
        ours = tags.ServerTags(owner=OWNER, node=node, pool=PoolName("p"), label="make/image")
        order = ServerSpec(
            name=f"{self.folder.name}-{self._made}",
            image=image or self.cloud.find_image(ImageWanted(name=BASE)),
            flavor=self.cloud.find_flavor(FlavorWanted(name="m1.tiny")),
            tags=tags.make(ours, image="image"),
        )
        return replace(order, **changes)  # type: ignore[arg-type]

    def boot(
        self,
        image: Image | None = None,
        *,
        key: str = "build",
        theirs: str | None = None,
        old: HostKey | None = None,
        **changes: object,
    ) -> Machine:
        """Boot a machine and wait until its sshd answers.

        Args:
            image: None: the base.
            key: Lets somebody in.
            theirs: User data of the operator's.
            old: The host key that the image brings, and which is to stay.
            changes: Of the order.
        """
        host_key = old or make_host_key()
        data = merge_user_data(
            theirs,
            host_key=None if old else host_key,
            authorized_keys=(self.key(key),),
            username=self.user,
        )
        server = self.active(self.cloud.create_server(self.order(image, user_data=data, **changes)))
        assert server.public_ipv4 is not None
        login = Login(
            address=server.public_ipv4,
            port=int(self.sandbox.control("GET", "/state")["ssh_port"]),
            user=self.user,
            key_file=str(self.folder / key),
            host_keys=(host_key.public,),
        )
        wait_for(lambda: answers(login), SOON_S, "sshd")
        return Machine(server=server.id, login=login, host_key=host_key)

    def seen(self, server: ServerId) -> Server:
        """Return a server as the cloud shows it."""
        return self.cloud.get_server(server)

    def active(self, server: ServerId) -> Server:
        """Wait until a server is active."""
        is_active = lambda: self.seen(server).status is ServerStatus.ACTIVE  # noqa: E731
        wait_for(is_active, SOON_S, "the server to boot")
        return self.seen(server)

    def stop(self, server: ServerId) -> None:
        """Stop a server and wait until it is idle."""
        self.cloud.stop_server(server)

        def stopped() -> bool:
            seen = self.seen(server)
            return seen.status is ServerStatus.STOPPED and seen.task is None

        wait_for(stopped, SOON_S, "the server to stop")

    def snapshot(self, server: ServerId, name: str) -> str:
        """Ask for an image of a server, and hide it at once; return its id."""
        store = self.cloud.image_store()
        ours = tags.ImageTags(owner=OWNER, image="image", build="1", name=name)
        image_id = store.snapshot(server, name, tags.make_image(ours))
        store.edit_image(image_id, ImageEdit(hidden=True))
        return image_id

    def stored(self, image_id: str) -> StoredImage:
        """Wait until an image is active; return it."""
        store = self.cloud.image_store()
        look = lambda: store.get_image(image_id).status is ImageStatus.ACTIVE  # noqa: E731
        wait_for(look, SOON_S, "the image to be active")
        return store.get_image(image_id)

    def image(self, machine: Machine, name: str) -> StoredImage:
        """Make an image of a machine, as it is."""
        self.stop(machine.server)
        return self.stored(self.snapshot(machine.server, name))

    def listens(self, server: ServerId) -> bool:
        """Say whether anything answers on a server's SSH port."""
        address = self.seen(server).public_ipv4
        port = int(self.sandbox.control("GET", "/state")["ssh_port"])
        with socket.socket() as sock:
            sock.settimeout(5.0)
            return sock.connect_ex((address, port)) == 0

    def clear(self) -> None:
        """Delete all servers, and all images of ours."""
        for server in self.cloud.list_servers():
            self.cloud.delete_server(server.id)
        wait_for(lambda: not self.cloud.list_servers(), SOON_S, "all servers to go")
        store = self.cloud.image_store()
        for image in store.list_images():
            store.delete_image(image.id)


def answers(login: Login) -> bool:
    """Say whether the machine is there and the right one."""
    try:
        with open_link(login, SystemClock()) as link:
            link.meet(login.host_keys)
    except NotYetError:
        return False
    return True


def run(link: Link, script: Script) -> Ran:
    """Run a script over a connection that others share."""
    return run_script(link, script, SystemClock(), lambda: False)


def shell(link: Link, text: str) -> str:
    """Run shell text as root, which must succeed; return what it printed."""
    ran = run(link, Script(name="step", text=f"set -e\n{text}\n", as_root=True))
    assert ran.why == "", f"{ran.why}\n{ran.output}"
    return ran.output
