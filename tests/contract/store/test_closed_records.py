"""Records that a stranger has closed to us blind no command: it shows all the rest."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from click.testing import CliRunner
from kazoo.client import KazooClient
from kazoo.security import make_digest_acl

from remuda.cli.main import main
from remuda.model.failedrequest import FailedRequest, encode_failed
from remuda.model.ids import ProviderName, RequestId
from remuda.model.image import ImageRecord, encode_image
from remuda.model.status import Ruling
from remuda.store import paths
from remuda.store.api import Create
from remuda.store.embedded import EmbeddedServer
from tests.support.badrecords import DOCS, PLACES, raw_of
from tests.support.standin import StandIn
from tests.support.zookeeper import connected, missing

pytestmark = [pytest.mark.zk, pytest.mark.skipif(bool(missing()), reason=missing() or "-")]

CHROOT = "/closed"
OPEN = "300-0000000009"
NODE = "3000000000"
#: Who may look at what is closed: nobody of us.
STRANGER = [make_digest_acl("stranger", "secret", all=True)]

#: What every command shows of the records that are open, though some of each kind are closed.
CALLS = (
    ("nodes", NODE),
    ("requests", OPEN),
    ("pools", "alpha"),
    ("status", "alpha"),
    (f"explain {OPEN}", "the pool is full"),
    ("explain 400-0000000001", "it does not fit"),
    ("failures", "400-0000000001"),
    ("failures 3000000009", "check disk"),
    ("image list", "noble"),
    ("image show noble", "no provider has a build of it yet"),
)


@pytest.fixture(scope="module")
def place(server: EmbeddedServer) -> Iterator[str]:
    """A tree with open records, and one of each kind that is closed to us."""
    kazoo = KazooClient(hosts=server.hosts[0])
    kazoo.start()
    kazoo.ensure_path(CHROOT)
    with closing(connected(server, chroot=CHROOT)) as store:
        launcher = StandIn(store)
        launcher.register("small")
        launcher.status()
        launcher.replica()
        launcher.ready_node()
        launcher.failure("3000000009")
        store.ensure(paths.FAILED_REQUESTS, paths.IMAGES)
        store.commit([Create(path=paths.request(RequestId(OPEN)), data=raw_of(DOCS["request"]))])
        launcher.say(OPEN, Ruling.WAITING, "the pool is full")
        gone = FailedRequest(
            request=RequestId("400-0000000001"),
            at_s=1.7e9,
            provider=ProviderName("alpha"),
            labels={"small": 1},
            reasons={ProviderName("alpha"): "it does not fit"},
        )
        path = f"{paths.FAILED_REQUESTS}/{gone.request}.0000000001"
        store.commit([Create(path=path, data=encode_failed(gone))])
        store.ensure(paths.IMAGES)
        noble = encode_image(ImageRecord(name="noble"))
        store.commit([Create(path=paths.image("noble"), data=noble)])
        store.ensure(paths.builds("noble"), paths.pointers("noble"))
        store.ensure(*(where.rpartition("/")[0] for where in PLACES.values()))
        # Nothing is made below what is closed.
        for kind, where in sorted(PLACES.items(), key=lambda one: -one[1].count("/")):
            if store.read(where) is None:
                kazoo.create(f"{CHROOT}{where}", raw_of(DOCS[kind]), acl=STRANGER)
            else:
                kazoo.set_acls(f"{CHROOT}{where}", STRANGER)
        for name in ("beta", "gamma"):  # a verdict of each on the open request; one is closed
            where = paths.verdict(name, RequestId(OPEN))
            store.ensure(where.rpartition("/")[0])
            kazoo.create(f"{CHROOT}{where}", raw_of(DOCS["verdict"]), acl=STRANGER)
        where = f"{paths.FAILED_REQUESTS}/{gone.request}.0000000002"
        kazoo.create(f"{CHROOT}{where}", b"closed", acl=STRANGER)
        yield f"{server.hosts[0]}{CHROOT}"
    kazoo.stop()
    kazoo.close()


@pytest.mark.parametrize(("words", "shown"), CALLS)
def test_a_closed_record_blinds_no_command(place: str, words: str, shown: str) -> None:
    """What is open is shown."""
    result = CliRunner().invoke(main, ["--zookeeper", place, *words.split()])

    assert result.exit_code == 0, result.output
    assert shown in result.stdout
    if words in ("nodes", "requests", "status", "failures"):
        assert "remuda: records are closed to us and not shown: " in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        f"explain {PLACES['request'].rpartition('/')[2]}",
        f"nodes {PLACES['node'].rpartition('/')[2]}",
        f"ssh {PLACES['node'].rpartition('/')[2]}",
        f"release {PLACES['node'].rpartition('/')[2]}",
        f"delete {PLACES['node'].rpartition('/')[2]}",
    ],
)
def test_who_asks_for_a_closed_record_hears_one_sentence(place: str, words: str) -> None:
    """Not that ZooKeeper is of no use."""
    result = CliRunner().invoke(main, ["--zookeeper", place, *words.split()])

    assert result.exit_code in (1, 2, 3)
    assert result.stdout == ""
    assert result.stderr.startswith("remuda: ")
    assert result.stderr.count("\n") == 1
