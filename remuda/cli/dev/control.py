"""The control endpoint of a sandbox: what is there, and faults."""

import json
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

_ANSWER_S: Final = 30.0


class ControlFailedError(Exception):
    """A sandbox's control endpoint does not do what it is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """Where a sandbox's control endpoint is, and what it asks for."""

    url: str
    token: str = field(repr=False)

    @classmethod
    def of(cls, clouds_file: Path, cloud: str) -> "Control":
        """Return that of a *cloud* in a clouds.yaml that a sandbox wrote."""
        found = yaml.safe_load(clouds_file.read_text())["clouds"][cloud]["sandbox_control"]
        return cls(url=found["url"], token=found["token"])

    def state(self) -> Mapping[str, Any]:
        """Return a summary of what there is.

        Raises:
            ControlFailedError: If it does not answer.
        """
        found: Mapping[str, Any] = self._ask("GET", "state", None)
        return found

    def add_fault(self, rule: Mapping[str, Any]) -> None:
        """Have the cloud fail from now on where *rule* says.

        Raises:
            ControlFailedError: If it does not take it.
        """
        self._ask("POST", "faults", rule)

    def _ask(self, method: str, path: str, document: Mapping[str, Any] | None) -> Any:
        request = urllib.request.Request(  # noqa: S310 - a loopback address of ours
            f"{self.url}/{path}",
            data=None if document is None else json.dumps(document).encode(),
            headers={
                "Content-Type": "application/json",
                "Authorization": f"Bearer {self.token}",
            },
            method=method,
        )
        # Whatever proxy there is for others: it has no way to this machine's loopback.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=_ANSWER_S) as reply:
                return json.load(reply)
        except (OSError, ValueError) as error:
            raise ControlFailedError(f"{method} {self.url}/{path}: {error}") from error


def why_no_images(states: Iterable[Mapping[str, Any]]) -> str:
    """Return why no images can be made in sandboxes of these states; empty: they can.

    A build is refused whose machine cannot be made quiet, and only a machine that has a root of
    its own can. All its files are searched for secrets, so they must not be all of this host's.
    """
    for one in states:
        if one["machines"] != "namespace":
            return (
                f"its machines are of kind {one['machines']}, and only those of kind namespace, "
                "which need root with CAP_SYS_ADMIN, have files of their own"
            )
        if one["system"] != "minimal":
            return (
                "its machines see all files of this one, and searching these for secrets takes "
                "minutes: see --system"
            )
    return ""
