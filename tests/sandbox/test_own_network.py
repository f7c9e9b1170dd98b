"""Machines with a network of their own: what is theirs, what they reach, and what they leave."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from sandbox.config import Config, MachineKind
from sandbox.host import HostUnfitError, check_network
from sandbox.machines.ownnet import OwnNetworks, end_name, why_no_network
from tests.sandbox.running import Sandbox, running, why_no_machines
from tests.support.deadline import wait_for
from tests.support.imageway import Site, shell
from tests.support.ownnet import ends

_SOON_S: Final = 60.0
WHY: Final = why_no_machines() or why_no_network()
#: Tells what the host does for others, and for the machine.
_FORWARDING: Final = """
set -e
echo 1 >/proc/sys/net/ipv4/ip_forward
cat /proc/sys/net/ipv4/conf/default/forwarding
host=/proc/$$/ns/net
unshare --net sh -c 'sh "$0" "$1" sbtest 192.0.2.9 192.0.2.1
nsenter --net="$1" cat /proc/sys/net/ipv4/conf/sbtest/forwarding' "$0" "$host"
"""
real = pytest.mark.skipif(bool(WHY), reason=WHY or "can be tested")


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox whose machines have a network each."""
    config: dict[str, Any] = {"machines": "namespace", "system": "minimal", "own_network": True}
    with running(tmp_path_factory.mktemp("own"), config) as sandbox:
        yield sandbox


@pytest.fixture
def site(box: Sandbox, tmp_path: Path) -> Iterator[Site]:
    """An account; afterwards nothing of it is left."""
    site = Site.open(box, tmp_path / "site")
    yield site
    site.clear()


@pytest.mark.e2e
@pytest.mark.ssh
@real
def test_a_machine_has_an_interface_routes_and_counters_of_its_own(site: Site) -> None:
    """And its root has rights over them; two machines may listen at the same port."""
    one, other = site.boot(), site.boot()
    with one.link() as first, other.link() as second:
        for link, machine in ((first, one), (second, other)):
            assert f"{machine.login.address}/32" in shell(link, "ip address show eth0")
            assert "default via 198.1" in shell(link, "ip route")
        shell(first, "ip route add unreachable 203.0.113.0/24")
        assert "203.0.113.0" not in shell(second, "ip route")
        assert "eth0:" in shell(first, "cat /proc/net/dev")
        shell(first, "echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter")
        # The rest of the kernel is everybody's.
        assert "no" in shell(first, "echo x 2>/dev/null >/proc/sys/kernel/hostname || echo no")
    assert one.login.address != other.login.address


@pytest.mark.e2e
@pytest.mark.ssh
@real
def test_what_was_made_on_the_host_goes_with_the_machine(site: Site) -> None:
    """However often it is started."""
    before = ends()
    machine = site.boot()
    mine = {end_name(machine.server, 0)}
    assert ends() - before == mine
    site.stop(machine.server)
    wait_for(lambda: not ends() & mine, _SOON_S, "the interface to go")


@pytest.mark.ssh
@pytest.mark.skipif(
    bool(WHY) or not os.access("/proc/sys/net/ipv4/ip_forward", os.W_OK),
    reason=WHY or "nobody may write below /proc/sys",
)
def test_a_host_that_forwards_does_not_for_machines(tmp_path: Path) -> None:
    """Tried in a network that stands for the host's."""
    (script, *_) = OwnNetworks.in_folder(tmp_path, "192.0.2.1").arguments("one", 0, "192.0.2.9")
    told = subprocess.run(
        ["unshare", "--net", "sh", "-c", _FORWARDING, script],
        capture_output=True,
        text=True,
        check=True,
        timeout=_SOON_S,
    )
    assert told.stdout.split() == ["1", "0"]


@pytest.mark.parametrize("kind", [MachineKind.PLAIN, MachineKind.NONE])
def test_only_namespaces_have_one(kind: MachineKind) -> None:
    """It is said at the start."""
    with pytest.raises(HostUnfitError, match=f"of kind {kind} do not"):
        check_network(Config(own_network=True), kind)
    check_network(Config(), kind)


def test_names_fit_an_interface() -> None:
    """Fifteen characters (IFNAMSIZ), and another name for each start."""
    server = "11111111-2222-4333-8444-555555555555"
    names = {end_name(server, start) for start in (0, 1, 999)}
    assert len(names) == 3
    assert all(len(name) <= 15 for name in names)
