"""A whole installation on one machine: ZooKeeper, sandbox clouds, launchers, all real processes.

    with Stage(folder) as stage:
        stage.cloud("a")
        stage.provider("alpha", "a")
        stage.label("small", min_ready=1)
        stage.launcher("alpha")
        stage.ready_nodes("small", 1)

Everything lies below one folder and is ended by process id.
"""

import json
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import pytest
import yaml
from kazoo.client import KazooClient
from kazoo.exceptions import BadVersionError, NoNodeError

from remuda.store import paths
from remuda.store.embedded import EmbeddedServer
from remuda.store.embedded_config import ServerOptions, ServerTls
from tests.support import zookeeper
from tests.support.cloud import SOON_S, Cloud
from tests.support.deadline import DeadlineMissedError, wait_for
from tests.support.processes import Process

T = TypeVar("T")
Doc = dict[str, Any]

#: Long enough for a busy machine, short enough to wait for its end.
SESSION_S: Final = 4.0
#: What a request may take where its time is not the question.
SERVED_S: Final = 200.0
#: Whose presence in a launcher's log is a bug, whatever else the test says.
_SHAMEFUL: Final = ("hand.crashed", "Traceback (most recent call last)")


def missing() -> str:
    """Say what a stage lacks on this machine; empty if nothing."""
    if why := zookeeper.missing():
        return why
    if os.geteuid() != 0:
        return "needs root: the sandbox's machines are namespaces"
    if which("sshd") is None and not Path("/usr/sbin/sshd").exists():
        return "needs sshd: apt-get install openssh-server"
    return ""


class Stage:
    """Starts things, looks at them, and ends them.

    Attributes:
        zk: A client for looking and for playing an operator.
        config: The launchers' configuration; :meth:`write` writes it.
    """

    def __init__(
        self,
        folder: Path,
        *,
        session_s: float = SESSION_S,
        tls: ServerTls | None = None,
        hosts: tuple[str, ...] = (),
        chroot: str = "",
    ) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        options = ServerOptions(folder=folder / "zookeeper", tick_ms=200, tls=tls)
        self.server = EmbeddedServer(options)
        self.hosts = hosts
        self.chroot = chroot
        self.clouds: dict[str, Cloud] = {}
        self.processes: list[Process] = []
        self.allowed: tuple[str, ...] = ()
        self.zk: KazooClient = None
        self.key = folder / "id_ed25519"
        self.config: Doc = {
            "zookeeper": {"hosts": [], "session-timeout": session_s, "chroot": chroot or None},
            "clouds-file": str(folder / "clouds.yaml"),
            "labels": {},
            "providers": {},
        }

    def __enter__(self) -> Self:
        """Start ZooKeeper, unless there is one already."""
        if not self.hosts:
            self.hosts = self.server.start().hosts
        try:
            self.config["zookeeper"]["hosts"] = list(self.hosts)
            self.zk = self.looking(self.hosts)
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key)]
            subprocess.run(command, check=True, timeout=SOON_S)
        except BaseException:
            self.close()
            raise
        return self

    def looking(self, hosts: Sequence[str]) -> KazooClient:
        """Return a client to look with, which asks *hosts*."""
        zk = KazooClient(hosts=",".join(hosts), timeout=20.0)
        zk.start(timeout=SOON_S)
        return zk

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End everything; a launcher that crashed a hand fails the last test."""
        self.close()
        if error is None:
            self.check_logs()

    def close(self) -> None:
        """End everything by process id."""
        for process in reversed(self.processes):
            process.stop()
        for cloud in self.clouds.values():
            cloud.process.stop()
        if self.zk is not None:
            self.zk.stop()
            self.zk.close()
        self.server.stop()

    def check_logs(self) -> None:
        """Fail if a launcher's log shows what none may ever show."""
        for process in self.processes:
            text = process.text()
            for word in _SHAMEFUL:
                if word in text and word not in self.allowed:
                    at = text.index(word)
                    raise AssertionError(f"{process.name}: {text[max(0, at - 300) : at + 3000]}")

    # Building it

    def cloud(self, name: str, **options: Any) -> Cloud:
        """Start a sandbox; with ``users`` and ``regions`` providers may share it or be apart.

        For images it wants ``system="minimal"``: all files are searched for secrets.
        """
        usual = {"machines": "namespace", "boot_seconds": 0.2, "delete_seconds": 0.05}
        made = self.clouds[name] = Cloud(name, self.folder, {**usual, **options})
        entries = [one.entries for one in self.clouds.values()]
        doc = {"clouds": {name: entry for one in entries for name, entry in one.items()}}
        clouds_file = self.folder / "clouds.yaml"
        clouds_file.write_text(yaml.safe_dump(doc))
        clouds_file.chmod(0o600)
        return made

    def label(self, name: str, **settings: Any) -> None:
        """Configure a label; underscores stand for dashes."""
        self.config["labels"][name] = _dashed(settings)

    def provider(
        self,
        name: str,
        cloud: str,
        *,
        labels: Mapping[str, Doc] | Sequence[str] = ("small",),
        pool: Doc | None = None,
        **settings: Any,
    ) -> None:
        """Configure a provider with one pool, ``main``; its labels need not be known yet.

        *cloud* may be ``CLOUD-USER``, for the project of another user than its first one.
        """
        usual = {
            "cloud": f"cloud-{cloud}",
            "ssh-key-file": str(self.key),
            "list-period": 0.3,
            "idle-list-period": 2,
            "rate": 100,
        }
        how = {one: {} for one in labels} if not isinstance(labels, Mapping) else labels
        making = {"image": "debian-12", "flavor": "m1.small"}
        for one in how:
            self.config["labels"].setdefault(one, {})
        main = {
            "max-servers": 10,
            "networks": ["public"],
            **_dashed(pool or {}),
            "labels": {one: {**making, **_dashed(more)} for one, more in how.items()},
        }
        self.config["providers"][name] = {**usual, **_dashed(settings), "pools": {"main": main}}

    def write(self, text: str | None = None) -> Path:
        """Write the configuration at once and whole, as a careful operator would."""
        path, draft = self.folder / "remuda.yaml", self.folder / "remuda.yaml.new"
        draft.write_text(yaml.safe_dump(self.config) if text is None else text)
        draft.rename(path)
        return path

    def launcher(
        self, provider: str, *, wait: bool = True, level: str = "INFO", config: Path | None = None
    ) -> Process:
        """Start a launcher (or another replica) and wait until it is at work."""
        path = config or self.write()
        number = sum(one.name.startswith(f"launcher {provider}") for one in self.processes) + 1
        process = Process.python(
            f"launcher {provider} {number}",
            "launcher",
            *("--provider", provider, "--config", str(path)),
            *("--log-format", "json", "--log-level", level),
            log=self.folder / f"launcher-{provider}-{number}.log",
        )
        self.processes.append(process)
        if wait:
            self.at_work(process)
        return process

    def at_work(self, process: Process) -> str:
        """Wait until a launcher is at work; return the address of its status endpoint."""

        def ready() -> str | None:
            if not process.alive:
                raise AssertionError(f"{process.name} ended: {process.tail()}")
            urls: list[str] = [e["url"] for e in process.events("launcher.started") if e.get("url")]
            if not urls:
                return None
            try:
                urllib.request.urlopen(f"{urls[-1]}/ready", timeout=5.0).close()  # noqa: S310
            except (urllib.error.URLError, OSError):
                return None
            return urls[-1]

        return str(wait_for(ready, SOON_S, f"{process.name} to be at work"))

    # Looking at it

    def read(self, path: str) -> Doc | None:
        """Return a record, or None if it is not there or empty."""
        try:
            data, _ = self.zk.retry(self.zk.get, self.chroot + path)
        except NoNodeError:
            return None
        doc: Doc | None = json.loads(data) if data else None
        return doc

    def rewrite(self, path: str, change: Callable[[Doc], Doc]) -> None:
        """Change a record as it is at that moment: its launcher may write it at any time, too."""

        def written() -> bool:
            data, stat = self.zk.retry(self.zk.get, self.chroot + path)
            doc = json.dumps(change(json.loads(data))).encode()
            try:
                self.zk.set(self.chroot + path, doc, version=stat.version)
            except BadVersionError:
                return False
            return True

        self.until(written, f"{path} to be rewritten")

    def children(self, path: str) -> list[str]:
        """Return the names below *path*, none if it is not there."""
        try:
            return sorted(self.zk.retry(self.zk.get_children, self.chroot + path))
        except NoNodeError:
            return []

    def records(self, path: str) -> dict[str, Doc]:
        """Return the records below *path* by name."""
        found = {name: self.read(f"{path}/{name}") for name in self.children(path)}
        return {name: doc for name, doc in found.items() if doc is not None}

    def nodes(self, state: str = "", label: str = "") -> dict[str, Doc]:
        """Return the nodes, all or those in *state* or of *label*."""
        return {
            name: doc
            for name, doc in self.records(paths.NODES).items()
            if state in ("", doc["state"]) and (not label or label in doc["type"])
        }

    def free(self, label: str = "") -> dict[str, Doc]:
        """Return the ready nodes that are promised to nobody."""
        found = self.nodes("ready", label)
        return {name: doc for name, doc in found.items() if not doc["allocated_to"]}

    def ready_nodes(self, label: str, n: int, deadline_s: float = SOON_S) -> dict[str, Doc]:
        """Wait for exactly *n* free nodes of *label*."""

        def enough() -> dict[str, Doc] | None:
            found = self.free(label)
            return found if len(found) == n else None

        try:
            return self.until(enough, f"{n} free nodes of {label}", deadline_s) or {}
        except DeadlineMissedError as missed:
            now = {name: doc["state"] for name, doc in self.nodes(label=label).items()}
            raise DeadlineMissedError(f"{missed}; there are {now}") from missed

    def failures(self, provider: str) -> dict[str, Doc]:
        """Return the evidence of failed launches."""
        return self.records(paths.failures(provider))

    def verdict(self, provider: str, request: str) -> Doc | None:
        """Return what a provider says of a waiting request."""
        return self.read(f"{paths.verdicts(provider)}/{request}")

    def status(self, provider: str) -> Doc:
        """Return what a provider says of itself."""
        return self.read(paths.status(provider)) or {}

    def until(self, condition: Callable[[], T], what: str, deadline_s: float = SOON_S) -> T:
        """Wait for a condition, but not longer than a launcher lives."""
        return wait_for(condition, deadline_s, what)

    def heal(self, *, recovered_s: float = 0.0) -> None:
        """Take all faults away; wait so long for the providers to notice, if it is not 0."""
        for cloud in self.clouds.values():
            cloud.heal()
        if not recovered_s:
            return
        providers = tuple(self.config["providers"])
        self.until(
            lambda: not any(self.status(one).get("trouble", "?") for one in providers),
            "all providers to recover",
            recovered_s,
        )

    def quiet(self, deadline_s: float = SOON_S) -> None:
        """Wait until no node is left and no cloud has a server."""
        self.until(
            lambda: not self.children(paths.NODES) and not any(map(_servers, self.clouds.values())),
            "all nodes and servers to go",
            deadline_s,
        )

    def logs(self) -> Iterator[tuple[str, str]]:
        """Yield the ends of all logs."""
        for process in (*self.processes, *(cloud.process for cloud in self.clouds.values())):
            yield process.name, process.tail()


def _servers(cloud: Cloud) -> int:
    return cloud.servers()


def _dashed(settings: Mapping[str, Any]) -> Doc:
    return {key.replace("_", "-"): value for key, value in settings.items()}


@contextmanager
def open_stage(factory: pytest.TempPathFactory, name: str, **options: Any) -> Iterator[Stage]:
    """Give a stage in a fresh folder, or skip the tests if this machine cannot carry one."""
    if why := missing():
        pytest.skip(why)
    with Stage(factory.mktemp(name), **options) as stage:
        yield stage


@contextmanager
def two_providers(
    factory: pytest.TempPathFactory, name: str, *, alpha: Mapping[str, Any], beta: Mapping[str, Any]
) -> Iterator[Stage]:
    """Give a stage with two clouds, and launchers at work in both; one label only alpha makes."""
    with open_stage(factory, name) as made:
        for cloud in ("a", "b"):
            made.cloud(cloud, quota={"instances": 6, "cores": 100, "ram": 200000})
        made.provider("alpha", "a", labels=("small", "only-a"), **alpha)
        made.provider("beta", "b", labels=("small",), **beta)
        for provider in ("alpha", "beta"):
            made.launcher(provider, wait=False)
        for process in made.processes:
            made.at_work(process)
        yield made


def attach_logs(item: pytest.Item, report: pytest.TestReport) -> None:
    """Show the logs of a failed test's stage below its failure."""
    if not report.failed or not isinstance(item, pytest.Function):
        return
    for stage in item.funcargs.values():
        if isinstance(stage, Stage):
            report.sections.extend((f"log of {name}", text) for name, text in stage.logs())
