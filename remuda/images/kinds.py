"""The kinds of records that tell of images: what each is called, where it lies, how it is read."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from remuda.model import launch as launches
from remuda.model.build import Build, decode_build
from remuda.model.ids import NodeId
from remuda.model.image import BuildId, ImageRecord, UploadId, decode_image
from remuda.model.lastuse import LastUse, decode_last_use
from remuda.model.launch import Launch
from remuda.model.pointer import Pointer, decode_pointer
from remuda.model.tally import Tally, decode_tally
from remuda.model.upload import Upload, decode_upload
from remuda.store import paths
from remuda.store.api import Stored

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

#: An image, or a node, and the provider.
PointerKey = tuple[str, str]
LaunchKey = tuple[str, NodeId]


@dataclass(frozen=True, slots=True)
class RecordKind(Generic[K, T]):
    """Records of one kind.

    Attributes:
        path: Where the record of a key lies.
    """

    path: Callable[[K], str]
    _decode: Callable[[K, bytes], T]

    def read(self, key: K, stored: Stored[bytes] | None) -> Stored[T] | None:
        """Return a record, or None if there is none.

        Raises:
            CorruptRecordError: It cannot be read.
        """
        if stored is None:
            return None
        value = self._decode(key, stored.value)
        return Stored(path=stored.path, value=value, version=stored.version)


IMAGES: Final[RecordKind[str, ImageRecord]] = RecordKind(paths.image, decode_image)
BUILDS: Final[RecordKind[BuildId, Build]] = RecordKind(paths.build, decode_build)
UPLOADS: Final[RecordKind[UploadId, Upload]] = RecordKind(paths.upload, decode_upload)
POINTERS: Final[RecordKind[PointerKey, Pointer]] = RecordKind(
    lambda key: paths.pointer(*key), lambda key, raw: decode_pointer(*key, raw)
)
TALLIES: Final[RecordKind[PointerKey, Tally]] = RecordKind(
    lambda key: paths.tally(*key), lambda key, raw: decode_tally(*key, raw)
)
USES: Final[RecordKind[str, LastUse]] = RecordKind(paths.last_use, decode_last_use)
LAUNCHES: Final[RecordKind[LaunchKey, Launch]] = RecordKind(
    lambda key: paths.launch(*key), lambda key, raw: launches.decode(key[1], raw)
)
