"""What plays systemd on the hosts: units are read, and their commands started as they say.

What it does: ``User``, ``Group``, ``Environment``, ``EnvironmentFile``, ``StateDirectory`` and
``CacheDirectory`` with their modes, ``UMask``, ``WorkingDirectory``, ``ExecStart``, ``ExecReload``,
``KillMode``'s first signal. It keeps processes from nothing: the hardening is judged by
``systemd-analyze`` (tests/unit/deploy).
"""

import re
import shlex
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.operations.roots import Host

_FOLDERS: Final = ("etc/systemd/system", "usr/lib/systemd/system", "lib/systemd/system")
_STOP_S: Final = 30.0


class UnitError(Exception):
    """A unit cannot be started as it is written."""


@dataclass
class Unit:
    """The lines of a unit's files by key, the last ones last."""

    name: str
    lines: dict[str, list[str]] = field(default_factory=dict)

    def last(self, key: str, default: str = "") -> str:
        """Return what counts of a key that has one value."""
        return (self.lines.get(key) or [default])[-1]


def read_unit(host: Host, name: str) -> Unit:
    """Read a unit and its drop-ins from a host's root, specifiers filled in."""
    name = name if "." in name else f"{name}.service"
    stem, _, instance = name.removesuffix(".service").partition("@")
    template = f"{stem}@.service" if instance else name
    for folder in _FOLDERS:
        file = host.root / folder / template
        if file.exists():
            break
    else:
        raise UnitError(f"there is no unit {template} on {host.name}")
    unit = Unit(name)
    for each in (file, *sorted(file.with_name(f"{template}.d").glob("*.conf"))):
        for line in re.sub(r"\\\n", " ", each.read_text()).splitlines():
            key, equals, value = line.strip().partition("=")
            if not equals or key.startswith(("#", ";")):
                continue
            values = unit.lines.setdefault(key.strip(), [])
            if not value.strip():
                values.clear()
            else:
                values.append(value.strip().replace("%i", instance).replace("%p", stem))
    return unit


class Systemd:
    """The services of one host.

    Raises of all: UnitError, if a unit cannot do what it says.
    """

    def __init__(self, host: Host, logs: Path) -> None:
        self.host = host
        self._logs = logs
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def log(self, name: str) -> Path:
        """Return where a unit's output goes: its journal."""
        return self._logs / f"{self.host.name}-{name.removesuffix('.service')}.log"

    def systemctl(self, words: list[str]) -> int:
        """Do what ``systemctl WORDS`` is to do; return its exit code."""
        names = [word for word in words[1:] if not word.startswith("-")]
        match words[0]:
            case "daemon-reload":
                return 0
            case "is-active":
                return 0 if all(self._alive(name) for name in names) else 3
            case "enable" if "--now" in words:
                actions = (self._start,)
            case "start":
                actions = (self._start,)
            case "stop":
                actions = (self._stop,)
            case "restart":
                actions = (self._stop, self._start)
            case "reload":
                actions = (self._reload,)
            case other:
                raise UnitError(f"systemctl {other}: nobody plays that here")
        for name in names:
            for action in actions:
                action(name.removesuffix(".service"))
        return 0

    def _alive(self, name: str) -> bool:
        process = self.running.get(name.removesuffix(".service"))
        return process is not None and process.poll() is None

    def _start(self, name: str) -> None:
        if self._alive(name):
            return
        unit = read_unit(self.host, name)
        words = [_environ_word(unit.last("ExecStart"))]
        with self.log(name).open("ab") as output:
            self.running[name] = subprocess.Popen(
                self.host.command(["/bin/sh", "-c", self._script(unit), *words]),
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def _stop(self, name: str) -> None:
        process = self.running.pop(name, None)
        if process is not None:
            process.terminate()
            process.wait(_STOP_S)

    def _reload(self, name: str) -> None:
        unit = read_unit(self.host, name)
        if not self._alive(name):
            raise UnitError(f"{name} is not running")
        command = unit.last("ExecReload").replace("$MAINPID", str(self.running[name].pid))
        subprocess.run(shlex.split(command), check=True, timeout=_STOP_S)

    def _script(self, unit: Unit) -> str:
        """Return what a unit's settings are to a shell in the host's root."""
        user, group = unit.last("User", "root"), unit.last("Group", unit.last("User", "root"))
        environ = " ".join(shlex.quote(w) for w in self._environment(unit))
        lines = ["set -e", f"umask {unit.last('UMask', '0022')}"]
        for key, parent in (("StateDirectory", "/var/lib"), ("CacheDirectory", "/var/cache")):
            if name := unit.last(key):
                mode = unit.last(f"{key}Mode", "0755")
                owner = f"-o {shlex.quote(user)} -g {shlex.quote(group)}"
                lines.append(f"install -d {owner} -m {mode} {parent}/{shlex.quote(name)}")
        lines.append(f"cd {shlex.quote(unit.last('WorkingDirectory', '/'))}")
        drop = f"setpriv --reuid {user} --regid {group} --init-groups --bounding-set=-all"
        drop += " --inh-caps=-all --no-new-privs"
        lines.append(f"exec env -i {environ} {drop} {unit.last('ExecStart')}")
        return "\n".join(lines)

    def _environment(self, unit: Unit) -> list[str]:
        found = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", "LANG=C.UTF-8"]
        for line in unit.lines.get("Environment", []):
            found += shlex.split(line)
        for name in unit.lines.get("EnvironmentFile", []):
            file = self.host.root / name.removeprefix("-").lstrip("/")
            if not file.exists():
                if name.startswith("-"):
                    continue
                raise UnitError(f"{unit.name}: there is no {name}")
            for line in file.read_text().splitlines():
                if line.strip() and not line.startswith("#"):
                    found += shlex.split(line)
        return found


def _environ_word(text: str) -> str:
    """Refuse what this runner would read otherwise than systemd does."""
    if re.search(r"[%;|&<>`*?~]|\$\{", text):
        raise UnitError(f"this ExecStart is more than a program and its words: {text}")
    return "unit"
