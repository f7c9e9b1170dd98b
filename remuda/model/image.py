"""Images of ours: what identifies a build and an upload, and the record of an image itself.

An *image* is what the configuration names; a *build* is one making of it, numbered from 1 without
end; an *upload* is a build in one *place*, which providers on one project and region share.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from remuda.model import codec
from remuda.model.codec import CorruptRecordError
from remuda.model.fields import LINE_CHARS_MAX, Fields, safe

SCHEMA: Final = 1
#: Names of images become parts of paths, of labels and of names in clouds.
IMAGE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", re.ASCII)
#: Places are hashes of where they are; see :func:`place_of`.
PLACE: Final = re.compile(r"[0-9a-f]{12}", re.ASCII)
#: Znode names are padded, so that a listing of them is in order.
BUILD_DIGITS: Final = 6
BUILD_NUMBER_MAX: Final = 10**BUILD_DIGITS - 1
#: What is kept of who wants something, and of why: one record may hold a hundred such words.
WORD_CHARS_MAX: Final = 300


class BuildId(NamedTuple):
    """One making of an image; ids of one image sort by age."""

    image: str
    number: int

    def __str__(self) -> str:
        """Return how records and people name it: ``<image>/<number>``."""
        return f"{self.image}/{self.number}"


class UploadId(NamedTuple):
    """A build in one place."""

    build: BuildId
    place: str

    def __str__(self) -> str:
        """Return how people name it."""
        return f"{self.build} in {self.place}"


def znode_name(number: int) -> str:
    """Return the name of a build's znode; the pair of :func:`number_of`."""
    return f"{number:0{BUILD_DIGITS}d}"


def number_of(name: str) -> int | None:
    """Return the number of the build whose znode has this *name*, or None if it is none."""
    if not (name.isascii() and name.isdecimal() and len(name) == BUILD_DIGITS):
        return None
    return int(name) or None


def short_number(text: str) -> int | None:
    """Return the number of a build as people and records write it, or None if *text* is none."""
    if not (text.isascii() and text.isdecimal() and len(text) <= BUILD_DIGITS):
        return None
    return int(text) or None


def parse_build(text: str) -> BuildId | None:
    """Return the build that ``<image>/<number>`` means, or None if it means none."""
    image, _, digits = text.rpartition("/")
    if not IMAGE_NAME.fullmatch(image) or not (digits.isascii() and digits.isdecimal()):
        return None
    if len(digits) > BUILD_DIGITS or not int(digits):
        return None
    return BuildId(image, int(digits))


def parse_upload(build: str | None, place: str | None) -> UploadId | None:
    """Return the upload that a record names by these two fields, or None if it names none."""
    found = parse_build(build) if build else None
    if found is None or not place or not PLACE.fullmatch(place):
        return None
    return UploadId(found, place)


#: In place of a number, of machines that boot no build but run the recipe.
FIRST_USE: Final = "first-use"


def first_use_id(image: str) -> str:
    """Return what users are told that a machine boots which runs the recipe of an image itself."""
    return f"{image}/{FIRST_USE}"


def first_used(image_id: str) -> str | None:
    """Return the image whose recipe a machine runs itself, by what its users are told; or None."""
    image, _, rest = image_id.rpartition("/")
    return image if rest == FIRST_USE and IMAGE_NAME.fullmatch(image) else None


def place_of(*, project: str, region: str, endpoint: str) -> str:
    """Return where images of a project lie, as 12 hexadecimal digits.

    Providers for which all three are equal share their images, and so their uploads.

    Args:
        project: The project's id, as Keystone tells it.
        region: Name of the region; may be empty.
        endpoint: The image service's URL, as the catalogue tells it.
    """
    text = f"{project}\0{region}\0{endpoint}"
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def realm_of(*, region: str, endpoint: str) -> str:
    """Return within what images can be shared, as 12 hexadecimal digits: the same for all projects.

    Args:
        region: As in :func:`place_of`, likewise *endpoint*.
        endpoint: The image service's URL.
    """
    return hashlib.sha256(f"{region}\0{endpoint}".encode()).hexdigest()[:12]


#: Who speaks when nobody commands: a builder moves a pointer by its own judgement.
OURSELVES: Final = "remuda"


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """That somebody wants something: a person's command, and why.

    Attributes:
        at_s: When it was given, seconds since the epoch.
    """

    who: str
    why: str
    at_s: float


def word_doc(word: Word | None, chars_max: int = WORD_CHARS_MAX) -> dict[str, Any] | None:
    """Return a word, cut, as a part of a record; the pair of :func:`read_word`."""
    if word is None:
        return None
    return {
        "who": safe(word.who, chars_max),
        "why": safe(word.why, chars_max),
        "at_s": word.at_s,
    }


def read_word(fields: Fields, key: str) -> Word | None:
    """Return the word in a field of a record, or None if there is none."""
    part = fields.part(key)
    return None if part is None else word_in(part)


def word_in(part: Fields) -> Word:
    """Return the word that an object of a record holds."""
    return Word(
        who=part.prose("who", LINE_CHARS_MAX) or "",
        why=part.prose("why") or "",
        at_s=part.number("at_s"),
    )


def read_build_id(fields: Fields, key: str) -> BuildId | None:
    """Return the build that a field names, or None if there is none.

    Raises:
        CorruptRecordError: If it is anything else.
    """
    text = fields.maybe_text(key)
    if text is None:
        return None
    found = parse_build(text)
    if found is None:
        raise fields.refuse(key, "a build: <image>/<number>")
    return found


def read_place(fields: Fields, key: str) -> str:
    """Return a place that must be there."""
    place = fields.text(key)
    if not PLACE.fullmatch(place):
        raise fields.refuse(key, "a place: 12 hexadecimal digits")
    return place


def maybe_place(fields: Fields, key: str) -> str | None:
    """Return a place, or None if there is none."""
    return None if fields.doc.get(key) is None else read_place(fields, key)


def check_image_name(name: str) -> None:
    """Refuse the name of an image that nobody can have given.

    Raises:
        CorruptRecordError: If it is none.
    """
    if not IMAGE_NAME.fullmatch(name):
        raise CorruptRecordError(name, "no name of an image")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRecord:
    """One image, in ``/remuda/images/<image>``; its version is the fence for the next number.

    Attributes:
        last_build: Number of the last build, 0 if there was none; it only grows.
        wanted: Somebody's last command to build it.
        wanted_above: Number of the last build when it was given: a group of providers whose last
            build is not above that is to have another.
        paused: Somebody's command neither to build it nor to move its pointers.
    """

    name: str
    last_build: int = 0
    wanted: Word | None = None
    wanted_above: int = 0
    paused: Word | None = None


def encode_image(image: ImageRecord) -> bytes:
    """Serialise all but the name, which is the znode's."""
    return codec.dump(
        {
            "schema": SCHEMA,
            "last_build": image.last_build,
            "wanted": word_doc(image.wanted),
            "wanted_above": image.wanted_above,
            "paused": word_doc(image.paused),
        }
    )


def decode_image(name: str, raw: bytes) -> ImageRecord:
    """Rebuild the record of an image; the pair of :func:`encode_image`.

    Raises:
        CorruptRecordError: If *raw* is none of a schema we know.
    """
    check_image_name(name)
    fields = Fields(name, codec.parse(name, raw))
    fields.check_schema(SCHEMA)
    return ImageRecord(
        name=name,
        last_build=fields.count("last_build", 0, high=BUILD_NUMBER_MAX),
        wanted=read_word(fields, "wanted"),
        wanted_above=fields.count("wanted_above", 0, high=BUILD_NUMBER_MAX),
        paused=read_word(fields, "paused"),
    )
