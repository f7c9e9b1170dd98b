"""Steps of recipes over real connections: what they get, how they end, and what they leave."""

import contextlib
import os
import stat
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from builder.hands.blame import MishapError
from builder.hands.patience import Patience, StoppedError
from builder.hands.steps import StepContext, StepRunner
from remuda.config.images import BaseFrom, Step
from remuda.config.parts import FlavorFrom
from remuda.config.recipes import ImageRecipe, Making
from remuda.known_secrets import KNOWN
from remuda.model.build import Blame
from remuda.model.image import BuildId
from remuda.secret import Secret
from remuda.ssh.api import Login
from remuda.ssh.errors import SshError
from remuda.ssh.session import Session, open_session
from tests.fakes.clock import ManualClock
from tests.support import sshd as servers
from tests.support.deadline import wait_for
from tests.support.sshd import Sshd

pytestmark = pytest.mark.ssh

VALUE: Final = "correct-horse-battery"
MIB: Final = 1024 * 1024
_SOON_S: Final = 20.0
#: Notes how it was called, and fails as often as a file says.
_APT: Final = """\
#!/bin/sh
echo "$DEBIAN_FRONTEND $*" >>"$HOME_OF_TEST/apt-calls"
left=$(cat "$HOME_OF_TEST/apt-fails" 2>/dev/null || echo 0)
[ "$left" -gt 0 ] || exit 0
echo $((left - 1)) >"$HOME_OF_TEST/apt-fails"
echo 'E: the mirror is away' >&2
exit 100
"""
_SUDO: Final = """\
#!/bin/sh
[ "$1" = -n ] || exit 9
shift
SUDO_WAS_HERE=yes exec "$@"
"""
_ID: Final = """\
#!/bin/sh
[ "$*" = -u ] && [ -z "$SUDO_WAS_HERE" ] && echo 1000 && exit
exec /usr/bin/id "$@"
"""


class Log:
    """Keeps the end of what it is told, and counts all of it."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.text = ""
        self.total = 0
        self.heard = threading.Event()

    def step(self, name: str) -> None:
        """Note it."""
        self.steps.append(name)

    def write(self, data: bytes) -> None:
        """Note it."""
        self.total += len(data)
        self.text = (self.text + data.decode())[-10_000:]
        self.heard.set()

    def close(self, *, ok: bool | None = None) -> None:
        """Do nothing."""


class Bench:
    """A machine, and how steps run on it."""

    def __init__(self, server: Sshd, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.log = Log()
        self.clock = ManualClock()
        self.stop = threading.Event()
        self.secrets: dict[str, Secret] = {}
        self.environment: dict[str, str] = {}
        login = Login(
            address="127.0.0.1",
            port=server.port,
            user=server.user,
            key_file=str(server.key_file),
            host_keys=(server.host_key,),
        )
        self.session: Session = open_session(login)

    def run(self, *steps: dict[str, Any]) -> str:
        """Take steps, as a file has them; return what they printed."""
        read = tuple(Step.model_validate({"timeout": "30s", **one}) for one in steps)
        making = Making(
            base=BaseFrom(name="b"), flavor=FlavorFrom(name="f"), username=self.server.user
        )
        recipe = ImageRecipe(
            name="noble", makings={"north": making}, steps=read, environment=self.environment
        )
        context = StepContext(
            build=BuildId("noble", 3), provider="north", recipe=recipe, secrets=self.secrets
        )
        # Between retries only the clock moves.
        patience = Patience(self.clock, self.stop.is_set, self.clock.advance)
        StepRunner(session=self.session, context=context, patience=patience, log=self.log).run_all()
        return self.log.text

    def fails(self, *steps: dict[str, Any]) -> tuple[Blame, str]:
        """Take steps of which one must fail; return whose failure it is, and why."""
        with pytest.raises(MishapError) as caught:
            self.run(*steps)
        return caught.value.mishap.blame, caught.value.mishap.message


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the stand-in tools write."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def _server(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Iterator[Sshd]:
    """A machine whose user is not root, but has a sudo; and that has an apt-get."""
    if why := servers.available():
        pytest.skip(why)
    folder = tmp_path_factory.mktemp("sshd")
    tools = folder / "bin"
    tools.mkdir()
    for name, text in {"apt-get": _APT, "sudo": _SUDO, "id": _ID}.items():
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    setting = f" HOME_OF_TEST={home}"
    with servers.running(folder, path=f"{tools}:/usr/sbin:/usr/bin:/bin{setting}") as server:
        yield server


@pytest.fixture
def bench(_server: Sshd, home: Path, tmp_path: Path) -> Iterator[Bench]:
    """One connection for each test."""
    for name in ("apt-calls", "apt-fails"):
        (home / name).unlink(missing_ok=True)
    one = Bench(_server, tmp_path)
    with one.session:
        yield one
    assert list(Path("/var/tmp").glob("remuda-copy-*")) == []  # noqa: S108 - steps copy there


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
    wait_for(lambda: not child.exists() or "Z" in _state(child), _SOON_S, "the end of its child")


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
        except StoppedError as exc:
            ended.append(exc)

    thread = threading.Thread(target=run)
    thread.start()
    wait_for(bench.log.heard, _SOON_S, "the step")
    bench.stop.set()
    thread.join(_SOON_S)

    assert len(ended) == 1
    process = Path("/proc") / file.read_text().strip()
    wait_for(lambda: not process.exists() or "Z" in _state(process), _SOON_S, "its end")


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
        with bench.session, pytest.raises((MishapError, SshError)) as caught:
            bench.run({"command": command})
    assert isinstance(caught.value, MishapError)
    assert caught.value.mishap.blame is Blame.MACHINE


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
        wait_for(given.exists, _SOON_S, "the step")
        seen = [*_arguments(), *_small_files()]
        go_on.touch()
        thread.join(_SOON_S)
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
    found = []
    for file in (one for folder in folders for one in folder.glob("remuda*/*")):
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


# -- copies ------------------------------------------------------------------------------------


def _tree(folder: Path) -> Path:
    """Make something to copy."""
    top = folder / "tree"
    (top / "bin").mkdir(parents=True)
    (top / "bin/tool").write_text("#!/bin/sh\n")
    (top / "bin/tool").chmod(0o755)
    (top / "bin").chmod(0o750)
    (top / ".hidden file").write_text("hidden")
    (top / "link").symlink_to("bin/tool")
    (top / "empty").mkdir()
    (top / "read-only").mkdir()
    (top / "read-only/inner").write_text("inner")
    (top / "read-only").chmod(0o555)
    return top


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_a_folder_is_copied_with_modes_and_links(bench: Bench) -> None:
    """Into one that need not be there."""
    top, to = _tree(bench.folder), bench.folder / "a/b/there"

    bench.run({"copy": {"from": str(top), "to": f"{to}/"}})

    assert (to / ".hidden file").read_text() == "hidden"
    assert (to / "read-only/inner").read_text() == "inner"
    assert (to / "link").readlink() == Path("bin/tool")
    assert (to / "empty").is_dir()
    assert (_mode(to / "bin/tool"), _mode(to / "bin")) == (0o755, 0o750)
    assert _mode(to / "read-only") == 0o555


def test_what_is_there_already_stays(bench: Bench) -> None:
    """Folders keep their mode, also behind links; files and links of a name are replaced."""
    top, to = _tree(bench.folder), bench.folder / "there"
    (to / "usr/bin").mkdir(parents=True)
    (to / "usr/bin").chmod(0o711)
    (to / "bin").symlink_to("usr/bin")
    (to / "usr/bin/old").write_text("old")
    (to / "elsewhere").write_text("mine")
    (to / ".hidden file").symlink_to("elsewhere")
    to.chmod(0o700)

    bench.run({"copy": {"from": str(top), "to": str(to)}})

    assert (to / "bin").is_symlink()
    assert sorted(one.name for one in (to / "usr/bin").iterdir()) == ["old", "tool"]
    assert (_mode(to), _mode(to / "usr/bin")) == (0o700, 0o711)
    assert (to / "elsewhere").read_text() == "mine"
    assert not (to / ".hidden file").is_symlink()


def test_a_copy_has_the_mode_that_the_step_says(bench: Bench) -> None:
    """Of files; folders have x beside each r."""
    top, to = _tree(bench.folder), bench.folder / "there"

    bench.run({"copy": {"from": str(top), "to": str(to), "mode": "0640"}})

    assert (_mode(to / "bin/tool"), _mode(to / "bin")) == (0o640, 0o750)


def test_a_file_is_copied_to_where_it_is_to_be(bench: Bench) -> None:
    """Whatever it is called here; a link that was there is replaced, not what it points to."""
    here, to = bench.folder / "here", bench.folder / "sub/there"
    here.write_text("text")
    here.chmod(0o600)
    to.parent.mkdir()
    (bench.folder / "target").write_text("mine")
    to.symlink_to(bench.folder / "target")

    bench.run({"copy": {"from": str(here), "to": str(to)}})

    assert (to.read_text(), to.is_symlink(), _mode(to)) == ("text", False, 0o600)
    assert (bench.folder / "target").read_text() == "mine"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_copy_belongs_to_whom_the_step_says(bench: Bench) -> None:
    """Else to root, if it runs as root."""
    top = _tree(bench.folder)
    os.chown(top / "bin/tool", 1234, 1234)
    given, own = bench.folder / "given", bench.folder / "own"

    bench.run(
        {"copy": {"from": str(top), "to": str(given), "owner": "1:2"}, "as-root": True},
        {"copy": {"from": str(top), "to": str(own)}, "as-root": True},
    )

    owners = [(one.stat().st_uid, one.stat().st_gid) for one in (given / "bin/tool", given / "bin")]
    assert owners == [(1, 2), (1, 2)]
    assert (own / "bin/tool").stat().st_uid == 0


def test_a_copy_that_does_not_fit_says_why(bench: Bench) -> None:
    """A file where a folder is, a folder where a file is, a place that cannot be written."""
    here = bench.folder / "here"
    here.write_text("text")
    (bench.folder / "folder").mkdir()
    top = _tree(bench.folder)
    (bench.folder / "there").mkdir()
    (bench.folder / "there/bin").write_text("a file")

    onto = bench.fails({"copy": {"from": str(here), "to": str(bench.folder / "folder")}})
    into = bench.fails({"copy": {"from": str(top), "to": str(bench.folder / "there")}})
    nowhere = bench.fails({"copy": {"from": str(here), "to": "/proc/x/y"}})

    assert onto[0] is into[0] is nowhere[0] is Blame.RECIPE
    assert "is a folder" in onto[1]


def test_what_cannot_be_read_here_another_builder_may_have(bench: Bench) -> None:
    """Nothing is sent of a tree that leads outside."""
    top = _tree(bench.folder)
    (top / "out").symlink_to("/etc/passwd")

    gone = bench.fails({"copy": {"from": str(bench.folder / "absent"), "to": "/x"}})
    out = bench.fails({"copy": {"from": str(top), "to": "/x"}})

    assert gone[0] is out[0] is Blame.BUILDER
    assert "points outside" in out[1]
