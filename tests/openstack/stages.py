"""An installation on the real OpenStack: accounts of the lab in place of sandboxes."""

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from remuda.secret import Secret
from tests.openstack.lab.control import Lab, running_lab, slowly
from tests.support import stage
from tests.support.processes import ROOT
from tests.support.stage import Doc, Stage

#: A boot takes three seconds on an idle machine, and much longer beside seven others.
BOOTED_S: Final = 110.0
ACCOUNTS: Final = ("lab", "lab-other")


class _Dumper(yaml.SafeDumper):
    """Writes credentials into clouds.yaml, and nowhere else."""


_Dumper.add_representer(Secret, lambda dumper, one: dumper.represent_str(one.reveal()))


class _Nothing:
    """Stands where a sandbox has its process: the lab is not ours to end."""

    def __init__(self, name: str) -> None:
        self.name = name

    def stop(self) -> None:
        """Leave it running."""

    def tail(self) -> str:
        """Say nothing."""
        return ""


class Account:
    """An account of the lab, as a stage sees a cloud: always with all its rights."""

    def __init__(self, lab: Lab, name: str, entry: Doc | None) -> None:
        self.name = name
        self.process = _Nothing(name)
        self.entry = lab.entry(name) if entry is None else entry
        self._connection = lab.account(name)

    def servers(self) -> int:
        """Count its servers."""
        return len(list(self._connection.compute.servers(details=False)))

    def details(self) -> list[Any]:
        """Return its servers."""
        return list(self._connection.compute.servers())


class LabStage(Stage):
    """A stage whose clouds are accounts of the lab."""

    def __init__(self, folder: Path, lab: Lab) -> None:
        super().__init__(folder)
        self.lab = lab

    def account(self, name: str, entry: Doc | None = None) -> Account:
        """Use an account of the lab, as its own clouds.yaml says or as *entry* does."""
        made = Account(self.lab, name, entry)
        self.clouds[name] = made  # type: ignore[assignment]  # as far as stages use it
        doc = {"clouds": {f"cloud-{one.name}": one.entry for one in self.clouds.values()}}
        clouds_file = self.folder / "clouds.yaml"
        clouds_file.write_text(yaml.dump(doc, Dumper=_Dumper))
        clouds_file.chmod(0o600)
        return made

    def provider(
        self,
        name: str,
        cloud: str,
        *,
        labels: Mapping[str, Doc] | Sequence[str] = ("small",),
        pool: Doc | None = None,
        **settings: Any,
    ) -> None:
        """Configure a provider; listings cost a real Nova more than a sandbox."""
        how = {one: {} for one in labels} if not isinstance(labels, Mapping) else dict(labels)
        port = {"connection_port": self.lab.ssh_port}
        usual = {"list_period": 1, "idle_list_period": 4, "api_timeout": 20}
        super().provider(
            name,
            cloud,
            labels={one: {**port, **more} for one, more in how.items()},
            pool=pool,
            **{**usual, **settings},
        )

    def remuda(self, *words: str, timeout_s: float = 300.0) -> subprocess.CompletedProcess[str]:
        """Run the command, as from a shell."""
        return subprocess.run(
            [sys.executable, "-m", "remuda", *words],
            env={"PATH": "/usr/bin:/bin", "REMUDA_CONFIG": str(self.folder / "remuda.yaml"),
                 "REMUDA_IDENTITY": str(self.key), "HOME": str(self.folder)},
            cwd=ROOT, capture_output=True, text=True, timeout=timeout_s, check=False,
        )  # fmt: skip

    def emptied(self, deadline_s: float = BOOTED_S) -> None:
        """Wait until no account has a server."""
        self.until(
            slowly(lambda: not any(one.servers() for one in self.clouds.values())),
            "all servers to go",
            deadline_s,
        )


@contextmanager
def open_lab_stage(factory: pytest.TempPathFactory, name: str) -> Iterator[LabStage]:
    """Give a stage on the lab, or skip the tests; its accounts are emptied before and after."""
    if why := stage.missing():
        pytest.skip(why)
    lab = running_lab()
    lab.heal()
    for account in ACCOUNTS:
        lab.clear(account)
    try:
        with LabStage(factory.mktemp(name), lab) as made:
            yield made
    finally:
        lab.heal()
        for account in ACCOUNTS:
            lab.clear(account)
