"""The control endpoint, ``/sandbox/v1``: faults, state, call counts, quotas, while it runs.

It asks for the token of the configuration, which ``clouds.yaml`` holds as well: everybody on this
machine reaches loopback, its test machines and any web page in a browser included.
"""

from __future__ import annotations

import hmac
import json
import uuid
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.cloud import Cloud
from sandbox.config import Quota, change_quota
from sandbox.fault_rules import parse_rule, rule_doc
from sandbox.faults import Rule
from sandbox.reading import NUMBER_MAX, BadInputError, Section, Text, number, read
from sandbox.region import Region

#: Keys of a change of quotas that say where.
_WHERE: Final = ("project", "region")


def control_app(cloud: Cloud) -> ASGIApp:
    """Return what answers below ``/sandbox/v1``."""
    control = _Control(cloud)
    routes = [
        Route("/faults", control.faults, methods=["GET", "PUT", "POST", "DELETE"]),
        Route("/faults/{id}", control.fault, methods=["GET", "PUT", "PATCH", "DELETE"]),
        Route("/state", control.state, methods=["GET"]),
        Route("/calls", control.calls, methods=["GET", "DELETE"]),
        Route("/calls/reset", control.calls, methods=["POST"]),
        Route("/quota", control.quota, methods=["GET", "PUT"]),
        Route("/tokens", control.tokens, methods=["GET", "PUT", "DELETE"]),
        Route("/servers/{id}/die", control.die, methods=["POST"]),
        Route("/servers/{id}/volumes", control.volumes, methods=["PUT"]),
        Route("/clock", control.clock, methods=["GET", "PUT"]),
    ]
    return _guarded(Router(routes), cloud.config.control_token)


def _guarded(app: ASGIApp, token: str) -> ASGIApp:
    """Return *app* behind a bearer token."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        given = Request(scope).headers.get("Authorization", "")
        if token and hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
            await app(scope, receive, send)
            return
        refusal = _bad(["the token of sandbox_control in clouds.yaml is needed"], 401)
        refusal.headers["WWW-Authenticate"] = "Bearer"
        await refusal(scope, receive, send)

    return guarded


def _bad(problems: tuple[str, ...] | list[str], status: int = 400) -> Response:
    return JSONResponse({"error": "; ".join(problems), "problems": list(problems)}, status)


async def _body(request: Request) -> Any:
    try:
        return json.loads(await request.body() or b"null")
    except ValueError as exc:
        raise BadInputError([f"the body is not JSON: {exc}"]) from exc


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lifetime(Section):
    lifetime: Annotated[float, number(0.1)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offset(Section):
    offset: Annotated[float, number(-NUMBER_MAX)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Volumes(Section):
    volumes: tuple[Text, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _QuotaChange(Quota):
    """What is to be changed, and where; empty: everywhere."""

    project: Text = ""
    region: Text = ""


class _Control:
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def _rule_doc(self, rule: Rule) -> dict[str, Any]:
        seen, fired = self._cloud.faults.counts(rule.id)
        return rule_doc(rule, seen=seen, fired=fired)

    async def faults(self, request: Request) -> Response:
        """GET all rules; PUT replaces all; POST adds one or a list; DELETE removes all."""
        plan = self._cloud.faults
        if request.method == "DELETE":
            plan.clear()
        if request.method in ("GET", "DELETE"):
            return JSONResponse({"faults": [self._rule_doc(rule) for rule in plan.rules]})
        try:
            doc = await _body(request)
            many = doc.get("faults") if isinstance(doc, dict) and "faults" in doc else doc
            rules = [
                parse_rule(each, path=f"faults[{i}]", default_id=uuid.uuid4().hex[:8])
                for i, each in enumerate(many if isinstance(many, list) else [many])
            ]
        except BadInputError as exc:
            return _bad(exc.problems)
        if request.method == "PUT":
            plan.clear()
        for rule in rules:
            plan.put(rule)
        shown = [self._rule_doc(rule) for rule in rules]
        return JSONResponse({"faults": shown}, 201 if request.method == "POST" else 200)

    async def fault(self, request: Request) -> Response:
        """GET, PUT (replace) or DELETE one rule; PATCH changes some of its members."""
        plan, rule_id = self._cloud.faults, str(request.path_params["id"])
        known = {rule.id: rule for rule in plan.rules}
        if request.method != "PUT" and rule_id not in known:
            return _bad([f"no fault rule {rule_id!r}; known are {', '.join(known) or 'none'}"], 404)
        if request.method == "DELETE":
            plan.remove(rule_id)
            return Response(status_code=204)
        if request.method in ("PUT", "PATCH"):
            try:
                doc = await _body(request)
                if request.method == "PATCH" and isinstance(doc, dict):
                    doc = self._rule_doc(known[rule_id]) | doc
                if isinstance(doc, dict):
                    doc = doc | {"id": rule_id}
                plan.put(parse_rule(doc))
            except BadInputError as exc:
                return _bad(exc.problems)
        rule = next(rule for rule in plan.rules if rule.id == rule_id)
        return JSONResponse(self._rule_doc(rule))

    async def state(self, _request: Request) -> Response:
        """GET a summary of what there is."""
        cloud = self._cloud
        return JSONResponse(
            {
                "cloud": cloud.config.cloud,
                "auth_url": cloud.endpoints.auth_url,
                "machines": cloud.host.kind,
                "system": cloud.host.system,
                "ssh_port": cloud.host.ssh_port,
                "ssh_user": cloud.config.ssh_user,
                "address_range": str(cloud.host.claim.network),
                "faults": len(cloud.faults.rules),
                "projects": {one.name: one.id for one in cloud.accounts.projects.values()},
                "regions": {region.name: _region_doc(region) for region in cloud.regions},
            }
        )

    async def calls(self, request: Request) -> Response:
        """GET the counts of API calls; DELETE (or POST …/reset) returns and resets them."""
        doc = self._cloud.calls.doc()
        if request.method != "GET":
            self._cloud.calls.reset()
        return JSONResponse({"calls": doc})

    async def quota(self, request: Request) -> Response:
        """GET all quotas; PUT changes some.

        As in ``{"project": …, "region": …, "instances": 3}``; none named: all of them.
        """
        cloud = self._cloud
        if request.method == "PUT":
            try:
                changes = self._quota_changes(await _body(request))
            except BadInputError as exc:
                return _bad(exc.problems)
            for region, project_id, quota in changes:
                region.stores.quotas.change(project_id, quota)
        return JSONResponse(
            {
                "quota": {
                    region.name: {
                        name: asdict(region.stores.quotas.of(each.id))
                        for name, each in cloud.accounts.projects.items()
                    }
                    for region in cloud.regions
                }
            }
        )

    def _quota_changes(self, doc: Any) -> list[tuple[Region, str, Quota]]:
        asked, projects = read(_QuotaChange, doc), self._cloud.accounts.projects
        regions = {region.name: region for region in self._cloud.regions}
        problems = [
            f"{key}: {name!r} is not known; known are {', '.join(known)}"
            for key, name, known in (
                ("project", asked.project, projects),
                ("region", asked.region, regions),
            )
            if name and name not in known
        ]
        if problems:
            raise BadInputError(problems)
        named = {key: value for key, value in (doc or {}).items() if key not in _WHERE}
        return [
            (region, project.id, change_quota(region.stores.quotas.of(project.id), named))
            for region in regions.values()
            if asked.region in ("", region.name)
            for name, project in projects.items()
            if asked.project in ("", name)
        ]

    async def tokens(self, request: Request) -> Response:
        """GET or PUT the lifetime of coming tokens; DELETE: all become invalid at once."""
        tokens = self._cloud.tokens
        if request.method == "DELETE":
            tokens.revoke_all()
            return Response(status_code=204)
        if request.method == "PUT":
            try:
                asked = read(_Lifetime, await _body(request)).lifetime
                tokens.lifetime_s = tokens.lifetime_s if asked is None else asked
            except BadInputError as exc:
                return _bad(exc.problems)
        return JSONResponse({"lifetime": tokens.lifetime_s})

    async def die(self, request: Request) -> Response:
        """POST: the server's machine ends, now."""
        server_id = str(request.path_params["id"])
        for region in self._cloud.regions:
            if server_id in region.stores.servers.servers:
                await region.lifecycle.die(server_id)
                return Response(status_code=204)
        return _bad([f"no server {server_id!r}"], 404)

    async def volumes(self, request: Request) -> Response:
        """PUT: these volumes are attached to the server, as somebody else would have done."""
        server_id = str(request.path_params["id"])
        try:
            asked = read(_Volumes, await _body(request)).volumes
        except BadInputError as exc:
            return _bad(exc.problems)
        for region in self._cloud.regions:
            servers = region.stores.servers
            if server_id in servers.servers:
                servers.change(server_id, volumes=asked)
                return Response(status_code=204)
        return _bad([f"no server {server_id!r}"], 404)

    async def clock(self, request: Request) -> Response:
        """GET or PUT how far the cloud's clock is ahead; tokens age by it as well."""
        clock = self._cloud.clock
        if request.method == "PUT":
            try:
                asked = read(_Offset, await _body(request)).offset
                clock.offset_s = clock.offset_s if asked is None else asked
            except BadInputError as exc:
                return _bad(exc.problems)
        return JSONResponse({"offset": clock.offset_s})


def _region_doc(region: Region) -> dict[str, Any]:
    servers, network = region.stores.servers.servers, region.stores.network
    return {
        "servers": len(servers),
        "server_states": dict(Counter(str(each.state) for each in servers.values())),
        "images": len(region.stores.images.images),
        "networks": {
            row["name"]: [network.subnets.rows[each]["cidr"] for each in row["subnets"]]
            for row in network.networks.rows.values()
        },
        "ports": len(network.ports.rows),
        "floating_ips": len(network.floatingips.rows),
    }
