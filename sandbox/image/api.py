"""Glance's API, v2: images; their data is in ``transfer.py``, their members in ``members.py``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from starlette.responses import Response

from sandbox.faults import EffectKind
from sandbox.image.access import Access, check_visibility, described
from sandbox.image.edits import PATCH_TYPES, apply_edits, split_attributes
from sandbox.image.limits import ImageRoom, over_quota
from sandbox.image.model import IMAGE_TABLE, Image, ImageEvent, ImageStore, image_doc
from sandbox.web.call import Call, Op, empty, reply
from sandbox.web.errors import ApiError
from sandbox.web.paging import cut, next_query, order, read_limit, same

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

    def __init__(self, store: ImageStore, room: ImageRoom, page_size_max: int) -> None:
        self._store = store
        self._room = room
        self._access = Access(store)
        self._page_size_max = page_size_max

    def ops(self) -> list[Op]:
        """Return the routes below ``/v2``."""
        one, about = "/images/{id}", self._access.about
        return [
            Op(name="image.list", method="GET", path="/images", handler=self._list),
            Op(name="image.create", method="POST", path="/images", handler=self._create),
            Op(name="image.get", method="GET", path=one, handler=self._get, about=about),
            Op(name="image.update", method="PATCH", path=one, handler=self._update, about=about),
            Op(name="image.delete", method="DELETE", path=one, handler=self._delete, about=about),
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
            Op(name="image.usage", method="GET", path="/info/usage", handler=self._usage),
            Op(
                name="schema.get",
                method="GET",
                path="/schemas/{name}",
                handler=self._schema,
                open=True,
            ),
        ]

    async def _list(self, call: Call) -> Response:
        images = [image for image in self._store.images.values() if self._listed(call, image)]
        images = call.visible(images, described)
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
        if not self._offered(call, image) or visibility not in (None, "all", image.visibility):
            return False
        if image.hidden != ((call.query("os_hidden") or "false").lower() == "true"):
            return False
        tags = call.request.query_params.getlist("tag")
        doc = image_doc(image)
        return all(tag in image.tags for tag in tags) and all(
            _passes(doc, key, value) for key, value in call.pairs if key not in _NOT_FILTERS
        )

    @staticmethod
    def _offered(call: Call, image: Image) -> bool:
        """Whether a listing shows the image to this project."""
        if image.project_id == call.who.project_id or call.who.is_admin:
            return True
        match image.visibility:
            case "public":
                return True
            case "community":  # other people's only if they are asked for
                return call.query("visibility") == "community"
            case "shared":
                wanted = call.query("member_status", "accepted")
                status = image.members.get(call.who.project_id)
                return status is not None and wanted in (status, "all")
            case _:
                return False

    async def _create(self, call: Call) -> Response:
        if not isinstance(call.body, dict):
            raise ApiError(400, "The image must be a JSON object")
        values, properties = split_attributes(call.body)
        check_visibility(call, values.get("visibility"))
        effect = call.effect(EffectKind.QUOTA)
        if effect:
            raise over_quota(call.who.project_id, "image_count_total", 0, 1)
        self._room.check_count(call.who.project_id)
        image = self._store.create(
            call.who.project_id,
            properties=properties,
            image_id=str(call.body.get("id") or ""),
            **values,
        )
        return reply(image_doc(image), 201, {"Location": f"/v2/images/{image.id}"})

    async def _get(self, call: Call) -> Response:
        return reply(image_doc(self._access.seen(call)))

    async def _update(self, call: Call) -> Response:
        if call.request.headers.get("Content-Type") not in PATCH_TYPES:
            raise ApiError(415, "The request media type is not supported by this server.")
        changes = apply_edits(self._access.own(call, "modify_image"), call.body)
        check_visibility(call, changes.get("visibility"))
        return reply(image_doc(self._store.change(call.param("id"), **changes)))

    async def _delete(self, call: Call) -> Response:
        image = self._access.own(call, "delete_image")
        if image.protected:
            raise ApiError(403, f"Image {image.id} is protected and cannot be deleted.")
        self._store.drop(image.id)
        return empty()

    async def _deactivate(self, call: Call) -> Response:
        return self._switch(self._access.own(call, "deactivate"), ImageEvent.DEACTIVATED)

    async def _reactivate(self, call: Call) -> Response:
        return self._switch(self._access.own(call, "reactivate"), ImageEvent.REACTIVATED)

    def _switch(self, image: Image, event: ImageEvent) -> Response:
        if event not in IMAGE_TABLE[image.state]:
            raise ApiError(403, f"Not allowed to change image in status '{image.state}'")
        self._store.step(image.id, event)
        return empty()

    async def _usage(self, call: Call) -> Response:
        return reply({"usage": self._room.usage(call.who.project_id)})

    async def _tag(self, call: Call) -> Response:
        image = self._access.own(call, "modify_image")
        self._store.change(image.id, tags=tuple(dict.fromkeys((*image.tags, call.param("tag")))))
        return empty()

    async def _untag(self, call: Call) -> Response:
        image = self._access.own(call, "modify_image")
        self._store.change(image.id, tags=tuple(t for t in image.tags if t != call.param("tag")))
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
