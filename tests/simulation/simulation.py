"""The simulator: one thread, virtual time, one seed; safety at every step, then liveness."""

import random
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from remuda.membership.installation import InstallationError
from remuda.model.node import Node, NodeState
from remuda.store import paths
from tests.fakes.cloud import FakeCloud
from tests.simulation import setting as settings
from tests.simulation.attention import Attention
from tests.simulation.builders import Asker
from tests.simulation.clients import Client
from tests.simulation.history import History
from tests.simulation.imagerules import ImageRules
from tests.simulation.imagesetting import Images
from tests.simulation.oracle import Oracle, SimZookeeper, made_by_us
from tests.simulation.process import Process, installation
from tests.simulation.setting import SESSION_TIMEOUT_S, Setting
from tests.simulation.sky import Sky
from tests.simulation.timetable import Timetable

if TYPE_CHECKING:
    from tests.simulation.librarian import Librarian

#: After the storm everything must be in order within so many virtual seconds.
CALM_S_MAX: Final = 900.0
#: Who refused to start is started again after this.
RESTART_S: Final = 5.0
#: More steps than this in one run: something goes round in circles.
STEPS_MAX: Final = 120_000


@dataclass(slots=True)
class Simulation:
    """One run.

    Attributes:
        calm: Faults are off; everything must come to rest.
        librarian: Looks after the images of ours, if there are any.
        attention: When each launcher heard of what was written, by its name.
    """

    seed: int
    setting: Setting
    verbose: bool = False
    calm: bool = False
    steps: int = 0
    timetable: Timetable = field(default_factory=Timetable)
    processes: list[Process] = field(default_factory=list)
    clients: list[Client] = field(default_factory=list)
    skies: dict[str, Sky] = field(default_factory=dict)
    incarnations: Counter[str] = field(default_factory=Counter)
    labels: tuple[str, ...] = settings.LABELS
    rng: random.Random = field(init=False)
    history: History = field(init=False)
    oracle: Oracle = field(init=False)
    zookeeper: SimZookeeper = field(init=False)
    document: dict[str, Any] = field(init=False)
    librarian: "Librarian | None" = None
    attention: dict[str, Attention] = field(default_factory=lambda: defaultdict(Attention))
    _skews: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Build everything; nothing runs yet."""
        from tests.simulation.hostility import add_neighbours  # noqa: PLC0415

        self.rng = self.random("schedule")
        self.history = History(timetable=self.timetable, verbose=self.verbose)
        rates = self.setting.rates
        self.oracle = Oracle(
            history=self.history,
            timetable=self.timetable,
            skew_s=rates.skew_s_max + 0.1,
            lies=rates.lies or self.setting.hostility.blackout > 0,
        )
        self.zookeeper = SimZookeeper(self.timetable, self.oracle)
        self.document = self.setting.document
        self.oracle.configured(self.setting.config)
        installation(self.zookeeper.connect())
        for provider, quota in self.setting.quotas.items():
            cloud = FakeCloud(
                self.timetable.clock, seed=self.seed, boot_s=5.0, quota=quota, floating_ips_max=100
            )
            cloud.chaos = rates.cloud
            pools = self.document["providers"][provider]["pools"]
            self.skies[provider] = self.oracle.skies[provider] = Sky(
                provider=provider,
                cloud=cloud,
                timetable=self.timetable,
                rng=self.random(f"sky {provider}"),
                rates=rates,
                oracle=self.oracle,
                floating_pools=frozenset(n for n, doc in pools.items() if doc["floating-ips"]),
            )
            cloud.add_stranger()
            if self.setting.hostility.takeover:
                add_neighbours(self.skies[provider])
        if self.setting.images is not None:
            self._open_library(self.setting.images)

    def _open_library(self, images: Images) -> None:
        from tests.simulation.librarian import Librarian  # noqa: PLC0415

        self.oracle.images = ImageRules(
            records=self.oracle,
            history=self.history,
            timetable=self.timetable,
            images=images,
            attention=self.attention.__getitem__,
        )
        self.librarian = Librarian(self)

    def random(self, purpose: str) -> random.Random:
        """Return a source of chance for one purpose, so that they do not disturb each other."""
        return random.Random(f"{self.seed} {purpose}")  # noqa: S311 - reproducible, not secret

    def skew_of(self, name: str) -> float:
        """Return how far a host's clock is off."""
        host = name.partition(".")[0]
        if host not in self._skews:
            most_s = self.setting.rates.skew_s_max
            self._skews[host] = self.random(f"skew {host}").uniform(-most_s, most_s)
        return self._skews[host]

    # Launchers.

    def start_launcher(self, provider: str, host: str) -> Process:
        """Start a new launcher process on a host."""
        self.incarnations[host] += 1
        name = f"{host}.{self.incarnations[host]}"
        store = self.zookeeper.connect()
        self.oracle.launchers[store.session_id] = name
        process = Process(
            simulation=self,
            sky=self.skies[provider],
            name=name,
            store=store,
            rng=self.random(f"process {name}"),
        )
        self.history.note(name, "starts")
        try:
            process.start(settings.config_of(self.document))
        except InstallationError:
            self.history.note(name, "refuses to start")
            process.dead = True
            self.zookeeper._wires.remove(store.wire)
            self.zookeeper.end_session(store.session_id)
            self.timetable.after(RESTART_S, lambda: self.start_launcher(provider, host))
            return process
        self.processes.append(process)
        return process

    def start_all(self) -> None:
        """Start every launcher of the setting, at almost the same time."""
        for provider, count in self.setting.replicas.items():
            for number in range(count):
                host = f"{provider}{number}"
                self.timetable.after(
                    self.rng.uniform(0.0, 1.0),
                    lambda provider=provider, host=host: self.start_launcher(provider, host),
                )

    def crash(self, process: Process, *, restart_s: float | None = None) -> None:
        """Kill a process; its session ends when ZooKeeper notices, and a new one starts later."""
        if process.dead:
            return
        process.dead = True
        self.attention[process.name].look(self.timetable.now_s(), hears=False)
        self.history.note(process.name, "is dead")
        self.processes.remove(process)
        wire, session_id = process.store.wire, process.store.session_id
        self.zookeeper._wires.remove(wire)
        ends_s = self.rng.uniform(0.0, SESSION_TIMEOUT_S)
        self.timetable.after(ends_s, lambda: self.zookeeper.end_session(session_id))
        delay_s = self.rng.uniform(0.0, 20.0) if restart_s is None else restart_s
        provider, host = process.sky.provider, process.name.partition(".")[0]
        self.timetable.after(delay_s, lambda: self.start_launcher(provider, host))

    # Clients.

    def invite(self) -> None:
        """Have all requestors come at some time of the storm."""
        for _ in range(self.setting.clients):
            self.come(self.rng.uniform(0.0, self.setting.chaos_s * 0.8))
        moment_s = self.rng.uniform(0.0, self.setting.chaos_s * 0.8)
        for _ in range(self.setting.crowd):
            self.come(moment_s + self.rng.uniform(0.0, 1.0), node_types=["small"])
        for number in range(0 if self.setting.images is None else self.setting.images.asks):
            name = f"builder{number}"
            asker = Asker(self, name, self.random(name))
            self.clients.append(asker)
            when_s = asker.rng.uniform(0.0, self.setting.chaos_s * 0.8)
            self.timetable.after(when_s, asker.submit)
        for number in range(0 if self.setting.images is None else self.setting.images.captors):
            self.capture(number, self.rng.uniform(0.0, self.setting.chaos_s * 0.6))

    def come(self, when_s: float, **wants: Any) -> Client:
        """Have a requestor come; what it *wants* goes into its request's record."""
        name = f"client{len(self.clients)}"
        client = Client(self, name, self.random(name), wants=wants)
        self.clients.append(client)
        self.timetable.after(when_s, client.submit)
        return client

    def capture(self, number: int, when_s: float) -> Client:
        """Have a requestor come that has an image made of its machine, and waits for that."""
        name = f"captor{number}"
        client = Client(self, name, self.random(name), wants={"node_types": ["small"]})
        client.captor.always = True
        self.clients.append(client)
        self.timetable.after(when_s, client.submit)
        return client

    def machine_in_use(self, node: Node) -> None:
        """Judge whether the machine of a node in its user's hands is still there."""
        sky = self.skies[str(node.provider)]
        deleting = [
            server.id
            for server in sky.cloud.truth().values()
            if server.status == "deleting"
            and (found := made_by_us(server)) is not None
            and found.node == node.id
        ]
        if node.external_id in deleting:
            self.history.fail(f"I5: the machine of {node.id} is being deleted under its user")

    # Steps.

    def step(self) -> None:
        """Do one thing that could happen now, or let time pass until something can."""
        self.steps += 1
        if self.steps > STEPS_MAX:
            self.history.fail(f"{self.steps} steps: something goes round in circles")
        self._watch()
        choices, wakes = self._possible()
        if choices:
            self.rng.choice(choices)()
            if self.rng.random() < 0.05:
                self.timetable.clock.advance(self.rng.uniform(0.0, 0.02))
        elif wakes:
            self.timetable.advance_to(min(wakes))
        else:
            self.history.fail("nothing will ever happen again")

    def _watch(self) -> None:
        """Take down which launchers hear of what is written now."""
        if self.oracle.images is not None:
            for process in self.processes:
                self.attention[process.name].look(self.timetable.now_s(), hears=process.hears)

    def _possible(self) -> tuple[list[Callable[[], None]], list[float]]:
        """Return what could happen now, and when more will."""
        now_s = self.timetable.now_s()
        next_s = self.timetable.next_s()
        choices: list[Callable[[], None]] = (
            [self.timetable.make_one] if self.timetable.due() else []
        )
        wakes = [] if next_s is None else [next_s]
        for process in self.processes:
            if process.frozen:
                wakes.append(process.frozen_until_s)
                continue
            if process.has_news():
                choices.append(process.deliver)
            elif process.lag_until_s > now_s:
                wakes.append(process.lag_until_s)
            wake_s = process.wake_s()
            if wake_s <= now_s:
                choices.append(process.think)
            wakes.append(wake_s)
        return choices, wakes

    def run_until(self, end_s: float) -> None:
        """Go on until a time."""
        while self.timetable.now_s() < end_s:
            self.step()

    def run(self) -> None:
        """The whole run: storm, then calm.

        Raises:
            ViolationError: If something happened that must not, or the calm did not come.
        """
        self.storm()
        self.end_storm()
        self.settle()

    def storm(self) -> None:
        """Let everything begin, and go on until the storm is to end."""
        from tests.simulation.faults import Faults  # noqa: PLC0415
        from tests.simulation.hostility import Hostility  # noqa: PLC0415

        self.start_all()
        self.invite()
        Faults(self).begin()
        Hostility(self).begin()
        if self.librarian is not None:
            self.librarian.begin()
        self.run_until(self.setting.chaos_s)

    def end_storm(self) -> None:
        """Turn all faults off; what they have broken stays broken until somebody mends it."""
        self.history.note("storm", "is over")
        self.calm = True
        for process in self.processes:
            process.store.wire._script.clear()
        for sky in self.skies.values():
            sky.end_storm(settings.calmed(self.setting.rates))
        self.oracle.lies = self.setting.rates.lies or self.setting.hostility.blackout > 0
        if self.librarian is not None:
            self.librarian.finish()

    def settle(self) -> None:
        """Wait for the calm: every promise kept, nothing left over."""
        from tests.simulation.hostility import operate  # noqa: PLC0415
        from tests.simulation.rest import unrest  # noqa: PLC0415

        deadline_s = self.timetable.now_s() + CALM_S_MAX
        why: str | None = "it was not looked at"
        while why is not None:
            if self.timetable.now_s() > deadline_s:
                self.history.fail(f"no rest after {CALM_S_MAX:g} s: {why}")
            self.run_until(self.timetable.now_s() + 5.0)
            operate(self)
            why = unrest(self)
        # And it stays so: a launcher at rest does not start anything without a reason.
        self.history.note("storm", "all is at rest", seconds=round(self.timetable.now_s()))

    def ready(self) -> Counter[str]:
        """Return the free ready nodes by label."""
        counts: Counter[str] = Counter()
        for name in self.oracle.names(paths.NODES):
            node = self.oracle.node(name)  # type: ignore[arg-type]
            if node is not None and node.state is NodeState.READY and node.free:
                counts[node.labels[0]] += 1
        return counts


def simulate(
    seed: int, *, verbose: bool = False, imaged: bool | None = None, **changes: Any
) -> Simulation:
    """Run one seed to its end, and return it.

    Args:
        seed: Which.
        verbose: Tell all that happens.
        imaged: Whether labels boot images of ours; None: as the seed has it.
        changes: Other attributes of the setting.

    Raises:
        ViolationError: If anything is wrong.
    """
    drawn = settings.draw(random.Random(f"setting {seed}"), imaged=imaged)  # noqa: S311
    simulation = Simulation(seed=seed, setting=replace(drawn, **changes), verbose=verbose)
    simulation.run()
    return simulation
