"""The whole way over real connections: prepared, quieted, snapshotted, and looked at as a clone."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from openstack.connection import Connection

from builder.quiet.identity import Identity
from builder.quiet.scripts import (
    Traces,
    clone_script,
    identity_script,
    prepare_script,
    quiet_script,
    read_identity,
    read_quiet,
)
from remuda.runtime.clock import SystemClock
from remuda.ssh.api import Login, ProofSpec, Script
from remuda.ssh.errors import NotYetError
from remuda.ssh.hostkeys import HostKey, make_host_key
from remuda.ssh.keyfile import KeyRing
from remuda.ssh.link import Link, open_link
from remuda.ssh.prover import ParamikoProver
from remuda.ssh.runner import Ran, run_script
from remuda.ssh.userdata import merge_user_data
from tests.sandbox.running import Sandbox, running, why_no_machines
from tests.support.deadline import wait_for
from tests.support.sshd import make_key

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.ssh,
    pytest.mark.skipif(bool(why_no_machines()), reason=why_no_machines() or "can be tested"),
]
_SOON_S: Final = 60.0
_USER: Final = "debian"


@dataclass(frozen=True)
class Bench:
    """A sandbox, and the key of the build and of whoever comes after it."""

    sandbox: Sandbox
    cloud: Connection
    folder: Path
    build_key: str
    later_key: str

    def boot(self, name: str, image: str, key: str) -> Login:
        """Boot a machine that lets *key* in; return how to get in, once its sshd is there."""
        host_key: HostKey = make_host_key()
        public = getattr(self, f"{key}_key")
        data = merge_user_data(None, host_key=host_key, authorized_keys=[public], username=_USER)
        server: Any = self.cloud.compute.create_server(
            name=name,
            image_id=self.cloud.image.find_image(image).id,
            flavor_id=self.cloud.compute.find_flavor("m1.tiny").id,
            networks="auto",
            user_data=base64.b64encode(data.encode()).decode(),
        )
        server = self.cloud.compute.wait_for_server(server, interval=0.05, wait=_SOON_S)
        login = Login(
            address=str(server.addresses["public"][0]["addr"]),
            port=int(self.sandbox.control("GET", "/state")["ssh_port"]),
            user=_USER,
            key_file=str(self.folder / key),
            host_keys=(host_key.public,),
        )
        wait_for(lambda: _answers(login), _SOON_S, "sshd")
        return login

    def snapshot(self, name: str) -> None:
        """Stop a machine and make an image of its name from it."""
        server = self.cloud.compute.find_server(name)
        self.cloud.compute.stop_server(server)
        self.cloud.compute.wait_for_server(server, "SHUTOFF", interval=0.05, wait=_SOON_S)
        self.cloud.create_image_snapshot(f"image-{name}", server, wait=True, timeout=60)


def _answers(login: Login) -> bool:
    try:
        with open_link(login, SystemClock()) as link:
            link.meet(login.host_keys)
    except NotYetError:
        return False
    return True


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A sandbox of real machines."""
    folder = tmp_path_factory.mktemp("keys")
    build, later = make_key(folder / "build"), make_key(folder / "later")
    with running(tmp_path_factory.mktemp("real"), {"machines": "namespace"}) as sandbox:
        yield Bench(sandbox, sandbox.connect(), folder, build, later)


def run(link: Link, script: Script) -> Ran:
    """Run one phase over a connection that others share."""
    return run_script(link, script, SystemClock(), lambda: False)


def test_a_quiet_machine_becomes_clones_of_their_own(bench: Bench) -> None:
    """All over one connection, of a user with sudo; after it the build's key opens nothing."""
    login = bench.boot("maker", "debian-12", "build")
    traces = Traces(host_keys=login.host_keys, login_keys=(bench.build_key,))
    with open_link(login, SystemClock()) as link:
        link.meet(login.host_keys)
        link.login(login, KeyRing())
        assert run(link, prepare_script()).why == ""
        who = run(link, identity_script())
        assert who.why == ""
        quieted = run(link, quiet_script(traces))
        assert quieted.why == "", quieted.output
        assert read_quiet(quieted.output).ok
    build = read_identity(who.output).identity
    assert build is not None
    assert (build.hostname, len(build.host_keys)) == ("maker", 1)
    assert not ParamikoProver().prove(ProofSpec(login=login)).ok
    bench.snapshot("maker")

    good = bench.boot("good", "image-maker", "later")
    proof = ParamikoProver().prove(ProofSpec(login=good, checks=(clone_script(build, traces),)))
    assert proof.why == ""

    open_to_build = bench.boot("open", "image-maker", "build")
    check = clone_script(build, traces)
    refused = ParamikoProver().prove(ProofSpec(login=open_to_build, checks=(check,)))
    assert "login-keys" in refused.why
    own = ParamikoProver().prove(
        ProofSpec(login=good, checks=(clone_script(_identity(good), traces),))
    )
    assert "same-machine-id" in own.why


def _identity(login: Login) -> Identity:
    with open_link(login, SystemClock()) as link:
        link.meet(login.host_keys)
        link.login(login, KeyRing())
        found = read_identity(run(link, identity_script()).output).identity
    assert found is not None
    return found
