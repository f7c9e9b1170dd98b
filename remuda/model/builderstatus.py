"""What a builder says of itself, in its ephemeral znode ``/remuda/builders/<replica>``.

It lives as long as its znode is there, whatever that says. Beside who it is it holds what people
ask: why something waits, and what is to be seen to. Each builder judges all images, so that the
words of one are enough; what another builder is to do, that one says.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class BuilderStatus:
    """One builder process, and why what it judges waits.

    Attributes:
        waits: Why, by the name of what waits: an image, ``<image> for <providers>``, a build, an
            upload, a pointer (``pointer of <image> in <provider>``), a provider.
        alarms: What people should see to, by image.
        left_out: How many waits there was no room for.
    """

    replica: Replica
    waits: Mapping[str, str] = field(default_factory=dict)
    alarms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    left_out: int = 0


def encode_builder(status: BuilderStatus) -> bytes:
    """Serialise all but the id, cut to what fits; the pair of :func:`decode_builder`."""
    replica = codec.parse(status.replica.id, encode_replica(status.replica))
    doc: dict[str, Any] = {**replica, "waits": {}, "alarms": {}, "left_out": 0}
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
    return BuilderStatus(
        replica=decode_replica(replica_id, raw),
        waits={name: why.prose(name) or "" for name in waits},
        alarms={name: what.texts(name, _ALARMS_MAX, PROSE_CHARS_MAX) for name in alarms},
        left_out=fields.count("left_out", 0),
    )
