"""A certificate for one visit: asked for, used, and taken back, whatever happens between."""

from pathlib import Path
from typing import Any

import pytest

from remuda.model.hold import Hold, HoldKey, HoldSource
from remuda.model.holdwish import HOLD_KEY, KeyWish, wish_of
from remuda.model.ids import NodeId
from remuda.model.node import Node, NodeState, encode
from remuda.runtime.clock import SystemClock
from remuda.store import paths
from remuda.store.api import NotPermittedError, Set, StoreAwayError, StoreError
from requestor import keys as keys_module
from requestor.certifying import TELL_S, certified
from requestor.errors import RequestorError
from tests.fakes.clock import ManualClock
from tests.fakes.store import FakeStore
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


def _reads_of_launches(store: FakeStore, error: Exception) -> None:
    """Let each look at a launch end so."""
    read = store.read

    def looked(path: str) -> Any:
        if path.startswith(f"{paths.launches('alpha')}/"):
            raise error
        return read(path)

    store.read = looked  # type: ignore[method-assign]


@pytest.mark.parametrize(
    "error",
    [NotPermittedError("/x"), StoreAwayError("gone"), RequestorError("it cannot be read")],
)
def test_a_launch_that_cannot_be_read_is_no_hindrance(
    node: tuple[CommandHarness, Node], tmp_path: Path, error: Exception
) -> None:
    """As where nobody answers: ssh may know another key."""
    harness, held = node
    store = harness.zookeeper.connect()
    _reads_of_launches(store, error)
    with certified(store, SystemClock(), held, tmp_path, me="ada") as file:
        assert file == ""
    assert left(harness, held.id) == ()


def test_a_wish_that_cannot_be_read_is_no_hindrance(
    node: tuple[CommandHarness, Node], tmp_path: Path
) -> None:
    """Nothing is added to it, and nothing is taken from it."""
    harness, held = node
    broken = held.with_fields(**{HOLD_KEY: {"token": 7}})
    store = harness.launcher.store
    store.commit([Set(path=paths.node(held.id), data=encode(broken), version=-1)])
    with certified(store, SystemClock(), held, tmp_path, me="ada") as file:
        assert file == ""
    assert harness.launcher.read_node(held.id).doc[HOLD_KEY] == {"token": 7}


@pytest.mark.parametrize("written", [False, True])
def test_a_wish_of_which_nobody_knows_if_it_is_written_is_taken_back(
    node: tuple[CommandHarness, Node], tmp_path: Path, *, written: bool
) -> None:
    """The connection is lost while it is written."""
    harness, held = node
    store = harness.zookeeper.connect()
    if written:
        store.away_after_next_commit()
    else:
        store.away_before_next_commit()
    with certified(store, SystemClock(), held, tmp_path, me="ada") as file:
        assert file == ""
        assert len(left(harness, held.id)) == written
        store.resume()
    assert left(harness, held.id) == ()


@pytest.mark.parametrize("error", [RequestorError("broken"), StoreAwayError("gone")])
def test_what_goes_wrong_during_the_visit_is_said(
    node: tuple[CommandHarness, Node],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: RequestorError | StoreError,
) -> None:
    """Only asking for the certificate may fail unseen."""
    harness, held = node
    answering(monkeypatch, "ssh-ed25519-cert-v01@openssh.com AAAA")
    with (
        pytest.raises(type(error)),
        certified(harness.launcher.store, SystemClock(), held, tmp_path, me="ada"),
    ):
        raise error
    assert left(harness, held.id) == ()


def test_whoever_is_asked_to_end_waits_no_longer(
    node: tuple[CommandHarness, Node], tmp_path: Path
) -> None:
    """And the wish is taken back: a node has places for few."""
    harness, held = node
    wishes: list[int] = []

    def check() -> None:
        wishes.append(len(left(harness, held.id)))
        raise KeyboardInterrupt

    store = harness.launcher.store
    with (
        pytest.raises(KeyboardInterrupt),
        certified(store, SystemClock(), held, tmp_path, me="ada", check=check),
    ):
        raise AssertionError("there was no visit")
    assert wishes == [1]
    assert left(harness, held.id) == ()


def test_whoever_waits_for_long_is_told_for_what(
    node: tuple[CommandHarness, Node], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once; and not at all if the launcher answers at once, as it does."""
    harness, held = node
    monkeypatch.setattr(keys_module, "ANSWER_S", 4 * TELL_S)
    clock, told, looks = ManualClock(), [], []

    def check() -> None:
        looks.append(len(told))
        clock.advance(0.75 * TELL_S)

    store, visit = harness.launcher.store, tmp_path
    with certified(store, clock, held, visit, me="ada", check=check, tell=told.append) as file:
        assert file == ""
    assert told == [f"waiting for a certificate from the launcher of node {held.id}"]
    assert looks[:3] == [0, 0, 1]
    told.clear()
    answering(monkeypatch, "ssh-ed25519-cert-v01@openssh.com AAAA")
    with certified(store, clock, held, visit, me="ada", check=check, tell=told.append) as file:
        assert file
    assert told == []
