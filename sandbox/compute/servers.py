"""Nova's API for servers."""

from __future__ import annotations

import re
from typing import Any, Final

from starlette.responses import Response

from sandbox.clock import from_iso
from sandbox.compute.create import ServerMaker
from sandbox.compute.lifecycle import Lifecycle
from sandbox.compute.model import Server
from sandbox.compute.render import Renderer, brief, links
from sandbox.faults import EffectKind
from sandbox.stores import Stores
from sandbox.web.call import About, Call, Op, empty, reply
from sandbox.web.errors import ApiError
from sandbox.web.paging import cut, next_query, read_limit

#: Query parameter → member of the rendered server it is compared with.
_FILTERS: Final = {
    "status": "status",
    "uuid": "id",
    "key_name": "key_name",
    "task_state": "OS-EXT-STS:task_state",
    "vm_state": "OS-EXT-STS:vm_state",
    "availability_zone": "OS-EXT-AZ:availability_zone",
}


class ServersApi:
    """The operations on servers in one region; their actions are in ``actions.py``."""

    def __init__(self, stores: Stores, maker: ServerMaker, lifecycle: Lifecycle) -> None:
        self._root = stores.root
        self._store = stores.servers
        self._images = stores.images
        self._groups = stores.groups
        self._page_size_max = stores.config.page_size_max
        self._maker = maker
        self._lifecycle = lifecycle
        self._renderer = Renderer(stores.root)
        lifecycle.gone.append(lambda server: self._renderer.forget(server.id))

    def ops(self) -> list[Op]:
        """Return the routes below ``/v2.1``."""
        one, about = "/servers/{id}", self.about
        return [
            Op(name="server.list", method="GET", path="/servers", handler=self._list),
            Op(name="server.list", method="GET", path="/servers/detail", handler=self._details),
            Op(
                name="server.create",
                method="POST",
                path="/servers",
                handler=self._create,
                about=self._about_new,
            ),
            Op(name="server.get", method="GET", path=one, handler=self._get, about=about),
            Op(name="server.update", method="PUT", path=one, handler=self._update, about=about),
            Op(name="server.delete", method="DELETE", path=one, handler=self._delete, about=about),
            Op(
                name="server.groups",
                method="GET",
                path=one + "/os-security-groups",
                handler=self._server_groups,
                about=about,
            ),
            Op(
                name="server.volumes",
                method="GET",
                path=one + "/os-volume_attachments",
                handler=self._volumes,
                about=about,
            ),
            Op(
                name="server.interfaces",
                method="GET",
                path=one + "/os-interface",
                handler=self._interfaces,
                about=about,
            ),
        ]

    def mine(self, call: Call) -> Server:
        """Return the server a call is about.

        Raises:
            ApiError: 404, also if it is somebody else's.
        """
        server = self._store.get(call.param("id"))
        if server.project_id != call.who.project_id and not call.who.is_admin:
            raise ApiError(404, f"Instance {server.id} could not be found.")
        return server

    def about(self, call: Call) -> About:
        """Describe the server a call is about."""
        server = self._store.servers.get(call.param("id"))
        return described(server) if server else About()

    def _about_new(self, call: Call) -> About:
        doc = call.body.get("server") if isinstance(call.body, dict) else None
        if not isinstance(doc, dict):
            return About()
        try:
            flavor = self._maker.flavor(doc.get("flavorRef")).name
        except ApiError:
            flavor = ""
        image = self._images.images.get(str(doc.get("imageRef")))
        metadata = doc.get("metadata")
        return About(
            name=str(doc.get("name", "")),
            flavor=flavor,
            image=image.name if image else "",
            metadata=metadata if isinstance(metadata, dict) else {},
        )

    async def _list(self, call: Call) -> Response:
        return self._listing(call, detail=False)

    async def _details(self, call: Call) -> Response:
        return self._listing(call, detail=True)

    def _listing(self, call: Call, *, detail: bool) -> Response:
        servers = [each for each in self._candidates(call) if self._passes(call, each)]
        if (call.query("sort_key") or "created_at") == "created_at" and call.query(
            "sort_dir", "desc"
        ) == "desc":
            servers.reverse()
        elif call.query("sort_key") in ("display_name", "name"):
            servers.sort(key=lambda each: each.name, reverse=call.query("sort_dir") == "desc")
        page = cut(
            call.visible(servers, described),
            marker=call.query("marker"),
            limit=read_limit(call.query("limit"), self._page_size_max),
            id_of=lambda each: each.id,
        )
        docs = [
            self._renderer.full(each, call.version) if detail else brief(each, self._root)
            for each in page.items
        ]
        doc: dict[str, Any] = {"servers": docs}
        if page.next_marker:
            url = call.request.url.replace(query=next_query(call.pairs, page.next_marker))
            doc["servers_links"] = [{"rel": "next", "href": str(url)}]
        return reply(doc)

    def _candidates(self, call: Call) -> list[Server]:
        """Return what the caller may see: live ones, and with changes-since also deleted ones."""
        everybody = call.who.is_admin and call.query("all_tenants") not in (None, "0", "false")
        servers = list(self._store.servers.values())
        since = call.query("changes-since")
        if since:
            try:
                since_s = from_iso(since.replace("Z", "+00:00").replace(" ", "+"))
            except ValueError as exc:
                raise ApiError(400, f"Invalid filter field: changes-since. Value: {since}") from exc
            servers = [
                each for each in (*self._store.graves, *servers) if each.updated_s >= since_s
            ]
        return [each for each in servers if everybody or each.project_id == call.who.project_id]

    def _passes(self, call: Call, server: Server) -> bool:
        if not _has_name(server, call.query("name")) or not all(
            call.query(key) in (None, value)
            for key, value in (
                ("image", server.image_id),
                ("flavor", server.flavor.id),
                ("reservation_id", server.reservation),
            )
        ):
            return False
        tags, ip = call.query("tags"), call.query("ip")
        if (ip and ip.strip("^$") not in server.address) or (
            tags and not set(tags.split(",")) <= set(server.tags)
        ):
            return False
        wanted = {key: value for key, value in call.pairs if key in _FILTERS}
        if not wanted:
            return True
        doc = self._renderer.full(server, call.version)
        return all(
            str(doc.get(_FILTERS[key]) or "").lower() == value.lower()
            for key, value in wanted.items()
        )

    async def _create(self, call: Call) -> Response:
        servers, reservation = self._maker.create(call)
        if call.inner("server").get("return_reservation_id"):
            return reply({"reservation_id": reservation}, 202)
        first = servers[0]
        return reply(
            {
                "server": {
                    "id": first.id,
                    "links": links(self._root, "servers", first.id),
                    "OS-DCF:diskConfig": "MANUAL",
                    "adminPass": "",
                    "security_groups": [{"name": name} for name in first.security_groups],
                }
            },
            202,
            {"Location": f"{self._root}/v2.1/servers/{first.id}"},
        )

    async def _get(self, call: Call) -> Response:
        return reply({"server": self._renderer.full(self.mine(call), call.version)})

    async def _update(self, call: Call) -> Response:
        server, doc = self.mine(call), call.inner("server")
        changes = {key: doc[key] for key in ("name", "description") if key in doc}
        changed = self._store.change(server.id, **changes)
        return reply({"server": self._renderer.full(changed or server, call.version)})

    async def _delete(self, call: Call) -> Response:
        server = self.mine(call)
        if server.locked and not call.who.is_admin:
            raise ApiError(409, f"Instance {server.id} is locked")
        effect = call.effect(EffectKind.DELETE_HANG) or call.effect(EffectKind.DELETE_ERROR)
        self._lifecycle.delete(server, effect)
        return empty()

    async def _server_groups(self, call: Call) -> Response:
        server = self.mine(call)
        rows = [self._groups.find(server.project_id, name) for name in server.security_groups]
        return reply(
            {
                "security_groups": [
                    {
                        "id": row["id"],
                        "name": row["name"],
                        "description": row["description"],
                        "tenant_id": row["project_id"],
                        "rules": [],
                    }
                    for row in rows
                ]
            }
        )

    async def _volumes(self, call: Call) -> Response:
        server = self.mine(call)
        return reply(
            {
                "volumeAttachments": [
                    {
                        "id": each,
                        "volumeId": each,
                        "serverId": server.id,
                        "device": f"/dev/vd{chr(97 + i)}",
                    }
                    for i, each in enumerate(server.volumes)
                ]
            }
        )

    async def _interfaces(self, call: Call) -> Response:
        server = self.mine(call)
        return reply(
            {
                "interfaceAttachments": [
                    {
                        "port_id": nic.port_id,
                        "net_id": nic.network_id,
                        "mac_addr": nic.mac,
                        "port_state": "ACTIVE",
                        "fixed_ips": [{"ip_address": nic.address}],
                    }
                    for nic in server.nics
                ]
            }
        )


def _has_name(server: Server, asked: str | None) -> bool:
    """Compare as Nova: a regular expression, searched; what is none is a part of the name."""
    if not asked:
        return True
    try:
        return re.search(asked, server.name) is not None
    except re.error:
        return asked in server.name


def described(server: Server) -> About:
    """Describe a server for fault rules."""
    return About(
        name=server.name,
        flavor=server.flavor.name,
        image=server.image_name,
        metadata=server.metadata,
    )
