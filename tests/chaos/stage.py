"""An installation over the ensemble, below a root of its own, that is judged when it is over."""

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import yaml
from kazoo.client import KazooClient
from kazoo.exceptions import KazooException
from kazoo.handlers.threading import KazooTimeoutError

from remuda.store import paths
from requestor import Client, connect
from tests.chaos.ensemble import Ensemble, Member
from tests.chaos.judge.txnlog import LogError
from tests.chaos.judge.verdict import Verdict, judge_folder
from tests.chaos.judge.world import Terms
from tests.support.deadline import DeadlineMissedError
from tests.support.processes import Process
from tests.support.stage import SOON_S, Stage

#: How long `make chaos` lets a storm last; 0: only the short form was asked for.
MINUTES: Final = float(os.environ.get("REMUDA_CHAOS_MINUTES", "0"))
SEED: Final = int(os.environ.get("REMUDA_SEED", "1"))
#: For what comes after a take-over, an election or a long outage.
LATER_S: Final = 90.0


class ChaosStage(Stage):
    """A stage whose ZooKeeper is the ensemble.

    Attributes:
        ensemble: The servers, to be frozen and killed.
    """

    def __init__(self, folder: Path, ensemble: Ensemble, root: str, **options: Any) -> None:
        super().__init__(folder, hosts=ensemble.hosts, chroot=root, **options)
        self.ensemble = ensemble
        self._clients = ExitStack()
        self._terms: dict[str, Any] = {}

    def looking(self, hosts: Sequence[str]) -> KazooClient:
        """Return a client that asks again until it is answered, whoever is frozen or dead."""
        patient = {"max_tries": -1, "max_delay": 0.2, "ignore_expire": True}
        zk = KazooClient(hosts=",".join(hosts), timeout=4.0, command_retry=patient)
        zk.start(timeout=SOON_S)
        return zk

    def look_through(self, member: Member) -> None:
        """Look with this server from now on."""
        self.zk.stop()
        self.zk.close()
        self.zk = self.looking([member.host])

    def close(self) -> None:
        """End everything."""
        with self._clients:
            super().close()

    def launcher_at(self, provider: str, *members: Member, **settings: Any) -> Process:
        """Start a launcher that knows these servers only; *settings* of ``zookeeper``."""
        own = {
            "hosts": [one.host for one in members],
            **{k.replace("_", "-"): v for k, v in settings.items()},
        }
        doc = {**self.config, "zookeeper": {**self.config["zookeeper"], **own}}
        self.write()
        path = self.folder / f"remuda-{len(self.processes)}.yaml"
        path.write_text(yaml.safe_dump(doc))
        return self.launcher(provider, wait=False, config=path)

    def all_at_work(self) -> None:
        """Wait until every launcher is at work."""
        for process in self.processes:
            if process.alive:
                self.at_work(process)

    def client(self, *members: Member, session_s: float = 10.0, **options: Any) -> Client:
        """Return a requestor over some servers, all if none is named; it ends with the stage."""
        hosts = [one.host for one in members] or self.hosts
        made = connect(hosts, chroot=self.chroot, session_s=session_s, **options)
        return self._clients.enter_context(made)

    def replicas(self, provider: str) -> dict[str, int]:
        """Return the process ids of a provider's living launchers by their replica's id."""
        found = self.records(paths.replicas(provider))
        return {name: int(doc["pid"]) for name, doc in found.items()}

    def limits(self) -> dict[str, int]:
        """Return the most servers of each provider."""
        return {
            name: sum(pool["max-servers"] for pool in provider["pools"].values())
            for name, provider in self.config["providers"].items()
        }

    def served(self, n: int, deadline_s: float = LATER_S) -> None:
        """Wait until exactly *n* requests are left, and all of them are served or failed."""

        def settled() -> bool:
            found = self.records(paths.REQUESTS)
            ended = [doc for doc in found.values() if doc["state"] in ("fulfilled", "failed")]
            return len(found) == len(ended) == n

        self.until(settled, f"{n} requests to be served", deadline_s)

    def judged(self, **terms: Any) -> Verdict:
        """Judge what happened so far."""
        self._terms = terms or self._terms
        until = {"until_s": time.time()}  # logs and journals are not read at one moment
        made = Terms(root=self.chroot, limits=self.limits(), **until, **self._terms)
        (self.folder / "terms.json").write_text(json.dumps(asdict(made)))
        self.ensemble.flush()
        return judge_folder(self.folder, self.ensemble.logs)

    def logs(self) -> Iterator[tuple[str, str]]:
        """Yield the verdict and the requests of a failed test before the ends of all logs."""
        again = ["python -m tests.chaos.judge", self.folder, *self.ensemble.logs]
        try:
            self.ensemble.heal()
            yield "the judge", str(self.judged())
            yield "the requests", json.dumps(self.records(paths.REQUESTS), indent=1)
        except (DeadlineMissedError, LogError, KazooException, KazooTimeoutError) as exc:
            yield "the judge, who cannot judge", repr(exc)
        yield "how to judge it again", " ".join(map(str, again))
        yield from super().logs()

    def at_rest(self, deadline_s: float = LATER_S) -> None:
        """Wait until no request is left, and every server belongs to a node that is ready or kept.

        A launch whose creation has failed keeps its record for a while: the cloud may still have
        heard of it.
        """

        def settled() -> bool:
            launches = [
                launch
                for provider in self.config["providers"]
                for launch in self.records(paths.launches(provider)).values()
                if "server" in launch
            ]
            states = {doc["state"] for doc in self.nodes().values() if doc["external_id"]}
            servers = sum(cloud.servers() for cloud in self.clouds.values())
            return (
                not self.children(paths.REQUESTS)
                and len(launches) == servers
                and states <= {"ready", "hold"}
            )

        self.until(settled, "everything to come to rest", deadline_s)


@contextmanager
def chaos_stage(folder: Path, ensemble: Ensemble, root: str) -> Iterator[ChaosStage]:
    """Run an installation for the length of a block, and leave the ensemble whole."""
    with ChaosStage(folder, ensemble, root) as made:
        try:
            yield made
        finally:
            for process in made.processes:
                if process.alive:
                    process.thaw()
            ensemble.heal()
