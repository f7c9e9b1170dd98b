"""Finding the image that a configuration means."""

import difflib
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from remuda.cloud.api import BadOrderError, GoneError, Image, ImageWanted, TryLaterError
from remuda.cloud.errors import Effect
from remuda.cloud.servers import read_time
from remuda.cloud.wire import Wire
from remuda.config.name_guesses import COMPARED_MAX, NAME_CHARS_MAX
from remuda.model import tags
from remuda.model.fields import LINE_CHARS_MAX, Fields, safe

#: Names shown when none matches.
NEAR_MAX: Final = 5
#: Glance takes no longer ones; patterns of operators are not compared with more.
_IMAGE_NAME_MAX: Final = 255
#: As much as Glance's database holds.
_NUMBER_MAX: Final = (1 << 63) - 1
_PAGE_SIZE: Final = "500"


def find_image(wire: Wire, wanted: ImageWanted) -> Image:
    """Return the newest active image that matches, with one call (one per page for patterns).

    Glance leaves out hidden images by itself.

    Raises:
        BadOrderError: If none does; the message names near ones, which costs another call.
    """
    if wanted.id is not None:
        return _by_id(wire, wanted.id)
    named = {"name": wanted.name} if wanted.name is not None else {}
    found = [image for image in _list(wire, named) if matches(image, wanted)]
    if proven := [image for image in found if not is_of_build(image)]:
        return max(proven, key=lambda image: (image.created_s, image.id))
    names = [image.name for image in _list(wire, {}) if not is_of_build(image)]
    raise BadOrderError(_nothing(wanted, names) + left_out(found))


def is_of_build(image: Image) -> bool:
    """Whether an image is found by its id only, for it came of a build."""
    return tags.descends_from_build(image.properties)


def left_out(found: Collection[Image]) -> str:
    """Return the end of a sentence about images that match and are not for finding."""
    if not found:
        return ""
    newest = max(found, key=lambda image: (image.created_s, image.id))
    return (
        f". What matches came of a build of images, and is found by its id only: {newest.id};"
        f" if it was made by hand, take its property {tags.BUILD} away"
    )


def matches(image: Image, wanted: ImageWanted) -> bool:
    """Whether everything that is wanted is true of the image.

    Raises:
        BadOrderError: If the pattern is no regular expression.
    """
    if wanted.name is not None and image.name != wanted.name:
        return False
    if wanted.pattern is not None:
        try:
            if re.fullmatch(wanted.pattern, image.name[:_IMAGE_NAME_MAX]) is None:
                return False
        except re.error as exc:
            raise BadOrderError(f"image pattern {wanted.pattern!r}: {exc}") from exc
    return all(image.properties.get(key) == value for key, value in wanted.properties.items())


def read_image(doc: Mapping[str, Any]) -> Image:
    """Return one image as Glance v2 writes it: properties lie beside the other fields.

    Raises:
        KeyError, ValueError, TypeError: If this is no image.
    """
    fields = Fields("image", doc)
    if (image_id := fields.identifier("id")) is None:
        raise KeyError("id")
    return Image(
        id=image_id,
        name=fields.prose("name", LINE_CHARS_MAX) or "",
        created_s=read_time(doc.get("created_at")),
        properties={
            safe(key, LINE_CHARS_MAX): safe(value, LINE_CHARS_MAX)
            for key, value in doc.items()
            if isinstance(value, str)
        },
        min_disk_gib=_number(doc, "min_disk") or 0,
        min_ram_mib=_number(doc, "min_ram") or 0,
        size_bytes=_number(doc, "size"),
        virtual_bytes=_number(doc, "virtual_size"),
    )


def _number(doc: Mapping[str, Any], key: str) -> int | None:
    """Return a size; None if there is none: an odd one must not hide all other images."""
    value = doc.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= _NUMBER_MAX else None


def _by_id(wire: Wire, image_id: str) -> Image:
    try:
        answer = wire.call("image", "GET", ("images", image_id), effect=Effect.READ)
    except GoneError as exc:
        raise BadOrderError(f"there is no image with the id {image_id!r}") from exc
    image = _read_all([answer.doc])[0]
    if answer.doc.get("status") != "active":
        raise BadOrderError(f"image {image.name!r} ({image.id}) is {answer.doc.get('status')!r}")
    return image


def _list(wire: Wire, filters: Mapping[str, str]) -> list[Image]:
    query = {"status": "active", "limit": _PAGE_SIZE, **filters}
    return _read_all(wire.pages("image", ("images",), "images", query))


def _read_all(docs: Iterable[Mapping[str, Any]]) -> list[Image]:
    try:
        return [read_image(doc) for doc in docs]
    except (KeyError, ValueError, TypeError) as exc:
        raise TryLaterError(f"the answer of the image service cannot be read: {exc!r}") from exc


def _nothing(wanted: ImageWanted, names: list[str]) -> str:
    parts = [
        f"named {wanted.name!r}" if wanted.name is not None else "",
        f"matching {wanted.pattern!r}" if wanted.pattern is not None else "",
        f"with {dict(wanted.properties)}" if wanted.properties else "",
    ]
    what = " ".join(part for part in parts if part)
    return f"there is no active image {what}; {near_names(wanted.name or wanted.pattern, names)}"


def near_names(name: str | None, names: Iterable[str]) -> str:
    """Return the end of a sentence that names what there is, the most similar first."""
    known = sorted({one[:_IMAGE_NAME_MAX] for one in names})
    wanted = (name or "")[:NAME_CHARS_MAX]
    near = {one[:NAME_CHARS_MAX]: one for one in known[:COMPARED_MAX]}
    close = difflib.get_close_matches(wanted, near, n=NEAR_MAX, cutoff=0.4)
    if close:
        return f"near are {', '.join(near[one] for one in close)}"
    shown = ", ".join(known[:NEAR_MAX])
    more = f" and {len(known) - NEAR_MAX} more" if len(known) > NEAR_MAX else ""
    return f"there are {shown}{more}" if known else "there are none at all"
