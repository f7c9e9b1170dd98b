"""Key pairs of `remuda dev`: of its launchers, of its authority, of its developer."""

import os
from pathlib import Path

from remuda.cli.dev import keeping
from remuda.cli.dev.plan import DevPlan
from remuda.ssh.hostkeys import make_host_key


def write_keys(plan: DevPlan) -> None:
    """Write those of a plan that are not there yet."""
    write_key(plan.key_file, "remuda-dev")
    write_key(plan.authority_file, "authority of remuda-dev")
    write_key(plan.developer_key, keeping.DEVELOPER)


def write_key(path: Path, comment: str) -> None:
    """Write a new private key, for its owner only, and its public half beside it.

    A key that is there already stays.
    """
    if path.exists():
        return
    pair = make_host_key()  # a key for a user is made as one for a host
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(pair.private)
    path.with_name(f"{path.name}.pub").write_text(f"{pair.public} {comment}\n")
