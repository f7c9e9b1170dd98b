"""Where the services are: URLs of all regions, and the catalogue that comes with a token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sandbox.config import stable_id
from sandbox.web.errors import Service
from sandbox.web.versions import versioned

_NAMES: Final = {
    Service.IDENTITY: "keystone",
    Service.COMPUTE: "nova",
    Service.IMAGE: "glance",
    Service.NETWORK: "neutron",
    Service.OBJECT: "swift",
}
#: What deployments register: Nova versioned, Glance and Neutron by their roots.
_VERSIONED: Final = (Service.COMPUTE, Service.IDENTITY, Service.OBJECT)


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The URLs of a sandbox that listens at *base_url* (no slash at the end)."""

    base_url: str
    regions: tuple[str, ...]

    def path(self, service: Service, region: str) -> str:
        """Return the path of a service's unversioned root; Keystone is there once for all."""
        return "/identity" if service is Service.IDENTITY else f"/{service}/{region}"

    def root(self, service: Service, region: str = "") -> str:
        """Return the URL of a service's unversioned root."""
        return self.base_url + self.path(service, region)

    @property
    def auth_url(self) -> str:
        """The URL to log in at."""
        return versioned(Service.IDENTITY, self.root(Service.IDENTITY))

    def catalog(self, project_id: str) -> list[dict[str, Any]]:
        """Return the catalogue as it stands in a token; Swift's endpoint names the project."""
        return [
            {
                "id": stable_id("service", service).replace("-", ""),
                "type": service,
                "name": _NAMES[service],
                "endpoints": [
                    endpoint
                    for region in self.regions
                    for endpoint in self._endpoints(service, region, project_id)
                ],
            }
            for service in Service
        ]

    def _endpoints(self, service: Service, region: str, project_id: str) -> list[dict[str, Any]]:
        url = self.root(service, region)
        if service in _VERSIONED:
            url = versioned(service, url)
        if service is Service.OBJECT:
            url = f"{url}/AUTH_{project_id}"
        return [
            {
                "id": stable_id("endpoint", service, region, interface).replace("-", ""),
                "interface": interface,
                "region": region,
                "region_id": region,
                "url": url,
            }
            for interface in ("public", "internal", "admin")
        ]
