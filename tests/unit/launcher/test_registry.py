"""Being seen: our ephemerals are there once, whatever became of a registration."""

from launcher.policy import Policy
from launcher.registry import Registry
from remuda.model.ids import ReplicaId
from remuda.store import paths
from remuda.store.api import StoreError
from tests.fakes.clock import ManualClock
from tests.fakes.store import FakeStore, FakeZookeeper
from tests.unit.launcher.worlds import policy


class Place:
    """A registry over a ZooKeeper whose replies may be lost."""

    def __init__(self) -> None:
        self.policy: Policy = policy()
        self.store: FakeStore = FakeZookeeper(ManualClock()).connect()
        self.told: list[StoreError | None] = []
        self.registry = Registry(
            store=self.store, replica=ReplicaId("me"), started_s=0.0, registered=self.told.append
        )
        self.registry.prepare(self.policy)

    def register(self, *, found: tuple[str, ...] | None = None, lost: str | None = None) -> None:
        """Register, and hear the answer or lose it."""
        if lost is not None:
            self.store.wire.script(lost)
        self.registry.register(self.policy, found)
        while self.store.wire.has_news:
            self.store.wire.deliver_one()

    def there(self) -> tuple[str, ...]:
        """Return our ephemerals."""
        pools = [f"{paths.POOL_COMPONENTS}/{n}" for n in self.store.children(paths.POOL_COMPONENTS)]
        living = self.store.children(paths.replicas("here"))
        return (*pools, *(f"{paths.replicas('here')}/{name}" for name in living))


def test_a_change_of_policy_after_a_lost_reply_makes_nothing_twice() -> None:
    """Whoever registers next must say what the lost one has left."""
    made = Place()
    made.register(lost="after")
    left = made.there()
    made.register()
    not_twice = made.there()
    made.register(found=left)

    assert (2, left) == (len(left), not_twice)
    assert len(made.there()) == len(left)
    assert made.told[-1] is None


def test_what_others_see_is_held_against_what_was_made() -> None:
    """Removed ones and doubled ones differ; what is under way does not."""
    made = Place()
    before = made.registry.agrees(())
    made.register()
    there = made.there()

    assert before
    assert made.registry.agrees(there)
    assert not made.registry.agrees(there[:-1])
    assert not made.registry.agrees((*there, "/one/more"))
