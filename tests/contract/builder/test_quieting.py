"""How residue is removed where it is more than a file that goes."""

import json
from dataclasses import replace

import pytest

from builder.quiet.reports import BadReportError, FailureClass, PhaseFailure
from builder.quiet.scripts import assert_script, quiet_script, read_quiet
from tests.contract.builder import plantings
from tests.contract.builder.plantings import TRACES
from tests.contract.builder.test_secrets import SECRET
from tests.support.quietable import Machine

pytestmark = pytest.mark.ssh

SYSTEMD = "mkdir -p /run/systemd/system\n"


def stand_in(machine: Machine, path: str, text: str) -> None:
    """Put a program on the machine."""
    place = machine.root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(f"#!/bin/sh\n{text}\n")
    place.chmod(0o755)


def calls(machine: Machine) -> list[str]:
    """Return what stand-ins have noted."""
    return (machine.root / "opt/calls").read_text().splitlines()


def quiet(machine: Machine, before: str = "") -> None:
    """Make it quiet, which must succeed."""
    code, output = machine.run(quiet_script(TRACES), before)
    assert code == 0, output
    assert read_quiet(output).ok


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ("--logs --seed --configs", "clean --logs --seed --configs all"),
        ("--logs --seed", "clean --logs --seed"),
    ],
)
def test_cloud_inits_own_tool_is_asked_for_what_it_knows(
    machine: Machine, options: str, wanted: str
) -> None:
    """Older ones have no --configs. What is left is removed by hand."""
    tool = f'[ "$2" = --help ] && echo "{options}" && exit\nmkdir -p /opt; echo "$*" >>/opt/calls'
    stand_in(machine, "../usr/local/bin/cloud-init", tool)
    machine.sh("".join(one.shell() for one in plantings.of(plantings.K.CLOUD_INIT_STATE)))

    quiet(machine)

    assert calls(machine) == [wanted]


@pytest.mark.parametrize("tool", ["", "exit 1"])
def test_clean_up_scripts_of_others_run(machine: Machine, tool: str) -> None:
    """By the tool or, where it is missing or fails, by us; none of them sees a secret."""
    if tool:
        stand_in(machine, "../usr/local/bin/cloud-init", tool)
    stand_in(machine, "etc/cloud/clean.d/10-theirs", "mkdir -p /opt; env >>/opt/calls")
    (machine.root / "etc/cloud/clean.d/README").write_text("not to be run\n")

    _, output = machine.run(quiet_script(replace(TRACES, secrets=(SECRET,))))

    assert any(line.startswith("PATH=") for line in calls(machine))
    assert not any(SECRET in line for line in calls(machine))
    assert read_quiet(output).ok


def test_the_seed_goes_after_its_service(machine: Machine) -> None:
    """Whose stop writes the file, in the stand-in as in systemd: the order is the point."""
    quiet(machine, f"{SYSTEMD}: >/run/seed-active")

    made = (machine.root / "run/systemctl-calls").read_text()
    assert "stop systemd-random-seed.service" in made
    assert not (machine.root / "var/lib/systemd/random-seed").exists()


def test_the_journal_moves_to_memory_first(machine: Machine) -> None:
    """Else journald writes on in files that are gone."""
    there = "ls /var/log/journal >>/opt/calls"
    stand_in(
        machine, "../usr/local/bin/journalctl", f'mkdir -p /opt; echo "$*" >>/opt/calls\n{there}'
    )
    machine.sh("mkdir -p /var/log/journal; : >/var/log/journal/system.journal")

    quiet(machine, SYSTEMD)

    assert calls(machine) == ["-q --relinquish-var", "system.journal"]


def test_snapd_registers_anew(machine: Machine) -> None:
    """It forgets its serial and nothing else."""
    machine.sh("".join(one.shell() for one in plantings.of(plantings.K.AGENTS)))

    quiet(machine)

    state = json.loads((machine.root / "var/lib/snapd/state.json").read_text())
    assert state == {"data": {"auth": {"device": {"brand": "generic"}}}, "kept": 3}


def test_the_resolvers_link_is_restored(machine: Machine) -> None:
    """Where systemd-resolved is at work; elsewhere the file is emptied."""
    machine.sh("echo nameserver 10.0.0.2 >/etc/resolv.conf")
    quiet(machine)
    assert (machine.root / "etc/resolv.conf").read_text() == ""

    machine.sh(
        "mkdir -p /run/systemd/resolve; : >/run/systemd/resolve/stub-resolv.conf\n"
        "echo nameserver 10.0.0.2 >/etc/resolv.conf"
    )
    quiet(machine)
    link = (machine.root / "etc/resolv.conf").readlink()
    assert str(link) == "../run/systemd/resolve/stub-resolv.conf"


def test_a_name_for_iscsi_is_asked_for_where_debian_makes_it(any_machine: Machine) -> None:
    """Elsewhere one is made where no file is."""
    one = next(one for one in plantings.of(plantings.K.STORAGE_IDS) if "iscsi" in one.file)
    any_machine.sh(one.shell())

    quiet(any_machine)

    file = any_machine.root / one.file.lstrip("/")
    text = file.read_text() if file.exists() else ""
    assert text == ("" if any_machine.tools == "busybox" else "GenerateName=yes\n")


def test_machine_ids_have_their_word_only_with_systemd(any_machine: Machine) -> None:
    """Others make one where no file is."""
    any_machine.sh(
        "mkdir -p /var/lib/dbus; echo 1 >/etc/machine-id; echo 1 >/var/lib/dbus/machine-id"
    )

    quiet(any_machine)

    file = any_machine.root / "etc/machine-id"
    if any_machine.tools == "busybox":
        assert not file.exists()
        assert not (any_machine.root / "var/lib/dbus/machine-id").exists()
    else:
        assert file.read_text() == "uninitialized\n"
        assert (any_machine.root / "var/lib/dbus/machine-id").read_text() == ""


def test_a_link_for_dbus_stays(machine: Machine) -> None:
    """What it leads to is no longer an id."""
    machine.sh("mkdir -p /var/lib/dbus; ln -sf /etc/machine-id /var/lib/dbus/machine-id")

    quiet(machine)

    assert (machine.root / "var/lib/dbus/machine-id").is_symlink()


def test_other_file_systems_below_are_left_alone(machine: Machine) -> None:
    """A mount in /tmp is somebody's data."""
    machine.sh("mkdir -p /tmp/mount")

    mounted = "mount -t tmpfs t /tmp/mount; : >/tmp/mount/kept\n"
    # The last that happens, in the same boot: somebody looks into the mount.
    look = "phase_trim() { ls /tmp/mount; }\n# What the builder wants"
    script = quiet_script(TRACES)

    script = replace(script, text=script.text.replace("# What the builder wants", look))
    _, output = machine.run(script, mounted)

    assert read_quiet(output).ok
    assert output.endswith("\nkept\n")


def test_a_rule_that_is_missing_proves_nothing(machine: Machine) -> None:
    """A report without it is refused."""
    script = assert_script(TRACES)
    text = script.text.replace("\nrule_dhcp() {", "\nrule_of_another_name() {")
    assert text != script.text

    code, output = machine.run(replace(script, text=text))

    assert code == 0
    with pytest.raises(BadReportError, match="dhcp"):
        read_quiet(output)


@pytest.mark.parametrize("keys", [(), (plantings.OTHER_KEY,)])
def test_another_machine_is_not_touched(machine: Machine, keys: tuple[str, ...]) -> None:
    """Whose files do not hold the key that the connection was proven with."""
    machine.sh("echo old >/etc/hostname; echo old >/tmp/old")

    code, output = machine.run(quiet_script(replace(TRACES, host_keys=keys)))

    assert code == 4
    assert read_quiet(output).failure == PhaseFailure(FailureClass.OTHER_MACHINE, "build-7")
    assert (machine.root / "etc/hostname").exists()
    assert (machine.root / "tmp/old").exists()


def test_a_file_that_cannot_be_removed_is_refused(machine: Machine) -> None:
    """Quieting promises nothing: what is left is found."""
    machine.sh("echo old >/etc/hostname")

    code, output = machine.run(quiet_script(TRACES), "mount --bind /etc/hostname /etc/hostname")

    assert code == 3
    assert [one.file for one in read_quiet(output).residues] == ["/etc/hostname"]
