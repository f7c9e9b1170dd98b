"""The key of one machine: it opens nothing else, and is gone with the machine.

Whoever uses a key holds a lock on its folder, which ends with the process: so what a builder has
left that was killed can be told from what another one of the same user works with.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from remuda.known_secrets import KNOWN
from remuda.ssh.hostkeys import make_host_key

_PREFIX: Final = "login-"
#: Nothing is in such a folder.
_UNNAMED: Final = "new-"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginKey:
    """A key pair.

    Attributes:
        file: The private half, which only we may read.
        public: ``ssh-ed25519 <base64>``.
    """

    file: Path
    public: str


@contextmanager
def short_lived_key(folder: Path) -> Iterator[LoginKey]:
    """Make a key in a folder of its own below *folder*; both are gone in the end.

    Raises:
        OSError: It cannot be written.
    """
    pair = make_host_key()  # ed25519 in OpenSSH's form, as a login key is
    KNOWN.note([pair.private])
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _own_folder(folder) as own:
        file = own / "key"
        number = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(number, "w", encoding="ascii") as stream:
            stream.write(pair.private)
        yield LoginKey(file=file, public=pair.public)


@contextmanager
def _own_folder(folder: Path) -> Iterator[Path]:
    """Make a folder that is ours as long as it is used; it gets its name when it is locked."""
    own = Path(tempfile.mkdtemp(prefix=_UNNAMED, dir=folder))  # of mode 0700
    held = os.open(own, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        own = own.rename(own.with_name(_PREFIX + own.name.removeprefix(_UNNAMED)))
        yield own
    finally:
        shutil.rmtree(own, ignore_errors=True)
        os.close(held)


def remove_left_keys(folder: Path) -> int:
    """Remove the keys of builders that are no more; return how many that were.

    The machines that they opened went with their sessions.
    """
    removed = 0
    for one in sorted(folder.glob(f"{_PREFIX}*")):
        with suppress(OSError):
            removed += _remove_if_left(one)
    return removed


def _remove_if_left(own: Path) -> bool:
    number = os.open(own, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        shutil.rmtree(own)
        return True
    finally:
        os.close(number)
