"""JSON records as they lie in ZooKeeper, and the errors of reading them.

Records below ``/nodepool`` are shared with other programs. Their writers differ: some leave keys
out, some write whole numbers as floats in exponent form, some add keys of their own. So reading
is tolerant where a client is known to be sloppy, and every key that was read is written back.

What is read here is finite in every sense, so that whatever comes out can be encoded again; what
single keys may hold says ``remuda.model.fields``.
"""

import json
import math
from collections.abc import Mapping
from typing import Any, Final

#: ZooKeeper refuses packets of about 1 MiB (jute.maxbuffer); no honest record comes near this.
RECORD_BYTES_MAX: Final = 256 * 1024
#: Honest records have some forty keys at the top.
KEYS_MAX: Final = 256
#: Python reads what is nested a thousand times, and then cannot write it from a deeper stack.
DEPTH_MAX: Final = 64
#: What an error quotes of a record at the most, and of the name of its znode: errors are kept
#: and shown.
QUOTE_CHARS_MAX: Final = 80
ZNODE_CHARS_MAX: Final = 200


class CorruptRecordError(ValueError):
    """Bytes in ZooKeeper are not the record they should be: set it aside, never crash on it.

    The message is short, whatever the record holds.
    """

    def __init__(self, name: str, why: str) -> None:
        self.why = why
        super().__init__(f"{name[:ZNODE_CHARS_MAX]}: {why}")


class UnknownSchemaError(CorruptRecordError):
    """The record may be right, but another version of ours wrote it."""


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"{quote(digits)} is too large a number")
    return number


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")


# Made once: json.loads and json.dumps make one per call when they are asked for anything.
_DECODER: Final = json.JSONDecoder(parse_float=_finite, parse_constant=_no_constant)
_ENCODER: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


def parse(name: str, raw: bytes, bytes_max: int = RECORD_BYTES_MAX) -> dict[str, Any]:
    """Return the JSON object in *raw*, the record called *name*.

    Python's own parser is used on purpose: records carry 128-bit integers (Zuul's trace ids),
    which must survive a rewrite exactly.

    Raises:
        CorruptRecordError: If *raw* is empty, too big, not a JSON object, or holds what JSON does
            not have: NaN, infinity, numbers that are too large.
    """
    if not raw:
        raise CorruptRecordError(name, "the record is empty")
    if len(raw) > bytes_max:
        raise CorruptRecordError(name, f"the record has {len(raw)} bytes, more than {bytes_max}")
    try:
        doc = _DECODER.decode(raw.decode())
    except (ValueError, RecursionError) as exc:
        raise CorruptRecordError(name, str(exc)[:ZNODE_CHARS_MAX]) from exc
    if not isinstance(doc, dict):
        raise CorruptRecordError(name, f"a JSON {type(doc).__name__}, not an object")
    if len(doc) > KEYS_MAX:
        raise CorruptRecordError(name, f"{len(doc)} keys, more than {KEYS_MAX}")
    # Most records have fewer brackets than they might be deep, so none is walked through.
    if raw.count(b"[") + raw.count(b"{") > DEPTH_MAX and too_deep(doc):
        raise CorruptRecordError(name, f"nested more than {DEPTH_MAX} times")
    return doc


def too_deep(value: object) -> bool:
    """Whether lists and objects are nested in *value* more often than anybody needs."""
    layer, depth = [value], 0
    while layer and depth <= DEPTH_MAX:
        inner: list[object] = []
        for one in layer:
            if isinstance(one, dict):
                inner += one.values()
            elif isinstance(one, list):
                inner += one
        layer, depth = inner, depth + 1
    return bool(layer)


def dump(doc: Mapping[str, Any]) -> bytes:
    """Return *doc* as the bytes of a record; the pair of :func:`parse`.

    Only ASCII is written, so that lone surrogates in others' keys survive. A number that JSON does
    not have is written as null: a record that is not written at all would be worse.
    """
    try:
        text = _ENCODER.encode(doc)
    except ValueError:
        text = _ENCODER.encode(_without_nan(doc))
    return text.encode()


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nan(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def quote(value: object) -> str:
    """Return what an error may say of a foreign *value*: short, and without odd characters."""
    if isinstance(value, list | tuple | Mapping):
        return f"a {'list' if isinstance(value, list | tuple) else 'mapping'} of {len(value)}"
    if isinstance(value, str):
        return ascii(value[:QUOTE_CHARS_MAX])
    text = repr(value)
    return text if len(text) <= QUOTE_CHARS_MAX else f"{text[:20]}… ({len(text)} characters)"
