"""Glance's API, v2."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from starlette.responses import FileResponse, Response

from sandbox.image.edits import apply_edits, split_attributes
from sandbox.image.model import Image, ImageEvent, ImageState, ImageStore, digest, image_doc
from sandbox.web.call import About, Call, Op, empty, reply
from sandbox.web.errors import ApiError
from sandbox.web.paging import cut, next_query, order, read_limit, same
from sandbox.workers import Workers

_NOT_FILTERS: Final = frozenset(
    {
        "limit",
        "marker",
        "sort_key",
        "sort_dir",
        "sort",
        "member_status",
        "visibility",
        "tag",
        "created_at",
        "updated_at",
        "size_min",
        "size_max",
        "os_hidden",
    }
)


class ImageApi:
    """The operations of Glance in one region."""

    def __init__(self, store: ImageStore, workers: Workers, page_size_max: int) -> None:
        self._store = store
        self._workers = workers
        self._page_size_max = page_size_max

    def ops(self) -> list[Op]:
        """Return the routes below ``/v2``."""
        one, about = "/images/{id}", self._about
        return [
            Op(name="image.list", method="GET", path="/images", handler=self._list),
            Op(name="image.create", method="POST", path="/images", handler=self._create),
            Op(name="image.get", method="GET", path=one, handler=self._get, about=about),
            Op(name="image.update", method="PATCH", path=one, handler=self._update, about=about),
            Op(name="image.delete", method="DELETE", path=one, handler=self._delete, about=about),
            Op(
                name="image.upload",
                method="PUT",
                path=one + "/file",
                handler=self._upload,
                reads_body=True,
                about=about,
            ),
            Op(
                name="image.download",
                method="GET",
                path=one + "/file",
                handler=self._download,
                about=about,
            ),
            Op(
                name="image.deactivate",
                method="POST",
                path=one + "/actions/deactivate",
                handler=self._deactivate,
                about=about,
            ),
            Op(
                name="image.reactivate",
                method="POST",
                path=one + "/actions/reactivate",
                handler=self._reactivate,
                about=about,
            ),
            Op(name="image.tag", method="PUT", path=one + "/tags/{tag}", handler=self._tag),
            Op(name="image.untag", method="DELETE", path=one + "/tags/{tag}", handler=self._untag),
            Op(name="member.list", method="GET", path=one + "/members", handler=self._members),
            Op(
                name="member.create", method="POST", path=one + "/members", handler=self._add_member
            ),
            Op(
                name="member.update",
                method="PUT",
                path=one + "/members/{member}",
                handler=self._set_member,
            ),
            Op(
                name="member.delete",
                method="DELETE",
                path=one + "/members/{member}",
                handler=self._drop_member,
            ),
            Op(
                name="schema.get",
                method="GET",
                path="/schemas/{name}",
                handler=self._schema,
                open=True,
            ),
        ]

    def _about(self, call: Call) -> About:
        image = self._store.images.get(call.param("id"))
        return _described(image) if image else About()

    async def _list(self, call: Call) -> Response:
        images = [image for image in self._store.images.values() if self._listed(call, image)]
        images = call.visible(images, _described)
        docs = [dict(doc) for doc in order((image_doc(each) for each in images), *_sorting(call))]
        page = cut(
            docs,
            marker=call.query("marker"),
            id_of=lambda doc: str(doc["id"]),
            limit=read_limit(call.query("limit"), self._page_size_max),
        )
        doc: dict[str, Any] = {
            "images": list(page.items),
            "schema": "/v2/schemas/images",
            "first": "/v2/images",
        }
        if page.next_marker:
            doc["next"] = "/v2/images?" + next_query(call.pairs, page.next_marker)
        return reply(doc)

    def _listed(self, call: Call, image: Image) -> bool:
        visibility = call.query("visibility")
        mine = image.project_id == call.who.project_id
        # Glance leaves other people's community images out unless they are asked for.
        if not (mine or call.who.is_admin or self._store.usable_by(image, call.who.project_id)) or (
            image.visibility == "community" and not mine and visibility != "community"
        ):
            return False
        if visibility not in (None, "all", image.visibility):
            return False
        if image.hidden != ((call.query("os_hidden") or "false").lower() == "true"):
            return False
        tags = call.request.query_params.getlist("tag")
        doc = image_doc(image)
        return all(tag in image.tags for tag in tags) and all(
            _passes(doc, key, value) for key, value in call.pairs if key not in _NOT_FILTERS
        )

    async def _create(self, call: Call) -> Response:
        if not isinstance(call.body, dict):
            raise ApiError(400, "The image must be a JSON object")
        values, properties = split_attributes(call.body)
        image = self._store.create(
            call.who.project_id,
            properties=properties,
            image_id=str(call.body.get("id") or ""),
            **values,
        )
        return reply(image_doc(image), 201, {"Location": f"/v2/images/{image.id}"})

    def _seen(self, call: Call) -> Image:
        image = self._store.get(call.param("id"))
        if not (call.who.is_admin or self._store.usable_by(image, call.who.project_id)):
            raise ApiError(404, f"No image found with ID {image.id}")
        return image

    def _own(self, call: Call) -> Image:
        image = self._seen(call)
        if image.project_id != call.who.project_id and not call.who.is_admin:
            raise ApiError(403, "You are not authorized to complete this action.")
        return image

    async def _get(self, call: Call) -> Response:
        return reply(image_doc(self._seen(call)))

    async def _update(self, call: Call) -> Response:
        changes = apply_edits(self._own(call), call.body)
        return reply(image_doc(self._store.change(call.param("id"), **changes)))

    async def _delete(self, call: Call) -> Response:
        image = self._own(call)
        if image.protected:
            raise ApiError(403, f"Image {image.id} is protected and cannot be deleted.")
        self._store.drop(image.id)
        return empty()

    async def _upload(self, call: Call) -> Response:
        image = self._own(call)
        self._store.step(image.id, ImageEvent.UPLOAD_STARTED)
        path = self._store.path(image.id)
        with path.open("wb") as file:  # chunk by chunk: an image may be larger than memory
            async for chunk in call.request.stream():
                file.write(chunk)
        size, md5, sha512 = await self._workers.run(lambda: digest(path))
        if image.id not in self._store.images:
            path.unlink(missing_ok=True)
            raise ApiError(410, f"Image {image.id} was deleted during the upload")
        self._store.step(
            image.id, ImageEvent.UPLOADED, file=str(path), size=size, checksum=md5, sha512=sha512
        )
        return empty()

    async def _download(self, call: Call) -> Response:
        image = self._seen(call)
        if image.state is ImageState.DEACTIVATED:
            raise ApiError(
                403, "The requested image has been deactivated. Image data download is forbidden."
            )
        if image.state is not ImageState.ACTIVE or not image.file:
            return empty(204)
        return FileResponse(
            image.file,
            media_type="application/octet-stream",
            headers={"Content-MD5": image.checksum or ""},
        )

    async def _deactivate(self, call: Call) -> Response:
        self._store.step(self._own(call).id, ImageEvent.DEACTIVATED)
        return empty()

    async def _reactivate(self, call: Call) -> Response:
        self._store.step(self._own(call).id, ImageEvent.REACTIVATED)
        return empty()

    async def _tag(self, call: Call) -> Response:
        image = self._own(call)
        self._store.change(image.id, tags=tuple(dict.fromkeys((*image.tags, call.param("tag")))))
        return empty()

    async def _untag(self, call: Call) -> Response:
        image = self._own(call)
        self._store.change(image.id, tags=tuple(t for t in image.tags if t != call.param("tag")))
        return empty()

    async def _members(self, call: Call) -> Response:
        image = self._seen(call)
        return reply(
            {
                "members": [_member_doc(image, member) for member in image.members],
                "schema": "/v2/schemas/members",
            }
        )

    async def _add_member(self, call: Call) -> Response:
        member = str(call.body.get("member", ""))
        if not member:
            raise ApiError(400, "Member can't be empty")
        return self._put_member(self._own(call), member, "pending")

    async def _set_member(self, call: Call) -> Response:
        status = str(call.body.get("status", ""))
        if status not in ("pending", "accepted", "rejected"):
            raise ApiError(400, f"Invalid status: {status}")
        image = self._seen(call)
        if call.param("member") not in image.members:
            raise ApiError(
                404, f"{call.param('member')} not found in the member list of the image {image.id}."
            )
        return self._put_member(image, call.param("member"), status)

    def _put_member(self, image: Image, member: str, status: str) -> Response:
        image = self._store.change(image.id, members={**image.members, member: status})
        return reply(_member_doc(image, member))

    async def _drop_member(self, call: Call) -> Response:
        image = self._own(call)
        members = {k: v for k, v in image.members.items() if k != call.param("member")}
        self._store.change(image.id, members=members)
        return empty()

    async def _schema(self, call: Call) -> Response:
        names = (
            "id",
            "name",
            "status",
            "visibility",
            "owner",
            "min_disk",
            "min_ram",
            "size",
            "checksum",
            "disk_format",
            "container_format",
            "created_at",
            "updated_at",
        )
        return reply(
            {
                "name": call.param("name"),
                "additionalProperties": {"type": "string"},
                "properties": {name: {"type": ["null", "string", "integer"]} for name in names},
            }
        )


def _described(image: Image) -> About:
    return About(
        name=image.name,
        image=image.name,
        metadata={key: str(value) for key, value in image.properties.items()},
    )


def _passes(doc: dict[str, Any], key: str, asked: str) -> bool:
    if asked.startswith("in:"):
        return any(same(doc.get(key), each) for each in asked[3:].split(","))
    return same(doc.get(key), asked)


def _sorting(call: Call) -> tuple[list[str], list[str]]:
    """Return keys and directions: of ``sort`` or ``sort_key``/``sort_dir``, else newest first."""

    def words() -> Iterator[tuple[str, str]]:
        for each in (call.query("sort") or "").split(","):
            key, _, direction = each.partition(":")
            yield key, direction or "desc"

    if call.query("sort"):
        pairs = list(words())
        return [key for key, _ in pairs], [direction for _, direction in pairs]
    params = call.request.query_params
    keys = params.getlist("sort_key") or ["created_at"]
    directions = params.getlist("sort_dir") or ["desc"]
    return keys, directions + directions[-1:] * (len(keys) - len(directions))


def _member_doc(image: Image, member: str) -> dict[str, Any]:
    doc = image_doc(image)
    return {
        "image_id": image.id,
        "member_id": member,
        "status": image.members[member],
        "created_at": doc["created_at"],
        "updated_at": doc["updated_at"],
        "schema": "/v2/schemas/member",
    }
