"""Access control on a real server: what each role can do, and what it cannot."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from kazoo.client import KazooClient
from kazoo.security import OPEN_ACL_UNSAFE, make_digest_acl

from remuda.insight.tree import reader
from remuda.model.ids import NodeId, RequestId
from remuda.model.node import NodeState
from remuda.store import paths
from remuda.store.access import identities
from remuda.store.api import (
    Change,
    Create,
    Delete,
    Dirty,
    Gone,
    NotPermittedError,
    Put,
    Set,
    StoreRefusedError,
    Synced,
)
from remuda.store.embedded import EmbeddedServer
from remuda.store.options import StoreOptions, StoreRoles
from remuda.store.zookeeper import ZookeeperStore
from requestor.client import Client
from tests.contract.store.conftest import DEADLINE_S, Heard, kazoo_of
from tests.support.deadline import wait_for
from tests.support.standin import StandIn
from tests.support.zookeeper import SESSION_S, missing

pytestmark = [pytest.mark.zk, pytest.mark.skipif(bool(missing()), reason=missing() or "-")]

LAUNCHER, ZUUL, STRANGER = "remuda:corral", "zuul:saddle", "mallory:spur"


def identity(credential: str) -> str:
    """Return as whom the server knows one of them."""
    (known,) = identities(StoreOptions(hosts=("x:1",), credentials=(("digest", credential),)))
    return known


ROLES = StoreRoles(launchers=(identity(LAUNCHER),), requestors=(identity(ZUUL),))

Connect = Callable[..., ZookeeperStore]


@pytest.fixture
def connect(server: EmbeddedServer, request: pytest.FixtureRequest) -> Iterator[Connect]:
    """A function that connects somebody, below a chroot of the test's own."""
    stores: list[ZookeeperStore] = []
    chroot = "/" + request.node.name.replace("[", "-").replace("]", "")

    def made(credential: str | None, *, roles: StoreRoles | None = None) -> ZookeeperStore:
        options = StoreOptions(
            hosts=server.hosts,
            chroot=chroot,
            session_s=SESSION_S,
            credentials=(("digest", credential),) if credential else (),
            roles=roles,
        )
        stores.append(ZookeeperStore.connect(options, wait_s=DEADLINE_S))
        return stores[-1]

    yield made
    for store in stores:
        store.close()


@contextmanager
def refused() -> Iterator[None]:
    """Expect that an access control list keeps us out."""
    with pytest.raises(NotPermittedError, match="its access control list does not let us in"):
        yield


def test_a_credential_keeps_our_part_to_us(connect: Connect) -> None:
    """Others read how providers stand, but write nothing, and read no evidence."""
    launcher, anyone = connect(LAUNCHER), connect(None)
    standin = StandIn(launcher)
    standin.status()
    standin.failure("3000000001")
    launcher.ensure(paths.PROVIDERS, paths.REQUESTS)

    assert anyone.read(paths.status("alpha")) is not None
    status = paths.status("alpha")
    for op in (
        Set(path=status, data=b"{}", version=-1),
        Delete(path=status),
        Create(path=paths.status("forged")),
        Create(path=f"{paths.PROVIDERS}/forged"),
        Create(path=f"{paths.REMUDA}/forged"),
    ):
        with refused():
            anyone.commit([op])
    with refused():
        anyone.children(paths.failures("alpha"))
    with refused():
        anyone.read(paths.failure("alpha", NodeId("3000000001")))
    # Zuul, Jenkins and Nodepool have their part of the tree as ever.
    anyone.commit([Create(path=f"{paths.NODES}/0000000001"), Create(path=f"{paths.REQUESTS}/x")])


def test_a_requestor_by_role_lives_its_life(connect: Connect) -> None:
    """Ask, accept, hold, give back: all of it under its own identity."""
    launcher, zuul = connect(LAUNCHER, roles=ROLES), connect(ZUUL, roles=ROLES)
    standin = StandIn(launcher)
    with Client(zuul) as client:
        pending = client.request(["small", "small"])
        standin.lend(pending.id)
        pending.wait(DEADLINE_S)
        nodes = pending.accept()
        nodes[0].hold("why", owner="ada")
        nodes.release()
        cancelled = client.request("small")
        cancelled.cancel()

    assert [standin.read_node(one.id).state for one in nodes] == [NodeState.HOLD, NodeState.USED]
    assert launcher.children(paths.REQUESTS) == ()
    for one in nodes:  # the launcher removes locks that the requestor made
        launcher.commit([Delete(path=paths.node_lock(one.id)), Delete(path=paths.node(one.id))])


def test_a_requestor_by_role_does_no_more(connect: Connect) -> None:
    """It makes and removes no nodes, and has nothing to say to other launchers."""
    launcher, zuul = connect(LAUNCHER, roles=ROLES), connect(ZUUL, roles=ROLES)
    standin = StandIn(launcher)
    node = paths.node(standin.ready_node())
    launcher.ensure(paths.PROVIDERS)

    assert zuul.read(node) is not None
    for op in (
        Delete(path=node),
        Create(path=f"{paths.NODES}/0000000001"),
        Create(path=f"{paths.POOL_COMPONENTS}/forged"),
        Create(path=f"{paths.NODEPOOL}/forged"),
        Create(path="/forged"),
        Create(path=f"{paths.PROVIDERS}/forged"),
    ):
        with refused():
            zuul.commit([op])


def test_who_has_no_role_reads_nothing(connect: Connect) -> None:
    """With whatever credential, or none."""
    StandIn(connect(LAUNCHER, roles=ROLES)).status()
    for credential in (STRANGER, None):
        somebody = connect(credential)
        for path in (paths.status("alpha"), paths.NODES):
            with refused():
                somebody.read(path)
        with refused():
            somebody.commit([Create(path=f"{paths.REQUESTS}/200-", sequence=True)])


@pytest.mark.parametrize("roles", [None, ROLES], ids=["credential", "roles"])
def test_what_an_older_version_left_open_is_closed(
    connect: Connect, roles: StoreRoles | None
) -> None:
    """Once, each znode of it; then there is nothing to do."""
    older = StandIn(connect(None))
    older.status()
    older.failure("3000000001")
    node = older.ready_node()
    older.lock(node)
    launcher, anyone = connect(LAUNCHER, roles=roles), connect(None)

    assert launcher.secure() > 5
    assert launcher.secure() == 0
    with refused():
        anyone.commit([Set(path=paths.status("alpha"), data=b"", version=-1)])
    with refused():
        anyone.children(paths.failures("alpha"))
    if roles is None:
        anyone.commit([Set(path=paths.node(node), data=b"", version=-1)])
    else:
        with refused():
            anyone.read(paths.node(node))


def test_without_a_credential_nothing_is_touched(connect: Connect) -> None:
    """Nobody could open it again."""
    plain = connect(None)
    plain.ensure(paths.STATUSES)

    assert plain.secure() == 0
    assert connect(None).children(paths.REMUDA) == ("statuses",)


def test_a_launcher_that_has_not_the_role_ends(connect: Connect) -> None:
    """Before it shuts itself out."""
    with pytest.raises(
        StoreRefusedError,
        match=r"we authenticate as digest:mallory, whom zookeeper\.acl\.launchers does not name",
    ):
        connect(STRANGER, roles=ROLES).secure()


def test_another_credentials_tree_is_not_ours_to_secure(connect: Connect) -> None:
    """Two launchers with two credentials need zookeeper.acl."""
    connect(LAUNCHER).ensure(paths.STATUSES)

    with refused():
        connect(STRANGER).secure()


def closed_request(zuul: ZookeeperStore) -> str:
    """Make a request that only its maker may read; return its path."""
    where = zuul._wire._full(f"{paths.REQUESTS}/200-")
    acl = [make_digest_acl("mallory", "spur", all=True)]
    made: str = kazoo_of(zuul).create(where, b"{}", acl=acl, sequence=True)
    return f"{paths.REQUESTS}/{made.rpartition('/')[2]}"


def test_a_request_that_is_closed_to_us_blinds_nobody(connect: Connect) -> None:
    """It exists, and that is all; a launcher that starts beside it sees the others."""
    launcher = connect(LAUNCHER)
    launcher.ensure(paths.REQUESTS)
    mallory = connect(STRANGER)
    closed = closed_request(mallory)
    mallory.commit([Create(path=f"{paths.REQUESTS}/open", data=b"{}")])
    heard = Heard()
    launcher.mirror(paths.REQUESTS, heard)
    wait_for(lambda: Synced(root=paths.REQUESTS) in heard.changes, DEADLINE_S, "the load")

    assert Put(path=closed, stored=None, closed=True) in heard.changes
    assert launcher.read_many([closed, paths.REQUESTS])[0] is None
    with refused():  # whoever would delete something because it is not there
        launcher.read_fresh([closed])
    assert launcher.secure() >= 0
    with refused():
        launcher.read(closed)


def test_a_record_that_is_closed_to_us_in_its_life_is_told_and_not_waited_for(
    connect: Connect,
) -> None:
    """A Dirty without an end would have it never looked at again, and it is not gone."""
    launcher, mallory = connect(LAUNCHER), connect(STRANGER)
    node = f"{paths.NODES}/3000000001"
    launcher.ensure(paths.NODES)
    mallory.commit([Create(path=node, data=b"{}")])
    kazoo, where, heard = kazoo_of(mallory), mallory._wire._full(node), Heard()

    def close_on_news(change: Change) -> None:
        heard(change)
        if change == Dirty(path=node):  # it is closed between the news of it and the read
            kazoo.set_acls(where, [make_digest_acl("mallory", "spur", all=True)])

    launcher.mirror(paths.NODES, close_on_news)
    wait_for(lambda: Synced(root=paths.NODES) in heard.changes, DEADLINE_S, "the load")
    kazoo.set(where, b'{"state": "used"}')
    closed = Put(path=node, stored=None, closed=True)

    wait_for(lambda: heard.changes[-1] == closed, DEADLINE_S, "word of it")
    answers: list[object] = []
    launcher.read_later(node, answers.append)
    wait_for(lambda: bool(answers), DEADLINE_S, "an answer")
    kazoo.set_acls(where, OPEN_ACL_UNSAFE)
    launcher.read_later(node, answers.append)
    wait_for(lambda: len(answers) == 2, DEADLINE_S, "another one")

    assert isinstance(answers[0], NotPermittedError)
    assert Gone(path=node) not in heard.changes
    last = heard.changes[-1]
    assert isinstance(last, Put)
    assert last.stored is not None
    assert last.stored.value == b'{"state": "used"}'


def closed_below(mallory: ZookeeperStore, path: str) -> str:
    """Make a znode that only its maker may read, in a folder that is open; return where it is."""
    folder, _, _ = path.rpartition("/")
    mallory.ensure(folder)
    kazoo, where = kazoo_of(mallory), mallory._wire._full(path)
    kazoo.set_acls(mallory._wire._full(folder), OPEN_ACL_UNSAFE)
    kazoo.create(where, b"{}", acl=[make_digest_acl("mallory", "spur", all=True)])
    return str(where)


@pytest.mark.parametrize(
    ("root", "path"),
    [
        (paths.provider("alpha"), paths.launch("alpha", NodeId("3000000001"))),
        (paths.provider("alpha"), paths.claim("alpha", RequestId("100-1"))),
        (paths.STATUSES, paths.status("evil")),
        (paths.REPLICAS, f"{paths.replicas('evil')}/one"),
        (paths.IMAGES, paths.image("evil")),
        (paths.IMAGES, paths.builds("tools")),
        (paths.INSTALLATION, f"{paths.INSTALLATION}/odd"),
    ],
)
def test_a_record_of_our_own_that_is_closed_to_us_blinds_nobody(
    connect: Connect, root: str, path: str
) -> None:
    """It is told that it is there, so that nobody takes it for not there; all else is seen."""
    closed_below(connect(STRANGER), path)
    heard, other = Heard(), connect(None)
    other.mirror(root, heard)
    wait_for(lambda: Synced(root=root) in heard.changes, DEADLINE_S, "the load")

    assert Put(path=path, stored=None, closed=True) in heard.changes
    with refused():
        other.read_many([path])


def test_a_folder_of_our_own_that_is_closed_to_us_does_until_it_is_open(connect: Connect) -> None:
    """What a launcher does not see in it, it would take for not there, and delete a machine.

    That it is open again wakes nobody, so it is tried at every reread.
    """
    mallory, root = connect(STRANGER), paths.provider("alpha")
    where = closed_below(mallory, paths.launches("alpha"))
    heard, other = Heard(), connect(None)
    other.mirror(root, heard)
    done: list[Change] = []
    other.mirror(f"{root}/none", done.append)  # replies come in order: this one is last
    wait_for(lambda: bool(done), DEADLINE_S, "the later load")
    assert Synced(root=root) not in heard.changes

    kazoo_of(mallory).set_acls(where, OPEN_ACL_UNSAFE)
    other.reread()
    wait_for(lambda: Synced(root=root) in heard.changes, DEADLINE_S, "the load")


def test_commands_that_look_leave_out_what_is_closed_to_us(connect: Connect) -> None:
    """One record keeps nobody from seeing the others; which are closed is known."""
    mallory, other = connect(STRANGER), connect(None)
    closed_below(mallory, paths.status("evil"))
    read = reader(other)
    alone = read(paths.STATUSES)
    other.commit([Create(path=paths.status("good"), data=b"{}")])

    assert (alone, list(read(paths.STATUSES))) == ({}, ["good"])
    assert set(read.closed) == {paths.status("evil")}


def test_kazoo_clients_of_others_make_open_locks_that_we_remove(connect: Connect) -> None:
    """Zuul's locks are made by kazoo's recipe, with the list that kazoo has for it."""
    launcher, zuul = connect(LAUNCHER, roles=ROLES), connect(ZUUL, roles=ROLES)
    node = StandIn(launcher).ready_node()
    kazoo: KazooClient = kazoo_of(zuul)
    lock = kazoo.Lock(zuul._wire._full(paths.node_lock(node)), "zuul")
    assert lock.acquire(timeout=DEADLINE_S)
    lock.release()
    launcher.commit([Delete(path=paths.node_lock(node)), Delete(path=paths.node(node))])
