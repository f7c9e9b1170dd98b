"""Being seen: our ephemerals are there once, whatever became of a registration."""

from remuda.membership.registration import Member, Presence, Registration
from remuda.model.ids import ReplicaId
from remuda.store.api import Create, StoreError
from tests.fakes.clock import ManualClock
from tests.fakes.store import FakeStore, FakeZookeeper

MEMBERS, OFFERS = "/members", "/offers"
ME = Member(id=ReplicaId("me"), started_s=0.0)


def presence(*offers: str) -> Presence:
    """Return what is to be seen of us."""
    return Presence(
        replica=ME.ephemeral(MEMBERS),
        offers=tuple(
            Create(path=f"{OFFERS}/host", data=one.encode(), ephemeral=True, sequence=True)
            for one in offers
        ),
    )


class Place:
    """A registration over a ZooKeeper whose replies may be lost."""

    def __init__(self) -> None:
        self.store: FakeStore = FakeZookeeper(ManualClock()).connect()
        self.told: list[StoreError | None] = []
        self.registration = Registration(store=self.store, registered=self.told.append)
        self.store.ensure(MEMBERS, OFFERS)

    def register(
        self, *offers: str, found: tuple[str, ...] | None = None, lost: str | None = None
    ) -> None:
        """Register, and hear the answer or lose it."""
        if lost is not None:
            self.store.wire.script(lost)
        self.registration.register(presence(*offers), found)
        self.hear()

    def hear(self) -> None:
        """Hear all answers."""
        while self.store.wire.has_news:
            self.store.wire.deliver_one()

    def there(self) -> tuple[str, ...]:
        """Return our ephemerals."""
        return tuple(
            f"{folder}/{name}"
            for folder in (OFFERS, MEMBERS)
            for name in self.store.children(folder)
        )

    def offered(self) -> list[bytes]:
        """Return what we offer."""
        found = (self.store.read(path) for path in self.there() if path.startswith(OFFERS))
        return sorted(one.value for one in found if one is not None)


def test_a_change_after_a_lost_reply_makes_nothing_twice() -> None:
    """Whoever registers next must say what the lost one has left."""
    made = Place()
    made.register("a", lost="after")
    left = made.there()
    made.register("a")
    not_twice = made.there()
    made.register("a", found=left)

    assert (2, left) == (len(left), not_twice)
    assert len(made.there()) == len(left)
    assert made.told[-1] is None


def test_what_others_see_is_held_against_what_was_made() -> None:
    """Removed ones and doubled ones differ; what is under way does not."""
    made = Place()
    before = made.registration.agrees(())
    made.register("a")
    there = made.there()

    assert before
    assert made.registration.agrees(there)
    assert not made.registration.agrees(there[:-1])
    assert not made.registration.agrees((*there, "/one/more"))


def test_of_several_wishes_the_last_one_counts_and_is_told_once() -> None:
    """What is wanted while a registration is under way follows it; offers of before go."""
    made = Place()
    made.registration.register(presence("a"))
    made.registration.register(presence("b"))
    made.registration.register(presence("c", "d"))
    made.hear()

    assert made.offered() == [b"c", b"d"]
    assert made.told == [None]


def test_who_offers_nothing_is_seen_and_need_not_write_again() -> None:
    """A process of which there is but one kind has a replica znode alone."""
    made = Place()
    made.register()
    made.register()

    assert (f"{MEMBERS}/me",) == made.there()
    assert made.told == [None, None]


def test_with_the_session_everything_is_made_anew() -> None:
    """What went with the session needs no deletion, and would not survive one."""
    made = Place()
    made.register("a")
    made.store.suspend()
    made.store.wire.resume(expired=True)
    made.registration.lost()
    made.register("b")

    assert made.offered() == [b"b"]
    assert len(made.there()) == 2


def test_after_a_lost_session_nothing_is_there_whatever_an_old_answer_says() -> None:
    """Else nobody would see us, and no resync would mend it."""
    made = Place()
    made.register("a")

    made.registration.lost()

    assert not made.registration.agrees(())
