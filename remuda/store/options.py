"""How to reach ZooKeeper, as a value."""

from dataclasses import dataclass, field
from pathlib import Path

from remuda.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreTls:
    """A client certificate; PEM files.

    Attributes:
        cert: Our certificate.
        key: Its private key.
        ca: The authorities that sign the servers' certificates.
        check_hostname: Whether the server's certificate must name the host that we connect to.
            Without, any server with a certificate of these authorities could be our ZooKeeper.
    """

    cert: Path
    key: Path
    ca: Path
    check_hostname: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSasl:
    """Who we are, for SASL with DIGEST-MD5: the password is proven, not sent, and not shown."""

    username: str
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        """Hide the password from whoever takes it out, too."""
        object.__setattr__(self, "password", Secret(self.password))


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreRoles:
    """Who is who in ZooKeeper; each an identity of its access control lists, ``scheme:id``.

    The same for everybody who shares the tree: whoever makes a znode writes all of them into it.

    Attributes:
        launchers: They may do everything.
        requestors: They may ask for nodes and use them, see remuda.store.access.
    """

    launchers: tuple[str, ...]
    requestors: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreOptions:
    """How to reach ZooKeeper.

    Attributes:
        hosts: Servers as ``host:port``; tried in random order.
        chroot: Path below which everything lies; empty for the whole tree.
        make_chroot: Whether to create it if it is missing; else connecting fails then.
        tls: If given, the connection is TLS with this client certificate.
        session_s: Session time-out that we ask for; the server may bound it.
        credentials: ``(scheme, credential)`` pairs, such as ``("digest", "name:password")``;
            never shown.
        sasl: Authenticate by SASL before anything else; needs the package ``pure-sasl``.
        creator_only: Whether znodes that we create are closed to everybody else. Only for
            trees that no other program shares.
        roles: Who may do what. None: with credentials, ``/remuda`` is ours to write and all else
            is open; without, everything is.
        answer_s_max: How long a blocking call waits for a server that keeps pinging but does
            not answer; a broken connection is found earlier, by the session time-out.
        report_s: How often to say what we wait for while connecting.
    """

    hosts: tuple[str, ...]
    chroot: str = ""
    make_chroot: bool = True
    tls: StoreTls | None = None
    session_s: float = 10.0
    credentials: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    sasl: StoreSasl | None = None
    creator_only: bool = False
    roles: StoreRoles | None = None
    answer_s_max: float = 60.0
    report_s: float = 5.0

    def __post_init__(self) -> None:
        """Hide the credentials from whoever takes them out, too."""
        hidden = tuple((scheme, Secret(credential)) for scheme, credential in self.credentials)
        object.__setattr__(self, "credentials", hidden)

    @property
    def where(self) -> str:
        """Return the place in words, for messages."""
        return ",".join(self.hosts) + self.chroot
