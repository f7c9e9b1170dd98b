"""What makes anew what images lack: their records, and the folders of what they have."""

from collections.abc import Iterable
from typing import Final

from builder.records import Records
from remuda.model.build import Build, BuildState
from remuda.model.image import ImageRecord, encode_image, number_of
from remuda.store import paths
from remuda.store.api import Check, Create, Op, Set, Stored

_UNFOLDERED: Final = frozenset({BuildState.REQUESTED, BuildState.RETIRING})
#: One transaction has to stay small; what is left comes with the next one.
_OPS_MAX: Final = 100


def lacking(records: Records, configured: Iterable[str]) -> dict[str, list[Op]]:
    """Return what makes anew what images lack, by image.

    Args:
        records: What is there.
        configured: Images that are to be there.
    """
    ops = {name: _image_znodes(records, name) for name in configured}
    for build in records.builds.values():
        some = ops.setdefault(build.value.id.image, [])
        if len(some) < _OPS_MAX:
            some.extend(_folder(records, build))
    return {name: some for name, some in ops.items() if some}


def _folder(records: Records, stored: Stored[Build]) -> list[Op]:
    """Return what makes the folder of a build's uploads anew: without it the build never ends.

    One that was just begun may be known before its folder is; one that retires has none any more,
    which the check tells if its record is not known yet.
    """
    path = paths.uploads(stored.value.id)
    if stored.value.state in _UNFOLDERED or path in records.versions:
        return []
    return [Check(path=stored.path, version=stored.version), Create(path=path)]


def _image_znodes(records: Records, name: str) -> list[Op]:
    """Return what an image lacks: its record, and the folders of its builds and pointers."""
    path = paths.image(name)
    ops: list[Op] = []
    if name not in records.images and path not in records.unreadable:
        # One that was emptied goes on: another build of an old number would pass for the old one.
        record = ImageRecord(name=name, last_build=_last_build(records, name))
        data, version = encode_image(record), records.versions.get(path)
        ops.append(
            Create(path=path, data=data)
            if version is None
            else Set(path=path, data=data, version=version)
        )
    folders = (paths.builds(name), paths.pointers(name))
    return [*ops, *(Create(path=one) for one in folders if one not in records.versions)]


def _last_build(records: Records, name: str) -> int:
    """Return the highest number of a build of an image that anything speaks of."""
    folder = f"{paths.builds(name)}/"
    there = (
        number_of(path[len(folder) :].split("/")[0])
        for path in records.versions
        if path.startswith(folder)
    )
    named = (
        number
        for (image, _), one in records.pointers.items()
        if image == name
        for number in (*(number for _, number in one.value.named()), *one.value.withdrawn)
    )
    return max([0, *(number or 0 for number in there), *named])
