"""The built-in checks, run by the shells of this machine; and the judge of clocks."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from remuda.config.parts import CheckFrom, ScriptFrom
from remuda.ssh.api import Heard, Script
from remuda.ssh.checks import ClockJudge, make_check, make_checks, make_script

SHELLS = [name for name in ("dash", "bash", "busybox") if shutil.which(name)]


def _run(script: Script, *, shell: str = "sh", path: str | None = None) -> tuple[int, str]:
    """Run *script* here; return its exit code and the last line it printed."""
    words = [shell, "sh"] if shell == "busybox" else [shell]
    environment = {**dict(script.environment), "PATH": path or os.environ["PATH"]}
    done = subprocess.run(
        [shutil.which(words[0]) or words[0], *words[1:], "-c", script.text],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    lines = (done.stdout + done.stderr).splitlines()
    return done.returncode, lines[-1] if lines else ""


def _only(folder: Path, *names: str) -> str:
    """Return a PATH on which only these programs are found."""
    folder.mkdir()
    for name in names:
        # A python3 of the PATH may be a shell script that finds the real one.
        found = sys.executable if name == "python3" else str(shutil.which(name))
        (folder / name).symlink_to(found)
    return str(folder)


@pytest.fixture
def listener() -> Iterator[int]:
    """Return a port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("shell", SHELLS)
def test_enough_disk_passes_and_says_how_much(shell: str) -> None:
    """The number is for the record."""
    script = make_check(CheckFrom.model_validate({"disk": {"path": "/", "free": "1MiB"}}))

    code, line = _run(script, shell=shell)

    assert code == 0
    assert line.startswith("/ has ")
    assert line.endswith(" MiB free, 1 MiB wanted")


@pytest.mark.parametrize("shell", SHELLS)
def test_too_little_disk_fails_with_both_numbers(shell: str) -> None:
    """What there is and what was wanted."""
    script = make_check(CheckFrom.model_validate({"disk": {"free": "900TiB"}}))

    code, line = _run(script, shell=shell)

    assert code == 1
    assert line.endswith(f" MiB free, {900 << 20} MiB wanted")


def test_a_missing_directory_is_named() -> None:
    """By df itself."""
    script = make_check(CheckFrom.model_validate({"disk": {"path": "/nowhere at all"}}))

    code, line = _run(script)

    assert code != 0
    assert "/nowhere at all" in line


@pytest.mark.parametrize("shell", SHELLS)
def test_names_that_resolve_and_names_that_do_not(shell: str) -> None:
    """The top-level domain ``invalid`` never does (RFC 6761)."""
    good = make_check(CheckFrom.model_validate({"dns": {"name": "localhost"}}))
    bad = make_check(CheckFrom.model_validate({"dns": {"name": "nobody.invalid"}}))

    assert _run(good, shell=shell)[0] == 0
    assert _run(bad, shell=shell) == (1, "nobody.invalid does not resolve")


@pytest.mark.parametrize("tools", [("bash",), ("nc",), ("python3",)])
def test_the_network_is_tried_with_whatever_the_machine_has(
    tmp_path: Path, listener: int, tools: tuple[str, ...]
) -> None:
    """It answers, or the reason is told."""
    if shutil.which(tools[0]) is None:
        pytest.skip(f"{tools[0]} is not installed here")
    path = _only(tmp_path / "bin", "tail", *tools)
    good = {"network": {"host": "127.0.0.1", "port": listener}}
    bad = {"network": {"host": "127.0.0.1", "port": 1}}

    answered = _run(make_check(CheckFrom.model_validate(good)), path=path)
    refused = _run(make_check(CheckFrom.model_validate(bad)), path=path)

    assert answered == (0, f"127.0.0.1 port {listener} answers")
    assert refused[0] == 1
    assert refused[1].startswith("no connection to 127.0.0.1 port 1: ")
    assert "refused" in refused[1].lower()


def test_a_machine_without_any_tool_says_so(tmp_path: Path) -> None:
    """Rather than calling the network broken."""
    script = make_check(CheckFrom.model_validate({"network": {"host": "127.0.0.1"}}))

    code, line = _run(script, path=_only(tmp_path / "bin", "tail"))

    assert code == 1
    assert line == ("cannot try 127.0.0.1 port 443: the machine has neither bash, nc nor python3")


@pytest.mark.parametrize("shell", SHELLS)
def test_the_clock_tells_the_seconds(shell: str) -> None:
    """Which the judge understands."""
    script = make_check(CheckFrom.model_validate({"clock": {"skew": 5}}))

    code, line = _run(script, shell=shell)

    assert code == 0
    now_s = float(line)
    assert script.judge is not None
    assert script.judge(Heard(output=f"{line}\n", started_s=now_s, ended_s=now_s + 1)) == ""


@pytest.mark.parametrize(
    ("said", "started_s", "ended_s", "why"),
    [
        (1_000_000_030, 1_000_000_000.0, 1_000_000_000.0, ""),
        (1_000_000_031, 1_000_000_000.0, 1_000_000_000.0, "31 s ahead, 30 s allowed"),
        (1_000_000_031, 1_000_000_000.0, 1_000_000_001.0, ""),  # a slow reply explains it
        (999_999_969, 1_000_000_000.0, 1_000_000_000.0, ""),  # it said whole seconds
        (999_999_968, 1_000_000_000.0, 1_000_000_000.0, "31 s behind, 30 s allowed"),
        (999_999_000, 1_000_000_000.0, 1_000_000_500.0, "999 s behind, 30 s allowed"),
        (1_000_000_250, 1_000_000_000.0, 1_000_000_500.0, ""),
    ],
)
def test_only_skew_that_nothing_else_explains_counts(
    said: int, started_s: float, ended_s: float, why: str
) -> None:
    """The round trip and the missing fraction are allowed for."""
    judged = ClockJudge(30.0)(Heard(output=f"{said}\n", started_s=started_s, ended_s=ended_s))

    assert judged == (f"the clock is {why}" if why else "")


def test_a_clock_that_says_nonsense_is_quoted() -> None:
    """The image may have a strange ``date``."""
    judged = ClockJudge(30.0)(Heard(output="%s\n", started_s=0, ended_s=0))

    assert judged == "cannot tell the time of the machine: it says '%s'"


def test_a_login_banner_before_the_time_does_no_harm() -> None:
    """Some shells greet."""
    heard = Heard(output="Welcome!\n1000000000\n", started_s=1e9, ended_s=1e9)

    assert ClockJudge(1.0)(heard) == ""


def test_scripts_of_the_operator_are_taken_as_they_are() -> None:
    """With their own limits."""
    source = ScriptFrom(inline="#!/bin/sh\nexit 0\n", timeout=12, as_root=True)

    script = make_script(source, name="setup")

    assert script == Script(name="setup", text="#!/bin/sh\nexit 0\n", timeout_s=12.0, as_root=True)


def test_names_are_made_from_the_kind_unless_given() -> None:
    """So that failures can be told apart."""
    checks = [
        {"disk": {}},
        {"dns": {"name": "a.example"}},
        {"network": {"host": "b.example"}},
        {"clock": {}},
        {"script": {"inline": "true"}},
        {"name": "mine", "clock": {}},
    ]

    scripts = make_checks(CheckFrom.model_validate(check) for check in checks)

    expected = ["disk /", "dns a.example", "network b.example:443", "clock", "script", "mine"]
    assert [script.name for script in scripts] == expected
