"""A held machine that is to become an image, with its launcher, all in memory."""

from dataclasses import replace
from typing import Any, Final

from builder.machine.hand_begin import InPhases
from builder.takehome.hand_make import TakeHomeInCloud, TakingHand
from remuda.cloud.api import BadOrderError
from remuda.cloud.image_store import StoredImage
from remuda.model.guest import Guest
from remuda.model.hold import HoldSource
from remuda.model.holdwish import SnapshotWish
from remuda.model.takehome import (
    SnapshotAnswer,
    TakeHome,
    TakeHomeState,
    decode_take_home,
    encode_take_home,
)
from remuda.store import paths
from remuda.store.api import Create, Set, Stored
from tests.unit.builder.handbench import ME, OWNER, PROVIDER, Bench
from tests.unit.builder.jobs import Job

DEVS: Final = "0123456789abcdef0123456789abcdef"
WISH: Final = SnapshotWish(token="s1", share_with=DEVS, public=False, for_s=3600.0)


class Held(Job):
    """The machine of a hold, with its launcher."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        self.client.close()
        bench.change_node(self.node.id, state="hold", hold_job="ada")
        self.change(capture=None, take_home=SnapshotAnswer(wish=WISH, begun=True))
        bench.others.ensure(paths.TAKE_HOME, paths.TAKE_HOME_ENDS, paths.INSTALLATION)
        stored = bench.others.read(paths.INSTALLATION)
        assert stored is not None
        bench.others.commit(
            [Set(path=stored.path, data=OWNER.installation.encode(), version=stored.version)]
        )
        one = TakeHome(
            node=self.id,
            state=TakeHomeState.ASKED,
            wish=WISH,
            provider=PROVIDER,
            pool="main",
            label="small",
            requestor="ci",
            by="ada",
            source=HoldSource.AUTOHOLD,
        )
        bench.others.commit([Create(path=paths.take_home(self.id), data=encode_take_home(one))])

    @property
    def stored(self) -> Stored[TakeHome]:
        """The record."""
        stored = self.bench.others.read(paths.take_home(self.id))
        assert stored is not None
        value = decode_take_home(self.id, stored.value)
        return Stored(path=stored.path, value=value, version=stored.version)

    @property
    def one(self) -> TakeHome:
        """What it says."""
        return self.stored.value

    def put(self, **changes: Any) -> None:
        """Write the record anew."""
        stored = self.stored
        data = encode_take_home(replace(stored.value, **changes))
        self.bench.others.commit([Set(path=stored.path, data=data, version=stored.version)])

    def answer(self) -> None:
        """Do as its launcher does."""
        key = self.one.login_key
        if self.admits and key is not None and key != self.said:
            self.said = key
            self.change(guest=Guest(key=key, refused=self.guest))


def make(held: Held, *, environ: dict[str, str] | None = None, **changes: Any) -> str | None:
    """Carry it on once; return why there is no image."""
    bench = held.bench
    hand = TakingHand(
        machines=bench.machines, clock=bench.clock, environ=environ or {}, wait=bench.wait
    )
    task = TakeHomeInCloud(
        **{
            "record": held.stored,
            "me": ME,
            "owner": OWNER,
            "cloud": bench.cloud,
            "images": bench.images,
            "user": "debian",
            "port": 22,
            "flavor": "disk",
            "cloud_name": "north",
            **changes,
        }
    )
    parts = InPhases(waiting=hand.waiting(lambda: bench.stop), log=bench.log)
    return hand.take(hand.work(task, parts)).why


def image(held: Held) -> StoredImage:
    """Return the only image that there is."""
    (found,) = held.bench.images.list_images()
    return found


def refuse(*_: Any, **__: Any) -> str:
    """Take no order."""
    raise BadOrderError("not here")
