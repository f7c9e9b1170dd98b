"""Users, projects and application credentials."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from sandbox.config import Config, CredentialConfig, stable_id
from sandbox.web.call import Who
from sandbox.web.errors import ApiError

DOMAIN: Final = {"id": "default", "name": "Default"}


@dataclass(frozen=True, slots=True)
class Project:
    """A project, by the id that does not change over restarts."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who can log in."""

    id: str
    name: str
    password: str
    projects: tuple[Project, ...]
    roles: tuple[str, ...]

    def who(self, project: Project | None) -> Who:
        """Return the identity of this user working in *project*."""
        return Who(
            user_id=self.id,
            user=self.name,
            roles=self.roles if project else (),
            project_id=project.id if project else "",
            project=project.name if project else "",
        )


class Accounts:
    """Everybody the configuration names."""

    def __init__(self, config: Config) -> None:
        self.projects = {
            name: Project(stable_id("project", name).replace("-", ""), name)
            for name in config.projects
        }
        self.users = [
            User(
                stable_id("user", each.name).replace("-", ""),
                each.name,
                each.password,
                tuple(self.projects[name] for name in each.projects),
                each.roles,
            )
            for each in config.users
        ]
        self.credentials = list(config.credentials)

    def login(self, auth: dict[str, Any]) -> Who:
        """Check the ``auth`` document of a token request.

        Raises:
            ApiError: 401, if it proves nobody; 400, if it is malformed.
        """
        identity = _object(auth, "identity")
        methods = identity.get("methods") or []
        if "application_credential" in methods:
            return self._by_credential(_object(identity, "application_credential"))
        if "password" not in methods:
            raise ApiError(401, "Attempted to authenticate with an unsupported method.")
        user = self._by_password(_object(_object(identity, "password"), "user"))
        return user.who(self._scope(user, auth.get("scope")))

    def _by_password(self, asked: dict[str, Any]) -> User:
        user = self._user(asked)
        given = str(asked.get("password", ""))
        wanted = "" if user is None else user.password
        if user is None or not (wanted and hmac.compare_digest(given.encode(), wanted.encode())):
            raise _refused()
        return user

    def _by_credential(self, asked: dict[str, Any]) -> Who:
        for each in self.credentials:
            if asked.get("id") not in (None, each.id) or asked.get("name") not in (None, each.name):
                continue
            if asked.get("id") is None and not self._is_owner(each, asked.get("user")):
                continue
            secret = str(asked.get("secret", ""))
            if hmac.compare_digest(secret.encode(), each.secret.encode()):
                user = next(user for user in self.users if user.name == each.user)
                who = user.who(self.projects[each.project])
                return replace(who, access_rules=each.access_rules)
        if asked.get("id") is not None and asked["id"] not in {x.id for x in self.credentials}:
            # Keystone 30 does not hide this behind a 401.
            raise ApiError(404, f"Could not find Application Credential: {asked['id']}.")
        raise _refused()

    def _is_owner(self, credential: CredentialConfig, asked: object) -> bool:
        user = self._user(asked) if isinstance(asked, dict) else None
        return user is not None and user.name == credential.user

    def _user(self, asked: dict[str, Any]) -> User | None:
        return _first(
            user
            for user in self.users
            if asked.get("id") == user.id or ("id" not in asked and asked.get("name") == user.name)
        )

    @staticmethod
    def _scope(user: User, scope: object) -> Project | None:
        """Return the project asked for; none asked: the user's first, like Keystone's default."""
        if scope == "unscoped":
            return None
        project = scope.get("project") if isinstance(scope, dict) else None
        if project is None:
            return user.projects[0] if user.projects else None
        for each in user.projects:
            if project.get("id") == each.id or project.get("name") == each.name:
                return each
        raise _refused()


def _refused() -> ApiError:
    return ApiError(401, "The request you have made requires authentication.")


def _first(users: Iterable[User]) -> User | None:
    return next(iter(users), None)


def _object(doc: dict[str, Any], key: str) -> dict[str, Any]:
    value = doc.get(key)
    if not isinstance(value, dict):
        raise ApiError(400, f"'{key}' is a required property")
    return value
