"""The records of a node at its steps: what each becomes, and how a launch record is taken in.

Pure. A launcher's transactions write what is returned here (``launcher/node/writes.py``), and its
fold takes in what the mirror tells; ``remuda cloud check --boot`` has no ZooKeeper, and does both
at once (``launcher/checking/onenode.py``).
"""

from dataclasses import dataclass, replace
from typing import Final

from launcher.node.actions import Condemn, Sampled
from launcher.node.blame import says_something
from launcher.node.view import ENDED_STATES, NodeView
from launcher.policy import Policy
from launcher.server.addressing import address
from remuda.config.model import PoolLabel
from remuda.model.image import first_use_id
from remuda.model.jobreport import word_of
from remuda.model.launch import Launch, Step, StepEvent
from remuda.model.node import Node, NodeEvent
from remuda.model.tally import Sample

#: Longer reasons are cut.
WHY_CHARS_MAX: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Stepped:
    """Both records of a node one step on; *node* is None if the users' record stays as it is."""

    launch: Launch
    node: Node | None


def counted_launch(launch: Launch, one: Sampled) -> Launch:
    """Return the launch record that says what of it is counted: never again, then."""
    if one.archived is not None:
        return replace(launch, archived=str(one.archived.outcome))
    word = word_of(ok=one.ok)
    if one.sample is Sample.LAUNCH:
        return replace(launch, counted=word)
    return replace(launch, reported=word)


def ready_node(view: NodeView, policy: Policy) -> Node:
    """Return the node record with everything its user needs; the state is not changed yet."""
    node, server, launch = view.node, view.server.shown, view.launch
    assert node is not None  # noqa: S101 - only complete nodes become ready
    assert server is not None  # noqa: S101
    assert launch is not None  # noqa: S101
    making = policy.making[view.key]
    where = address(view)
    # Types matter: one reader refuses anything but text for ids, and a list for host keys.
    return node.with_fields(
        interface_ip=where,
        public_ipv4=server.public_ipv4
        if view.address.floating_ip is None
        else view.address.floating_ip.address,
        private_ipv4=server.private_ipv4,
        public_ipv6=server.public_ipv6,
        az=server.az or launch.az,
        host_id=server.host_id,
        hostname=server.name,
        image_id=_image_id(launch, making) or server.image_id,
        host_keys=list(view.proof.host_keys),
    ).with_server(server.id)


def _image_id(launch: Launch, making: PoolLabel) -> str | None:
    """Return what users are told that a machine boots, if the configuration says it."""
    if launch.first_use is not None and making.image.built is not None:
        return first_use_id(making.image.built)
    return launch.image_build or making.image.name


def proven(view: NodeView, node: Node, *, now_s: float) -> Stepped:
    """Return the records of a proven node; *node* is what its users read, but for its state."""
    assert view.launch is not None  # noqa: S101 - only known launches become ready
    given = None if view.address.floating_ip is None else view.address.floating_ip.id
    last = view.proof.last
    launch = view.launch.after(
        StepEvent.PROVEN,
        floating_ip=given,
        address=address(view),
        setup_fetched=None if last is None else last.setup_fetched,
    )
    return Stepped(launch=launch, node=node.after(NodeEvent.PROVEN, now_s=now_s))


def condemned(view: NodeView, why: str, *, failed: str | None, now_s: float) -> Stepped:
    """Return the records of a node that is to be deleted.

    Args:
        view: The node.
        why: It is to be deleted.
        failed: How its launch failed, see :func:`failed_word`.
        now_s: Wall clock.
    """
    assert view.launch is not None  # noqa: S101 - only known launches are condemned
    launch = view.launch.after(StepEvent.CONDEMNED, why=why[:WHY_CHARS_MAX], failed=failed)
    node = view.node
    if node is None or node.state in ENDED_STATES:
        return Stepped(launch=launch, node=None)
    return Stepped(launch=launch, node=node.after(NodeEvent.CONDEMNED, now_s=now_s))


def failed_word(action: Condemn) -> str | None:
    """Return how a launch failed, as its record says; None: the next of its kind need not fail."""
    return str(action.result) if says_something(action.result) else None


def take_launch(view: NodeView, record: Launch, *, latest_listing: int) -> None:
    """Take in the launch record of a node; *latest_listing* is the last one that was begun."""
    if view.launch is None or view.launch.step is not record.step:
        view.patience.begin_anew()
        view.server.ready_in = latest_listing
    view.launch = record
    if view.visit is not None and record.hold is not None and record.hold.seen_s == view.visit.at_s:
        view.visit = None  # its record says it
    if record.server is not None:
        view.server.hint(record.server)
    if record.step is Step.CONDEMNED:
        view.end = view.end.begun()
