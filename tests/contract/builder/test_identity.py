"""Who a machine says it is, and what its clones may not share."""

import base64
import hashlib

import pytest

from builder.quiet.identity import Identity, same_identity
from builder.quiet.kinds import Kind
from builder.quiet.reports import PhaseReport
from builder.quiet.scripts import identity_script, quiet_script, read_identity
from remuda.ssh.hostkeys import make_host_key
from tests.contract.builder.plantings import TRACES
from tests.support.quietable import NAME, Machine

pytestmark = pytest.mark.ssh

_BOOT_ID = "0f0e0d0c-0000-4000-8000-0123456789ab"


def identity(machine: Machine) -> Identity:
    """Return what the machine says."""
    assert machine.verdict(identity_script()) == ""
    report: PhaseReport = read_identity(machine.run(identity_script())[1])
    assert report.identity is not None
    return report.identity


def live(machine: Machine) -> str:
    """Give a machine everything by which machines are told; return its public host key."""
    key = make_host_key()
    places = {
        "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
        "var/lib/cloud/data/instance-id": "i-0123\n",
        "var/lib/systemd/random-seed": "chance",
        "etc/ssh/ssh_host_ed25519_key": key.private,
        "etc/ssh/ssh_host_ed25519_key.pub": f"{key.public} root@build-7\n",
        "var/lib/dhcp/dhclient.leases": 'default-duid "\\000\\001build";\nlease {}\n',
        "var/lib/wicked/duid.xml": "<duid>00:01</duid>\n",
    }
    for name, text in places.items():
        path = machine.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return key.public


def test_a_machine_says_who_it_is(any_machine: Machine) -> None:
    """With whatever tools it has; the boot id of a container is its host's and says nothing."""
    public = live(any_machine)

    found = identity(any_machine)

    blob = base64.b64decode(public.split()[1])
    duids = ('default-duid "\\000\\001build";\n', "<duid>00:01</duid>\n")
    assert found == Identity(
        machine_id="0123456789abcdef0123456789abcdef",
        hostname=NAME,
        instance_id="i-0123",
        seed=hashlib.sha256(b"chance").hexdigest(),
        host_keys=(hashlib.sha256(blob).hexdigest(),),
        dhcp_ids=tuple(sorted(hashlib.sha256(one.encode()).hexdigest() for one in duids)),
    )


def test_a_kernel_of_its_own_has_a_boot_id(machine: Machine) -> None:
    """It is told by its threads."""
    machine.sh(": >/run/own-kernel")

    assert len(identity(machine).boot_id) == len(_BOOT_ID)


def test_a_private_key_alone_is_a_host_key_too(machine: Machine) -> None:
    """Its public half is made from it."""
    public = live(machine)
    (machine.root / "etc/ssh/ssh_host_ed25519_key").chmod(0o600)
    before = identity(machine)
    (machine.root / "etc/ssh/ssh_host_ed25519_key.pub").unlink()

    assert identity(machine).host_keys == before.host_keys
    assert public


def test_a_copy_that_was_not_quieted_shares_everything(machine: Machine) -> None:
    """And one that was, nothing but the name, which the kernel still has."""
    live(machine)
    build = identity(machine)

    shared = {one.kind for one in same_identity(build, identity(machine))}
    machine.run(quiet_script(TRACES))
    after = {one.kind for one in same_identity(build, identity(machine))}

    assert shared == {
        Kind.SAME_MACHINE_ID,
        Kind.SAME_HOSTNAME,
        Kind.SAME_INSTANCE_ID,
        Kind.SAME_SEED,
        Kind.SAME_HOST_KEY,
        Kind.SAME_DHCP_ID,
    }
    assert after == {Kind.SAME_HOSTNAME}


@pytest.mark.parametrize("word", ["a b", '","x":"', "\x1b[31m", "ä" * 300, "\t\n", "$(id)"])
def test_odd_words_break_no_report(machine: Machine, word: str) -> None:
    """Whatever stands in a file of the machine, its report is whole."""
    path = machine.root / "var/lib/cloud/data/instance-id"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(word)

    assert "\n" not in identity(machine).instance_id
