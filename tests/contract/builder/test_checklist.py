"""Every residue of the checklist: found if it is there, gone after quieting, and by which rule."""

from dataclasses import replace

import pytest

from builder.quiet.kinds import CHECKLIST, Item, Kind
from builder.quiet.scripts import assert_script, quiet_script, read_quiet
from remuda.ssh.api import Script
from tests.contract.builder import plantings
from tests.contract.builder.plantings import OTHER_KEY, TRACES
from tests.support.quietable import Machine, Tools

pytestmark = pytest.mark.ssh

PLANTED = [item for item in CHECKLIST if plantings.of(item.kind)]


def found(machine: Machine, script: Script, before: str = "") -> set[tuple[Kind, str]]:
    """Return what a script reports, with an exit code that says the same."""
    code, output = machine.run(script, before)
    report = read_quiet(output)
    assert report.failure is None
    assert code == (0 if report.ok else 3)
    return {(one.kind, one.file) for one in report.residues}


def without_rule(script: Script, kind: Kind) -> Script:
    """Return *script* with the rule of one kind taken out."""
    name = f"rule_{kind.replace('-', '_')}"
    assert f"\n{name}() {{\n" in script.text
    head, main = script.text.split("# What the builder wants", 1)
    return replace(script, text=f"{head}{name}() {{ :; }}\n# What the builder wants{main}")


def plant(machine: Machine, item: Item) -> set[tuple[Kind, str]]:
    """Put all residues of one kind on the machine; return what must be found."""
    planted = plantings.of(item.kind)
    machine.sh("".join(one.shell() for one in planted))
    return {(one.kind, one.file) for one in planted}


@pytest.mark.parametrize("item", PLANTED, ids=lambda item: item.kind)
def test_residue_is_found_by_its_own_rule_and_no_other(machine: Machine, item: Item) -> None:
    """Planted after quieting it is refused; with the rule taken out nobody would notice."""
    planted = plant(machine, item)

    assert found(machine, assert_script(TRACES)) == planted
    assert found(machine, without_rule(assert_script(TRACES), item.kind)) == set()


@pytest.mark.parametrize("item", PLANTED, ids=lambda item: item.kind)
def test_quieting_removes_the_residue(machine: Machine, item: Item) -> None:
    """All of it, or none if it is refused only."""
    planted = plant(machine, item)

    assert found(machine, quiet_script(TRACES)) == (set() if item.mended else planted)


def test_quieting_removes_everything_at_once(any_machine: Machine) -> None:
    """With whatever tools the machine has; what is no residue stays."""
    bare = any_machine.tools is Tools.BUSYBOX
    whole = [item for item in PLANTED if not (bare and item.kind is Kind.PACKAGES)]
    planted = {one for item in whole for one in plant(any_machine, item)}
    refused = {one for item in whole if not item.mended for one in planted if one[0] is item.kind}
    if bare:  # it has no services
        planted.remove((Kind.RANDOM_SEED, "systemd-random-seed.service"))

    assert found(any_machine, assert_script(TRACES)) == planted
    assert found(any_machine, quiet_script(TRACES)) == refused
    for path in ("var/cache/precious.deb", "root/.cache/precious"):
        assert (any_machine.root / path).exists()
    for file in ("authorized_keys", "authorized_keys2"):
        assert (any_machine.root / "home/ci/.ssh" / file).read_text() == f"{OTHER_KEY}\n"
    hosts = "127.0.0.1 localhost\n# of the site\n10.0.0.9 mirror mirror.site # ours\na=1\n"
    assert (any_machine.root / "etc/hosts").read_text() == hosts


def test_each_file_of_the_checklist_is_planted() -> None:
    """And each rule, so that no assertion is there that was never seen to fail."""
    assert plantings.uncovered() == []
    assert {item.kind for item in CHECKLIST} - {one.kind for one in plantings.PLANTINGS} == {
        Kind.EXTRA_DISKS  # test_disks_of_others_are_unmounted
    }
    for name in plantings.ELSEWHERE.values():
        assert name in globals() or " " in name


#: Somebody who holds a lock as dpkg does, until the machine ends.
HOLD = """
python3 -c 'import fcntl, os, signal
file = open("/var/lib/dpkg/lock", "w")
fcntl.lockf(file, fcntl.LOCK_EX)
with open("/run/held.new", "w") as mark: mark.write(str(os.getpid()))
os.rename("/run/held.new", "/run/held")
signal.pause()' &
until [ -e /run/held ]; do :; done
"""


def test_a_package_tool_at_work_is_a_residue(machine: Machine) -> None:
    """Its lock is held by a process that has the file open."""
    assert found(machine, assert_script(TRACES), HOLD) == {(Kind.PACKAGES, "/var/lib/dpkg/lock")}
    assert found(machine, assert_script(TRACES)) == set()


def test_left_over_databases_of_rpm_go(any_machine: Machine) -> None:
    """Where rpm rules; beside dpkg it is a tool like others."""
    any_machine.sh("mkdir -p /var/lib/rpm; echo 1 >/var/lib/rpm/__db.001")
    planted = {(Kind.PACKAGES, "/var/lib/rpm/__db.001")}
    if any_machine.tools is not Tools.BUSYBOX:
        planted = set()

    assert found(any_machine, assert_script(TRACES)) == planted
    assert found(any_machine, quiet_script(TRACES)) == set()


def test_disks_of_others_are_unmounted(machine: Machine) -> None:
    """The root's own partitions stay; without the rule nobody would notice."""
    machine.sh("mkdir -p '/mnt/of others' /boot/efi")
    mounts = (
        "mount -t tmpfs /dev/vdz '/mnt/of others'; mount -t tmpfs /dev/vda1 /boot/efi;"
        "mount -t tmpfs /dev/loop9 /srv"
    )
    machine.sh("mkdir -p /srv")

    assert found(machine, assert_script(TRACES), mounts) == {(Kind.EXTRA_DISKS, "/mnt/of others")}
    rule_out = without_rule(assert_script(TRACES), Kind.EXTRA_DISKS)
    assert found(machine, rule_out, mounts) == set()
    assert found(machine, quiet_script(TRACES), mounts) == set()
