"""What every process of ours checks in the same way: its configuration, and how far it has come."""

from collections.abc import Iterable

from remuda.config.model import Config
from remuda.membership.attendance import Attendance
from remuda.membership.installation import InstallationError
from remuda.ssh.keyfile import load_key
from remuda.web.pages import Readiness


def check_keys(config: Config, providers: Iterable[str]) -> None:
    """Complain early of our private keys for machines of some providers.

    Raises:
        KeyFileError: If one cannot be used.
    """
    for name in providers:
        key_file = config.providers[name].ssh_key_file
        if key_file is not None:
            load_key(key_file)


def check_installation(config: Config, kind: str, installation: str) -> None:
    """Refuse a configuration of another installation than that of a process at work.

    Raises:
        InstallationError: If it is another's.
    """
    if config.installation not in (None, installation):
        raise InstallationError(
            f"this {kind} began as installation {installation!r}: start it again to be"
            f" {config.installation!r}"
        )


def unready(attendance: Attendance) -> Readiness | None:
    """Return why a process cannot do its work, whatever that is; None: it may be able to."""
    if not attendance.connected:
        return Readiness(ok=False, reason="no connection to ZooKeeper")
    if not attendance.awake:
        return Readiness(ok=False, reason="reading what is in ZooKeeper")
    return None
