"""Any OpenStack account on the bench; what it can be asked to let go wrong is up to others."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import yaml

from remuda.cloud.account import AccountSettings
from remuda.cloud.api import Cloud, ImageWanted
from remuda.cloud.errors import Effect
from remuda.cloud.image_store import ImageStore
from remuda.cloud.inspection import FloatingRoom
from remuda.cloud.objects import ObjectStore
from remuda.cloud.openstack import CloudSettings, OpenStackCloud
from remuda.cloud.openstack_objects import OpenStackObjects
from remuda.model.ids import ServerId
from remuda.runtime.clock import SystemClock
from tests.contract.cloud.bench import (
    KEYPAIR,
    OWNER,
    SEGMENT_BYTES,
    Bench,
    Change,
    Entry,
    Fault,
)
from tests.support.deadline import LOOK_EVERY_S, wait_for

T = TypeVar("T")

_PUBLIC_KEY: Final = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGLhPiBS9XvYtZFvFYGVkbcAhgnF8cRJVzvNgtdVRVPB contract"
)
#: A real control plane on two busy cores takes its time.
DEADLINE_S = 90.0


class AccountBench(Bench):
    """An account named in a clouds.yaml; servers of :data:`OWNER` in it are deleted.

    Attributes:
        look_every_s: So much time is between two looks at what is waited for.
    """

    look_every_s: float = LOOK_EVERY_S

    def __init__(
        self,
        clouds_file: Path,
        cloud: str,
        *,
        networks: tuple[str, ...],
        inside: str | None,
        scratch: Path,
    ) -> None:
        super().__init__()
        self._clouds_file = clouds_file
        self._cloud_name = cloud
        self._scratch = scratch
        self._opened: list[OpenStackCloud] = []
        self.adapter = self.open()
        self.cloud: Cloud = self.adapter
        self.images: ImageStore = self.adapter.image_store()
        self.objects: ObjectStore = self.objects_of(self.adapter)
        self.networks = networks
        self.inside = inside
        self.image_name = self.cloud.find_image(ImageWanted(pattern=".*")).name
        self.adapter._wire.call(
            *("compute", "POST", ("os-keypairs",)),
            effect=Effect.REPEATABLE,
            body={"keypair": {"name": KEYPAIR, "public_key": _PUBLIC_KEY}},
            accept={409},  # an earlier run's
        )

    def open(
        self,
        cloud: str | None = None,
        *,
        page_size: int | None = None,
        clouds_file: Path | None = None,
    ) -> OpenStackCloud:
        """Open another connection, with a token of its own."""
        account = AccountSettings(
            cloud=cloud or self._cloud_name, clouds_file=str(clouds_file or self._clouds_file)
        )
        settings = CloudSettings(
            account=account, owner=OWNER, rate_per_s=100.0, page_size=page_size
        )
        self._opened.append(OpenStackCloud(settings, clock=SystemClock()))
        return self._opened[-1]

    def objects_of(self, cloud: OpenStackCloud) -> ObjectStore:
        """Return a connection's object store, with small segments and pages."""
        return OpenStackObjects(
            cloud._wire,
            cloud._account,
            clock=SystemClock(),
            segment_bytes=SEGMENT_BYTES,
            page_size=2,
        )

    def arm(self, fault: Fault) -> bool:  # noqa: ARG002 - for others
        """Nothing can be asked of a cloud that works."""
        return False

    def revoke_token(self, cloud: Cloud) -> None:
        """Do it as its owner."""
        assert isinstance(cloud, OpenStackCloud)
        token = cloud._account.token()
        assert self._keystone("DELETE", "/auth/tokens", subject=token["X-Auth-Token"]).ok

    def _keystone(
        self, method: str, path: str, body: Entry | None = None, *, subject: str = ""
    ) -> Any:
        account = self.adapter._account
        headers = {**account.token(), **({"X-Subject-Token": subject} if subject else {})}
        url = str(account.session.get_endpoint(service_type="identity", interface="public"))
        base = url.rstrip("/").removesuffix("/v3")
        return account.session.request(
            f"{base}/v3{path}", method, authenticated=False, headers=headers, json=body
        )

    def until(self, look: Callable[[], T], what: str) -> T:
        """Look again and again."""
        return wait_for(look, DEADLINE_S, what, every_s=self.look_every_s)

    def calls(self) -> int:
        """Return the adapter's own count."""
        return self.adapter.api_calls

    def with_small_pages(self) -> Cloud | None:
        """Ask for two per page."""
        return self.open(page_size=2)

    def with_wrong_password(self) -> Cloud | None:
        """Write another clouds.yaml."""

        def change(entry: Entry) -> None:
            entry["auth"]["password"] = "surely wrong"

        return self.with_account(change)

    def with_account(self, change: Change) -> Cloud | None:
        """Write another clouds.yaml."""
        doc = yaml.safe_load(self._clouds_file.read_text())
        change(doc["clouds"][self._cloud_name])
        path = self._scratch / f"clouds-{len(self._opened)}.yaml"
        path.write_text(yaml.safe_dump(doc))
        return self.open(clouds_file=path)

    def fresh(self) -> tuple[Cloud, ImageStore]:
        """Open another connection."""
        cloud = self.open()
        return cloud, cloud.image_store()

    def credential(self) -> Entry | None:
        """Ask Keystone for one."""
        user = self.adapter._account.session.get_user_id()
        asked = {"name": f"contract-{len(self._opened)}-{time.time_ns()}"}
        path = f"/users/{user}/application_credentials"
        made = self._keystone("POST", path, {"application_credential": asked}).json()
        entry: Entry = made["application_credential"]
        return entry

    def revoke(self, credential: Entry) -> None:
        """Delete it."""
        user = self.adapter._account.session.get_user_id()
        self._keystone("DELETE", f"/users/{user}/application_credentials/{credential['id']}")

    def idle_port(self, server: ServerId) -> str | None:
        """Make a port as Nova would."""
        (network,) = self.adapter._networks.ids(self.networks[:1])
        port = {"network_id": network, "device_id": server, "device_owner": "compute:nova"}
        answer = self.adapter._wire.call(
            "network", "POST", ("ports",), effect=Effect.CREATE, body={"port": port}
        )
        return str(answer.doc["port"]["id"])

    def floating_room(self) -> FloatingRoom:
        """Return limit and use of floating IPs."""
        room = self.adapter.inspector().floating_room()
        assert room is not None
        return room

    @contextmanager
    def full(self, resource: str = "instances") -> Iterator[bool]:  # noqa: ARG002
        """Leave other people's quota alone."""
        yield False

    def close(self) -> None:
        """Close all connections."""
        for each in self._opened:
            each.close()
