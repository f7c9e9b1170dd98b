"""When an image that is made on first use was last used, in ``/remuda/images/<image>/use``.

Launchers of all providers write it, seldom: a request for it is claimed, or served. Builders make
the image while it is used, and let it go after its time; nothing is deleted by this record alone.
"""

from dataclasses import dataclass
from typing import Final

from remuda.model import codec
from remuda.model.fields import Fields
from remuda.model.image import check_image_name

SCHEMA: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LastUse:
    """The last use of an image that anybody has noted.

    Attributes:
        at_s: Wall clock, seconds since the epoch; None: what is on record cannot be read.
        provider: Whose launchers noted it.
        ttl_s: Unused for so long it goes, as they are configured: for people, for builders go by
            their own configuration.
    """

    image: str
    at_s: float | None = None
    provider: str = ""
    ttl_s: float | None = None


def encode_last_use(use: LastUse) -> bytes:
    """Serialise all but the image, which is in the znode's path."""
    doc = {"schema": SCHEMA, "at_s": use.at_s, "provider": use.provider, "ttl_s": use.ttl_s}
    return codec.dump({key: value for key, value in doc.items() if value is not None})


def decode_last_use(image: str, raw: bytes) -> LastUse:
    """Rebuild a last use; the pair of :func:`encode_last_use`.

    Raises:
        CorruptRecordError: If *raw* is none of a schema we know.
    """
    check_image_name(image)
    name = f"last use of {image}"
    fields = Fields(name, codec.parse(name, raw))
    fields.check_schema(SCHEMA)
    at_s, provider = fields.number("at_s"), fields.maybe_text("provider") or ""
    ttl_s = fields.maybe_number("ttl_s")
    return LastUse(image=image, at_s=at_s, provider=provider, ttl_s=ttl_s)
