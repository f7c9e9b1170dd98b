"""What a builder says of itself, in its ephemeral znode ``/remuda/builders/<replica>``.

It lives as long as its znode is there, whatever that says. Beside who it is it holds what people
ask: why something waits, what is to be seen to, and which images its configuration has. Each
builder judges all images, so that the words of one are enough; what another is to do, that one
says.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from remuda.model import codec
from remuda.model.component import Replica, decode_replica, encode_replica
from remuda.model.fields import PROSE_CHARS_MAX, Fields, safe
from remuda.model.ids import ReplicaId

#: Everything in it is shown on a screen; more than this nobody reads.
STATUS_BYTES_MAX: Final = 64 * 1024
#: Of one sentence; the whole of it is on the builder's status page.
_WHY_CHARS_MAX: Final = 512
_NAME_CHARS_MAX: Final = 255
_ALARMS_MAX: Final = 100
#: An image is seldom in more than a dozen providers; this is room for a thousand such.
_PROVIDERS_BYTES_MAX: Final = 24 * 1024
_PROVIDERS_MAX: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BuilderStatus:
    """One builder process, and why what it judges waits.

    Attributes:
        waits: Why, by the name of what waits: an image, ``<image> for <providers>``, a build, an
            upload, a pointer (``pointer of <image> in <provider>``), a provider.
        alarms: What people should see to, by image.
        providers: Those of each image in its configuration; None: it does not say, for there are
            too many, or it has only begun.
        left_out: How many waits there was no room for.
    """

    replica: Replica
    waits: Mapping[str, str] = field(default_factory=dict)
    alarms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    providers: Mapping[str, tuple[str, ...]] | None = None
    left_out: int = 0


def encode_builder(status: BuilderStatus) -> bytes:
    """Serialise all but the id, cut to what fits; the pair of :func:`decode_builder`."""
    replica = codec.parse(status.replica.id, encode_replica(status.replica))
    doc: dict[str, Any] = {**replica, "waits": {}, "alarms": {}, "left_out": 0}
    if status.providers is not None:
        providers = {image: list(some) for image, some in sorted(status.providers.items())}
        # Half of them would make orphans of the others.
        if len(codec.dump(providers)) <= _PROVIDERS_BYTES_MAX:
            doc["providers"] = providers
    room = STATUS_BYTES_MAX - len(codec.dump(doc)) - len(str(len(status.waits)))
    for image, texts in sorted(status.alarms.items()):
        some = [safe(one, _WHY_CHARS_MAX) for one in texts[:_ALARMS_MAX]]
        room -= _add(doc["alarms"], image, some, room)
    for name, why in sorted(status.waits.items()):
        room -= _add(doc["waits"], name, safe(why, _WHY_CHARS_MAX), room)
    doc["left_out"] = status.left_out + len(status.waits) - len(doc["waits"])
    return codec.dump(doc)


def _add(part: dict[str, Any], name: str, value: Any, room: int) -> int:
    """Add an entry if there is room for it, and return the bytes that it takes."""
    key = safe(name, _NAME_CHARS_MAX)
    taken = len(codec.dump({key: value}))  # the braces stand for the comma
    if taken > room:
        return 0
    part[key] = value
    return taken


def decode_builder(replica_id: ReplicaId, raw: bytes) -> BuilderStatus:
    """Rebuild a builder's status; one that has only begun says no more than who it is.

    Raises:
        CorruptRecordError: If it is none.
    """
    fields = Fields(replica_id, codec.parse(replica_id, raw))
    waits, alarms = fields.mapping("waits"), fields.mapping("alarms")
    why = Fields(f"{replica_id}: waits", waits)
    what = Fields(f"{replica_id}: alarms", alarms)
    providers = None if fields.doc.get("providers") is None else fields.mapping("providers")
    where = Fields(f"{replica_id}: providers", providers or {})
    return BuilderStatus(
        replica=decode_replica(replica_id, raw),
        waits={name: why.prose(name) or "" for name in waits},
        alarms={name: what.texts(name, _ALARMS_MAX, PROSE_CHARS_MAX) for name in alarms},
        providers=None
        if providers is None
        else {name: where.texts(name, _PROVIDERS_MAX, _NAME_CHARS_MAX) for name in providers},
        left_out=fields.count("left_out", 0),
    )
