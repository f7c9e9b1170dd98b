"""A running lab, for tests: its accounts, its faults, its operator, and a count of its calls."""

import json
import os
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import pytest
import yaml
from openstack.exceptions import SDKException

from remuda.secret import Secret
from tests.openstack.lab import running, seed
from tests.openstack.lab.install import missing
from tests.openstack.lab.layout import Layout
from tests.support.deadline import wait_for

T = TypeVar("T")

#: Set by ``make test-openstack``: without it a running lab is left alone.
VARIABLE: Final = "REMUDA_OPENSTACK"
_SETTLE_S: Final = 120.0
#: Identifiers in paths, so that calls can be counted by what they are.
#: Of a note on a call, see ``inside/gate.py``.
_METHOD, _PATH, _STATUS, _MS, _PORT, _AGENT, _FIELDS = 2, 3, 4, 5, 6, 7, 8
#: What of an account is shown to nobody.
_SECRET: Final = frozenset({"password", "application_credential_secret"})
_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{32}")


class Asked(NamedTuple):
    """A call that somebody made, its path without query, and how it was answered."""

    service: str
    method: str
    path: str
    status: str


def running_lab() -> "Lab":
    """Return the lab that was started for these tests, or skip them."""
    layout = Layout.here()
    if not os.environ.get(VARIABLE):
        pytest.skip("needs a real OpenStack: make test-openstack")
    if why := missing(layout):
        pytest.skip(why)
    if not running.is_up(layout):
        pytest.fail("the OpenStack lab does not run: make openstack-lab")
    return Lab(layout)


class Lab:
    """What tests may do to the lab.

    Attributes:
        ssh_port: Where its servers answer.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.ssh_port = layout.ssh_port()
        self._lock = threading.Lock()
        self._rules: list[dict[str, Any]] = []
        self._ids = 0
        #: As far as we know: whoever was here before may have left hosts closed.
        self._hosts_open = False

    @cached_property
    def admin(self) -> Any:
        """The operator's connection."""
        return seed.connect(self.layout, "lab-admin")

    def account(self, cloud: str) -> Any:
        """Return the SDK's connection to an account."""
        return seed.connect(self.layout, cloud)

    def entry(self, cloud: str) -> dict[str, Any]:
        """Return an account as clouds.yaml has it; what is secret in it hides when it is shown."""
        doc: dict[str, Any] = yaml.safe_load(self.layout.clouds_file.read_text())["clouds"][cloud]
        auth = {key: Secret(one) if key in _SECRET else one for key, one in doc["auth"].items()}
        return {**doc, "auth": auth}

    # What is to go wrong

    def rule(self, **rule: Any) -> str:
        """Add a rule (see ``inside/rules.py``) and return its id; hits of others start anew."""
        with self._lock:
            self._ids += 1
            made = f"{os.getpid()}-{time.time_ns()}-{self._ids}"
            self._rules = [*self._rules, {"id": made, **rule}]
            self._write()
        return made

    def drop(self, rule: str) -> None:
        """Take a rule away."""
        with self._lock:
            self._rules = [each for each in self._rules if each["id"] != rule]
            self._write()

    def heal(self) -> None:
        """Take all rules away and let the compute host take servers."""
        with self._lock:
            self._rules = []
            self.layout.faults.unlink(missing_ok=True)
        if self._hosts_open:
            return
        for host in self._hosts():
            if host.status != "enabled":
                self.admin.compute.enable_service(host)
        self._hosts_open = True

    def close_hosts(self) -> None:
        """Let no host take servers, as an operator would before maintenance."""
        self._hosts_open = False
        for host in self._hosts():
            self.admin.compute.disable_service(host)

    def hits(self, rule: str) -> int:
        """Return how often a rule has struck."""
        log = self.layout.state / "faults.log"
        lines = log.read_text().splitlines() if log.exists() else []
        return sum(line.split("\t")[0] == rule for line in lines)

    @contextmanager
    def quota(self, cloud: str, **limits: int) -> Iterator[None]:
        """Set a project's limits for a while."""
        project = self.account(cloud).current_project_id
        self._put_quota(project, limits)
        try:
            yield
        finally:
            self.admin.compute.delete(f"/os-quota-sets/{project}")

    @contextmanager
    def network_quota(self, cloud: str, **limits: int) -> Iterator[None]:
        """Set a project's limits in Neutron for a while."""
        project = self.account(cloud).current_project_id
        self.admin.network.update_quota(project, **limits)
        try:
            yield
        finally:
            self.admin.network.delete_quota(project)

    def _put_quota(self, project: str, limits: Mapping[str, int]) -> None:
        body = {"quota_set": {**limits, "force": True}}
        answer = self.admin.compute.put(f"/os-quota-sets/{project}", json=body)
        assert answer.ok, answer.text

    def _write(self) -> None:
        draft = self.layout.faults.with_suffix(".new")
        draft.write_text(json.dumps(self._rules))
        draft.rename(self.layout.faults)

    def _hosts(self) -> list[Any]:
        return list(self.admin.compute.services(binary="nova-compute"))

    # What is there

    def servers(self, cloud: str) -> list[Any]:
        """Return all servers of an account."""
        return list(self.account(cloud).compute.servers())

    def images(self, cloud: str) -> list[Any]:
        """Return all images that belong to an account's project, hidden ones too."""
        account = self.account(cloud)
        project = account.current_project_id
        some = (account.image.images(owner=project, is_hidden=hidden) for hidden in (False, True))
        return list({one.id: one for each in some for one in each}.values())

    def clear(self, cloud: str) -> None:
        """Delete everything in an account and wait until it is gone."""
        account = self.account(cloud)

        def empty() -> bool:
            left, images = list(account.compute.servers()), self.images(cloud)
            for each in left:
                if each.task_state != "deleting":
                    _ask(account.compute.delete_server, each.id)
            for each in () if left else images:
                _ask(account.image.delete_image, each.id)
            return not left and not images

        wait_for(slowly(empty), _SETTLE_S, f"{cloud} to be empty")
        for each in account.network.ips(project_id=account.current_project_id):
            account.network.delete_ip(each.id)

    # What was asked

    def mark(self) -> dict[str, int]:
        """Return a place in the notes on calls, for :meth:`calls`."""
        return {path.name: path.stat().st_size for path in self.layout.calls.glob("*.tsv")}

    def calls(self, since: Mapping[str, int], *, agent: str) -> Counter[str]:
        """Return how often what was called since a mark by clients that call themselves so."""
        return Counter(_name(service, call) for service, call in self._noted(since, agent))

    def asked(self, since: Mapping[str, int], *, agent: str) -> Iterator[Asked]:
        """Yield those calls, with their whole paths."""
        for service, call in self._noted(since, agent):
            path = call[_PATH].partition("?")[0]
            yield Asked(service, call[_METHOD], path, call[_STATUS])

    def connections(self, since: Mapping[str, int], *, agent: str) -> int:
        """Return over how many TCP connections those calls came."""
        return len({(service, call[_PORT]) for service, call in self._noted(since, agent)})

    def busy_s(self, since: Mapping[str, int], *, agent: str) -> float:
        """Return how long services were at work on those calls, in sum."""
        return sum(float(call[_MS]) / 1000 for _, call in self._noted(since, agent))

    def _noted(self, since: Mapping[str, int], agent: str) -> Iterator[tuple[str, list[str]]]:
        for path in sorted(self.layout.calls.glob("*.tsv")):
            with path.open() as notes:
                notes.seek(since.get(path.name, 0))
                for line in notes:
                    call = line.rstrip("\n").split("\t")
                    # The last line may be half written.
                    if len(call) == _FIELDS and call[_AGENT].startswith(agent):
                        yield path.stem, call

    @contextmanager
    def token_life(self, seconds: int) -> Iterator[None]:
        """Let new tokens live for so long, as the operator of Keystone may decide."""
        conf = self.layout.etc / "keystone.conf"
        usual = conf.read_text()
        conf.write_text(re.sub(r"(?m)^expiration = .*$", f"expiration = {seconds}", usual))
        try:
            self.restart("keystone")
            yield
        finally:
            conf.write_text(usual)
            self.restart("keystone")

    def restart(self, service: str) -> None:
        """Kill a service and start it again; nova's servers die with it."""
        running.restart(self.layout, service)

    def log(self, service: str) -> Path:
        """Return a service's log."""
        return self.layout.log / f"{service}.log"


def _name(service: str, call: list[str]) -> str:
    """Return a call without its identifiers: ``nova GET /v2.1/servers/ID``."""
    return f"{service} {call[_METHOD]} {_ID.sub('ID', call[_PATH].partition('?')[0])}"


def _ask(delete: Callable[[str], object], name: str) -> None:
    """Ask for a deletion; what is ended, or made, just now answers all sorts of things."""
    with suppress(SDKException):
        delete(name)


def slowly(look: Callable[[], T], pause_s: float = 0.5) -> Callable[[], T]:
    """Look at most twice a second: each look costs the lab a tenth of one."""
    pause = threading.Event()

    def patient() -> T:
        found = look()
        if not found:
            pause.wait(pause_s)
        return found

    return patient
