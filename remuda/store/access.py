"""Who may do what in ZooKeeper: from a path to its access control list, and nothing else.

ZooKeeper's lists are per znode and not inherited, and every Create carries one. Ours depend on
the path alone, so that whoever makes a znode, launcher or requestor, makes it with the same one.
READ is for the data and the names of children, WRITE for the data; CREATE and DELETE are for the
*children* of the znode; ADMIN is for its list (ZooKeeper's Programmer's Guide, "ACL Permissions").
"""

from base64 import b64encode
from dataclasses import dataclass
from enum import IntFlag
from hashlib import sha1
from typing import Final, NamedTuple

from remuda.store import paths
from remuda.store.options import StoreOptions


class Right(IntFlag):
    """Permissions by ZooKeeper's numbers (ZooDefs.Perms)."""

    READ = 1
    WRITE = 2
    CREATE = 4
    DELETE = 8
    ADMIN = 16


#: Everything that a znode and its children are for, but not who else may.
USE: Final = Right.READ | Right.WRITE | Right.CREATE | Right.DELETE
ALL: Final = USE | Right.ADMIN
NOTHING: Final = Right(0)
_READ: Final = Right.READ
_ASK: Final = Right.READ | Right.CREATE | Right.DELETE

_ANYONE: Final = "world:anyone"


class Entry(NamedTuple):
    """What one identity may."""

    rights: int
    scheme: str
    id: str


Acl = tuple[Entry, ...]

OPEN: Final[Acl] = (Entry(int(ALL), "world", "anyone"),)
#: The server puts every proven identity of the creator in its place.
CREATORS: Final[Acl] = (Entry(int(ALL), "auth", ""),)


#: Consoles and scripts' output, which may hold secrets that we do not recognise.
_UNTOLD: Final = (paths.FAILURES, paths.IMAGE_LOGS)


def requestors_right(path: str) -> Right:
    """Return what a requestor may do with the znode at *path*: the one table of rights.

    Requests are theirs to make, to change (a scheduler's priority) and to take back. Of nodes they
    write the state and make the locks below, but make and remove none. Autoholds are theirs to make
    and to take back; launchers count them down.
    """
    if path.startswith(paths.REMUDA) and path != paths.AUTOHOLDS:
        if any(path == one or path.startswith(f"{one}/") for one in _UNTOLD):
            return NOTHING
        if path == paths.REMUDA or path.startswith(f"{paths.REMUDA}/"):
            return _READ
    if path in (paths.REQUESTS, paths.AUTOHOLDS):
        return _ASK
    if path.startswith((f"{paths.NODES}/", f"{paths.REQUESTS}/", paths.REQUEST_LOCKS)):
        return USE
    return _READ


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Which list each znode gets.

    Attributes:
        launchers: Who may do everything.
        requestors: Who may do what :func:`requestors_right` says; None: nothing is known of them,
            so that all but ``/remuda`` is open to everybody.
        fixed: Instead of all that: the one list of every znode.
    """

    launchers: tuple[str, ...] = ()
    requestors: tuple[str, ...] | None = None
    fixed: Acl | None = None

    @classmethod
    def of(cls, options: StoreOptions) -> "Access":
        """Return what *options* ask for; without a credential or a list of roles all is open."""
        if options.creator_only:
            return cls(fixed=CREATORS)
        if options.roles is not None:
            return cls(launchers=options.roles.launchers, requestors=options.roles.requestors)
        ours = identities(options)
        return cls(launchers=ours) if ours else cls(fixed=OPEN)

    def acl(self, path: str) -> Acl:
        """Return the list of the znode at *path*, which is without chroot."""
        return self.acl_for(self.others_right(path))

    def others_right(self, path: str) -> Right:
        """Return what others than launchers may at *path*: all that its list depends on."""
        if self.fixed is not None:
            return ALL
        if self.requestors is None and not (f"{path}/").startswith(f"{paths.REMUDA}/"):
            return ALL
        return requestors_right(path)

    def acl_for(self, right: Right) -> Acl:
        """Return the list where others have *right*."""
        if self.fixed is not None:
            return self.fixed
        if right == ALL:
            return OPEN
        everybody = (_ANYONE,) if self.requestors is None else self.requestors
        others = everybody if right else ()
        return (
            *(_entry(ALL, who) for who in self.launchers),
            *(_entry(right, who) for who in others if who not in self.launchers),
        )

    def trusts(self, identities: tuple[str, ...]) -> bool:
        """Return whether one of *identities* is a launcher's."""
        return not {*identities, _ANYONE}.isdisjoint(self.launchers)

    @property
    def roots(self) -> tuple[str, ...]:
        """The subtrees whose lists are ours to set right."""
        if self.fixed is not None:
            return ()
        return (paths.REMUDA,) if self.requestors is None else (paths.REMUDA, paths.NODEPOOL)


def identities(options: StoreOptions) -> tuple[str, ...]:
    """Return as whom the server knows us, as far as our credentials say it: ``scheme:id``."""
    found = [
        f"digest:{_digest(credential)}"
        for scheme, credential in options.credentials
        if scheme == "digest"
    ]
    if options.sasl is not None:
        found.append(f"sasl:{options.sasl.username}")
    return tuple(found)


def _digest(credential: str) -> str:
    """Return ZooKeeper's public form of ``name:password`` (DigestAuthenticationProvider)."""
    hashed = sha1(credential.encode(), usedforsecurity=False).digest()
    return f"{credential.partition(':')[0]}:{b64encode(hashed).decode()}"


def _entry(rights: Right, who: str) -> Entry:
    scheme, _, name = who.partition(":")
    return Entry(int(rights), scheme, name)
