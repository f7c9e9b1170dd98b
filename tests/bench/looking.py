"""Looking at running processes from outside: ZooKeeper's counters, CPU, memory, status pages."""

import json
import threading
import time
import urllib.request
from dataclasses import dataclass
from typing import Any

import psutil

from remuda.store.embedded import EmbeddedServer


def pause(seconds: float) -> None:
    """Do nothing for a while."""
    threading.Event().wait(seconds)


@dataclass(frozen=True, slots=True)
class Packets:
    """What a ZooKeeper server has received (operations, pings) and sent (replies, news)."""

    at_s: float
    received: int
    sent: int

    @classmethod
    def now(cls, server: EmbeddedServer) -> "Packets":
        """Ask the server; the asking itself is not counted by it."""
        lines = (line.split("\t") for line in server.ask("mntr").splitlines())
        found = {parts[0]: parts[1] for parts in lines if len(parts) > 1}
        return cls(
            time.perf_counter(),
            int(found["zk_packets_received"]),
            int(found["zk_packets_sent"]),
        )

    def until(self, later: "Packets") -> "Packets":
        """Return what came and went between two looks; *at_s* is the length of it."""
        return Packets(
            later.at_s - self.at_s, later.received - self.received, later.sent - self.sent
        )


def cpu_s(pid: int) -> float:
    """Return the CPU seconds that a process has used."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def rss_mib(pid: int) -> float:
    """Return the resident memory of a process."""
    return float(psutil.Process(pid).memory_info().rss) / 2**20


def page(url: str, name: str) -> Any:
    """Return a page of a status endpoint that is JSON."""
    with urllib.request.urlopen(f"{url}/{name}", timeout=10.0) as answer:  # noqa: S310 - loopback
        return json.loads(answer.read())
