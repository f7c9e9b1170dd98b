"""The wire behaviour of the Jenkins plugin nodepool-agents 0.0.22, written from observation.

It is the pickiest client of the format: it checks types, drops every key that it does not know,
has a lock recipe of its own, and writes without locks and without versions.
"""

import json
import re
import threading
import time
import uuid
from types import TracebackType
from typing import Any, Final, Self

from kazoo.client import KazooClient
from kazoo.protocol.states import WatchedEvent

from tests.support.stage import SERVED_S

#: All that the plugin's node model knows, with the type it insists on.
NODE_KEYS: Final[dict[str, type | tuple[type, ...]]] = {
    "allocated_to": str,
    "az": str,
    "build_id": str,
    "cloud": str,
    "comment": str,
    "connection_port": int,
    "connection_type": str,
    "created_time": (int, float),
    "external_id": str,
    "hold_expiration": int,
    "hold_job": str,
    "host_keys": list,
    "hostname": str,
    "image_id": str,
    "interface_ip": str,
    "launcher": str,
    "pool": str,
    "private_ipv4": str,
    "provider": str,
    "public_ipv4": str,
    "public_ipv6": str,
    "region": str,
    "ssh_port": int,
    "state": str,
    "state_time": (int, float),
    "type": list,
    "username": str,
}
_LOCK_WAIT_S: Final = 60.0
_DIGITS: Final = re.compile(r"_(\d+)$")


class PluginError(AssertionError):
    """What would be a Java exception in the plugin."""


def check_node(doc: dict[str, Any]) -> dict[str, Any]:
    """Read a node as the plugin's model does: its keys only, each of its type, nulls left out.

    Raises:
        PluginError: If a value has another type, or one is missing that the plugin needs.
    """
    kept = {key: doc[key] for key in NODE_KEYS if doc.get(key) is not None}
    for key, value in kept.items():
        if not isinstance(value, NODE_KEYS[key]) or isinstance(value, bool):
            raise PluginError(f"{key}: {value!r} is not {NODE_KEYS[key]}")
    if "interface_ip" not in kept:
        raise PluginError("no interface_ip")
    if doc.get("host_keys") is None:
        raise PluginError("host_keys is null")
    return kept


class Lock:
    """The plugin's own lock: not kazoo's, not Curator's, but on the same znodes."""

    def __init__(self, zk: KazooClient, directory: str, owner: str) -> None:
        self._zk = zk
        self._directory = directory
        self._owner = owner.encode()
        self._path = ""

    def acquire(self) -> None:
        """Queue up, look once who is there, and wait for each who came before.

        Raises:
            PluginError: If a child's name does not end in an underscore and digits.
        """
        if self._zk.exists(self._directory) is None:
            self._zk.create(self._directory, self._owner, makepath=True)
        stem = f"{self._directory}/{uuid.uuid4()}__lock__"
        self._path = self._zk.create(stem, self._owner, ephemeral=True, sequence=True)
        mine = _number(self._path)
        for name in self._zk.get_children(self._directory):
            if _number(name) < mine:
                self._wait_gone(f"{self._directory}/{name}")

    def _wait_gone(self, path: str) -> None:
        gone = threading.Event()

        def changed(_event: WatchedEvent) -> None:
            gone.set()

        if self._zk.exists(path, watch=changed) and not gone.wait(_LOCK_WAIT_S):
            raise PluginError(f"{path} is still there")

    def release(self) -> None:
        """Leave."""
        self._zk.delete(self._path)


def _number(name: str) -> int:
    found = _DIGITS.search(name)
    if found is None:
        raise PluginError(f"cannot parse the lock's child {name}")
    return int(found[1])


class Jenkins:
    """One Jenkins with the plugin."""

    def __init__(self, hosts: str, *, session_s: float = 20.0) -> None:
        self.zk = KazooClient(hosts=hosts, timeout=session_s)
        self.zk.start(timeout=60.0)
        self._locks: dict[str, Lock] = {}

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Shut down: all its locks and requests go with its session."""
        self.zk.stop()
        self.zk.close()

    def request(self, label: str, build: str = "folder/job#12") -> str:
        """Submit a request: ephemeral, of one label, and without most of what Zuul needs."""
        doc = {
            "node_types": [label],
            "declined_by": [],
            "state_time": time.time(),
            "reuse": True,
            "requestor": "jenkins",
            "state": "requested",
            "nodes": [],
            "jenkins_label": f"nodepool-{label}",
            "build_id": build,
        }
        path = "/nodepool/requests/500-"
        raw = json.dumps(doc).encode()
        made = self.zk.create(path, raw, ephemeral=True, sequence=True, makepath=True)
        return str(made.rpartition("/")[2])

    def wait(self, request: str, deadline_s: float = SERVED_S) -> dict[str, Any]:
        """Wait for a final state with an exists-watch that is armed anew at each event."""
        path = f"/nodepool/requests/{request}"
        end_s = time.monotonic() + deadline_s
        while True:
            changed = threading.Event()
            self.zk.exists(path, watch=lambda _event, changed=changed: changed.set())
            doc: dict[str, Any] = json.loads(self.zk.get(path)[0])
            if doc["state"] in ("fulfilled", "failed", "aborted"):
                return doc
            if not changed.wait(max(0.0, end_s - time.monotonic())):
                raise PluginError(f"{request} is still {doc['state']}")

    def accept(self, request: str) -> str:
        """Write the node (unlocked!), lock it, mark it in use, delete the request."""
        doc = self.wait(request)
        (node,) = doc["nodes"]
        self.rewrite(node, build_id=doc["build_id"])
        self._locks[node] = Lock(self.zk, f"/nodepool/nodes/{node}/lock", doc["build_id"])
        self._locks[node].acquire()
        self.rewrite(node, state="in-use")
        self.zk.delete(f"/nodepool/requests/{request}", recursive=True)
        return str(node)

    def read(self, node: str) -> dict[str, Any]:
        """Return the node as its model sees it."""
        return check_node(json.loads(self.zk.get(f"/nodepool/nodes/{node}")[0]))

    def rewrite(self, node: str, **changes: Any) -> None:
        """Write the node from the model: unknown keys and nulls are gone, no version is named.

        Gson writes what it read as a double in its own way; state_time is never renewed.
        """
        doc = {**self.read(node), **changes}
        self.zk.set(f"/nodepool/nodes/{node}", json.dumps(doc).encode())

    def hold(self, node: str, seconds: float) -> None:
        """Keep the node: the expiry is a point in time, in milliseconds."""
        until_ms = int((time.time() + seconds) * 1000)
        self.rewrite(
            node,
            state="hold",
            hold_job="folder/job#12",
            comment="Jenkins hold",
            hold_expiration=until_ms,
        )
        self._locks.pop(node).release()

    def release(self, node: str) -> None:
        """End of the build: used, then unlocked."""
        self.rewrite(node, state="used")
        self._locks.pop(node).release()

    def unlock(self, node: str) -> None:
        """Leave the node as it is."""
        self._locks.pop(node).release()

    def janitor(self, node: str) -> None:
        """Write used without any lock, for the build is over."""
        self.rewrite(node, state="used")
