"""What is refused on a machine that was made from an image."""

from dataclasses import dataclass, replace
from typing import Final

import pytest

from builder.quiet.identity import Identity
from builder.quiet.kinds import CLONE_KINDS, Kind
from builder.quiet.scripts import clone_script, identity_script, read_clone, read_identity
from remuda.ssh.api import Script
from tests.contract.builder.plantings import AUTHORITY, LOGIN_KEY, OTHER_KEY, TRACES
from tests.contract.builder.test_checklist import without_rule
from tests.support.quietable import Machine

pytestmark = pytest.mark.ssh

BUILD: Final = Identity(machine_id="ab" * 16, hostname="another")


@dataclass(frozen=True)
class Planting:
    """A fault of a clone: shell text that makes it, and what must be named."""

    kind: Kind
    what: str
    how: str


#: /sys of a machine whose only disk, of 20 GiB, is full up to its last sector.
_DISK: Final = (
    "d=/sys/devices/vda; mkdir -p $d/vda1 /sys/class/block\n"
    "echo 41943040 >$d/size; echo 41940992 >$d/vda1/size; echo 2048 >$d/vda1/start\n"
    "echo 1 >$d/vda1/partition\n"
    "ln -s /sys/devices/vda /sys/class/block/vda\n"
    "ln -s /sys/devices/vda/vda1 /sys/class/block/vda1\n"
)
_HEAD: Final = "echo 'Filesystem 1024-blocks Used Available Capacity Mounted on'"
PLANTINGS: Final = (
    Planting(
        Kind.LOGIN_KEYS,
        "/home/ci/.ssh/authorized_keys",
        f"printf '%s\\n' '{OTHER_KEY}' '{LOGIN_KEY}' >/home/ci/.ssh/authorized_keys",
    ),
    Planting(
        Kind.USER_DATA,
        "/var/lib/cloud/instances/i-build",
        "mkdir -p /var/lib/cloud/instances/i-build /var/lib/cloud/instances/i-own\n"
        "mkdir -p /var/lib/cloud/data; echo i-own >/var/lib/cloud/data/instance-id",
    ),
    Planting(Kind.USER_DATA, "/var/lib/cloud/seed/nocloud", "mkdir -p /var/lib/cloud/seed/nocloud"),
    *(
        Planting(
            Kind.JOURNAL_RECOVERY, text, f": >/run/own-kernel; echo '[ 1.2] {text}' >/run/dmesg"
        )
        for text in (
            "EXT4-fs (vda1): recovery complete",
            "XFS (vda3): Starting recovery (logdev: internal)",
            "BTRFS info (device vda2): start tree-log replay",
            "systemd-fsck[1]: cloudimg-rootfs: recovering journal",
        )
    ),
    Planting(
        Kind.DISK_NOT_GROWN,
        "/dev/vda1",
        f"({_HEAD}; echo '/dev/vda1 2000000 1 1 5% /') >/run/df",
    ),
    Planting(Kind.DISK_NOT_GROWN, "/dev/vda", "echo 83886080 >/sys/devices/vda/size"),
    Planting(
        Kind.PACKAGE_TOOL,
        "apt-get",
        "printf 'Package: a\\nStatus: install ok installed\\nMaintainer: x <x@y>\\n"
        "Architecture: all\\nVersion: 1\\nDepends: nothing-has-this\\nDescription: a\\n\\n' "
        ">/var/lib/dpkg/status; printf '/.\\n' >/var/lib/dpkg/info/a.list",
    ),
    Planting(
        Kind.FAILED_UNITS,
        "web.service",
        "mkdir -p /run/systemd/system\n"
        "echo 'web.service loaded failed failed the web' >/run/failed-units",
    ),
)


@pytest.fixture
def clone(machine: Machine) -> Machine:
    """Return a machine that was made from the image of a quiet one."""
    machine.sh(f"mkdir -p /etc/apt\n{_DISK}")
    return machine


def found(machine: Machine, script: Script) -> set[tuple[Kind, str]]:
    """Return what is reported, with an exit code that says the same."""
    code, output = machine.run(script)
    _, report = read_clone(output)
    assert report.failure is None
    assert code == (0 if report.ok else 3)
    return {(one.kind, one.file) for one in report.residues}


def test_a_good_clone_passes(any_machine: Machine) -> None:
    """Whatever tools it has."""
    assert any_machine.verdict(clone_script(BUILD, TRACES)) == ""


@pytest.mark.parametrize("planting", PLANTINGS, ids=lambda one: f"{one.kind}-{one.what}")
def test_each_fault_is_found_by_its_own_rule(clone: Machine, planting: Planting) -> None:
    """With the rule taken out nobody would notice."""
    assert found(clone, clone_script(BUILD, TRACES)) == set()
    clone.sh(planting.how)

    assert found(clone, clone_script(BUILD, TRACES)) == {(planting.kind, planting.what)}
    assert found(clone, without_rule(clone_script(BUILD, TRACES), planting.kind)) == set()


def test_each_rule_of_clones_is_planted() -> None:
    """No assertion is there that was never seen to fail."""
    assert {one.kind for one in PLANTINGS} == set(CLONE_KINDS)


def test_a_secret_of_the_build_is_found_on_the_clone(clone: Machine) -> None:
    """The same search as on the build machine."""
    (clone.root / "root/left").write_text("token: correct horse battery\n")
    traces = replace(TRACES, secrets=("correct horse battery",))

    assert found(clone, clone_script(BUILD, traces)) == {(Kind.SECRET, "/root/left")}


def test_a_disk_that_may_not_grow_is_not_asked_for(clone: Machine) -> None:
    """Somebody said so in the image, in the place where growroot looks."""
    clone.sh("echo 83886080 >/sys/devices/vda/size; : >/etc/growroot-disabled")

    assert found(clone, clone_script(BUILD, TRACES)) == set()


def test_a_clone_that_is_its_build_machine_fails(clone: Machine) -> None:
    """Though it finds no fault with itself: what it shares is seen here."""
    report = read_identity(clone.run(identity_script())[1])
    assert report.identity is not None

    verdict = clone.verdict(clone_script(report.identity, TRACES))

    assert verdict == "not quiet: same-hostname in build-7"


def test_a_clone_trusts_the_authority_of_its_own_launcher(machine: Machine) -> None:
    """Its user data says so, as on all machines; of its build nothing is left."""
    machine.sh(f"printf '%s\\n' '{AUTHORITY}' '{OTHER_KEY}' >/home/ci/.ssh/authorized_keys")

    _, output = machine.run(clone_script(BUILD, TRACES))

    assert [one for one in read_clone(output)[1].residues if one.kind is Kind.LOGIN_KEYS] == []
