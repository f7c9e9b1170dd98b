"""A real OpenStack on the bench: the lab of docs/openstack-lab.md, with an operator of its own."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from remuda.cloud.api import Cloud
from remuda.cloud.image_store import ImageStore
from remuda.cloud.objects import ObjectStore
from remuda.cloud.wire import PIECE_BYTES
from tests.contract.cloud.account_bench import AccountBench
from tests.contract.cloud.bench import RETRY_AFTER_S, Fault
from tests.openstack.lab.control import Lab
from tests.openstack.lab.seed import DISKLESS, IMAGE

CLOUD: Final = "lab"
OTHER: Final = "lab-other"
_CREATE: Final = {"service": "nova", "method": "POST", "path": r"/servers[?]"}
_LIST: Final = {"service": "nova", "method": "GET", "path": "/servers/detail"}
_DELETE: Final = {"service": "nova", "method": "DELETE", "path": "/servers/"}
_THROTTLE: Final = {"headers": {"Retry-After": f"{RETRY_AFTER_S:g}"}}
#: Nova's own words, which :mod:`remuda.cloud.errors` must understand.
_QUOTA: Final = {
    "forbidden": {
        "code": 403,
        "message": "Quota exceeded for instances: Requested 1, but already used 50 of 50 instances",
    }
}
#: As Glance says it when its store refuses to let go of the data (glance/api/v2/images.py).
_IN_USE: Final = {
    "message": "Image 0 could not be deleted because it is in use: The image cannot be deleted"
    " because it is in use through the backend store outside of Glance.<br /><br />",
    "code": "409 Conflict",
    "title": "Conflict",
}
#: As Nova says it of an image that promises a guest agent (nova/exception.py).
_QUIESCE: Final = {
    "conflictingRequest": {
        "code": 409,
        "message": "Failed to quiesce instance: Guest agent is not responding",
    }
}
_SNAPSHOT: Final = {"service": "nova", "method": "POST", "path": "/action"}
_FILE: Final = {"service": "glance", "path": "/file"}
#: Objects, not containers.
_OBJECT: Final = {"service": "swift", "path": "/v1/[^/]+/[^/]+/."}
_TOKEN: Final = {"service": "keystone", "method": "POST", "path": "/auth/tokens"}
#: What our clients call themselves.
_AGENT: Final = "remuda "
_TOKEN_CALL: Final = "POST /v3/auth/tokens"
_RULES: Final[Mapping[Fault, Mapping[str, Any]]] = {
    Fault.CREATE_QUOTA: {**_CREATE, "status": 403, "body": _QUOTA},
    Fault.CREATE_LOST_REPLY: {**_CREATE, "drop": True, "late": True},
    Fault.CREATE_LOST_CALL: {**_CREATE, "drop": True},
    Fault.CREATE_THROTTLED: {**_CREATE, "status": 429, **_THROTTLE},
    Fault.CREATE_BROKEN: {**_CREATE, "status": 500},
    Fault.LIST_BROKEN: {**_LIST, "status": 500},
    Fault.LIST_DROPPED: {**_LIST, "drop": True},
    Fault.LIST_THROTTLED: {**_LIST, "status": 503, **_THROTTLE},
    Fault.BOOT_ERROR: {"boot": {"spawn": "fail"}},
    Fault.BOOT_HANGS: {"boot": {"spawn": "hang"}},
    Fault.DELETE_BROKEN: {**_DELETE, "status": 500},
    Fault.DELETE_FAILS: {"boot": {"delete": "fail"}},
    Fault.SERVER_DIES: {"boot": {"life": "1"}},
    Fault.SNAPSHOT_LOST_REPLY: {**_SNAPSHOT, "drop": True, "late": True},
    Fault.SNAPSHOT_LOST_CALL: {**_SNAPSHOT, "drop": True},
    Fault.SNAPSHOT_FAILS: {"boot": {"snapshot": "fail"}},
    Fault.SNAPSHOT_HANGS: {"boot": {"snapshot": "hang"}},
    Fault.SNAPSHOT_QUIESCE: {**_SNAPSHOT, "status": 409, "body": _QUIESCE},
    Fault.IMAGES_BROKEN: {"service": "glance", "method": "GET", "status": 500},
    Fault.IMAGE_IN_USE: {"service": "glance", "method": "DELETE", "status": 409, "body": _IN_USE},
    Fault.UPLOAD_LOST_REPLY: {**_FILE, "method": "PUT", "drop": True, "late": True},
    Fault.UPLOAD_LOST_CALL: {**_FILE, "method": "PUT", "drop": True},
    Fault.UPLOAD_GARBLED: {**_FILE, "method": "PUT", "garble": "request"},
    # After a whole piece of ours: what is broken off of the next one is not kept.
    Fault.DOWNLOAD_CUT: {**_FILE, "method": "GET", "cut": PIECE_BYTES + 100_000},
    Fault.DOWNLOAD_GARBLED: {**_FILE, "method": "GET", "garble": "answer"},
    Fault.OBJECT_LOST_REPLY: {**_OBJECT, "method": "PUT", "drop": True, "late": True},
    Fault.OBJECT_LOST_CALL: {**_OBJECT, "method": "PUT", "drop": True},
    Fault.OBJECT_GARBLED: {**_OBJECT, "method": "PUT", "garble": "request"},
    Fault.OBJECT_QUOTA: {**_OBJECT, "method": "PUT", "status": 413, "body": {}},
    Fault.OBJECT_FULL: {**_OBJECT, "method": "PUT", "status": 507, "body": {}},
    Fault.OBJECT_BROKEN: {**_OBJECT, "method": "HEAD", "status": 503},
    Fault.OBJECT_CUT: {**_OBJECT, "method": "GET", "cut": 50_000},
    Fault.OBJECT_SPOILT: {**_OBJECT, "method": "GET", "garble": "answer"},
}
#: A build is tried on another host; the lab has one, so the second attempt must fail as well.
_TIMES: Final[Mapping[Fault, int]] = {Fault.BOOT_ERROR: 2}


class OpenStackBench(AccountBench):
    """Faults by the lab's rules; what its operator can do is done by its operator."""

    # Short against the seconds that a boot takes. With each look Nova asks Neutron several times.
    look_every_s = 0.3

    def __init__(self, lab: Lab, scratch: Path) -> None:
        self._lab = lab
        lab.heal()
        super().__init__(
            lab.layout.clouds_file, CLOUD, networks=("public",), inside="private", scratch=scratch
        )
        self.image_name = IMAGE
        self.diskless = DISKLESS
        self._mark = lab.mark()
        self._other = self.open(OTHER)

    def arm(self, fault: Fault) -> bool:
        """Write a rule that strikes once, or do the real thing."""
        if fault is Fault.BOOT_NO_HOST:
            self._lab.close_hosts()
            return True
        if fault not in _RULES:
            return super().arm(fault)
        self._lab.rule(**_RULES[fault], times=_TIMES.get(fault, 1))
        return True

    def neighbour(self) -> tuple[Cloud, ImageStore] | None:
        """Return the project of another user."""
        return self._other, self._other.image_store()

    def other_objects(self) -> ObjectStore | None:
        """Return that of another user's project."""
        return self.objects_of(self._other)

    def tokens(self) -> int | None:
        """Count in the notes on Keystone's calls."""
        noted = self._lab.calls(self._mark, agent=_AGENT)
        return sum(times for call, times in noted.items() if call.endswith(_TOKEN_CALL))

    @contextmanager
    def token_life(self, seconds: int) -> Iterator[None]:
        """Let the operator of Keystone decide so."""
        with self._lab.token_life(seconds):
            yield

    @contextmanager
    def skew(self, seconds: float) -> Iterator[None]:
        """Let Keystone tell times as it would if its clock were wrong."""
        rule = self._lab.rule(**_TOKEN, shift=seconds)
        try:
            yield
        finally:
            self._lab.drop(rule)

    def delete_all(self) -> None:
        """Heal, then delete."""
        self._lab.heal()
        super().delete_all()

    @contextmanager
    def full(self, resource: str = "instances") -> Iterator[bool]:
        """Let the operator allow no more than there is in use."""
        if resource == "floatingips":
            with self._lab.network_quota(CLOUD, floating_ips=self.floating_room().used):
                yield True
            return
        if resource == "images":  # the lab's Glance has no limits from Keystone
            yield False
            return
        now = self.cloud.quota()
        used = {
            "instances": now.instances_used,
            "cores": now.cores_used,
            "ram": now.ram_mib_used,
        }
        with self._lab.quota(CLOUD, **{resource: used[resource]}):
            yield True
