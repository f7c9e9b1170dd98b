"""What namespace machines see of this machine, and what their first boot makes of their disks."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any, Final

import pytest

from sandbox.machines import system
from sandbox.machines.accounts import write_accounts
from sandbox.machines.base import MachineError, Order
from sandbox.machines.bootplan import BootPlan, User
from sandbox.machines.firstboot import write_identity
from sandbox.machines.upper import link, put, text_of

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: whiteouts are devices")

ID: Final = "01234567-89ab-4cde-8f01-23456789abcd"


def package(name: str, needs: tuple[tuple[str, ...], ...] = (), **more: Any) -> system._Package:
    """Return a package."""
    return system._Package(
        **{"name": name, "needed": False, "needs": needs, "provides": (), **more}
    )


def order(**changes: Any) -> Order:
    """Return an order for a machine."""
    plan = BootPlan(hostname="box", user_data=b"#!/bin/sh\n")
    return Order(**{"id": ID, "address": "127.77.0.2", "plan": plan, **changes})


def test_a_minimal_system_is_what_is_needed_and_wanted_and_what_that_needs() -> None:
    """By name, by alternative and by what provides it; nothing else of a large host."""
    packages = [
        package("bash", (("libc6",), ("awk",)), needed=True),
        package("libc6:amd64"),
        package("mawk", provides=("awk",)),
        package("python3", (("absent", "python3-minimal"), ("absent",))),
        package("python3-minimal"),
        package("gcc", (("libc6",),)),
    ]

    assert system._closure(packages) == {
        *("bash", "libc6:amd64", "mawk", "python3", "python3-minimal")
    }


@needs_root
@pytest.mark.skipif(not Path("/var/lib/dpkg/status").exists(), reason="needs dpkg")
def test_a_layer_hides_what_is_not_of_the_minimal_system(tmp_path: Path) -> None:
    """Sorted out at once, however large the host is; dpkg knows of no more than there is."""
    system.make_layer(tmp_path, minimal=True)

    known = {system._bare(one) for one in system._closure(system._installed())}
    status = (tmp_path / "var/lib/dpkg/status").read_text(errors="replace")
    assert {system._package_of(one) for one in status.split("\n\n") if one.strip()} == known
    assert system.is_whiteout(tmp_path / "usr/share/doc")
    assert not os.path.lexists(tmp_path / "usr/bin/env")
    assert os.getxattr(tmp_path / "opt", "trusted.overlay.opaque") == b"y"


@needs_root
@pytest.mark.parametrize("minimal", [False, True])
def test_packages_that_the_host_is_installing_are_not_half_installed_in_machines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, minimal: bool
) -> None:
    """Its package tools go on, and are not to be seen by machines that began meanwhile."""
    paragraphs = {
        "whole": "Package: whole\nStatus: install ok installed\n",
        "left": "Package: left\nStatus: deinstall ok config-files\n",
        "half": "Package: half\nStatus: install ok half-installed\n",
        "open": "Package: open\nStatus: install ok unpacked\nVersion: 1\n",
    }
    status, layer = tmp_path / "status", tmp_path / "layer"
    status.write_text("\n".join(paragraphs.values()))
    layer.mkdir()
    monkeypatch.setattr(system, "_STATUS", str(status))
    monkeypatch.setattr(system, "_closure", lambda _packages: {"whole", "half"})
    monkeypatch.setattr(system, "_files_of", lambda _names: iter(()))

    system.make_layer(layer, minimal=minimal)

    seen = (layer / str(status)[1:]).read_text()
    assert [system._package_of(one) for one in seen.split("\n\n") if one.strip()] == (
        ["whole"] if minimal else ["whole", "left"]
    )
    updates = layer / "var/lib/dpkg/updates"
    assert os.getxattr(updates, "trusted.overlay.opaque") == b"y"


@needs_root
def test_a_host_without_sudo_lends_a_small_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only members of its group may execute what makes them root."""
    which = {"sudo": None, "setpriv": "/usr/bin/setpriv"}
    monkeypatch.setattr(system.shutil, "which", lambda name, **_: which[name])

    system.make_layer(tmp_path, minimal=False)

    seen = (tmp_path / system._SUDO_ROOT[1:]).stat()
    assert stat.S_IMODE(seen.st_mode) == 0o4750
    assert (seen.st_uid, seen.st_gid) == (0, system.sudo_group())
    assert os.access(tmp_path / system.SUDO[1:], os.X_OK)


@needs_root
def test_what_an_image_brings_stays_where_real_machines_would_keep_it(tmp_path: Path) -> None:
    """So a clone of a machine that was not made quiet is like it."""
    kept = {
        "etc/machine-id": "ab" * 16 + "\n",
        "var/lib/systemd/random-seed": "chance",
        "var/lib/dhcp/dhclient.eth0.leases": 'default-duid "x";\n',
        "etc/hosts": "127.0.0.1 localhost\n10.0.0.9 mirror\n",
        "root/.ssh/authorized_keys": "of the image\n",
    }
    for name, text in kept.items():
        put(tmp_path, name, text)
    put(tmp_path, "var/lib/cloud/instances/i-old/user-data.txt", "old")

    write_identity(tmp_path, order())
    write_accounts(tmp_path, (User(name="root", keys=("mine",)), User(name="ci")))

    kept["etc/hosts"] += "127.77.0.2 box\n"
    kept["root/.ssh/authorized_keys"] += "mine\n"
    assert {name: text_of(tmp_path, name) for name in kept} == kept
    assert text_of(tmp_path, "var/lib/cloud/data/instance-id") == f"{ID}\n"
    assert sorted(each.name for each in (tmp_path / "var/lib/cloud/instances").iterdir()) == [
        *(ID, "i-old")
    ]
    assert text_of(tmp_path, f"var/lib/cloud/instances/{ID}/user-data.txt") == "#!/bin/sh\n"
    group = (text_of(tmp_path, "etc/group") or "").splitlines()
    assert all(line.endswith(":ci") for line in group if line.startswith("sudo:"))
    rights = text_of(tmp_path, "etc/sudoers.d/90-cloud-init-users")
    assert rights == "ci ALL=(ALL) NOPASSWD:ALL\n"


@needs_root
@pytest.mark.parametrize("left", ["", "uninitialized\n", "no id"])
def test_two_machines_of_one_quiet_image_differ(tmp_path: Path, left: str) -> None:
    """Each makes what is missing."""
    for name, machine in (("a", ID), ("b", ID.replace("0", "f"))):
        (tmp_path / name).mkdir()
        put(tmp_path / name, "etc/machine-id", left)
        write_identity(tmp_path / name, order(id=machine))

    names = (
        *("etc/machine-id", "var/lib/systemd/random-seed", "var/lib/dhcp/dhclient.eth0.leases"),
        "var/lib/cloud/data/instance-id",
    )
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() != (tmp_path / "b" / name).read_bytes()


def test_links_of_an_image_lead_to_no_file_of_the_host(tmp_path: Path) -> None:
    """They mean the machine's own root; from outside nobody follows them."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("the host's")
    upper = tmp_path / "upper"
    upper.mkdir()
    (upper / "etc").symlink_to(outside)
    link(upper, "file", str(outside / "file"))

    with pytest.raises(MachineError, match="no folder"):
        put(upper, "etc/file", "x")
    put(upper, "file", "x")

    assert text_of(upper, "etc/file") is None
    assert (outside / "file").read_text() == "the host's"
    assert text_of(upper, "file") == "x"
