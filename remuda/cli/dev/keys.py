"""The key pair that opens the machines of `remuda dev`."""

import os
from pathlib import Path

from remuda.ssh.hostkeys import make_host_key


def write_key(path: Path) -> None:
    """Write a new private key, for its owner only, and its public half beside it.

    A key that is there already stays.
    """
    if path.exists():
        return
    pair = make_host_key()  # a key for a user is made as one for a host
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(pair.private)
    path.with_name(f"{path.name}.pub").write_text(f"{pair.public} remuda-dev\n")
