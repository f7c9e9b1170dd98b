"""What `remuda dev` writes down before it starts anything. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

#: Providers and clouds have names that one can say; more clouds help nobody on one machine.
_NAMES: Final = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta")
CLOUDS_MAX: Final = len(_NAMES)
IMAGE: Final = "debian-12"
_LABELS: Final[Mapping[str, tuple[int, str]]] = {"small": (2, "m1.small"), "big": (1, "m1.large")}
_POOL_SERVERS_MAX: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class DevCloud:
    """One sandbox and the provider that uses it."""

    cloud: str
    provider: str
    folder: Path

    @property
    def sandbox_file(self) -> Path:
        """The sandbox's configuration."""
        return self.folder / "sandbox.yaml"

    @property
    def clouds_file(self) -> Path:
        """Written by the sandbox as soon as it listens."""
        return self.folder / "clouds.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class DevPlan:
    """All there is to write and start.

    Attributes:
        machines: The sandbox's kind of machines: auto, namespace, plain, none.
        boot_s: How long a boot takes, seconds.
        user: Login user of the machines.
        ssh_port: Where they listen.
    """

    folder: Path
    clouds: tuple[DevCloud, ...]
    machines: str
    boot_s: float
    user: str
    ssh_port: int

    @property
    def config_file(self) -> Path:
        """Remuda's configuration."""
        return self.folder / "remuda.yaml"

    @property
    def clouds_file(self) -> Path:
        """The clouds.yaml of all clouds together."""
        return self.folder / "clouds.yaml"

    @property
    def key_file(self) -> Path:
        """The private key that opens all machines."""
        return self.folder / "key"

    @property
    def env_file(self) -> Path:
        """Environment variables for a shell."""
        return self.folder / "env.sh"


def clouds_of(folder: Path, number: int) -> tuple[DevCloud, ...]:
    """Return the first clouds: ``cloud-a`` with the provider ``alpha``, and so on."""
    return tuple(
        DevCloud(
            cloud=f"cloud-{chr(ord('a') + i)}",
            provider=_NAMES[i],
            folder=folder / f"cloud-{chr(ord('a') + i)}",
        )
        for i in range(number)
    )


def sandbox_document(plan: DevPlan, cloud: DevCloud) -> dict[str, Any]:
    """Return the configuration of one sandbox."""
    return {
        "cloud": cloud.cloud,
        # The first free range: somebody else may try this on the same machine.
        "address_range": "auto",
        "machines": plan.machines,
        "ssh_port": plan.ssh_port,
        "boot_seconds": plan.boot_s,
        "images": [
            {
                "name": IMAGE,
                "properties": {"os_distro": "debian", "os_version": "12"},
            }
        ],
        "flavors": [
            {"name": "m1.small", "vcpus": 1, "ram": 1024, "disk": 10},
            {"name": "m1.large", "vcpus": 4, "ram": 8192, "disk": 40},
        ],
    }


def remuda_document(plan: DevPlan, zookeeper_hosts: Sequence[str]) -> dict[str, Any]:
    """Return Remuda's configuration."""
    checks = [{"disk": {"free": "64MiB"}}, {"clock": {"skew": "10s"}}]
    return {
        "zookeeper": {"hosts": list(zookeeper_hosts)},
        "clouds-file": str(plan.clouds_file),
        "labels": {
            label: {"min-ready": min_ready, "checks": checks}
            for label, (min_ready, _) in _LABELS.items()
        },
        "providers": {
            cloud.provider: {
                "cloud": cloud.cloud,
                "priority": 100 + i,
                "ssh-key-file": str(plan.key_file),
                "list-period": "0.5s",
                "pools": {"main": _pool(plan)},
            }
            for i, cloud in enumerate(plan.clouds)
        },
    }


def _pool(plan: DevPlan) -> dict[str, Any]:
    return {
        "max-servers": _POOL_SERVERS_MAX,
        "labels": {
            label: {
                "image": IMAGE,
                "flavor": flavor,
                "username": plan.user,
                "connection-port": plan.ssh_port,
            }
            for label, (_, flavor) in _LABELS.items()
        },
    }


def merged_clouds(documents: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return one clouds.yaml of several."""
    clouds: dict[str, Any] = {}
    for document in documents:
        clouds.update(document.get("clouds") or {})
    return {"clouds": clouds}


def environment(plan: DevPlan) -> dict[str, str]:
    """Return what a shell needs to use all this."""
    return {
        "REMUDA_CONFIG": str(plan.config_file),
        "REMUDA_IDENTITY": str(plan.key_file),
        "OS_CLIENT_CONFIG_FILE": str(plan.clouds_file),
    }
