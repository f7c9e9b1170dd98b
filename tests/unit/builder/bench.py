"""A builder around the in-memory ZooKeeper: its hands answer when a test says so, no thread."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from builder.actions import KINDS, Action
from builder.assembly import Outside, assemble
from builder.build.events import AdoptionEnded, MakingEnded
from builder.build.tasks import AdoptTask, MakeTask
from builder.events import HandEvent, News
from builder.hands.api import Hands
from builder.hands.means import HandMeans
from builder.lanes import LANE_SIZES, Lane
from builder.place.actions import ListPlace, Look
from builder.place.clouds import Clouds, ProviderCloud
from builder.place.events import ImagesListed, ProviderSeen, SweepEnded
from builder.place.tasks import SweepTask
from builder.upload.actions import CondemnUpload, RetireUpload
from builder.upload.events import CopyEnded, RetirementEnded, TrialEnded
from builder.upload.tasks import CopyTask, EraseTask, TrialTask
from builder.worker import BuilderWorker
from builder.world import World
from remuda.config.model import Config
from remuda.frame.work import Finished, HandCrashed
from remuda.frame.workers import Workers, crashed
from remuda.membership.registration import Member
from remuda.metrics.sink import Metrics, NullMetrics
from remuda.model import tags
from remuda.model.build import Base, Build, decode_build
from remuda.model.ids import ProviderName, ReplicaId
from remuda.model.image import BuildId
from remuda.model.status import ProviderStatus, encode_status
from remuda.runtime.ground import Ground
from remuda.runtime.inbox import Inbox
from remuda.store import paths
from remuda.store.api import Create, Set
from tests.fakes.clock import ManualClock
from tests.fakes.cloud import FakeCloud
from tests.fakes.glance import FakeGlance
from tests.fakes.image_store import FakeImages
from tests.fakes.store import FakeZookeeper
from tests.support.notakehomes import NoTakeHomes

HERE, THERE = "a" * 12, "b" * 12
PLACES_OF = {"p": HERE, "q": THERE}


def config(names: Iterable[str] = PLACES_OF, /, **images: Mapping[str, Any]) -> Config:
    """Return a configuration of the providers p and q; images are made in p unless they say so."""
    usual = {"base": "debian", "flavor": "small", "providers": {"p": {}}}
    pool = {"labels": {"small": {"image": "debian", "flavor": "small"}}}
    return Config.model_validate(
        {
            "labels": {"small": {}},
            "providers": {name: {"cloud": name, "pools": {"main": pool}} for name in names},
            "images": {name: {**usual, **one} for name, one in images.items()},
        }
    )


class Quiet:
    """A log that keeps its events."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def debug(self, event: str, **fields: Any) -> None:
        """Leave it out."""

    def info(self, event: str, **fields: Any) -> None:
        """Keep it."""
        self.events.append((event, fields))

    warning = error = info

    def count(self, event: str) -> int:
        """Return how often it was logged."""
        return sum(one == event for one, _ in self.events)


@dataclass(slots=True)
class Waiting(Workers[Action, HandEvent, Lane]):
    """Keeps what hands are to do until a test lets them."""

    orders: list[tuple[Action, Callable[[], HandEvent]]] = field(default_factory=list)

    def submit(self, action: Action, work: Callable[[], HandEvent]) -> None:
        """Keep it."""
        self.orders.append((action, work))


class Scripted:
    """Hands that note their orders, and do what a test has put in their place.

    Attributes:
        seen: What clouds say, by provider.
        images: What listings show, by place.
        made: Called with each order of a build; so are the others.
    """

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.orders: list[Any] = []
        self.images: dict[str, dict[str, Any]] = {}
        self.trouble: dict[str, str] = {}
        self.why: str | None = "refused"
        self.erased: list[BuildId] = []
        self.do: Callable[[Any], None] = lambda _order: None

    def _note(self, order: Any) -> None:
        self.orders.append(order)
        self.do(order)

    def make(self, order: MakeTask) -> MakingEnded:
        """End at once."""
        self._note(order)
        return MakingEnded(id=order.build.value.id, why=self.why)

    def close(self) -> None:
        """Have nothing that runs here."""

    def adopt(self, order: AdoptTask) -> AdoptionEnded:
        """End at once."""
        self._note(order)
        return AdoptionEnded(action=order.action, why=self.why)

    def copy(self, order: CopyTask) -> CopyEnded:
        """End at once."""
        self._note(order)
        return CopyEnded(id=order.upload.value.id, why=self.why)

    def validate(self, order: TrialTask) -> TrialEnded:
        """End at once."""
        self._note(order)
        return TrialEnded(id=order.upload.value.id, provider=order.provider, why=self.why)

    def retire(self, action: RetireUpload) -> RetirementEnded:
        """End at once."""
        self._note(action)
        return RetirementEnded(action=action, why=self.why)

    def condemn(self, action: CondemnUpload) -> RetirementEnded:
        """End at once."""
        self._note(action)
        return RetirementEnded(action=action, why=self.why)

    def erase(self, order: "EraseTask | BuildId") -> Any:
        """Delete an image, or a log."""
        if isinstance(order, BuildId):
            self.erased.append(order)
            return None
        self._note(order)
        return RetirementEnded(action=order.action, why=self.why)

    def sweep(self, order: SweepTask) -> SweepEnded:
        """End at once."""
        self._note(order)
        return SweepEnded(action=order.action, why=self.why)

    def look(self, action: Look) -> ProviderSeen:
        """Say where the images lie."""
        why = self.trouble.get(action.provider)
        if why is not None:
            return ProviderSeen(provider=action.provider, trouble=why)
        return ProviderSeen(
            provider=action.provider,
            place=PLACES_OF.get(action.provider, f"{action.provider:x<12}"),
            bases={image: Base(id="debian") for image in action.bases},
        )

    def list_images(self, action: ListPlace) -> ImagesListed:
        """Show what a test put there."""
        return ImagesListed(
            place=action.place,
            begun_s=self.clock.now_s(),
            images=dict(self.images.get(action.place, {})),
        )


def _done(action: Action, work: Callable[[], HandEvent]) -> HandEvent | HandCrashed[Action]:
    """Return what work brings, or its crash, as worker threads do."""
    try:
        return work()
    except BrokenError:
        return crashed(action)


class BrokenError(Exception):
    """A bug in a hand."""


class Bench:
    """One builder, its hands, and ZooKeeper; :meth:`go` lets all of them act until nothing comes.

    Attributes:
        held: Hands that are given no time, by kind of action.
    """

    def __init__(
        self,
        first: Config,
        *,
        zookeeper: FakeZookeeper | None = None,
        clock: ManualClock | None = None,
        name: str = "me",
        metrics: Metrics | None = None,
    ) -> None:
        self.clock = clock or ManualClock()
        self.zookeeper = zookeeper or FakeZookeeper(self.clock)
        self.store = self.zookeeper.connect()
        self.inbox: Inbox[News] = Inbox()
        self.workers = Waiting(self.inbox, KINDS, LANE_SIZES)
        self.hands = Scripted(self.clock)
        self.log = Quiet()
        self.held: tuple[type, ...] = ()
        self.turns = 0
        outside = Outside(
            config=first,
            ground=Ground(
                store=self.store,
                inbox=self.inbox,
                clock=self.clock,
                log=self.log,
                metrics=metrics or NullMetrics(),
            ),
            installation="us",
            clouds=Clouds(make=self.cloud),
            member=Member(id=ReplicaId(name), started_s=self.clock.now_s()),
            workers=self.workers,
            wire=self._wire,
            work_dir=Path("/nowhere"),
        )
        self.worker: BuilderWorker = assemble(outside)

    def _wire(self, means: HandMeans) -> Hands:
        del means
        one: Any = self.hands
        return Hands(
            making=one,
            adopting=one,
            copying=one,
            validating=one,
            retiring=one,
            looking=one,
            sweeping=one,
            logs=one,
            taking_home=NoTakeHomes(),
        )

    def cloud(self, _config: Config, provider: str) -> ProviderCloud:
        """Return a cloud that nobody asks."""
        owner = tags.Owner(installation="us", provider=ProviderName(provider))
        cloud = FakeCloud(self.clock)
        return ProviderCloud(cloud=cloud, images=FakeImages(cloud, FakeGlance()), owner=owner)

    @property
    def known(self) -> World:
        """What the builder knows."""
        return self.worker.brain.world

    def launchers(self, *providers: str) -> None:
        """Let a launcher of each live, in a session of its own."""
        launcher = self.zookeeper.connect()
        for one in providers:
            launcher.ensure(paths.replicas(one))
            launcher.commit([Create(path=f"{paths.replicas(one)}/l-{one}", ephemeral=True)])

    def status(self, provider: str, trouble: str | None) -> None:
        """Let its launchers say how it stands."""
        self.store.ensure(paths.status(provider))
        data = encode_status(ProviderStatus(provider=provider, trouble=trouble))
        self.store.commit([Set(path=paths.status(provider), data=data, version=-1)])

    def turn(self) -> None:
        """Let one turn pass, without waiting."""
        self.zookeeper.deliver()
        self.turns += 1
        self.worker.turn(wait_s_max=0.0)
        self.worker.report()

    def work(self) -> int:
        """Let the hands that are not held do what they were told; return how many did."""
        orders, self.workers.orders = self.workers.orders, []
        count = 0
        for action, work in orders:
            if isinstance(action, self.held):
                self.workers.orders.append((action, work))
                continue
            self.inbox.event(Finished(action=action, event=_done(action, work)))
            count += 1
        return count

    def go(self, turns_max: int = 60) -> None:
        """Let everything act until nothing comes any more at this moment.

        Raises:
            AssertionError: If it runs in circles.
        """
        for _ in range(turns_max):
            self.turn()
            worked = self.work()
            if not worked and not self.zookeeper.waiting() and self.worker.wait_s() > 0:
                return
        raise AssertionError(f"no rest after {turns_max} turns; orders: {self.hands.orders[-3:]}")

    def pass_s(self, seconds: float, step_s: float = 1.0) -> None:
        """Let time pass, and everything act meanwhile."""
        passed = 0.0
        while passed < seconds:
            self.clock.advance(step_s)
            passed += step_s
            self.go()

    def build(self, image: str, number: int) -> Build:
        """Return a build as it is on record."""
        one = BuildId(image, number)
        stored = self.store.read(paths.build(one))
        assert stored is not None
        return decode_build(one, stored.value)
