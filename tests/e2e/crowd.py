"""A crowd of clients, and a watcher who looks all the time whether the invariants hold."""

import random
import threading
import time
from collections import defaultdict
from typing import Any, Final

from remuda.model.ids import RequestId
from remuda.store import paths
from requestor import RequestFailedError, connect
from tests.support.stage import SERVED_S, SESSION_S, Stage

#: A request that waits for so long must have an explanation: a second until verdicts are written,
#: a second for a take-over, and the rest for a machine with others at work.
EXPLAINED_AFTER_S: Final = 30.0


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
        self._mourned_until_s = 0.0

    def run(self) -> None:
        """Look until told to stop."""
        while not self._over.wait(0.05):
            for name, cloud in self.stage.clouds.items():
                self.peaks[name] = max(self.peaks[name], cloud.servers())
            self._look_at_requests()
            self.looks += 1

    def mourn(self) -> None:
        """Allow for a launcher that was just killed: nobody speaks for it while it seems alive."""
        self._mourned_until_s = time.monotonic() + SESSION_S

    def look_calmly(self) -> None:
        """Wait until requests were looked at that no take-over excuses any more."""
        calm_s = self._mourned_until_s + EXPLAINED_AFTER_S
        self.stage.until(lambda: time.monotonic() > calm_s, "the last take-over's end")
        looks = self.looks
        self.stage.until(lambda: self.looks >= looks + 2, "the watcher to look twice")

    def _look_at_requests(self) -> None:
        now_s = time.monotonic()
        for name in self.stage.children(paths.REQUESTS):
            since_s = max(self._since_s.setdefault(name, now_s), self._mourned_until_s)
            if now_s - since_s < EXPLAINED_AFTER_S or not self._waits(name):
                continue
            explained = any(self.stage.verdict(one, name) for one in self.stage.config["providers"])
            # With its wait the explanation ends, too, perhaps between our two looks.
            if not explained and self._waits(name):
                self.unexplained.add(name)

    def _waits(self, name: str) -> bool:
        doc = self.stage.read(paths.request(RequestId(name)))
        return doc is not None and doc["state"] in ("requested", "pending")

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
        pending.wait(SERVED_S)
        with pending.accept() as nodes:
            self.taken += [node.id for node in nodes]
            threading.Event().wait(self.random.uniform(0.0, 0.3))
            nodes.check()
            for node in nodes:
                state = self.stage.nodes().get(node.id, {}).get("state")
                if state != "in-use":
                    self.trouble.append(f"{node.id} is {state} while it is used")
        self.done += 1
