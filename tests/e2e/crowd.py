"""A crowd of clients, and a watcher who looks all the time whether the invariants hold."""

import random
import threading
import time
from collections import defaultdict
from typing import Any, Final

from remuda.store import paths
from requestor import RequestFailedError, connect
from tests.support.stage import Stage

#: A request that waits for so long must have an explanation.
EXPLAINED_AFTER_S: Final = 5.0


class Watcher(threading.Thread):
    """Notes the most servers that each cloud ever had, and requests that wait unexplained."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(name="watcher", daemon=True)
        self.stage = stage
        self.peaks: dict[str, int] = defaultdict(int)
        self.unexplained: set[str] = set()
        self.looks = 0
        self._over = threading.Event()
        self._since_s: dict[str, float] = {}

    def run(self) -> None:
        """Look until told to stop."""
        while not self._over.wait(0.05):
            for name, cloud in self.stage.clouds.items():
                self.peaks[name] = max(self.peaks[name], cloud.servers())
            self._look_at_requests()
            self.looks += 1

    def _look_at_requests(self) -> None:
        now_s = time.monotonic()
        for name, doc in self.stage.records(paths.REQUESTS).items():
            if doc["state"] not in ("requested", "pending"):
                continue
            since_s = self._since_s.setdefault(name, now_s)
            if now_s - since_s < EXPLAINED_AFTER_S:
                continue
            if not any(self.stage.verdict(one, name) for one in self.stage.config["providers"]):
                self.unexplained.add(name)

    def stop(self) -> None:
        """Stop looking."""
        self._over.set()
        self.join(30.0)


class User(threading.Thread):
    """Asks for machines again and again over a session of its own, and uses them for a moment."""

    def __init__(self, stage: Stage, seed: int, label: str, *, jobs: int, until_s: float) -> None:
        super().__init__(name=f"user {seed}", daemon=True)
        self.stage = stage
        self.random = random.Random(seed)  # noqa: S311 - repeatable
        self.label = label
        self.jobs = jobs
        self.until_s = until_s
        self.taken: list[str] = []
        self.trouble: list[str] = []
        self.done = 0

    def run(self) -> None:
        """Do all jobs, or as many as there is time for."""
        with connect(self.stage.server.hosts) as client:
            for _ in range(self.jobs):
                if time.monotonic() > self.until_s:
                    return
                try:
                    self._job(client)
                except RequestFailedError as exc:
                    self.trouble.append(str(exc))

    def _job(self, client: Any) -> None:
        pending = client.request({self.label: self.random.randint(1, 2)})
        if self.random.random() < 0.1:  # changes its mind
            pending.cancel()
            return
        pending.wait(120.0)
        with pending.accept() as nodes:
            self.taken += [node.id for node in nodes]
            threading.Event().wait(self.random.uniform(0.0, 0.3))
            nodes.check()
            for node in nodes:
                state = self.stage.nodes().get(node.id, {}).get("state")
                if state != "in-use":
                    self.trouble.append(f"{node.id} is {state} while it is used")
        self.done += 1
