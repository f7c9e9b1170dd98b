"""Before the first step: nobody else is at work, or it is said who."""

from dataclasses import replace
from typing import Final

import pytest

from builder.quiet.reports import FailureClass, PhaseFailure
from builder.quiet.scripts import prepare_script, read_prepare
from remuda.ssh.api import Script
from tests.contract.builder.test_checklist import HOLD
from tests.contract.builder.test_secrets import with_tool
from tests.support.quietable import Machine

pytestmark = pytest.mark.ssh

HURRIED: Final = prepare_script(cloud_init_limit_s=1, lock_limit_s=1)
BEGUN: Final = "mkdir -p /run/cloud-init\n"


def failure(machine: Machine, script: Script, before: str = "") -> PhaseFailure | None:
    """Return why the machine cannot be prepared."""
    code, output = machine.run(script, before)
    report = read_prepare(output)
    assert code == (0 if report.failure is None else 4)
    return report.failure


def meanwhile(machine: Machine, text: str) -> Script:
    """Return a patient script during whose first wait *text* happens."""
    return with_tool(machine, prepare_script(), "sleep", text)


def test_a_machine_at_rest_is_ready(any_machine: Machine) -> None:
    """Whatever tools it has."""
    assert failure(any_machine, HURRIED) is None


def test_cloud_init_is_waited_for(machine: Machine) -> None:
    """Its result is the very last that it writes."""
    done = meanwhile(machine, "echo {} >/run/cloud-init/result.json")

    assert failure(machine, done, BEGUN) is None


def test_cloud_init_that_never_ends_is_said(machine: Machine) -> None:
    """A class of its own: another machine may do better."""
    found = failure(machine, HURRIED, BEGUN)

    assert found == PhaseFailure(FailureClass.CLOUD_INIT, "/run/cloud-init/result.json")


def test_cloud_init_that_is_disabled_is_not_waited_for(machine: Machine) -> None:
    """It has a folder and never a result."""
    assert failure(machine, HURRIED, f"{BEGUN}: >/run/cloud-init/disabled") is None


def test_a_lock_is_waited_for(machine: Machine) -> None:
    """Until its holder ends."""
    done = meanwhile(machine, "kill $(cat /run/held)")

    assert failure(machine, done, HOLD) is None


def test_a_lock_that_is_never_given_back_is_said(machine: Machine) -> None:
    """A class of its own, with the file."""
    assert failure(machine, HURRIED, HOLD) == PhaseFailure(FailureClass.LOCK, "/var/lib/dpkg/lock")


@pytest.mark.parametrize("name", ["dnf", "zypper", "sh"])
def test_a_process_number_counts_only_of_a_package_tool(machine: Machine, name: str) -> None:
    """Numbers are given anew: a file that was left behind may name anybody."""
    file = {"zypper": "/run/zypp.pid"}.get(name, "/var/cache/dnf/metadata_lock.pid")
    claim = (
        f"cp /usr/bin/sleep /run/{name}; mkdir -p /var/cache/dnf\n"
        f"/run/{name} 1000 & echo $! >{file}\n"
        f'until [ "$(cat /proc/$!/comm)" = {name} ]; do :; done\n'
    )
    wanted = None if name == "sh" else PhaseFailure(FailureClass.LOCK, file)

    assert failure(machine, HURRIED, claim) == wanted


def test_timers_are_stopped_and_services_are_not(machine: Machine) -> None:
    """A package tool that is killed at work leaves packages half configured."""
    assert failure(machine, HURRIED, "mkdir -p /run/systemd/system") is None

    calls = (machine.root / "run/systemctl-calls").read_text().splitlines()
    stopped = [call.removeprefix("stop ") for call in calls if call.startswith("stop ")]
    assert {"apt-daily.timer", "apt-daily-upgrade.timer"} <= set(stopped)
    assert all(unit.endswith(".timer") for unit in stopped)


def test_boot_entries_keep_their_names(machine: Machine) -> None:
    """Kernels of later steps are named as the running one, though the machine id will go."""
    machine.sh('mkdir -p /boot/loader/entries; : >"/boot/loader/entries/0a1b-$(uname -r).conf"')

    assert failure(machine, HURRIED) is None
    assert (machine.root / "etc/kernel/entry-token").read_text() == "0a1b\n"


def test_somebody_who_may_not_is_told_so(machine: Machine) -> None:
    """All of it needs root."""
    script = with_tool(machine, HURRIED, "id", 'case $1 in -u) echo 1000 ;; *) echo "a b" ;; esac')

    assert failure(machine, script) == PhaseFailure(FailureClass.NOT_ROOT, "a b")


def test_a_machine_without_a_tool_is_told_so(machine: Machine) -> None:
    """What is not looked at would pass for quiet."""
    machine.sh("mkdir /run/few; for tool in id date od tr; do ln -s /usr/bin/$tool /run/few; done")
    few = replace(HURRIED, text=HURRIED.text.replace("\nPATH=", "\nPATH=/run/few; : "))

    assert failure(machine, few) == PhaseFailure(FailureClass.TOOL_MISSING, "awk")


def test_what_is_cut_off_is_no_report(machine: Machine) -> None:
    """A script that dies has proven nothing."""
    dying = replace(HURRIED, text=HURRIED.text.replace("stop_timers\n", "kill -9 $$\n"))

    code, output = machine.run(dying)

    assert code != 0
    with pytest.raises(ValueError, match="has no end"):
        read_prepare(output)
