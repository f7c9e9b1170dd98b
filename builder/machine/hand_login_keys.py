"""The key of one machine: it opens nothing else, and is gone with the machine."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from builder.hands.own_folder import own_folder, remove_left
from remuda.known_secrets import KNOWN
from remuda.ssh.hostkeys import make_host_key

_PREFIX: Final = "login-"


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
    with own_folder(folder, _PREFIX) as own:
        file = own / "key"
        number = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(number, "w", encoding="ascii") as stream:
            stream.write(pair.private)
        yield LoginKey(file=file, public=pair.public)


def remove_left_keys(folder: Path) -> int:
    """Remove the keys of builders that are no more; return how many that were.

    The machines that they opened went with their sessions.
    """
    return remove_left(folder, _PREFIX)
