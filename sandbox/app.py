"""The web application: every service of every region under its path, and the control endpoint."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount

from sandbox.cloud import Cloud
from sandbox.control import control_app
from sandbox.web.call import Op
from sandbox.web.errors import Service
from sandbox.web.gate import Gate
from sandbox.web.versions import routes, versioned


def build_app(cloud: Cloud) -> Starlette:
    """Return the ASGI application of *cloud*."""
    mounts: list[BaseRoute] = [_mount(cloud, Service.IDENTITY, "", cloud.identity.ops())]
    for region in cloud.regions:
        mounts += [_mount(cloud, service, region.name, ops) for service, ops in region.ops.items()]
    return Starlette(routes=[*mounts, Mount("/sandbox/v1", app=control_app(cloud))])


def _mount(cloud: Cloud, service: Service, region: str, ops: list[Op]) -> Mount:
    gate = Gate(
        service=service,
        region=region,
        authority=cloud.tokens,
        faults=cloud.faults,
        calls=cloud.calls,
        clock=cloud.clock,
    )
    path = cloud.endpoints.path(service, region)
    # Discovery comes first: keystoneauth asks for it before it has a token.
    return Mount(
        path,
        routes=[
            *routes(service, cloud.endpoints.root(service, region)),
            Mount(versioned(service, ""), routes=[gate.route(op) for op in ops]),
        ],
    )
