"""The way of an image on a sandbox, step by step: real adapter, real machines, real SSH."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from builder.quiet.identity import Identity, same_identity
from builder.quiet.kinds import CHECKLIST, Kind
from builder.quiet.scripts import (
    Traces,
    assert_script,
    clone_script,
    identity_script,
    prepare_script,
    quiet_script,
    read_clone,
    read_identity,
    read_quiet,
)
from remuda.cloud.api import BadOrderError, GoneError, ImageWanted
from remuda.cloud.image_store import ImageEdit, ImageOrder, Visibility
from remuda.ssh.api import ProofSpec
from remuda.ssh.prover import ParamikoProver
from tests.contract.builder import plantings
from tests.sandbox.running import Sandbox, running, why_no_machines
from tests.support.deadline import wait_for
from tests.support.imageway import SOON_S, Machine, Site, run, shell
from tests.support.quietable import NAME

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.ssh,
    pytest.mark.skipif(bool(why_no_machines()), reason=why_no_machines() or "can be tested"),
]

CONFIG: Final[dict[str, Any]] = {
    "machines": "namespace",
    "system": "minimal",
    "snapshot_seconds": 0.3,  # so that images are hidden while they are queued
    "regions": ["north", "south"],
    "users": [
        {"name": "demo", "projects": ["demo"]},
        {"name": "other", "projects": ["other"]},
    ],
    "quota": {"instances": 50, "cores": 50},
}
#: Installs a package of its own, so that nothing is fetched, and leaves files of some size.
STEP: Final = """
mkdir -p /opt/pkg/DEBIAN /opt/pkg/usr/bin
printf 'Package: hello-image\\nVersion: 1\\nArchitecture: all\\nMaintainer: me <me@example.org>\\n\
Description: says hello\\n' >/opt/pkg/DEBIAN/control
printf '#!/bin/sh\\necho hello\\n' >/opt/pkg/usr/bin/hello-image
chmod 755 /opt/pkg/usr/bin/hello-image
dpkg-deb --build /opt/pkg /opt/hello.deb
dpkg -i /opt/hello.deb
rm -r /opt/pkg
head -c 8000000 /dev/urandom >/opt/data
echo 10.0.0.9 mirror >>/etc/hosts
"""
#: Holds a lock as dpkg does, until the machine ends.
HOLD: Final = """
setsid python3 -c 'import fcntl, signal
file = open("/var/lib/dpkg/lock", "w")
fcntl.lockf(file, fcntl.LOCK_EX)
open("/run/held", "w").close()
signal.pause()' >/dev/null 2>&1 </dev/null &
until [ -e /run/held ]; do sleep 0.1; done
"""
#: Who a machine is, where the program that asks does not look.
WHO: Final = (
    "cat /etc/hostname /proc/sys/kernel/random/boot_id; cat /var/lib/cloud/data/instance-id"
)


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox of two regions and two projects."""
    with running(tmp_path_factory.mktemp("way") / "sandbox", CONFIG) as sandbox:
        yield sandbox


@pytest.fixture
def site(box: Sandbox, tmp_path: Path) -> Iterator[Site]:
    """The first project in the first region; empty afterwards."""
    made = Site.open(box, tmp_path / "site", region="north")
    yield made
    box.control("DELETE", "/faults")
    made.clear()
    made.cloud.close()


def build(site: Site, step: str) -> tuple[Machine, Identity, Traces]:
    """Do on a fresh machine what a builder does, up to its stop."""
    machine = site.boot()
    traces = machine.traces(site.key("build"))
    with machine.link() as link:
        assert run(link, prepare_script()).why == ""
        shell(link, step)
        who = run(link, identity_script())
        quieted = run(link, quiet_script(traces))
        assert quieted.why == "", quieted.output
        assert read_quiet(quieted.output).ok
    found = read_identity(who.output).identity
    assert found is not None
    return machine, found, traces


def checked(machine: Machine, who: Identity, traces: Traces) -> tuple[str, set[Kind]]:
    """Check a clone; return the verdict and all that was found."""
    with machine.link() as link:
        ran = run(link, clone_script(who, traces))
    own, report = read_clone(ran.output)
    assert own.identity is not None
    found = (*same_identity(who, own.identity), *report.residues)
    assert bool(ran.why) == bool(found)
    return ran.why, {one.kind for one in found}


def test_an_image_goes_the_whole_way(site: Site) -> None:
    """Made quiet, stopped, snapshotted, hidden; what boots from it is another machine."""
    machine, build_id, traces = build(site, f"{STEP}({WHO}) >/opt/who")
    proof = ParamikoProver().prove(ProofSpec(login=machine.login))

    site.stop(machine.server)
    image_id = site.snapshot(machine.server, "image-1")
    image = site.stored(image_id)
    site.cloud.delete_server(machine.server)

    assert not proof.ok
    assert image.hidden
    assert image.size_bytes is not None
    assert image.size_bytes > 8_000_000
    with pytest.raises(BadOrderError):
        site.cloud.find_image(ImageWanted(name="image-1"))
    clone = site.boot(site.cloud.find_image(ImageWanted(id=image_id)), key="later")
    why, found = checked(clone, build_id, traces)
    clone_id = clone.identity()
    mine, theirs = clone.sh(WHO).split(), clone.sh("cat /opt/who").split()
    assert (why, found) == ("", set())
    assert clone.sh("hello-image; wc -c </opt/data; grep -c mirror /etc/hosts").split() == [
        *("hello", "8000000", "1")
    ]
    assert len(set(mine) | set(theirs)) == 6
    assert clone_id.host_keys
    for one in ("machine_id", "hostname", "instance_id", "seed", "host_keys", "dhcp_ids"):
        assert getattr(build_id, one)
        assert getattr(clone_id, one)
        assert getattr(build_id, one) != getattr(clone_id, one)


def test_a_clone_of_a_machine_that_was_not_made_quiet_is_refused(site: Site) -> None:
    """Whatever quieting would have taken away is seen there, the builder's own key too."""
    machine = site.boot()
    who, traces = machine.identity(), machine.traces(site.key("build"))
    image = site.image(machine, "loud")

    clone = site.boot(
        image,
        name=who.hostname,
        theirs="#cloud-config\nssh_deletekeys: false\n",
        old=machine.host_key,
    )
    why, found = checked(clone, who, traces)

    assert why
    assert found == {
        *(Kind.SAME_MACHINE_ID, Kind.SAME_HOSTNAME, Kind.SAME_SEED, Kind.SAME_HOST_KEY),
        *(Kind.SAME_DHCP_ID, Kind.LOGIN_KEYS, Kind.USER_DATA, Kind.SECRET),
    }


#: A machine that runs no systemd cannot have the one; the other is a link, which may stay.
SENSELESS: Final = frozenset({"systemd-random-seed.service", "/var/lib/dbus/machine-id"})


def test_what_is_left_on_a_quiet_machine_is_refused(site: Site) -> None:
    """Each residue of the checklist, found on a real machine, and gone after quieting again."""
    site.user = "root"  # who else would be let in once the rights of others are gone
    machine = site.boot(name=NAME)
    planted = [one for one in plantings.PLANTINGS if one.file not in SENSELESS]
    traces = replace(
        machine.traces(site.key("build")),
        login_keys=(site.key("build"), plantings.LOGIN_KEY),
        build_only=plantings.TRACES.build_only,
        secrets=(),
    )
    refused = {item.kind for item in CHECKLIST if not item.mended}

    with machine.link() as link:
        shell(
            link,
            "useradd -m ci; mkdir -p /home/ci/.ssh /root/.ssh\n"
            "echo AuthorizedKeysFile .ssh/authorized_keys /etc/ssh/keys/%u "
            ">/etc/ssh/sshd_config.d/keys.conf",
        )
        first = run(link, quiet_script(traces))
        shell(link, "".join(one.shell() for one in planted))
        found = read_quiet(run(link, assert_script(traces)).output)
        met = f"echo '{machine.host_key.public}' >/etc/ssh/ssh_host_met_key.pub"
        shell(link, met)
        again = read_quiet(run(link, quiet_script(traces)).output)

    assert first.why == "", first.output
    assert {(one.kind, one.file) for one in found.residues} == {
        (one.kind, one.file) for one in planted
    }
    assert {one.kind for one in again.residues} == refused


def test_a_machine_at_work_is_waited_for(site: Site) -> None:
    """Its user data, and a package tool that holds its lock; the limit says which it was."""
    machine = site.boot(
        theirs="#cloud-config\nruncmd: ['until [ -e /run/go ]; do sleep 0.1; done']\n"
    )

    with machine.link() as link:
        early = run(link, prepare_script(cloud_init_limit_s=1))
        shell(link, ": >/run/go")
        ready = run(link, prepare_script())
        shell(link, HOLD)
        locked = run(link, prepare_script(lock_limit_s=1))

    assert "cloud-init-unfinished (/run/cloud-init/result.json)" in early.why
    assert ready.why == ""
    assert "lock-held (/var/lib/dpkg/lock)" in locked.why


def test_a_secret_that_a_step_left_is_refused(site: Site) -> None:
    """Before a snapshot is paid for; the file is named, never the value."""
    site.user = "root"
    machine = site.boot()
    secret = "correct horse battery staple"
    traces = replace(machine.traces(site.key("build")), secrets=(secret,))

    with machine.link() as link:
        shell(link, f"echo 'password {secret}' >/opt/settings")
        ran = run(link, quiet_script(traces))

    assert "secret /opt/settings" in ran.why
    assert secret not in ran.output


def test_a_dirty_stop_is_seen_on_the_disk(box: Sandbox, site: Site) -> None:
    """Its clones say so on their consoles."""
    machine = site.boot()
    box.fault("dirty_stop", effect={"seconds": 0.2})
    image = site.image(machine, "dirty")
    box.control("DELETE", "/faults")

    clone = site.boot(image)

    assert "recovery complete" in site.cloud.console_log(clone.server)
    assert "recovery complete" not in site.cloud.console_log(machine.server)


def test_nothing_boots_from_a_spoiled_image_or_its_copy(
    box: Sandbox, site: Site, tmp_path: Path
) -> None:
    """It looks as good as any: only a machine that was booted from it tells."""
    store = site.cloud.image_store()
    machine = site.boot()
    box.fault("snapshot_unbootable", count=1)
    image = site.image(machine, "spoiled")
    received = store.download(image.id, tmp_path / "data")
    order = ImageOrder(name="copy", disk_format="raw", hidden=True, sha512=received.sha512)
    copy = store.upload(order, tmp_path / "data")

    bad = [site.active(site.cloud.create_server(site.order(one))).id for one in (image, copy)]
    site.boot()  # later than they, and soon there

    assert not any(site.listens(server) for server in bad)


def test_an_image_that_vanishes_takes_nothing_along(box: Sandbox, site: Site) -> None:
    """Active, then gone with its server; what runs from it runs on."""
    store = site.cloud.image_store()
    machine = site.boot()
    box.fault("snapshot_vanish", count=1)
    image = site.image(machine, "vanishing")
    clone = site.boot(image)

    site.cloud.delete_server(machine.server)

    def gone() -> bool:
        try:
            store.get_image(image.id)
        except GoneError:
            return True
        return False

    wait_for(gone, SOON_S, "the image to go")
    assert clone.sh("echo yes") == "yes\n"
    with pytest.raises(BadOrderError):
        site.cloud.create_server(site.order(image))


def test_an_image_is_carried_to_another_region(box: Sandbox, site: Site, tmp_path: Path) -> None:
    """Though nothing has hashed it; there it boots, hidden, and passes the same check."""
    box.fault("snapshot_unhashed", count=1)
    machine, who, traces = build(site, "echo carried >/opt/proof")
    image = site.image(machine, "carried")
    south = Site.open(box, tmp_path / "south", region="south")

    received = site.cloud.image_store().download(image.id, tmp_path / "data")
    order = ImageOrder(
        name="carried",
        disk_format=str(image.disk_format),
        min_disk_gib=image.min_disk_gib,
        hidden=True,
        sha512=received.sha512,
    )
    copy = south.cloud.image_store().upload(order, tmp_path / "data")
    clone = south.boot(copy, key="later")
    found = checked(clone, who, traces)
    proof = clone.sh("cat /opt/proof")
    south.clear()
    south.cloud.close()

    assert (image.hash_value, received.verified_by) == (None, None)
    assert copy.hash_value == received.sha512
    assert copy.hidden
    assert found == ("", set())
    assert proof == "carried\n"


def test_an_image_is_shared_with_another_project(box: Sandbox, site: Site, tmp_path: Path) -> None:
    """No byte is moved; what booted from it runs on when the offer is taken back."""
    machine, who, traces = build(site, "echo shared >/opt/proof")
    image = site.image(machine, "shared")
    store = site.cloud.image_store()
    other = Site.open(box, tmp_path / "other", cloud="sandbox-other", region="north")
    with pytest.raises(BadOrderError):
        other.cloud.create_server(other.order(image))

    store.edit_image(image.id, ImageEdit(visibility=Visibility.SHARED))
    store.share(image.id, other.cloud.image_store().project())
    other.cloud.image_store().accept(image.id)
    clone = other.boot(image, key="later")
    found = checked(clone, who, traces)
    store.unshare(image.id, other.cloud.image_store().project())

    with pytest.raises(BadOrderError):
        other.cloud.create_server(other.order(image))
    assert found == ("", set())
    assert clone.sh("cat /opt/proof") == "shared\n"
    other.clear()
    other.cloud.close()
