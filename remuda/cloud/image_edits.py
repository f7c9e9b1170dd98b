"""Changing images of an OpenStack account.

Glance's JSON patch knows ``add``, ``replace`` and ``remove``, but not ``test``, and no header of
it names a version: there is no compare-and-set. A patch is applied as a whole or not at all, to
what Glance has just read, and all of that is written back. So a change is read again afterwards.
To remove what is not there is 409, as is a race between two writers (glance/api/v2/images.py).
"""

from typing import Any, Final

from remuda.cloud import errors
from remuda.cloud.api import BadOrderError, Fence, TryLaterError, unfenced
from remuda.cloud.errors import Answer, Effect
from remuda.cloud.image_store import ImageEdit, StoredImage
from remuda.cloud.stored_images import read_stored
from remuda.cloud.wire import Wire

_TOO_LARGE = 413
#: Of the column in Glance's database.
_KEY_CHARS_MAX: Final = 255
_PATCH: Final = {"Content-Type": "application/openstack-images-v2.1-json-patch"}


def get_image(wire: Wire, image_id: str) -> StoredImage:
    """Return one image; one call."""
    answer = wire.call("image", "GET", ("images", image_id), effect=Effect.READ)
    try:
        image = read_stored(answer.doc)
    except (KeyError, ValueError, TypeError) as exc:
        raise TryLaterError(f"image {image_id} cannot be read: {exc!r}") from exc
    if image.id != image_id:
        raise TryLaterError(f"asked for image {image_id}, the cloud tells of {image.id}")
    return image


def edit_image(wire: Wire, image_id: str, edit: ImageEdit, fence: Fence = unfenced) -> StoredImage:
    """Change an image; two calls, and one before them if something is to be removed."""
    _check(edit)
    present = get_image(wire, image_id).properties if edit.removed else {}
    gone = [key for key in edit.removed if key in present and key not in edit.properties]
    operations = [*_set(edit), *({"op": "remove", "path": _path(key)} for key in gone)]
    if operations:
        _patch(wire, image_id, operations, fence)
    after = get_image(wire, image_id)
    if wrong := _not_so(after, edit):
        raise TryLaterError(f"image {image_id}: somebody else changed {', '.join(wrong)} meanwhile")
    return after


def _check(edit: ImageEdit) -> None:
    """Refuse what Glance takes for its own failure (500), so that it would be tried for ever.

    Raises:
        BadOrderError: The name of a property is too long; nothing was sent.
    """
    for key in edit.properties:
        if len(key) > _KEY_CHARS_MAX:
            raise BadOrderError(f"a property's name has more than {_KEY_CHARS_MAX} characters")


def _set(edit: ImageEdit) -> list[dict[str, Any]]:
    wanted: dict[str, Any] = {
        "name": edit.name,
        "os_hidden": edit.hidden,
        "protected": edit.protected,
        "visibility": None if edit.visibility is None else str(edit.visibility),
        "min_disk": edit.min_disk_gib,
        "min_ram": edit.min_ram_mib,
    }
    own = [
        {"op": "replace", "path": f"/{key}", "value": value}
        for key, value in wanted.items()
        if value is not None
    ]
    # "add" sets what is there as well.
    added = [
        {"op": "add", "path": _path(key), "value": value} for key, value in edit.properties.items()
    ]
    return [*own, *added]


def _path(key: str) -> str:
    """Return a JSON pointer (RFC 6901) to a property."""
    return "/" + key.replace("~", "~0").replace("/", "~1")


def _patch(wire: Wire, image_id: str, operations: list[dict[str, Any]], fence: Fence) -> Answer:
    answer = wire.call(
        "image",
        "PATCH",
        ("images", image_id),
        effect=Effect.REPEATABLE,
        headers=_PATCH,
        body=operations,
        accept={_TOO_LARGE},
        fence=fence,
    )
    if answer.status == _TOO_LARGE:  # not throttling, as elsewhere: too many properties
        raise BadOrderError(f"HTTP {answer.status}: {errors.message_of(answer)}")
    return answer


def _not_so(image: StoredImage, edit: ImageEdit) -> list[str]:
    """Return what an edit asked for and an image has otherwise."""
    pairs: dict[str, tuple[object, object]] = {
        "its name": (edit.name, image.name),
        "hidden": (edit.hidden, image.hidden),
        "protected": (edit.protected, image.protected),
        "its visibility": (edit.visibility, image.visibility),
        "min_disk": (edit.min_disk_gib, image.min_disk_gib),
        "min_ram": (edit.min_ram_mib, image.min_ram_mib),
    }
    pairs |= {key: (value, image.properties.get(key)) for key, value in edit.properties.items()}
    wrong = [what for what, (asked, there) in pairs.items() if asked is not None and asked != there]
    removed = set(edit.removed) - set(edit.properties)
    return [*wrong, *sorted(removed & set(image.properties))]


def set_active(wire: Wire, image_id: str, *, active: bool) -> None:
    """Deactivate or reactivate an image; one call."""
    wire.call(
        "image",
        "POST",
        ("images", image_id, "actions", "reactivate" if active else "deactivate"),
        effect=Effect.REPEATABLE,
    )
