"""Small parts of hands: keys, waits, and the record that a hand holds."""

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from builder.hands.held_record import AWAY_S, TakenOverError, hold_build
from builder.machine.hand_login_keys import short_lived_key
from builder.quiet.identity import FLAT_DIGESTS_MAX, Identity, flat_identity, read_flat_identity
from remuda.model.build import Build, decode_build, encode_build
from remuda.model.codec import CorruptRecordError
from remuda.model.ids import NodeId
from remuda.redaction import redact_text
from remuda.runtime.waiting import HandStoppedError, OverdueError, Waiting
from remuda.ssh.keyfile import KeyRing
from remuda.store import paths
from remuda.store.api import Delete, StoreAwayError
from tests.fakes.clock import ManualClock
from tests.unit.builder.handbench import BUILD, Bench

KEY = "ssh-ed25519 " + "B" * 68
WHOLE = Identity(
    machine_id="m" * 32,
    boot_id="b",
    hostname="np1",
    instance_id="i-1",
    seed="5" * 64,
    host_keys=tuple(f"{at:064x}" for at in range(FLAT_DIGESTS_MAX)),
    dhcp_ids=tuple(f"{at:064x}" for at in range(FLAT_DIGESTS_MAX)),
)


# -- keys ----------------------------------------------------------------------------------------


def test_a_key_is_ours_alone_and_gone_in_the_end(tmp_path: Path) -> None:
    """0600 in a folder of 0700; its text is masked."""
    folder = tmp_path / "work/keys"
    with short_lived_key(folder) as key:
        assert stat.S_IMODE(key.file.stat().st_mode) == 0o600
        assert stat.S_IMODE(key.file.parent.stat().st_mode) == 0o700
        assert KeyRing().public_line(str(key.file)) == key.public
        line = key.file.read_text().splitlines()[2]
        assert line not in redact_text(f"cat says {line}")
    assert list(folder.iterdir()) == []


# -- identity in a record ------------------------------------------------------------------------


@pytest.mark.parametrize("identity", [WHOLE, Identity(machine_id="m")])
def test_an_identity_survives_the_record_of_a_build(identity: Identity, tmp_path: Path) -> None:
    """All of it, within what a record takes."""
    bench = Bench(tmp_path)
    stored = bench.put_build(identity=flat_identity(identity, KEY))
    bench.close()

    assert read_flat_identity(stored.value.identity) == (identity, KEY)


@pytest.mark.parametrize(
    "identity",
    [replace(WHOLE, host_keys=(*WHOLE.host_keys, "f" * 64)), Identity(hostname="n" * 256)],
)
def test_an_identity_that_is_too_much_is_refused(identity: Identity) -> None:
    """Rather than a record that nobody can read."""
    with pytest.raises(ValueError, match="more than"):
        flat_identity(identity, KEY)


@pytest.mark.parametrize("flat", [{}, {"machine_id": "m"}, {"login_key": KEY, "seed": "no hash"}])
def test_an_identity_that_is_none_is_refused(flat: dict[str, str]) -> None:
    """Without the key of the build nothing can be looked for."""
    with pytest.raises(CorruptRecordError):
        read_flat_identity(flat)


# -- waits ---------------------------------------------------------------------------------------


def test_a_wait_ends_in_time_or_when_the_hand_is_stopped() -> None:
    """What was waited for is said."""
    clock = ManualClock()
    looks: list[float] = []

    def look() -> str | None:
        looks.append(clock.monotonic_s())
        return "found" if len(looks) == 3 else None

    waiting = Waiting(clock, lambda: False, clock.advance)
    assert waiting.until(look, ends_s=10.0, every_s=2.0, overdue="nothing") == "found"
    assert looks == [0.0, 2.0, 4.0]
    with pytest.raises(OverdueError, match="nothing"):
        waiting.until(lambda: None, ends_s=10.0, every_s=4.0, overdue="nothing")
    assert clock.monotonic_s() == 10.0

    stopping = Waiting(clock, lambda: clock.monotonic_s() >= 12.0, clock.advance)
    with pytest.raises(HandStoppedError):
        stopping.pause(100.0)
    assert clock.monotonic_s() == 12.0


def test_a_nap_ends_when_somebody_wakes_it() -> None:
    """Also if that was before it began: no news is missed."""
    waiting = Waiting(ManualClock(), lambda: False)
    waiting.wake()
    waiting.nap(10_000.0)


# -- the record that a hand holds ----------------------------------------------------------------


def node(name: str, build: Build) -> Build:
    """Return a build with a node of this name."""
    return replace(build, node=NodeId(name))


def test_a_write_waits_for_a_store_that_is_away(tmp_path: Path) -> None:
    """And gives up in the end."""
    bench = Bench(tmp_path)
    waiting = Waiting(bench.clock, lambda: False, bench.wait)
    record = hold_build(bench.store, waiting, bench.put_build())
    path = paths.build(BUILD)

    bench.store.suspend()
    bench.on_wait = bench.store.resume
    record.write(lambda build: node("n1", build))
    found = bench.others.read(path)
    assert found is not None
    assert decode_build(BUILD, found.value).node == "n1"

    bench.on_wait = lambda: None
    bench.store.suspend()
    began_s = bench.clock.monotonic_s()
    with pytest.raises(StoreAwayError):
        record.write(lambda build: node("n2", build))
    assert bench.clock.monotonic_s() - began_s >= AWAY_S


@pytest.mark.parametrize("how", ["deleted", "broken"])
def test_a_record_that_is_gone_is_nobodys(tmp_path: Path, how: str) -> None:
    """Nor is one that cannot be read."""
    bench = Bench(tmp_path)
    waiting = Waiting(bench.clock, lambda: False, bench.wait)
    stored = bench.put_build()
    record = hold_build(bench.store, waiting, stored)
    if how == "broken":
        bench._put(stored.path, b"{}")
    else:
        bench.others.commit([Delete(path=paths.uploads(BUILD)), Delete(path=stored.path)])

    with pytest.raises(TakenOverError):
        record.write(lambda build: node("n1", build))


def test_a_record_that_never_rests_is_given_up(tmp_path: Path) -> None:
    """Somebody writes it all the time."""
    bench = Bench(tmp_path)
    waiting = Waiting(bench.clock, lambda: False, bench.wait)
    stored = bench.put_build()
    record = hold_build(bench.store, waiting, stored)
    commit = bench.store.commit

    def raced(ops: object) -> object:
        bench._put(stored.path, encode_build(bench.build().value))
        return commit(ops)  # type: ignore[arg-type]

    bench.store.commit = raced  # type: ignore[method-assign, assignment]
    with pytest.raises(TakenOverError, match="all the time"):
        record.write(lambda build: node("n1", build))
