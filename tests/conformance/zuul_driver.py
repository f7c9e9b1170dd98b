"""Zuul's own client classes behind a pipe; run by the Python of ``build/zuul-venv``.

One JSON object per line in (``{"do": name, ...arguments}``), one per line out (``{"ok": result}``
or ``{"error": text}``). Nothing of ours is imported here, and nothing of Zuul's anywhere else.
"""

import json
import logging
import sys
import threading
import time
import traceback
import uuid
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from zuul import model
from zuul.nodepool import Nodepool
from zuul.zk import ZooKeeperClient

#: What Zuul reads of a node.
KEYS = (
    *("id", "state", "label", "provider", "cloud", "az", "region", "host_id", "external_id"),
    *("interface_ip", "public_ipv4", "private_ipv4", "public_ipv6", "connection_type"),
    *("connection_port", "username", "host_keys", "python_path", "shell_type", "resources"),
    *("attributes", "tenant_name", "requestor", "allocated_to", "hold_expiration"),
)


class Job:
    """As much of a job as a node request needs."""

    def __init__(self, nodeset: Any) -> None:
        self.uuid = uuid.uuid4().hex
        self.name = "unit"
        self.nodeset = nodeset


class Event:
    """As much of a trigger event as a node request needs."""

    def __init__(self) -> None:
        self.zuul_event_id = uuid.uuid4().hex


class Build:
    """As much of a build as a hold needs."""

    def __init__(self) -> None:
        self.uuid = uuid.uuid4().hex


class WatchedNodepool(Nodepool):
    """Zuul's class, which also tells us what its elected scheduler announced."""

    def __init__(self, *args: Any, **more: Any) -> None:
        self.announced = []
        self.changed = threading.Condition()
        super().__init__(*args, **more)

    def _sendNodesProvisionedEvent(self, request: Any) -> None:  # noqa: N802 - Zuul's name
        super()._sendNodesProvisionedEvent(request)
        with self.changed:
            self.announced.append([request.id, request.state])
            self.changed.notify_all()


class Counting(logging.Handler):
    """Counts what Zuul complains of."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.seen = []

    def emit(self, record: logging.LogRecord) -> None:
        """Remember one complaint."""
        if len(self.seen) < 1000:
            self.seen.append(self.format(record)[-600:])


def node_doc(node: Any) -> dict[str, Any]:
    """Return what Ansible and the executor would see of a node."""
    return {key: getattr(node, key, "(absent)") for key in KEYS}


class Driver:
    """Zuul's scheduler and executor in one."""

    def __init__(self) -> None:
        self.errors = Counting()
        logging.getLogger().addHandler(self.errors)
        trace.set_tracer_provider(TracerProvider())
        self.requests = {}
        self.nodesets = {}
        self.holds = {}

    def connect(
        self, *, hosts: str, session_s: float = 4.0, scheduler: bool = True, system: str = "sys1"
    ) -> bool:
        """Connect as a scheduler (with its caches and its election), or as an executor."""
        self.client = ZooKeeperClient(hosts, timeout=session_s)
        self.client.connect()
        self.nodepool = WatchedNodepool(self.client, system, None, scheduler=scheduler)
        self.scheduler = scheduler
        if scheduler:
            deadline = time.monotonic() + 20
            while not self.nodepool.election_won:
                if time.monotonic() > deadline:
                    raise TimeoutError("the election was not won")
                threading.Event().wait(0.02)
        return True

    def request(
        self,
        labels: list[str],
        priority: int = 200,
        relative_priority: int = 0,
        provider: str | None = None,
        tenant: str = "t1",
    ) -> dict[str, Any]:
        """Submit a request as the scheduler does."""
        nodeset = model.NodeSet()
        for number, label in enumerate(labels):
            nodeset.addNode(model.Node([f"node{number}"], label))
        request = self.nodepool.requestNodes(
            uuid.uuid4().hex,
            Job(nodeset),
            tenant,
            "check",
            provider,
            priority,
            relative_priority,
            Event(),
        )
        self.requests[request.id] = request
        self.nodesets[request.id] = nodeset
        return {"id": request.id, "span_info": request.span_info}

    def wait(self, request: str, deadline_s: float = 30.0) -> dict[str, Any]:
        """Wait until the elected scheduler announces the end of the request."""
        with self.nodepool.changed:
            done = self.nodepool.changed.wait_for(lambda: self.ends(request), deadline_s)
        if not done:
            raise TimeoutError(f"{request} was not announced")
        found = self.nodepool.zk_nodepool.getNodeRequest(request)
        states = self.ends(request)
        return {"state": states[0], "nodes": found.nodes, "announced": len(states)}

    def ends(self, request: str) -> list[str]:
        """Return the states in which the request's end was announced, once each time."""
        return [state for name, state in self.nodepool.announced if name == request]

    def nodeset_info(self, request: str) -> dict[str, Any]:
        """Return what the scheduler looks up to choose an executor."""
        found = self.nodepool.zk_nodepool.getNodeRequest(request)
        return self.nodepool.getNodesetInfo(found, self.nodesets[request]).toDict()

    def adopt(self, request: str, labels: list[str]) -> None:
        """Take up a request that another process of Zuul made, as an executor does."""
        nodeset = model.NodeSet()
        for number, label in enumerate(labels):
            nodeset.addNode(model.Node([f"node{number}"], label))
        self.nodesets[request] = nodeset

    def accept(self, request: str) -> list[dict[str, Any]]:
        """Lock the nodes and delete the request, as the executor does."""
        found = self.nodepool.zk_nodepool.getNodeRequest(request)
        nodeset = self.nodesets[request].copy()
        self.nodepool.acceptNodes(found, nodeset)
        self.nodesets[request] = nodeset
        return [node_doc(node) for node in nodeset.getNodes()]

    def use(self, request: str, project: str = "example.org/p", tenant: str = "t1") -> None:
        """Mark the nodes in use."""
        self.nodepool.useNodeSet(self.nodesets[request], tenant, project)

    def give_back(self, request: str, project: str = "example.org/p", tenant: str = "t1") -> None:
        """End the job: used, unlocked."""
        nodeset = self.nodesets[request]
        self.nodepool.returnNodeSet(nodeset, Build(), tenant, project, 1.0)

    def hold(self, request: str, expiration: int | None = None) -> str:
        """Autohold: end a failed job with its nodes held."""
        hold = model.HoldRequest()
        hold.tenant, hold.project, hold.job, hold.ref_filter = "t1", "example.org/p", "unit", ".*"
        hold.reason, hold.node_expiration = "debug me", expiration
        self.nodepool.zk_nodepool.storeHoldRequest(hold)
        nodeset = self.nodesets[request]
        self.nodepool.holdNodeSet(nodeset, hold, Build(), 1.0)
        self.nodepool.unlockNodeSet(nodeset)
        self.holds[hold.id] = hold
        return hold.id

    def delete_hold(self, hold: str) -> bool:
        """Delete an autohold: its nodes become used."""
        zk_nodepool = self.nodepool.zk_nodepool
        zk_nodepool.deleteHoldRequest(zk_nodepool.getHoldRequest(hold), None)
        return zk_nodepool.getHoldRequest(hold) is None

    def cancel(self, request: str) -> None:
        """Delete the request, in whatever state."""
        self.nodepool.cancelRequest(self.requests[request])

    def revise(self, request: str, relative_priority: int) -> bool:
        """Change the relative priority, as the scheduler does when the queue moves."""
        cached = self.nodepool.zk_nodepool.getNodeRequest(request, cached=self.scheduler)
        answer = self.nodepool.reviseRequest(cached, relative_priority)
        return answer is not False

    def labels(self) -> list[str]:
        """Return the labels that the web page would list."""
        launchers = self.nodepool.zk_nodepool.getRegisteredLaunchers()
        return sorted({label for one in launchers for label in one.supported_labels})

    def complaints(self) -> list[str]:
        """Return what Zuul has logged as errors, and forget it."""
        seen, self.errors.seen = self.errors.seen, []
        return seen

    def cached(self) -> dict[str, Any]:
        """Return the caches of the scheduler: requests and nodes with their states."""
        zk_nodepool = self.nodepool.zk_nodepool
        return {
            "requests": {key: one.state for key, one in zk_nodepool._node_request_cache.items()},
            "nodes": {key: one.state for key, one in zk_nodepool._node_cache.items()},
        }


def main() -> None:
    """Answer until the pipe is closed."""
    driver = Driver()
    for line in sys.stdin:
        call = json.loads(line)
        try:
            answer = {"ok": getattr(driver, call.pop("do"))(**call)}
        except Exception:  # noqa: BLE001 - the other side is told
            answer = {"error": traceback.format_exc()}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
