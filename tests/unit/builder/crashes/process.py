"""One builder process of the crash tests: a real mind with real hands, in virtual time."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol

from builder.actions import KINDS, Action
from builder.assembly import Outside, assemble
from builder.build import hand_adopt, hand_file, hand_make
from builder.build.wiring import Adopting, Logs, Making
from builder.events import HandEvent, News
from builder.hands.api import Hands
from builder.hands.means import HandMeans
from builder.lanes import LANE_SIZES, Lane
from builder.machine.hand_borrow import Machines
from builder.place import hand_look, hand_sweep
from builder.place.clouds import Clouds, ProviderCloud
from builder.place.sites import Sites
from builder.place.wiring import Looking, Sweeping
from builder.upload import hand_copy, hand_retire, hand_validate
from builder.upload.wiring import Copying, Retiring, Validating
from remuda.config.model import Config
from remuda.frame.work import Finished
from remuda.frame.workers import Workers, crashed
from remuda.membership.registration import Member
from remuda.metrics.sink import NullMetrics
from remuda.model import tags
from remuda.model.ids import ProviderName, ReplicaId
from remuda.runtime.ground import Ground
from remuda.runtime.inbox import Inbox
from requestor.client import Client
from tests.fakes.clock import ManualClock
from tests.fakes.prover import FakeProver
from tests.fakes.store import FakeZookeeper
from tests.support.notakehomes import NoTakeHomes
from tests.unit.builder.bench import Quiet
from tests.unit.builder.crashes.land import INSTALLATION, Land
from tests.unit.builder.crashes.mortal import Blow, Life, MortalCloud, connect
from tests.unit.builder.crashes.tasks import Tasks
from tests.unit.builder.filebench import FakeCommands
from tests.unit.builder.handbench import FakeSession


def configuration() -> Config:
    """Return two images, one made from the other; made in p, shared to q, carried to r."""
    labels = {"small": {"image": {"built": "debian"}, "flavor": "disk"}}
    making = {
        "flavor": "disk",
        "steps": [{"command": "make", "timeout": 60}],
        "providers": {"p": {}, "q": {"copy-from": "p"}, "r": {"copy-from": "p"}},
    }
    return Config.model_validate(
        {
            "labels": {"small": {}},
            "providers": {
                name: {"cloud": name, "pools": {"main": {"labels": labels}}} for name in "pqr"
            },
            "images": {
                "debian": {"base": "debian-12", **making},
                # Its candidates are tried a second time, on a machine without a network.
                "child": {
                    "base": {"image": "debian"},
                    **making,
                    "providers": {"p": {}},
                    "offline": True,
                    "offline-checks": [{"name": "cache", "script": {"inline": "true"}}],
                },
            },
        }
    )


CONFIG: Final = configuration()


class Surroundings(Protocol):
    """What a builder runs in."""

    config: Config
    clock: ManualClock
    zookeeper: FakeZookeeper
    land: Land
    tasks: Tasks
    folder: Path

    def later(self, act: Callable[[], Any]) -> None:
        """Let a call arrive whose sender is dead."""

    def new_token(self) -> str:
        """Return a name that nobody has used."""

    def before_call(self, provider: str, name: str, args: Any) -> None:
        """Look at a call that arrives at a cloud."""

    def lost(self, builder: "Builder") -> None:
        """Let its session end in a while."""

    def freeze(self, builder: "Builder") -> None:
        """Let the world go on without it, until its session is long over."""


class Hired(Workers[Action, HandEvent, Lane]):
    """Has its work done in virtual time."""

    def __init__(self, inbox: Inbox[News], tasks: Tasks, life: Life) -> None:
        super().__init__(inbox, KINDS, LANE_SIZES)
        self._tasks = tasks
        self._life = life

    def submit(self, action: Action, work: Callable[[], HandEvent]) -> None:
        """Begin it."""

        def run() -> None:
            try:
                event: Any = work()
            except Exception:  # noqa: BLE001 - as worker threads do
                event = crashed(action)
            self.inbox.event(Finished(action=action, event=event))

        waits = KINDS[type(action)].lane in {Lane.MAKE, Lane.TRY}
        self._tasks.add(run, self._life, waits=waits)


class Silence:
    """A log that keeps nothing: real ones have threads of their own."""

    def step(self, name: str) -> None:
        """Leave it out."""

    def write(self, data: bytes) -> None:
        """Leave it out."""

    def close(self, *, ok: bool | None = None) -> None:
        """Leave it out."""


class _SilentMaking(Making):
    __slots__ = ()

    def _log(self, build: Any) -> Any:
        del build
        return Silence()


class _SilentValidating(Validating):
    __slots__ = ()

    def _log(self, order: Any) -> Any:
        del order
        return Silence()


class Builder:
    """One process with its hands."""

    def __init__(self, here: Surroundings, name: str, blow: Blow | None = None) -> None:
        self.here = here
        self.life = Life(
            blow=blow, died=self._died, freeze=lambda: here.freeze(self), later=here.later
        )
        self.log = Quiet()
        self.inbox: Inbox[News] = Inbox()
        self.store = connect(here.zookeeper, self.life)
        self.due_s = float("-inf")
        self._kept: Path | None = None
        self.worker = assemble(
            Outside(
                config=here.config,
                ground=Ground(
                    store=self.store,
                    inbox=self.inbox,
                    clock=here.clock,
                    log=self.log,
                    metrics=NullMetrics(),
                ),
                installation=INSTALLATION,
                clouds=Clouds(make=self._cloud),
                member=Member(id=ReplicaId(name), started_s=here.clock.now_s()),
                workers=Hired(self.inbox, here.tasks, self.life),
                wire=self._wire,
                work_dir=here.folder,
            )
        )

    def turn(self) -> bool:
        """Let the mind think if there is a reason; return whether there was."""
        now_s = self.here.clock.monotonic_s()
        if self.life.frozen or (not self.inbox._news and now_s < self.due_s):
            return False
        self.worker.turn(wait_s_max=0.0)
        self.due_s = now_s + self.worker.wait_s()
        assert not self.log.count("hand.crashed"), self.log.events[-3:]
        return True

    def _died(self) -> None:
        self.here.lost(self)
        # What unwinds now would not run in a process that is killed: its files stay as they are.
        self._kept = self.here.folder.with_name("kept")
        if self.here.folder.exists():
            shutil.copytree(self.here.folder, self._kept)

    def buried(self) -> None:
        """Put its files back as they were when it died."""
        if self._kept is not None and self._kept.exists():
            shutil.rmtree(self.here.folder, ignore_errors=True)
            self._kept.rename(self.here.folder)

    def _cloud(self, _config: Config, provider: str) -> ProviderCloud:
        here = self.here

        def before(name: str, args: Any) -> None:
            here.before_call(provider, name, args)

        cloud: Any = MortalCloud(self.life, here.land.clouds[provider], before)
        images: Any = MortalCloud(self.life, here.land.images[provider], before)
        owner = tags.Owner(installation=INSTALLATION, provider=ProviderName(provider))
        return ProviderCloud(cloud=cloud, images=images, owner=owner)

    def _wire(self, means: HandMeans) -> Hands:
        clock, wait = means.clock, self.here.tasks.pause
        client = Client(self.store, requestor="builder", clock=clock, away_s=0.05, lock_s=0.05)
        session: Any = FakeSession
        machines = Machines(client, clock, means.work_dir / "keys", lambda _login: session())
        sites = Sites(means.images)
        return Hands(
            making=_SilentMaking(
                means,
                hand_make.MakingHand(machines=machines, clock=clock, environ={}, wait=wait),
                hand_file.FileHand(
                    store=self.store,
                    clock=clock,
                    commands=FakeCommands(means.work_dir / "commands"),
                    environ={},
                    wait=wait,
                ),
            ),
            adopting=Adopting(
                means, sites, hand_adopt.AdoptingHand(self.store, clock, INSTALLATION)
            ),
            validating=_SilentValidating(
                means,
                hand_validate.ValidatingHand(
                    machines=machines,
                    prover=FakeProver(clock=clock),
                    clock=clock,
                    environ={},
                    wait=wait,
                ),
            ),
            copying=Copying(
                means,
                sites,
                hand_copy.CopyingHand(
                    store=self.store,
                    clock=clock,
                    installation=INSTALLATION,
                    folder=means.work_dir / "carried",
                    new_token=self.here.new_token,
                ),
            ),
            retiring=Retiring(
                means.clouds, hand_retire.RetiringHand(self.store, clock, INSTALLATION, sites)
            ),
            sweeping=Sweeping(
                means.clouds, hand_sweep.SweepingHand(self.store, clock, INSTALLATION, sites)
            ),
            looking=Looking(means, sites, hand_look.LookingHand(clock, INSTALLATION)),
            logs=Logs(self.store),
            taking_home=NoTakeHomes(),
        )
