"""The claim on a request: which replica took it, in ``/remuda/providers/<provider>/claims``."""

from dataclasses import dataclass

from remuda.model import codec
from remuda.model.fields import LINE_CHARS_MAX, Fields
from remuda.model.ids import RequestId


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRecord:
    """A claim as it is written.

    Attributes:
        owner: The replica that took the request.
        pool: The pool that its nodes are to come from.
        contender: Path of the owner's place in the request's lock directory.
    """

    owner: str
    pool: str
    contender: str


def encode_claim(owner: str, pool: str, contender: str) -> bytes:
    """Return a claim record: who took the request, for which pool, under which lock."""
    return codec.dump({"owner": owner, "pool": pool, "contender": contender})


def decode_claim(request_id: RequestId, raw: bytes, *, directory: str) -> ClaimRecord:
    """Rebuild a claim; the pair of :func:`encode_claim`.

    Args:
        request_id: The request in question.
        raw: The record.
        directory: The request's lock directory. Whoever drops a claim deletes its contender, and
            so no claim may name another path.

    Raises:
        CorruptRecordError: If it is none.
    """
    fields = Fields(request_id, codec.parse(request_id, raw))
    contender = fields.text("contender", LINE_CHARS_MAX)
    parent, _, name = contender.rpartition("/")
    if parent != directory or name in ("", ".", ".."):
        raise fields.refuse("contender", "a place in the request's lock")
    return ClaimRecord(owner=fields.text("owner"), pool=fields.text("pool"), contender=contender)
