"""Putting a new server on networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sandbox.compute.model import Nic, Server
from sandbox.faults import SshMode
from sandbox.network.addresses import UNREACHABLE, AddressPool
from sandbox.network.state import NetworkState
from sandbox.network.tables import Row
from sandbox.web.call import Call
from sandbox.web.errors import ApiError


class Connector:
    """Gives servers of one region their ports."""

    def __init__(self, network: NetworkState) -> None:
        self._network = network
        self._unreachable = AddressPool(UNREACHABLE)

    def connected(
        self, call: Call, server: Server, groups: Sequence[Row], networks: Any, mode: SshMode | None
    ) -> Server:
        """Return *server* with its ports.

        Args:
            call: In whose name.
            server: Not yet in the store.
            groups: Security groups of ports made for it.
            networks: As in the request: ``auto``, ``none``, a list, or None.
            mode: How the fault plan wants it to be unreachable.

        Raises:
            ApiError: As Nova; nothing is left behind then.
        """
        if mode is SshMode.NO_ADDRESS:
            return server
        made: list[tuple[Row, bool]] = []
        try:
            made.extend(
                self._port(server, call.who.project_id, each)
                for each in self._wanted_networks(call, networks)
            )
        except ApiError:
            for port, own in made:  # the server will not exist, nor may its ports
                if own:
                    self._network.drop_port(port["id"])
            raise
        nics = tuple(self._nic(groups, each) for each in made)
        if mode is SshMode.NO_ROUTE and nics:
            nics = (replace(nics[0], address=self._unreachable.take()), *nics[1:])
        return replace(server, nics=nics)

    def _wanted_networks(self, call: Call, networks: Any) -> list[Any]:
        """Return what to connect a server to; not told, Nova takes the only network there is."""
        if networks == "none":
            return []
        if isinstance(networks, list) and networks:
            return networks
        if networks not in (None, "auto", []):
            raise ApiError(400, "Invalid input for field/attribute networks.")
        usable = self._network.usable_networks(call.who.project_id)
        if len(usable) > 1 and networks != "auto":
            raise ApiError(
                409, "Multiple possible networks found, use a Network ID to be more specific."
            )
        return [{"uuid": row["id"]} for row in usable[:1]]

    def _port(self, server: Server, project: str, asked: Any) -> tuple[Row, bool]:
        if not isinstance(asked, dict):
            raise ApiError(400, "Invalid input for field/attribute networks.")
        if asked.get("port"):
            port = self._network.ports.rows.get(str(asked["port"]))
            if port is None or port["project_id"] != project:
                raise ApiError(400, f"Port id {asked['port']} could not be found.")
            if port["device_id"]:
                raise ApiError(409, f"Port {port['id']} is still in use.")
            port.update(device_id=server.id, device_owner=f"compute:{server.zone}", status="ACTIVE")
            return port, False
        network_id = str(asked.get("uuid", ""))
        if network_id not in self._network.networks.rows:
            raise ApiError(400, f"Network {network_id} could not be found.")
        fixed = [{"ip_address": asked["fixed_ip"]}] if asked.get("fixed_ip") else []
        return self._new_port(server, network_id, {"fixed_ips": fixed}), True

    def _new_port(self, server: Server, network_id: str, asked: Row) -> Row:
        try:
            return self._network.add_port(
                server.project_id,
                network_id,
                {**asked, "device_id": server.id, "device_owner": f"compute:{server.zone}"},
            )
        except ApiError as exc:
            if exc.kind == "OverQuota":
                raise ApiError(403, "Maximum number of ports exceeded") from exc
            raise ApiError(400, exc.message) from exc

    def _nic(self, groups: Sequence[Row], made: tuple[Row, bool]) -> Nic:
        port, own = made
        if own:
            port["security_groups"] = [row["id"] for row in groups]
        network = self._network.networks.get(port["network_id"])
        return Nic(
            network_id=network["id"],
            network=network["name"],
            port_id=port["id"],
            address=port["fixed_ips"][0]["ip_address"],
            mac=port["mac_address"],
            floating=self._network.floating_of(port["id"]),
            own_port=own,
        )
