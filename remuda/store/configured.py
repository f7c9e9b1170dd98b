"""From the configuration's words to the store's options."""

from pathlib import Path

from remuda.config.parts import Zookeeper, name_and_password
from remuda.known_secrets import KNOWN
from remuda.store.api import StoreRefusedError
from remuda.store.options import StoreOptions, StoreRoles, StoreSasl, StoreTls


def store_options(zookeeper: Zookeeper) -> StoreOptions:
    """Return how to reach the ZooKeeper that a configuration names.

    Raises:
        OSError: If the file with the credential cannot be read (any more).
        StoreRefusedError: If it holds none.
    """
    tls = zookeeper.tls
    name, password = _credential(zookeeper)
    sasl = zookeeper.auth_scheme == "sasl"
    return StoreOptions(
        hosts=zookeeper.hosts,
        chroot=zookeeper.chroot or "",
        tls=None
        if tls is None
        else StoreTls(
            cert=Path(tls.cert),
            key=Path(tls.key),
            ca=Path(tls.ca),
            check_hostname=tls.check_hostname,
        ),
        session_s=zookeeper.session_timeout,
        credentials=(("digest", f"{name}:{password}"),) if name and not sasl else (),
        sasl=StoreSasl(username=name, password=password) if name and sasl else None,
        creator_only=zookeeper.creator_only,
        roles=None
        if zookeeper.acl is None
        else StoreRoles(launchers=zookeeper.acl.launchers, requestors=zookeeper.acl.requestors),
    )


def _credential(zookeeper: Zookeeper) -> tuple[str, str]:
    """Return name and password; both empty if there are none."""
    if zookeeper.auth_file is not None:
        where = zookeeper.auth_file
        text = Path(where).read_text(encoding="utf-8")
    elif zookeeper.auth is not None:
        where, text = "zookeeper.auth", zookeeper.auth
    else:
        return "", ""
    found = name_and_password(text)
    if found is None:
        raise StoreRefusedError(f"{where} does not hold name:password")
    KNOWN.hold("zookeeper", [found[1], ":".join(found)])
    return found
