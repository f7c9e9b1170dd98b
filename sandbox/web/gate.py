"""The way from a route to its handler: token, faults, body, version, refusals, counting."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from email.utils import formatdate
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.calls import CallCounts
from sandbox.clock import Clock
from sandbox.faults import Effect, EffectKind, FaultPlan, Subject
from sandbox.web import microversion
from sandbox.web.access_rules import allowed
from sandbox.web.call import NOBODY, Authority, Call, Op
from sandbox.web.errors import ApiError, Service, response
from sandbox.web.hangup import hang_up

_LOST: Final = "lost"
_DROPPED: Final = "dropped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What every call to one service in one region passes."""

    service: Service
    region: str
    authority: Authority
    faults: FaultPlan
    calls: CallCounts
    clock: Clock

    def route(self, op: Op) -> Route:
        """Return the route that leads to *op*."""
        return Route(op.path, self._endpoint(op), methods=[op.method], name=op.name)

    def _endpoint(self, op: Op) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            self.calls.count(self.service, op.name)
            answer, outcome = await self._answer(op, request)
            self.calls.answered(self.service, op.name, outcome or str(answer.status_code))
            answer.headers["X-Openstack-Request-Id"] = f"req-{uuid.uuid4()}"
            answer.headers["Date"] = formatdate(self.clock.now_s(), usegmt=True)
            return answer

        return endpoint

    async def _answer(self, op: Op, request: Request) -> tuple[Response, str]:
        """Return the answer, and the outcome if it is not the answer's status."""
        version = microversion.LOWEST
        try:
            if self.service is Service.COMPUTE:
                version = microversion.asked(request.headers)
            call = await self._call(op, request, version)
            for effect in call.effects:
                await self._before(effect)
                if effect.kind is EffectKind.DROP:
                    return hang_up(request), _DROPPED
            answer = await self._worked(op, call)
        except ApiError as error:
            return self._labelled(response(self.service, error), version), ""
        if call.effect(EffectKind.LOSE_REPLY):
            return hang_up(request), _LOST
        return self._labelled(answer, version), ""

    async def _worked(self, op: Op, call: Call) -> Response:
        bounded = not allowed(call.who.access_rules, self.service, op.method, call.request.url.path)
        # keystonemiddleware answers as it does to an unknown token.
        if (call.who is NOBODY or bounded) and not op.open:
            raise ApiError(
                401, "The request you have made requires authentication.", headers=_CHALLENGE
            )
        return await op.handler(call)

    async def _call(self, op: Op, request: Request, version: tuple[int, int]) -> Call:
        who = self.authority.who(request.headers.get("X-Auth-Token", "")) or NOBODY
        query = request.url.query
        subject = Subject(
            operation=op.name,
            service=self.service,
            region=self.region,
            project=who.project,
            method=request.method,
            path=request.url.path + (f"?{query}" if query else ""),
        )
        call = Call(
            request=request,
            who=who,
            version=version,
            subject=subject,
            body={} if op.reads_body else await _json(request),
            faults=self.faults,
        )
        if self.faults.about_things:
            call = replace(call, subject=op.about(call).into(subject))
        return replace(call, effects=self.faults.take(call.subject))

    async def _before(self, effect: Effect) -> None:
        if effect.kind is EffectKind.SLOW:
            await asyncio.sleep(effect.seconds)
        if effect.kind is EffectKind.HTTP:
            headers = {}
            if effect.retry_after_s is not None:
                headers["Retry-After"] = f"{effect.retry_after_s:g}"
            raise ApiError(effect.status, effect.text or "injected fault", headers=headers)

    def _labelled(self, answer: Response, version: tuple[int, int]) -> Response:
        if self.service is Service.COMPUTE:
            answer.headers.update(microversion.headers(version))
        return answer


_CHALLENGE: Final = {"WWW-Authenticate": 'Keystone uri="/identity/v3"'}


async def _json(request: Request) -> Any:
    raw = await request.body()
    if not raw:
        return {}
    try:
        return json.loads(raw)
    except ValueError as exc:
        raise ApiError(400, "malformed JSON in request body") from exc
