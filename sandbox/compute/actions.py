"""Nova's server actions, metadata and tags."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from starlette.responses import Response

from sandbox.compute.create import read_metadata
from sandbox.compute.lifecycle import Lifecycle
from sandbox.compute.model import Server
from sandbox.compute.servers import ServersApi
from sandbox.compute.states import SERVER_TABLE, VM_STATES, ServerEvent, ServerState
from sandbox.faults import EFFECT_OPERATIONS, Effect, EffectKind, FaultPlan, Subject
from sandbox.image.limits import ImageRoom
from sandbox.stores import Stores
from sandbox.web.call import Call, Op, empty, reply
from sandbox.web.errors import ApiError

_S = ServerState
_SNAPSHOT_EFFECTS: Final = frozenset(
    kind for kind, where in EFFECT_OPERATIONS.items() if "server.snapshot" in where
)
#: What Nova says when the guest agent that an image promises does not answer.
_NO_QUIESCE: Final = "Failed to quiesce instance: Guest agent is not responding"


class ServerActionsApi:
    """What one can do to a server that exists."""

    def __init__(self, stores: Stores, servers: ServersApi, lifecycle: Lifecycle) -> None:
        self._servers = servers
        self._store = stores.servers
        self._images = stores.images
        self._room = ImageRoom(stores.images, stores.quotas)
        self._machines = stores.machines
        self._workers = stores.workers
        self._lifecycle = lifecycle
        self._glance = stores.glance
        self._actions = {
            "os-getConsoleOutput": self._console,
            "createImage": self._snapshot,
            "reboot": self._reboot,
            "os-stop": self._stop,
            "os-start": self._start,
            "forceDelete": self._force_delete,
            "lock": self._lock,
            "unlock": self._lock,
        }

    def ops(self) -> list[Op]:
        """Return the routes below ``/v2.1``."""
        one, about = "/servers/{id}", self._servers.about
        return [
            Op(
                name="server.action",
                method="POST",
                path=one + "/action",
                handler=self._act,
                about=about,
            ),
            Op(
                name="server.metadata",
                method="GET",
                path=one + "/metadata",
                handler=self._metadata,
                about=about,
            ),
            Op(
                name="server.set_metadata",
                method="POST",
                path=one + "/metadata",
                handler=self._add_metadata,
                about=about,
            ),
            Op(
                name="server.set_metadata",
                method="PUT",
                path=one + "/metadata",
                handler=self._put_metadata,
                about=about,
            ),
            Op(
                name="server.drop_metadata",
                method="DELETE",
                path=one + "/metadata/{key}",
                handler=self._drop_metadata,
                about=about,
            ),
            Op(
                name="server.tags",
                method="GET",
                path=one + "/tags",
                handler=self._tags,
                about=about,
            ),
            Op(
                name="server.set_tags",
                method="PUT",
                path=one + "/tags",
                handler=self._put_tags,
                about=about,
            ),
        ]

    async def _act(self, call: Call) -> Response:
        server = self._servers.mine(call)
        name = next(iter(call.body), "") if isinstance(call.body, dict) else ""
        action = self._actions.get(name)
        if action is None:
            raise ApiError(400, f"There is no such action: {name}")
        return await action(call, server)

    async def _console(self, call: Call, server: Server) -> Response:
        text = await self._workers.run(lambda: self._machines.console(server.id))
        length = (call.body["os-getConsoleOutput"] or {}).get("length")
        if length is not None and int(length) >= 0:
            lines = text.splitlines()
            text = "\n".join(lines[len(lines) - min(int(length), len(lines)) :])
        return reply({"output": text})

    async def _snapshot(self, call: Call, server: Server) -> Response:
        if server.state not in (_S.ACTIVE, _S.SHUTOFF):
            raise _conflict("createImage", server)
        if server.task is not None:
            raise _conflict("createImage", server)
        effect = self._effect(call, "server.snapshot", _SNAPSHOT_EFFECTS)
        if effect and effect.kind is EffectKind.SNAPSHOT_QUIESCE:
            raise ApiError(409, effect.text or _NO_QUIESCE)
        doc = call.inner("createImage")
        if not doc.get("name"):
            raise ApiError(400, "Invalid input for field/attribute name. '' should be non-empty")
        base = self._images.images.get(server.image_id)
        properties: dict[str, Any] = dict(base.properties) if base else {}
        properties |= {
            "image_type": "snapshot",
            "instance_uuid": server.id,
            "user_id": server.user_id,
            "base_image_ref": server.image_id,
            "owner_id": server.project_id,
            "owner_user_name": call.who.user,
            "owner_project_name": call.who.project,
            "boot_roles": ",".join(call.who.roles),
            "image_location": "snapshot",
            **read_metadata(doc.get("metadata"), -1),
        }
        try:
            self._room.check_count(server.project_id)
        except ApiError as exc:
            # Nova does not know what to do with Glance's 413 (nova/image/glance.py).
            raise ApiError(500, "Unexpected API Error.") from exc
        image = self._images.create(
            server.project_id,
            name=str(doc["name"]),
            visibility="private",
            properties=properties,
            min_disk=server.flavor.disk,
        )
        self._lifecycle.snapshot(server, image.id, effect)
        if call.version >= (2, 45):
            return reply({"image_id": image.id}, 202)
        # Nova joins Glance's address and a path of its own; seen with two slashes.
        return empty(202, {"Location": f"{self._glance}//images/{image.id}"})

    @staticmethod
    def _effect(call: Call, operation: str, kinds: Collection[EffectKind]) -> Effect | None:
        """Ask the plan for an operation that the route cannot know."""
        subject = call.subject
        plan: FaultPlan = call.faults
        effects = plan.take(
            Subject(
                operation=operation,
                service=subject.service,
                region=subject.region,
                project=subject.project,
                name=subject.name,
                flavor=subject.flavor,
                image=subject.image,
                metadata=subject.metadata,
            )
        )
        return next((each for each in effects if each.kind in kinds), None)

    async def _reboot(self, call: Call, server: Server) -> Response:
        hard = call.inner("reboot").get("type") == "HARD"
        event = ServerEvent.HARD_REBOOT if hard else ServerEvent.SOFT_REBOOT
        if event not in SERVER_TABLE[server.state] or server.task == "deleting":
            raise _conflict("reboot", server)
        self._lifecycle.reboot(server, hard=hard)
        return empty(202)

    async def _stop(self, call: Call, server: Server) -> Response:
        _check_lock(call, server)
        if server.state is _S.ERROR and server.launched_s is None:  # it has no host
            raise ApiError(409, f"Instance {server.id} is not ready")
        if server.state not in (_S.ACTIVE, _S.ERROR) or server.task is not None:
            raise _conflict("stop", server)
        self._lifecycle.stop(server, self._effect(call, "server.stop", (EffectKind.DIRTY_STOP,)))
        return empty(202)

    async def _start(self, _call: Call, server: Server) -> Response:
        if server.state is not _S.SHUTOFF or server.task is not None:
            raise _conflict("start", server)
        self._lifecycle.start(server)
        return empty(202)

    async def _force_delete(self, _call: Call, server: Server) -> Response:
        self._lifecycle.delete(server, None)
        return empty(202)

    async def _lock(self, call: Call, server: Server) -> Response:
        self._store.change(server.id, locked="lock" in call.body)
        return empty(202)

    async def _metadata(self, call: Call) -> Response:
        return reply({"metadata": dict(self._servers.mine(call).metadata)})

    async def _add_metadata(self, call: Call) -> Response:
        before = dict(self._servers.mine(call).metadata)
        return self._store_metadata(call, before | call.inner("metadata"))

    async def _put_metadata(self, call: Call) -> Response:
        return self._store_metadata(call, call.inner("metadata"))

    async def _drop_metadata(self, call: Call) -> Response:
        before, key = dict(self._servers.mine(call).metadata), call.param("key")
        if before.pop(key, None) is None:
            raise ApiError(404, "Metadata item was not found")
        self._store_metadata(call, before)
        return empty()

    def _store_metadata(self, call: Call, metadata: dict[str, Any]) -> Response:
        server = self._servers.mine(call)
        if server.state not in (_S.ACTIVE, _S.SHUTOFF, _S.BUILD):
            raise _conflict("update_instance_metadata", server)
        self._store.change(server.id, metadata={k: str(v) for k, v in metadata.items()})
        return reply({"metadata": metadata})

    async def _tags(self, call: Call) -> Response:
        return reply({"tags": list(self._servers.mine(call).tags)})

    async def _put_tags(self, call: Call) -> Response:
        tags = tuple(str(each) for each in call.body.get("tags", []))
        self._store.change(self._servers.mine(call).id, tags=tags)
        return reply({"tags": list(tags)})


def _conflict(action: str, server: Server) -> ApiError:
    """Return Nova's refusal: for the state, or where that would do for the task."""
    fits = server.state in (_S.ACTIVE, _S.SHUTOFF) if action == "createImage" else False
    fits = fits or server.state is (_S.SHUTOFF if action == "start" else _S.ACTIVE)
    why = f"vm_state {VM_STATES[server.state]}"
    if fits and server.task is not None:
        why = f"task_state {server.task}"
    return ApiError(409, f"Cannot '{action}' instance {server.id} while it is in {why}")


def _check_lock(call: Call, server: Server) -> None:
    if server.locked and not call.who.is_admin:
        raise ApiError(409, f"Instance {server.id} is locked")
