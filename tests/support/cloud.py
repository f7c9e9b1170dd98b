"""A sandbox as a process of its own, with its control endpoint."""

import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import yaml

from tests.support.control import ask_control
from tests.support.deadline import wait_for
from tests.support.processes import Process

Doc = dict[str, Any]

#: What must happen soon, on a machine with others at work.
SOON_S: Final = 90.0


class Cloud:
    """A sandbox process and its control endpoint."""

    def __init__(self, name: str, folder: Path, options: Mapping[str, Any]) -> None:
        self.name = name
        self._clouds_file = folder / f"clouds-{name}.yaml"
        config = folder / f"sandbox-{name}.yaml"
        config.write_text(yaml.safe_dump({"cloud": f"cloud-{name}", **options}))
        self.process = Process.python(
            f"sandbox {name}",
            "sandbox",
            *("--port", "0", "--config", str(config), "--clouds-yaml", str(self._clouds_file)),
            *("--journal", str(folder / f"{name}.journal")),
            log=folder / f"sandbox-{name}.log",
            last_signal=signal.SIGTERM,
        )
        wait_for(self._up, SOON_S, f"sandbox {name}")
        #: Of its users, by name in clouds.yaml: ``cloud-NAME``, then ``cloud-NAME-USER``.
        self.entries: Doc = yaml.safe_load(self._clouds_file.read_text())["clouds"]
        self.entry: Doc = self.entries[f"cloud-{name}"]
        self.url = "http://" + urlsplit(self.entry["auth"]["auth_url"]).netloc

    def _up(self) -> bool:
        if not self.process.alive:
            raise AssertionError(f"{self.process.name} ended: {self.process.tail()}")
        return self._clouds_file.exists()

    def ask(self, method: str, path: str, body: object = None) -> Doc:
        """Call the control endpoint."""
        doc: Doc = ask_control(self.entry["sandbox_control"], method, path, body) or {}
        return doc

    def fault(
        self,
        operation: str,
        kind: str,
        *,
        count: int | None = None,
        rate: float = 1.0,
        **more: Any,
    ) -> str:
        """Arm a fault and return its id; *more*: settings of the effect, ``match`` of the rule."""
        match = {"operation": operation, **more.pop("match", {})}
        rule: Doc = {"match": match, "rate": rate, "effect": {"kind": kind, **more}}
        if count is not None:
            rule["count"] = count
        made: str = self.ask("POST", "/faults", rule)["faults"][0]["id"]
        return made

    def fired(self, rule: str) -> int:
        """Say how often a fault has struck."""
        return int(self.ask("GET", f"/faults/{rule}")["fired"])

    def heal(self) -> None:
        """Take all faults away."""
        self.ask("DELETE", "/faults")

    def die(self, server: str) -> None:
        """End a server's machine, now."""
        self.ask("POST", f"/servers/{server}/die")

    def attach(self, server: str, *volumes: str) -> None:
        """Let these volumes, and no others, be attached to a server."""
        self.ask("PUT", f"/servers/{server}/volumes", {"volumes": list(volumes)})

    def servers(self) -> int:
        """Count the servers, whatever their state."""
        (region,) = self.ask("GET", "/state")["regions"].values()
        return int(region["servers"])

    def state_counts(self) -> dict[str, int]:
        """Count the servers by state."""
        (region,) = self.ask("GET", "/state")["regions"].values()
        counts: dict[str, int] = region["server_states"]
        return counts

    def calls(self) -> Doc:
        """Return how often each API call was made."""
        calls: Doc = self.ask("GET", "/calls")["calls"]
        return calls
