"""From a path to its access control list: the table, for every place that there is."""

import pytest
from kazoo.security import make_digest_acl_credential

from remuda.model.ids import NodeId, ReplicaId, RequestId
from remuda.model.image import BuildId, UploadId
from remuda.store import paths
from remuda.store.access import (
    ALL,
    CREATORS,
    NOTHING,
    OPEN,
    USE,
    Access,
    Entry,
    Right,
    identities,
    requestors_right,
)
from remuda.store.options import StoreOptions, StoreRoles, StoreSasl

NODE, REQUEST = NodeId("3000000001"), RequestId("200-0000000001")
BUILD = BuildId("debian", 12)
LAUNCHER, ZUUL = "sasl:remuda", "sasl:zuul"
ROLES = StoreRoles(launchers=(LAUNCHER,), requestors=(ZUUL,))

R, C, D = Right.READ, Right.CREATE, Right.DELETE
TABLE = {
    "/": R,
    paths.NODEPOOL: R,
    paths.REQUESTS: R | C | D,
    paths.request(REQUEST): USE,
    paths.REQUEST_LOCKS: USE,
    paths.request_lock(REQUEST): USE,
    f"{paths.request_lock(REQUEST)}/x__lock__0": USE,
    paths.NODES: R,
    paths.node(NODE): USE,
    paths.node_lock(NODE): USE,
    f"{paths.node_lock(NODE)}/x__lock__0": USE,
    paths.POOL_COMPONENTS: R,
    f"{paths.POOL_COMPONENTS}/host0": R,
    paths.REMUDA: R,
    paths.INSTALLATION: R,
    paths.NODE_COUNTER: R,
    paths.ledger("a"): R,
    paths.hold_ledger("a"): R,
    paths.launch("a", NODE): R,
    paths.claim("a", REQUEST): R,
    paths.replicas("a"): R,
    paths.status("a"): R,
    paths.verdict("a", REQUEST): R,
    paths.IMAGES: R,
    paths.image("debian"): R,
    paths.build(BUILD): R,
    paths.upload(UploadId(BUILD, "0" * 12)): R,
    paths.pointer("debian", "a"): R,
    paths.BUILDERS: R,
    paths.builder(ReplicaId("b-1")): R,
    paths.FAILURES: NOTHING,
    paths.CAPSULES: NOTHING,
    paths.IMAGE_LOGS: NOTHING,
    paths.failures("a"): NOTHING,
    paths.capsule("a", NODE): NOTHING,
    paths.failure("a", NODE): NOTHING,
    "/remuda/failures-of-none": R,
    "/remuda-of-others": R,
    "/nodepool/nodes-of-others": R,
    "/nodepool/requests-of-others": R,
}


def options(**more: object) -> StoreOptions:
    """Return options of a server."""
    return StoreOptions(hosts=("zk:2181",), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", TABLE)
def test_what_a_requestor_may(path: str) -> None:
    """No place is forgotten, and no name is taken for another that it begins with."""
    assert requestors_right(path) == TABLE[path]


@pytest.mark.parametrize("path", TABLE)
def test_with_roles_each_list_names_them_alone(path: str) -> None:
    """Launchers everything, requestors their part, and nobody else."""
    entries = [Entry(int(ALL), "sasl", "remuda")]
    if TABLE[path]:
        entries.append(Entry(int(TABLE[path]), "sasl", "zuul"))

    assert Access.of(options(roles=ROLES)).acl(path) == tuple(entries)


@pytest.mark.parametrize("path", TABLE)
def test_with_a_credential_only_our_own_part_is_closed(path: str) -> None:
    """Nobody said who requestors are: they may come without any."""
    access = Access.of(options(sasl=StoreSasl(username="remuda", password="x")))
    ours = Entry(int(ALL), "sasl", "remuda")
    if not path.startswith("/remuda") or path == "/remuda-of-others":
        assert access.acl(path) == OPEN
    elif TABLE[path] is NOTHING:
        assert access.acl(path) == (ours,)
    else:
        assert access.acl(path) == (ours, Entry(int(R), "world", "anyone"))


def test_without_a_credential_all_is_open() -> None:
    """As nobody could ever change what is not."""
    access = Access.of(options())

    assert {access.acl(path) for path in TABLE} == {OPEN}
    assert access.roots == ()


def test_creator_only_is_for_whoever_creates() -> None:
    """The server knows his identities."""
    access = Access.of(options(creator_only=True, credentials=(("digest", "a:b"),)))

    assert {access.acl(path) for path in TABLE} == {CREATORS}
    assert access.roots == ()


def test_a_launcher_that_may_ask_is_named_once() -> None:
    """The server would take both lines."""
    both = StoreRoles(launchers=(LAUNCHER,), requestors=(LAUNCHER, ZUUL))
    found = Access.of(options(roles=both)).acl(paths.REQUESTS)

    assert [(one.scheme, one.id) for one in found] == [("sasl", "remuda"), ("sasl", "zuul")]


def test_a_digest_is_known_by_its_hash() -> None:
    """As kazoo makes it, and ZooKeeper."""
    known = identities(options(credentials=(("digest", "name:pass:word"),)))

    assert known == (f"digest:{make_digest_acl_credential('name', 'pass:word')}",)
