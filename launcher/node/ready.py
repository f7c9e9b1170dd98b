"""The users' record of a proven node: how to reach it, and what is worth knowing of it."""

from launcher.node.view import NodeView
from launcher.policy import Policy
from launcher.server.addressing import address
from remuda.model.node import Node


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
        image_id=launch.image_build or making.image.name or server.image_id,
        host_keys=list(view.proof.host_keys),
    ).with_server(server.id)
