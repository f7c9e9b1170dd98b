"""What a builder asks of a launcher's machine, beside its label: a part of a request's record.

A build machine boots what its recipe starts from: an image of the cloud, which the launcher finds
by the configuration, or an upload of another image. A candidate boots the upload that it is to
prove. Nothing else can be named here, above all no image of a cloud by its id: whoever can write a
request chooses among what is on record.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from remuda.model.fields import KEY_CHARS_MAX, Fields
from remuda.model.image import UploadId, parse_upload

#: Below that of all users: images can wait. Launchers put whoever asks for them no earlier.
IMAGE_PRIORITY: Final = "900"
#: Our own key in a request.
IMAGE_KEY: Final = "remuda_image"
#: Of the kind that builders make for one machine; it goes into user data, and nothing beside it.
_LOGIN_KEY: Final = re.compile(r"ssh-ed25519 [A-Za-z0-9+/]{68}", re.ASCII)
_MAKE: Final = "make/"
_PROVE: Final = "prove/"


class ImageUse(StrEnum):
    """What the machine is for."""

    MAKE = "make"  # steps are run on it, and it becomes an image
    PROVE = "prove"  # an image that nobody has proven boots on it


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageAsk:
    """What a machine is for.

    Attributes:
        upload: What it is to boot; None, to make an image: what the recipe starts from.
        login_key: Public line of the key that opens this one machine, beside the launcher's own.
    """

    use: ImageUse
    upload: UploadId | None = None
    login_key: str | None = None


def image_label(image: str, use: ImageUse) -> str:
    """Return the label of such machines; no configuration can have it, for it has a slash."""
    return f"{_MAKE if use is ImageUse.MAKE else _PROVE}{image}"


def labelled_image(label: str) -> tuple[str, ImageUse] | None:
    """Return the image that a label of machines for images means; None: it is another label."""
    if "/" not in label:
        return None  # as nearly all
    for prefix, use in ((_MAKE, ImageUse.MAKE), (_PROVE, ImageUse.PROVE)):
        if label.startswith(prefix):
            return label.removeprefix(prefix), use
    return None


def proves(label: str) -> bool:
    """Whether machines of a label prove an image: only they boot what nobody has proven yet."""
    meant = labelled_image(label)
    return meant is not None and meant[1] is ImageUse.PROVE


def ask_doc(ask: ImageAsk) -> Mapping[str, Any]:
    """Return the part of the record; the pair of :func:`read_ask`."""
    doc = {
        "use": str(ask.use),
        "build": None if ask.upload is None else str(ask.upload.build),
        "place": None if ask.upload is None else ask.upload.place,
        "login_key": ask.login_key,
    }
    return {key: value for key, value in doc.items() if value is not None}


def read_ask(fields: Fields) -> ImageAsk | None:
    """Return what a request asks of machines for images; None: it asks for others.

    Raises:
        CorruptRecordError: If it is there, and is nothing that can be asked.
    """
    part = fields.part(IMAGE_KEY)
    if part is None:
        return None
    use = part.word("use", ImageUse)
    build, place = part.maybe_text("build"), part.maybe_text("place")
    upload = parse_upload(build, place)
    if upload is None and (build or place or use is ImageUse.PROVE):
        raise part.refuse("build", "a build <image>/<number>, with its place")
    return ImageAsk(use=use, upload=upload, login_key=read_login_key(part))


def read_login_key(fields: Fields) -> str | None:
    """Return the key that opens one machine, or None if there is none.

    Raises:
        CorruptRecordError: If it is no such key: it goes into user data.
    """
    login_key = fields.maybe_text("login_key", KEY_CHARS_MAX)
    if login_key is not None and not _LOGIN_KEY.fullmatch(login_key):
        raise fields.refuse("login_key", "the line of an ed25519 key without a comment")
    return login_key
