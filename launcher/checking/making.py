"""Every label of every pool: is all there that its orders name?"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from launcher.checking.findings import Area, Findings
from launcher.checking.means import Means
from launcher.policy import Key
from launcher.provider.cloud import Recipe
from launcher.server.specs import flavor_wanted, image_wanted, volume_of
from remuda.cli.output import age
from remuda.cloud.api import BadOrderError, CloudError, Flavor, Image
from remuda.cloud.images import near_names
from remuda.cloud.inspection import SecurityGroup, SeenNetwork
from remuda.cloud.sizes import NO_NEEDS, ImageNeeds
from remuda.config.model import Pool, PoolLabel
from remuda.ssh.errors import KeyFileError
from remuda.ssh.keyfile import load_key

T = TypeVar("T")

_CHOOSE: Final = "say which with networks: in the pool"


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudOffer:
    """What the cloud has that orders name; None: it would not say."""

    networks: tuple[SeenNetwork, ...] | None
    groups: tuple[SecurityGroup, ...] | None
    keys: tuple[str, ...] | None
    zones: tuple[str, ...] | None


def read_offer(means: Means, out: Findings) -> CloudOffer:
    """Ask for everything that orders name but images and flavors."""
    look = means.inspector
    return CloudOffer(
        networks=_asked(out, "networks", look.networks),
        groups=_asked(out, "security groups", look.security_groups),
        keys=_asked(out, "key pairs", look.key_pairs),
        zones=_asked(out, "availability zones", means.cloud.availability_zones),
    )


def _asked(out: Findings, subject: str, ask: Callable[[], T]) -> T | None:
    with out.guarded(Area.LABEL, subject):
        return ask()
    return None


def check_key_file(means: Means, out: Findings) -> None:
    """Read our private key, as each login will."""
    path = means.policy.config.ssh_key_file
    if path is None:
        out.warning(
            Area.LABEL,
            "ssh-key-file",
            "there is none: nobody logs in, and neither setup nor checks are run",
            "give the provider an ssh-key-file",
        )
        return
    try:
        load_key(path)
    except KeyFileError as exc:
        out.problem(Area.LABEL, "ssh-key-file", str(exc), "give a private key without passphrase")
    else:
        out.ok(Area.LABEL, "ssh-key-file", path)


def check_labels(means: Means, out: Findings, offer: CloudOffer) -> Mapping[Key, Recipe]:
    """Look up what every label needs; return how those can be made that can."""
    check_key_file(means, out)
    recipes: dict[Key, Recipe] = {}
    facts: list[dict[str, Any]] = []
    for key, making in sorted(means.policy.making.items()):
        label = _Label(means=means, out=out, offer=offer, key=key, making=making)
        recipe = label.check()
        facts.append(label.facts(recipe))
        if recipe is not None:
            recipes[key] = recipe
    out.facts["labels"] = facts
    return recipes


@dataclass(slots=True, kw_only=True)
class _Label:
    """One label of one pool."""

    means: Means
    out: Findings
    offer: CloudOffer
    key: Key
    making: PoolLabel
    image: Image | None = None
    flavor: Flavor | None = None

    @property
    def pool(self) -> Pool:
        """The pool it is made in."""
        return self.means.policy.pools[self.key[0]].config

    @property
    def networks(self) -> tuple[str, ...]:
        """What its orders name."""
        return self.pool.networks if self.making.networks is None else self.making.networks

    @property
    def groups(self) -> tuple[str, ...]:
        """The security groups that its orders name."""
        own = self.making.security_groups
        return self.pool.security_groups if own is None else own

    def check(self) -> Recipe | None:
        """Look at everything; return image and flavor if both are there."""
        self._image()
        volume_gib = self._volume()
        self._flavor()
        self._networks()
        self._groups()
        self._key_pair()
        self._zones()
        looked_up = self.image is not None or self.making.image.built is not None
        if self.flavor is None or volume_gib is None or not looked_up:
            return None
        return Recipe(image=self.image, flavor=self.flavor, volume_gib=volume_gib, needs=self.needs)

    def facts(self, recipe: Recipe | None) -> dict[str, Any]:
        """Return what was found as data."""
        image, flavor = self.image, self.flavor
        return {
            "pool": self.key[0],
            "label": self.key[1],
            "ok": recipe is not None,
            "image": image
            and {"id": image.id, "name": image.name, "created_at_s": image.created_s or None},
            "flavor": flavor
            and {
                "id": flavor.id,
                "name": flavor.name,
                "cores": flavor.cores,
                "ram_mib": flavor.ram_mib,
                "disk_gib": flavor.disk_gib,
            },
            "networks": list(self.networks),
            "security_groups": list(self.groups),
            "key_name": self.making.key_name or self.pool.key_name,
            "availability_zones": list(self.pool.availability_zones),
        }

    def _subject(self, what: str) -> str:
        return f"{self.key[0]}/{self.key[1]} {what}"

    def _ok(self, what: str, text: str) -> None:
        self.out.ok(Area.LABEL, self._subject(what), text)

    def _problem(self, what: str, text: str, advice: str) -> None:
        self.out.problem(Area.LABEL, self._subject(what), text, advice)

    def _image(self) -> None:
        if self.making.image.built is not None:
            text = f"{self.making.image.built} is an image of ours: builders see to it"
            self.out.untested(Area.LABEL, self._subject("image"), text)
            return
        try:
            image = self.means.cloud.find_image(image_wanted(self.making.image))
        except BadOrderError as exc:
            self._problem("image", str(exc), "upload it, or correct image: of the label")
            return
        except CloudError as exc:
            self._problem("image", str(exc), "check the image service, then run this again")
            return
        self.image = image
        old_s = self.means.clock.now_s() - image.created_s
        old = f", {age(old_s)} old" if image.created_s else ""
        self._ok("image", f"{image.name} ({image.id}{old})")

    @property
    def needs(self) -> ImageNeeds:
        """What the image needs, as far as that is known here."""
        return NO_NEEDS if self.image is None else self.image.needs

    @property
    def _wanted_gib(self) -> int:
        """The size of the volume that it boots from, GiB; 0: from none."""
        return volume_of(self.making, NO_NEEDS)

    def _volume(self) -> int | None:
        """Return the size of the volume that it boots from; None if that is too small."""
        try:
            return volume_of(self.making, self.needs)
        except BadOrderError as exc:
            self._problem("volume", str(exc), "raise the size: of boot-from-volume")
            return None

    def _flavor(self) -> None:
        try:
            wanted = flavor_wanted(self.making.flavor, self.needs, volume_gib=self._wanted_gib)
            flavor = self.means.cloud.find_flavor(wanted)
        except BadOrderError as exc:
            self._problem("flavor", str(exc), "correct flavor: of the label")
            return
        except CloudError as exc:
            self._problem("flavor", str(exc), "check the compute service, then run this again")
            return
        self.flavor = flavor
        cores = "core" if flavor.cores == 1 else "cores"
        size = f"{flavor.cores} {cores}, {flavor.ram_mib} MiB RAM, {flavor.disk_gib} GiB disk"
        if flavor.disk_gib or self._wanted_gib:
            self._ok("flavor", f"{flavor.name} ({size})")
            return
        self.out.warning(
            Area.LABEL,
            self._subject("flavor"),
            f"{flavor.name} ({size}): without a disk of its own, most clouds refuse to boot an"
            " image from it",
            "set boot-from-volume, or take a flavor with a disk",
        )

    def _networks(self) -> None:
        known = self.offer.networks
        if known is None:
            return
        if not self.networks:
            self._default_network(known)
            return
        names = [(each.id, each.name) for each in known]
        wrong = [why for one in self.networks if (why := _unknown("network", one, names))]
        if wrong:
            self._problem("networks", "; ".join(wrong), "correct networks: of the pool or label")
        else:
            self._ok("networks", ", ".join(self.networks))

    def _default_network(self, known: Iterable[SeenNetwork]) -> None:
        usable = [each.name for each in known if each.usable]
        if len(usable) == 1:
            self._ok("networks", f"none named, so the only one is used: {usable[0]}")
        elif usable:
            self.out.warning(
                Area.LABEL,
                self._subject("networks"),
                f"none named, and the cloud has {len(usable)} to choose from:"
                f" {', '.join(sorted(usable))}; most clouds refuse such orders",
                _CHOOSE,
            )
        else:
            self._problem("networks", "the account sees no network", "make one, or share one")

    def _groups(self) -> None:
        known = self.offer.groups
        if known is None or not self.groups:
            return
        names = [(each.id, each.name) for each in known]
        wrong = [why for one in self.groups if (why := _unknown("security group", one, names))]
        if wrong:
            advice = "correct security-groups: of the pool or label, or make the group"
            self._problem("security groups", "; ".join(wrong), advice)
        else:
            self._ok("security groups", ", ".join(self.groups))

    def _key_pair(self) -> None:
        name, known = self.making.key_name or self.pool.key_name, self.offer.keys
        if name is None or known is None:
            return
        if name in known:
            self._ok("key pair", name)
            return
        self._problem(
            "key pair",
            f"there is no key pair {name!r}; {near_names(name, known)}",
            "import it as the user of clouds.yaml (key pairs belong to users, not to projects),"
            " or leave key-name out: our key comes with the user data",
        )

    def _zones(self) -> None:
        wanted, known = self.pool.availability_zones, self.offer.zones
        if not wanted or known is None:
            return
        missing = [one for one in wanted if one not in known]
        if missing:
            text = f"there is no {', '.join(missing)}; there are {', '.join(known) or 'none'}"
            self._problem("availability zones", text, "correct availability-zones: of the pool")
        else:
            self._ok("availability zones", ", ".join(wanted))


def _unknown(kind: str, wanted: str, known: Iterable[tuple[str, str]]) -> str:
    """Return why *wanted*, a name or an id, cannot be used; empty if it can."""
    pairs = list(known)
    if any(wanted == each_id for each_id, _ in pairs):
        return ""
    ids = sorted(each_id for each_id, name in pairs if name == wanted)
    if len(ids) == 1:
        return ""
    if ids:
        return f"{len(ids)} of kind {kind} are named {wanted!r}: use an id, {', '.join(ids)}"
    return f"there is no {kind} {wanted!r}; {near_names(wanted, (name for _, name in pairs))}"
