"""Machines that send a whole archive of nothing: that is never what is there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from remuda.archive.bounds import ArchiveBounds
from remuda.archive.fetch import FetchPath, fetch
from remuda.archive.trees import LeftOut
from tests.fakes.clock import ManualClock
from tests.unit.archive.test_tarstream import special, tar_of

_BOUNDS = ArchiveBounds(bytes_max=1 << 20, files_max=100)


@dataclass(slots=True)
class Machine:
    """Sends the same for each path, and ends so."""

    sends: bytes
    code: int = 0
    says: bytes = b""

    def run(
        self,
        command: Sequence[str],
        *,
        stdout: Any = None,
        stderr: Any = None,
        env: Mapping[str, str] | None = None,
        **_rest: object,
    ) -> int:
        """Do so."""
        del command, env
        stderr.write(self.says)
        stdout.write(self.sends)
        return self.code


def fetched(machine: Machine) -> list[object]:
    """Return what is fetched of two paths."""
    paths = (FetchPath("/a", "a"), FetchPath("/b", "b"))
    return list(fetch(machine, paths, bounds=_BOUNDS, clock=ManualClock()))


@pytest.mark.parametrize(
    "sends", [b"", b"d" + bytes(1024), b"f" + bytes(65_536), b"d" + bytes(512)]
)
def test_nothing_at_all_is_no_complete_archive(sends: bytes) -> None:
    """Each path is said to be missing, and the next one is fetched all the same."""
    found = fetched(Machine(sends))
    assert [
        (type(one), getattr(one, "name", ""), getattr(one, "wanted", False)) for one in found
    ] == [
        (LeftOut, "a", True),
        (LeftOut, "b", True),
    ]
    assert all("nothing in it" in str(one) for one in found)


def test_an_empty_folder_is_complete() -> None:
    """Of it tar tells the folder."""
    assert fetched(Machine(b"d" + tar_of(special("./", b"5")))) == []


def test_what_tar_says_of_nothing_comes_first() -> None:
    """A file that went while it was asked for is no lie."""
    found = fetched(Machine(b"f" + bytes(1024), code=2, says=b"tar: ./a: No such file\n"))
    assert [one.why for one in found if isinstance(one, LeftOut)] == ["tar: ./a: No such file"] * 2
