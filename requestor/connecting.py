"""A client by the address of ZooKeeper."""

from collections.abc import Sequence

from remuda.config.addresses import chroot_path, connection_string
from remuda.config.units import WrongValueError
from remuda.store.options import StoreOptions, StoreTls
from remuda.store.zookeeper import ZookeeperStore
from requestor.client import Client
from requestor.errors import InvalidOptionsError
from requestor.pending import OnLost


def connect(
    hosts: str | Sequence[str] | StoreOptions,
    *,
    chroot: str = "",
    tls: StoreTls | None = None,
    session_s: float = 10.0,
    wait_s: float | None = 30.0,
    requestor: str | None = None,
    on_lost: OnLost | None = None,
) -> Client:
    """Return a client with a session of its own, which ends when the client is closed.

    Args:
        hosts: ``"zk1:2181,zk2:2181"``, with the chroot behind it if it is not given by *chroot*, a
            list of servers, or complete store options (then *chroot*, *tls* and *session_s* are
            not looked at).
        chroot: Path below which everything lies, such as ``/ci``; created if it is missing.
        tls: Client certificate.
        session_s: When we are away for longer, machines and ephemeral requests are lost.
        wait_s: How long to wait for ZooKeeper; None: as long as it takes.
        requestor: Who asks; default ``user@host``.
        on_lost: See :class:`Client`.

    Raises:
        InvalidOptionsError: If *hosts* or *chroot* are not of that form.
        StoreAwayError: If ZooKeeper cannot be reached in time.
        StoreRefusedError: If ZooKeeper refuses us.
    """
    if isinstance(hosts, StoreOptions):
        options = hosts
    else:
        servers, path = _place(hosts if isinstance(hosts, str) else ",".join(hosts), chroot)
        options = StoreOptions(hosts=servers, chroot=path, tls=tls, session_s=session_s)
    store = ZookeeperStore.connect(options, wait_s=wait_s)
    return Client(store, requestor=requestor, on_lost=on_lost, owns_store=True)


def _place(hosts: str, chroot: str) -> tuple[tuple[str, ...], str]:
    try:
        servers, path = connection_string(hosts)
        if chroot and path:
            raise InvalidOptionsError(
                "where ZooKeeper is: the chroot stands in hosts and in chroot"
            )
        return servers, chroot_path(chroot) if chroot else path
    except WrongValueError as error:
        raise InvalidOptionsError(f"where ZooKeeper is: {error}; {error.hint}") from error
