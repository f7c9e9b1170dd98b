"""Nova's API beside servers: flavors, key pairs, limits, quotas, zones."""

from __future__ import annotations

from dataclasses import asdict, fields
from functools import partial
from typing import Any, Final

from starlette.responses import Response

from sandbox.compute.keypairs import keypair_detail, keypair_doc
from sandbox.compute.render import flavor_doc, links
from sandbox.config import FlavorConfig, Quota, change_quota
from sandbox.machines.base import MachineError
from sandbox.machines.keys import fingerprint, generate
from sandbox.reading import BadInputError
from sandbox.stores import Stores
from sandbox.web.call import Call, Op, empty, reply
from sandbox.web.errors import ApiError
from sandbox.web.paging import cut, next_query, read_limit

_NO_GENERATION: Final = (2, 92)


class ExtrasApi:
    """The rest of Nova in one region."""

    def __init__(self, stores: Stores) -> None:
        self._root = stores.root
        self._config = stores.config
        self._store = stores.servers
        self._quotas = stores.quotas
        self._keypairs = stores.keypairs
        self._network = stores.network
        self._workers = stores.workers

    def ops(self) -> list[Op]:
        """Return the routes below ``/v2.1``."""
        keys = "/os-keypairs"
        return [
            Op(name="flavor.list", method="GET", path="/flavors", handler=self._flavors),
            Op(
                name="flavor.list",
                method="GET",
                path="/flavors/detail",
                handler=self._flavor_details,
            ),
            Op(name="flavor.get", method="GET", path="/flavors/{id}", handler=self._flavor),
            Op(
                name="flavor.specs",
                method="GET",
                path="/flavors/{id}/os-extra_specs",
                handler=self._extra_specs,
            ),
            Op(name="keypair.list", method="GET", path=keys, handler=self._list_keys),
            Op(name="keypair.create", method="POST", path=keys, handler=self._add_key),
            Op(name="keypair.get", method="GET", path=keys + "/{name:path}", handler=self._get_key),
            Op(
                name="keypair.delete",
                method="DELETE",
                path=keys + "/{name:path}",
                handler=self._drop_key,
            ),
            Op(name="limits.get", method="GET", path="/limits", handler=self._limits),
            Op(
                name="quota.get", method="GET", path="/os-quota-sets/{project}", handler=self._quota
            ),
            Op(
                name="quota.get",
                method="GET",
                path="/os-quota-sets/{project}/{form}",
                handler=self._quota,
            ),
            Op(
                name="quota.update",
                method="PUT",
                path="/os-quota-sets/{project}",
                handler=self._set_quota,
            ),
            Op(name="zone.list", method="GET", path="/os-availability-zone", handler=self._zones),
            Op(
                name="zone.list",
                method="GET",
                path="/os-availability-zone/detail",
                handler=self._zones,
            ),
            Op(name="extension.list", method="GET", path="/extensions", handler=self._extensions),
        ]

    # ---------------------------------------------------------------- flavors

    async def _flavors(self, call: Call) -> Response:
        return self._flavor_page(
            call,
            lambda each: {
                "id": each.id,
                "name": each.name,
                "links": links(self._root, "flavors", each.id),
            },
        )

    async def _flavor_details(self, call: Call) -> Response:
        return self._flavor_page(call, lambda each: flavor_doc(each, self._root, call.version))

    def _flavor_page(self, call: Call, show: Any) -> Response:
        page = cut(
            self._config.flavors,
            marker=call.query("marker"),
            id_of=lambda f: f.id,
            limit=read_limit(call.query("limit"), self._config.page_size_max),
        )
        doc: dict[str, Any] = {"flavors": [show(each) for each in page.items]}
        if page.next_marker:
            url = call.request.url.replace(query=next_query(call.pairs, page.next_marker))
            doc["flavors_links"] = [{"rel": "next", "href": str(url)}]
        return reply(doc)

    def _find_flavor(self, call: Call) -> FlavorConfig:
        for each in self._config.flavors:
            if each.id == call.param("id"):
                return each
        raise ApiError(404, f"Flavor {call.param('id')} could not be found.")

    async def _flavor(self, call: Call) -> Response:
        return reply({"flavor": flavor_doc(self._find_flavor(call), self._root, call.version)})

    async def _extra_specs(self, call: Call) -> Response:
        return reply({"extra_specs": dict(self._find_flavor(call).extra_specs)})

    # ---------------------------------------------------------------- key pairs

    async def _list_keys(self, call: Call) -> Response:
        return reply(
            {
                "keypairs": [
                    {"keypair": keypair_doc(each, call.version)}
                    for each in self._keypairs.of_user(call.who.user_id)
                ]
            }
        )

    async def _add_key(self, call: Call) -> Response:
        doc = call.inner("keypair")
        name, public, private = str(doc.get("name", "")), doc.get("public_key"), None
        if not name:
            raise ApiError(400, "Invalid input for field/attribute name.")
        if not public:
            if call.version >= _NO_GENERATION:
                raise ApiError(
                    400,
                    "Invalid input for field/attribute keypair. 'public_key' is a"
                    " required property",
                )
            try:
                pair = await self._workers.run(partial(generate, name))
            except MachineError as exc:
                raise ApiError(501, str(exc)) from exc
            public, private = pair.public.strip(), pair.private
        print_of_it = fingerprint(str(public))
        if print_of_it is None:
            raise ApiError(400, "Keypair data is invalid: failed to generate fingerprint")
        added = self._keypairs.add(call.who.user_id, name, str(public), print_of_it)
        shown = keypair_doc(added, call.version) | {"user_id": call.who.user_id}
        if private:
            shown["private_key"] = private
        return reply({"keypair": shown}, 201 if call.version >= (2, 2) else 200)

    async def _get_key(self, call: Call) -> Response:
        pair = self._keypairs.get(call.who.user_id, call.param("name"))
        return reply({"keypair": keypair_detail(pair, call.who.user_id, 1, call.version)})

    async def _drop_key(self, call: Call) -> Response:
        self._keypairs.drop(call.who.user_id, call.param("name"))
        return empty(204 if call.version >= (2, 2) else 202)

    # ---------------------------------------------------------------- limits and quotas

    async def _limits(self, call: Call) -> Response:
        project = call.query("tenant_id") or call.who.project_id
        quota = self._quotas.of(project)
        instances, cores, ram = self._store.usage(project)
        floating = sum(1 for _ in self._network.floatingips.of_project(project))
        return reply(
            {
                "limits": {
                    "rate": [],
                    "absolute": {
                        "maxTotalInstances": quota.instances,
                        "totalInstancesUsed": instances,
                        "maxTotalCores": quota.cores,
                        "totalCoresUsed": cores,
                        "maxTotalRAMSize": quota.ram,
                        "totalRAMUsed": ram,
                        "maxTotalKeypairs": quota.key_pairs,
                        "maxServerMeta": quota.metadata_items,
                        "maxImageMeta": quota.metadata_items,
                        "maxPersonality": 5,
                        "maxPersonalitySize": 10240,
                        "maxServerGroups": quota.server_groups,
                        "totalServerGroupsUsed": 0,
                        "maxServerGroupMembers": 10,
                        "maxTotalFloatingIps": quota.floatingip,
                        "totalFloatingIpsUsed": floating,
                        "maxSecurityGroups": quota.security_group,
                        "totalSecurityGroupsUsed": 1,
                        "maxSecurityGroupRules": quota.security_group_rule,
                    },
                }
            }
        )

    async def _quota(self, call: Call) -> Response:
        project, form = call.param("project"), call.request.path_params.get("form", "")
        quota = self._quotas.default if form == "defaults" else self._quotas.of(project)
        limits = {
            key: value
            for key, value in asdict(quota).items()
            if key in ("instances", "cores", "ram", "key_pairs", "metadata_items", "server_groups")
        }
        limits["server_group_members"] = 10
        if form != "detail":
            return reply({"quota_set": {"id": project, **limits}})
        used = dict(zip(("instances", "cores", "ram"), self._store.usage(project), strict=True))
        return reply(
            {
                "quota_set": {
                    "id": project,
                    **{
                        key: {"limit": limit, "in_use": used.get(key, 0), "reserved": 0}
                        for key, limit in limits.items()
                    },
                }
            }
        )

    async def _set_quota(self, call: Call) -> Response:
        if not call.who.is_admin:
            raise ApiError(
                403, "Policy doesn't allow os_compute_api:os-quota-sets:update to be performed."
            )
        project = call.param("project")
        known = {field.name for field in fields(Quota)}
        asked = {k: v for k, v in call.inner("quota_set").items() if k in known}
        try:
            quota = change_quota(self._quotas.of(project), asked, path="quota_set")
        except BadInputError as exc:
            raise ApiError(400, str(exc)) from exc
        self._quotas.change(project, quota)
        return await self._quota(call)

    # ---------------------------------------------------------------- the rest

    async def _zones(self, call: Call) -> Response:
        hosts = {
            "sandbox": {"nova-compute": {"available": True, "active": True, "updated_at": None}}
        }
        detail = call.request.url.path.endswith("/detail")
        return reply(
            {
                "availabilityZoneInfo": [
                    {
                        "zoneName": zone,
                        "zoneState": {"available": True},
                        "hosts": hosts if detail else None,
                    }
                    for zone in self._config.zones
                ]
            }
        )

    async def _extensions(self, _call: Call) -> Response:
        return reply({"extensions": []})
