"""The site in which the page is carried out: clouds, addresses, what stands for the rest."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.request import urlopen

import yaml

from tests.operations.calling import Calls
from tests.operations.page import Step, steps
from tests.operations.roots import BlockError, Host, Hosts, fresh_environment
from tests.operations.units import Systemd
from tests.support.deadline import wait_for
from tests.support.processes import ROOT, Process
from tests.support.promtool import find as find_promtool

PAGE: Final = ROOT / "docs/operations.md"
HOSTS: Final = ("admin", "zk1", "zk2", "zk3", "run1", "run2", "mon", "dev")
_SOURCE: Final = "usr/local/src/remuda"
_PARTS: Final = (
    "LICENSE", "README.md", "pyproject.toml", "requirements.lock", "deploy", "docs", "remuda",
    "launcher", "builder", "requestor", "sandbox",
)  # fmt: skip
#: Folders of this machine that its hosts do not have.
_HIDDEN: Final = (
    "etc/remuda", "etc/zookeeper", "etc/prometheus", "opt/remuda", "root", "usr/local/bin",
    "usr/local/sbin", "var/lib/zookeeper", "var/lib/remuda", "var/tmp", "usr/local/src",
)  # fmt: skip
#: What the packages of the page bring, to see whether they are there.
_BRINGS: Final = {
    "ca-certificates": "etc/ssl/certs",
    "python3-venv": "usr/lib/python3.11/ensurepip",
    "openssl": "usr/bin/openssl",
    "openssh-client": "usr/bin/ssh-keygen",
    "default-jre-headless": "usr/bin/java",
    "libzookeeper-java": "usr/share/java/zookeeper.jar",
}


#: What blocks of a section print, one after the other.
_EXPECTED: Final[Mapping[str, tuple[str, ...]]] = {
    "A release": ("0.1.0",),
    "ZooKeeper": ("Mode: ",),
    "Launchers and the builder": ("no problems", "Linux", "tools 1"),
    "A developer's machine": ("remuda: small ",),
    "Upgrade and rollback": ("0.1.1", "0.1.0"),
}


class Site:
    """Everything that the page takes for granted."""

    def __init__(self, bare: Path | None, folder: Path, logs: Path) -> None:
        self._bare = bare
        self._folder = folder
        self.logs = logs
        Host.cache = ROOT / "build/operations/pip"
        Host.cache.mkdir(parents=True, exist_ok=True)
        self._systemds: dict[str, Systemd] = {}
        self._calls: dict[Path, Calls] = {}
        self._said = ""
        self._heading = ""
        self._network = f"127.{64 + int(time.time()) % 64}.{int(time.time() * 7) % 200 + 1}"
        self.hosts = Hosts(folder / "hosts", [self._blank(), bare or Path("/")])
        self._values = self._clouds()

    def do(self, step: Step) -> None:
        """Carry one block out.

        Raises:
            BlockError: If it, or the section before, has not done what it is to do.
        """
        if step.heading != self._heading:
            self.leave()
            self._heading = step.heading
            if step.heading == "Upgrade and rollback":
                self._publish()
        script = step.script
        for placeholder, value in self._values.items():
            script = script.replace(placeholder, value)
        for host in self.hosts.those(step.hosts, personal="hostname" in script):
            self._equip(host)
            log = self.logs / f"{host.name}.log"
            self._said += host.shell(script, self._environment(), log)

    def leave(self) -> None:
        """See what came of the section that ends here."""
        rest = self._said
        for text in _EXPECTED.get(self._heading, ()):
            _, found, rest = rest.partition(text)
            if not found:
                raise BlockError(f"{text!r} was not said:\n{self._said[-6000:]}")
        if self._heading == "Monitoring":
            self._scrape()
        self._said = ""

    def sizes(self) -> Iterator[str]:
        """Yield what each service takes, in the end.

        Raises:
            BlockError: If one of them has died.
        """
        for systemd in self._systemds.values():
            for name, process in systemd.running.items():
                if process.poll() is not None:
                    raise BlockError(f"{name} has ended: {systemd.log(name).read_text()[-6000:]}")
                status = Path(f"/proc/{process.pid}/status").read_text()
                facts = dict(line.split(":", 1) for line in status.splitlines())
                memory, threads = int(facts["VmRSS"].split()[0]) // 1024, facts["Threads"].strip()
                yield f"{systemd.host.name} {name}: {memory} MiB, {threads} threads"

    def _publish(self) -> None:
        """Make the source one of a newer release."""
        source = self.hosts.own("admin").root / _SOURCE
        for name in ("pyproject.toml", "remuda/__init__.py"):
            text = (source / name).read_text()
            (source / name).write_text(text.replace('"0.1.0"', '"0.1.1"'))

    def _scrape(self) -> None:
        """Ask every target for its metrics, as Prometheus would."""
        file = self.hosts.own("mon").root / "etc/prometheus/prometheus.yml"
        (job,) = yaml.safe_load(file.read_text())["scrape_configs"]
        for target in job["static_configs"][0]["targets"]:
            name, _, port = target.partition(":")
            address = self._address(name.removesuffix(".example.org"))
            try:
                with urlopen(f"http://{address}:{port}/metrics", timeout=10) as answer:
                    text = answer.read().decode()
            except OSError as error:
                raise BlockError(f"{target}: {error}") from error
            if "remuda_build_info{" not in text:
                raise BlockError(f"{target} tells no metrics of ours")

    def _address(self, name: str) -> str:
        return f"{self._network}.{HOSTS.index(name) + 1}"

    def _environment(self) -> dict[str, str]:
        found = fresh_environment()
        if self._bare and "PIP_CERT" in found:
            found["PIP_CERT"] = "/usr/local/share/site-ca.pem"
        return found

    def _blank(self) -> Path:
        """Return a layer with what a host of this site has from the start, and has not."""
        layer = self._folder / "blank"
        for name in (*_HIDDEN, "etc"):
            (layer / name).mkdir(parents=True, exist_ok=True)
        (layer / "root").chmod(0o700)
        if not self._bare:
            for name in _HIDDEN:
                _mark_opaque(layer / name)
        lines = ["127.0.0.1 localhost"]
        lines += [f"{self._address(each)} {each}.example.org {each}" for each in HOSTS]
        (layer / "etc/hosts").write_text("\n".join(lines) + "\n")
        shutil.copy("/etc/resolv.conf", layer / "etc/resolv.conf")
        if certificates := fresh_environment().get("PIP_CERT"):
            (layer / "usr/local/share").mkdir(parents=True, exist_ok=True)
            shutil.copy(certificates, layer / "usr/local/share/site-ca.pem")
        source = layer / _SOURCE
        source.mkdir(parents=True)
        for part in _PARTS:
            here = ROOT / part
            if here.is_dir():
                shutil.copytree(here, source / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(here, source / part)
        return layer

    def _equip(self, host: Host) -> None:
        """Put stand-ins for what is not there onto a host."""
        if host.root in self._calls:
            return
        names = ["systemctl", "scp"]
        if not self._bare:
            names.append("apt-get")
            if host.name == "mon" and (tool := find_promtool()):
                shutil.copy(tool, host.root / "usr/local/bin/promtool")
        systemd = self._systemds[host.name] = Systemd(host, self.logs)

        def answer(name: str, folder: Path, words: list[str]) -> tuple[int, str]:
            if name == "systemctl":
                if words == ["restart", "prometheus"]:
                    return 0, ""
                return systemd.systemctl(words), ""
            return (
                self._copied(host, folder, words) if name == "scp" else self._present(host, words)
            )

        calls = self._calls[host.root] = Calls(host, tuple(names), answer)
        host.ending.append(calls.close)

    def _copied(self, host: Host, here: Path, words: list[str]) -> tuple[int, str]:
        *sources, target = words
        name, _, folder = target.partition(":")
        for source in sources:
            file = host.root / str(here / source).lstrip("/")
            self.hosts.send(name.removesuffix(".example.org"), file, folder)
        return 0, ""

    def _present(self, host: Host, words: list[str]) -> tuple[int, str]:
        """Say whether this machine has what the page would install."""
        if words[0] == "update":
            return 0, ""
        wanted = [word for word in words[1:] if not word.startswith("-")]
        lacking = [
            each
            for each in wanted
            if each != "prometheus" and not (host.root / _BRINGS[each]).exists()
        ]
        return (1, f"missing: {' '.join(lacking)}") if lacking else (0, "")

    def _clouds(self) -> dict[str, str]:
        """Start both clouds; return what stands in the page for their addresses and credentials."""
        rules = json.loads((ROOT / "deploy/openstack/access-rules.json").read_text())
        values = {}
        for name in ("east", "west"):
            credential = {"id": f"{name}-id", "name": "remuda", "secret": f"{name}-secret-of-ours"}
            config = {
                "cloud": name,
                "machines": "namespace",
                "system": "minimal",
                "boot_seconds": 0.2,
                "delete_seconds": 0.05,
                "application_credentials": [{**credential, "access_rules": rules}],
            }
            file = self._folder / f"{name}.yaml"
            file.write_text(yaml.safe_dump(config))
            clouds = self._folder / f"{name}-clouds.yaml"
            words = ("--port", "0", "--config", str(file), "--clouds-yaml", str(clouds))
            process = Process.python(name, "sandbox", *words, log=self.logs / f"{name}.log")
            wait_for(lambda c=clouds, p=process: c.exists() or not p.alive, 60, f"cloud {name}")
            entry = yaml.safe_load(clouds.read_text())["clouds"][name]
            values[f"https://keystone.{name}.example.org/v3"] = entry["auth"]["auth_url"]
            values[f"id-of-the-credential-in-{name}"] = credential["id"]
            values[f"secret-of-the-credential-in-{name}"] = credential["secret"]
        return values


def _mark_opaque(folder: Path) -> None:
    os.setxattr(folder, "trusted.overlay.opaque", b"y")


def run(bare: Path | None, logs: Path) -> int:
    """Carry the page out; return the exit code."""
    with tempfile.TemporaryDirectory(prefix="remuda-site-") as name:
        folder = Path(name)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", name], check=True)
        try:
            return _carried_out(bare, folder, logs)
        finally:
            subprocess.run(["umount", "--lazy", name], check=True)


def _carried_out(bare: Path | None, folder: Path, logs: Path) -> int:
    site = Site(bare, folder, logs)
    started = time.monotonic()
    where = "before the first block"
    try:
        for step in steps(PAGE.read_text()):
            began = time.monotonic()
            where = f"docs/operations.md:{step.line} on {', '.join(step.hosts)}"
            site.do(step)
            now = time.monotonic()
            sys.stdout.write(f"{now - started:6.1f} s  {now - began:5.1f} s  {where}\n")
            sys.stdout.flush()
        site.leave()
        sys.stdout.writelines(f"{line}\n" for line in site.sizes())
    except BlockError as error:
        sys.stderr.write(f"{where}: {error}\nlogs: {logs}\n")
        return 1
    return 0
