"""What `remuda dev` writes down before it starts anything. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from remuda.cli.dev import keeping, recipe

#: Providers and clouds have names that one can say; more clouds help nobody on one machine.
_NAMES: Final = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta")
CLOUDS_MAX: Final = len(_NAMES)
IMAGE: Final = "debian-12"
REGION: Final = "RegionOne"
_FLAVOR: Final = "m1.small"
_LABELS: Final[Mapping[str, tuple[int, str]]] = {"small": (2, _FLAVOR), "big": (1, "m1.large")}
#: Labels whose machines boot an image of ours, and which.
_OF_IMAGES: Final[Mapping[str, str]] = {
    recipe.LABEL: recipe.IMAGE,
    recipe.CAPTURED: recipe.CAPTURED,
    recipe.ON_DEMAND: recipe.ON_DEMAND,
}
_CHECKS: Final = [{"disk": {"free": "64MiB"}}, {"clock": {"skew": "10s"}}]
_POOL_SERVERS_MAX: Final = 8
#: Of a sandbox whose users are not the providers', as the sandbox has them if it is told of none.
_USUAL_USERS: Final = (
    {"name": "demo", "projects": ["demo"]},
    {"name": "admin", "projects": ["admin", "demo"], "roles": ["admin", "member", "reader"]},
)


class Places(StrEnum):
    """Where the providers are: what has to become of an image so that all of them have it."""

    APART = "apart"  # a cloud each: images are carried
    REGIONS = "regions"  # one cloud, a region each: images are carried
    PROJECTS = "projects"  # one region, a project each: images are shared
    TOGETHER = "together"  # one project: images are there already


@dataclass(frozen=True, slots=True, kw_only=True)
class DevCloud:
    """A provider, and its place in a sandbox.

    Attributes:
        cloud: Name in clouds.yaml.
        folder: Of the sandbox, which it may share with others.
        user: Of the sandbox, with a project of this name; empty: its usual one.
    """

    cloud: str
    provider: str
    folder: Path
    region: str = REGION
    user: str = ""

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
        system: What machines see of this one: auto, host, minimal.
        own_network: Each machine has a network of its own.
        boot_s: How long a boot takes, seconds.
        user: Login user of the machines.
        ssh_port: Where they listen.
        no_images: Why no image can be made here; empty: one is.
        project: Id of the developer's project, in each sandbox.
        pages: Where a browser finds each launcher, by provider; empty: none is up yet.
    """

    folder: Path
    clouds: tuple[DevCloud, ...]
    machines: str
    boot_s: float
    user: str
    ssh_port: int
    system: str = "auto"
    own_network: bool = False
    no_images: str = ""
    project: str = ""
    pages: Mapping[str, str] = field(default_factory=dict)

    @property
    def sandboxes(self) -> tuple[DevCloud, ...]:
        """The first user of each sandbox."""
        first: dict[Path, DevCloud] = {}
        for one in self.clouds:
            first.setdefault(one.folder, one)
        return tuple(first.values())

    def sharing(self, cloud: DevCloud) -> tuple[DevCloud, ...]:
        """Return all that use the sandbox that *cloud* uses."""
        return tuple(one for one in self.clouds if one.folder == cloud.folder)

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

    @property
    def script_file(self) -> Path:
        """What makes the image; to be changed by who wants another one."""
        return self.folder / recipe.SCRIPT_NAME

    @property
    def authority_file(self) -> Path:
        """The private key of the authority for certificates."""
        return self.folder / "ssh-ca"

    @property
    def developer_key(self) -> Path:
        """The developer's private key."""
        return self.folder / keeping.DEVELOPER

    @property
    def developer_cloud(self) -> str:
        """Where the developer has an account of their own, in the first sandbox."""
        return f"{self.clouds[0].cloud}-{keeping.DEVELOPER}"

    @property
    def capsule_folder(self) -> Path:
        """Where whole capsules are kept."""
        return self.folder / "capsules"

    @property
    def builder_folder(self) -> Path:
        """Where the builder keeps its files."""
        return self.folder / "builder"


def clouds_of(folder: Path, number: int, places: Places = Places.APART) -> tuple[DevCloud, ...]:
    """Return the first providers: ``alpha`` in ``cloud-a``, and so on."""
    return tuple(_cloud_of(folder, i, places) for i in range(number))


def _cloud_of(folder: Path, i: int, places: Places) -> DevCloud:
    provider = _NAMES[i]
    name = f"cloud-{chr(ord('a') + i)}" if places is Places.APART else "cloud-a"
    one = DevCloud(cloud=name, provider=provider, folder=folder / name)
    match places:
        case Places.REGIONS:
            return replace(one, region=f"region-{provider}")
        case Places.PROJECTS:
            # As the sandbox writes it for its users after the first (docs/sandbox.md).
            return replace(one, user=provider, cloud=f"{name}-{provider}" if i else name)
        case _:
            return one


def sandbox_document(plan: DevPlan, cloud: DevCloud) -> dict[str, Any]:
    """Return the configuration of one sandbox, which *cloud* is the first to use."""
    sharing = plan.sharing(cloud)
    users = [{"name": one.user, "projects": [one.user]} for one in sharing if one.user]
    developer = {"name": keeping.DEVELOPER, "projects": [keeping.DEVELOPER]}
    return {
        "cloud": cloud.cloud,
        "regions": list(dict.fromkeys(one.region for one in sharing)),
        "users": [*(users or _USUAL_USERS), developer],
        "quota": {"instances": 10 * len(sharing), "cores": 20 * len(sharing)},
        # The first free range: somebody else may try this on the same machine.
        "address_range": "auto",
        "machines": plan.machines,
        "system": plan.system,
        "own_network": plan.own_network,
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
    labels: dict[str, Any] = {
        label: {"min-ready": min_ready, "checks": _CHECKS}
        for label, (min_ready, _) in _LABELS.items()
    }
    if not plan.no_images:
        # None is kept ready: whoever asks sees which build is booted at that moment.
        labels |= {label: {"checks": _CHECKS} for label in _OF_IMAGES}
    return {
        "zookeeper": {"hosts": list(zookeeper_hosts)},
        "clouds-file": str(plan.clouds_file),
        "labels": labels,
        "providers": {
            cloud.provider: {
                "cloud": cloud.cloud,
                "region": cloud.region,
                "priority": 100 + i,
                "ssh-key-file": str(plan.key_file),
                "list-period": "0.5s",
                "pools": {"main": _pool(plan)},
            }
            for i, cloud in enumerate(plan.clouds)
        },
        **({} if plan.no_images else {"images": _images(plan)}),
        "developers": keeping.developers(plan.developer_key.with_suffix(".pub")),
        "holds": keeping.holds(plan.authority_file, images=not plan.no_images),
        "capsules": keeping.capsules(plan.capsule_folder, plan.clouds[0].cloud),
    }


def _pool(plan: DevPlan) -> dict[str, Any]:
    login = {"username": plan.user, "connection-port": plan.ssh_port}
    labels: dict[str, Any] = {
        label: {"image": IMAGE, "flavor": flavor, **login} for label, (_, flavor) in _LABELS.items()
    }
    if not plan.no_images:
        for label, image in _OF_IMAGES.items():
            labels[label] = {"image": {"built": image}, "flavor": _FLAVOR, **login}
    return {"max-servers": _POOL_SERVERS_MAX, "labels": labels}


def _images(plan: DevPlan) -> dict[str, Any]:
    machine = {
        "flavor": _FLAVOR,
        "username": plan.user,
        "connection-port": plan.ssh_port,
    }
    providers = [cloud.provider for cloud in plan.clouds]
    return {
        recipe.IMAGE: {"base": IMAGE, **machine, **recipe.making(providers)},
        recipe.CAPTURED: {**machine, **recipe.captured()},
        recipe.ON_DEMAND: {"base": IMAGE, **machine, **recipe.on_demand(providers)},
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
