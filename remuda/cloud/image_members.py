"""The projects that images of an OpenStack account are shared with."""

from collections.abc import Mapping
from typing import Final

from remuda.cloud.api import Fence, TryLaterError
from remuda.cloud.errors import Effect
from remuda.cloud.image_store import Membership
from remuda.cloud.wire import Wire
from remuda.model.fields import Fields

_NOT_FOUND, _CONFLICT = 404, 409
_MEMBERS: Final = "members"


def add(wire: Wire, image_id: str, project: str, fence: Fence) -> None:
    """Offer an image to a project; one call."""
    wire.call(
        "image",
        "POST",
        ("images", image_id, _MEMBERS),
        effect=Effect.REPEATABLE,
        body={"member": project},
        accept={_CONFLICT},  # offered before
        fence=fence,
    )


def remove(wire: Wire, image_id: str, project: str, fence: Fence) -> None:
    """Take the offer back; one call."""
    wire.call(
        "image",
        "DELETE",
        ("images", image_id, _MEMBERS, project),
        effect=Effect.REPEATABLE,
        accept={_NOT_FOUND},
        fence=fence,
    )


def accept(wire: Wire, image_id: str, project: str, fence: Fence) -> None:
    """Take, as that project, what is offered; one call."""
    wire.call(
        "image",
        "PUT",
        ("images", image_id, _MEMBERS, project),
        effect=Effect.REPEATABLE,
        body={"status": "accepted"},
        fence=fence,
    )


def listed(wire: Wire, image_id: str) -> Mapping[str, Membership]:
    """Return all members; one call."""
    # Not a mere look to the errors: Glance says by 403 that this image has no members.
    answer = wire.call("image", "GET", ("images", image_id, _MEMBERS), effect=Effect.REPEATABLE)
    docs = answer.doc.get(_MEMBERS)
    try:
        if not isinstance(docs, list):
            raise TypeError("no list of members")  # noqa: TRY301 - one way out for all of these
        return dict(_member(Fields("member", doc)) for doc in docs)
    except (KeyError, ValueError, TypeError, AttributeError) as exc:
        raise TryLaterError(f"the members of image {image_id} cannot be read: {exc!r}") from exc


def _member(fields: Fields) -> tuple[str, Membership]:
    status = fields.prose("status") or ""
    known = status in set(Membership)
    return fields.text("member_id"), Membership(status) if known else Membership.UNKNOWN
