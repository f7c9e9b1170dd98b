"""Documents that are kept by the ten thousand, without a dictionary of their own each.

Records of one kind mostly have the same keys in the same order, so the keys are kept once, and
most of their texts repeat (labels, providers, users, hosts). What was read is never changed in
place: whoever writes makes a new document.
"""

import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final

#: More different orders of keys than this are somebody's game; they are kept one by one.
SHAPES_MAX: Final = 1000
#: Shapes with more keys, or longer ones, are not remembered: they would stay when their record is
#: long gone. The records of the protocol have some forty keys of at most two dozen characters.
SHAPE_KEYS_MAX: Final = 64
SHAPE_KEY_CHARS_MAX: Final = 64
#: Longer texts (comments, reasons) hardly repeat; a host key, which is in two records, is shorter.
SHARED_CHARS_MAX: Final = 128

_SHAPES: Final[dict[tuple[str, ...], Mapping[str, int]]] = {}


class Packed(Mapping[str, Any]):
    """A read-only document in a third of the room; see :func:`as_dict` to merge it."""

    __slots__ = ("_shape", "_values")

    def __init__(self, doc: Mapping[str, Any]) -> None:
        self._shape = _shape(tuple(doc))
        self._values = tuple(map(shared, doc.values()))

    def __getitem__(self, key: str) -> Any:
        """Return the value of *key*."""
        return self._values[self._shape[key]]

    def __contains__(self, key: object) -> bool:
        """Whether there is *key*; ten thousand records without it are asked each minute."""
        return key in self._shape

    def __iter__(self) -> Iterator[str]:
        """Yield the keys in the order of the record."""
        return iter(self._shape)

    def __len__(self) -> int:
        """Return the number of keys."""
        return len(self._values)

    def as_dict(self) -> dict[str, Any]:
        """Return a dictionary of its own."""
        return dict(zip(self._shape, self._values, strict=True))


def as_dict(doc: Mapping[str, Any]) -> dict[str, Any]:
    """Return a new dictionary of *doc*, quickly."""
    return doc.as_dict() if isinstance(doc, Packed) else dict(doc)


def shared(value: Any) -> Any:
    """Return *value*; of short texts that are equal, also in lists, one is kept."""
    if type(value) is str and len(value) <= SHARED_CHARS_MAX:
        return sys.intern(value)
    if type(value) is list:
        return [shared(one) for one in value]
    return value


def _shape(keys: tuple[str, ...]) -> Mapping[str, int]:
    found = _SHAPES.get(keys)
    if found is None:
        found = {shared(key): place for place, key in enumerate(keys)}
        if len(_SHAPES) < SHAPES_MAX and _is_modest(keys):
            _SHAPES[keys] = found
    return found


def _is_modest(keys: tuple[str, ...]) -> bool:
    return len(keys) <= SHAPE_KEYS_MAX and all(len(key) <= SHAPE_KEY_CHARS_MAX for key in keys)
