"""From the configuration's words to the store's options."""

from pathlib import Path

from remuda.config.parts import Zookeeper
from remuda.store.options import StoreOptions, StoreTls


def store_options(zookeeper: Zookeeper) -> StoreOptions:
    """Return how to reach the ZooKeeper that a configuration names.

    Raises:
        OSError: If the file with the credential cannot be read (any more).
    """
    tls = zookeeper.tls
    credentials: tuple[tuple[str, str], ...] = ()
    if zookeeper.auth_file is not None:
        text = Path(zookeeper.auth_file).read_text(encoding="utf-8")
        credentials = (("digest", text.partition("\n")[0].strip()),)
    return StoreOptions(
        hosts=zookeeper.hosts,
        chroot=zookeeper.chroot or "",
        tls=None
        if tls is None
        else StoreTls(cert=Path(tls.cert), key=Path(tls.key), ca=Path(tls.ca)),
        session_s=zookeeper.session_timeout,
        credentials=credentials,
    )
