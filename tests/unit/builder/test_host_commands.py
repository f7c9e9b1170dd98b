"""Commands on this host, with real processes: how they end, what they may write, what is left."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from builder.build.commanding import CommandOrder
from builder.build.hand_command import HostCommands, end_left_commands
from builder.build.hand_leftovers import mounts_below
from builder.build.outcome import ROOM
from builder.hands.blame import MishapError
from builder.hands.own_folder import own_folder
from remuda.model.build import Blame
from remuda.runtime.clock import SystemClock
from remuda.runtime.waiting import HandStoppedError, Waiting
from tests.support.processes import is_over

MIB = 1 << 20


class Leaping(SystemClock):
    """Time that stands still until it is told to run, and then runs away.

    Attributes:
        ran_s: How far it has come; it goes on with each look at it, once it is not zero.
    """

    ran_s = 0.0

    def monotonic_s(self) -> float:
        """Return it."""
        self.ran_s += self.ran_s
        return self.ran_s


class Here:
    """Commands in a folder of a test.

    Attributes:
        heard: What they printed.
        stop: Whether they are to be given up.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.heard = b""
        self.stop = False
        self.clock = SystemClock()
        self.on_hear: Callable[[], None] = lambda: None
        self.commands = HostCommands(
            folder=folder,
            environ={"PATH": os.environ["PATH"], "OS_PASSWORD": "builder's own", "TZ": "UTC"},
            free=lambda _: 1 << 50,
            kill_after_s=0.3,
            ended_after_s=60.0,
        )

    def hear(self, data: bytes) -> None:
        """Keep the end of what is printed."""
        self.heard = (self.heard + data)[-MIB:]
        self.on_hear()

    def run(self, text: str, **how: object) -> bytes:
        """Run a command; return what it wrote to its file."""
        order = CommandOrder(**{"text": text, "bytes_max": MIB, **how})  # type: ignore[arg-type]
        waiting = Waiting(self.clock, lambda: self.stop)
        with self.commands.run(order, waiting, self.hear) as path:
            return path.read_bytes()

    def fails(self, text: str, **how: object) -> tuple[Blame, str]:
        """Run a command that fails; return whose failure it was, and why."""
        with pytest.raises(MishapError) as caught:
            self.run(text, **how)
        mishap = caught.value.mishap
        return mishap.blame, mishap.message


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Here]:
    """A folder, of which nothing is left in the end."""
    yield Here(tmp_path / "commands")
    left = list((tmp_path / "commands").iterdir())
    for one in left:  # so deep, perhaps, that the next run of all tests could not remove it
        subprocess.run(["/bin/rm", "-rf", one], check=False)
    assert left == []


def test_a_command_writes_a_file(here: Here) -> None:
    """And what it prints is heard, of both streams."""
    assert here.run('echo one; echo two >&2; printf disk >"$REMUDA_OUTPUT"') == b"disk"
    assert here.heard == b"one\ntwo\n"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("no-such-tool", "script: 1: no-such-tool: not found (exit code 127)"),
        ('echo "$HOME/a, $REMUDA_OUTPUT"; exit 3', "$HOME/a, $REMUDA_OUTPUT (exit code 3)"),
    ],
)
def test_the_same_failure_has_the_same_words(here: Here, text: str, found: str) -> None:
    """Its folder has another name each time."""
    assert here.fails(text) == here.fails(text) == (Blame.RECIPE, found)


def test_a_script_is_run_by_what_it_names(here: Here) -> None:
    """With its arguments; its input is at its end."""
    text = '#!/usr/bin/env -S sh -e\ncat\necho "$0" "$1" >"$REMUDA_OUTPUT"\n'
    said = here.run(text, arguments=("a b",)).decode()
    assert said.endswith("/script a b\n")


def test_it_gets_next_to_nothing_of_the_builders_environment(here: Here) -> None:
    """No credential of the builder's own; a folder of its own is home and temporary folder."""
    said = here.run('env >"$REMUDA_OUTPUT"; pwd', environment={"A": "1"}).decode()
    found = dict(line.split("=", 1) for line in said.splitlines())
    assert found.keys() - {"SHLVL", "_", "OLDPWD"} == {
        *("PATH", "LANG", "TZ", "HOME", "TMPDIR", "A", "PWD", "REMUDA_OUTPUT")
    }
    assert found["HOME"] == found["TMPDIR"] == here.heard.decode().strip()
    assert Path(found["HOME"]).is_relative_to(here.folder)


def test_nobody_else_reads_what_it_writes(here: Here) -> None:
    """Whatever it asks for: folders above are closed, and files are made for its user alone."""
    said = here.run('touch a; stat -c %a a . .. >"$REMUDA_OUTPUT"').decode().split()
    assert said == ["600", "700", "700"]


@pytest.mark.parametrize(
    ("text", "blame", "why"),
    [
        ("echo no such thing; exit 3", Blame.RECIPE, "no such thing (exit code 3)"),
        ("exit 7", Blame.RECIPE, "exit code 7"),
        (
            "curl() { echo 'curl: (6) Could not resolve host: m'; return 6; }; curl",
            Blame.MIRROR,
            "",
        ),
        ("kill -9 $$", Blame.BUILDER, "it was killed by signal 9"),
        ("#!/no/such/shell\n", Blame.RECIPE, "it cannot be begun: No such file or directory"),
        ("true", Blame.RECIPE, "it ended well, and wrote no file to REMUDA_OUTPUT"),
        ('ln -s /etc/passwd "$REMUDA_OUTPUT"', Blame.RECIPE, "no regular file"),
        ('ln -s "$HOME/x" "$REMUDA_OUTPUT"; echo a >x', Blame.RECIPE, "no regular file"),
        ('mkfifo "$REMUDA_OUTPUT"', Blame.RECIPE, "no regular file"),
        ('mkdir "$REMUDA_OUTPUT"', Blame.RECIPE, "no regular file"),
        ('truncate -s 1T "$REMUDA_OUTPUT"; cat /dev/zero', Blame.RECIPE, "larger than 1MiB"),
    ],
)
def test_what_fails_says_why(here: Here, text: str, blame: Blame, why: str) -> None:
    """Whose failure it is, too."""
    found = here.fails(text)
    assert found[0] is blame
    assert why in found[1]


def test_a_folder_that_is_no_more_the_same_gives_nothing_away(here: Here) -> None:
    """The file is looked for in the folder that was made for it, whatever bears its name."""
    text = 'd=$(dirname "$REMUDA_OUTPUT"); mv "$d" "$d.old"; ln -s /etc "$d"; echo x >/dev/null'
    assert "wrote no file" in here.fails(text)[1]


def test_what_takes_too_long_is_killed_with_all_that_it_has_started(here: Here) -> None:
    """Also what does not heed the signal that asks, and what has left its group."""
    here.clock = clock = Leaping()

    def hear() -> None:
        clock.ran_s = 1.0  # now its limit may come

    here.on_hear = hear
    text = "trap '' TERM; sleep 1000 & setsid sleep 1000 & echo $$ $!; wait; cat /dev/zero"
    blame, why = here.fails(text, timeout_s=5.0)
    assert (blame, why) == (Blame.RECIPE, "it was ended after 5s, its limit")
    pids = [int(word) for word in here.heard.split()]
    assert len(pids) == 2
    assert all(map(is_over, pids))


def test_what_cannot_be_killed_is_not_waited_for(
    here: Here, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As the kernel refuses where a command has become another user, by sudo say."""

    def refuse(_group: int, _signal: int) -> None:
        raise PermissionError

    here.clock = clock = Leaping()
    here.commands = replace(here.commands, ended_after_s=0.1)

    def hear() -> None:
        clock.ran_s = 1.0  # now its limit may come

    here.on_hear = hear
    with monkeypatch.context() as patch:
        patch.setattr(os, "killpg", refuse)
        found = here.fails("exec env -i sh -c 'echo $$; exec sleep 1000'", timeout_s=5.0)
    os.kill(int(here.heard), signal.SIGKILL)
    assert found == (Blame.BUILDER, "it could not be ended: it runs as another user, or hangs")
    assert "command.not_ended" in caplog.text


def test_children_that_are_left_are_ended_with_it(here: Here) -> None:
    """Though they hold its output open, so that nobody waits for them."""
    text = (
        'setsid sh -c "echo \\$\\$; exec sleep 1000" & sleep 1000 & echo $!\n'
        'while [ "$(pgrep -c -x sleep -P $$)" = 0 ]; do :; done; printf disk >"$REMUDA_OUTPUT"'
    )
    assert here.run(text) == b"disk"
    assert all(is_over(int(word)) for word in here.heard.split())


def test_the_builders_stop_ends_it(here: Here) -> None:
    """Between two looks, however much it has left to do."""

    def stop() -> None:
        here.stop = True

    here.on_hear = stop
    with pytest.raises(HandStoppedError):
        here.run("echo begun; sleep 1000")


def test_whoever_ends_waits_for_its_commands(here: Here) -> None:
    """A process that ends leaves none behind; what does not end in time is killed."""
    begun = threading.Event()
    here.on_hear = begun.set
    ends: list[type[BaseException]] = []

    def run() -> None:
        try:
            here.run("echo $$; sleep 1000")
        except (HandStoppedError, MishapError) as exc:
            ends.append(type(exc))

    thread = threading.Thread(target=run)
    thread.start()
    assert begun.wait(60)
    here.stop = True
    here.commands.close()
    assert is_over(int(here.heard))
    thread.join()
    assert ends == [HandStoppedError]
    here.commands.close()  # there is nothing to wait for


def test_it_prints_as_much_as_it_likes(here: Here) -> None:
    """All of it is heard, little of it kept, and its end is what a failure quotes."""
    heard = 0

    def count() -> None:
        nonlocal heard
        heard += 1

    here.on_hear = count
    found = here.fails("head -c 100000000 /dev/zero; echo; echo at last; exit 1")
    assert found[1].endswith("at last (exit code 1)")
    assert heard > 1000


def test_a_host_without_room_runs_none(here: Here, tmp_path: Path) -> None:
    """It waits, as copies do; one that fills the host is ended."""
    none = HostCommands(folder=here.folder, free=lambda _: 0)
    waiting = Waiting(SystemClock(), lambda: False)
    mark = tmp_path / "ran"
    with (
        pytest.raises(MishapError, match="has 0 MiB left") as caught,
        none.run(CommandOrder(text=f"touch {mark}"), waiting, here.hear),
    ):
        pass
    mishap = caught.value.mishap
    assert (mishap.step, mishap.blame) == (ROOM, Blame.CLOUD)
    assert not mark.exists()

    left = iter([1 << 50, 0])
    filling = HostCommands(folder=here.folder, free=lambda _: next(left), kill_after_s=0.1)
    with (
        pytest.raises(MishapError, match="has 0 MiB left") as caught,
        filling.run(CommandOrder(text="sleep 1000"), waiting, here.hear),
    ):
        pass
    assert caught.value.mishap.blame is Blame.BUILDER


def test_what_is_read_is_what_was_looked_at(here: Here) -> None:
    """Whoever replaces the file afterwards changes nothing of what is sent."""
    order = CommandOrder(text='printf good >"$REMUDA_OUTPUT"')
    with here.commands.run(order, Waiting(SystemClock(), lambda: False), here.hear) as path:
        (disk,) = here.folder.glob("command-*/out/disk")
        disk.unlink()
        disk.write_bytes(b"bad")
        assert path.read_bytes() == b"good"


def test_folders_that_cannot_be_entered_go_as_well(here: Here) -> None:
    """What a command closes to itself is no reason to keep it."""
    here.run('mkdir -p a/b; touch a/b/c; chmod 0 a/b a; printf x >"$REMUDA_OUTPUT"')


_DEEP = """
mkdir -p away closed/within; cd closed; chmod 0 within; chmod 0 .; cd ..; chmod 0 closed; chmod 0 ..
n=0; while [ $n -lt 1100 ]; do mkdir d && cd -P d || exit 3; n=$((n + 1)); done
touch file; ln -s / root; mkfifo pipe; printf x >"$REMUDA_OUTPUT"
"""


def test_folders_go_however_deep_they_are(here: Here) -> None:
    """Names as long as theirs no file system takes, and no interpreter so many calls."""
    assert here.run(_DEEP) == b"x"


def test_nothing_is_touched_where_a_command_has_put_a_link_in_its_folders_place(
    tmp_path: Path,
) -> None:
    """Whoever goes through what is left would go through what the link names."""
    here, else_where = Here(tmp_path / "commands"), tmp_path / "elsewhere"
    (else_where / "open").mkdir(parents=True)
    (else_where / "open").chmod(0o755)
    (else_where / "file").touch()
    mine = 'cd -P "$HOME/.." && mine=$PWD && mv "$mine" "$mine-moved"'
    assert here.run(f'printf x >"$REMUDA_OUTPUT"; {mine} && ln -s {else_where} "$mine"') == b"x"
    for _ in range(2):
        assert (else_where / "open").stat().st_mode & 0o777 == 0o755
        assert (else_where / "file").exists()
        end_left_commands(here.folder)


def test_a_builder_starts_whatever_a_command_has_left(here: Here) -> None:
    """What one that was killed has left is never a reason not to start."""
    with own_folder(here.folder, "command-", lambda _: None) as left:
        (left / "home").mkdir()
        variables = {"PATH": os.environ["PATH"], "REMUDA_OUTPUT": f"{left}/disk"}
        words = ["/bin/sh", "-c", _DEEP]
        subprocess.run(words, cwd=left / "home", env=variables, check=True)
    assert end_left_commands(here.folder) == 1


def test_what_a_killed_builder_has_left_ends_with_the_next_one(tmp_path: Path) -> None:
    """Its processes, and its folder; what another builder of this host runs goes on."""
    with own_folder(tmp_path, "command-", lambda _: None) as left:
        pass
    with own_folder(tmp_path, "command-") as living:
        children = [
            subprocess.Popen(
                ["/bin/sh", "-c", "exec sleep 1000"],
                env={"REMUDA_OUTPUT": f"{one}/out/disk"},
                start_new_session=True,
            )
            for one in (left, living)
        ]
        assert end_left_commands(tmp_path) == 1
        assert children[0].wait() == -signal.SIGKILL
        assert children[1].poll() is None
        assert not left.exists()
        assert living.exists()
        children[1].kill()
        children[1].wait()


def test_what_is_mounted_below_a_folder_is_seen(tmp_path: Path) -> None:
    """Nothing is removed there: it might be all of this host."""
    folder = tmp_path / "a b"
    folder.mkdir()
    info = tmp_path / "mountinfo"
    name = str(folder).replace(" ", "\\040")
    info.write_text(
        f"36 35 98:0 / {name}/out/tree rw - ext4 /dev/root rw\n"
        f"37 35 98:0 / {name}c rw - ext4 /dev/root rw\n38 35 98:0 / / rw - x x rw\n\n"
    )
    assert mounts_below(folder, info) == [f"{folder}/out/tree"]
    assert mounts_below(folder) == []
