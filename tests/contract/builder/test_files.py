"""What is on a machine: listed alike by all tools, and equal where two machines were made alike."""

from typing import Final

import pytest

from builder.quiet.files import files_script, measure_of, read_files
from builder.quiet.ignored import IGNORED
from builder.quiet.scripts import quiet_script
from remuda.images.inventory import Folder, MachineContents
from tests.contract.builder.plantings import TRACES
from tests.support.quietable import Machine

pytestmark = pytest.mark.ssh

MADE: Final = """
mkdir -p /opt/tools/deep/er/still /etc/systemd/system/multi-user.target.wants '/srv/odd name'
echo one >/opt/tools/deep/er/still/file
echo two >/opt/tools/deep/plain
ln -s /opt/tools/deep/plain /opt/link
ln -s /lib/systemd/system/ssh.service /etc/systemd/system/multi-user.target.wants/ssh.service
mkdir -p /etc/runlevels/default
ln -s /etc/init.d/crond /etc/runlevels/default/crond
echo three >'/srv/odd name/a  b'
echo four >'/srv/odd name/back\\slash'
touch '/srv/new
line'
"""


def contents(
    machine: Machine, how: str = "contents", ignored: tuple[str, ...] = (), before: str = ""
) -> MachineContents:
    """Return what a machine has."""
    code, output = machine.run(files_script(how, ignored), before)
    assert code == 0, output
    found = read_files(output, measure_of(how, ignored))
    assert found is not None, output
    return found


def folder(machine: Machine, name: str, how: str = "contents") -> Folder:
    """Return what it has in one folder."""
    return next(one for one in contents(machine, how).folders if one.name == name)


def test_services_and_files_are_listed(any_machine: Machine) -> None:
    """Folders at most three deep stand for all below; odd names are no folders of their own."""
    any_machine.sh(MADE)
    found = contents(any_machine)
    by_name = {one.name: one for one in found.folders}

    assert found.services == (("ssh.service", "multi-user.target"), ("crond", "default"))
    assert by_name["/opt/tools/deep"].files == 2
    assert by_name["/opt/tools/deep"].bytes == len("one\ntwo\n")
    assert by_name["/srv/odd?name"].files == 2
    assert "/opt/tools/deep/er" not in by_name
    assert "/srv/new?line" not in by_name
    assert not any(name.startswith(("/proc", "/dev", "/run", "/tmp")) for name in by_name)  # noqa: S108
    assert not any(name.startswith("/var/log") for name in by_name)


def test_machines_that_were_made_alike_are_equal(any_machine: Machine) -> None:
    """Whatever the times are, the order in which files came, and what differs by nature."""
    any_machine.sh(f"{MADE}\nmkdir -p /var/lib/systemd /var/cache /root/.ssh")
    first = contents(any_machine)
    nature = (
        "find / -xdev -name file -exec touch -d '2001-01-01' {} + ;"
        "rm /opt/tools/deep/plain; echo two >/opt/tools/deep/plain;"
        "mkdir -p /var/lib/systemd/timers /opt/__pycache__ /var/cache/ldconfig;"
        "echo id >/etc/machine-id; echo key >/root/.ssh/authorized_keys; echo b >/etc/hostname;"
        "echo x >/var/lib/systemd/timers/stamp-x; echo c >/opt/__pycache__/a.pyc;"
        "echo 1 >/var/cache/ldconfig/aux-cache; echo l >/var/log/messages; echo t >/tmp/t"
    )
    any_machine.sh(nature)

    assert contents(any_machine) == first


def test_being_quieted_changes_nothing_that_counts(machine: Machine) -> None:
    """So a machine from an image has what the one had that it was made of, before it was quiet."""
    machine.sh(MADE)
    machine.sh("echo 0123456789abcdef0123456789abcdef >/etc/machine-id; echo x >/var/log/x.1")
    machine.sh("mkdir -p /var/lib/cloud/data; echo i >/var/lib/cloud/data/instance-id")
    before = contents(machine)
    assert machine.verdict(quiet_script(TRACES)) == ""

    assert contents(machine) == before


@pytest.mark.parametrize(
    ("change", "contents_tell", "sizes_tell"),
    [
        ("echo two >/opt/tools/deep/another", True, True),
        ("rm /opt/tools/deep/plain", True, True),
        ("mv /opt/tools/deep/plain /opt/tools/deep/flat", True, True),
        ("echo more >>/opt/tools/deep/plain", True, True),
        ("chmod 600 /opt/tools/deep/plain", True, True),
        ("chown 7 /opt/tools/deep/plain", True, True),
        ("chmod 700 /opt/tools/deep/er", True, True),
        ("ln -s plain /opt/tools/deep/link", True, True),
        ("echo owt >/opt/tools/deep/plain", True, False),
        ("touch -d 2001-01-01 /opt/tools/deep/plain", False, False),
    ],
)
def test_what_changes_a_folder(
    any_machine: Machine, change: str, *, contents_tell: bool, sizes_tell: bool
) -> None:
    """A name, a size, a mode, an owner, a link; contents if they are read; no time."""
    any_machine.sh(MADE)
    name = "/opt/tools/deep"
    first = {how: folder(any_machine, name, how) for how in ("contents", "sizes")}
    any_machine.sh(change)

    assert (folder(any_machine, name) != first["contents"]) is contents_tell
    assert (folder(any_machine, name, "sizes") != first["sizes"]) is sizes_tell


def test_a_link_that_leads_elsewhere_is_another(any_machine: Machine) -> None:
    """It has no contents of its own."""
    any_machine.sh(MADE)
    first = folder(any_machine, "/opt", "sizes")
    any_machine.sh("rm /opt/link; ln -s /opt/tools/deep/plaim /opt/link")

    assert folder(any_machine, "/opt", "sizes") != first


def test_a_recipe_may_leave_out_more(any_machine: Machine) -> None:
    """A star means slashes, too; what was listed otherwise is not compared."""
    any_machine.sh(MADE)
    found = contents(any_machine, ignored=("/opt/*/still", "*/plain"))
    by_name = {one.name: one for one in found.folders}

    assert by_name["/opt/tools/deep"].files == 0
    assert found.measure != contents(any_machine).measure


def test_folders_beyond_the_most_are_one(machine: Machine) -> None:
    """So what is printed has an end, and still tells any change."""
    made = "mkdir -p /srv; cd /srv; mkdir $(seq 5000); for i in $(seq 5000); do : >$i/x; done"
    machine.sh(made)
    first = contents(machine)
    machine.sh("echo more >/srv/999/x")
    second = contents(machine)

    assert len(first.folders) == 4000
    assert first.folders[-1].name == "/*"
    assert first.folders[-1].files > 1
    assert [one.name for one in set(second.folders) - set(first.folders)] == ["/*"]


def test_every_line_of_the_list_says_why() -> None:
    """Whoever adds one has thought of it."""
    assert all(one.why and one.patterns for one in IGNORED)
    named = [name for one in IGNORED for name in one.patterns]
    assert len(named) == len(set(named))
    assert all(name.startswith(("/", "*")) for name in named)
