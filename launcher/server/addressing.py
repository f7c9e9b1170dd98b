"""Addresses: which one to connect to, who is given a floating IP, and what takes it back.

The cloud is asked for ports once for all nodes together; each floating IP then costs one call to
make and one to delete, for its id is known here or in the launch record.
"""

from launcher.actions import Plan
from launcher.lanes import PORTS
from launcher.node.end import Refusal
from launcher.node.view import NodeView
from launcher.server.actions import Address, DeleteServer, FindPorts
from launcher.world import World
from remuda.cloud.api import Port
from remuda.metrics.results import Result
from remuda.model.ids import ServerId
from remuda.model.launch import Launch, Step
from remuda.runtime.now import Now


def address(view: NodeView) -> str | None:
    """Return the address to connect to: a floating IP of ours, else what the cloud shows."""
    if view.address.floating_ip is not None:
        return view.address.floating_ip.address
    server = view.server.shown
    if server is None:
        return None
    return server.public_ipv4 or server.private_ipv4 or server.public_ipv6


def wants_ip(world: World, view: NodeView) -> bool:
    """Whether a running machine lacks the floating IP that its pool gives.

    One that the listing shows was given by the replica from which we took the node over.
    """
    gives = world.policy.addresses(view.key[0])
    if not gives or view.address.floating_ip is not None or view.server.shown is None:
        return False
    return view.server.shown.floating_ipv4 is None


def unaddressed(world: World, view: NodeView) -> Refusal:
    """Return why a machine has no floating IP although its pool gives one."""
    if view.address.refusal is not None:
        return view.address.refusal
    why = world.cloud.ports_why or "the cloud shows no port of it with a private IPv4 address"
    return Refusal(result=Result.NETWORK, cause=f"no floating IP: {why}")


def give(view: NodeView, port: Port) -> Address:
    """Return what gives a node its floating IP."""
    return Address(node=view.id, port=port, untried=view.address.untried)


def find_ports(world: World, now: Now, plan: Plan) -> None:
    """Add a look at ports if a running machine needs one; it looks for those that boot, too.

    At most one is under way, and one is begun per period of listings: the machines that the next
    listing shows running mostly had their port before.
    """
    cloud = world.cloud
    views = [world.nodes.views[node_id] for node_id in world.portless]
    if PORTS in world.busy or not any(_in_need(world, view, now) for view in views):
        return
    if now.mono_s < cloud.ports_due_s:
        plan.look_again("cloud", "ports", cloud.ports_due_s)
        return
    servers = (view.server.id for view in views)
    plan.do(FindPorts(servers=tuple(sorted(one for one in servers if one is not None))))


def delete(world: World, view: NodeView, launch: Launch, server: ServerId) -> DeleteServer:
    """Return what deletes a machine together with its floating IP."""
    sure = view.server.surely_ours
    if view.server.released:
        return DeleteServer(node=view.id, server=server, confirmed=sure)
    if view.address.floating_ip is not None:
        known = view.address.floating_ip.id
        return DeleteServer(node=view.id, server=server, confirmed=sure, floating_ip=known)
    hint = launch.floating_ip
    search = hint is None and _may_have_one(world, view)
    return DeleteServer(node=view.id, server=server, confirmed=sure, hinted_ip=hint, search=search)


def _in_need(world: World, view: NodeView, now: Now) -> bool:
    assert view.launch is not None  # noqa: S101 - else it would lack no port
    running = view.launch.step is Step.PROVING and now.mono_s >= view.patience.retry_s
    return running and wants_ip(world, view)


def _may_have_one(world: World, view: NodeView) -> bool:
    """Whether a machine may have a floating IP of which we do not know.

    If one is shown that may be ours, whatever its pool gives by now.
    """
    if view.server.shown is not None and view.server.shown.floating_ipv4 is not None:
        return True
    return world.policy.addresses(view.key[0]) and not view.address.untried
