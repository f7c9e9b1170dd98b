"""What is written of the log of a build: all that has changed, as one transaction."""

from collections.abc import Mapping
from dataclasses import dataclass

from remuda.images.buildlog import Progress, encode_progress
from remuda.model.image import BuildId
from remuda.store import paths
from remuda.store.api import Check, Create, Delete, Op, Set


@dataclass(frozen=True, slots=True, kw_only=True)
class LogState:
    """A log as it is to be: the parts by their index, no others."""

    progress: Progress
    parts: Mapping[int, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogThere:
    """A log as it is in ZooKeeper, as far as we know.

    Attributes:
        provider: Where a trial is made; None: it is the build's own log.
        version: Of its progress; None: there is none.
        ours: Whether we have written what is there.
        parts: Version and length of each part, by its index.
    """

    build: BuildId
    provider: str | None
    version: int | None
    ours: bool
    parts: Mapping[int, tuple[int, int]]

    @property
    def path(self) -> str:
        """Where its progress is."""
        return paths.image_log(self.build, self.provider)

    def part(self, index: int) -> str:
        """Return where a part is."""
        return paths.image_log_part(self.build, index, self.provider)


def write_log(there: LogThere, state: LogState) -> tuple[list[Op], dict[int, tuple[int, int]]]:
    """Return what makes a log like *state*; and version and length of each part afterwards.

    The version of a part that is written is -1: the answer tells it.
    """
    # With its build goes its log: nobody would find it any more.
    ops: list[Op] = [Check(path=paths.build(there.build))]
    data = encode_progress(state.progress)
    if there.version is None:
        ops.append(Create(path=there.path, data=data))
    else:
        ops.append(Set(path=there.path, data=data, version=there.version))
    # Of another writer's log nothing is left; of ours, what has as many bytes is the same.
    lengths: dict[int, tuple[int, int]] = {}
    for index, (version, length) in there.parts.items():
        if index not in state.parts:
            ops.append(Delete(path=there.part(index)))
        elif there.ours and length == len(state.parts[index]):
            lengths[index] = (version, length)
    for index, part in state.parts.items():
        if index in lengths:
            continue
        path, before = there.part(index), there.parts.get(index)
        ops.append(
            Create(path=path, data=part)
            if before is None
            else Set(path=path, data=part, version=before[0])
        )
        lengths[index] = (-1, len(part))
    return ops, lengths
