"""The sandbox on the bench: a process of its own, asked for faults over its control endpoint."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import yaml

from remuda.cloud.api import Cloud
from remuda.cloud.image_store import ImageStore
from remuda.cloud.objects import ObjectStore
from tests.contract.cloud.account_bench import AccountBench
from tests.contract.cloud.bench import RETRY_AFTER_S, Fault
from tests.support.control import ask_control
from tests.support.deadline import wait_for

_START_S: Final = 60.0

#: No machines: this suite is about the API, and thousands of servers cost nothing.
_CONFIG: Final[Mapping[str, Any]] = {
    "machines": "none",
    "boot_seconds": 0.2,
    "delete_seconds": 0.1,
    "users": [
        {"name": "demo", "password": "lab", "projects": ["demo"]},
        {"name": "other", "password": "lab", "projects": ["other"]},
    ],
    "availability_zones": ["az1", "az2"],
    "networks": [
        {"name": "public"},
        {"name": "private"},
        {"name": "external", "external": True},
    ],
    "flavors": [
        {"name": "m1.tiny", "id": "1", "vcpus": 1, "ram": 512, "disk": 1},
        {"name": "m1.small", "id": "2", "vcpus": 1, "ram": 2048, "disk": 20},
        {"name": "m1.large", "id": "4", "vcpus": 4, "ram": 8192, "disk": 80},
        {"name": "m1.diskless", "id": "5", "vcpus": 1, "ram": 512, "disk": 0},
    ],
    "images": [
        {"name": "debian-12", "properties": {"os_distro": "debian", "generation": "old"},
         "created_at": "2026-01-01T00:00:00Z"},
        {"name": "debian-13", "properties": {"os_distro": "debian"},
         "created_at": "2026-02-01T00:00:00Z"},
        {"name": "ubuntu-24.04", "properties": {"os_distro": "ubuntu"}},
    ],
}  # fmt: skip


def _http(status: int, **more: object) -> dict[str, object]:
    return {"kind": "http", "status": status, **more}


_THROTTLE: Final = {"retry_after": RETRY_AFTER_S}
_RULES: Final[Mapping[Fault, tuple[str, Mapping[str, object]]]] = {
    Fault.CREATE_QUOTA: ("server.create", {"kind": "quota"}),
    Fault.CREATE_LOST_REPLY: ("server.create", {"kind": "lose_reply"}),
    Fault.CREATE_LOST_CALL: ("server.create", {"kind": "drop"}),
    Fault.CREATE_THROTTLED: ("server.create", _http(429, **_THROTTLE)),
    Fault.CREATE_BROKEN: ("server.create", _http(500)),
    Fault.LIST_BROKEN: ("server.list", _http(500)),
    Fault.LIST_DROPPED: ("server.list", {"kind": "drop"}),
    Fault.LIST_THROTTLED: ("server.list", _http(503, **_THROTTLE)),
    Fault.BOOT_ERROR: ("server.boot", {"kind": "boot_error", "text": "Build of instance aborted"}),
    Fault.BOOT_NO_HOST: ("server.boot", {"kind": "boot_error"}),
    Fault.BOOT_HANGS: ("server.boot", {"kind": "boot_hang"}),
    Fault.DELETE_BROKEN: ("server.delete", _http(500)),
    Fault.DELETE_FAILS: ("server.delete", {"kind": "delete_error"}),
    Fault.SERVER_DIES: ("server.boot", {"kind": "dies", "seconds": 0.2}),
    Fault.SNAPSHOT_LOST_REPLY: ("server.action", {"kind": "lose_reply"}),
    Fault.SNAPSHOT_LOST_CALL: ("server.action", {"kind": "drop"}),
    Fault.SNAPSHOT_FAILS: ("server.snapshot", {"kind": "snapshot_error"}),
    Fault.SNAPSHOT_HANGS: ("server.snapshot", {"kind": "snapshot_hang"}),
    Fault.SNAPSHOT_QUIESCE: ("server.snapshot", {"kind": "snapshot_quiesce"}),
    Fault.SNAPSHOT_VANISHES: ("server.snapshot", {"kind": "snapshot_vanish"}),
    Fault.SNAPSHOT_UNHASHED: ("server.snapshot", {"kind": "snapshot_unhashed"}),
    Fault.IMAGES_BROKEN: ("image.list", _http(500)),
    Fault.IMAGE_IN_USE: ("image.delete", _http(409, text="could not be deleted: it is in use")),
    Fault.UPLOAD_LOST_REPLY: ("image.upload", {"kind": "lose_reply"}),
    Fault.UPLOAD_LOST_CALL: ("image.upload", {"kind": "drop"}),
    Fault.UPLOAD_GARBLED: ("image.upload", {"kind": "garble"}),
    Fault.DOWNLOAD_CUT: ("image.download", {"kind": "cut"}),
    Fault.DOWNLOAD_GARBLED: ("image.download", {"kind": "garble"}),
    Fault.OBJECT_LOST_REPLY: ("object.put", {"kind": "lose_reply"}),
    Fault.OBJECT_LOST_CALL: ("object.put", {"kind": "drop"}),
    Fault.OBJECT_GARBLED: ("object.put", {"kind": "garble"}),
    Fault.OBJECT_QUOTA: ("object.put", _http(413, text="Upload exceeds quota.")),
    Fault.OBJECT_FULL: ("object.put", _http(507)),
    Fault.OBJECT_BROKEN: ("object.show", _http(503)),
    Fault.OBJECT_CUT: ("object.get", {"kind": "cut"}),
    Fault.OBJECT_SPOILT: ("object.get", {"kind": "garble"}),
}


class SandboxBench(AccountBench):
    """Starts the sandbox and ends it by its process id."""

    def __init__(self, scratch: Path) -> None:
        config = scratch / "sandbox.yaml"
        config.write_text(yaml.safe_dump(dict(_CONFIG)))
        clouds_file = scratch / "clouds.yaml"
        self._log = (scratch / "sandbox.log").open("wb")
        options = ["--port", "0", "--config", str(config), "--clouds-yaml", str(clouds_file)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "sandbox", *options],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        )
        try:
            wait_for(lambda: clouds_file.exists() or self._ended(), _START_S, "the sandbox")
            super().__init__(
                clouds_file, "sandbox", networks=("public",), inside="private", scratch=scratch
            )
        except BaseException:
            self._end()
            raise
        entry = yaml.safe_load(clouds_file.read_text())["clouds"]["sandbox"]
        self._control: Mapping[str, str] = entry["sandbox_control"]
        self.image_name = "debian-12"
        self.diskless = "m1.diskless"
        self._other = self.open("sandbox-other")

    def neighbour(self) -> tuple[Cloud, ImageStore] | None:
        """Return the project of another user."""
        return self._other, self._other.image_store()

    def other_objects(self) -> ObjectStore | None:
        """Return that of another user's project."""
        return self.objects_of(self._other)

    def tokens(self) -> int | None:
        """Ask the control endpoint."""
        counts = self._ask("GET", "/calls")["calls"]["identity"]
        return int(counts.get("token", {}).get("calls", 0))

    @contextmanager
    def token_life(self, seconds: int) -> Iterator[None]:
        """Change the setting."""
        usual = self._ask("GET", "/tokens")
        self._ask("PUT", "/tokens", {"lifetime": seconds})
        try:
            yield
        finally:
            self._ask("PUT", "/tokens", usual)

    @contextmanager
    def skew(self, seconds: float) -> Iterator[None]:
        """Turn its clock."""
        self._ask("PUT", "/clock", {"offset": seconds})
        try:
            yield
        finally:
            self._ask("PUT", "/clock", {"offset": 0})

    def arm(self, fault: Fault) -> bool:
        """Post a rule that fires once."""
        operation, effect = _RULES[fault]
        self._ask(
            "PUT", "/faults", [{"match": {"operation": operation}, "effect": effect, "count": 1}]
        )
        return True

    @contextmanager
    def full(self, resource: str = "instances") -> Iterator[bool]:
        """Allow no more than there is in use."""
        if resource == "floatingips":
            room = self.floating_room()
            self._ask("PUT", "/quota", {"floatingip": room.used})
            try:
                yield True
            finally:
                self._ask("PUT", "/quota", {"floatingip": room.limit})
            return
        if resource == "images":
            usage = self.images.usage()
            assert usage is not None
            self._ask("PUT", "/quota", {"images": usage.images_used})
            try:
                yield True
            finally:
                self._ask("PUT", "/quota", {"images": usage.images_max})
            return
        now = self.cloud.quota()
        used = {
            "instances": now.instances_used,
            "cores": now.cores_used,
            "ram": now.ram_mib_used,
        }
        self._ask("PUT", "/quota", {resource: used[resource]})
        try:
            yield True
        finally:
            limits = (now.instances_max, now.cores_max, now.ram_mib_max)
            self._ask("PUT", "/quota", dict(zip(used, limits, strict=True)))

    def close(self) -> None:
        """Close the connections and end the process."""
        super().close()
        self._end()

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        return ask_control(self._control, method, path, body)

    def _ended(self) -> bool:
        if self._process.poll() is None:
            return False
        text = Path(self._log.name).read_text(errors="replace")[-2000:]
        raise AssertionError(f"the sandbox ended with {self._process.returncode}: {text}")

    def _end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10.0)
        self._log.close()
