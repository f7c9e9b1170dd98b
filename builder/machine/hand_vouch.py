"""Whether a machine that we were given is the one that launchers made for our request.

Others may write the records of nodes and requests. Launches are written by launchers only, and the
cloud shows what a server is: a machine that is not vouched for by both is left alone.
"""

from dataclasses import dataclass
from typing import Final

from builder.hands import blame
from remuda.cloud.api import Cloud, GoneError, Server, TryLaterError
from remuda.insight.facts import NodeFacts
from remuda.insight.launches import BrokenLaunch, ClosedLaunch, FoundLaunch, NoLaunch, launch_answer
from remuda.model import tags
from remuda.model.build import Blame
from remuda.model.ids import NodeId, RequestId, ServerId
from remuda.model.image import UploadId
from remuda.model.launch import Launch
from remuda.model.tags import Owner
from remuda.runtime.waiting import OverdueError, Waiting
from remuda.store import paths
from remuda.store.api import Store
from remuda.visible import visible

#: A cloud may show a floating IP some time after it was given, and be busy.
SHOWN_S: Final = 60.0
_EVERY_S: Final = 2.0
_STEP: Final = "machine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was asked for; see :class:`builder.machine.hand_borrow.MachineWanted`."""

    request: RequestId
    label: str
    upload: UploadId | None
    cloud: Cloud
    owner: Owner
    boots: str | None
    secret: bool
    login_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Vouched:
    """What is known of the machine for sure.

    Attributes:
        host_keys: The key that launchers gave it; of one whose key nobody chose, what its node's
            record says: no secret is told to such a machine.
        host: Where it runs, as the cloud hides its name, if it says so.
        active_s: When it was first shown running, wall clock of its launcher, if that is on record.
    """

    server: ServerId
    address: str
    host_keys: tuple[str, ...]
    host: str | None
    active_s: float | None = None


def vouch(store: Store, asked: Asked, node: NodeFacts, waiting: Waiting) -> Vouched:
    """Compare a node with its launch, and with what the cloud shows.

    Raises:
        MishapError: It is not what was asked for, or nobody can tell.
        StoreError: ZooKeeper does not say.
        CloudError: The cloud does not.
        HandStoppedError: The hand has to stop.
    """
    if (node.provider, node.label) != (asked.owner.provider, asked.label):
        where = f"is of {visible(node.provider or '')}, {visible(node.label)}"
        raise refusal(node.id, f"{where}: not what was asked for")
    launch = read_launch(store, asked.owner.provider, node.id)
    if why := _not_ours(launch, asked, node):
        raise refusal(node.id, why)
    address = launch.address or node.address or ""
    server = shown(asked.cloud, asked.owner, launch, address, waiting)
    if asked.boots is not None and server.image_id != asked.boots:
        raise refusal(node.id, f"boots image {server.image_id}, not {asked.boots}")
    if launch.host_key is None and asked.secret:
        message = "secrets are told only to machines whose host key is known: use host-keys: inject"
        raise blame.fail(_STEP, Blame.RECIPE, message)
    keys = launch.believed_keys or node.host_keys
    return Vouched(
        server=server.id,
        address=address,
        host_keys=keys,
        host=server.host_id,
        active_s=launch.active_s,
    )


def refusal(node: NodeId, why: str) -> blame.MishapError:
    """Return the error to raise: no image is judged by what somebody else did to a record."""
    return blame.fail(_STEP, Blame.BUILDER, f"node {node} {why}")


def read_launch(store: Store, provider: str, node: NodeId) -> Launch:
    """Read the launch of a node anew.

    Raises:
        MishapError: There is none that can be read.
        StoreError: ZooKeeper does not say.
    """
    (found,) = store.read_fresh([paths.launch(provider, node)])
    match launch_answer(node, found):
        case FoundLaunch(launch):
            return launch
        case BrokenLaunch(why):
            raise refusal(node, f"has a launch that cannot be read: {why}")
        case ClosedLaunch(error):
            raise error
        case NoLaunch():
            raise refusal(node, f"was not launched by {provider}")


def _not_ours(launch: Launch, asked: Asked, node: NodeFacts) -> str:
    """Return how a launch differs from what was asked for, or from its node, if it does."""
    upload = asked.upload
    booted = (None, None) if upload is None else (str(upload.build), upload.place)
    if launch.for_request != asked.request or launch.label != asked.label:
        return "was not launched for our request"
    if (launch.image_build, launch.image_place) != booted:
        return f"was launched from {launch.image_build}, not from {booted[0]}"
    if launch.login_key != asked.login_key:
        # Its request was changed: whoever did it may be on the machine already.
        return "was launched for another login key than ours"
    return forged(launch, node)


def forged(launch: Launch, node: NodeFacts) -> str:
    """Return how a node's record differs from its launch."""
    if launch.server is None or launch.server != node.server:
        return "names another server than its launch"
    if not node.address or launch.address not in {None, node.address}:
        return "names another address than its launch"
    if launch.keyless or not node.host_keys:
        return "has no host key on record"
    if launch.host_key is not None and node.host_keys != launch.believed_keys:
        return "names other host keys than its launch"
    return ""


def shown(cloud: Cloud, owner: Owner, launch: Launch, address: str, waiting: Waiting) -> Server:
    """Return the server once the cloud shows it as ours, with that address.

    Raises:
        MishapError: It is another one.
        OverdueError: The cloud does not show it.
        CloudError: It does not answer.
        HandStoppedError: The hand has to stop.
    """
    wrong = ""

    def look() -> Server | None:
        nonlocal wrong
        try:
            seen = cloud.get_server(launch.server or ServerId(""))
        except TryLaterError:
            return None
        except GoneError:
            wrong = f"node {launch.id}: the cloud has no server {launch.server}"
            raise blame.fail(_STEP, Blame.CLOUD, wrong) from None
        if tags.owned_node(seen.tags, owner) != launch.id:
            wrong = f"node {launch.id}: server {seen.id} does not have its tags"
            raise blame.fail(_STEP, Blame.BUILDER, wrong)
        addresses = (seen.public_ipv4, seen.private_ipv4, seen.public_ipv6, seen.floating_ipv4)
        if address in addresses:
            return seen
        wrong = f"node {launch.id}: server {seen.id} does not have the address {visible(address)}"
        return None

    ends_s = waiting.clock.monotonic_s() + SHOWN_S
    overdue = f"the cloud does not show server {launch.server}"
    try:
        return waiting.until(look, ends_s=ends_s, every_s=_EVERY_S, overdue=overdue)
    except OverdueError:
        if not wrong:
            raise
        raise blame.fail(_STEP, Blame.BUILDER, wrong) from None
