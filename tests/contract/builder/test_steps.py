"""Steps of recipes over real connections: what they get, how they end, and what they leave."""

import contextlib
import threading
import tracemalloc
from pathlib import Path
from typing import Final

import pytest

from remuda.known_secrets import KNOWN
from remuda.model.build import Blame
from remuda.runtime.waiting import HandStoppedError
from remuda.secret import Secret
from remuda.ssh.errors import SshError
from remuda.steps.runner import StepFailedError
from tests.contract.builder.stepbench import MIB, SOON_S, VALUE, Bench
from tests.support import sshd as servers
from tests.support.deadline import wait_for

pytestmark = pytest.mark.ssh


def test_a_script_gets_its_arguments_and_variables(bench: Bench) -> None:
    """Its own before the recipe's, ours before all; its first line says the interpreter."""
    bench.environment = {"A": "recipe", "B": "recipe's $HOME 'quoted'"}
    script = {
        "inline": '#!/bin/bash\necho "$#:$1:$2"\necho "$A|$B|$C"\n'
        'echo "$REMUDA_IMAGE/$REMUDA_BUILD in $REMUDA_PROVIDER"\n[[ $BASH ]] && echo bash\n',
        "arguments": ["two words; $(touch /nonexistent)", "-x"],
        "environment": {"A": "script"},
    }

    said = bench.run({"script": script, "name": "fill"})

    assert "2:two words; $(touch /nonexistent):-x\n" in said
    assert "script|recipe's $HOME 'quoted'|\n" in said
    assert "noble/3 in north\nbash\n" in said
    assert bench.log.steps == ["fill"]


def test_a_step_that_fails_says_why_and_ends_the_build(bench: Bench) -> None:
    """By its last line and exit code; nothing follows it."""
    whose, why = bench.fails(
        {"command": "echo trying; echo 'no such mirror' >&2; exit 3"}, {"command": "touch after"}
    )

    assert (whose, why) == (Blame.RECIPE, "no such mirror (exit code 3)")
    assert bench.log.steps == ["command"]


def test_a_step_whose_mirror_is_away_is_no_fault_of_the_recipe(bench: Bench) -> None:
    """By what it printed before its last line, too."""
    said = "curl: (6) Could not resolve host: mirror.example.org"
    whose, why = bench.fails({"command": f"echo '{said}' >&2; echo giving up >&2; exit 6"})

    assert (whose, why) == (Blame.MIRROR, "giving up (exit code 6)")


def test_a_step_runs_as_root_only_if_it_says_so(bench: Bench) -> None:
    """By a sudo that never asks."""
    said = bench.run(
        {"command": 'echo "plain:$SUDO_WAS_HERE"'},
        {"command": 'echo "root:$SUDO_WAS_HERE"', "as-root": True},
    )

    assert "plain:\n" in said
    assert "root:yes\n" in said


def test_a_step_that_asks_for_input_gets_its_end(bench: Bench) -> None:
    """Nobody is there to answer."""
    said = bench.run({"command": "cat; read -r answer || echo 'end of file'", "timeout": "20s"})

    assert "end of file" in said


def test_a_step_has_a_time_limit_with_all_that_it_started(bench: Bench) -> None:
    """The machine kills its process group."""
    file = bench.folder / "child"
    command = f"sleep 300 & echo $! >{file}; wait"

    whose, why = bench.fails({"command": command, "timeout": "1s"})

    assert (whose, why) == (Blame.RECIPE, "killed after 1 s")
    child = Path("/proc") / file.read_text().strip()
    wait_for(lambda: not child.exists() or "Z" in _state(child), SOON_S, "the end of its child")


def _state(process: Path) -> str:
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def test_a_step_is_tried_again_as_often_as_it_says(bench: Bench) -> None:
    """Once it succeeds the next one follows; the last failure counts."""
    file = bench.folder / "tries"
    command = f"echo x >>{file}; test $(wc -l <{file}) = 3"

    bench.run({"command": command, "retries": 2})
    assert file.read_text() == "x\n" * 3

    file.unlink()
    whose, why = bench.fails({"command": f"{command} || echo once more", "retries": 0}, FALSE)
    assert (whose, why) == (Blame.RECIPE, "exit code 1 (tried 2 times)")


FALSE: Final = {"command": "false", "retries": 1}


def test_a_stopped_hand_ends_the_step(bench: Bench) -> None:
    """At once, and its processes with it."""
    file = bench.folder / "pid"
    ended: list[BaseException] = []

    def run() -> None:
        try:
            bench.run({"command": f"echo $$ >{file}; echo up; sleep 300", "timeout": "10m"})
        except HandStoppedError as exc:
            ended.append(exc)

    thread = threading.Thread(target=run)
    thread.start()
    wait_for(bench.log.heard, SOON_S, "the step")
    bench.stop.set()
    thread.join(SOON_S)

    assert len(ended) == 1
    process = Path("/proc") / file.read_text().strip()
    wait_for(lambda: not process.exists() or "Z" in _state(process), SOON_S, "its end")


def test_a_connection_that_breaks_is_the_machines_fault(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    """Whether the step ended is not known."""
    if why := servers.available():
        pytest.skip(why)
    with servers.running(tmp_path_factory.mktemp("sshd")) as server:
        bench = Bench(server, tmp_path)
        # sshd's process for this connection is above our shells.
        command = "kill -9 $(ps -o ppid= -p $(ps -o ppid= -p $PPID))"
        with bench.session, pytest.raises((StepFailedError, SshError)) as caught:
            bench.run({"command": command})
    assert isinstance(caught.value, StepFailedError)
    assert caught.value.blame is Blame.MACHINE


def test_any_amount_of_output_is_passed_on_in_constant_memory(bench: Bench) -> None:
    """The log caps it; the build goes on."""
    amount = 50 * MIB
    bench.run({"command": "true"})
    tracemalloc.start()
    try:
        bench.run({"command": f"head -c {amount} /dev/zero | tr '\\0' x", "timeout": "100s"})
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert bench.log.total >= amount
    assert peak < 24 * MIB


def test_more_than_any_check_may_print_is_no_failure(bench: Bench) -> None:
    """Provers end what prints more than 64 MiB, steps go on."""
    amount = 70 * MIB

    bench.run(
        {"command": f"head -c {amount} /dev/zero", "timeout": "100s"}, {"command": "echo next"}
    )

    assert bench.log.total >= amount
    assert "next" in bench.log.text


# -- secrets -----------------------------------------------------------------------------------


def test_a_secret_is_given_to_steps_that_name_it_and_seen_by_nobody_else(bench: Bench) -> None:
    """Neither in the list of processes, nor in a file, nor in the log, nor in what is told."""
    KNOWN.hold("test", [VALUE])
    bench.secrets = {"TOKEN": Secret(VALUE)}
    given, go_on = bench.folder / "given", bench.folder / "go-on"
    use = f'test -n "$TOKEN" && echo given >>{given}; until [ -e {go_on} ]; do sleep 0.05; done'
    others = [
        {"command": f'echo "other:$TOKEN" >>{given}'},
        {"script": {"inline": f'echo "other:$TOKEN" >>{given}'}},
    ]

    for kind in ({"script": {"inline": use}}, {"command": use, "as-root": True}):
        thread = threading.Thread(
            target=bench.run, args=({**kind, "secrets": ["TOKEN"]}, *others, {"packages": ["git"]})
        )
        thread.start()
        wait_for(given.exists, SOON_S, "the step")
        seen = [*_arguments(), *_small_files()]
        go_on.touch()
        thread.join(SOON_S)
        assert given.read_text() == "given\nother:\nother:\n"
        assert [one for one in seen if VALUE in one] == []
        assert any("remuda." in one for one in seen)
        given.unlink()
        go_on.unlink()
    assert VALUE not in bench.log.text


def _arguments() -> list[str]:
    """Return the arguments of all processes."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(file.read_text(errors="replace"))
    return found


def _small_files() -> list[str]:
    """Return what our programs keep in files on the machine."""
    folders = (Path(one) for one in ("/tmp", "/dev/shm", "/var/tmp"))  # noqa: S108 - looked at
    files: list[Path] = []
    for own in (one for folder in folders for one in folder.glob("remuda*")):
        with contextlib.suppress(OSError):  # of another test, which has ended
            files += own.iterdir()
    found = []
    for file in files:
        with contextlib.suppress(OSError):
            found.append(file.read_text(errors="replace"))
    return found


def test_a_secret_that_a_step_prints_is_masked_in_what_is_told_of_its_failure(
    bench: Bench,
) -> None:
    """The log masks by itself."""
    KNOWN.hold("test", [VALUE])
    bench.secrets = {"TOKEN": Secret(VALUE)}

    _, why = bench.fails(
        {"command": 'echo "cannot log in with $TOKEN"; exit 2', "secrets": ["TOKEN"]}
    )

    assert VALUE not in why
    assert "cannot log in with" in why

    _, why = bench.fails(
        {"command": f'echo "{"x" * 290}$TOKEN"; exit 2', "secrets": ["TOKEN"]},
    )
    assert VALUE[:6] not in why


# -- packages ----------------------------------------------------------------------------------


def test_packages_are_installed_by_the_machines_own_tool(bench: Bench, home: Path) -> None:
    """As root, without questions; a mirror that is away for a moment is tried again."""
    (home / "apt-fails").write_text("1")

    bench.run({"packages": ["git", "libc6:i386"], "retries": 1})

    calls = (home / "apt-calls").read_text().splitlines()
    assert [line.split()[-1] for line in calls] == ["update", "update", "libc6:i386"]
    assert all(line.startswith("noninteractive ") for line in calls)
    assert calls[-1].endswith(" install git libc6:i386")
    assert " -y " in calls[-1]
    assert "the mirror is away" in bench.log.text
