"""Builders that are hit in everything that they do for an image that is made on first use.

As :mod:`tests.unit.builder.crashes.test_crashes`: launchers are played, which write that it is
used. It is made, booted, unused for its time, gone, and then used and made once more.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from remuda.config.model import Config
from remuda.images.library import Library
from remuda.model.lastuse import LastUse, encode_last_use
from remuda.store import paths
from remuda.store.api import Create, Set
from tests.unit.builder.crashes.installation import Installation
from tests.unit.builder.crashes.mortal import Blow, Life, When
from tests.unit.builder.crashes.test_crashes import survive

IMAGE: Final = "wanted"
TTL_S: Final = 1800.0
#: So often it is written that it is used, while it is.
USE_S: Final = 300.0
#: So often people look what has become of it.
LOOK_S: Final = 20.0
#: So long a machine is still used when the image that it has booted is over.
BORROWED_S: Final = TTL_S + 120.0
#: It is to have been made and gone once, and be there for the second time.
NUMBERS: Final = {IMAGE: 2}
#: Made twice, and unused for its time in between.
REST_S: Final = 4 * TTL_S


def configuration() -> Config:
    """Return an image made on first use: made in p, shared to q, carried to r."""
    labels = {"small": {"image": {"built": IMAGE}, "flavor": "disk"}}
    return Config.model_validate(
        {
            "labels": {"small": {}},
            "providers": {
                name: {"cloud": name, "pools": {"main": {"labels": labels}}} for name in "pqr"
            },
            "images": {
                IMAGE: {
                    "build": "on-demand",
                    "ttl": TTL_S,
                    "base": "debian-12",
                    "flavor": "disk",
                    "steps": [{"command": "make", "timeout": 60}],
                    "providers": {"p": {}, "q": {"copy-from": "p"}, "r": {"copy-from": "p"}},
                }
            },
        }
    )


@dataclass(slots=True)
class Users:
    """Jobs that want it until one of them has a machine of it, and again when all of it is gone.

    Attributes:
        known: What is on record; builders' writes are compared with what it was before.
    """

    here: Installation
    known: Library = field(init=False)
    booted: bool = False
    used_s: float = float("-inf")

    def __post_init__(self) -> None:
        """Begin to use it, and to watch."""
        self.known = self.here.library
        self._live()

    def _live(self) -> None:
        self._judge()
        self.here.at(LOOK_S, self._live)
        if not self.booted and self._served():
            # The last use for now: machines keep what they have booted.
            assert self.here.land.use(IMAGE, "p")
            self.here.at(BORROWED_S, self.here.land.let_go)
            self.booted = True
        elif not self.booted or self._gone_once():
            self._use()

    def _served(self) -> bool:
        return {provider for _, provider in self.known.pointers} == set("pqr")

    def _gone_once(self) -> bool:
        """Whether all of the first build is gone, or the second one has been begun."""
        known = self.known
        begun_anew = any(one.number > 1 for one in known.builds)
        return begun_anew or not (known.builds or known.pointers)

    def _use(self) -> None:
        """Write that it is used, as launchers do: seldom, and once builders know the image."""
        now_s = self.here.clock.now_s()
        if IMAGE not in self.known.images or now_s < self.used_s + USE_S:
            return
        stored, path = self.known.uses.get(IMAGE), paths.last_use(IMAGE)
        data = encode_last_use(LastUse(image=IMAGE, at_s=now_s, provider="p", ttl_s=TTL_S))
        self.here.land.store.commit(
            [
                Create(path=path, data=data)
                if stored is None
                else Set(path=path, data=data, version=stored.version)
            ]
        )
        self.used_s = now_s

    def _judge(self) -> None:
        """Fail if a build was begun that nobody wants, or an end while somebody does."""
        before, self.known = self.known, self.here.library
        now_s = self.here.clock.now_s()
        begun = set(self.known.builds) - set(before.builds)
        assert not begun or now_s < self.used_s + TTL_S, f"{begun} was begun though unused"
        gone = set(before.pointers) - set(self.known.pointers)
        assert not gone or now_s >= self.used_s + TTL_S, f"{gone} are gone though it is used"


def first(folder: Path, blow: Blow | None) -> tuple[Installation, Life]:
    """Begin with nothing at all, and somebody who wants it."""
    here = Installation(folder, config=configuration())
    life = here.start("b1", blow).life
    Users(here)
    return here, life


# Hundreds of histories in one test: its limit only ends what hangs.
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("when", "every"),
    [(When.AFTER, 1), (When.LATE, 4), (When.FROZEN, 16), (When.SLOW, 16), (When.STUCK, 16)],
)
def test_an_image_made_on_first_use_survives_its_builder(
    tmp_path: Path, when: When, every: int
) -> None:
    """Made while it is used, and only then; gone when it is not, and made again."""
    survive(tmp_path, first, NUMBERS, when, every, rest_s=REST_S)
