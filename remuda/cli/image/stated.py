"""What is on record of one build and of what is stated of it, read for a command."""

from typing import Final

from remuda.images.catalogue import Catalogue
from remuda.images.inventory import Inventory, read_inventory
from remuda.images.statement import Statement, read_statement
from remuda.images.verifying import Recorded
from remuda.model.build import Build
from remuda.model.codec import CorruptRecordError
from remuda.model.image import UploadId
from remuda.store import paths
from remuda.store.api import Store

#: A place in which nothing lies: of a build that is made nowhere yet.
NOWHERE: Final = "0" * 12


def read_recorded(store: Store, seen: Catalogue, build: Build) -> Recorded:
    """Return what is on record of a build; what cannot be read says why.

    Raises:
        NotPermittedError: If ZooKeeper does not let us see it.
        StoreAwayError: If it does not answer.
    """
    native = UploadId(build.id, build.place or NOWHERE)
    mine, upload = store.read_many([paths.build(build.id), paths.upload(native)])
    return Recorded(
        build=build,
        raw_build=b"" if mine is None else mine.value,
        raw_native=None if upload is None else upload.value,
        uploads=seen.uploads.get(build.id, {}),
        statement=_statement(store, build),
        inventory=_inventory(store, build),
    )


def _statement(store: Store, build: Build) -> Statement | CorruptRecordError | None:
    try:
        found = read_statement(store, build.id)
    except CorruptRecordError as exc:
        return exc
    # A draft is nobody's word yet; one that was begun anew may lie beside a build that has ended.
    return found if found is not None and (found.complete or build.statement) else None


def _inventory(store: Store, build: Build) -> Inventory | CorruptRecordError | None:
    try:
        return read_inventory(store, build)
    except CorruptRecordError as exc:
        return exc
