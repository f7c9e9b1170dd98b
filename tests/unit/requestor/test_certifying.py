"""A certificate for one visit: asked for, used, and taken back, whatever happens between."""

from pathlib import Path

import pytest

from remuda.model.hold import Hold, HoldKey, HoldSource
from remuda.model.holdwish import KeyWish, wish_of
from remuda.model.ids import NodeId
from remuda.model.node import Node, NodeState
from remuda.runtime.clock import SystemClock
from requestor import keys as keys_module
from requestor.certifying import certified
from tests.support.commands import CommandHarness


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> tuple[CommandHarness, Node]:
    """Put a held node on record."""
    monkeypatch.setattr(keys_module, "LOOK_S", 0.001)
    monkeypatch.setattr(keys_module, "ANSWER_S", 0.0)
    harness = CommandHarness()
    harness.launcher.register("small")
    name = harness.launcher.ready_node("small", requestor="ada")
    harness.launcher.set_state(name, NodeState.IN_USE)
    harness.launcher.set_state(name, NodeState.HOLD)
    return harness, harness.launcher.read_node(name)


def answering(monkeypatch: pytest.MonkeyPatch, certificate: str | None) -> list[KeyWish]:
    """Let a launcher answer each wish so."""
    seen: list[KeyWish] = []

    def hold(_store: object, node: Node) -> Hold:
        wish = wish_of(node)
        wishes = () if wish is None else wish.keys  # it is looked at before anything is wished
        seen.extend(one for one in wishes if one not in seen)
        keys = tuple(
            HoldKey(
                token=one.token,
                fingerprint="SHA256:x",
                name="",
                account="root",
                at_s=1e6,
                refused=None if certificate else "there is no authority",
                certificate=certificate,
            )
            for one in wishes
        )
        return Hold(owner="ada", reason="", source=HoldSource.ASKED, for_s=60.0, keys=keys)

    monkeypatch.setattr(keys_module, "read_hold", hold)
    return seen


def left(harness: CommandHarness, node: NodeId) -> tuple[KeyWish, ...]:
    """Return what is wished still."""
    wish = wish_of(harness.launcher.read_node(node))
    return () if wish is None else wish.keys


def test_a_visit_has_a_key_of_its_own(
    node: tuple[CommandHarness, Node],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Which nobody else can read; afterwards nothing of it is wished."""
    harness, held = node
    seen = answering(monkeypatch, "ssh-ed25519-cert-v01@openssh.com AAAA")
    store = harness.launcher.store
    with certified(store, SystemClock(), held, tmp_path, me="ada") as file:
        assert Path(file).stat().st_mode & 0o077 == 0
        assert Path(file).read_text().startswith("-----BEGIN OPENSSH PRIVATE KEY")
        assert "cert-v01" in Path(f"{file}-cert.pub").read_text()
        assert len(left(harness, held.id)) == 1
    assert [(one.certify, one.by) for one in seen] == [(True, "ada")]
    assert left(harness, held.id) == ()


def test_no_certificate_is_no_hindrance(
    node: tuple[CommandHarness, Node],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The site has no authority, or nobody answers: ssh may know another key."""
    harness, held = node
    store = harness.launcher.store
    with certified(store, SystemClock(), held, tmp_path, me="ada") as file:
        assert file == ""
    assert left(harness, held.id) == ()
    answering(monkeypatch, None)
    with certified(store, SystemClock(), held, tmp_path, me="ada") as file:
        assert file == ""
    assert left(harness, held.id) == ()


def test_a_visit_that_ends_badly_leaves_nothing(
    node: tuple[CommandHarness, Node],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A signal, a lost connection; or the hold is over meanwhile."""
    harness, held = node
    answering(monkeypatch, "ssh-ed25519-cert-v01@openssh.com AAAA")
    store = harness.launcher.store
    with (
        pytest.raises(KeyboardInterrupt),
        certified(store, SystemClock(), held, tmp_path, me="ada"),
    ):
        raise KeyboardInterrupt
    assert left(harness, held.id) == ()
    with certified(store, SystemClock(), held, tmp_path, me="ada"):
        harness.launcher.set_state(held.id, NodeState.USED)
