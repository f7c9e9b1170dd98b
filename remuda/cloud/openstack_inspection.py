"""Looking at an OpenStack account; see :mod:`remuda.cloud.inspection`.

Rights: no API tells a plain user what policies allow. But Nova judges the policy of a create
before it looks at what is ordered (``servers.py``, ``create``), so an order for a flavor that
cannot exist is answered 403 without the right and 400 with it, and never makes anything. Deletes
and snapshots look for the server first: 403 tells, 404 does not.
"""

import email.utils
import uuid
from collections.abc import Mapping
from typing import Any, Final

from remuda.cloud import errors
from remuda.cloud.account import Account
from remuda.cloud.api import CloudConfigError, TryLaterError
from remuda.cloud.errors import Answer, Effect
from remuda.cloud.inspection import (
    AccountIdentity,
    CloudRight,
    FloatingRoom,
    Permission,
    SecurityGroup,
    SeenNetwork,
    Service,
    Told,
)
from remuda.cloud.paths import UrlPath, join
from remuda.cloud.wire import Wire

_PINGS: Final[Mapping[Service, tuple[UrlPath, Mapping[str, str]]]] = {
    Service.COMPUTE: (("limits",), {}),
    Service.IMAGE: (("images",), {"limit": "1"}),
    Service.NETWORK: (("networks",), {"limit": "1", "fields": "id"}),
}
_FORBIDDEN, _NOT_FOUND = 403, 404
#: What Nova says to an order or a server that makes no sense, once the policy has let it pass.
_SENSELESS: Final = frozenset({400, _FORBIDDEN, _NOT_FOUND, 409, 413})
_NETWORK_FIELDS: Final = ("id", "name", "router:external", "shared", "project_id")


class OpenStackInspector:
    """Uses the connections, the token and the rate limit of an adapter."""

    def __init__(self, wire: Wire, account: Account) -> None:
        self._wire = wire
        self._account = account

    def identity(self) -> AccountIdentity:
        """Return who we are; a call to Keystone unless there is a token already."""
        access = self._account.access()
        endpoints: dict[str, str] = {}
        for service in Service:
            try:
                endpoints[service] = self._account.endpoint(service)
            except CloudConfigError:
                continue  # the answer says which are missing
        return AccountIdentity(
            user=access.username or access.user_id or "",
            user_domain=access.user_domain_name,
            project=access.project_name or access.project_id or "",
            project_id=access.project_id or "",
            project_domain=access.project_domain_name,
            roles=tuple(sorted(access.role_names or ())),
            region=self._account.region,
            auth_url=self._account.auth_url,
            endpoints=endpoints,
            expires_s=access.expires.timestamp() if access.expires else None,
        )

    def ping(self, service: Service) -> float | None:
        """Make one call and read its Date header."""
        path, params = _PINGS[service]
        answer = self._wire.call(service, "GET", path, effect=Effect.READ, params=params)
        try:
            return email.utils.parsedate_to_datetime(answer.headers["Date"]).timestamp()
        except (KeyError, ValueError):
            return None

    def networks(self) -> tuple[SeenNetwork, ...]:
        """Return networks; one paged call."""
        project = self._account.access().project_id
        docs = self._listing("network", ("networks",), "networks", fields=_NETWORK_FIELDS)
        return tuple(
            SeenNetwork(
                id=doc["id"],
                name=doc.get("name") or "",
                external=bool(doc.get("router:external")),
                usable=bool(doc.get("shared")) or doc.get("project_id") in {project, None},
            )
            for doc in docs
        )

    def security_groups(self) -> tuple[SecurityGroup, ...]:
        """Return the groups of our project only, for administrators see everybody's."""
        project = self._account.access().project_id or ""
        docs = self._listing(
            "network",
            ("security-groups",),
            "security_groups",
            fields=("id", "name"),
            project_id=project,
        )
        return tuple(SecurityGroup(id=doc["id"], name=doc.get("name") or "") for doc in docs)

    def key_pairs(self) -> tuple[str, ...]:
        """Return names; one call, for this version of the API has no pages."""
        answer = self._wire.call("compute", "GET", ("os-keypairs",), effect=Effect.READ)
        try:
            return tuple(sorted(each["keypair"]["name"] for each in answer.doc["keypairs"]))
        except (KeyError, TypeError) as exc:
            raise TryLaterError(f"the answer with key pairs cannot be read: {exc!r}") from exc

    def floating_room(self) -> FloatingRoom | None:
        """Ask Neutron for the details of our quota, which not every cloud lets us see."""
        project = self._account.access().project_id
        if not project:
            return None
        try:
            answer = self._wire.call(
                "network",
                "GET",
                ("quotas", project, "details.json"),
                effect=Effect.READ,
                accept={_FORBIDDEN, _NOT_FOUND},
            )
            found = answer.doc["quota"]["floatingip"]
            limit, used = int(found["limit"]), int(found["used"])
        except (KeyError, TypeError, ValueError):
            return None
        return FloatingRoom(limit=None if limit < 0 else limit, used=used)

    def may(self, right: CloudRight) -> Permission:
        """Ask for something that cannot be, and see why it is refused."""
        nobody = str(uuid.uuid4())
        match right:
            case CloudRight.CREATE:
                return self._may_create(nobody)
            case CloudRight.DELETE:
                answer = self._senseless("DELETE", ("servers", nobody), None)
            case CloudRight.SNAPSHOT:
                body = {"createImage": {"name": "remuda-check", "metadata": {}}}
                answer = self._senseless("POST", ("servers", nobody, "action"), body)
        why = errors.message_of(answer)
        return Permission(told=Told.NO if answer.status == _FORBIDDEN else Told.UNTOLD, why=why)

    def _may_create(self, nobody: str) -> Permission:
        body = {
            "server": {"name": "remuda-check-rights", "flavorRef": nobody, "imageRef": nobody},
        }
        answer = self._senseless("POST", ("servers",), body)
        why = errors.message_of(answer)
        full = errors.fault_means_no_room(why)  # a quota is looked at by whoever may create
        refused = answer.status == _FORBIDDEN and not full
        return Permission(told=Told.NO if refused else Told.YES, why=why)

    def _senseless(self, method: str, path: UrlPath, body: Mapping[str, Any] | None) -> Answer:
        return self._wire.call(
            "compute", method, path, effect=Effect.REPEATABLE, body=body, accept=_SENSELESS
        )

    def _listing(
        self, service: str, path: UrlPath, key: str, **params: str | tuple[str, ...]
    ) -> tuple[Mapping[str, Any], ...]:
        try:
            return tuple(self._wire.pages(service, path, key, params))
        except (KeyError, TypeError) as exc:
            raise TryLaterError(
                f"{service} {join(path)}: the answer cannot be read: {exc!r}"
            ) from exc
