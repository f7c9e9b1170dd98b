"""Secrets in the files of a machine: found in every form, the file named and never the value."""

import base64
from dataclasses import replace

import pytest

from builder.quiet.kinds import Kind, Residue
from builder.quiet.scripts import Traces, assert_script, read_quiet
from remuda.ssh.api import Script
from remuda.ssh.hostkeys import make_host_key
from tests.contract.builder.plantings import TRACES
from tests.support.quietable import Machine

pytestmark = pytest.mark.ssh

SECRET = "correct/horse+battery staple"


def residues(machine: Machine, traces: Traces) -> set[Residue]:
    """Return what is found; whatever is printed must not hold a secret."""
    _, output = machine.run(assert_script(traces))
    assert not any(secret in output for secret in traces.secrets)
    return set(read_quiet(output).residues)


def write(machine: Machine, path: str, data: bytes) -> Residue:
    """Write a file; return the finding that it must become."""
    place = machine.root / path.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    return Residue(Kind.SECRET, path)


def test_a_secret_is_found_in_every_form(any_machine: Machine) -> None:
    """As it is, behind NULs, in Base64 at each of its three places, and for URLs and JSON."""
    coded = [base64.b64encode(b"x" * before + SECRET.encode() + b"yz") for before in range(3)]
    planted = {
        write(any_machine, "/root/.netrc", f"password {SECRET}\n".encode()),
        write(any_machine, "/opt/app/state.db", b"\0\1\2" * 9 + SECRET.encode() + b"\0"),
        *(write(any_machine, f"/opt/coded-{at}", one) for at, one in enumerate(coded)),
        write(any_machine, "/etc/url", b"https://me:correct%2Fhorse%2Bbattery%20staple@host/"),
    }
    write(any_machine, "/opt/two words\nand a line", SECRET.encode())
    planted.add(Residue(Kind.SECRET, "/opt/two words?and a line"))
    write(any_machine, "/opt/innocent", b"correct horse battery staple")

    assert residues(any_machine, replace(TRACES, secrets=(SECRET,))) == planted


def test_private_keys_are_told_from_each_other(machine: Machine) -> None:
    """The first line of every OpenSSH key is the same: only the build's own is found."""
    ours, another = make_host_key().private, make_host_key().private
    planted = write(machine, "/etc/old/ssh_host_key", ours.encode())
    indented = write(machine, "/etc/old/user-data", ours.replace("\n", "\n    ").encode())
    wrapped = write(machine, "/etc/old/coded", base64.encodebytes(ours.encode()))
    write(machine, "/etc/old/of_somebody", another.encode())

    found = residues(machine, replace(TRACES, secrets=(ours,)))

    assert found == {planted, indented, wrapped}


def test_only_file_systems_of_disks_are_searched(machine: Machine) -> None:
    """What lies on a disk goes into the snapshot; memory, /proc and the network do not."""
    machine.sh("mkdir -p /opt/disk /opt/memory")
    mounts = (
        "head -c 8388608 /dev/zero >/opt/img; /usr/sbin/mkfs.ext4 -q /opt/img\n"
        "mount -o loop /opt/img /opt/disk || echo NO LOOP\nmount -t tmpfs t /opt/memory\n"
        f"echo '{SECRET}' | tee /opt/disk/file >/opt/memory/file\n"
    )
    # A loop device is no disk to us (snapd's images are on some), so it gets a disk's name.
    script = assert_script(replace(TRACES, secrets=(SECRET,)))
    text = script.text.replace('&& $1 !~ "^/dev/loop" && $2 != "/"', '&& $2 != "/"')
    assert text != script.text

    _, output = machine.run(replace(script, text=text), mounts)

    if "NO LOOP" in output:
        pytest.skip("needs loop devices")
    secrets = {one.file for one in read_quiet(output).residues if one.kind is Kind.SECRET}
    assert "/opt/disk/file" in secrets
    assert "/opt/memory/file" not in secrets


def with_tool(machine: Machine, script: Script, name: str, text: str) -> Script:
    """Return *script* with a stand-in for a tool in front of the machine's own."""
    path = machine.root / "run/tools" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return replace(script, text=script.text.replace("\nPATH=", "\nPATH=/run/tools:"))


def test_a_search_that_does_not_end_proves_nothing(machine: Machine) -> None:
    """It is a finding that there was no time to look."""
    hang = 'case $* in *-prune*) exec sleep 1000 ;; esac; exec /usr/bin/find "$@"'
    script = assert_script(replace(TRACES, secrets=(SECRET,), search_limit_s=1))

    _, output = machine.run(with_tool(machine, script, "find", hang))

    assert read_quiet(output).residues == (Residue(Kind.UNSEARCHED, "/"),)


@pytest.mark.parametrize(
    ("tool", "text"),
    [
        ("nproc", "echo 4"),
        ("nproc", "echo 1"),
        ("nproc", "exit 127"),
        ("xargs", "exit 1"),
        ("timeout", 'shift; exec "$@"'),
    ],
    ids=["four processors", "one processor", "no nproc", "an xargs that cannot", "no limit"],
)
def test_a_search_finds_the_same_whoever_shares_it(machine: Machine, tool: str, text: str) -> None:
    """Many files, dealt out to several searches or not."""
    planted = {write(machine, f"/opt/{n}/file", SECRET.encode()) for n in range(0, 900, 150)}
    for number in range(900):
        write(machine, f"/opt/many/{number}", b"innocent")
    script = assert_script(replace(TRACES, secrets=(SECRET,)))

    _, output = machine.run(with_tool(machine, script, tool, text))

    assert set(read_quiet(output).residues) == planted


def test_a_file_that_cannot_be_searched_is_said(machine: Machine) -> None:
    """A tool that fails on one file must hide neither that nor the others."""
    fails = 'case $* in *huge*) exit 2 ;; esac; exec /usr/bin/grep "$@"'
    write(machine, "/opt/huge", b"x")
    planted = write(machine, "/opt/small", SECRET.encode())
    script = assert_script(replace(TRACES, secrets=(SECRET,)))

    _, output = machine.run(with_tool(machine, script, "grep", fails))

    found = set(read_quiet(output).residues)
    assert found == {planted, Residue(Kind.UNSEARCHED, "/opt/huge")}


def test_neither_arguments_nor_files_of_ours_hold_a_secret(machine: Machine) -> None:
    """The script's own file is searched like any other; all processes are looked at meanwhile."""
    watch = 'cat /proc/[0-9]*/cmdline >>/run/seen; exec /usr/bin/grep "$@"'
    script = assert_script(replace(TRACES, secrets=(SECRET,)))

    _, output = machine.run(with_tool(machine, script, "grep", watch))

    seen = (machine.root / "run/seen").read_bytes()
    assert b"REMUDA_PATTERNS" in seen
    assert SECRET.encode() not in seen
    assert read_quiet(output).ok
