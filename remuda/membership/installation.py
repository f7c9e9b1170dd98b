"""Whose ZooKeeper this is: the id of the installation, made once and never changed by us."""

import uuid
from contextlib import suppress

from remuda.model import tags
from remuda.model.codec import CorruptRecordError
from remuda.model.installation import decode_installation
from remuda.store import paths
from remuda.store.api import Create, ExistsError, Store


class InstallationError(Exception):
    """ZooKeeper's id of the installation is not the one that it should be: a human must decide."""


def find_installation(store: Store, pinned: str | None) -> str:
    """Return the id of the installation, made if there is none yet.

    To be called before anything else is made: it may be another's ZooKeeper.

    Args:
        store: Where it lies.
        pinned: The id that the configuration demands, or None.

    Raises:
        StoreError: If ZooKeeper does not let us.
        InstallationError: If the id there is none, or another than is demanded.
    """
    store.ensure(paths.REMUDA)
    found = store.read(paths.INSTALLATION)
    if found is None:
        name = pinned or uuid.uuid4().hex[:12]
        with suppress(ExistsError):  # a process that starts at the same moment
            store.commit([Create(path=paths.INSTALLATION, data=name.encode())])
        found = store.read(paths.INSTALLATION)
    return _checked(b"" if found is None else found.value, pinned)


def _checked(raw: bytes, pinned: str | None) -> str:
    """Return the id that ZooKeeper holds.

    Raises:
        InstallationError: If it is none, or not the one that is demanded.
    """
    try:
        found = decode_installation(paths.INSTALLATION, raw)
    except CorruptRecordError as exc:
        raise InstallationError(
            f"{exc}: write the id back that your servers carry in their metadata, as"
            f" {tags.INSTALLATION}, or delete that znode to begin as a new installation"
        ) from exc
    check_pinned(found, pinned)
    return found


def check_pinned(found: str, pinned: str | None) -> None:
    """Refuse a ZooKeeper that holds another id than the configuration demands.

    Raises:
        InstallationError: If it does.
    """
    if pinned is not None and found != pinned:
        raise InstallationError(
            f"the configuration says installation: {pinned}, but {paths.INSTALLATION} in this"
            f" ZooKeeper is {found!r}: if this is the right ZooKeeper, write installation: {found},"
            " else correct zookeeper: hosts; nothing was changed"
        )
