"""Builders that die, or stand still, before, after, and in the midst of everything that they do.

Each scenario is run once to learn what a builder does in it: every write, and every call that
changes a cloud. Then it is run again for each of these moments, and for each way to be hit there.
The rules are looked at with each write and each deletion, and in the end (``rules.py``). Real minds
with real hands; see ``land.py`` for what is played. All moments in all ways, for some minutes:
``python -m tests.unit.builder.crashes``.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from remuda.cloud.api import TryLaterError
from remuda.known_secrets import KNOWN
from remuda.model.image import BuildId
from tests.fakes.glance import Snapshot, Transfer
from tests.unit.builder.crashes.installation import Installation, Saved
from tests.unit.builder.crashes.mortal import Blow, Life, When

#: Everything comes to rest within this time, of which most is patience with clouds.
REST_S: Final = 2400.0
#: Listings show images that are not finished.
SNAPSHOT_S: Final = 130.0
#: Nothing begins again after it.
STILL_S: Final = 60.0

Begin = Callable[[Path, Blow | None], tuple[Installation, Life]]
FIRST: Final = {"debian": 1, "child": 1}
SECOND: Final = {"debian": 2, "child": 2}


def first(folder: Path, blow: Blow | None) -> tuple[Installation, Life]:
    """Begin with nothing at all, in clouds that have their faults."""
    here = Installation(folder)
    here.land.one.next_snapshots += [Snapshot.FAILS, Snapshot.LOST_CALL, Snapshot.LOST_REPLY]
    here.land.one.snapshot_s = SNAPSHOT_S
    here.land.two.next_transfers.append(Transfer.CUT)
    here.land.clouds["q"].fail("accept", TryLaterError("fake: later"))
    return here, here.start("b1", blow).life


def begun(folder: Path) -> Saved:
    """Return an installation where all images have their first build."""
    here = Installation(folder)
    here.start("b0")
    assert here.run(lambda: here.at_rest(FIRST), REST_S)
    return Saved(here)


def second(saved: Saved, folder: Path, blow: Blow | None) -> tuple[Installation, Life]:
    """Begin with a second build, and the first one revoked while users have machines of it."""
    here = Installation(folder, saved)
    life = here.start("b1", blow).life
    life.counting = False
    for image, provider in (("debian", "p"), ("debian", "q"), ("child", "p")):
        assert here.land.use(image, provider)
    here.want("debian")
    assert here.run(lambda: _current(here, 2), REST_S)
    here.lose_image()
    here.revoke(BuildId("debian", 1))
    here.at(STILL_S, here.land.let_go)
    life.counting = True
    return here, life


def after_first(folder: Path) -> Begin:
    """Return how the second scenario begins."""
    saved = begun(_new(folder))
    return lambda one, blow: second(saved, one, blow)


def _current(here: Installation, number: int) -> bool:
    pointers = here.library.pointers.values()
    return not here.tasks.some and all(one.value.current == number for one in pointers)


def end(here: Installation, life: Life, numbers: dict[str, int], rest_s: float = REST_S) -> None:
    """Let everything come to rest, by another builder if the first one dies."""
    rested = here.run(lambda: life.hit or here.at_rest(numbers), rest_s)
    if life.hit:
        if life.dead:
            here.start("b2")
        still_s = here.clock.monotonic_s() + STILL_S
        rested = here.run(
            lambda: here.clock.monotonic_s() > still_s and here.at_rest(numbers), rest_s
        )
    here.close()
    assert rested, here.unrest(numbers)


def moments(done: list[str], when: When) -> Iterator[int]:
    """Yield where in what a builder does it can be hit so; no write comes later."""
    for at, what in enumerate(done):
        if when is not When.LATE or what.startswith("call"):
            yield at


def survive(
    folder: Path,
    begin: Begin,
    numbers: dict[str, int],
    when: When,
    every: int,
    *,
    rest_s: float = REST_S,
) -> None:
    """Run a scenario once for each *every*-th moment, and let the builder be hit there."""
    here, life = begin(_new(folder), None)
    end(here, life, numbers, rest_s)
    done = life.done
    assert len(done) > 15, "else it proves little"
    for at in list(moments(done, when))[::every]:
        try:
            end(*begin(_new(folder), Blow(at, when)), numbers, rest_s)
        except AssertionError as exc:
            raise AssertionError(f"hit at {at}, {when} {done[at]}: {exc}") from exc


def _new(folder: Path) -> Path:
    KNOWN.forget()  # each run has its own secrets
    made = folder / str(len(list(folder.iterdir())))
    made.mkdir()
    return made


# Hundreds of histories in one test: its limit only ends what hangs.
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("when", "every"),
    [(When.AFTER, 1), (When.LATE, 4), (When.FROZEN, 16), (When.SLOW, 16), (When.STUCK, 16)],
)
def test_the_first_builds_survive_their_builder(tmp_path: Path, when: When, every: int) -> None:
    """They are made, copied, proven and swapped in, though the clouds have their faults, too."""
    survive(tmp_path, first, FIRST, when, every)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("when", "every"),
    [(When.AFTER, 1), (When.LATE, 4), (When.FROZEN, 2), (When.SLOW, 3), (When.STUCK, 3)],
)
def test_what_is_revoked_goes_whatever_becomes_of_builders(
    tmp_path: Path, when: When, every: int
) -> None:
    """With all that was made of it, once its machines are gone; a lost image of ours, too."""
    survive(tmp_path, after_first(tmp_path), SECOND, when, every)
