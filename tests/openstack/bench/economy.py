"""A launcher at its defaults on the real OpenStack: boots per minute, and what it asks for."""

import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from requestor import connect
from tests.openstack.bench.bare import Bare
from tests.openstack.lab.control import Lab, slowly
from tests.openstack.stages import LabStage

#: As our HTTP client calls itself; the bare bench is the SDK itself.
LAUNCHER: Final = "remuda "
BARE: Final = "openstacksdk"
CLOUD: Final = "lab"
LIST: Final = "nova GET /v2.1/servers/detail"
#: Looks that serve all nodes at once: servers and ports each period, what there is to make and the
#: room for it every five minutes. A look at floating IPs is none: no life of a node needs it.
SHARED: Final = (
    LIST,
    "neutron GET /v2.0/ports",
    "neutron GET /v2.0/networks",
    "glance GET /v2/images",
    "nova GET /v2.1/flavors/detail",
    "nova GET /v2.1/limits",
)
_BOOTED_S: Final = 300.0
_IDLE_NODES: Final = 2
_LOOK_S: Final = 0.2


@dataclass(slots=True)
class Side:
    """What one side did, over all rounds.

    Attributes:
        busy_s: How long services were at work on its calls.
    """

    nodes: int = 0
    boot_s: float = 0.0
    delete_s: float = 0.0
    busy_s: float = 0.0
    connections: int = 0
    calls: Counter[str] = field(default_factory=Counter)

    @property
    def per_minute(self) -> float:
        """Boots per minute."""
        return self.nodes * 60 / self.boot_s


@dataclass(slots=True, kw_only=True)
class Economy:
    """All that was measured."""

    bare: Side = field(default_factory=Side)
    launcher: Side = field(default_factory=Side)
    floating: Side = field(default_factory=Side)
    idle: Counter[str] = field(default_factory=Counter)
    idle_s: float = 0.0
    rounds: list[Mapping[str, float]] = field(default_factory=list)

    @property
    def ratios(self) -> list[float]:
        """The launcher's boots per minute in units of bare ones, round by round."""
        return [one["bare"] / one["launcher"] for one in self.rounds]

    @property
    def ratio(self) -> float:
        """The median of the rounds: one that was disturbed has no weight."""
        return statistics.median(self.ratios)


class Course:
    """Both sides, one after the other, in one account of one lab."""

    def __init__(self, folder: Path, lab: Lab) -> None:
        self.lab = lab
        self.stage = LabStage(folder, lab)
        self.result = Economy()

    def run(self, *, count: int, rounds: int, idle_s: float) -> Economy:
        """Measure everything."""
        for account in ("lab", "lab-other"):
            self.lab.clear(account)
        with self.stage:
            self.stage.account(CLOUD)
            bare = Bare(self.lab, CLOUD, self.stage.key)
            bare.boot(2)  # the image is in the hypervisor's cache from now on
            # Everything as it is by default: only the name of the pool's network is ours.
            defaults: dict[str, Any] = {"list_period": 3, "idle_list_period": 60, "rate": 10}
            self.stage.provider("alpha", CLOUD, pool={"max_servers": 45}, **defaults)
            self.stage.label("small")
            mark = self.lab.mark()
            self.stage.launcher("alpha")
            self._lend(Side(), "small", 2)  # its first look at everything is past, too
            # Two rounds are ABBA: what slows down or speeds up with time hits both sides alike.
            for number in range(rounds):
                order = [self._bare, self._launcher] if number % 2 else [self._launcher, self._bare]
                took = {}
                for each in order:
                    took[each.__name__.lstrip("_")] = each(bare, count)
                self.result.rounds.append(took)
            # Before the pool is configured anew: a reload reads clouds.yaml and logs in again.
            self.result.launcher.connections = self.lab.connections(mark, agent=LAUNCHER)
            self.result.launcher.calls += _of(self.lab.calls(mark, agent=LAUNCHER), "keystone")
            self._idle(idle_s)
            self._floating(count)
        return self.result

    @contextmanager
    def _counted(self, side: Side, agent: str) -> Iterator[None]:
        mark = self.lab.mark()
        yield
        noted = self.lab.calls(mark, agent=agent)
        side.calls += noted - _of(noted, "keystone")
        side.busy_s += self.lab.busy_s(mark, agent=agent)

    def _bare(self, bare: Bare, count: int) -> float:
        side = self.result.bare
        with self._counted(side, BARE):
            boot_s, delete_s = bare.boot(count)
        side.nodes += count
        side.boot_s += boot_s
        side.delete_s += delete_s
        return boot_s

    def _launcher(self, _bare: Bare, count: int) -> float:
        return self._lend(self.result.launcher, "small", count)

    def _lend(self, side: Side, label: str, count: int) -> float:
        """Ask for so many nodes at once, and give them back."""
        with self._counted(side, LAUNCHER), connect(self.stage.server.hosts) as client:
            begun_s = time.monotonic()
            pending = client.request({label: count})
            pending.wait(_BOOTED_S)
            booted_s = time.monotonic()
            with pending.accept() as nodes:
                assert len(nodes) == count
            gone = slowly(lambda: not self.stage.nodes(label=label), _LOOK_S)
            self.stage.until(gone, "all nodes to go", _BOOTED_S)
        side.nodes += count
        side.boot_s += booted_s - begun_s
        side.delete_s += time.monotonic() - booted_s
        return booted_s - begun_s

    def _floating(self, count: int) -> None:
        """The same with floating IPs, by a launcher of its own."""
        for process in self.stage.processes:
            process.stop()
        self.lab.clear(CLOUD)
        self.stage.account("lab-fip")
        pool = {"networks": ["private"], "floating_ips": True, "max_servers": 45}
        defaults: dict[str, Any] = {"list_period": 3, "idle_list_period": 60, "rate": 10}
        self.stage.provider("beta", "lab-fip", labels=("far",), pool=pool, **defaults)
        self.stage.launcher("beta")
        self._lend(Side(), "far", 1)
        self._lend(self.result.floating, "far", count)

    def _idle(self, seconds: float) -> None:
        """A small pool with nothing to do."""
        self.stage.label("small", min_ready=_IDLE_NODES)
        self.stage.write()
        self.stage.ready_nodes("small", _IDLE_NODES, _BOOTED_S)
        # The last listing that a boot asked for is still to come.
        pause(10.0)
        mark = self.lab.mark()
        pause(seconds)
        self.result.idle = self.lab.calls(mark, agent=LAUNCHER)
        self.result.idle_s = seconds


def pause(seconds: float) -> None:
    """Let time pass: what is measured here is that nothing happens in it."""
    threading.Event().wait(seconds)


def _of(calls: Counter[str], service: str) -> Counter[str]:
    return Counter({name: n for name, n in calls.items() if name.startswith(f"{service} ")})
