"""Any OpenStack account on the bench; what it can be asked to let go wrong is up to others."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import yaml

from remuda.cloud.account import AccountSettings
from remuda.cloud.api import Cloud, ImageWanted
from remuda.cloud.openstack import CloudSettings, OpenStackCloud
from remuda.runtime.clock import SystemClock
from tests.contract.cloud.bench import OWNER, Bench, Fault
from tests.support.deadline import wait_for

T = TypeVar("T")

#: A real control plane on two busy cores takes its time.
DEADLINE_S = 90.0


class AccountBench(Bench):
    """An account named in a clouds.yaml; servers of :data:`OWNER` in it are deleted."""

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
        self.networks = networks
        self.inside = inside
        self.image_name = self.cloud.find_image(ImageWanted(pattern=".*")).name

    def open(
        self, *, page_size: int | None = None, clouds_file: Path | None = None
    ) -> OpenStackCloud:
        """Open another connection, with a token of its own."""
        account = AccountSettings(
            cloud=self._cloud_name, clouds_file=str(clouds_file or self._clouds_file)
        )
        settings = CloudSettings(
            account=account, owner=OWNER, rate_per_s=100.0, page_size=page_size
        )
        self._opened.append(OpenStackCloud(settings, clock=SystemClock()))
        return self._opened[-1]

    def arm(self, fault: Fault) -> bool:
        """Revoke our own token; nothing else can be asked of a cloud that works."""
        if fault is not Fault.TOKEN_REVOKED:
            return False
        account = self.adapter._account
        token = account.token()
        url = str(account.session.get_endpoint(service_type="identity", interface="public"))
        base = url.rstrip("/").removesuffix("/v3")
        headers = {**token, "X-Subject-Token": token["X-Auth-Token"]}
        answer = account.session.request(
            f"{base}/v3/auth/tokens", "DELETE", authenticated=False, headers=headers
        )
        return bool(answer.ok)

    def until(self, look: Callable[[], T], what: str) -> T:
        """Look again and again."""
        return wait_for(look, DEADLINE_S, what)

    def calls(self) -> int:
        """Return the adapter's own count."""
        return self.adapter.api_calls

    def with_small_pages(self) -> Cloud | None:
        """Ask for two per page."""
        return self.open(page_size=2)

    def with_wrong_password(self) -> Cloud | None:
        """Write another clouds.yaml."""
        doc = yaml.safe_load(self._clouds_file.read_text())
        doc["clouds"][self._cloud_name]["auth"]["password"] = "surely wrong"
        path = self._scratch / "wrong.yaml"
        path.write_text(yaml.safe_dump(doc))
        return self.open(clouds_file=path)

    @contextmanager
    def full(self) -> Iterator[bool]:
        """Leave other people's quota alone."""
        yield False

    def close(self) -> None:
        """Close all connections."""
        for each in self._opened:
            each.close()
