"""The phase that lists what is on a machine, and the judge of what it printed; pure."""

import hashlib
from collections.abc import Sequence
from typing import Final

from builder.quiet.ignored import ignored_patterns
from builder.quiet.reports import Phase
from builder.quiet.scripts import text
from remuda.images.inventory import FOLDERS_MAX, SERVICES_MAX, WORD, Folder, MachineContents
from remuda.ssh.api import Script

#: To read 20 GiB from a slow disk takes some minutes, and quieting reads them again.
FILES_LIMIT_S: Final = 1200.0
#: Folders have names of 200 characters at most.
_OUTPUT_BYTES_MAX: Final = 2 * 1024 * 1024
_MARK: Final = "remuda\t"
_FIELDS: Final = 4
_HASH_CHARS: Final = 64
_COUNT_DIGITS_MAX: Final = 16


def files_script(how: str, ignored: Sequence[str] = ()) -> Script:
    """Return the script that lists services, and files by folder.

    Args:
        how: ``contents`` or ``sizes``: by what two files are told from each other.
        ignored: Patterns of what is left out besides what always is.
    """
    patterns = (*ignored_patterns(), *ignored)
    return Script(
        name="files",
        text=text(),
        timeout_s=FILES_LIMIT_S,
        output_bytes_max=_OUTPUT_BYTES_MAX,
        as_root=True,
        environment=(
            ("REMUDA_PHASES", Phase.INVENTORY),
            ("REMUDA_INVENTORY", how),
            ("REMUDA_IGNORED", "\n".join(patterns)),
            ("REMUDA_FOLDERS_MAX", str(FOLDERS_MAX)),
        ),
    )


def measure_of(how: str, ignored: Sequence[str] = ()) -> str:
    """Return the word by which lists are told that were taken alike: only these are compared."""
    patterns = "\n".join((*ignored_patterns(), *ignored))
    return f"{how}-{hashlib.sha256(patterns.encode()).hexdigest()[:8]}"


def read_files(output: str, measure: str) -> MachineContents | None:
    """Return what a machine has listed; None: the list is not whole, or too long."""
    lines = [line for line in output.splitlines() if line.startswith(_MARK)]
    rows = [line.split("\t") for line in lines]
    if len(rows) < 2 or any(len(row) != _FIELDS for row in rows):  # noqa: PLR2004 - begin and end
        return None
    begin, *found, end = rows
    if begin[1:3] != ["begin", Phase.INVENTORY] or end[1:] != [
        "end",
        Phase.INVENTORY,
        str(len(found)),
    ]:
        return None
    services = [(name, where) for _, kind, name, where in found if kind == "service"]
    folders = [_folder(name, value) for _, kind, name, value in found if kind == "folder"]
    whole = [one for one in folders if one is not None]
    if len(services) + len(whole) != len(found) or not whole:
        return None
    if len(services) > SERVICES_MAX or len(whole) > FOLDERS_MAX:
        return None
    if not all(WORD.fullmatch(word) for pair in services for word in pair):
        return None
    return MachineContents(measure=measure, services=tuple(services), folders=tuple(whole))


def _folder(name: str, value: str) -> Folder | None:
    words = value.split()
    if len(words) != _FIELDS or not WORD.fullmatch(name):
        return None
    files, size, digest, _ = words
    if not all(one.isdecimal() and len(one) <= _COUNT_DIGITS_MAX for one in (files, size)):
        return None
    if len(digest) != _HASH_CHARS or not digest.isalnum():
        return None
    return Folder(name=name, files=int(files), bytes=int(size), digest=digest)
