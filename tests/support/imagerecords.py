"""What is on record about images, kept up to date write by write: reading all anew takes long."""

from collections.abc import Sequence
from typing import Any

from remuda.images.library import Library
from remuda.model import launch as launches
from remuda.model.build import decode_build
from remuda.model.ids import NodeId
from remuda.model.image import BuildId, UploadId, decode_image
from remuda.model.lastuse import decode_last_use
from remuda.model.pointer import decode_pointer
from remuda.model.upload import decode_upload
from remuda.store.api import Op, Stored
from tests.fakes.store import FakeZookeeper


class ImageRecords:
    """The records behind a ZooKeeper of the tests.

    Attributes:
        library: What is there now; each write makes another one.
    """

    def __init__(self, zookeeper: FakeZookeeper) -> None:
        self._tree = zookeeper.tree
        self._found: dict[str, dict[Any, Any]] = {
            kind: {} for kind in ("images", "builds", "uploads", "pointers", "uses", "launches")
        }
        self.library = Library()
        self._renew(self._tree.paths())

    def written(self, ops: Sequence[Op]) -> Library:
        """Return what is there after a transaction."""
        return self._renew([op.path for op in ops])

    def _renew(self, some: Sequence[str]) -> Library:
        changed = {kind for path in some if (kind := self._one(path)) is not None}
        if changed:
            parts = {kind: dict(records) for kind, records in self._found.items()}
            parts["launches"] = tuple(parts["launches"].values())  # type: ignore[assignment]
            self.library = Library(**parts)  # type: ignore[arg-type]
        return self.library

    def _one(self, path: str) -> str | None:
        """Read one record; return which kind has changed."""
        match path.split("/")[2:]:
            case ["images", image, *rest] if rest in ([], ["use"]):
                decode = decode_last_use if rest else decode_image
                return self._put(
                    "uses" if rest else "images", image, path, lambda raw: decode(image, raw)
                )
            case ["images", image, "builds", number]:
                one = BuildId(image, int(number))
                return self._put("builds", one, path, lambda raw: decode_build(one, raw))
            case ["images", image, "builds", number, "uploads", place]:
                which = UploadId(BuildId(image, int(number)), place)
                return self._put("uploads", which, path, lambda raw: decode_upload(which, raw))
            case ["images", image, "pointers", provider]:
                return self._put(
                    "pointers",
                    (image, provider),
                    path,
                    lambda raw: decode_pointer(image, provider, raw),
                )
            case ["providers", provider, "launches", node]:
                return self._put(
                    "launches",
                    (provider, node),
                    path,
                    lambda raw: (provider, launches.decode(NodeId(node), raw)),
                )
        return None

    def _put(self, kind: str, key: Any, path: str, decode: Any) -> str:
        node = self._tree.get(path)
        if node is None:
            self._found[kind].pop(key, None)
            return kind
        value = decode(node.data)
        if kind != "launches":
            value = Stored(path=path, value=value, version=node.stat.version)
        self._found[kind][key] = value
        return kind
