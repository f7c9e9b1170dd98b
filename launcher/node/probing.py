"""Probes of waiting ready nodes: where to look, which machine has to answer, how often it may not.

Requestors may write a node's record. What it says of address, port and host keys is for them: a
look that followed it would lead wherever somebody likes, and have the node condemned for it; and
who gets the node would be led there, too, with all that a job knows.
"""

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from launcher.node.lifecycle import MISSED_LISTINGS_MAX
from launcher.node.view import NodeView
from launcher.policy import Policy
from launcher.server.addressing import address
from remuda.cloud.api import ServerStatus
from remuda.model.launch import Step

#: A node that did not answer so often in a row is given up.
PROBES_MAX: Final = 2
#: For a node whose label is no longer configured, which is about to be condemned.
_PORT: Final = 22


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeTarget:
    """Where a machine is and what it has to present; without *host_keys* a banner will do."""

    address: str
    port: int
    host_keys: tuple[str, ...]


def known(view: NodeView, policy: Policy) -> bool:
    """Whether what a look in vain found says anything of the machine.

    The last resort of :func:`probe_target` does only if the cloud does not show the server either.
    """
    return _where(view, policy) is not None or view.server.missed >= MISSED_LISTINGS_MAX


def whereabouts(view: NodeView, policy: Policy) -> dict[str, object]:
    """Return what we know better than the node's record says, for whoever gets the node."""
    where, keys = _where(view, policy) or _proven_at(view), _keys(view)
    known_ones: dict[str, object] = {}
    if where is not None:
        known_ones["interface_ip"] = where
    if keys:
        known_ones["host_keys"] = list(keys)
    return known_ones


def probe_target(view: NodeView, policy: Policy) -> ProbeTarget | None:
    """Return where to look, or None if nobody knows.

    The address is what the cloud shows, or the floating IP that we gave; the keys are the one that
    we gave it, or those that we met when we proved it. Where the cloud has not shown the server, or
    not since it may have its floating IP, it is the address at which a launcher has proven it: only
    launchers write that, if ZooKeeper is closed. The users' record is the last resort, of nodes
    whose launch record is older than this: listings may lie, and the machine's answer counts more.
    """
    where = _where(view, policy) or _proven_at(view)
    if where is None and view.node is not None:
        where = _numeric(view.node.doc.get("interface_ip"))
    if not where:
        return None
    making = policy.making.get(view.key)
    keys = _keys(view)
    if making is not None and making.host_keys == "ignore":
        keys = ()
    return ProbeTarget(
        address=where, port=_PORT if making is None else making.connection_port, host_keys=keys
    )


def _where(view: NodeView, policy: Policy) -> str | None:
    """Return the address at which users reach the machine, or None if we are not sure of it.

    A listing begun before it became ready may show it as it was before its floating IP. That is
    all that a replica knows which did not make it ready, until the next listing; whoever proved it
    knows the address at which that went well. Of its two records either may be told first.
    """
    done = view.launch is not None and view.launch.step is Step.DONE
    seen_since = done and view.server.shown_in > view.server.ready_in
    sure = view.address.floating_ip is not None or view.proof.passed or seen_since
    return address(view) if sure or _keeps_address(view, policy) else None


def _proven_at(view: NodeView) -> str | None:
    """Return where the machine was proven, as the launcher wrote that did: a record, no proof."""
    return None if view.launch is None else _numeric(view.launch.address)


def _keeps_address(view: NodeView, policy: Policy) -> bool:
    """Whether a machine that an old listing shows running has no other address by now."""
    running = view.server.status is ServerStatus.ACTIVE
    given = view.launch is not None and view.launch.floating_ip is not None
    return running and not given and not policy.addresses(view.key[0])


def _numeric(told: object) -> str | None:
    """Return an address that a record tells, but no name: resolvers know no deadline of ours."""
    try:
        return str(ip_address(told)) if isinstance(told, str) else None
    except ValueError:
        return None


def _keys(view: NodeView) -> tuple[str, ...]:
    """Return the keys that are on record, else those that we met when we proved the machine."""
    ours = () if view.launch is None else view.launch.believed_keys
    return ours or view.proof.host_keys
