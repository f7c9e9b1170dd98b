"""The machine of histories: everybody does anything at any time, and everybody may die."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    precondition,
    rule,
)

from builder.build.actions import BeginBuild, TakeBuild
from builder.decide import decide
from builder.upload.actions import CondemnUpload, RetireUpload, TakeUpload, TryUpload
from builder.writes import write as write_action
from remuda.cli.image.record_writer import set_build, set_image
from remuda.images import moves, revoking
from remuda.model.build import Why
from remuda.model.ids import NodeId
from remuda.model.image import BuildId, UploadId
from remuda.model.tally import Tally
from remuda.model.upload import Method, UploadState
from remuda.store import paths
from remuda.store.api import Create, Delete
from tests.unit.builder.histories.doings import Doings, Fate
from tests.unit.builder.histories.estate import CHILD, EVIDENCE_S, IMAGE, PROJECTS
from tests.unit.builder.histories.referring import Key

#: What a hand that ends uploads may be asked to end.
ENDABLE: Final = frozenset(
    {UploadState.USABLE, UploadState.REJECTED, UploadState.FAILED, UploadState.RETIRING}
)
FATES: Final = st.sampled_from([Fate.OK, Fate.OK, Fate.CLOUD, Fate.RECIPE])
NUMBERS: Final = st.integers(1, 6)
IMAGES: Final = st.sampled_from([IMAGE, CHILD])
PROVIDERS: Final = st.sampled_from(sorted(PROJECTS))
PARTS: Final = st.sampled_from(["all", "all", "uploads", "pointers", "launches"])
#: When who refers writes, seen from who retires and deletes; *after*: before that writes.
TIMES: Final = tuple(
    f"{when} {what}" for what in ("retire", "condemn") for when in ("before", "during", "after")
)
WHEN: Final = st.sampled_from(TIMES)
READINGS: Final = st.integers(1, 8)
VERBS: Final = ("launch", "pin", "child", "copy", "trial", "odd")
#: A record that nobody can read; it may be a node that boots anything.
UNREADABLE: Final = paths.launch("pa", NodeId("3999999999"))


@cache
def settled() -> Doings:
    """Return an estate with a few builds of each image, which are proven everywhere."""
    first = Doings()
    first.start()
    for _ in range(4):
        first.settle(25)
        first.clock.advance(100.0)
    first.start()
    return first


class History(RuleBasedStateMachine):
    """Any history; it begins when all is well."""

    def __init__(self) -> None:
        """Let two builders be at work."""
        super().__init__()
        self.all = settled().copied()
        self.held: set[str] = set()

    # Builders.

    @rule(turns=st.integers(1, 8))
    def settle(self, turns: int) -> None:
        """Let all go well for a while."""
        self.all.settle(turns)

    @rule(seconds=st.sampled_from([1.0, 20.0, 150.0, 2 * EVIDENCE_S]))
    def pass_time(self, seconds: float) -> None:
        """Let time pass: builds become due, pins end."""
        self.all.clock.advance(seconds)

    @rule()
    def list_places(self) -> None:
        """Let all places be listed."""
        self.all.list_places()

    @rule(data=st.data(), parts=PARTS)
    def look(self, data: st.DataObject, parts: str) -> None:
        """Let somebody hear of what has changed."""
        self.all.look(data.draw(st.sampled_from([*self.all.living, "ada", "launcher"])), parts)

    @rule(data=st.data(), fate=FATES)
    def work(self, data: st.DataObject, fate: Fate) -> None:
        """Let a builder begin all that it believes is to be done."""
        who = data.draw(st.sampled_from(self.all.living))
        world = self.all.world(who, self.all.believed(who))
        for action in decide(world).actions:
            self.all.do(world, action, fate)

    @rule(data=st.data())
    @precondition(lambda self: self.all.tasks)
    def go_on(self, data: st.DataObject) -> None:
        """Let somebody make the next write."""
        self.all.go_on(self.all.tasks[data.draw(st.integers(0, len(self.all.tasks) - 1))])

    @rule()
    def finish(self) -> None:
        """Let all that was begun come to its end."""
        self.all.finish()

    @rule(data=st.data(), late=st.booleans())
    def die(self, data: st.DataObject, late: bool) -> None:  # noqa: FBT001
        """Let a builder die between two writes, and another one start."""
        self.all.die(data.draw(st.sampled_from(self.all.living)), late=late)
        self.all.start()

    @rule(provider=PROVIDERS)
    def leave_or_come(self, provider: str) -> None:
        """Let a provider leave the configuration, or come back."""
        if len(self.all.configured) > 1 or provider not in self.all.configured:
            self.all.configured ^= {provider}

    # Launchers.

    @rule(data=st.data(), candidate=st.booleans())
    def launch(self, data: st.DataObject, candidate: bool) -> None:  # noqa: FBT001
        """Let a launcher bind any upload that it believes in."""
        seen = self.all.believed("launcher")
        if seen.uploads:
            upload_id = data.draw(st.sampled_from(sorted(seen.uploads)))
            provider = next(one for one, at in self.all.places.items() if at == upload_id.place)
            ops = self.all.bound(seen, upload_id, provider, candidate=candidate)
            self.all.begin("launcher", upload_id, self.all.write(lambda: ops))

    @rule(data=st.data(), held=st.booleans())
    def end_launch(self, data: st.DataObject, held: bool) -> None:  # noqa: FBT001
        """Let a node be gone, unless somebody holds it."""
        some = sorted({*self.all.launched()} - self.held - {UNREADABLE})
        if some and held:
            self.held.add(data.draw(st.sampled_from(some)))
        elif some:
            self.all.commit([Delete(path=data.draw(st.sampled_from(some)))])

    @rule()
    def garble(self) -> None:
        """Let there be a record that nobody can read, or have it removed."""
        gone = UNREADABLE in self.all.launched()
        one = Delete(path=UNREADABLE) if gone else Create(path=UNREADABLE, data=b'{"schema": 99}')
        self.all.commit([one])

    # People.

    @rule(
        provider=PROVIDERS,
        image=IMAGES,
        number=NUMBERS,
        verb=st.sampled_from(
            ["promote", "rollback", "try", "try", "withdraw", "pin", "pin", "unpin", "give back"]
        ),
        seconds=st.sampled_from([10.0, 1000.0, None]),
    )
    def move(
        self, provider: str, image: str, number: int, verb: str, seconds: float | None
    ) -> None:
        """Let somebody move a pointer, by what they believe."""
        word = self.all.word()
        until_s = None if seconds is None else word.at_s + seconds
        verbs: dict[str, Callable[[moves.Shelf], Any]] = {
            "promote": lambda shelf: moves.promote(shelf, None, word),
            "rollback": lambda shelf: moves.rollback(shelf, word),
            "pin": lambda shelf: moves.pin(shelf, number, word, until_s=until_s),
            "try": lambda shelf: moves.try_out(
                shelf, 0.1, Tally(image=image, provider=provider), now_s=word.at_s
            ),
            "withdraw": lambda shelf: moves.withdraw(shelf, word),
            "unpin": lambda shelf: moves.unpin(shelf, word),
            "give back": lambda shelf: moves.restore_here(shelf, number, word),
        }
        self.all.begin("ada", verb, self.all.move(provider, image, verbs[verb]))

    @rule(image=IMAGES, number=NUMBERS, force=st.booleans(), back=st.booleans())
    def revoke(self, image: str, number: int, force: bool, back: bool) -> None:  # noqa: FBT001
        """Let somebody revoke a build with its children, or restore it."""
        build_id, word = BuildId(image, number), self.all.word()

        def judge(builds: Any, shelves: Any) -> Any:
            if back:
                return revoking.restore(builds, shelves, build_id, word)
            return revoking.revoke(builds, shelves, build_id, word, force=force)

        self.all.begin("ada", build_id, self.all.revocation(judge))

    @rule(image=IMAGES, number=NUMBERS)
    def delete(self, image: str, number: int) -> None:
        """Let somebody want a build to be deleted, be it current or not."""
        build_id, word = BuildId(image, number), self.all.word()
        steps = self.all.wish(
            lambda seen: set_build(seen, replace(seen.builds[build_id].value, unwanted=word))
        )
        self.all.begin("ada", build_id, steps)

    @rule(image=IMAGES)
    def want(self, image: str) -> None:
        """Let somebody want a build."""
        word = self.all.word()

        def wanted(seen: Any) -> Any:
            record = seen.images[image].value
            return set_image(seen, replace(record, wanted=word, wanted_above=record.last_build))

        self.all.begin("ada", image, self.all.wish(wanted))

    # Both at the same moment.

    @rule(data=st.data(), when=WHEN, at=READINGS)
    def race_a_launch(self, data: st.DataObject, when: str, at: int) -> None:
        """Let a launch be bound."""
        self.race(data, "launch", when, at)

    @rule(data=st.data(), when=WHEN, at=READINGS)
    def race_a_pin(self, data: st.DataObject, when: str, at: int) -> None:
        """Let somebody pin it."""
        self.race(data, "pin", when, at)

    @rule(data=st.data(), when=WHEN, at=READINGS)
    def race_a_child(self, data: st.DataObject, when: str, at: int) -> None:
        """Let a build start from it."""
        self.race(data, "child", when, at)

    @rule(data=st.data(), when=WHEN, at=READINGS, verb=st.sampled_from(["copy", "trial", "odd"]))
    def race_another(self, data: st.DataObject, when: str, at: int, verb: str) -> None:
        """Let it be copied or tried, or a record come that nobody can read."""
        self.race(data, verb, when, at)

    def race(self, data: st.DataObject, verb: str, when: str, at: int) -> None:
        """Let one who refers and one who ends race for any upload."""
        self.all.finish()
        free, kept = self.endable()
        if free or kept:
            # Mostly what nothing keeps: there one more reference, or one less, decides.
            upload_id = data.draw(st.sampled_from([*free, *free, *free, *kept]))
            self.race_for(upload_id, verb, when, at)

    def endable(self) -> tuple[list[UploadId], list[UploadId]]:
        """Return what a hand may be asked to end: what nothing hinders, and the rest."""
        seen = self.all.fresh().uploads
        some = [one for one, stored in sorted(seen.items()) if stored.value.state in ENDABLE]
        free = [one for one in some if not self.all.oracle.now.hindered(self._key(one))]
        return free, [one for one in some if one not in free]

    def race_for(self, upload_id: UploadId, verb: str, when: str, at: int) -> None:
        """Let one who refers and one who retires and deletes look at the same upload.

        Who refers writes before all of it, between the readings of the other, or after a part.
        """
        for who in (*self.all.living, "ada", "launcher"):
            self.all.look(who)
        others = len(self.all.tasks)
        self.refer(verb, upload_id)
        referring = self.all.tasks[others:]

        def write() -> None:
            for one in referring:
                if one in self.all.tasks:
                    self.all.go_on(one)

        for now, action in (
            ("retire", RetireUpload(id=upload_id, because="x")),
            ("condemn", CondemnUpload(id=upload_id)),
        ):
            if when == f"before {now}":
                write()
            between = write if when == f"during {now}" else None
            self.all.begin("hand", upload_id, self.all.end(action, at, between))
            if when == f"after {now}":
                write()
            self.all.finish("hand")
        self.all.finish()

    def refer(self, verb: str, upload_id: UploadId) -> None:
        """Begin something that refers to an upload, by what is true now."""
        me, provider = self.all.living[0], self._provider(upload_id)
        world = self.all.world(me, self.all.fresh())
        match verb:
            case "launch":
                self.launch_of(upload_id, provider)
            case "pin":
                self.move(provider, upload_id.build.image, upload_id.build.number, "pin", 10.0)
            case "child":
                self.child_of(upload_id, provider)
            case "copy":
                waiting = [
                    one
                    for one, stored in world.library.uploads.items()
                    if one.build == upload_id.build and stored.value.state is UploadState.PENDING
                ]
                for one in waiting:
                    take = TakeUpload(id=one, method=Method.SHARE, source=upload_id)
                    self.all.do(world, take, Fate.OK)
            case "trial":
                self.all.do(world, TryUpload(id=upload_id, provider=provider), Fate.OK)
            case _:
                self.garble()

    def _key(self, upload_id: UploadId) -> Key:
        return (*upload_id.build, upload_id.place)

    def _provider(self, upload_id: UploadId) -> str:
        return next(one for one, place in self.all.places.items() if place == upload_id.place)

    def launch_of(self, upload_id: UploadId, provider: str) -> None:
        """Let a launch be bound."""
        ops = self.all.bound(self.all.fresh(), upload_id, provider)
        self.all.begin("launcher", upload_id, self.all.write(lambda: ops))

    def child_of(self, upload_id: UploadId, provider: str) -> None:
        """Let a build begin that starts from it."""
        if upload_id.build.image != IMAGE:
            return
        me = self.all.living[0]
        seen = self.all.fresh()
        number = seen.images[CHILD].value.last_build + 1
        begin = BeginBuild(
            id=BuildId(CHILD, number),
            group=tuple(sorted(self.all.configured)),
            why=Why.COMMAND,
            fingerprint="f",
        )
        self.all.commit(write_action(self.all.world(me, seen), begin))
        take = TakeBuild(
            id=begin.id, provider=provider, place=upload_id.place, parent=upload_id, base=None
        )
        self.all.do(self.all.world(me, self.all.fresh()), take, Fate.OK)

    # In the end.

    def teardown(self) -> None:
        """When all goes well again, everything goes that nobody needs."""
        if UNREADABLE in self.all.launched():
            self.garble()
        self.all.calm, self.all.configured = True, set(PROJECTS)
        for path in {*self.all.launched()} - self.held:
            self.all.commit([Delete(path=path)])
        for one in list(self.all.living):
            self.all.die(one, late=False)
        self.all.tasks.clear()
        self.all.start()
        for _ in range(5):
            self.all.settle(8)
            self.all.clock.advance(2 * EVIDENCE_S)
        kept = {path.split("/")[-1] for path in self.held}
        for key, doc in self.all.oracle.now.uploads.items():
            if doc["state"] != "usable":
                by = self.all.oracle.now.by(key)
                assert doc["state"] == "retiring", f"{key} is {doc['state']} for ever"
                assert any(one.split("/")[-1] in kept for one in by), f"{key} is kept for nobody"


def races(verb: str) -> None:
    """Run every race of one kind: for each upload that nothing keeps, and what was built last.

    Readings of the hand: 1 is of the upload, 2 the first after it.
    """
    free, kept = History().endable()
    for upload_id in (*kept[-4:], *free):
        for when in TIMES:
            for at in (1, 2, 4) if when.startswith("during") else (1,):
                History().race_for(upload_id, verb, when, at)
