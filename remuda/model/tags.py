"""What we write on servers and images, so that a listing of the cloud says whose they are.

Nova keeps metadata as text pairs, each side at most 255 characters (schema of ``POST /servers``).
The ``remuda_`` keys are ours. The ``nodepool_`` keys and ``groups`` are those that Nodepool 11
writes: inventories and clean-up scripts of many sites read them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from remuda.model.ids import NodeId, PoolName, ProviderName, ServerId

NODE_ID: Final = "remuda_node_id"
PROVIDER: Final = "remuda_provider"
POOL: Final = "remuda_pool"
LABEL: Final = "remuda_label"
INSTALLATION: Final = "remuda_installation"
IMAGE: Final = "remuda_image"
BUILD: Final = "remuda_build"
IMAGE_NAME: Final = "remuda_image_name"
#: On servers: the build that they boot. Not the keys of images: a snapshot is no build of ours.
BOOTED: Final = "remuda_booted_build"
COPY_OF: Final = "remuda_copy_of"
#: In place of an image's name, on take-home images; no image can be called so. Their *build* is the
#: node that the machine was.
TAKE_HOME: Final = "@take-home"
#: On take-home images: when they end, as seconds since the epoch; for people who find one.
ENDS: Final = "remuda_ends"
#: SHA-256 of what was stated of a build: known only once its image is whole, so that it is written
#: after the others. What descends from the image inherits it, and says nothing by it.
STATEMENT: Final = "remuda_statement"

#: The installation of everything that ``remuda cloud check --boot`` makes: a launcher's sweep must
#: not take such a machine away while it is tried.
TRIALS: Final = "remuda-cloud-check"

#: Limit of Nova for a value; counted in bytes, as some databases below it do.
VALUE_BYTES_MAX: Final = 255

#: Short, because Windows allows only fifteen characters for a host name.
_NAME_PREFIX: Final = "np"
_TRIAL_PREFIX: Final = "remuda-"
_NOTE_PREFIX: Final = "remuda"
#: Written out: what a new image does not say of itself, it inherits.
_NO_COPY: Final = "none"

#: So many pairs are ours on a server; the rest of the cloud's quota is the operator's.
OURS_MAX: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Who answers for a thing in a cloud.

    Attributes:
        installation: Tells two installations apart that share one project.
    """

    installation: str
    provider: ProviderName


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerTags:
    """What our keys say of one server.

    Attributes:
        build: Which build of an image of ours it boots; None: it boots another image.
    """

    owner: Owner
    node: NodeId
    pool: PoolName
    label: str
    build: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageTags:
    """What our keys say of one image in a cloud.

    Attributes:
        image: What the configuration calls it.
        build: Which making of it.
        name: What the cloud calls it. Snapshots inherit the properties of the image that their
            server was booted from, so a stranger's snapshot of one of our machines carries our
            keys, but another name.
        copy_of: Id of the image that it was copied from, which may be another cloud's; None: it
            was made of a machine. A copy has tags of its own, with its own provider: those that
            came along with its source's properties say nothing of it.
    """

    owner: Owner
    image: str
    build: str
    name: str
    copy_of: str | None = None


def server_name(node: NodeId, installation: str = "") -> str:
    """Return the server's name in the cloud, which is also its host name.

    Those of a check say in full whose they are: a person may look at them.
    """
    return f"{_TRIAL_PREFIX if installation == TRIALS else _NAME_PREFIX}{node}"


def make(
    ours: ServerTags, *, image: str = "", extra: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the metadata of a new server; the pair of :func:`read`.

    Args:
        ours: Whose it is.
        image: Name of the image, for ``groups`` only.
        extra: The operator's own pairs. Long values are cut, for metadata informs people and
            no launch should fail for it; keys that are ours are overridden.
    """
    provider = ours.owner.provider
    pairs = {
        **(extra or {}),
        "groups": f"{provider},{image},{ours.label}",
        "nodepool_node_id": ours.node,
        "nodepool_pool_name": ours.pool,
        "nodepool_provider_name": provider,
        NODE_ID: ours.node,
        PROVIDER: provider,
        POOL: ours.pool,
        LABEL: ours.label,
        INSTALLATION: ours.owner.installation,
    }
    if ours.build is not None:
        pairs[BOOTED] = ours.build
    return {key: _cut(value) for key, value in pairs.items()}


def read(tags: Mapping[str, str]) -> ServerTags | None:
    """Return whose server this is, or None if it carries no complete set of our keys."""
    values = [tags.get(key, "") for key in (INSTALLATION, PROVIDER, NODE_ID, POOL, LABEL)]
    if not all(values):
        return None
    installation, provider, node, pool, label = values
    return ServerTags(
        owner=Owner(installation=installation, provider=ProviderName(provider)),
        node=NodeId(node),
        pool=PoolName(pool),
        label=label,
        build=tags.get(BOOTED),
    )


def owned_node(tags: Mapping[str, str], owner: Owner) -> NodeId | None:
    """Return the node that a server was made for, if *owner* made it."""
    found = read(tags)
    return found.node if found is not None and found.owner == owner else None


def marked(tags: Mapping[str, str], owner: Owner) -> bool:
    """Whether *owner* is named on a server, whatever else is: more than ``owned_node`` says yes."""
    return (tags.get(INSTALLATION), tags.get(PROVIDER)) == (owner.installation, owner.provider)


def make_image(ours: ImageTags) -> dict[str, str]:
    """Return the properties that mark an image as ours; the pair of :func:`read_image`."""
    pairs = {
        PROVIDER: ours.owner.provider,
        INSTALLATION: ours.owner.installation,
        IMAGE: ours.image,
        BUILD: ours.build,
        IMAGE_NAME: ours.name,
        COPY_OF: ours.copy_of or _NO_COPY,
    }
    return {key: _cut(value) for key, value in pairs.items()}


def read_image(name: str, properties: Mapping[str, str]) -> ImageTags | None:
    """Return whose image this is; None if it is of another name, or lacks one of our keys."""
    keys = (INSTALLATION, PROVIDER, IMAGE, BUILD, IMAGE_NAME)
    values = [properties.get(key, "") for key in keys]
    if not all(values) or values[-1] != _cut(name):
        return None
    installation, provider, image, build, _ = values
    return ImageTags(
        owner=Owner(installation=installation, provider=ProviderName(provider)),
        image=image,
        build=build,
        name=name,
        copy_of=None if (source := properties.get(COPY_OF, _NO_COPY)) == _NO_COPY else source,
    )


def descends_from_build(properties: Mapping[str, str]) -> bool:
    """Whether an image carries the tags of a build, as its own or inherited.

    Nobody may find such an image by a name, a pattern or a property: it is a candidate that is
    not proven, an image that was retired, or what somebody made of a machine by hand. Launchers
    know the images of builds by their ids.
    """
    return all(properties.get(key) for key in (INSTALLATION, IMAGE, BUILD))


def trial_owner(provider: ProviderName) -> Owner:
    """Return who answers for what a check of *provider* makes."""
    return Owner(installation=TRIALS, provider=provider)


def note(owner: Owner, server: ServerId) -> str:
    """Return the description of a floating IP, which has no metadata; pair of :func:`noted`."""
    return f"{_note_start(owner)}{server}"


def noted(description: str, owner: Owner) -> ServerId | None:
    """Return the server that a floating IP was made for, for all its life, if by *owner*."""
    start = _note_start(owner)
    if not description.startswith(start) or len(description) == len(start):
        return None
    return ServerId(description.removeprefix(start))


def _note_start(owner: Owner) -> str:
    return f"{_NOTE_PREFIX} {owner.installation} {owner.provider} "


def _cut(value: str) -> str:
    raw = value.encode()
    return value if len(raw) <= VALUE_BYTES_MAX else raw[:VALUE_BYTES_MAX].decode(errors="ignore")
