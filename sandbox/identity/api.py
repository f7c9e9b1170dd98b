"""Keystone's API, v3: tokens, and as much of the rest as clients look things up in."""

from __future__ import annotations

import secrets
from dataclasses import asdict
from typing import Any

from starlette.responses import Response

from sandbox.clock import iso_micro
from sandbox.config import AccessRule, CredentialConfig
from sandbox.identity.accounts import DOMAIN, Accounts, Project, User
from sandbox.identity.catalog import Endpoints
from sandbox.identity.tokens import Token, Tokens
from sandbox.web.call import Call, Op, empty, reply
from sandbox.web.errors import ApiError


class IdentityApi:
    """The operations of Keystone."""

    def __init__(self, accounts: Accounts, tokens: Tokens, endpoints: Endpoints) -> None:
        self._accounts = accounts
        self._tokens = tokens
        self._endpoints = endpoints

    def ops(self) -> list[Op]:
        """Return the routes below ``/v3``."""
        credentials = "/users/{user}/application_credentials"
        return [
            Op(name="token", method="POST", path="/auth/tokens", handler=self._issue, open=True),
            Op(name="token.get", method="GET", path="/auth/tokens", handler=self._validate),
            Op(name="token.delete", method="DELETE", path="/auth/tokens", handler=self._revoke),
            Op(name="catalog.list", method="GET", path="/auth/catalog", handler=self._catalog),
            Op(name="project.list", method="GET", path="/auth/projects", handler=self._mine),
            Op(name="project.list", method="GET", path="/projects", handler=self._projects),
            Op(name="project.get", method="GET", path="/projects/{id}", handler=self._project),
            Op(name="user.list", method="GET", path="/users", handler=self._users),
            Op(name="user.get", method="GET", path="/users/{id}", handler=self._user),
            Op(name="domain.list", method="GET", path="/domains", handler=self._domains),
            Op(name="domain.get", method="GET", path="/domains/{id}", handler=self._domain),
            Op(name="region.list", method="GET", path="/regions", handler=self._regions),
            Op(name="credential.list", method="GET", path=credentials, handler=self._credentials),
            Op(
                name="credential.create",
                method="POST",
                path=credentials,
                handler=self._new_credential,
            ),
            Op(
                name="credential.delete",
                method="DELETE",
                path=credentials + "/{id}",
                handler=self._drop_credential,
            ),
        ]

    async def _issue(self, call: Call) -> Response:
        auth = call.inner("auth")
        who = self._accounts.login(auth)
        token = self._tokens.issue(who, tuple(auth["identity"]["methods"]))
        return reply(self._token_doc(token), 201, {"X-Subject-Token": token.id})

    async def _validate(self, call: Call) -> Response:
        token = self._tokens.get(call.request.headers.get("X-Subject-Token", ""))
        if token is None:
            raise ApiError(404, "This is not a recognized Fernet token")
        return reply(self._token_doc(token), headers={"X-Subject-Token": token.id})

    async def _revoke(self, call: Call) -> Response:
        self._tokens.revoke(call.request.headers.get("X-Subject-Token", ""))
        return empty()

    def _token_doc(self, token: Token) -> dict[str, Any]:
        who = token.who
        doc: dict[str, Any] = {
            "methods": list(token.methods),
            "audit_ids": [token.id[-22:]],
            "is_domain": False,
            "issued_at": iso_micro(token.issued_at_s) + "Z",
            "expires_at": iso_micro(token.expires_at_s) + "Z",
            "user": {
                "id": who.user_id,
                "name": who.user,
                "domain": DOMAIN,
                "password_expires_at": None,
            },
        }
        if who.project_id:
            doc |= {
                "project": {"id": who.project_id, "name": who.project, "domain": DOMAIN},
                "roles": [{"id": role, "name": role} for role in who.roles],
                "catalog": self._endpoints.catalog(who.project_id),
            }
        return {"token": doc}

    async def _catalog(self, call: Call) -> Response:
        return reply({"catalog": self._endpoints.catalog(call.who.project_id)})

    async def _mine(self, call: Call) -> Response:
        user = self._find_user(call.who.user_id)
        return reply({"projects": [_project_doc(each) for each in user.projects], "links": {}})

    async def _projects(self, call: Call) -> Response:
        name = call.query("name")
        return reply(
            {
                "projects": [
                    _project_doc(each)
                    for each in self._accounts.projects.values()
                    if name in (None, each.name)
                ],
                "links": {},
            }
        )

    async def _project(self, call: Call) -> Response:
        for each in self._accounts.projects.values():
            if each.id == call.param("id"):
                return reply({"project": _project_doc(each)})
        raise ApiError(404, f"Could not find project: {call.param('id')}.")

    async def _users(self, call: Call) -> Response:
        name = call.query("name")
        return reply(
            {
                "users": [
                    _user_doc(each) for each in self._accounts.users if name in (None, each.name)
                ],
                "links": {},
            }
        )

    async def _user(self, call: Call) -> Response:
        return reply({"user": _user_doc(self._find_user(call.param("id")))})

    def _find_user(self, user_id: str) -> User:
        for each in self._accounts.users:
            if each.id == user_id:
                return each
        raise ApiError(404, f"Could not find user: {user_id}.")

    async def _domains(self, _call: Call) -> Response:
        return reply({"domains": [DOMAIN | {"enabled": True}], "links": {}})

    async def _domain(self, call: Call) -> Response:
        if call.param("id") != DOMAIN["id"]:
            raise ApiError(404, f"Could not find domain: {call.param('id')}.")
        return reply({"domain": DOMAIN | {"enabled": True}})

    async def _regions(self, _call: Call) -> Response:
        return reply(
            {
                "regions": [
                    {"id": name, "description": "", "parent_region_id": None}
                    for name in self._endpoints.regions
                ],
                "links": {},
            }
        )

    async def _credentials(self, call: Call) -> Response:
        user = self._find_user(call.param("user"))
        return reply(
            {
                "application_credentials": [
                    self._credential_doc(each)
                    for each in self._accounts.credentials
                    if each.user == user.name
                ],
                "links": {},
            }
        )

    async def _new_credential(self, call: Call) -> Response:
        asked = call.inner("application_credential")
        credential = CredentialConfig(
            id=secrets.token_hex(16),
            name=str(asked.get("name", "")),
            user=call.who.user,
            secret=str(asked.get("secret") or secrets.token_urlsafe(32)),
            project=call.who.project,
            access_rules=_rules(asked.get("access_rules")),
        )
        self._accounts.credentials.append(credential)
        doc = self._credential_doc(credential) | {"secret": credential.secret}
        return reply({"application_credential": doc}, 201)

    async def _drop_credential(self, call: Call) -> Response:
        self._accounts.credentials[:] = [
            each for each in self._accounts.credentials if each.id != call.param("id")
        ]
        return empty()

    def _credential_doc(self, credential: CredentialConfig) -> dict[str, Any]:
        return {
            "id": credential.id,
            "name": credential.name,
            "description": None,
            "project_id": self._accounts.projects[credential.project].id,
            "roles": [{"id": "member", "name": "member"}],
            "unrestricted": False,
            "expires_at": None,
            **(
                {}
                if credential.access_rules is None
                else {"access_rules": [asdict(each) for each in credential.access_rules]}
            ),
        }


def _rules(asked: object) -> tuple[AccessRule, ...] | None:
    """Return the rules that a credential is made with; None: without any."""
    if asked is None:
        return None
    try:
        if isinstance(asked, list):
            return tuple(
                AccessRule(service=one["service"], method=one["method"], path=one["path"])
                for one in asked
            )
    except (KeyError, TypeError):
        pass
    raise ApiError(400, "access_rules: Invalid input")


def _project_doc(project: Project) -> dict[str, Any]:
    return {
        "id": project.id,
        "name": project.name,
        "domain_id": DOMAIN["id"],
        "enabled": True,
        "is_domain": False,
        "parent_id": DOMAIN["id"],
        "description": "",
        "tags": [],
        "options": {},
        "links": {},
    }


def _user_doc(user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "name": user.name,
        "domain_id": DOMAIN["id"],
        "enabled": True,
        "default_project_id": user.projects[0].id if user.projects else None,
        "password_expires_at": None,
        "options": {},
        "links": {},
    }
