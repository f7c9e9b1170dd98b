"""The program that takes a machine's network away, on a real kernel: what it cuts, what it tells.

Each case is a network of its own that vanishes with it; no machine, and no SSH server, is needed.
"""

import os
import subprocess
from pathlib import Path
from typing import Final

import pytest

import builder.upload
from sandbox.machines.ownnet import why_no_network
from tests.sandbox.running import why_no_machines

pytestmark = pytest.mark.skipif(
    bool(why_no_machines() or why_no_network()),
    reason=why_no_machines() or why_no_network() or "can be tested",
)

SCRIPT: Final = Path(builder.upload.__file__).parent / "sh/offline.sh"
PEER: Final = "198.18.5.1"
_LIMIT_S: Final = 120.0
#: An interface with a router and a neighbour, of both families.
NETWORK: Final = f"""
set -e
ip link set lo up
ip link add eth0 type veth peer name far0
ip address add 198.18.5.2/24 dev eth0
ip -6 address add fd77::2/64 dev eth0 nodad
ip link set eth0 up
ip link set far0 up
ip route add default via {PEER}
ip -6 route add default via fd77::1
set +e
"""
CAME: Final = {"SSH_CONNECTION": f"{PEER} 50000 198.18.5.2 22"}
CUT: Final = "REMUDA_PHASE=cut /bin/sh $SCRIPT"
STILL: Final = "REMUDA_PHASE=still /bin/sh $SCRIPT"
#: Says whether there is a way to an address; over UDP nothing is sent.
TRY: Final = """
way() { bash -c 'exec 3<>"/dev/udp/$0/9"' "$1" 2>/dev/null && echo "$1 yes" || echo "$1 no"; }
"""


def run(text: str, *, before: tuple[str, ...] = (), **environment: str) -> tuple[int, list[str]]:
    """Run shell text in a network of its own; return its exit code, and the lines it printed."""
    done = subprocess.run(
        # Two shells: the outer one is above the program, as sshd is, and has its variables.
        ["unshare", "--net", *before, "/bin/sh", "-c", f"{NETWORK}{TRY}{text}"],
        capture_output=True,
        text=True,
        timeout=_LIMIT_S,
        check=False,
        env={"PATH": os.environ["PATH"], "SCRIPT": str(SCRIPT), **environment},
    )
    assert "syntax" not in done.stderr
    return done.returncode, done.stdout.splitlines()


def test_what_could_be_reached_cannot_be_any_more_but_for_itself() -> None:
    """Its router, its neighbours, everybody; loopback and its own address stay."""
    ways = "way 198.18.5.1; way 198.18.5.9; way 203.0.113.7; way fd77::1; way 2001:db8::7"
    own = "way 127.0.0.1; way 198.18.5.2; way ::1"
    code, lines = run(f"{ways}; {own}; {CUT} || exit; {ways}; {own}", **CAME)

    assert code == 0, lines
    told = [line for line in lines if line.startswith("offline: ")]
    assert len(told) == 1
    assert "none can be reached" in told[0]
    tries = [line for line in lines if line not in told]
    assert [line.split()[1] for line in tries[:8]] == ["yes"] * 8
    assert [line.split()[1] for line in tries[8:]] == ["no"] * 5 + ["yes"] * 3


def test_only_answers_of_the_ssh_server_go_on() -> None:
    """By the kernel's own word: neither another port, nor a connection to where we come from."""
    ask = f"ip route get {PEER} ipproto tcp"
    code, lines = run(
        f"{CUT} >/dev/null; {ask} sport 22 dport 50000 >/dev/null && echo answers;"
        f" {ask} sport 23 dport 50000 || {ask} sport 50001 dport 22 || echo nothing else",
        **CAME,
    )
    assert code == 0
    assert lines == ["answers", "nothing else"]


def test_who_comes_over_ipv6_is_answered_there() -> None:
    """And nobody over IPv4."""
    code, lines = run(
        f"{CUT} || exit; ip -6 route get fd77::1 ipproto tcp sport 22 dport 9 >/dev/null && echo 6;"
        f" way {PEER}; way fd77::1",
        SSH_CONNECTION="fd77::1 50000 fd77::2 22",
    )
    assert code == 0, lines
    assert lines[1:] == ["6", f"{PEER} no", "fd77::1 no"]


def test_it_may_be_done_twice() -> None:
    """Whoever lost the connection comes again."""
    code, lines = run(f"{CUT} && {CUT} && {STILL}; ip rule | wc -l", **CAME)
    assert code == 0
    assert [line.partition(":")[0] for line in lines[:3]] == ["offline"] * 3
    assert lines[3] == "5"


def test_new_routes_bring_no_network_back() -> None:
    """As a DHCP client that renews its lease makes them."""
    code, lines = run(
        f"{CUT} >/dev/null; ip route replace default via {PEER}; way 203.0.113.7; {STILL}", **CAME
    )
    assert code == 0
    assert lines[0] == "203.0.113.7 no"


@pytest.mark.parametrize(
    ("undoing", "said"),
    [
        ("ip rule del pref 2", "the machine has a network again (IPv4): its rule is gone"),
        ("ip -6 rule del pref 2", "the machine has a network again (IPv6): its rule is gone"),
        (
            (
                "ip rule add pref 1 to 203.0.113.0/24 lookup main;"
                " echo nameserver 203.0.113.53 >/etc/resolv.conf"
            ),
            "its network is not gone: 203.0.113.53 can still be reached",
        ),
    ],
)
def test_a_network_that_came_back_is_found(undoing: str, said: str) -> None:
    """Whoever brought it back meanwhile; what passed in between is no proof."""
    # A resolver of its own, over the one that everybody here has.
    private = "mount -t tmpfs tmpfs /mnt && : >/mnt/r && mount --bind /mnt/r /etc/resolv.conf"
    code, lines = run(
        f"{private}; {CUT} >/dev/null || exit 9; {undoing}; {STILL}",
        before=("unshare", "--mount", "--propagation", "private"),
        **CAME,
    )
    assert (code, lines) == (1, [said])


def test_where_the_kernel_refuses_it_fails_with_its_words() -> None:
    """It is never taken for cut off."""
    code, lines = run(f"setpriv --bounding-set=-net_admin {CUT.replace('REMUDA', 'env REMUDA')}")
    assert code == 1
    assert lines == [
        "the machine does not say who is logged in: no process has SSH_CONNECTION",
    ]
    code, lines = run(
        "setpriv --bounding-set=-net_admin --inh-caps=-net_admin env REMUDA_PHASE=cut"
        " /bin/sh $SCRIPT; c=$?; way 203.0.113.7; exit $c",
        **CAME,
    )
    assert code == 1
    assert lines[0].startswith("its network cannot be taken away, as 'ip rule' refuses: ")
    assert lines[1] == "203.0.113.7 yes"


def test_where_the_kernel_refuses_nothing_is_changed() -> None:
    """A machine may share its host's network, and yet be let write what is set there."""
    filters = "cat /proc/sys/net/ipv4/conf/eth0/rp_filter"
    code, lines = run(
        f"echo 1 >/proc/sys/net/ipv4/conf/eth0/rp_filter; ip rule | wc -l;"
        " setpriv --bounding-set=-net_admin --inh-caps=-net_admin env REMUDA_PHASE=cut"
        f" /bin/sh $SCRIPT >/dev/null; c=$?; {filters}; ip rule | wc -l; exit $c",
        **CAME,
    )
    assert (code, lines) == (1, ["3", "1", "3"])

    code, lines = run(
        f"echo 1 >/proc/sys/net/ipv4/conf/eth0/rp_filter; {CUT} >/dev/null; {filters}", **CAME
    )
    assert (code, lines) == (0, ["0"])


def test_nobody_but_root_can_do_it() -> None:
    """The sentence says so."""
    code, lines = run(f"setpriv --reuid 65534 --clear-groups env {CUT}", **CAME)
    assert (code, lines) == (1, ["its network cannot be taken away by anybody but root"])


@pytest.mark.parametrize(
    "came",
    [
        "",
        "198.18.5.1",
        "198.18.5.1 1 2 3 4",
        "$(reboot) 1 198.18.5.2 22",
        "198.18.5.1 1 198.18.5.2 22;reboot",
        "* * * *",
    ],
)
def test_who_came_from_nowhere_is_cut_off_from_nothing(came: str) -> None:
    """What stands in the environment of a process is believed only as far as it is an address."""
    code, lines = run(f"{CUT}; c=$?; way 203.0.113.7; exit $c", SSH_CONNECTION=came)
    assert code == 1
    assert lines[0].startswith("the machine ")
    assert lines[1] == "203.0.113.7 yes"


@pytest.mark.parametrize("lost", ["ip link set lo down; ip address flush dev lo"])
def test_without_loopback_nothing_can_be_told(lost: str) -> None:
    """Everything fails there, for another reason."""
    code, lines = run(f"{CUT} >/dev/null; {lost}; ip rule del pref 0; {STILL}", **CAME)
    assert code == 1
    assert lines == ["loopback is gone with the network: it cannot be told what else is"]
