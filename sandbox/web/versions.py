"""Version discovery documents at the roots of the services.

Shapes as keystoneauth's ``discover`` module reads them, taken from the services' references.
"""

from __future__ import annotations

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.web import microversion
from sandbox.web.errors import Service


def routes(service: Service, root: str) -> list[Route]:
    """Return the discovery routes of the service whose unversioned URL is *root*."""
    listing, single = _documents(service, root)

    async def all_versions(_request: Request) -> Response:
        # Keystone and Glance answer 300 (Multiple Choices) at the root, the others 200.
        many = service in (Service.IDENTITY, Service.IMAGE)
        return JSONResponse(listing, 300 if many else 200)

    async def one_version(_request: Request) -> Response:
        return JSONResponse(single)

    if service is Service.OBJECT:
        return [Route("/info", all_versions)]
    version = _PATHS[service]
    return [
        Route("/", all_versions),
        Route("/versions", all_versions),
        Route(version, one_version),
        Route(f"{version}/", one_version),
    ]


_PATHS: Final = {
    Service.IDENTITY: "/v3",
    Service.COMPUTE: "/v2.1",
    Service.IMAGE: "/v2",
    Service.NETWORK: "/v2.0",
    Service.OBJECT: "/v1",
}


def versioned(service: Service, root: str) -> str:
    """Return the URL under which the service's API is."""
    return root + _PATHS[service]


def _documents(service: Service, root: str) -> tuple[dict[str, Any], dict[str, Any]]:
    url = versioned(service, root) + "/"
    links = [{"rel": "self", "href": url}]
    match service:
        case Service.IDENTITY:
            entry: dict[str, Any] = {
                "id": "v3.14",
                "status": "stable",
                "updated": "2020-04-07T00:00:00Z",
                "links": links,
                "media-types": [
                    {
                        "base": "application/json",
                        "type": "application/vnd.openstack.identity-v3+json",
                    }
                ],
            }
            return {"versions": {"values": [entry]}}, {"version": entry}
        case Service.COMPUTE:
            entry = {
                "id": "v2.1",
                "status": "CURRENT",
                "updated": "2013-07-23T11:33:21Z",
                "version": microversion.text(microversion.HIGHEST),
                "min_version": microversion.text(microversion.LOWEST),
                "links": links,
            }
            return {"versions": [entry]}, {"version": entry}
        case Service.IMAGE:
            entries = [
                {
                    "id": f"v2.{minor}",
                    "links": links,
                    "status": "CURRENT" if minor == _GLANCE_MINOR else "SUPPORTED",
                }
                for minor in range(_GLANCE_MINOR, -1, -1)
            ]
            return {"versions": entries}, {"versions": entries}
        case Service.OBJECT:  # Swift has none of its own; this one serves its limits instead
            return {"swift": _SWIFT_LIMITS, "tempurl": _TEMP_URL, "slo": _SLO}, {}
        case Service.NETWORK:
            entry = {"id": "v2.0", "status": "CURRENT", "links": links}
            # Neutron's own root of v2.0 lists resources; keystoneauth reads "versions" alone.
            return {"versions": [entry]}, {"resources": [], "versions": [entry]}


_GLANCE_MINOR: Final = 9
_SWIFT_LIMITS: Final = {
    "version": "2.38.0",
    "max_file_size": 5 * 2**30,
    "container_listing_limit": 10_000,
    "max_object_name_length": 1024,
    "max_container_name_length": 256,
}
_TEMP_URL: Final = {
    "methods": ["GET", "HEAD", "PUT", "POST", "DELETE"],
    "allowed_digests": ["sha256", "sha512"],
}
_SLO: Final = {"max_manifest_segments": 1000, "max_manifest_size": 8 * 2**20, "min_segment_size": 1}
