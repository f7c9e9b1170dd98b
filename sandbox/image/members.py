"""Glance's members: the projects that an image is shared with.

The owner adds and removes them, only they themselves accept (``modify_member``), and only images
whose visibility is ``shared`` have any.
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from sandbox.image.access import Access, refused
from sandbox.image.model import Image, ImageStore, image_doc
from sandbox.web.call import Call, Op, empty, reply
from sandbox.web.errors import ApiError

_STATUSES = ("pending", "accepted", "rejected")


class MemberApi:
    """The operations on members."""

    def __init__(self, store: ImageStore) -> None:
        self._store = store
        self._access = Access(store)

    def ops(self) -> list[Op]:
        """Return the routes below ``/v2``."""
        all_, one, about = "/images/{id}/members", "/images/{id}/members/{member}", self._about
        return [
            Op(name="member.list", method="GET", path=all_, handler=self._list, about=about),
            Op(name="member.create", method="POST", path=all_, handler=self._create, about=about),
            Op(name="member.get", method="GET", path=one, handler=self._get, about=about),
            Op(name="member.update", method="PUT", path=one, handler=self._update, about=about),
            Op(name="member.delete", method="DELETE", path=one, handler=self._delete, about=about),
        ]

    @property
    def _about(self) -> Any:
        return self._access.about

    async def _list(self, call: Call) -> Response:
        image = self._access.seen(call)
        if image.visibility != "shared":
            raise ApiError(
                403,
                f"Not allowed to list members for image {image.id}: Only shared images have"
                " members.",
            )
        mine = image.project_id == call.who.project_id or call.who.is_admin
        shown = [each for each in image.members if mine or each == call.who.project_id]
        docs = [_doc(image, each) for each in shown]
        return reply({"members": docs, "schema": "/v2/schemas/members"})

    async def _get(self, call: Call) -> Response:
        image = self._access.seen(call)
        return reply(_doc(image, self._member(call, image)))

    async def _create(self, call: Call) -> Response:
        image = self._access.own(call, "add_member")
        member = str(call.body.get("member", "") if isinstance(call.body, dict) else "")
        if not member:
            raise ApiError(400, "Member can't be empty")
        if image.visibility != "shared":
            raise ApiError(403, f"Not allowed to create members for image {image.id}.")
        if member in image.members:
            raise ApiError(409, f"Member {member} is duplicated for image {image.id}")
        return self._put(image, member, "pending")

    async def _update(self, call: Call) -> Response:
        image = self._access.seen(call)
        member = self._member(call, image)
        if member != call.who.project_id and not call.who.is_admin:
            raise refused("modify_member")
        status = str(call.body.get("status", "") if isinstance(call.body, dict) else "")
        if status not in _STATUSES:
            raise ApiError(
                400,
                'Incorrect request: Status must be "pending", "accepted" or "rejected".',
            )
        return self._put(image, member, status)

    async def _delete(self, call: Call) -> Response:
        image = self._access.own(call, "delete_member")
        member = self._member(call, image)
        members = {key: value for key, value in image.members.items() if key != member}
        self._store.change(image.id, members=members)
        return empty()

    @staticmethod
    def _member(call: Call, image: Image) -> str:
        member = call.param("member")
        if member not in image.members:
            raise ApiError(404, f"{member} not found in the member list of the image {image.id}.")
        return member

    def _put(self, image: Image, member: str, status: str) -> Response:
        changed = self._store.change(image.id, members={**image.members, member: status})
        return reply(_doc(changed, member))


def _doc(image: Image, member: str) -> dict[str, Any]:
    doc = image_doc(image)
    return {
        "image_id": image.id,
        "member_id": member,
        "status": image.members[member],
        "created_at": doc["created_at"],
        "updated_at": doc["updated_at"],
        "schema": "/v2/schemas/member",
    }
