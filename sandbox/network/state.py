"""The networks of one region: what exists, and how it comes and goes."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from ipaddress import IPv4Network
from typing import Any

from sandbox.clock import Clock, iso
from sandbox.config import NetworkConfig, stable_id
from sandbox.network.addresses import AddressPool, NoAddressesError
from sandbox.network.tables import Row, Table
from sandbox.quota import Quotas, exceeds
from sandbox.web.errors import ApiError


def over_quota(resource: str) -> ApiError:
    """Return the refusal of one more *resource*, in Neutron's words."""
    return ApiError(409, f"Quota exceeded for resources: ['{resource}'].", kind="OverQuota")


class NetworkState:
    """Tables, addresses and quotas.

    Every change of a floating IP is told to *floating_changed*: who forwards, and Nova.
    """

    def __init__(
        self,
        region: str,
        networks: Iterable[tuple[NetworkConfig, str, IPv4Network]],
        quotas: Quotas,
        clock: Clock,
    ) -> None:
        self.region = region
        self.quotas = quotas
        self.clock = clock
        self.networks = Table(
            "network", "networks", ("NetworkNotFound", "Network {} could not be found.")
        )
        self.subnets = Table(
            "subnet", "subnets", ("SubnetNotFound", "Subnet {} could not be found.")
        )
        self.ports = Table("port", "ports", ("PortNotFound", "Port {} could not be found."))
        self.routers = Table(
            "router", "routers", ("RouterNotFound", "Router {} could not be found")
        )
        self.floatingips = Table(
            "floatingip", "floatingips", ("FloatingIPNotFound", "Floating IP {} could not be found")
        )
        self.pools: dict[str, AddressPool] = {}
        self.floating_changed: list[Callable[[Row, str | None], None]] = []
        for config, project_id, cidr in networks:
            self._configured(config, project_id, cidr)

    def stamps(self) -> dict[str, Any]:
        """Return the members every resource has for its age."""
        now = iso(self.clock.now_s())
        return {
            "created_at": now,
            "updated_at": now,
            "revision_number": 1,
            "tags": [],
            "description": "",
        }

    def _configured(self, config: NetworkConfig, project_id: str, cidr: IPv4Network) -> None:
        network_id = stable_id("network", self.region, config.name)
        self.add_network(
            network_id,
            project_id,
            {"name": config.name, "shared": config.shared, "router:external": config.external},
        )
        self.add_subnet(
            stable_id("subnet", self.region, config.name),
            project_id,
            network_id,
            cidr,
            f"{config.name}-subnet",
        )

    def add_network(self, network_id: str, project_id: str, asked: Mapping[str, Any]) -> Row:
        """Add a network without a subnet."""
        return self.networks.add(
            {
                "id": network_id,
                "name": str(asked.get("name", "")),
                "tenant_id": project_id,
                "project_id": project_id,
                "admin_state_up": True,
                "status": "ACTIVE",
                "subnets": [],
                "shared": bool(asked.get("shared", False)),
                "mtu": 1500,
                "router:external": bool(asked.get("router:external", False)),
                "port_security_enabled": True,
                "availability_zone_hints": [],
                "availability_zones": ["nova"],
                "ipv4_address_scope": None,
                "ipv6_address_scope": None,
                "is_default": False,
                "qos_policy_id": None,
                "dns_domain": "",
                **self.stamps(),
            }
        )

    def add_subnet(
        self, subnet_id: str, project_id: str, network_id: str, cidr: IPv4Network, name: str
    ) -> Row:
        """Add a subnet; its first address is the gateway's."""
        gateway = str(cidr.network_address + 1)
        self.pools[subnet_id] = AddressPool(cidr)
        self.networks.get(network_id)["subnets"].append(subnet_id)
        return self.subnets.add(
            {
                "id": subnet_id,
                "name": name,
                "network_id": network_id,
                "cidr": str(cidr),
                "tenant_id": project_id,
                "project_id": project_id,
                "ip_version": 4,
                "gateway_ip": gateway,
                "enable_dhcp": False,
                "dns_nameservers": [],
                "host_routes": [],
                "ipv6_ra_mode": None,
                "ipv6_address_mode": None,
                "subnetpool_id": None,
                "service_types": [],
                "segment_id": None,
                "allocation_pools": [
                    {"start": str(cidr.network_address + 2), "end": str(cidr.broadcast_address - 1)}
                ],
                **self.stamps(),
            }
        )

    def check_quota(self, resource: str, table: Table, project_id: str) -> None:
        """Refuse in Neutron's words if the project may not have one more."""
        limit = getattr(self.quotas.of(project_id), resource)
        if exceeds(limit, sum(1 for _ in table.of_project(project_id)), 1):
            raise over_quota(resource)

    def usable_networks(self, project_id: str) -> list[Row]:
        """Return the networks a project's servers can be put on without an own port."""
        return [
            row
            for row in self.networks.rows.values()
            if row["subnets"] and (row["shared"] or row["project_id"] == project_id)
        ]

    def take_address(self, network_id: str) -> tuple[str, str]:
        """Return a subnet of the network and a free address in it."""
        for subnet_id in self.networks.get(network_id)["subnets"]:
            try:
                return subnet_id, self.pools[subnet_id].take()
            except NoAddressesError:
                continue
        raise ApiError(
            409,
            f"No more IP addresses available on network {network_id}.",
            kind="IpAddressGenerationFailure",
        )

    def add_port(self, project_id: str, network_id: str, asked: Mapping[str, Any]) -> Row:
        """Add a port with an address: the asked one, else a free one."""
        self.check_quota("port", self.ports, project_id)
        subnet_id, address = self._asked_address(network_id, asked)
        port_id = str(uuid.uuid4())
        mac = ":".join(("fa", "16", "3e", port_id[:2], port_id[2:4], port_id[4:6]))
        device = str(asked.get("device_id", ""))
        return self.ports.add(
            {
                "id": port_id,
                "name": str(asked.get("name", "")),
                "network_id": network_id,
                "tenant_id": project_id,
                "project_id": project_id,
                "mac_address": mac,
                "admin_state_up": True,
                "status": "ACTIVE" if device else "DOWN",
                "device_id": device,
                "device_owner": str(asked.get("device_owner", "")),
                "fixed_ips": [{"subnet_id": subnet_id, "ip_address": address}],
                "security_groups": list(asked.get("security_groups") or []),
                "allowed_address_pairs": [],
                "extra_dhcp_opts": [],
                "binding:vnic_type": "normal",
                "port_security_enabled": True,
                "dns_name": "",
                "dns_assignment": [],
                **self.stamps(),
            }
        )

    def _asked_address(self, network_id: str, asked: Mapping[str, Any]) -> tuple[str, str]:
        network = self.networks.get(network_id)
        wanted = next(
            (
                each["ip_address"]
                for each in asked.get("fixed_ips") or []
                if isinstance(each, dict) and each.get("ip_address")
            ),
            None,
        )
        if wanted is None:
            return self.take_address(network_id)
        for subnet_id in network["subnets"]:
            if self.pools[subnet_id].take_this(str(wanted)):
                return subnet_id, str(wanted)
        raise ApiError(
            409,
            f"IP address {wanted} already allocated or not in network {network_id}.",
            kind="IpAddressAlreadyAllocated",
        )

    def drop_port(self, port_id: str) -> None:
        """Remove a port; its floating IPs stay, with no port."""
        port = self.ports.rows.pop(port_id, None)
        if port is None:
            return
        for each in port["fixed_ips"]:
            self._give_back(each["ip_address"])
        for floating in list(self.floatingips.rows.values()):
            if floating["port_id"] == port_id:
                self.associate(floating, None)

    def _give_back(self, address: str) -> None:
        for pool in self.pools.values():
            pool.give_back(address)

    def add_floating(self, project_id: str, asked: Mapping[str, Any]) -> Row:
        """Add a floating IP from an external network, and associate it if a port is named."""
        self.check_quota("floatingip", self.floatingips, project_id)
        network = self.networks.get(str(asked.get("floating_network_id", "")))
        if not network["router:external"]:
            raise ApiError(
                400,
                f"Bad floatingip request: Network {network['id']} is not a valid external network.",
                kind="BadRequest",
            )
        if asked.get("port_id"):
            self._check_free(network["id"], str(asked["port_id"]))
        _, address = self.take_address(network["id"])
        row = self.floatingips.add(
            {
                "id": str(uuid.uuid4()),
                "floating_network_id": network["id"],
                "floating_ip_address": address,
                "tenant_id": project_id,
                "project_id": project_id,
                "port_id": None,
                "fixed_ip_address": None,
                "router_id": None,
                "status": "DOWN",
                "dns_domain": "",
                "dns_name": "",
                "qos_policy_id": None,
                "port_details": None,
                **self.stamps(),
                "description": str(asked.get("description", "")),
            }
        )
        if asked.get("port_id"):
            self.associate(row, str(asked["port_id"]))
        return row

    def _check_free(self, network_id: str, port_id: str) -> None:
        """Refuse a second floating IP of one network for a port, as Neutron's database does."""
        port = self.ports.get(port_id)
        for row in self.floatingips.rows.values():
            if row["port_id"] == port_id and row["floating_network_id"] == network_id:
                raise ApiError(
                    409,
                    f"Cannot associate floating IP with port {port_id} using fixed IP"
                    f" {port['fixed_ips'][0]['ip_address']}, as that fixed IP already has a"
                    f" floating IP on external network {network_id}.",
                    kind="FloatingIPPortAlreadyAssociated",
                )

    def associate(self, floating: Row, port_id: str | None) -> None:
        """Point a floating IP at a port, or at none."""
        before = floating["port_id"]
        fixed = self.ports.get(port_id)["fixed_ips"][0]["ip_address"] if port_id else None
        floating.update(
            port_id=port_id,
            fixed_ip_address=fixed,
            status="ACTIVE" if port_id else "DOWN",
            updated_at=iso(self.clock.now_s()),
        )
        for told in self.floating_changed:
            told(floating, before)

    def drop_floating(self, floating_id: str) -> None:
        """Remove a floating IP."""
        row = self.floatingips.get(floating_id)
        self.associate(row, None)
        del self.floatingips.rows[floating_id]
        self._give_back(row["floating_ip_address"])

    def floating_of(self, port_id: str) -> tuple[str, ...]:
        """Return the floating addresses that point at a port."""
        return tuple(
            row["floating_ip_address"]
            for row in self.floatingips.rows.values()
            if row["port_id"] == port_id
        )
