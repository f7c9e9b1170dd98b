"""One API call, as the handlers see it, and the table entry that leads to them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.config import AccessRule
from sandbox.faults import Effect, EffectKind, FaultPlan, Subject
from sandbox.web.errors import ApiError

T = TypeVar("T")
Version = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """In whose name a call is made; empty: nobody's.

    Attributes:
        access_rules: The only calls that the credential is good for; None or empty: no such bound.
    """

    user_id: str = ""
    user: str = ""
    project_id: str = ""
    project: str = ""
    roles: tuple[str, ...] = ()
    access_rules: tuple[AccessRule, ...] | None = None

    @property
    def is_admin(self) -> bool:
        """Say whether the caller may do what only administrators may."""
        return "admin" in self.roles


NOBODY = Who()


class Authority(Protocol):
    """Who knows the tokens."""

    def who(self, token: str) -> Who | None:
        """Return whose token it is; None if it is unknown or expired."""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a call is about, for fault rules that match names and the like."""

    name: str = ""
    flavor: str = ""
    image: str = ""
    metadata: Mapping[str, str] | None = None

    def into(self, subject: Subject) -> Subject:
        """Return *subject* with these details."""
        return replace(
            subject,
            name=self.name,
            flavor=self.flavor,
            image=self.image,
            metadata=self.metadata or {},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One API call.

    Attributes:
        body: The JSON document sent; empty if there was none, or if the handler reads it.
        version: Compute microversion, (2, 1) elsewhere.
        effects: What the fault plan wants of the handler itself.
    """

    request: Request
    who: Who
    body: Any
    version: Version
    subject: Subject
    faults: FaultPlan
    effects: tuple[Effect, ...] = ()

    def param(self, name: str) -> str:
        """Return a part of the path."""
        return str(self.request.path_params[name])

    def query(self, name: str, default: str | None = None) -> str | None:
        """Return the (last) value of a query parameter."""
        value: str | None = self.request.query_params.get(name, default)
        return value

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The whole query, repeated parameters included."""
        return list(self.request.query_params.multi_items())

    def effect(self, kind: EffectKind) -> Effect | None:
        """Return the first effect of that kind that applies to this call."""
        return next((each for each in self.effects if each.kind is kind), None)

    def visible(self, things: Iterable[T], about: Callable[[T], About]) -> list[T]:
        """Return *things* without those the fault plan leaves out of this list."""
        rules = self.faults.omissions(self.subject)
        if not rules:
            return list(things)
        return [
            thing
            for thing in things
            if not self.faults.omits(rules, about(thing).into(self.subject))
        ]

    def inner(self, key: str) -> dict[str, Any]:
        """Return the object under *key* of the body, where nearly every OpenStack call has it.

        Raises:
            ApiError: 400, if there is none.
        """
        value = self.body.get(key) if isinstance(self.body, dict) else None
        if not isinstance(value, dict):
            raise ApiError(
                400, f"Invalid input for field/attribute {key}. '{key}' is a required property"
            )
        return value


Handler = Callable[[Call], Awaitable[Response]]


def nothing_known(_call: Call) -> About:
    """The description of a call that is about no server or image."""
    return About()


@dataclass(frozen=True, slots=True, kw_only=True)
class Op:
    """One operation of an API.

    Attributes:
        name: What fault rules and call counts know it by, e.g. ``server.create``.
        path: Below the service's versioned root.
        open: Needs no token.
        reads_body: The handler reads the body itself; else it must be JSON, or empty.
        about: Describes the server or image that is meant.
    """

    name: str
    method: str
    path: str
    handler: Handler
    open: bool = False
    reads_body: bool = False
    about: Callable[[Call], About] = nothing_known


def reply(doc: object, status: int = 200, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Answer with a JSON document."""
    return JSONResponse(doc, status, headers=headers)


def empty(status: int = 204, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with no body."""
    return Response(status_code=status, headers=headers)
