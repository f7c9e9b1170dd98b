"""Boots with bare calls of the SDK, as the lab's own bench does them: what a launcher is held to.

So many at a time, each: create, look at the server once a second until it is ACTIVE, log in.
"""

import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.openstack.lab.control import Lab

AT_ONCE: Final = 6
_LOOK_EVERY_S: Final = 1.0
_KEYPAIR: Final = "bench"


@dataclass(slots=True)
class Bare:
    """Boots and deletes in one account."""

    lab: Lab
    cloud: str
    key: Path
    _image: str = ""
    _flavor: str = ""
    _network: str = ""
    _local: threading.local = field(default_factory=threading.local)

    def __post_init__(self) -> None:
        """Look up, once, what a server is made of."""
        account = self.lab.account(self.cloud)
        self._image = account.image.find_image("debian-12").id
        self._flavor = account.compute.find_flavor("m1.small").id
        self._network = account.network.find_network("public").id
        if account.compute.find_keypair(_KEYPAIR):
            account.compute.delete_keypair(_KEYPAIR)
        public = self.key.with_suffix(".pub").read_text()
        account.compute.create_keypair(name=_KEYPAIR, public_key=public)

    def boot(self, count: int) -> tuple[float, float]:
        """Boot so many and delete them; return the seconds of both."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            begun_s = time.monotonic()
            made = list(pool.map(self._one, range(count)))
            booted_s = time.monotonic()
            list(pool.map(self._kill, made))
            return booted_s - begun_s, time.monotonic() - booted_s

    def _compute(self) -> Any:
        if not hasattr(self._local, "compute"):
            self._local.compute = self.lab.account(self.cloud).compute
        return self._local.compute

    def _one(self, number: int) -> str:
        compute = self._compute()
        server = compute.create_server(
            name=f"bench-{number}",
            image_id=self._image,
            flavor_id=self._flavor,
            networks=[{"uuid": self._network}],
            key_name=_KEYPAIR,
        )
        pause = threading.Event()
        while (server := compute.get_server(server.id)).status == "BUILD":
            pause.wait(_LOOK_EVERY_S)
        assert server.status == "ACTIVE", server.fault
        address = server.addresses["public"][0]["addr"]
        options = (
            *("-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null"),
            *("-oLogLevel=ERROR", "-oBatchMode=yes", f"-p{self.lab.ssh_port}"),
        )
        command = ["ssh", "-i", str(self.key), *options, f"root@{address}", "true"]
        subprocess.run(command, check=True, timeout=60)
        return str(server.id)

    def _kill(self, server: str) -> None:
        compute = self._compute()
        compute.delete_server(server)
        pause = threading.Event()
        while compute.find_server(server):
            pause.wait(_LOOK_EVERY_S)
