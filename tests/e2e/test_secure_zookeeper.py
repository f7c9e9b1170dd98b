"""A launcher and a requestor, each by its role, over TLS, below a chroot; a changed password."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from kazoo.exceptions import NoAuthError
from kazoo.security import make_digest_acl_credential

from remuda.store import paths
from remuda.store.embedded_config import ServerTls
from remuda.store.options import StoreOptions, StoreRoles, StoreTls
from requestor import CaptureFailedError, connect
from tests.support.certificates import Authority, Identity
from tests.support.deadline import wait_for
from tests.support.processes import Process
from tests.support.stage import SERVED_S, SOON_S, Stage, open_stage
from tests.support.zookeeper import running_server

pytestmark = [pytest.mark.e2e, pytest.mark.ssh, pytest.mark.zk]

_CHROOT = "/ci/remuda"
_LAUNCHER, _REQUESTOR = "launcher:corral gate", "requestor:saddle"


def digest(credential: str) -> str:
    """Return as whom ZooKeeper knows a name with a password."""
    name, _, password = credential.partition(":")
    return f"digest:{make_digest_acl_credential(name, password)}"


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
    """Give one provider whose launcher knows only the TLS port and the chroot.

    An older one, without roles, has left its part of the tree open.
    """
    tls = ServerTls(key_and_cert=authority.vouch_for("server").both, ca=authority.ca)
    with open_stage(tmp_path_factory, "secure", tls=tls) as made:
        made.zk.add_auth("digest", _REQUESTOR)
        made.zk.create(f"{_CHROOT}{paths.status('alpha')}", makepath=True)
        made.zk.create(f"{_CHROOT}{paths.NODES}", makepath=True)
        auth = made.folder / "auth"
        auth.touch(mode=0o600)
        auth.write_text(f"{_LAUNCHER}\n")
        made.config["zookeeper"].update(
            {
                "auth-file": str(auth),
                "acl": {
                    "launchers": [digest(_LAUNCHER)],
                    "requestors": [digest(_REQUESTOR)],
                },
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


@pytest.fixture
def options(stage: Stage, authority: Authority, identity: Identity) -> StoreOptions:
    """How a requestor connects, by its role."""
    tls = StoreTls(cert=identity.cert, key=identity.key, ca=authority.ca)
    return StoreOptions(
        hosts=stage.server.tls_hosts,
        chroot=_CHROOT,
        tls=tls,
        credentials=(("digest", _REQUESTOR),),
        roles=StoreRoles(launchers=(digest(_LAUNCHER),), requestors=(digest(_REQUESTOR),)),
    )


def test_a_requestor_asks_for_an_image_and_hears_the_answer(
    stage: Stage, options: StoreOptions
) -> None:
    """It writes where it may, and reads what only launchers write."""
    with (
        connect(options) as client,
        client.request("small", deadline_s=SERVED_S) as nodes,
        pytest.raises(CaptureFailedError, match="there is no image 'none'") as caught,
    ):
        nodes[0].capture("none")
    assert caught.value.refused
    launches = stage.records(f"{_CHROOT}{paths.launches('alpha')}")
    assert "'none'" in launches[caught.value.node]["capture"]["refused"]


def test_a_machine_is_lent_over_tls_below_a_chroot(stage: Stage, options: StoreOptions) -> None:
    """Everything lies below the chroot, and nothing beside it; each does what its role may."""
    with (
        connect(options) as client,
        client.request("small", deadline_s=SERVED_S) as nodes,
    ):
        doc = stage.read(f"{_CHROOT}{paths.NODES}/{nodes[0].id}")

    assert doc is not None
    assert doc["state"] == "in-use"
    assert stage.children("/") == ["ci", "zookeeper"]
    with pytest.raises(NoAuthError):
        stage.zk.set(f"{_CHROOT}{paths.status('alpha')}", b"forged")
    with pytest.raises(NoAuthError):
        stage.zk.create(f"{_CHROOT}{paths.NODES}/0000000001", b"forged")


def test_a_launcher_whose_password_is_changed_ends(tmp_path: Path) -> None:
    """With one sentence: who starts it again lets it read the new one, and others take over."""
    users = {"remuda": "corral gate"}
    (tmp_path / "auth").write_text("remuda:corral gate\n")
    auth = {"auth_url": "http://127.0.0.1:9/v3", "username": "u", "password": "p"}
    clouds = {"c": {"auth": {**auth, "project_name": "p"}}}
    (tmp_path / "clouds.yaml").write_text(json.dumps({"clouds": clouds}))
    with running_server(users=users) as server:
        label = {"image": "i", "flavor": "f"}
        config = {
            "zookeeper": {
                "hosts": list(server.hosts),
                "auth-file": "auth",
                "auth-scheme": "sasl",
                "session-timeout": 4,
            },
            "clouds-file": "clouds.yaml",
            "web": {"port": 0},
            "labels": {"small": {}},
            "providers": {
                "a": {
                    "cloud": "c",
                    "boot-timeout": "20m",
                    "pools": {"main": {"labels": {"small": label}}},
                }
            },
        }
        (tmp_path / "remuda.yaml").write_text(json.dumps(config))
        launcher = Process.python(
            "launcher",
            "launcher",
            *("--provider", "a", "--config", str(tmp_path / "remuda.yaml"), "--log-format", "json"),
            log=tmp_path / "launcher.log",
        )
        try:
            wait_for(lambda: launcher.events("launcher.started"), SOON_S, "the launcher")
            warned = [event["why"] for event in launcher.events("config.warning")]
            server.kill()
            users["remuda"] = "another gate"
            server.start()
            wait_for(lambda: not launcher.alive, SOON_S, "the launcher's end")
        finally:
            launcher.kill()

    last = launcher.log.read_text().splitlines()[-1]
    assert any("boot-timeout: is longer than launch-timeout" in why for why in warned)
    assert launcher.child.returncode == 3
    assert last == "remuda launcher: ZooKeeper refused our credentials (authentication failed)"
