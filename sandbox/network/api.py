"""Neutron's API, v2.0: the same five operations on every table, and a few odd ones."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from ipaddress import IPv4Network
from typing import Any, Final

from starlette.responses import Response

from sandbox.clock import iso
from sandbox.faults import EffectKind
from sandbox.network.groups import SecurityGroups
from sandbox.network.state import NetworkState, over_quota
from sandbox.network.tables import Row, Table
from sandbox.web.call import About, Call, Op, empty, reply
from sandbox.web.errors import ApiError
from sandbox.web.paging import cut, next_query, order, read_limit, same

_NOT_FILTERS: Final = frozenset(
    {"fields", "limit", "marker", "sort_key", "sort_dir", "page_reverse", "fixed_ips"}
)
_EXTENSIONS: Final = (
    "external-net",
    "router",
    "security-group",
    "quotas",
    "quota_details",
    "pagination",
    "sorting",
    "port-security",
    "binding",
    "net-mtu",
    "availability_zone",
    "network_availability_zone",
)
_NO_PAGE: Final = 10**6


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How rows of a table are made, changed and removed through the API."""

    table: Table
    create: Callable[[Call, Row], Row]
    update: Callable[[Row, Row], None]
    drop: Callable[[str], None]


class NetworkApi:
    """The operations of Neutron in one region."""

    def __init__(self, state: NetworkState, groups: SecurityGroups) -> None:
        self._state = state
        self._groups = groups

    def ops(self) -> list[Op]:
        """Return the routes below ``/v2.0``."""
        ops = [op for kind in self._kinds() for op in self._table_ops(kind)]
        return [
            *ops,
            Op(name="extension.list", method="GET", path="/extensions", handler=self._extensions),
            Op(
                name="extension.get",
                method="GET",
                path="/extensions/{alias}",
                handler=self._extension,
            ),
            Op(name="zone.list", method="GET", path="/availability_zones", handler=self._zones),
            Op(name="quota.get", method="GET", path="/quotas/{project}", handler=self._quota),
            Op(
                name="quota.get", method="GET", path="/quotas/{project}/{form}", handler=self._quota
            ),
        ]

    def _kinds(self) -> list[Kind]:
        state, groups = self._state, self._groups
        return [
            Kind(
                table=state.networks,
                create=self._new_network,
                update=_assign,
                drop=self._drop_network,
            ),
            Kind(
                table=state.subnets, create=self._new_subnet, update=_assign, drop=self._drop_subnet
            ),
            Kind(
                table=state.ports,
                create=self._new_port,
                update=_assign,
                drop=lambda port_id: state.drop_port(state.ports.get(port_id)["id"]),
            ),
            Kind(
                table=state.routers,
                create=self._new_router,
                update=_assign,
                drop=lambda row_id: _remove(state.routers, row_id),
            ),
            Kind(
                table=state.floatingips,
                drop=state.drop_floating,
                create=lambda call, asked: state.add_floating(call.who.project_id, asked),
                update=self._change_floating,
            ),
            Kind(
                table=groups.groups,
                update=_assign,
                drop=groups.drop,
                create=lambda call, asked: groups.create(call.who.project_id, asked),
            ),
            Kind(
                table=groups.rules,
                update=_assign,
                drop=groups.drop_rule,
                create=lambda call, asked: groups.add_rule(call.who.project_id, asked),
            ),
        ]

    def _table_ops(self, kind: Kind) -> list[Op]:
        table = kind.table
        noun = table.singular.replace("security_group", "secgroup").replace("_", "")
        root = "/" + table.plural.replace("_", "-")

        async def listing(call: Call) -> Response:
            return self._listing(call, table)

        async def show(call: Call) -> Response:
            return reply({table.singular: self._row(call, table)})

        async def create(call: Call) -> Response:
            if call.effect(EffectKind.QUOTA):
                raise over_quota(table.singular)
            row = kind.create(call, call.inner(table.singular))
            return reply({table.singular: row}, 201)

        async def update(call: Call) -> Response:
            row = self._row(call, table)
            kind.update(row, call.inner(table.singular))
            row["updated_at"] = iso(self._state.clock.now_s())
            return reply({table.singular: row})

        async def delete(call: Call) -> Response:
            kind.drop(self._row(call, table)["id"])
            return empty()

        def named(call: Call) -> About:
            return About(name=str(table.rows.get(call.param("id"), {}).get("name", "")))

        one = root + "/{id}"
        return [
            Op(name=f"{noun}.list", method="GET", path=root, handler=listing),
            Op(name=f"{noun}.create", method="POST", path=root, handler=create),
            Op(name=f"{noun}.get", method="GET", path=one, handler=show, about=named),
            Op(name=f"{noun}.update", method="PUT", path=one, handler=update, about=named),
            Op(name=f"{noun}.delete", method="DELETE", path=one, handler=delete, about=named),
        ]

    def _row(self, call: Call, table: Table) -> Row:
        row = table.get(call.param("id"))
        if not self._may_see(call, row):
            raise table.not_found(call.param("id"))
        return row

    @staticmethod
    def _may_see(call: Call, row: Row) -> bool:
        return (
            call.who.is_admin
            or row.get("project_id") == call.who.project_id
            or bool(row.get("shared"))
            or bool(row.get("router:external"))
            or not row.get("project_id")
        )

    def _listing(self, call: Call, table: Table) -> Response:
        self._groups.ensure_default(call.who.project_id)
        asked = [(key, value) for key, value in call.pairs if key not in _NOT_FILTERS]
        wanted: dict[str, list[str]] = {}
        for key, value in asked:
            wanted.setdefault(key, []).append(value)
        rows = [
            row
            for row in table.rows.values()
            if self._may_see(call, row)
            and all(
                any(same(row.get(key), value) for value in values)
                for key, values in wanted.items()
                if key in row
            )
            and _has_fixed_ip(row, call.query("fixed_ips"))
        ]
        rows = call.visible(rows, lambda row: About(name=str(row.get("name", ""))))
        params = call.request.query_params
        rows = [
            dict(row) for row in order(rows, params.getlist("sort_key"), params.getlist("sort_dir"))
        ]
        page = cut(
            rows,
            marker=call.query("marker"),
            id_of=lambda row: str(row["id"]),
            limit=read_limit(call.query("limit"), _NO_PAGE),
        )
        fields = params.getlist("fields")
        doc: Row = {
            table.plural: [
                {key: value for key, value in row.items() if not fields or key in fields}
                for row in page.items
            ]
        }
        if page.next_marker:
            url = call.request.url.replace(query=next_query(call.pairs, page.next_marker))
            doc[f"{table.plural}_links"] = [{"rel": "next", "href": str(url)}]
        return reply(doc)

    def _new_network(self, call: Call, asked: Row) -> Row:
        self._state.check_quota("network", self._state.networks, call.who.project_id)
        return self._state.add_network(str(uuid.uuid4()), call.who.project_id, asked)

    def _drop_network(self, network_id: str) -> None:
        if any(port["network_id"] == network_id for port in self._state.ports.rows.values()):
            raise ApiError(
                409,
                f"Unable to complete operation on network {network_id}. There are"
                " one or more ports still in use on the network.",
                kind="NetworkInUse",
            )
        for subnet_id in list(self._state.networks.get(network_id)["subnets"]):
            self._drop_subnet(subnet_id)
        _remove(self._state.networks, network_id)

    def _new_subnet(self, call: Call, asked: Row) -> Row:
        try:
            cidr = IPv4Network(str(asked.get("cidr", "")))
        except ValueError as exc:
            raise ApiError(
                400, f"Invalid input for cidr. Reason: {exc}", kind="HTTPBadRequest"
            ) from exc
        return self._state.add_subnet(
            str(uuid.uuid4()),
            call.who.project_id,
            str(asked.get("network_id", "")),
            cidr,
            str(asked.get("name", "")),
        )

    def _drop_subnet(self, subnet_id: str) -> None:
        row = self._state.subnets.get(subnet_id)
        self._state.networks.get(row["network_id"])["subnets"].remove(subnet_id)
        self._state.pools.pop(subnet_id, None)
        _remove(self._state.subnets, subnet_id)

    def _new_port(self, call: Call, asked: Row) -> Row:
        groups = asked.get("security_groups")
        if groups is None:
            groups = [self._groups.ensure_default(call.who.project_id)["id"]]
        port = self._state.add_port(
            call.who.project_id,
            str(asked.get("network_id", "")),
            asked | {"security_groups": groups},
        )
        # Bound to no host, whatever device it names: only Nova binds.
        port["status"] = "DOWN"
        return port

    def _new_router(self, call: Call, asked: Row) -> Row:
        return self._state.routers.add(
            {
                "id": str(uuid.uuid4()),
                "name": str(asked.get("name", "")),
                "status": "ACTIVE",
                "tenant_id": call.who.project_id,
                "project_id": call.who.project_id,
                "admin_state_up": True,
                "routes": [],
                "ha": False,
                "distributed": False,
                "external_gateway_info": asked.get("external_gateway_info"),
                **self._state.stamps(),
            }
        )

    def _change_floating(self, row: Row, asked: Row) -> None:
        if "description" in asked:
            row["description"] = str(asked["description"])
        if "port_id" in asked:
            self._state.associate(row, asked["port_id"])

    async def _extensions(self, _call: Call) -> Response:
        return reply({"extensions": [_extension_doc(alias) for alias in _EXTENSIONS]})

    async def _extension(self, call: Call) -> Response:
        alias = call.param("alias")
        if alias not in _EXTENSIONS:
            raise ApiError(404, f"Extension with alias {alias} does not exist", kind="HTTPNotFound")
        return reply({"extension": _extension_doc(alias)})

    async def _zones(self, _call: Call) -> Response:
        return reply(
            {
                "availability_zones": [
                    {"name": "nova", "resource": resource, "state": "available"}
                    for resource in ("network", "router")
                ]
            }
        )

    async def _quota(self, call: Call) -> Response:
        project = call.param("project")
        tables = {
            "network": self._state.networks,
            "subnet": self._state.subnets,
            "port": self._state.ports,
            "router": self._state.routers,
            "floatingip": self._state.floatingips,
            "security_group": self._groups.groups,
            "security_group_rule": self._groups.rules,
        }
        limits = {
            key: value
            for key, value in asdict(self._state.quotas.of(project)).items()
            if key in tables
        }
        if not call.request.path_params.get("form", "").startswith("details"):
            return reply({"quota": limits})
        return reply(
            {
                "quota": {
                    key: {
                        "limit": limit,
                        "reserved": 0,
                        "used": sum(1 for _ in tables[key].of_project(project)),
                    }
                    for key, limit in limits.items()
                }
            }
        )


def _assign(row: Row, asked: Row) -> None:
    """Change the members of a row that exist and are not its identity."""
    row.update(
        {
            key: value
            for key, value in asked.items()
            if key in row and key not in ("id", "project_id", "tenant_id")
        }
    )


def _remove(table: Table, row_id: str) -> None:
    del table.rows[table.get(row_id)["id"]]


def _has_fixed_ip(row: Row, asked: str | None) -> bool:
    if not asked or "=" not in asked:
        return True
    key, _, value = asked.partition("=")
    return any(each.get(key) == value for each in row.get("fixed_ips", []))


def _extension_doc(alias: str) -> dict[str, Any]:
    return {
        "alias": alias,
        "name": alias,
        "description": "",
        "links": [],
        "updated": "2020-01-01T00:00:00-00:00",
    }
