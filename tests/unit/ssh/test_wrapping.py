"""The shell programs around scripts, run by the shells of this machine."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from remuda.ssh.api import Script
from remuda.ssh.tail import Tail
from remuda.ssh.wrapping import command, interpreter, killer, led_by, program, shell_line
from tests.support.deadline import wait_for

SHELLS = [name for name in ("dash", "bash", "busybox") if shutil.which(name)]


def _feed(text: bytes, *, shell: str = "sh", **environment: str) -> tuple[int, str]:
    words = ["busybox", "sh"] if shell == "busybox" else [shell]
    done = subprocess.run(
        words,
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **environment},
        check=False,
    )
    return done.returncode, done.stdout.decode()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("echo", ("/bin/sh",)),
        ("", ("/bin/sh",)),
        ("#!\n", ("/bin/sh",)),
        ("# comment", ("/bin/sh",)),
        ("#!/bin/bash", ("/bin/bash",)),
        ("#!/bin/bash -eu \n", ("/bin/bash", "-eu")),
        ("#! /usr/bin/env  -S python3 -I\r\nx", ("/usr/bin/env", "-S python3 -I")),
    ],
)
def test_the_interpreter_is_read_as_the_kernel_reads_it(text: str, words: tuple[str, ...]) -> None:
    """At most one argument, which may hold blanks."""
    assert interpreter(text) == words


@pytest.mark.parametrize("shell", SHELLS)
def test_a_program_works_in_every_shell(shell: str, tmp_path: Path) -> None:
    """And leaves nothing in the temporary directory."""
    script = Script(name="x", text="cat; echo $A; exit 7", environment=(("A", "b c"),))

    result = _feed(program(script, "token", "nonce"), shell=shell, TMPDIR=str(tmp_path))

    assert result == (7, "remuda-begins-nonce\nb c\nremuda-ended-nonce 7\n")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("shell", SHELLS)
def test_half_a_program_does_nothing(shell: str, tmp_path: Path) -> None:
    """A connection may break at every byte."""
    witness = tmp_path / "witness"
    whole = program(Script(name="x", text=f"touch {witness}"), "token", "nonce")
    for end in range(0, whole.rindex(b"\nmain\n"), 7):
        _feed(whole[:end], shell=shell, TMPDIR=str(tmp_path))

    assert not list(tmp_path.iterdir())


def test_a_bad_temporary_directory_is_no_obstacle() -> None:
    """A check must be able to say that the disk is full; memory will do."""
    script = Script(name="x", text='echo "${0%/*/*}"')

    code, place = _feed(program(script, "token", "nonce"), TMPDIR="/nowhere")

    assert code == 0
    assert place.splitlines()[1] in {"/dev/shm", "/var/tmp"}  # noqa: S108 - where it may be


def test_a_machine_without_timeout_still_runs_scripts(tmp_path: Path) -> None:
    """Our own limit is then the only one."""
    for name in ("mktemp", "cat", "rm", "sh"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    script = Script(name="x", text="echo ran")

    done = subprocess.run(
        ["/bin/sh"],
        input=program(script, "token", "nonce"),
        capture_output=True,
        env={"PATH": str(tmp_path)},
        check=False,
    )

    assert done.returncode == 0
    assert done.stdout == b"remuda-begins-nonce\nran\nremuda-ended-nonce 0\n"


def test_no_command_line_tells_anything() -> None:
    """They are the same for all scripts."""
    assert command(as_root=False) == "exec /bin/sh"
    assert "sudo -n /bin/sh" in command(as_root=True)


def _sleeping(*words: str, mark: str) -> "subprocess.Popen[bytes]":
    """Return a process that sleeps already: while it becomes another program it shows no mark."""
    started = subprocess.Popen(
        words,
        env={**os.environ, "REMUDA_RUN": mark},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    shown = Path("/proc", str(started.pid))
    wait_for(
        lambda: (
            (shown / "comm").read_text() == "sleep\n"
            and mark.encode() in (shown / "environ").read_bytes()
        ),
        30.0,
        "the sleep",
    )
    return started


@pytest.mark.parametrize("shell", SHELLS)
def test_the_killer_ends_what_carries_the_token(shell: str) -> None:
    """Wherever it has moved to; and nothing else."""
    marked = _sleeping("setsid", "-w", "sleep", "300", mark="t0k3n")
    other = _sleeping("sleep", "300", mark="another")
    try:
        _feed(killer("t0k3n", ("TERM", "KILL")), shell=shell)

        assert marked.wait(60.0) != 0
        assert other.poll() is None
    finally:
        other.kill()
        other.wait(60.0)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_header_is_taken_exactly(shell: str) -> None:
    """What follows belongs to the command."""
    header = b"export A=1\nexec cat\n"
    words = ["busybox", "sh"] if shell == "busybox" else [shell]

    done = subprocess.run(
        [*words, "-c", led_by(header)],
        input=header + b"\nrest",
        capture_output=True,
        check=False,
    )

    assert done.stdout == b"\nrest"


def test_words_are_quoted_and_texts_go_to_the_users_shell() -> None:
    """The two ways to say what to run."""
    assert shell_line(["a b", "$c"]) == "exec 'a b' '$c'"
    assert shell_line("a | b") == "exec \"${SHELL:-/bin/sh}\" -c 'a | b'"


@pytest.mark.parametrize("size", [1, 3, 10, 1000])
def test_a_tail_keeps_exactly_the_end(size: int) -> None:
    """In whatever pieces it came."""
    text = "".join(chr(97 + number % 26) for number in range(100))
    tail = Tail(10)
    for start in range(0, len(text), size):
        tail.add(text[start : start + size].encode())

    assert tail.text() == f"[90 bytes left out]\n{text[-10:]}"


@pytest.mark.parametrize("at", range(0, 26, 5))
def test_a_secret_at_the_cut_is_not_halved(at: int) -> None:
    """It is seen whole before its beginning is left out."""
    tail = Tail(100)
    tail.add(b"x" * 500 + b" password=Pl4ntedWith26Letters12 " + b"y" * (75 + at))

    parts = {"Pl4ntedWith26Letters12"[start : start + 4] for start in range(18)}
    assert not [one for one in parts if one in tail.text()]


@pytest.mark.parametrize(
    "wrong",
    [
        {"text": "a\0b"},
        {"text": "", "timeout_s": 0},
        {"text": "", "environment": (("A-B", ""),)},
        {"text": "", "environment": (("", ""),)},
        {"text": "", "environment": (("A", "\0"),)},
    ],
)
def test_what_no_shell_could_run_is_refused(wrong: dict[str, object]) -> None:
    """When it is made, not when it is late."""
    with pytest.raises(ValueError, match=r"."):
        Script(name="x", **wrong)  # type: ignore[arg-type]
