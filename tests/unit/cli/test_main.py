"""The group: lazy loading, where ZooKeeper is, and errors as sentences."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from remuda.cli.context import CommandContext, hosts_options
from remuda.cli.errors import MistakeError, PlainCommand
from remuda.cli.extras import advice
from remuda.cli.main import OWN, Commands, installed_loaders, main, own_loaders
from remuda.cli.overview import nodes
from remuda.cli.summaries import SUMMARIES
from remuda.store.api import StoreAwayError, StoreRefusedError
from remuda.store.options import StoreOptions
from requestor.connecting import connect
from requestor.errors import InvalidOptionsError
from tests.support.processes import ROOT


def test_help_lists_every_command_that_is_there() -> None:
    """And each has a line of its own."""
    result = CliRunner().invoke(main, ["--help"])

    assert result.exit_code == 0
    for name in ("nodes", "requests", "pools", "status", "explain", "delete", "failures", "dev"):
        assert f"  {name} " in result.output


def test_every_own_command_loads_and_has_examples_or_help() -> None:
    """The table names what exists."""
    found = own_loaders(OWN)
    for name in OWN:
        command = found[name]()
        assert isinstance(command, click.Command)
        assert command.help


def test_summaries_are_what_the_commands_say_themselves() -> None:
    """Of all that are installed with us; help imports none of them."""
    found = {**own_loaders(OWN), **installed_loaders()}

    assert {name: load().get_short_help_str(200) for name, load in found.items()} == SUMMARIES


def test_help_imports_nothing_that_takes_long() -> None:
    """Neither commands nor what they need."""
    code = (
        "import sys\n"
        "from remuda.cli.main import main\n"
        "main(['--help'], standalone_mode=False)\n"
        "slow = {'pydantic', 'yaml', 'rich', 'kazoo', 'paramiko', 'requestor', 'launcher'}\n"
        "print(sorted(slow & sys.modules.keys()), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "Commands:" in done.stdout
    assert done.stderr == "[]\n"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_streams_lead_nowhere(closed: str, tmp_path: Path) -> None:
    """Nothing that is opened later gets their numbers, and no library meets a None."""
    said = tmp_path / "said"
    script = tmp_path / "script.py"
    script.write_text(
        "import os, socket, sys\n"
        "from remuda.cli.terminal import open_closed_streams\n"
        "open_closed_streams()\n"
        "print('out'); print('err', file=sys.stderr); sys.stdin.read(1)\n"
        "numbers = [socket.socket().fileno(), os.get_inheritable(0), os.get_inheritable(1)]\n"
        f"open({str(said)!r}, 'w').write(repr(numbers))\n"
    )
    done = subprocess.run(
        ["/bin/sh", "-c", f"{sys.executable} {script} {closed}"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )

    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert said.read_text() == "[3, True, True]"


def test_a_command_that_cannot_be_imported_is_a_sentence() -> None:
    """A broken extra package must not break the others."""

    def broken() -> click.Command:
        raise ImportError("no module named x")

    group = Commands(own={"bad": broken, "good": lambda: nodes}, name="g")
    result = CliRunner().invoke(group, ["bad"])

    assert result.exit_code == 1
    assert "the command 'bad' cannot be loaded here: no module named x" in result.output
    assert "good" in CliRunner().invoke(group, ["--help"]).output


def test_looking_imports_no_ssh_and_no_requestor() -> None:
    """A list of nodes must come quickly."""
    code = (
        "import sys, remuda.cli.main, remuda.cli.overview;"
        "print([m for m in ('paramiko', 'requestor', 'kazoo', 'openstack') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )

    assert done.stdout.strip() == "[]"


def test_where_zookeeper_is_takes_no_model_of_the_whole_configuration(tmp_path: Path) -> None:
    """Most of what a list of nodes would cost, though a line of the file is wanted."""
    file = tmp_path / "remuda.yaml"
    file.write_text("zookeeper:\n  hosts: ['zk.example.org:2181']\nlabels: {}\nproviders: {}\n")
    code = (
        "import sys, remuda.cli.main, remuda.cli.overview\n"
        "from remuda.config.whereabouts import read_zookeeper\n"
        f"print(read_zookeeper({str(file)!r}).hosts, 'remuda.config.model' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )

    assert "zk.example.org:2181" in done.stdout
    assert done.stdout.strip().endswith("False")


def test_not_knowing_where_zookeeper_is_is_code_2(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence says how to tell."""
    monkeypatch.delenv("REMUDA_ZOOKEEPER", raising=False)
    monkeypatch.delenv("REMUDA_CONFIG", raising=False)
    result = CliRunner().invoke(nodes, [])

    assert result.exit_code == 2
    assert "where is ZooKeeper?" in result.output


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (StoreAwayError("no connection"), "ZooKeeper cannot be reached: no connection"),
        (StoreRefusedError("bad password"), "ZooKeeper cannot be used: bad password"),
    ],
)
def test_zookeeper_away_is_code_3(error: Exception, sentence: str) -> None:
    """Scripts may try again."""

    def refuse(_options: StoreOptions) -> None:
        raise error

    context = CommandContext(zookeeper="a:1", connect=refuse)  # type: ignore[arg-type]
    result = CliRunner().invoke(nodes, [], obj=context)

    assert result.exit_code == 3
    assert result.output == f"remuda: {sentence}\n"


@pytest.mark.parametrize("hosts", ["zk1:abc", "zk1:99999", "zk1:2181,zk 2:2181", "::1", " /ci"])
def test_what_is_no_host_is_code_2(hosts: str) -> None:
    """Before anybody tries to reach it."""
    with pytest.raises(MistakeError, match=r"is not host:port|names no server"):
        hosts_options(hosts)


def test_the_port_may_be_left_out() -> None:
    """It is ZooKeeper's own then."""
    assert hosts_options("zk1,zk2:2182/ci").hosts == ("zk1:2181", "zk2:2182")


def test_a_file_that_cannot_be_used_is_a_sentence() -> None:
    """Whichever command trips over it."""

    @click.command(cls=PlainCommand)
    def trips() -> None:
        Path("/proc/no such folder/file").write_text("")

    result = CliRunner().invoke(trips)

    assert result.exit_code == 1
    assert result.stderr == "remuda: /proc/no such folder/file: No such file or directory\n"


def test_ctrl_c_while_importing_has_no_traceback() -> None:
    """It ends the process as if Python had never heard of it."""
    code = (
        "import os, signal, sys, types\n"
        "import remuda.__main__ as entry\n"
        "main = types.ModuleType('remuda.cli.main')\n"
        "main.main = lambda: os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.modules['remuda.cli.main'] = main\n"
        "entry.run()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")


def test_hosts_may_have_a_chroot() -> None:
    """As in every ZooKeeper connection string."""
    options = hosts_options("a:1, b:2/ci/one")

    assert (options.hosts, options.chroot) == (("a:1", "b:2"), "/ci/one")
    assert hosts_options("zk1").chroot == ""


@pytest.mark.parametrize(
    "hosts",
    [
        *("", ",", "zk1,,zk2", "zk1,", "/ci"),
        *("zk1/", "zk1//", "zk1//a", "zk1/a/", "zk1/a//b", "zk1/.", "zk1/..", "zk1/a/../b"),
        *("zk1/a b", "zk1/ a", "zk1/a ", "zk1/a\n", "zk1/a\x01", "zk1/\uf000", "zk1/" + "a" * 300),
        *("zk1/a,zk2/a", "zk1/a,zk2", "zk1,zk2/a,b"),
    ],
)
@pytest.mark.parametrize("by", ["option", "environment", "group", "library"])
def test_what_is_no_place_of_ours_is_one_sentence(
    hosts: str, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However it comes; nothing is corrected on the quiet, for that is another tree."""
    if by == "library":
        with pytest.raises(InvalidOptionsError, match="where ZooKeeper is"):
            connect(hosts)
        return
    monkeypatch.delenv("REMUDA_ZOOKEEPER", raising=False)
    words = {"option": ["nodes", "--zookeeper", hosts], "group": ["--zookeeper", hosts, "nodes"]}
    if by == "environment":
        monkeypatch.setenv("REMUDA_ZOOKEEPER", hosts)
    result = CliRunner().invoke(main, words.get(by, ["nodes"]))

    assert result.exit_code == 2
    unset = by == "environment" and not hosts  # an empty variable is none, as everywhere
    said = "where is ZooKeeper?" if unset else "where ZooKeeper is: "
    assert result.stderr.startswith(f"remuda: {said}")
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


@pytest.mark.parametrize("chroot", ["a", "/", "/a/", "//", "/..", "/a b", "/a,b"])
def test_the_library_takes_no_odd_chroot(chroot: str) -> None:
    """It creates what is not there."""
    with pytest.raises(InvalidOptionsError, match="is not a path in ZooKeeper"):
        connect("127.0.0.1:1", chroot=chroot)
    with pytest.raises(InvalidOptionsError, match="in hosts and in chroot"):
        connect("127.0.0.1:1/ci", chroot="/ci")


def test_the_configuration_says_where_zookeeper_is(tmp_path: Path) -> None:
    """Without the keys and clouds that only launchers need."""
    file = tmp_path / "remuda.yaml"
    file.write_text(
        """
zookeeper: {hosts: ["zk1:2181", "zk2:2181"], chroot: /ci, session-timeout: 20s}
labels: {small: {min-ready: 1}}
providers:
  alpha:
    cloud: nowhere
    ssh-key-file: /does/not/exist
    pools: {main: {labels: {small: {image: i, flavor: f}}}}
"""
    )
    options = CommandContext(config=file).options()

    assert options.hosts == ("zk1:2181", "zk2:2181")
    assert (options.chroot, options.session_s) == ("/ci", 20.0)


def test_a_bad_configuration_is_code_2(tmp_path: Path) -> None:
    """With its problems."""
    file = tmp_path / "remuda.yaml"
    file.write_text("labels: 3\n")
    result = CliRunner().invoke(nodes, ["--config", str(file)])

    assert result.exit_code == 2
    assert "the configuration cannot be used" in result.output


def test_completion_scripts_are_printed() -> None:
    """For the three shells that click knows."""
    for shell in ("bash", "zsh", "fish"):
        result = CliRunner().invoke(main, ["completion", shell])
        assert result.exit_code == 0
        assert "_REMUDA_COMPLETE" in result.output


def test_a_missing_extra_is_named() -> None:
    """A launcher's host has no sandbox; whoever asks for it is told what to install."""
    missing = ModuleNotFoundError("No module named 'uvicorn'", name="uvicorn.config")

    def load() -> click.Command:
        raise missing

    group = Commands(name="remuda", own={"sandbox": load})
    result = CliRunner().invoke(group, ["sandbox"])

    assert result.exit_code == 1
    assert "pip install 'remuda[sandbox]'" in result.output
    assert advice("nonsense") == advice(None) == ""
