"""What one simulated installation looks like, drawn from the seed."""

import random
from dataclasses import dataclass, field, replace
from typing import Any

from remuda.cloud.api import Quota
from remuda.config.model import Config
from tests.fakes.cloud_fates import BootEnd, Chaos, Create, Delete, Listing
from tests.simulation.imagesetting import Images, applied, draw_images

#: The id of every simulated installation, pinned in its configuration.
INSTALLATION = "simulated"
#: All labels there are; ``odd`` is made by the first provider only.
LABELS = ("small", "large", "odd")
FLAVORS = {"small": "small", "large": "large", "odd": "small"}
CORES = {"small": 1, "large": 4}

BOOT_TIMEOUT_S = 60.0
LAUNCH_TIMEOUT_S = 120.0
API_TIMEOUT_S = 10.0
#: What a server that is gone has left goes in the second round that sees it: while a run waits for
#: rest, two must have come.
TIDY_S = 300.0
SESSION_TIMEOUT_S = 6.0
#: Where surplus goes soon: within the time that a run waits for rest.
SURPLUS_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """How often things go wrong, per kind; all zero is a calm day.

    Attributes:
        crash, freeze, suspend, expire, away, reload: Mean seconds between such events of one
            launcher; 0: never.
        lost_address: Probability that a floating IP is made, but the reply is lost.
        mute: Mean seconds between times at which a cloud answers no create call (503).
        spoilt: Mean seconds between times at which none of a cloud's new machines will do.
        late_create: Probability that a create call times out here and is done later there.
        sick: Probability that a machine never passes its proof.
        skew_s_max: Clocks of hosts differ from the true time by at most this.
    """

    crash: float = 0.0
    freeze: float = 0.0
    suspend: float = 0.0
    expire: float = 0.0
    away: float = 0.0
    reload: float = 0.0
    mute: float = 0.0
    spoilt: float = 0.0
    lost_address: float = 0.0
    late_create: float = 0.0
    sick: float = 0.0
    vanish: float = 0.0
    skew_s_max: float = 0.0
    cloud: Chaos = field(default_factory=Chaos)

    @property
    def lies(self) -> bool:
        """Whether listings may leave servers out."""
        return any(kind in self.cloud.listings for kind in (Listing.EMPTY, Listing.OMITS))


@dataclass(frozen=True, slots=True, kw_only=True)
class HostileRates:
    """Mean seconds between what others do to the installation; 0: never.

    Attributes:
        forge: False launch records.
        behind: A server of ZooKeeper that stands still, below one launcher.
        takeover: Another installation's id in ZooKeeper.
        blackout: Deletions that are refused while listings leave servers out.
    """

    forge: float = 0.0
    behind: float = 0.0
    takeover: float = 0.0
    blackout: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One installation and its weather.

    Attributes:
        document: The configuration, as of a file.
        replicas: Launchers per provider.
        clients: How many requestors come.
        crowd: How many of them come at the same moment, for the same label.
        chaos_s: How long faults go on.
        images: Images of ours that labels boot, if there are any.
    """

    document: dict[str, Any]
    replicas: dict[str, int]
    quotas: dict[str, Quota]
    rates: Rates
    clients: int
    chaos_s: float
    crowd: int = 0
    hostility: HostileRates = field(default_factory=HostileRates)
    images: Images | None = None

    @property
    def config(self) -> Config:
        """The configuration as a value."""
        return Config.model_validate(self.document)


def draw(rng: random.Random, *, calm: bool = False, imaged: bool | None = None) -> Setting:
    """Return the installation of a seed.

    Args:
        rng: All chance comes from it.
        calm: Nothing goes wrong, and no label boots an image of ours.
        imaged: Whether labels boot images of ours; None: in a share of seeds.
    """
    providers = {name: _provider(rng, name) for name in ("alpha", "beta")}
    document = {
        "installation": INSTALLATION,
        "labels": {
            "small": {"min-ready": rng.choice((0, 1, 2, 3)), **_label(rng)},
            "large": {"min-ready": rng.choice((0, 0, 1)), **_label(rng)},
            "odd": {"min-ready": rng.choice((0, 0, 1)), **_label(rng)},
        },
        "providers": providers,
    }
    made = Setting(
        document=document,
        replicas={name: rng.choice((1, 2, 2)) for name in providers},
        quotas={name: _quota(rng) for name in providers},
        rates=Rates() if calm else _rates(rng),
        clients=rng.randint(4, 16),
        chaos_s=rng.choice((60.0, 120.0, 200.0)),
        crowd=0 if calm else rng.choice((0, 0, 5, 10)),
    )
    if calm:
        return made
    # Last, so that what a seed drew before stays as it was.
    made = replace(made, hostility=_hostility(rng))
    images = draw_images(random.Random(rng.random()), LABELS, wanted=imaged)  # noqa: S311
    document = {**document, "labels": _surplus(rng, document["labels"])}
    return replace(made, images=images, document=applied(document, images))


def _surplus(rng: random.Random, labels: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the labels with how long surplus stays: half an hour outlasts every storm."""
    ages = {name: rng.choice((1800, 1800, SURPLUS_S)) for name in labels}
    return {name: {**label, "max-surplus-age": ages[name]} for name, label in labels.items()}


def _hostility(rng: random.Random) -> HostileRates:
    def some(chance: float, value: float) -> float:
        return value if rng.random() < chance else 0.0

    return HostileRates(
        forge=some(0.2, 15.0),
        behind=some(0.2, 40.0),
        takeover=some(0.1, 60.0),
        blackout=some(0.1, 60.0),
    )


def _label(rng: random.Random) -> dict[str, Any]:
    return {
        "max-ready-age": rng.choice((None, None, 90)),
        "recheck": rng.choice((None, 30, 300)),
        "max-check-age": rng.choice((None, None, 1, 20)),
        "setup": {"inline": "#!/bin/sh\ntrue\n"},
    }


def _provider(rng: random.Random, name: str) -> dict[str, Any]:
    labels = LABELS if name == "alpha" else LABELS[:2]
    pools = {"main": _pool(rng, labels)}
    if rng.random() < 0.3:
        pools["side"] = _pool(rng, ("small",))
    return {
        "cloud": name,
        "priority": rng.choice((50, 100, 100)),
        "boot-timeout": BOOT_TIMEOUT_S,
        "launch-timeout": LAUNCH_TIMEOUT_S,
        "api-timeout": API_TIMEOUT_S,
        "launch-attempts": rng.choice((1, 3, 6)),
        "max-concurrency": rng.choice((2, 5, 20)),
        "list-period": 2,
        "idle-list-period": 30,
        "port-cleanup-interval": TIDY_S,
        "ssh-key-file": "/nowhere/key",
        "inject-key": False,
        "pools": pools,
    }


def _pool(rng: random.Random, labels: tuple[str, ...]) -> dict[str, Any]:
    return {
        "max-servers": rng.choice((3, 5, 8)),
        "max-cores": rng.choice((None, 12, 20)),
        "floating-ips": rng.choice((False, True)),
        "labels": _labels(rng, labels),
    }


def _labels(rng: random.Random, labels: tuple[str, ...]) -> dict[str, Any]:
    return {
        label: {
            "image": "debian-12",
            "flavor": FLAVORS[label],
            "host-keys": rng.choice(("inject", "inject", "scan")),
        }
        for label in labels
    }


def _quota(rng: random.Random) -> Quota:
    return Quota(instances_max=rng.choice((None, None, 6)))


def _rates(rng: random.Random) -> Rates:
    """Some kinds of trouble at a time: with all of them at once nothing ever gets going."""

    def some(chance: float, *values: float) -> float:
        return rng.choice(values) if rng.random() < chance else 0.0

    chaos = Chaos(
        creates={
            Create.NO_ROOM: some(0.3, 0.05, 0.2),
            Create.TRY_LATER: some(0.3, 0.05, 0.2),
            Create.LOST_REPLY: some(0.4, 0.1, 0.3),
            Create.LOST_CALL: some(0.3, 0.1, 0.2),
        },
        boots={
            BootEnd.ERROR: some(0.4, 0.1, 0.3),
            BootEnd.HANG: some(0.2, 0.1),
            BootEnd.VANISH: some(0.2, 0.1),
            BootEnd.STOP: some(0.2, 0.1),
        },
        deletes={
            Delete.REFUSED: some(0.3, 0.2),
            Delete.IGNORED: some(0.3, 0.2),
            Delete.SLOW: some(0.3, 0.2),
        },
        listings={
            kind: rate
            for kind, rate in (
                (Listing.EMPTY, some(0.15, 0.1)),
                (Listing.OMITS, some(0.15, 0.2)),
                (Listing.FAILS, some(0.3, 0.2)),
            )
            if rate
        },
        boot_factor_max=rng.choice((1.0, 2.0, 4.0)),
    )
    return Rates(
        crash=some(0.5, 30.0, 90.0),
        freeze=some(0.3, 60.0),
        suspend=some(0.4, 20.0, 60.0),
        expire=some(0.3, 40.0, 90.0),
        away=some(0.4, 5.0, 20.0),
        reload=some(0.3, 30.0),
        late_create=some(0.3, 0.1, 0.3),
        lost_address=some(0.3, 0.1, 0.3),
        sick=some(0.4, 0.1, 0.3),
        vanish=some(0.3, 40.0),
        skew_s_max=some(0.4, 0.5, 2.0),
        mute=some(0.3, 20.0, 60.0),
        spoilt=some(0.3, 30.0, 60.0),
        cloud=chaos,
    )


def changed(document: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """Return the configuration with other numbers, as an operator might write them."""
    labels = {
        name: {**label, "min-ready": rng.choice((0, 1, 2))}
        for name, label in document["labels"].items()
    }
    providers = {}
    for name, provider in document["providers"].items():
        pools = {
            pool: {**doc, "max-servers": rng.choice((3, 5, 8))}
            for pool, doc in provider["pools"].items()
            if pool == "main" or rng.random() < 0.8
        }
        if name == "beta":
            pools["main"]["labels"] = _labels(rng, LABELS[: rng.choice((1, 2, 2, 2))])
        providers[name] = {**provider, "pools": pools}
    return {**document, "labels": labels, "providers": providers}


def calmed(rates: Rates) -> Rates:
    """Return the weather after the storm: the clocks still differ."""
    return replace(Rates(), skew_s_max=rates.skew_s_max)


def config_of(document: dict[str, Any]) -> Config:
    """Return a document as a value."""
    return Config.model_validate(document)
