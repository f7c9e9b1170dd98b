"""A real OpenStack on the bench: the lab of docs/openstack-lab.md, with an operator of its own."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.contract.cloud.account_bench import AccountBench
from tests.contract.cloud.bench import RETRY_AFTER_S, Fault
from tests.openstack.lab.control import Lab
from tests.openstack.lab.seed import IMAGE

CLOUD: Final = "lab"
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
}
#: A build is tried on another host; the lab has one, so the second attempt must fail as well.
_TIMES: Final[Mapping[Fault, int]] = {Fault.BOOT_ERROR: 2}


class OpenStackBench(AccountBench):
    """Faults by the lab's rules; what its operator can do is done by its operator."""

    def __init__(self, lab: Lab, scratch: Path) -> None:
        self._lab = lab
        lab.heal()
        super().__init__(
            lab.layout.clouds_file, CLOUD, networks=("public",), inside="private", scratch=scratch
        )
        self.image_name = IMAGE

    def arm(self, fault: Fault) -> bool:
        """Write a rule that strikes once, or do the real thing."""
        if fault is Fault.BOOT_NO_HOST:
            self._lab.close_hosts()
            return True
        if fault not in _RULES:
            return super().arm(fault)
        self._lab.rule(**_RULES[fault], times=_TIMES.get(fault, 1))
        return True

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
        now = self.cloud.quota()
        used = {
            "instances": now.instances_used,
            "cores": now.cores_used,
            "ram": now.ram_mib_used,
        }
        with self._lab.quota(CLOUD, **{resource: used[resource]}):
            yield True
