"""A launcher and a requestor over TLS with client certificates, below a chroot."""

from collections.abc import Iterator

import pytest

from remuda.store import paths
from remuda.store.embedded_config import ServerTls
from remuda.store.options import StoreTls
from requestor import connect
from tests.support.certificates import Authority, Identity
from tests.support.stage import Stage, open_stage

pytestmark = [pytest.mark.e2e, pytest.mark.ssh, pytest.mark.zk]

_CHROOT = "/ci/remuda"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Give somebody who vouches for servers and clients."""
    return Authority(tmp_path_factory.mktemp("authority"), "ours")


@pytest.fixture(scope="module")
def identity(authority: Authority) -> Identity:
    """Give the client's certificate."""
    return authority.vouch_for("client")


@pytest.fixture(scope="module")
def stage(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority, identity: Identity
) -> Iterator[Stage]:
    """Give one provider whose launcher knows only the TLS port and the chroot."""
    tls = ServerTls(key_and_cert=authority.vouch_for("server").both, ca=authority.ca)
    with open_stage(tmp_path_factory, "secure", tls=tls) as made:
        made.config["zookeeper"].update(
            {
                "hosts": list(made.server.tls_hosts),
                "chroot": _CHROOT,
                "tls": {
                    "cert": str(identity.cert),
                    "key": str(identity.key),
                    "ca": str(authority.ca),
                },
            }
        )
        made.cloud("a")
        made.provider("alpha", "a")
        made.launcher("alpha")
        yield made


def test_a_machine_is_lent_over_tls_below_a_chroot(
    stage: Stage, authority: Authority, identity: Identity
) -> None:
    """Everything lies below the chroot, and nothing beside it."""
    tls = StoreTls(cert=identity.cert, key=identity.key, ca=authority.ca)
    with (
        connect(stage.server.tls_hosts, chroot=_CHROOT, tls=tls) as client,
        client.request("small", deadline_s=30) as nodes,
    ):
        doc = stage.read(f"{_CHROOT}{paths.NODES}/{nodes[0].id}")

    assert doc is not None
    assert doc["state"] == "in-use"
    assert stage.children("/") == ["ci", "zookeeper"]
