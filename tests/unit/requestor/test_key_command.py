"""The commands `remuda key`: what they wish, what they tell, and how they end."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from remuda.cli.errors import EXIT_MISTAKE, EXIT_TIMEOUT
from remuda.model.hold import Hold, HoldKey, HoldSource
from remuda.model.holdwish import KEYS_MAX, KeyWish, wish_of
from remuda.model.node import Node, NodeState
from remuda.model.publickey import parse_key
from requestor import keys as keys_module
from requestor.commands import key as command
from requestor.commands.key import key
from tests.support.commands import CommandHarness
from tests.unit.model.test_publickey import ED25519
from tests.unit.requestor.test_capture_command import node_of

ADA = ("--requestor", "ada")


def answer(wish: KeyWish, refused: str | None = None) -> HoldKey:
    """Return what a launcher makes of a wish."""
    print_ = parse_key(wish.line).fingerprint if wish.line else ""
    return HoldKey(
        token=wish.token,
        fingerprint="" if refused else print_,
        name=wish.developer or "ada@host",
        account=wish.account or "root",
        at_s=1e6,
        refused=refused,
    )


class Launcher:
    """Answers as it is told, at the first look."""

    def __init__(self) -> None:
        self.say: Callable[[KeyWish], HoldKey | None] = answer
        self.node: Node | None = None

    def hold(self, _store: object, node: Node) -> Hold:
        """Return the hold as it is once the wishes are carried out."""
        self.node = node
        wish = wish_of(node)
        said = (self.say(one) for one in (() if wish is None else wish.keys))
        keys = tuple(one for one in said if one is not None)
        return Hold(owner="ada", reason="", source=HoldSource.ASKED, for_s=60.0, keys=keys)


@pytest.fixture
def launcher(monkeypatch: pytest.MonkeyPatch) -> Launcher:
    """Let a launcher answer."""
    one = Launcher()
    monkeypatch.setattr(keys_module, "read_hold", one.hold)
    monkeypatch.setattr(command, "read_hold", one.hold)
    monkeypatch.setattr(keys_module, "LOOK_S", 0.001)
    return one


@pytest.fixture
def harness() -> CommandHarness:
    """A harness with a launcher of one label."""
    one = CommandHarness()
    one.launcher.register("small")
    return one


def held(harness: CommandHarness, **fields: Any) -> str:
    """Put a node on record that is held for ada."""
    node = harness.launcher.ready_node("small", requestor="ada", hold_job="ada", **fields)
    harness.launcher.set_state(node, NodeState.IN_USE)
    harness.launcher.set_state(node, NodeState.HOLD)
    return node


def wished(launcher: Launcher) -> list[KeyWish]:
    """Return the wishes that are on record."""
    assert launcher.node is not None
    wish = wish_of(launcher.node)
    return [] if wish is None else list(wish.keys)


def test_a_key_is_added_listed_and_removed(
    harness: CommandHarness, launcher: Launcher, tmp_path: Path
) -> None:
    """By its fingerprint."""
    node = held(harness)
    file = tmp_path / "id.pub"
    file.write_text(f"{ED25519} ada@host\n")
    done = harness.call(key, "add", node, "--key", str(file), "--account", "zuul", *ADA)
    assert done.exit_code == 0, done.stderr
    mark = parse_key(ED25519).fingerprint
    assert f"{mark} (ada@host) opens zuul on node {node}" in done.stdout
    assert [one.line for one in wished(launcher)] == [f"{ED25519} ada@host"]
    assert [one.account for one in wished(launcher)] == ["zuul"]
    listed = harness.call(key, "list", node, "--json")
    assert f'"fingerprint": "{mark}"' in listed.stdout
    gone = harness.call(key, "remove", node, mark, *ADA)
    assert (gone.exit_code, "is taken off" in gone.stdout) == (0, True), gone.stderr
    assert wished(launcher) == []
    assert "no key was put onto node" in harness.call(key, "list", node).stdout


def test_what_is_none_changes_nothing(
    harness: CommandHarness, launcher: Launcher, tmp_path: Path
) -> None:
    """One sentence each, and exit code 2."""
    node = held(harness)
    private = tmp_path / "id"
    private.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nMINE\n")
    mistakes: dict[tuple[str, ...], str] = {
        (node,): "say whose key",
        (node, "--key", "x", "--from-agent"): "say whose key",
        (node, "--key", str(tmp_path / "none")): "No such file",
        (node, "--key", str(private)): "holds a private key",
        (node, "--url", "http://h/ada.keys"): "only https://",
        ("9999999999", "--developer", "ada"): "there is no node",
        (node, "--developer", "x" * 300): "nothing like this can be wished: developer has 300",
        (node, "--developer", "ada", "--account", "x" * 300): "account has 300 characters",
    }
    for words, why in mistakes.items():
        done = harness.call(key, "add", *words, *ADA)
        assert (done.exit_code, why in done.stderr) == (EXIT_MISTAKE, True), done.stderr
        assert "MINE" not in done.stderr
    other = harness.call(key, "add", node, "--developer", "eve", "--requestor", "eve")
    assert (other.exit_code, "is held for ada" in other.stderr) == (EXIT_MISTAKE, True)
    unknown = harness.call(key, "remove", node, "SHA256:x", *ADA)
    assert (unknown.exit_code, "has no key SHA256:x" in unknown.stderr) == (EXIT_MISTAKE, True)
    launcher.node = None


def test_only_held_machines_have_keys(harness: CommandHarness, launcher: Launcher) -> None:
    """Those of a job are the job's."""
    node = node_of(harness)
    done = harness.call(key, "add", node, "--developer", "ada", *ADA)
    assert (done.exit_code, "only onto machines that are held" in done.stderr) == (2, True)
    assert launcher.node is None


def test_a_refusal_and_a_silence(
    harness: CommandHarness, launcher: Launcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rule is said; who does not answer may yet."""
    node = held(harness)
    launcher.say = lambda wish: answer(wish, "no such developer")
    done = harness.call(key, "add", node, "--developer", "ada", *ADA)
    assert (done.exit_code, "no such developer" in done.stderr) == (EXIT_MISTAKE, True)
    monkeypatch.setattr(keys_module, "ANSWER_S", 0.0)
    launcher.say = lambda _wish: None
    done = harness.call(key, "add", node, "--developer", "bob", *ADA)
    assert (done.exit_code, "has not answered" in done.stderr) == (EXIT_TIMEOUT, True)
    done = harness.call(key, "remove", node, "bob", *ADA)
    assert done.exit_code == 0, done.stderr


def test_there_is_a_most(harness: CommandHarness, launcher: Launcher) -> None:
    """Of keys on one machine."""
    node = held(harness)
    for _ in range(KEYS_MAX):
        assert harness.call(key, "add", node, "--developer", "ada", *ADA).exit_code == 0
    done = harness.call(key, "add", node, "--developer", "ada", *ADA)
    assert (done.exit_code, "are the most" in done.stderr) == (EXIT_MISTAKE, True)
    assert len(wished(launcher)) == KEYS_MAX


def test_what_was_refused_takes_no_place(harness: CommandHarness, launcher: Launcher) -> None:
    """Once its people had the time to read why, the next command takes it off."""
    node = held(harness)
    launcher.say = lambda wish: refusal(wish, at_s=0.0)
    for _ in range(KEYS_MAX + 2):
        done = harness.call(key, "add", node, "--developer", "eve", *ADA)
        assert (done.exit_code, "no such name" in done.stderr) == (EXIT_MISTAKE, True)
        assert [one.developer for one in wished(launcher)] == ["eve"]
        assert done.stdout == ""
    listed = harness.call(key, "list", node).stdout
    assert listed.startswith(f"the key of a developer is refused on node {node}: ")
    launcher.say = lambda wish: refusal(wish, at_s=1e12)
    harness.call(key, "add", node, "--developer", "eve", *ADA)
    harness.call(key, "add", node, "--developer", "eve", *ADA)
    assert len(wished(launcher)) == 3


def refusal(wish: KeyWish, *, at_s: float) -> HoldKey:
    """Return a refusal of that time."""
    return HoldKey(
        token=wish.token,
        fingerprint="",
        name="",
        account="root",
        at_s=at_s,
        refused="the launcher's configuration has no such name in developers",
    )
